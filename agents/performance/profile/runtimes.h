// Frames of async runtimes and of rayon: between the code that spawns and the code that runs they are many, and other
// ones in each sample. Folded stacks show a row of them as one frame.
#pragma once

#include <stdint.h>

// Number of the runtime the function belongs to, 0: none. Names are demangled.
uint8_t runtime_of(const char *function);
const char *runtime_label(uint8_t runtime); // "[rayon]"
