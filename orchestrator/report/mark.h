// printf into a marked-up text where every %s is escaped: what comes from outside cannot be forgotten.
#pragma once

#include "base/buf.h"

#include <stdarg.h>

// Knows %s, %d, %zu, %lld, %.Nf (N one digit) and %%; anything else is a bug. A NULL string is "".
void mark_vput(struct buf *out, void (*escape)(struct buf *out, const char *text), const char *fmt, va_list args);
