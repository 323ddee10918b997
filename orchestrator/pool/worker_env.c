#include "pool/worker_env.h"

#include "base/str.h"
#include "base/vec.h"

#include <unistd.h>

extern char **environ;

static bool passes(const char *entry)
{
    static const char *const NAMES[] = {"PATH=",
                                        "HOME=",
                                        "USER=",
                                        "LOGNAME=",
                                        "LANG=",
                                        "TZ=",
                                        "TMPDIR=",
                                        "CARGO_HOME=",
                                        "RUSTUP_",
                                        "CARGO_HTTP_",
                                        "CARGO_NET_",
                                        "CARGO_REGISTRIES_",
                                        "CARGO_BUILD_JOBS=",
                                        "SCCACHE_",
                                        "SSL_CERT_",
                                        "http_proxy=",
                                        "https_proxy=",
                                        "HTTP_PROXY=",
                                        "HTTPS_PROXY=",
                                        "no_proxy=",
                                        "NO_PROXY=",
                                        "XDG_",
                                        "BATON_LOG=",
                                        "ASAN_OPTIONS=",
                                        "UBSAN_OPTIONS=",
                                        "TSAN_OPTIONS=",
                                        "LSAN_OPTIONS="};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (str_starts(entry, NAMES[i]))
            return true;
    return false;
}

const char **worker_env_new(const char *own_entry)
{
    VEC(const char *) env = {0};
    for (char **e = environ; *e; e++)
        if (passes(*e))
            vec_push(&env, *e);
    if (own_entry)
        vec_push(&env, own_entry);
    vec_push(&env, NULL);
    return env.items;
}
