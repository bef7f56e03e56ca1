#pragma once

// The gate log's rules: when a row is due, whether a quiet period was quiet, and since when a guard has been silent.

#include "core/state.hpp"

#include <optional>
#include <string>
#include <vector>

namespace chat_v11 {

// A row of chat_v11.gate_log in which the gates were read.
struct GateLogSample {
	Time at{};
	bool by_guard = false; // or at an accepted change
	bool p0_ok = false;
	bool p1_ok = false;
	std::vector<std::string> failing = {}; // P0 and P1 checks that count
	std::optional<Decision> decision = {};

	bool
	red() const {
		return !p0_ok || !p1_ok;
	}
	// "write_reject_rate", or the gate where the row does not name its checks.
	std::string culprits() const;
};

// A guard that was ever at work is expected to go on until somebody stops it.
struct GuardSign {
	bool expected = false;
	std::optional<Time> newest; // its newest row, or since when it is expected
};

// One row a minute; a round that comes by a little early must not have to wait for the next one.
inline constexpr Duration gate_log_interval = std::chrono::minutes(1);
// How much earlier than that a round may be: a worker's rounds are evenly spread, a scheduler's calls, one a minute,
// are not, and one that came too early must not leave the row to the next.
inline constexpr Duration worker_jitter = std::chrono::milliseconds(500);
inline constexpr Duration scheduler_jitter = std::chrono::seconds(15);

// Longer without a row, and nobody was watching.
inline constexpr Duration gate_log_gap = std::chrono::minutes(2);

// Whether the guard writes a row now: a minute after its last one, and at once when a gate has turned red.
bool gate_log_due(Time now, bool p0_ok, bool p1_ok, const std::optional<GateLogSample> &newest_by_guard,
				  const std::optional<GateLogSample> &newest, Duration jitter);

// The same where the decision is another than the newest row's: at once if it is the worse one, else when that row is
// ten seconds old, because a gate that flaps must not fill the log.  It is also when the guard notifies of it.
bool decision_row_due(Time now, Decision decision, const std::optional<GateLogSample> &newest);

struct LoggedFailure {
	GateLogSample row;
	std::optional<Time> ended; // when a later row was green; nothing while none is
};

// The newest red row that may have lasted until after `begin`: the gates may have stayed red until just before the next
// row, so one that stands before `begin` counts too, if the next one does not.  Rows are in the order of their time.
std::optional<LoggedFailure> last_logged_failure(const std::vector<GateLogSample> &rows, Time begin);

struct Unwatched {
	Time from; // the last row before
	Time to;
	bool lasts; // to this moment
};

// The newest span in (begin, now] of more than gate_log_gap that no row is in.
std::optional<Unwatched> last_unwatched(const std::vector<GateLogSample> &rows, Time begin, Time now);

// The newest sign: its newest row, or since when it is expected if that is later.  Both are by the rule clock, which
// may since have been mocked to before that moment: then only the row is a sign.
std::optional<Time> newest_sign(std::optional<Time> row, std::optional<Time> expected_since, Time now);

// Since when an expected guard has given no sign, if that is longer than it may be.  Before `started_at` it had nothing
// to write.
std::optional<Time> guard_silent_since(const GuardSign &sign, std::optional<Time> started_at, Time now,
									   Duration max_data_age);

} // namespace chat_v11
