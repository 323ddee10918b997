// What a host has of a box (`baton-exec --probe`: {layers: [{layer, present, detail, open}]}), against what its site
// requires. Pure.
#pragma once

#include "base/err.h"
#include "json/json.h"

// require: enum box_require of box_words.def. ERR_UNSUPPORTED names the layers that are missing, what that leaves open
// and what to do.
int layers_check(const json_t *probe, int require, struct err *err);
// {usable, require, layers: [name] (those there), missing: [{layer, needed, open}], why?}. needed: the site's
// requirement from which on calls are refused without it ("full", "landlock"), null: none.
json_t *layers_facts_new(const json_t *probe, int require);
