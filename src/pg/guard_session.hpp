#pragma once

// What a worker needs that no session has: transactions of its own, settings of its own, and eyes for what becomes of
// its database.

#include "pg/spi.hpp"

namespace chat_v11::pg {

// One transaction, as whoever this process is; allocations outside of it go to `memory`.  Whatever it raises has rolled
// it back when it goes on its way.
template <typename F>
void
in_transaction(MemoryContext memory, F &&f) {
	Oid user = InvalidOid;
	int context = 0;
	call([&] {
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		GetUserIdAndSecContext(&user, &context);
	});
	try {
		f();
		call([&] {
			CommitTransactionCommand();
			SetUserIdAndSecContext(user, context); // as an abort does by itself
		});
	} catch (...) {
		clean_up([&] {
			AbortCurrentTransaction();
			MemoryContextSwitchTo(memory);
		});
		throw;
	}
	MemoryContextSwitchTo(memory);
}

// For a log line, also between transactions.
std::string error_text(const std::exception &e);
bool is_lock_timeout(const std::exception &e);

// Nothing that a database's or a role's settings say may turn what the guard does.
void set_guard_session();
void set_lock_timeout(const char *value);

// DROP, ALTER and CREATE DATABASE ... TEMPLATE lock the database, and wait five seconds for everybody to leave it.  One
// that is refused, which anybody may try, lets go at once, and must not send the guard away.
bool is_wanted_away(MemoryContext memory);
// At this moment.
bool is_database_locked(Oid database);

// A database that was dropped while the guard was away cannot be connected to, and would be tried again and again.
// Whatever tablespace it moved to: its folder bears its number.
bool is_database_there(Oid database);

struct Extension {
	Oid oid = InvalidOid;
	Oid owner = InvalidOid;
	std::string version;
	bool has_guard = false; // 0.3 had none
};
std::optional<Extension> find_extension(Spi &spi);

// To the end of the transaction: DROP EXTENSION waits for the round, and the round never for DROP EXTENSION.
bool lock_extension(Oid extension);

} // namespace chat_v11::pg
