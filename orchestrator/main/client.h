// The asking end of the control socket (door/control.h).
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

// Asks the service of this state folder once. The answer, or NULL with the error the service gave; ERR_UNAVAILABLE when
// there is no service. patience_ns: for so long a service that is just being replaced or started is asked again; a
// `start` must have a key then.
json_t *client_ask_new(const char *state_dir, const json_t *request, int64_t patience_ns, struct err *err);
bool client_is_there(const char *state_dir); // somebody listens
