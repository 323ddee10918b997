// What this host offers of the layers, found by trying each.
#pragma once

// Prints {"layers": [{layer, present, detail, open}], "usable": bool} in one line; layers as in tbl/box_layers.def.
// Exit status: 0 usable (Landlock and the filter of system calls are there), 1 not. What a site requires:
// boxes/layers.h.
int probe_print(void);
