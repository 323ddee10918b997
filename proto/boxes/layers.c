#include "boxes/layers.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "boxes/profile_table.h"

enum { // enum box_require
#define BOX_REQUIRE(code, word, meaning) NEEDED_##code,
#include "tbl/box_words.def"
    NEEDED_NEVER = -1
};

static const struct {
    const char *name;
    int needed; // where a site requires this or more, which is a smaller number
} LAYERS[] = {
#define BOX_LAYER(code, name, needed, meaning) {name, NEEDED_##needed},
#include "tbl/box_layers.def"
};

static int needed_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(LAYERS); i++)
        if (str_eq(LAYERS[i].name, name))
            return LAYERS[i].needed;
    return NEEDED_NEVER;
}

int layers_check(const json_t *probe, int require, struct err *err)
{
    AUTO_BUF struct buf missing = BUF_INIT;
    size_t i, n = 0;
    json_t *layer;
    json_array_foreach (json_list(probe, "layers"), i, layer) {
        const char *name = json_str(layer, "layer", "?");
        if (json_flag(layer, "present", false) || require > needed_of(name))
            continue;
        buf_printf(&missing, "%s%s is missing (%s): %s", n++ ? "; " : "", name, json_str(layer, "detail", "?"),
                   json_str(layer, "open", "?"));
    }
    if (!json_list(probe, "layers"))
        return err_set(err, ERR_UNSUPPORTED, "what this host has of the box of tools is not known; try: baton doctor");
    if (n == 0)
        return 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "this host cannot make the box that tools run in: %s. This site requires '%s' (`require` in "
                   "sandbox.profiles); the whole table: baton doctor",
                   buf_str(&missing), box_word(BOX_KEY_REQUIRE, require));
}

json_t *layers_facts_new(const json_t *probe, int require)
{
    json_t *facts = json_object(), *there = json_array(), *missing = json_array();
    size_t i;
    json_t *layer;
    struct err err;
    bool usable = layers_check(probe, require, &err) == 0;
    json_array_foreach (json_list(probe, "layers"), i, layer) {
        const char *name = json_str(layer, "layer", "?");
        int needed = needed_of(name);
        if (json_flag(layer, "present", false)) {
            json_add_str(there, name);
            continue;
        }
        json_t *row = json_object();
        json_put_str(row, "layer", name);
        json_put_str(row, "needed", needed == NEEDED_NEVER ? NULL : box_word(BOX_KEY_REQUIRE, needed));
        json_put_str(row, "open", json_str(layer, "open", NULL));
        json_array_append_new(missing, row);
    }
    json_put_flag(facts, "usable", usable);
    json_put_str(facts, "require", box_word(BOX_KEY_REQUIRE, require));
    json_put(facts, "layers", there);
    json_put(facts, "missing", missing);
    if (!usable)
        json_put_str(facts, "why", err.text);
    return facts;
}
