#include "report/mark.h"

#include "base/err.h"

#include <string.h>

void mark_vput(struct buf *out, void (*escape)(struct buf *out, const char *text), const char *fmt, va_list args)
{
    for (const char *p = fmt; *p;) {
        size_t plain = strcspn(p, "%");
        buf_add(out, p, plain);
        p += plain;
        if (!*p)
            return;
        if (p[1] == 's') {
            const char *text = va_arg(args, const char *);
            escape(out, text ? text : "");
            p += 2;
        } else if (p[1] == 'd') {
            buf_printf(out, "%d", va_arg(args, int));
            p += 2;
        } else if (p[1] == '%') {
            buf_char(out, '%');
            p += 2;
        } else if (strncmp(p, "%zu", 3) == 0) {
            buf_printf(out, "%zu", va_arg(args, size_t));
            p += 3;
        } else if (strncmp(p, "%lld", 4) == 0) {
            buf_printf(out, "%lld", va_arg(args, long long));
            p += 4;
        } else {
            must(p[1] == '.' && p[2] >= '0' && p[2] <= '9' && p[3] == 'f');
            buf_printf(out, "%.*f", p[2] - '0', va_arg(args, double));
            p += 4;
        }
    }
}
