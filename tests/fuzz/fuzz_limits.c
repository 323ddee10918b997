// Any text as an amount of any limit: one that is read is not negative, and what it is called is read as the same
// again. And any JSON as limits.
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_amount(enum budget_kind kind, const char *text)
{
    struct err err = {0};
    int64_t amount = -1, again = -1;
    if (budget_parse(kind, text, &amount, &err) < 0) {
        must(err.code == ERR_INVALID && *err.text && amount == -1);
        return;
    }
    must(amount >= 0);
    AUTO_FREE char *name = budget_text(kind, amount);
    if (kind != BUDGET_STAGES) // times and money are rounded and have units for people
        return;
    must(budget_parse(kind, name, &again, &err) == 0 && again == amount);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = str_ndup((const char *)data, size);
    for (int kind = 0; kind < BUDGET_KIND_COUNT_; kind++)
        try_amount((enum budget_kind)kind, text);
    struct err err = {0};
    AUTO_JSON json_t *value = json_parse_new(text, strlen(text), "limits", &err);
    AUTO_JSON json_t *limits = value ? budget_limits_new(value, &err) : NULL;
    struct budget b;
    budget_load(&b, limits, value);
    for (int kind = 0; kind < BUDGET_KIND_COUNT_; kind++)
        must(budget_left(&b, (enum budget_kind)kind) >= 0);
    return 0;
}
