// The verdicts of gate stages: which words a role may give, and where an older handoff has hidden them.
#pragma once

#include <stdbool.h>

// The verdict that `text` names exactly, whatever its case, backticks, dashes or blanks ("Changes requested" ->
// "changes_requested"), or NULL. A role without a set of its own (and NULL) may give any verdict.
const char *verdict_word(const char *role, const char *text);
// The same for a text that begins with a verdict ("Approved: 3 files read"); NULL too when the line names a second one.
const char *verdict_leading(const char *role, const char *text);
// Does this verdict ask for changes, whoever gave it? "minor" does not: what it names may stay.
bool verdict_wants_changes(const char *verdict);
bool verdict_is_gate(const char *role); // roles whose handoffs need one
