// The quick reader of plain JSON.
#pragma once

#include "json/json.h"

// NULL: not JSON, or not plain enough to be sure; json_loadb() knows.
json_t *json_read_plain_new(const char *text, size_t len);
