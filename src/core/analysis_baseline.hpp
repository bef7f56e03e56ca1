#pragma once

// What `full` is compared with: control as it was at canary_50.
//
// A bad unit counts once a stage, its exposures all count.  So a rate of units sinks as a stage grows old: whoever is
// often in trouble was counted in its first hour.  At `full` everybody is new again, and control's rate of a whole day
// would make a young `full` look bad for hours; so it is kept by the age of the stage.

#include "core/analysis_bucket.hpp"

#include <optional>

namespace chat_v11::analysis {

// Up to 15 and 30 min, 1, 2, 4, 8 and 16 h, and later: each about as long as all before it, as the rate sinks ever
// slower.
inline constexpr std::size_t age_count = 8;
std::size_t age_of(std::int64_t bucket);

// So many bad events make a rate that can be compared with: a standard error of a tenth, where half as much again is
// allowed.
inline constexpr double baseline_min_bad = 100;

// Control's sums of units and exposures by age, as a stage has seen them.
struct ControlByAge {
	struct Sums {
		double y = 0, m = 0;
		friend bool operator==(const Sums &, const Sums &) = default;
	};
	std::array<Sums, age_count> ages;
	friend bool operator==(const ControlByAge &, const ControlByAge &) = default;

	// Of each age by all ages from it down that it takes to have baseline_min_bad: the younger ones have the higher
	// rate, which errs towards no FAIL; with fewer in all, a standard error and one more.  Where there were hardly any,
	// `floor` at least, which is too rare to matter.  Ages that were not reached have the rate of the oldest.  Nothing
	// without exposures.
	std::optional<std::array<double, age_count>> rates(double floor) const;
};

struct Baseline {
	double q = 0;   // latencies: share of durations above tau; rates: of the whole stage
	double tau = 0; // latencies only, as the next
	double phi = 1;
	double raw = 0; // rates: bad events as they came, by exposure
	std::array<double, age_count> by_age{};
	bool usable(Statistic statistic) const;
};

} // namespace chat_v11::analysis
