// Appends a value as compact text, with its keys in order or as they stand.
#pragma once

#include "base/buf.h"
#include "json/json.h"

void json_write(struct buf *b, const json_t *v, bool sorted);
// An object with its keys in order, without the members of these names (ends with NULL).
void json_write_without(struct buf *b, const json_t *object, const char *const *without);
void json_write_str(struct buf *b, const char *s); // what json_put_str() would make of it; NULL: null
