// A profile for other tools. Frames are functions at lines; threads stand apart where the profile tells them apart.
#pragma once

#include "profile/profile.h"

#include "base/buf.h"
#include "base/err.h"

#define EXPORT_TITLE_MAX 200

// https://www.speedscope.app/file-format-schema.json: one sampled profile per thread.
void export_speedscope(const struct profile *p, const char *title, struct buf *out);
// The Firefox Profiler's processed format, version 47. Samples have no times of their own: they follow one another.
void export_firefox(const struct profile *p, const char *title, struct buf *out);
// https://github.com/google/pprof proto/profile.proto: gzip of the message, which go tool pprof reads. Errors: ERR_IO
// when it cannot be compressed.
int export_pprof(const struct profile *p, const char *title, struct buf *out, struct err *err);

// Text as a JSON string, quotes included; bytes that are no UTF-8 become U+FFFD.
void export_json_text(struct buf *out, const char *text);
