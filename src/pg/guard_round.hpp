#pragma once

// One round of the guard, as the worker and guard_tick() share it.

#include "core/guard.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

// What came of looking at the gates.
struct Watch {
	State state;                      // as it is afterwards
	std::optional<Decision> decision; // none while no rollout was started
	std::string wanted;               // "kill" or "rollback", also where it failed
	std::string action;               // the same, once done
	std::string trouble;              // telemetry that cannot be read, a gate log that cannot be written; or ""
};

// Looks, acts, writes the gate log and notifies, with the newest snapshot.  `watch` tells also after an exception how
// far it came.
// `jitter`: see core/gate_log.hpp.
void watch_rollout(Watch &watch, const std::string &approver, Duration jitter);

// The gate log and the notification alone, for a round whose act failed.
void tell_gates(Duration jitter);

// One session's worth of events at most, so that a backlog never keeps the next look waiting for long.
inline constexpr std::int64_t fold_at_most = 500'000;

// What is past its retention, beside what the fold drops.
void drop_what_is_old(Time now);

} // namespace chat_v11::pg
