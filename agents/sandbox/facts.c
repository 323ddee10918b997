#include "facts.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void look(void *user, const char *path, struct policy_file *ret)
{
    (void)user;
    *ret = (struct policy_file){.kind = POLICY_FILE_MISSING};
    struct stat st;
    if (lstat(path, &st) < 0)
        return;
    if (S_ISREG(st.st_mode)) {
        ret->kind = POLICY_FILE_REGULAR;
        ret->size = (int64_t)st.st_size;
        ret->links = (unsigned)st.st_nlink;
    } else if (S_ISDIR(st.st_mode)) {
        ret->kind = POLICY_FILE_DIR;
    } else if (S_ISLNK(st.st_mode)) {
        ret->kind = POLICY_FILE_LINK;
        ssize_t n = readlink(path, ret->target, sizeof(ret->target) - 1);
        if (n <= 0 || (size_t)n == sizeof(ret->target) - 1) // gone meanwhile, or a target that was cut: nothing can be said about it
            ret->unstable = true;
        ret->target[n > 0 ? n : 0] = '\0';
    } else {
        ret->kind = POLICY_FILE_OTHER;
    }
}

const struct policy_fs EXEC_FACTS = {look, NULL};
