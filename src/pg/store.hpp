#pragma once

// The extension's own tables, read and written in the core's terms.

#include "core/gates.hpp"
#include "core/history.hpp"
#include "pg/spi.hpp"

#include <functional>

namespace chat_v11::pg {

// Every change of the rollout and of what turns its gates holds this lock to the end of its transaction, taken before
// any row's: it orders the decision log.  Tells a caller who waits whom it waits for.
void lock_rollout();

// Who keeps others from it now, and what may be done about it; or "".
std::string who_holds_rollout();

struct StoredState {
	State state;
	bool log_has_state = false; // the log tells of a state, whether or not a row holds it
};

StoredState load_state(Spi &spi);

// As of a past moment, by the log.
State load_state_at(Spi &spi, Time at);

// Policies, checks, settings and attestations; telemetry is read apart.  With `as_of`, as they were at that moment.
GateInput load_gate_input(Spi &spi, const State &state, Time now, std::optional<Time> as_of = std::nullopt);

// The algorithm chosen so far; once anybody was live the choice is frozen, and the state has it.
Bucketing chosen_bucketing(Spi &spi);

// Gives the row its id, links and hashes it, and inserts it; under lock_rollout().
void append_history(Spi &spi, HistoryRow &row);
std::int64_t next_history_id(Spi &spi);

// The newest row of the log that changed the state.
std::optional<HistoryRow> newest_change(Spi &spi);

Digest sha256(const std::string &bytes);

// Calls f(row) for each row of the log in its order, until f returns false.
void walk_history(Spi &spi, const std::function<bool(const HistoryRow &)> &f);

// True while append_history() inserts: the guard of the log lets that row, and no other, in unseen.
bool appending_history();

// Who is at the keyboard: the session's role, and whom the log names as approver where nobody was named.
std::string session_role();
std::string default_approver();

// What a gateway in front of the database says of its caller, or "".  It only annotates, so it never fails.
std::string claimed_name();

// Other names of the caller: the role that was set, and the claim.
std::vector<std::string> other_names();

} // namespace chat_v11::pg
