// Case lines: answered with one of the three words and a reason, or refused.
#include "policy/policy_cases.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *answer = NULL;
    struct err err = {0};
    if (policy_case_answer_line((const char *)data, size, NULL, &answer, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    const char *word = json_str(answer, "decision", "");
    if (strcmp(word, "allow") != 0 && strcmp(word, "deny") != 0 && strcmp(word, "allow_but_sandboxed") != 0)
        abort();
    if (!json_str(answer, "reason", "")[0])
        abort();
    json_decref(answer);
    return 0;
}
