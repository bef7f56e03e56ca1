#pragma once

// What limits a recovery: admissions of full states, resyncs under way, and the settings of both.

#include "core/recovery.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

void register_recovery_callback();

// As they are now by the newest commit, whatever the caller's snapshot is; without a query, for the request path.
Settings recovery_settings();

// The same with their version, as recovery_policy() has it.
std::string recovery_policy();

// Asks for a full state of a dialog, and remembers it if it is admitted, with this transaction.  Never waits for
// another transaction: while one that was admitted is open, everybody else is refused, whatever becomes of it.
struct Admission {
	Time at{};            // of the decision
	Duration interval{};  // by the settings, at that moment
	bool is_open = false; // another transaction is being admitted
	Duration wait{};      // 0 where it is admitted, or another one is open
	bool
	admitted() const {
		return !is_open && wait == Duration::zero();
	}
};
Admission admit_full_state(const Uuid &dialog);

// Has the table of admissions that is at rest emptied when this transaction commits, if nothing in it counts then, and
// nobody is at it.
void empty_admissions_at_commit();

// A stream's one flight, to the end of the transaction, however that comes; never waits.  So many in one transaction
// and no more: each is a lock of the server, which has room for max_locks_per_transaction of each session, and a kill
// needs some too.
enum class Flight { begun, own, of_another, one_too_many };
int most_resyncs();
Flight begin_resync(const std::string &stream);

} // namespace chat_v11::pg
