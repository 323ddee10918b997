#include "door/http_library.h"

#include <dlfcn.h>
#include <string.h>

static int find(void *library, const char *name, void *ret_function, struct err *err)
{
    void *address = dlsym(library, name);
    if (!address)
        return err_set(err, ERR_UNSUPPORTED, "%s has no '%s': it is not the version Baton was built for",
                       BATON_MICROHTTPD, name);
    memcpy(ret_function, &address,
           sizeof(address)); // C has no conversion from an object's address to a function's; POSIX has
    return 0;
}

int http_library_load(struct http_library *ret, struct err *err)
{
    struct http_library found = {0};
    void *library = dlopen(BATON_MICROHTTPD, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return err_set(err, ERR_UNAVAILABLE, "HTTP needs the library %s (Debian's package libmicrohttpd12): %s",
                       BATON_MICROHTTPD, dlerror());
    int r = 0;
#define X(name)                                                                                                        \
    if (r == 0)                                                                                                        \
        r = find(library, "MHD_" #name, &found.name, err);
    HTTP_LIBRARY_CALLS(X)
#undef X
    dlclose(library);
    if (r == 0)
        *ret = found;
    return r;
}
