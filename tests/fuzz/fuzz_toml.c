// Any bytes as a TOML document; what parses is edited and asked for lines.
#include "base/mem.h"
#include "base/str.h"
#include "toml/toml.h"
#include "toml/toml_edit.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[][4] = {
        {"profile", "release", "lto", NULL}, {"a", NULL}, {"a", "b", NULL}, {"a", "0", "b", NULL}};
    struct err err = {0};
    json_t *v = toml_parse_new((const char *)data, size, "input", &err);
    if (!v) {
        must(err.code != ERR_OK);
        return 0;
    }
    char *text = str_ndup((const char *)data, size);
    toml_line_near(text, size, "profile.release.lto");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char *out = NULL;
        if (toml_edit_set(text, paths[i], "\"thin\"", &out, &err) >= 0) {
            must(toml_line_of(out, strlen(out), "a") >= 0);
            mem_free(out);
            out = NULL;
        }
        if (toml_edit_remove(text, paths[i], &out, &err) >= 0)
            mem_free(out);
    }
    mem_free(text);
    json_decref(v);
    return 0;
}
