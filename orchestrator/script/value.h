// Inside script/ only: JSON values across the border.
//   null in an object: absent. null in a list: the sentinel `null` (a light userdata NULL).
//   With keep_null, null in an object is the sentinel too: then every JSON value makes the way there and back
//   unchanged.
//   A list carries the metatable of lists, so that an empty one stays a list.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <lua.h>
#include <stdbool.h>

#define VALUE_LIST_NAME "baton.list"

// Registers the metatable of lists.
void value_open(lua_State *L);
// Pushes. Call it where memory errors cannot be raised (vm.running == NULL) or in a protected call. The size limits of
// script.h hold; ERR_LIMIT and nothing is pushed.
int value_push(lua_State *L, const json_t *v, bool keep_null, struct err *err);
// Reads the value at index. Does not raise and runs no metamethods. NULL with ERR_INVALID or ERR_LIMIT; the text has
// the
// path of the bad part (".input.list[3]"). Object keys come out sorted.
json_t *value_read_new(lua_State *L, int index, struct err *err);
// Makes the table on top of the stack a list.
void value_mark_list(lua_State *L);
