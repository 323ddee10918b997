// Which hosts a fetch would talk to, by what the manifests and the lock file of a project name. For sites that list the
// permitted ones (key hosts of the profile fetch).
#pragma once

#include "base/err.h"

// Manifests and Cargo.lock below root (no target folders, hidden folders or links). hosts: patterns (* and ?),
// NULL-terminated; `default` is the registry that cargo uses when none is
// named, which needs no entry. ERR_DENIED: another host is named, or what is named
// cannot be told; the text says which file names what.
int fetch_hosts_check(const char *root, char *const *hosts, struct err *err);

// Host of a source as cargo writes it ("git+https://user@host:1/path?rev=…", "git@host:path"): "" for a place on this
// machine; owned by the caller.
char *fetch_hosts_of(const char *source);
