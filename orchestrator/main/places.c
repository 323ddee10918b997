#include "main/places.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <unistd.h>

static char *program_dir(struct err *err)
{
    AUTO_FREE char *self = path_real("/proc/self/exe", err);
    return self ? path_dir(self) : NULL;
}

static char *state_dir(void)
{
    const char *own = getenv("BATON_STATE"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (own && *own)
        return str_dup(own);
    if (xdg && xdg[0] == '/')
        return path_join(xdg, "baton");
    return str_printf("%s/.local/state/baton", home && *home ? home : "/tmp");
}

int places_find(struct places *ret, struct err *err)
{
    AUTO_FREE char *dir = program_dir(err);
    if (!dir)
        return -(int)err->code;
    const char *own_data = getenv("BATON_DATA");
    AUTO_FREE char *data = own_data && *own_data ? str_dup(own_data) : path_join(dir, "../share/baton");
    char *real_data = path_real(data, NULL);
    AUTO_FREE char *worker = path_join(dir, "baton-agent-echo");
    AUTO_FREE char *state = state_dir();
    *ret = (struct places){.data = real_data ? real_data : str_dup(data),
                           .programs = file_exists(worker) ? str_dup(dir) : path_join(dir, "../libexec/baton")};
    int r = file_make_dirs(state, err);
    ret->state = r == 0 ? path_real(state, err) : NULL;
    if (!ret->state) {
        err_wrap(err, "the state folder (set BATON_STATE to another one)");
        places_free(ret);
        return -(int)err->code;
    }
    return 0;
}

void places_free(struct places *p)
{
    mem_free(p->state);
    mem_free(p->data);
    mem_free(p->programs);
    *p = (struct places){0};
}
