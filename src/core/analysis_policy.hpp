#pragma once

// What is compared with control, how far it may lie from it, and at which levels: the constants of the canary analysis.

#include "core/event.hpp"
#include "core/stage.hpp"
#include "core/time.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

namespace chat_v11::analysis {

// ---- Time -----------------------------------------------------------------------------------------------------------

inline constexpr Duration bucket_length = std::chrono::seconds(10);
// A bucket is read this long after its end, so that the windows from ACK to receipt have ended.
inline constexpr Duration settle_time = std::chrono::seconds(15);
// Evidence of a stage begins this long after its first entry.
inline constexpr Duration evidence_delay = std::chrono::minutes(2);
inline constexpr Duration telemetry_max_age = std::chrono::seconds(30);

// Marks, counted from the begin of the evidence: restarts, new thresholds of slowness, new dispersion.
inline constexpr std::int64_t mark_buckets = 30;
// How many of the newest buckets must all be there.
inline constexpr int recent_buckets = 30;
inline constexpr std::int64_t hour_buckets = 360;

// How long before the evidence a history should begin: the base of a spike is what control did in the hour up to 5 min
// ago.  A shorter one is no error: what rests on the past comes in later.
inline constexpr Duration warm_up = std::chrono::minutes(65);

// The begin of the first bucket of a stage's evidence: buckets begin at whole tens of seconds.
Time evidence_begin(Time first_entered_at);

// A minute is looked at for events that came late when the minute begins that comes so long after it, and nobody knows
// before whether its buckets had them all.
inline constexpr Duration late_after = std::chrono::minutes(3);
// What begins to come late within a minute shows when the time so long after it was looked at too.
inline constexpr Duration late_margin = std::chrono::minutes(1);

// Whether the bucket may be read.
constexpr bool
is_closed(Time bucket_begin, Time now) {
	return now - bucket_begin >= bucket_length + settle_time;
}

// ---- What is compared -----------------------------------------------------------------------------------------------

enum class Comparison : std::uint8_t {
	slow_receipts,
	write_rejects,
	forced_resync,
	full_state,
	range_unavailable,
	throttled,
	slow_recovery,
};
inline constexpr std::size_t comparison_count = 7;

enum class Statistic : std::uint8_t { rate, latency };

struct ComparisonRule {
	Comparison comparison;
	std::string_view name;
	std::string_view metric; // of metric_rules()
	std::string_view check;  // the row of gate_check that shows it
	Statistic statistic;
	Kind exposure; // what is counted as n and m: before the two code paths part
	// What a spike is compared with where control is better than this: a tenth of the metric's own limit, so that a
	// storm, ten times as much, is never less than the limit.  0 for latencies, which have no spikes.
	// It is also the rate below which the metric is too rare to matter: see ComparisonTest.
	double spike_floor;
};

const std::array<ComparisonRule, comparison_count> &comparison_rules();

inline const ComparisonRule &
rule_of(Comparison comparison) {
	return comparison_rules()[static_cast<std::size_t>(comparison)];
}

inline std::string_view
name(Comparison comparison) {
	return rule_of(comparison).name;
}

// ---- Levels ---------------------------------------------------------------------------------------------------------

inline constexpr double fail_level = 0.01; // false FAILs a stage, all comparisons together
inline constexpr double pass_level = 0.05; // false PASSes of one comparison; all of them must pass
inline constexpr int fail_odds = 700;      // Bonferroni: 7 comparisons share fail_level
static_assert(static_cast<double>(comparison_count) / fail_level == fail_odds);

inline const double ln_fail = std::log(static_cast<double>(fail_odds)); // 6.5511
inline const double ln_pass = -std::log(pass_level);

// Ratios shown to people hold with this probability, however often they are looked at.
inline constexpr double ratio_alpha = 0.05;

// ---- Stages ---------------------------------------------------------------------------------------------------------

// How much worse than control a build may be (FAIL above), and what must be excluded before it counts as good (PASS).
struct StageRule {
	Duration t_max;                 // beyond it no restart is foreseen
	double rho_fail;                // rates: allowed ratio of canary to control
	std::optional<double> rho_pass; // none at `full`: there is nothing to promote to
	double rho_severe;              // FAIL at this ratio too is severe
	double d_fail;                  // latencies: allowed factor on p95
	std::optional<double> d_pass;
	double d_severe;

	// One each 5 minutes.
	int
	restarts() const {
		return static_cast<int>((t_max + bucket_length * mark_buckets - Duration(1)) / (bucket_length * mark_buckets));
	}
	friend bool operator==(const StageRule &, const StageRule &) = default;
};

const StageRule &stage_rule(Stage stage);

// Throws ERR_INVALID_ARGUMENT for factors that are no numbers from 1 to 1000, or a t_max that is no time.
void validate(const StageRule &rule);

// The canary's share of all actors; nothing at `full`, which has no control.
std::optional<double> canary_share(Stage stage);

} // namespace chat_v11::analysis
