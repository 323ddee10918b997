// Only http and https; no user information, no escapes or backslashes in the host, ASCII only.
#include "policy/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static size_t scheme_len(const char *url, size_t len)
{
    if (len > 7 && strncasecmp(url, "http://", 7) == 0)
        return 7;
    return len > 8 && strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
}

static bool port_ok(const char *s, size_t len)
{
    for (size_t i = 1; i < len; i++)
        if (!isdigit((unsigned char)s[i]))
            return false;
    return s[0] == ':' && len <= 6;
}

// A bracketed IPv6 address. Returns its length with brackets, 0 when it is none.
static size_t v6_len(const char *s, size_t len)
{
    const char *end = memchr(s, ']', len);
    char text[64];
    struct in6_addr addr;
    if (s[0] != '[' || !end || end - s - 1 >= (long)sizeof(text))
        return 0;
    size_t n = (size_t)(end - s) - 1;
    memcpy(text, s + 1, n);
    text[n] = '\0';
    return inet_pton(AF_INET6, text, &addr) == 1 ? n + 2 : 0;
}

const char *url_host(const char *url, size_t len, char out[URL_HOST_MAX])
{
    if (len == 0 || len > URL_MAX)
        return "an address has 1 to 8192 bytes";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)url[i] <= 0x20 || url[i] == 0x7f || url[i] == '\\')
            return "an address has no blanks, control characters or backslashes";
    size_t start = scheme_len(url, len);
    if (start == 0)
        return "expected http:// or https://";
    size_t end = start;
    while (end < len && !strchr("/?#", url[end]))
        end++;
    const char *host = url + start;
    size_t n = end - start;
    if (memchr(host, '@', n))
        return "a user name in front of the host hides which host is meant";
    size_t v6 = n > 0 ? v6_len(host, n) : 0;
    size_t host_len = v6;
    while (!v6 && host_len < n && host[host_len] != ':')
        host_len++;
    if (host_len < n && !port_ok(host + host_len, n - host_len))
        return "the port is not a number";
    if (!v6 && host_len > 1 && host[host_len - 1] == '.')
        host_len--;
    if (host_len == 0 || host_len >= URL_HOST_MAX)
        return "the host is missing or too long";
    for (size_t i = 0; i < host_len; i++) {
        char c = host[i];
        if (!v6 && (!(isalnum((unsigned char)c) || strchr("-._", c)) || (unsigned char)c >= 0x80))
            return "the host may have only letters, digits, \"-\" and \".\"; escapes and other characters are refused";
        if (c == '.' && (i == 0 || host[i - 1] == '.'))
            return "the host has an empty part";
        out[i] = (char)tolower((unsigned char)c);
    }
    out[host_len] = '\0';
    return NULL;
}

static bool v4_is_local(uint32_t a)
{
    return a >> 24 == 0 || a >> 24 == 10 || a >> 24 == 127 || a >> 16 == 0xa9fe || a >> 20 == 0xac1 ||
           a >> 16 == 0xc0a8 || a >> 22 == (0x64400000U >> 22) || a >> 28 >= 0xe;
}

static bool has_suffix(const char *host, const char *suffix)
{
    size_t n = strlen(host), m = strlen(suffix);
    return n >= m && strcmp(host + n - m, suffix) == 0 && (n == m || host[n - m - 1] == '.');
}

bool url_host_is_local(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (host[0] == '[') {
        char text[64];
        size_t n = strlen(host);
        if (n < 2 || n - 2 >= sizeof(text))
            return true;
        memcpy(text, host + 1, n - 2);
        text[n - 2] = '\0';
        if (inet_pton(AF_INET6, text, &v6) != 1)
            return true;
        if (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6))
            return true;
        if (IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6))
            return true; // no honest address is written like this
        return (v6.s6_addr[0] & 0xfe) == 0xfc || (v6.s6_addr[0] == 0xfe && v6.s6_addr[1] >= 0x80) ||
               v6.s6_addr[0] == 0xff;
    }
    if (inet_aton(host, &v4)) // also the short, octal and hexadecimal spellings
        return strspn(host, "0123456789.") != strlen(host) || inet_pton(AF_INET, host, &v4) != 1 ||
               v4_is_local(ntohl(v4.s_addr));
    return has_suffix(host, "localhost") || has_suffix(host, "local") || has_suffix(host, "internal") ||
           !strchr(host, '.');
}
