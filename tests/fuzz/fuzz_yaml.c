// YAML: any bytes give a value whose JSON can be written and read back, or an error with a text.
#include "base/mem.h"
#include "json/json.h"
#include "json/yaml.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int as_text = 0; as_text < 2; as_text++) {
        struct err err = {0};
        struct yaml_options options = {.as_text = as_text, .lines = json_object(), .duplicates = json_array()};
        json_t *value = yaml_parse_new((const char *)data, size, "input", &options, &err);
        must(value ? !err.code : err.code && err.text[0]);
        if (value) {
            char *text = json_compact(value);
            json_t *again = json_parse_new(text, strlen(text), "output", &err);
            must(json_equal(value, again));
            json_decref(again);
            mem_free(text);
        }
        json_decref(value);
        json_decref(options.lines);
        json_decref(options.duplicates);
    }
    return 0;
}
