// The constructed environment of tools: nothing is inherited but what is named here.
#pragma once

// NULL-terminated, freed with str_list_free. home: HOME and TMPDIR lie below it. extra: "KEY=value", NULL-terminated,
// may be NULL; replaces an entry of the same name.
char **environment_new(const char *home, const char *const *extra);
const char *environment_get(char *const *environment, const char *name); // value or NULL; borrowed
// Sets an entry, replacing one of the same name; the list may move.
char **environment_put(char **environment_consumed, char *entry_consumed);
