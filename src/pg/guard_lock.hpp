#pragma once

// One guard per database, by a lock that dies with its holder.  pg_locks has it as locktype object, classid 3079,
// objid 0, objsubid 3.

#include "pg/spi.hpp"

namespace chat_v11::pg {

// To the end of this process, for the worker; false where another guard has it.
bool lock_guard_for_session();
void unlock_guard_for_session();
// To the end of the transaction, for one round.
bool lock_guard_for_transaction();

// "process 4711", or "a prepared transaction"; "" where nobody has it.
std::string find_lock_holder(Spi &spi);

} // namespace chat_v11::pg
