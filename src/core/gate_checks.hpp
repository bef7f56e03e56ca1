#pragma once

// The three families of checks behind evaluate(): those on a metric's limit, those that compare it with control, and
// those on the rollout itself.

#include "core/gates.hpp"

namespace chat_v11 {

// One P0 or P1 check as it stands now.
CheckResult check_metric(const GateInput &input, const Check &check);

// The same of one that is judged by the canary analysis.
CheckResult check_comparison(const GateInput &input, const Check &check);

// Whether events of the kind are known to be reported: one was seen within wired_window, or somebody attested to it.
bool is_wired(const GateInput &input, Kind kind);
std::optional<Duration> age_of(const GateInput &input, Kind kind); // of the newest event.  Telemetry must be there.
// A metric's figure now, over the window that its checks look through.  Telemetry must be there.
Figure figure_of(const GateInput &input, const MetricRule &rule, Cohort cohort);

// What to do about a P1 check that fails.
std::string step_back();

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
