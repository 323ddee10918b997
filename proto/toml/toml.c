#include "toml/toml.h"

#include "base/file.h"
#include "base/mem.h"
#include "toml/scan.h"
#include "toml/tree.h"

#include <string.h>

json_t *toml_parse_new(const char *text, size_t len, const char *what, struct err *err)
{
    AUTO_TREE struct toml_node *root = toml_tree_new(text, len, what, err);
    return root ? toml_tree_json_new(root) : NULL;
}

json_t *toml_read_file_new(const char *path, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t len = 0;
    return file_read(path, TOML_TEXT_MAX, &text, &len, err) < 0 ? NULL : toml_parse_new(text, len, path, err);
}

static int find_line(const char *text, size_t len, const char *path, bool near)
{
    AUTO_TREE struct toml_node *root = toml_tree_new(text, len, "", NULL);
    AUTO_BUF struct buf key = BUF_INIT;
    struct scan s = {.text = path, .len = strlen(path), .line = 1, .what = "path"};
    const struct toml_node *node = root;
    int line = 0;
    while (node) {
        buf_clear(&key);
        if (scan_key(&s, &key) < 0)
            return 0;
        node = toml_tree_child(node, buf_str(&key), key.len);
        if (node && node->line > 0)
            line = node->line;
        if (!node || !scan_take(&s, '.'))
            break;
    }
    return near || (node && s.pos == s.len) ? line : 0;
}

int toml_line_of(const char *text, size_t len, const char *path)
{
    return find_line(text, len, path, false);
}

int toml_line_near(const char *text, size_t len, const char *path)
{
    return find_line(text, len, path, true);
}
