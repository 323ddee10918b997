// The parts of the model that are sentences: the headline, the verdict behind it, and how to do it again.
#pragma once

#include "json/json.h"

#include <stdbool.h>

struct model_ran { // which kinds of stages left an output
    bool profiled, developed, reviewed, compared, searched;
};

// Sets verdict, headline and best. Uses state, reason, metrics, changes of the model.
void model_say_headline(json_t *model, const struct model_ran *ran);
// Sets reproduce: command lines that can be pasted into a shell.
void model_say_reproduce(json_t *model);
