#include "store_fixture.h"

#include "base/mem.h"

int fixture_setup(void **state)
{
    struct fixture *f = mem_alloc(sizeof(*f));
    f->dir = test_temp_dir();
    assert_ok(store_open(f->dir, &f->s, &f->err), &f->err);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    test_remove(f->dir);
    mem_free(f);
    return 0;
}

void fixture_run(struct fixture *f, const char *id, const char *project, const char *key, const char *parent)
{
    char ret[STORE_NAME_MAX];
    AUTO_JSON json_t *none = json_object();
    struct store_run run = {.id = id,
                            .workflow = "w",
                            .script_hash = "h",
                            .project = project,
                            .key = key,
                            .parent = parent,
                            .params = none,
                            .agents = none};
    assert_ok(store_run_create(f->s, &run, ret, &f->err), &f->err);
}
