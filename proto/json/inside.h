// Between the files of this folder.
#pragma once

#include "json/tree.h"

void object_delete(json_t *object);
bool text_valid(const char *s, size_t len); // UTF-8; zero bytes are characters like others
