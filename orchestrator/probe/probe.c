#include "probe/probe.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "boxes/layers.h"
#include "boxes/profile_table.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_NS (20 * NS_PER_SEC) // it takes milliseconds

struct probe {
    struct loop *loop;
    char *program;
    void (*on_known)(void *user);
    void *user;
    struct loop_child *child;
    struct loop_timer *timer;
    json_t *answer;       // NULL: there is none
    struct err no_answer; // why
    bool begun, known;
};

struct probe *probe_new(struct loop *loop, const char *program_dir, void (*known)(void *user), void *user)
{
    struct probe *p = mem_alloc(sizeof(*p));
    *p = (struct probe){.loop = loop, .program = path_join(program_dir, "baton-exec"), .on_known = known, .user = user};
    return p;
}

struct probe *probe_free(struct probe *p)
{
    if (!p)
        return NULL;
    loop_child_close(p->child);
    loop_timer_close(p->timer);
    json_decref(p->answer);
    mem_free(p->program);
    mem_free(p);
    return NULL;
}

static void be_known(void *user)
{
    struct probe *p = user;
    loop_child_close(p->child);
    p->child = NULL;
    loop_timer_stop(p->timer);
    if (!p->answer && p->no_answer.code == ERR_OK)
        err_set(&p->no_answer, ERR_UNSUPPORTED, "'%s --probe' gave no answer", p->program);
    p->known = true;
    p->on_known(p->user);
}

static void on_line(void *user, enum loop_source source, const char *line)
{
    struct probe *p = user;
    if (source == LOOP_STDOUT && !p->answer)
        p->answer = json_parse_new(line, strlen(line), "the answer of baton-exec --probe", &p->no_answer);
}

static void on_exit_(void *user, int exit_code, int number)
{
    (void)exit_code; // says the same as the answer, by the ordinary requirement
    (void)number;
    be_known(user);
}

static void on_timer(void *user)
{
    struct probe *p = user;
    if (p->child)
        loop_child_kill(p->child, SIGKILL); // its end is the answer
    else
        be_known(p);
}

void probe_begin(struct probe *p)
{
    if (p->begun)
        return;
    p->begun = true;
    p->timer = loop_timer_new(p->loop, on_timer, p);
    const char *argv[] = {p->program, "--probe", NULL};
    const struct loop_child_options options = {.argv = argv, .on_line = on_line, .on_exit = on_exit_, .user = p};
    int r = loop_child_new(p->loop, &options, &p->child, &p->no_answer);
    loop_timer_start(p->timer, r < 0 ? 0 : ANSWER_NS, 0); // known is only called from the loop
}

bool probe_known(const struct probe *p)
{
    return p->known;
}

// The least that this site requires.
static int read_require(const char *profiles, int *ret, struct err *err)
{
    struct profile_table *table = NULL;
    int r = profiles ? profile_table_new(profiles, "the sandbox.profiles that the run began with", &table, err)
                     : profile_table_load(&table, err);
    if (r < 0)
        return r;
    *ret = profile_table_least_require(table);
    profile_table_free(table);
    return 0;
}

int probe_check(const struct probe *p, const char *profiles, struct err *err)
{
    int require = 0, r = read_require(profiles, &require, err);
    if (r < 0)
        return r;
    if (!p->answer)
        return err_set(err, ERR_UNSUPPORTED,
                       "tools cannot run in a box, and are refused: %s; reinstall Baton, or see: baton doctor",
                       p->no_answer.text);
    return layers_check(p->answer, require, err);
}

json_t *probe_facts_new(const struct probe *p, const char *profiles)
{
    struct err err;
    int require = 0;
    bool usable = probe_check(p, profiles, &err) == 0;
    (void)read_require(profiles, &require, NULL);
    json_t *facts = layers_facts_new(p->answer, require);
    json_put_flag(facts, "usable", usable);
    json_put_str(facts, "why", usable ? NULL : err.text);
    return facts;
}
