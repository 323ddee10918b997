// What the programs are made of: own reading of their symbols, and the word of cargo-bloat and cargo-llvm-lines where
// they are installed.
#include "performance/explain.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "buildinfo/bloat.h"
#include "rust/cargo_messages.h"

#include <string.h>

#define PROGRAMS_MAX 4 // largest ones are not known before they are built: the first ones

static int build_release(struct explain *x, struct cargo_messages *ret, bool *ret_built, struct err *err)
{
    static const char *const WORDS[] = {"cargo", "build", "--release", "--workspace", "--bins", "--message-format=json",
                                        NULL};
    struct exec_result result = {0};
    job_progress(x->job, 0.85, "building the programs with their symbols");
    int r = explain_cargo(x, x->metadata.workspace_root, "target-bloat", WORDS, "CARGO_PROFILE_RELEASE_STRIP=none",
                          &result, err);
    *ret_built = r == 0 && result.exit_code == 0;
    if (*ret_built)
        cargo_messages_parse(buf_str(&result.out), result.out.len, ret);
    else if (r == 0)
        explain_note(x, "the size of programs was not looked at", "the release build fails");
    exec_result_free(&result);
    return r;
}

// Bytes that cargo-bloat gives to each crate: {"crates": [{"name", "size"}], "text-section-size"}.
static json_t *cargo_bloat_new(struct explain *x, const char *program)
{
    const char *const words[] = {"cargo", "bloat", "--release", "--crates", "--message-format", "json", "-n",
                                 "0",     "--bin", program,     NULL};
    AUTO_FREE char *found = path_find_program("cargo-bloat");
    struct exec_result result = {0};
    json_t *answer = NULL;
    if (found &&
        explain_cargo(x, x->metadata.workspace_root, "target-bloat", words, "CARGO_PROFILE_RELEASE_STRIP=none", &result,
                      NULL) == 0 &&
        result.exit_code == 0)
        answer = json_parse_new(buf_str(&result.out), result.out.len, "answer of cargo-bloat", NULL);
    exec_result_free(&result);
    return answer;
}

// How far both agree: the crate that own reading finds largest, and the size of all code.
static void cross_check(struct explain *x, const char *program, json_t *bloat)
{
    AUTO_JSON json_t *theirs = cargo_bloat_new(x, program);
    if (!theirs)
        return;
    json_t *cross = json_object();
    const json_t *first = json_array_get(json_list(bloat, "crates"), 0);
    size_t i;
    json_t *crate;
    json_put_int(cross, "text_bytes", json_int(theirs, "text-section-size", 0));
    json_put_str(cross, "crate", json_str(first, "crate", NULL));
    json_put_int(cross, "bytes", 0);
    json_array_foreach (json_list(theirs, "crates"), i, crate)
        if (str_eq(json_str(crate, "name", ""), json_str(first, "crate", "?")))
            json_put_int(cross, "bytes", json_int(crate, "size", 0));
    json_put(bloat, "cargo_bloat", cross);
}

// "  Lines  Copies  Function name" of cargo-llvm-lines, its largest rows as they are.
static void add_llvm_lines(struct explain *x, const char *program, json_t *bloat)
{
    const char *const words[] = {"cargo", "llvm-lines", "--release", "--bin", program, NULL};
    AUTO_FREE char *found = path_find_program("cargo-llvm-lines");
    struct exec_result result = {0};
    if (found && explain_cargo(x, x->metadata.workspace_root, "target-llvm-lines", words, NULL, &result, NULL) == 0 &&
        result.exit_code == 0) {
        char **lines = str_split(buf_str(&result.out), "\n", true, NULL);
        json_t *rows = json_array();
        for (char **l = lines; *l && json_array_size(rows) < BLOAT_ROWS_MAX; l++)
            json_add_str(rows, *l);
        str_list_free(lines);
        json_put(bloat, "llvm_lines", rows);
    }
    exec_result_free(&result);
}

int explain_bloat(struct explain *x, struct err *err)
{
    struct cargo_messages messages;
    bool built = false;
    json_t *list = json_array();
    json_put(x->report, "bloat", list);
    int r = build_release(x, &messages, &built, err);
    if (!built)
        return r;
    for (size_t i = 0; i < messages.artifact_count && json_array_size(list) < PROGRAMS_MAX; i++) {
        const struct cargo_artifact *a = &messages.artifacts[i];
        struct err why;
        json_t *bloat = NULL;
        if (!a->executable || !str_eq(a->target_kind, "bin"))
            continue;
        if (bloat_read(a->executable, &bloat, &why) < 0) {
            explain_note(x, "a program was left out", why.text);
            continue;
        }
        json_put_str(bloat, "program", a->target_name);
        cross_check(x, a->target_name, bloat);
        add_llvm_lines(x, a->target_name, bloat);
        json_array_append_new(list, bloat);
    }
    cargo_messages_free(&messages);
    return 0;
}
