#pragma once

// How a guard's process comes to be.

#include "pg/postgres.hpp"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace chat_v11::pg {

// What a guard is told through bgw_extra.
struct GuardOrder {
	Oid database;
	TimestampTz started; // an earlier stop_guard() does not concern it
	bool is_launched;    // by the launcher, which looks after it; else by start_guard()
};
static_assert(sizeof(GuardOrder) <= BGW_EXTRALEN);

GuardOrder order_of_this_process();

} // namespace chat_v11::pg
