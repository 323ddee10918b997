// Facts about files for decide(): the real file system.
#pragma once

#include "policy/policy.h"

extern const struct policy_fs EXEC_FACTS;
