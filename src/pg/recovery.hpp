#pragma once

// What limits a recovery: admissions of full states, resyncs under way, and the settings of both.

#include "core/recovery.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

void register_recovery_callback();

// As they are now by the newest commit, whatever the caller's snapshot is; without a query, for the request path.
Settings recovery_settings();

// recovery_policy(), with the active snapshot.
std::string read_recovery_policy(Spi &spi);

// Asks for a full state of a dialog, and remembers it if it is admitted, with this transaction.  Never waits for
// another transaction: while one that was admitted is open, everybody else is refused, whatever becomes of it.
struct Admission {
	Time at{};            // of the decision
	bool is_open = false; // another transaction is being admitted
	Duration wait{};      // 0 where it is admitted, or another one is open
	bool
	admitted() const {
		return !is_open && wait == Duration::zero();
	}
};
Admission admit_full_state(const Uuid &dialog, Duration interval);

// Empties the table of admissions that is at rest, once nothing in it counts.  Its lock keeps callers waiting until the
// transaction ends, so only for one that ends at once.  False where there was nothing to do, or somebody is at it.
bool drop_old_admissions(Spi &spi, Time now);

// A stream's one flight, to the end of the transaction, however that comes; never waits.
enum class Flight { begun, own, of_another };
Flight begin_resync(const std::string &stream);

} // namespace chat_v11::pg
