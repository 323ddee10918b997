// The message is small enough to be written by hand: fields are a tag (number and wire type) and a varint, or a tag, a
// length and bytes. Numbers of locations, functions and strings count from 1, from 1 and from 0; string 0 is "".
#include "profile/export.h"

#include "profile/hot_walk.h"
#include "profile/intern.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <zlib.h>

enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_TYPE = 14
};
enum { VALUE_TYPE = 1, VALUE_UNIT = 2 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_STR = 2 };
enum { LOCATION_ID = 1, LOCATION_LINE = 4 };
enum { LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3, FUNCTION_FILE = 4, FUNCTION_START = 5 };

static void varint(struct buf *out, uint64_t v)
{
    while (v >= 0x80) {
        buf_char(out, (char)(unsigned char)(v | 0x80));
        v >>= 7;
    }
    buf_char(out, (char)(unsigned char)v);
}

static void number(struct buf *out, unsigned field, uint64_t v)
{
    varint(out, (uint64_t)field << 3);
    varint(out, v);
}

static void bytes(struct buf *out, unsigned field, const void *data, size_t len)
{
    varint(out, (uint64_t)field << 3 | 2);
    varint(out, len);
    buf_add(out, data, len);
}

// A message inside of a message; `inner` is empty afterwards.
static void nested(struct buf *out, unsigned field, struct buf *inner)
{
    bytes(out, field, buf_str(inner), inner->len);
    buf_clear(inner);
}

static void value_type(struct buf *out, struct intern *strings, const char *type, const char *unit)
{
    struct buf inner = BUF_INIT;
    number(&inner, VALUE_TYPE, intern_text(strings, type));
    number(&inner, VALUE_UNIT, intern_text(strings, unit));
    nested(out, PROFILE_SAMPLE_TYPE, &inner);
    buf_free(&inner);
}

static void samples(const struct profile *p, struct buf *out, struct intern *strings)
{
    struct buf sample = BUF_INIT, list = BUF_INIT;
    for (size_t i = 0; i < hot_stack_count(p->hot); i++) {
        struct hot_stack s = hot_stack_at(p->hot, i);
        const char *thread = profile_thread(p, i);
        for (size_t k = 0; k < s.count; k++) // the leaf comes first there, too
            varint(&list, (uint64_t)s.frames[k] + 1);
        nested(&sample, SAMPLE_LOCATION, &list);
        varint(&list, s.samples);
        varint(&list, s.weight);
        nested(&sample, SAMPLE_VALUE, &list);
        if (thread) {
            number(&list, LABEL_KEY, intern_text(strings, "thread"));
            number(&list, LABEL_STR, intern_text(strings, thread));
            nested(&sample, SAMPLE_LABEL, &list);
        }
        nested(out, PROFILE_SAMPLE, &sample);
    }
    buf_free(&sample);
    buf_free(&list);
}

static void locations(const struct profile *p, struct buf *out)
{
    struct buf location = BUF_INIT, line = BUF_INIT;
    for (uint32_t i = 0; i < hot_frame_count(p->hot); i++) {
        struct hot_frame f = hot_frame_at(p->hot, i);
        number(&location, LOCATION_ID, (uint64_t)i + 1);
        number(&line, LINE_FUNCTION, (uint64_t)hot_frame_function(p->hot, i) + 1);
        if (f.line > 0)
            number(&line, LINE_LINE, (uint64_t)f.line);
        nested(&location, LOCATION_LINE, &line);
        nested(out, PROFILE_LOCATION, &location);
    }
    buf_free(&location);
    buf_free(&line);
}

static void functions(const struct profile *p, struct buf *out, struct intern *strings)
{
    struct buf function = BUF_INIT;
    bool *done = mem_array(hot_function_count(p->hot), sizeof(*done));
    for (int files = 1; files >= 0; files--) { // the frame that knows the file speaks for its function
        for (uint32_t i = 0; i < hot_frame_count(p->hot); i++) {
            struct hot_frame f = hot_frame_at(p->hot, i);
            uint32_t id = hot_frame_function(p->hot, i);
            if (done[id] || (files && !f.file))
                continue;
            done[id] = true;
            number(&function, FUNCTION_ID, (uint64_t)id + 1);
            number(&function, FUNCTION_NAME, intern_text(strings, f.function));
            number(&function, FUNCTION_SYSTEM_NAME, intern_text(strings, f.function));
            if (f.file)
                number(&function, FUNCTION_FILE, intern_text(strings, f.file));
            if (f.function_line > 0)
                number(&function, FUNCTION_START, (uint64_t)f.function_line);
            nested(out, PROFILE_FUNCTION, &function);
        }
    }
    mem_free(done);
    buf_free(&function);
}

// Protobuf strings are UTF-8.
static void string(struct buf *out, const char *text)
{
    struct buf valid = BUF_INIT;
    size_t len = strlen(text);
    for (size_t i = 0; i < len && !str_utf8_valid(text, len);) {
        unsigned char c = (unsigned char)text[i];
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        bool good = n <= len - i && str_utf8_valid(text + i, n);
        buf_add(&valid, good ? text + i : "\xef\xbf\xbd", good ? n : 3);
        i += good ? n : 1;
    }
    bytes(out, PROFILE_STRING, valid.len ? buf_str(&valid) : text, valid.len ? valid.len : len);
    buf_free(&valid);
}

static int compress_to(const struct buf *message, struct buf *out, struct err *err)
{
    z_stream z = {0};
    if (message->len > UINT32_MAX || deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(err, ERR_IO, "a profile of %zu bytes cannot be compressed", message->len);
    size_t room = deflateBound(&z, message->len);
    char *to = buf_room(out, room);
    z.next_in = (Bytef *)(uintptr_t)message->data;
    z.avail_in = (uInt)message->len;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)room;
    int r = deflate(&z, Z_FINISH);
    out->len -= room - z.total_out;
    deflateEnd(&z);
    return r == Z_STREAM_END ? 0 : err_set(err, ERR_IO, "a profile of %zu bytes cannot be compressed", message->len);
}

int export_pprof(const struct profile *p, const char *title, struct buf *out, struct err *err)
{
    bool ns = strstr(profile_stats(p)->event, "clock") != NULL;
    struct buf message = BUF_INIT;
    struct intern *strings = intern_new();
    intern_text(strings, "");
    value_type(&message, strings, "samples", "count");
    value_type(&message, strings, ns ? "cpu" : p->unit, ns ? "nanoseconds" : "count");
    samples(p, &message, strings);
    locations(p, &message);
    functions(p, &message, strings);
    if (ns)
        number(&message, PROFILE_DURATION_NANOS, hot_total_weight(p->hot));
    number(&message, PROFILE_COMMENT, intern_text(strings, title));
    number(&message, PROFILE_DEFAULT_TYPE, intern_text(strings, ns ? "cpu" : "samples"));
    for (uint32_t i = 0; i < intern_count(strings); i++)
        string(&message, intern_data(strings, i));
    int r = compress_to(&message, out, err);
    intern_free(strings);
    buf_free(&message);
    return r;
}
