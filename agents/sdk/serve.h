// A worker on the bus. Between the SDK's files only.
#pragma once

#include "sdk/agent.h"

// Until the engine says bye, refuses us, or is gone. 0 for a bye or a signal, an error otherwise.
int serve(const struct agent *agent, const char *endpoint, const char *token, struct err *err);
