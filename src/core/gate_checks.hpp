#pragma once

// The two families of checks behind evaluate(): those on a metric, and those on the rollout itself.

#include "core/gates.hpp"

namespace chat_v11 {

// One P0 or P1 check as it stands now.
CheckResult check_metric(const GateInput &input, const Check &check);

// Whether a limit check failed with its window ending `minutes_ago`.  Telemetry must be there.
bool failed_at(const GateInput &input, const Check &check, std::int64_t minutes_ago);

// Age of the newest event: the canary's while it is live, else anybody's.  Telemetry must be there.
std::optional<Duration> telemetry_age(const GateInput &input);

// Whether a counted P0 check was broken by events less than `span` old: whatever the length of its own window, a breach
// is forgotten `span` after it happened.  Of several, the one that is forgotten last.
struct Breach {
	const Check *check;
	std::optional<Time> forgotten_at; // to the minute above
};
enum class Checks { counting, all }; // all: also those that are switched off, or only advise
std::optional<Breach> last_p0_breach(const GateInput &input, Duration span, Checks which = Checks::counting);

// By when, to the minute above, the newest bad event of a check will be `span` old; nothing if there was none.
std::optional<Time> breach_forgotten(const GateInput &input, const Check &check, Duration span);

// One rollout check, given the P0 and P1 results.
CheckResult check_rollout(const GateInput &input, const Check &check, const std::vector<CheckResult> &metrics);

// "0.001", "2000": as short as it can be and still right.
std::string format_number(double value);

} // namespace chat_v11
