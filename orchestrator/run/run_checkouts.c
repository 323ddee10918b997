// The checkouts and the build cache of a run: made when the first stage needs the project, found again after a restart.
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/run_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CACHE_SLOTS_MAX 16

static void prepared_in_turn(struct run *run, void *arg)
{
    (void)arg;
    struct err err;
    AUTO_JSON json_t *answer = json_object();
    json_put_str(answer, "base", run->facts->base);
    json_put_str(answer, "repository", run->facts->repository);
    json_put_flag(answer, "dirty", run->facts->dirty);
    int r = store_call_put(run->env.store, run->id, "engine", 0, "workspace", "", answer, &err);
    if (r < 0) {
        run_end(run, RUN_FAILED, NULL, err.text);
        return;
    }
    if (run->facts->dirty && r == 0) {
        json_t *body = json_object();
        json_put_str(body, "text", "the project has uncommitted changes; they are not part of the run");
        run_note(run, EVENT_SCRIPT_LOG, body);
    }
    stage_prepared(run);
}

static void prepared(void *user, const struct workspace_facts *facts, const struct err *err)
{
    struct run *run = user;
    char reason[STORE_NAME_MAX];
    run->preparing = false;
    run->facts = facts->repository ? facts : NULL; // what was made is to be removed, also when the rest failed
    if (store_run_cancel_requested(run->env.store, run->id, reason, NULL) > 0)
        run_cancel(run, reason);
    else if (err)
        run_end(run, RUN_FAILED, NULL, err->text);
    if (!run->ending)
        run_turn(run, prepared_in_turn, NULL);
}

void run_prepare_checkouts(struct run *run)
{
    struct err err;
    AUTO_JSON json_t *before = store_call_get_new(run->env.store, run->id, "engine", 0, &err);
    const char *base = json_str(json_obj(before, "answer"), "base", NULL);
    run->preparing = true;
    run->workspace = workspace_prepare(run->env.loop, run->id, run->dir, run->project, base, prepared, run);
}

// An earlier process made them, and this one has not needed them.
bool run_has_old_checkouts(const struct run *run)
{
    static const char *const NAMES[] = {"base", "work", "origin"};
    bool there = false;
    for (size_t i = 0; i < ARRAY_LEN(NAMES) && !run->workspace && run->resumed; i++) {
        AUTO_FREE char *path = path_join(run->dir, NAMES[i]);
        there = there || file_exists(path);
    }
    return there;
}

// Build output is kept between runs of a project, in slots: <state>/cache/<hash of the project path>/<n>. A slot
// belongs to one live run; a second run at the same time gets the next one.
static int take_cache_slot(struct run *run, struct err *err)
{
    char hash[HASH_TEXT];
    hash_bytes(run->project, strlen(run->project), hash);
    hash[16] = '\0';
    for (int slot = 0; slot < CACHE_SLOTS_MAX; slot++) {
        AUTO_FREE char *dir = str_printf("%s/cache/%s/%d", store_dir(run->env.store), hash, slot);
        AUTO_FREE char *lock = path_join(dir, "lock");
        int r = file_make_dirs(dir, err);
        if (r < 0)
            return r;
        int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return err_sys(err, errno, "cannot open '%s'", lock);
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            run->cache_lock = fd;
            run->cache_dir = str_dup(dir);
            return 0;
        }
        close(fd);
    }
    return err_set(err, ERR_LIMIT, "%d runs of '%s' are at work already", CACHE_SLOTS_MAX, run->project);
}

void run_need_checkouts(struct run *run)
{
    struct err err;
    if (run->workspace || run->ending)
        return;
    if (take_cache_slot(run, &err) < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
    else
        run_prepare_checkouts(run);
}
