// Instances of the script that runs are made from again and again, ready before they are asked for. To open and to close one takes as
// long as some stages of a run: a thread of its own does both, while the engine goes on. Nothing of an instance is shared with another.
//
// Threads: stock_* are called from one thread. The thread of the stock is started with the second instance of the same script.
#pragma once

#include "script/script.h"

struct script_stock;

struct script_stock *script_stock_new(void);
// Ends the thread. Instances that were taken must have been given back. NULL allowed; returns NULL.
struct script_stock *script_stock_free(struct script_stock *stock);
// An instance of the script with this hash, as of script_load with the usual limits, or NULL when none is ready: then it is to be
// loaded, and told of.
struct script *script_stock_take(struct script_stock *stock, const char *hash, const char *name);
void script_stock_tell(struct script_stock *stock, const char *hash, const char *name, const char *text, size_t len);
// In place of script_free. NULL allowed; returns NULL.
struct script *script_stock_give_back(struct script_stock *stock, struct script *script);
