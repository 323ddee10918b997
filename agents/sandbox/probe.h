// What this host offers of the layers, found by trying each.
#pragma once

#include <stdbool.h>

// Prints the table, as text or as JSON ({"layers": [{layer, present, detail, open}], "usable": bool}). Exit status: 0
// usable (Landlock and the filter of system calls are there), 1 not.
int probe_print(bool json);
