// Any bytes as a handoff file, a reply or a draft. What was read is written again, and that must read without an error.
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "handoff/handoff_md.h"
#include "handoff/handoff_read.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int put(void *context, const void *bytes, size_t len, char hash[65], struct err *err)
{
    (void)context;
    (void)err;
    hash_bytes(bytes, len, hash);
    return 0;
}

static void write_again(const json_t *h)
{
    struct err err = {0};
    char *md = handoff_md_new(h), *yaml = handoff_yaml_new(h);
    json_t *a = handoff_read_new(md, strlen(md), "x.md", &err),
           *b = handoff_read_new(yaml, strlen(yaml), "x.yaml", &err);
    if (strlen(md) <= HANDOFF_FILE_MAX && strlen(yaml) <= HANDOFF_FILE_MAX)
        must(a && b && str_eq(json_str(a, "agent", NULL), json_str(b, "agent", NULL)));
    mem_free(md);
    mem_free(yaml);
    json_decref(a);
    json_decref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"2026-01-01T00-00-00-review.md", "review-2026-01-01T00-00-00.yaml", NULL,
                                        "a.json"};
    const char *text = (const char *)data;
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_t *h = handoff_read_new(text, size, names[i], &err);
        if (h)
            write_again(h);
        else
            must(err.code != ERR_OK && err.text[0]);
        json_decref(h);
        json_decref(handoff_lint_new(text, size, names[i]));
    }
    json_decref(handoff_read_reply_new(text, size, &err));
    json_t *draft = json_parse_new(text, size, "draft", NULL), *sealed = NULL;
    struct handoff_facts facts = {.role = "review"};
    struct handoff_store store = {.put = put};
    if (draft) {
        json_decref(handoff_check_draft_claims(draft));
        if (handoff_seal(draft, &facts, &store, &sealed, &err) >= 0) {
            must(handoff_id_valid(json_str(sealed, "id", NULL)));
            write_again(sealed);
        }
    }
    json_decref(sealed);
    json_decref(draft);
    return 0;
}
