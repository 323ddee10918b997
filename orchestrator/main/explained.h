// What the agents of a run may do and why each of their calls was allowed or refused: `baton policy explain`.
#pragma once

#include "store/store.h"
#include "json/json.h"

#include <stdio.h>

// {run, ceiling [bounds], profiles (what the site said of boxes, text), operator_rules [rule],
//  agents [{agent, rules [{rule, line, deny}], grants [rule]?, attenuate, network, causes [{right, through}]}], cycles,
//  stages [{stage, agent, mode, state, entered [{from, listed}], bounds [bounds]?,
//           calls [{argv?, tool?, path?, paths?, files?, exit?, decision, rule, where, reason, needed, box?, program?,
//           times}]}]}
// NULL with err.
json_t *explained_new(struct store *store, const char *run, struct err *err);
void explained_print(const json_t *explained, bool denied_only);
void explained_print_causes(const json_t *explained, FILE *out); // one line for each agent and way
// The same lines for a set of agents (rights/together.h), and its cycles, on standard output.
void explained_print_together(const json_t *together);
