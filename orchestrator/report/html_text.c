#include "report/html.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/mark.h"
#include "report/text.h"

#include <string.h>

static void escape(struct buf *out, const char *text)
{
    for (size_t i = 0, len = strlen(text), n; i < len; i += n ? n : 1) {
        n = str_utf8_shown(text + i, len - i);
        const char *entity = NULL;
        if (n == 0)
            entity = strchr("\n\r\t", text[i]) ? " " : "\xef\xbf\xbd";
        else if (n == 1)
            entity = text[i] == '<'    ? "&lt;"
                     : text[i] == '>'  ? "&gt;"
                     : text[i] == '&'  ? "&amp;"
                     : text[i] == '"'  ? "&quot;"
                     : text[i] == '\'' ? "&#39;"
                                       : NULL;
        if (entity)
            buf_str_add(out, entity);
        else
            buf_add(out, text + i, n);
    }
}

void html_put(struct buf *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mark_vput(out, escape, fmt, args);
    va_end(args);
}

void html_prose(struct buf *out, const char *text)
{
    for (;;) {
        const char *open = strchr(text, '`'), *close = open ? strchr(open + 1, '`') : NULL;
        if (!close) {
            escape(out, text);
            return;
        }
        AUTO_FREE char *before = str_ndup(text, (size_t)(open - text));
        AUTO_FREE char *inside = str_ndup(open + 1, (size_t)(close - open) - 1);
        html_put(out, "%s<code>%s</code>", before, inside);
        text = close + 1;
    }
}
