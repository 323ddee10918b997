// lua/prelude.lua, put into the program at build time.
#pragma once

#include <stddef.h>

extern const unsigned char SCRIPT_PRELUDE[];
extern const size_t SCRIPT_PRELUDE_LEN;
