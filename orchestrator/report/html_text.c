#include "report/html.h"

#include "report/mark.h"
#include "report/text.h"

#include <string.h>

static void escape(struct buf *out, const char *text)
{
    for (size_t i = 0, len = strlen(text), n; i < len; i += n ? n : 1) {
        n = text_char(text + i, len - i);
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
