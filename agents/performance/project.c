#include "performance/project.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define METADATA_BYTES ((size_t)256 << 20)

int project_metadata(struct job *job, const char *dir, struct cargo_metadata *ret, struct err *err)
{
    struct cargo_metadata_options options = {0};
    const char **argv = cargo_metadata_argv(&options);
    struct exec_result result = {0};
    const struct exec_call call = {.argv = argv, .cwd = dir, .output_max = METADATA_BYTES};
    int r = exec_check(job_exec(job), &call, &result, err);
    if (r == 0)
        r = cargo_metadata_parse(buf_str(&result.out), result.out.len, ret, err);
    exec_result_free(&result);
    mem_free(argv);
    return r;
}

json_t *project_mains_new(const struct cargo_metadata *metadata, const char *checkout)
{
    json_t *list = json_array();
    for (size_t i = 0; i < metadata->package_count; i++) {
        const struct cargo_package *p = &metadata->packages[i];
        for (size_t t = 0; p->is_member && t < p->target_count; t++) {
            const char *below = path_below(p->targets[t].src_path, checkout);
            if (below && str_eq(p->targets[t].kind, "bin"))
                json_add_str(list, below);
        }
    }
    return list;
}
