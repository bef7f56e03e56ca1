#pragma once

// What the canary analysis reads: closed buckets of 10 s, oldest first.  Counts are doubles, because they come from
// outside and one that is no number must be seen as such; whole numbers up to 2^53 are exact in them.

#include "core/analysis_policy.hpp"
#include "core/histogram.hpp"

#include <vector>

namespace chat_v11::analysis {

// Above this no count of one bucket is believed.  The sums of an hour stay whole numbers below 2^53.
inline constexpr double largest_count = 1e13;

inline bool
is_count(double value) {
	return value >= 0 && value <= largest_count && value == std::floor(value);
}

// Of one comparison.  A bad unit (actor; for resync the stream) counts once a comparison and stage.
struct Counts {
	double x = 0; // canary: bad
	double n = 0; // canary: exposures
	double y = 0; // control: bad
	double m = 0; // control: exposures

	// What no right wiring gives: more bad ones than exposures, or what is no count at all.
	bool
	valid() const {
		return is_count(x) && is_count(n) && is_count(y) && is_count(m) && x <= n && y <= m;
	}
	Counts &
	operator+=(const Counts &other) {
		x += other.x;
		n += other.n;
		y += other.y;
		m += other.m;
		return *this;
	}
	friend bool operator==(const Counts &, const Counts &) = default;
};

// All bad events as they come, for spikes: one user in trouble may send many.
struct RawCounts {
	double canary = 0;
	double control = 0;
	double canary_units = 0; // distinct units among the canary's bad events of the 300 s that end with the bucket

	bool
	valid() const {
		return is_count(canary) && is_count(control) && is_count(canary_units);
	}
};

// Distinct units that were bad in the 300 s that end with the bucket (of very many in a bucket a part), and of them
// those that had been counted before these 300 s began: x and y do not show them any more.
struct Repeats {
	double canary = 0, canary_before = 0, control = 0, control_before = 0;

	bool
	valid() const {
		return is_count(canary) && is_count(canary_before) && is_count(control) && is_count(control_before);
	}
	friend bool operator==(const Repeats &, const Repeats &) = default;
};

struct RateBucket {
	Counts counts;
	RawCounts raw;
	Repeats repeats = {};
};

// Control's durations of one slice of all units, by a hash of the unit that has nothing to do with the cohort.
struct SliceCounts {
	double n = 0; // durations
	double k = 0; // of them, those above the threshold in force
	friend bool operator==(const SliceCounts &, const SliceCounts &) = default;
};
inline constexpr std::size_t slice_count = 64;

// Durations by cohort, in ms.  One that had not ended when the bucket was closed counts as the longest there is, in the
// last bin.
struct LatencyBucket {
	Histogram canary;
	Histogram control;
	// 64, or none; they may come with each bucket, or summed up with the last one before a mark.
	std::vector<SliceCounts> slices;
	// The threshold that `k` was counted with, as SlowShare::tau() had it.  With another one the slices say nothing.
	double slices_tau = 0;
};

struct Bucket {
	Time begin{};
	std::array<RateBucket, comparison_count> rates;        // by Comparison; those of latencies are not read
	std::array<LatencyBucket, comparison_count> latencies; // likewise
	std::array<double, cohort_count> first_seen{};         // actors that nobody had seen in this stage, by cohort
	// Actors who did anything in this bucket, and of them those who are not in the cohort that their id's hash gives.
	// At 50 % nothing else shows that the cohorts were swapped; it may happen long after all actors were first seen.
	std::array<double, cohort_count> active{};
	std::array<double, cohort_count> misplaced{};
	// Of a time when the stage was killed: what control does is learnt from, and nothing is evidence.
	bool apart = false;
	// By Comparison.  Of a time when many events that it rests on came late: no evidence for it.
	std::array<bool, comparison_count> passed_over{};
	// Likewise.  Because of that the canary may have looked much worse than it is, since then.
	std::array<std::optional<Time>, comparison_count> worse_since{};
	// Up to here it is known what came late.
	std::optional<Time> looked_until = {};
};

} // namespace chat_v11::analysis
