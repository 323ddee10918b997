// The host of a web address, read strictly: what two programs could read differently is refused.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define URL_MAX      8192
#define URL_HOST_MAX 256

// NULL and the lower-case host (without brackets, port and trailing dot) in out, or why the address is refused.
const char *url_host(const char *url, size_t len, char out[URL_HOST_MAX]);
// This machine, its link or a private network, by name or number.
bool url_host_is_local(const char *host);
