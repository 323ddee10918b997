#include "profile/export.h"

#include "base/str.h"

#include <string.h>

void export_json_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    buf_char(out, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = str_plain(text + i, len - i);
        if (plain) {
            buf_add(out, text + i, plain);
            i += plain;
            continue;
        }
        unsigned char c = (unsigned char)text[i];
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (c == '"' || c == '\\') {
            buf_char(out, '\\');
            buf_char(out, (char)c);
        } else if (c < 0x80) {
            buf_printf(out, "\\u%04x", c);
        } else if (n <= len - i && str_utf8_valid(text + i, n)) {
            buf_add(out, text + i, n);
        } else {
            buf_str_add(out, "\\ufffd");
            n = 1;
        }
        i += n;
    }
    buf_char(out, '"');
}
