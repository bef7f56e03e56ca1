#pragma once

// Buckets for tests of the canary analysis.  Vectors marked "spec" are those of the specification; the others were
// computed apart from this code: the sums as they are written in the headers, with 50 decimal digits (Python, mpmath),
// then rounded to 17.

#include "core/analysis_stage.hpp"

#include "core/text.hpp"

#include "histogram_fixture.hpp"

#include <cstring>
#include <iomanip>
#include <map>

namespace chat_v11::analysis {

using chat_v11::operator<<; // of enums with names, where Boost.Test looks for it

inline std::ostream &
boost_test_print_type(std::ostream &out, const Counts &c) {
	return out << '(' << c.x << ' ' << c.n << ' ' << c.y << ' ' << c.m << ')';
}

} // namespace chat_v11::analysis

namespace chat_v11::test {

using namespace analysis;

// (x, n, y, m)
inline const std::vector<Counts> b2 = {{1, 98, 190, 9902},   {0, 110, 215, 9890}, {4, 95, 205, 9905},
									   {7, 1010, 198, 8990}, {9, 990, 183, 9010}, {15, 1005, 176, 8995}};

inline bool
near(double value, double expected) {
	return std::abs(value - expected) <= 1e-9 * std::max(1.0, std::abs(expected) * 1e-3);
}

#define CHECK_NEAR(value, expected)                                                                                    \
	BOOST_CHECK_MESSAGE(near(value, expected), #value " is " << std::setprecision(17) << (value) << ", not "           \
															 << std::setprecision(17) << (expected))

inline constexpr auto canary_index = static_cast<size_t>(Cohort::v11);
inline constexpr auto control_index = static_cast<size_t>(Cohort::v10);

// How a stage goes in tests: exact shares, no chance.  Bad events come by a counter that carries what is left over, so
// that rates are met over time in whole numbers.
struct Course {
	Stage stage = Stage::canary_10;
	double exposures = 10'000; // of both cohorts in a bucket
	double rate = 0.01;
	double worse = 1;    // the canary's rate by control's
	double slower = 1;   // its durations by control's
	double actors = 100; // first seen in a bucket
	double share = -1;   // of the canary; that of the stage where it is negative
};

class Traffic {
public:
	explicit Traffic(const Course &course) : course_(course) {}

	// slow thresholds as the analysis has them, for the slices
	Bucket
	next(const StageAnalysis &analysis, Time begin) {
		Bucket bucket;
		bucket.begin = begin;
		bucket.looked_until = std::chrono::floor<std::chrono::minutes>(begin) + 1min - late_after;
		const double share = course_.share >= 0 ? course_.share : canary_share(course_.stage).value_or(1);
		const double n = std::round(course_.exposures * share), m = std::round(course_.exposures * (1 - share));
		for (const auto &rule : comparison_rules()) {
			const auto i = static_cast<size_t>(rule.comparison);
			if (rule.statistic == Statistic::rate) {
				const double x = whole(i, canary_index, n * course_.rate * course_.worse);
				const double y = whole(i, control_index, m * course_.rate);
				bucket.rates[i] = {{x, n, y, m}, {x, y, 30 * x}};
				continue;
			}
			auto &durations = bucket.latencies[i];
			durations.canary = spread(n, course_.slower);
			durations.control = spread(m, 1);
			if (const auto tau = analysis.tau(rule.comparison, begin)) {
				durations.slices_tau = *tau;
				for (size_t s = 0; s < analysis::slice_count; ++s)
					durations.slices.push_back({100, s % 2 ? 5.0 : 6.0});
			}
		}
		bucket.first_seen[canary_index] = whole(0, canary_index, course_.actors * share);
		bucket.first_seen[control_index] = course_.actors - bucket.first_seen[canary_index];
		bucket.active[canary_index] = std::round(1000 * share);
		bucket.active[control_index] = 1000 - bucket.active[canary_index];
		return bucket;
	}

private:
	double
	whole(size_t i, size_t cohort, double exact) {
		auto &carried = carried_[i][cohort];
		carried += exact;
		const double count = std::floor(carried + 1e-9);
		carried -= count;
		return count;
	}
	// 1 to 20 times 50 ms, the same number of each.
	static Histogram
	spread(double count, double factor) {
		Histogram histogram;
		for (int i = 1; i <= 20; ++i)
			histogram.add(50.0 * i * factor, static_cast<std::int64_t>(count / 20));
		return histogram;
	}

	Course course_;
	std::array<std::array<double, cohort_count>, comparison_count> carried_{};
};

inline StageSetup
setup_at(Stage stage) {
	return default_setup(stage, noon - 2min);
}

inline Time
begin_of(std::int64_t number) {
	return noon + number * bucket_length;
}

// Buckets first..last-1, each changed by `spoil` before it goes in.
template <typename Spoil>
void
run(StageAnalysis &analysis, Traffic &traffic, std::int64_t first, std::int64_t last, Spoil &&spoil) {
	for (auto number = first; number < last; ++number) {
		auto bucket = traffic.next(analysis, begin_of(number));
		if (spoil(number, bucket))
			analysis.advance(bucket);
	}
}

inline constexpr auto as_it_is = [](std::int64_t, Bucket &) { return true; };

// The same rate at any age, of units as of events.
inline Baseline
flat_baseline(double q, double tau = 0, double phi = 1) {
	Baseline baseline{q, tau, phi, q};
	baseline.by_age.fill(q);
	return baseline;
}

// As seen when the newest bucket is just closed and telemetry is fresh.
inline StageAnswer
look(const StageAnalysis &analysis, std::int64_t last) {
	const auto now = begin_of(last) + settle_time;
	return analysis.evaluate(now, now - 1s);
}

// All numbers of an answer.
inline std::vector<double>
numbers_of(const StageAnswer &answer) {
	std::vector<double> all;
	const auto add = [&](std::optional<double> value) { all.push_back(value.value_or(0)); };
	for (const auto &c : answer.comparisons) {
		for (const double value : {c.totals.x, c.totals.n, c.totals.y, c.totals.m, c.ln_fail_now, c.ln_fail_max,
								   c.ln_pass_now, c.q_base, c.tau})
			all.push_back(value);
		add(c.ratio);
		add(c.interval.low);
		add(c.interval.high);
		add(c.events_needed);
	}
	for (const auto &s : answer.spikes) {
		add(s.rate_60s);
		add(s.rate_300s);
		add(s.control_300s);
		add(s.base);
		all.push_back(s.units);
	}
	for (const auto &l : {answer.trend_last, answer.trend_risen})
		if (l)
			for (const double value : {l->trend.s, l->trend.variance, l->trend.z, l->trend.slope, l->trend.z_used})
				all.push_back(value);
	return all;
}

} // namespace chat_v11::test
