#pragma once

// Slow drift under load: does the canary's p95 rise against control's over the hours of canary_50?
//
// r_i = ln(p95 of the canary / p95 of control) of each quarter of an hour.  Mann (1945) and Kendall (1975): z of the
// number of rising pairs less falling ones, corrected for ties and continuity; Theil (1950) and Sen (1968): the median
// of all slopes.  Neighbours resemble each other, so z is reduced by their correlation r1.  It is looked at once an
// hour from the eighth on, 17 times at most, each time at a level of 0.01/17, and not in between: unlike the
// e-processes it may not be looked at as one likes.  Hours are counted from the first bucket of evidence that is there.
// A look that has too few quarters of an hour to tell anything makes no test, so it is none of the 17.

#include "core/analysis_bins.hpp"
#include "core/analysis_bucket.hpp"

#include <span>

namespace chat_v11::analysis {

inline constexpr double trend_z = 3.2445;                // one-sided normal quantile of 0.01/17
inline const double trend_slope_a_day = std::log(1.10);  // 10 % a day
inline constexpr std::int64_t trend_window_buckets = 90; // 15 min
inline constexpr std::int64_t trend_windows_a_day = 96;
inline constexpr std::int64_t trend_min_durations = 200; // of either cohort in a window
inline constexpr int trend_first_hour = 8;
inline constexpr int trend_most_looks = 17;
// Half of the quarters of an hour so far; after a long hole, as many as eight hours have.
inline constexpr std::int64_t trend_enough_windows = 32;

struct TrendPoint {
	std::int64_t window = 0; // quarters of an hour since the begin of the evidence
	double r = 0;
	friend bool operator==(const TrendPoint &, const TrendPoint &) = default;
};

struct Trend {
	std::int64_t n = 0;
	double s = 0, variance = 0, z = 0;
	double slope = 0; // b, of one window
	double r1 = 0;    // lag-1 autocorrelation of r_i - b*i
	double r1_used = 0;
	double z_used = 0;
	double
	slope_a_day() const {
		return slope * static_cast<double>(trend_windows_a_day);
	}
	bool
	rises() const {
		return z_used >= trend_z && slope_a_day() >= trend_slope_a_day;
	}
	friend bool operator==(const Trend &, const Trend &) = default;
};

// All zero for fewer than two points.
Trend trend_of(std::span<const TrendPoint> points);

class TrendWatch {
public:
	struct Look {
		int hour = 0;
		Trend trend; // with too few quarters of an hour, nothing but how many there are
		friend bool operator==(const Look &, const Look &) = default;
	};
	struct State {
		std::optional<std::int64_t> first; // window of the first bucket
		std::int64_t window = 0;           // the one that fills
		BinSums canary, control;
		std::vector<TrendPoint> points;
		int looks = 0; // that had enough
		std::optional<Look> last;
		std::optional<Look> risen; // the first look that found a rise; it stays for the stage, as a FAIL does
		friend bool operator==(const State &, const State &) = default;
	};

	TrendWatch() = default;
	explicit TrendWatch(State state) : state_(std::move(state)) {}

	// Buckets of the evidence, ascending.
	void advance(std::int64_t number, const LatencyBucket &bucket);
	// All buckets before this one are known: closes the windows that end there.
	void reach(std::int64_t number);
	// Whether the last look had enough windows.
	bool known() const;
	const State &
	state() const {
		return state_;
	}

private:
	void close_window();
	void look(int hour);

	State state_;
};

} // namespace chat_v11::analysis
