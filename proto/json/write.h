// Appends a value as compact text, with its keys in order or as they stand.
#pragma once

#include "base/buf.h"
#include "json/json.h"

void json_write(struct buf *b, const json_t *v, bool sorted);
