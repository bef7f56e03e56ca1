#pragma once

// Test aid: the n-th crossing of the boundary goes wrong, so that a test can walk through every place where a function
// may fail and see that the backend stays whole.  Superuser only, off unless chat_v11.fault is set.

#include "pg/boundary.hpp"

namespace chat_v11::pg {

bool check_fault(char **newval, void **extra, GucSource source);
void assign_fault(const char *newval, void *extra);

} // namespace chat_v11::pg
