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

// An incident that closes promotions is opened under this lock, and a start, a promotion, a resume and their
// break-glass take the other side of it, so that none passes beside an incident that is not committed yet.  Both hold
// it to the end of their transactions.  Kills, holds and rollbacks never take it, and whoever has the rollout's lock
// never waits for it: so no kill waits for an incident.

// For who opens: waits, unless this transaction has the rollout's lock, which serves as well.
void lock_freeze();
// For who promotes, under the rollout's lock: false where an incident is being opened.
bool lock_against_freeze();
// For who will promote, without the rollout's lock: until no incident is being opened.
void await_freeze();
// Who opens an incident now; or "".
std::string who_freezes();

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
