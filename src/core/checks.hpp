#pragma once

// The rows of chat_v11.gate_check: what is checked, against what, and what a failure means.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

enum class Gate { p0, p1, rollout };
enum class Judge { limit, baseline, compare, trend };
enum class OnFail { kill, rollback, hold, advise };

std::string_view name(Gate gate);
std::string_view name(Judge judge);
std::string_view name(OnFail on_fail);

// Throw ERR_INVALID_ARGUMENT for any other word.
Gate parse_gate(std::string_view text);
Judge parse_judge(std::string_view text);
OnFail parse_on_fail(std::string_view text);

struct Check {
	std::string name;
	Gate gate;
	std::string metric; // of metric_rules(); empty for rollout checks
	Judge judge;
	std::optional<double> limit; // a value above it fails; unit as the metric's, seconds for `killed`, a factor for
								 // `cohort_share`; null where the stage's policy holds the limit
	std::int64_t min_samples;    // fewer are no_data
	bool enabled;
	OnFail on_fail; // advise: shown, counted by no gate; kill and rollback of a comparison: where it fails severely
	bool zero_ok;   // rightly rare: nothing in the window passes, as long as the telemetry is known to be wired

	bool
	counts() const {
		return enabled && on_fail != OnFail::advise;
	}
};

// The checks as installed, most severe first.
const std::vector<Check> &default_checks();

inline constexpr double max_wait_seconds = 365 * 86400.0;

// Throws ERR_INVALID_ARGUMENT where the row cannot be used: a limit that is not finite or negative, a rate's limit
// above 1, one of a comparison.
void validate_check(const Check &check);

// The limit in ms above which a write counts as slow: that of the check on write_receipt_p95_ms; infinity without one.
double slow_limit(const std::vector<Check> &checks);

} // namespace chat_v11
