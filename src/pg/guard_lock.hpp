#pragma once

// One guard per database, by a lock that dies with its holder, and who has it.  pg_locks shows it as locktype object,
// classid 3079, objid 0, objsubid 3.

#include "pg/spi.hpp"

namespace chat_v11::pg {

// To the end of this process, for the worker; false where another guard has it.
bool lock_guard_for_session();
void unlock_guard_for_session();
// To the end of the transaction, for one round.
bool lock_guard_for_transaction();

// "another guard is at work: process 4711, chat_v11 guard, idle", or "a prepared transaction"; who cannot be found is
// left out.
std::string tell_guard_at_work(Spi &spi);

// A guard's process, and what it says of itself in pg_stat_activity: no round writes anything for that.
struct GuardProcess {
	int pid = 0;
	bool is_in_round = false;
	std::optional<Time> since; // of that
	std::string says;

	// By the launcher, as far as it says so.
	bool is_launched() const;
};
// The one that guards this database; else one that waits, idles or stands by.
std::optional<GuardProcess> find_guard();

} // namespace chat_v11::pg
