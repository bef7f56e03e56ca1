#pragma once

// p95 compared by counts: a threshold tau is fixed from control's past, and the label e-process with rho0 = 1 compares
// how many durations of either cohort lie above it.  For FAIL the canary's lie above an edge that is dF times as high,
// so a canary whose durations are dF times control's has the same share; for PASS dP times.
//
// tau is fixed before the data that it judges, so that moving it costs nothing; and what lies above an edge of the
// histogram is counted exactly, so that its resolution is no error.

#include "core/analysis_bins.hpp"
#include "core/analysis_dispersion.hpp"

#include <span>

namespace chat_v11::analysis {

// Edges to count at; nothing where the histogram has no such edge.
struct Thresholds {
	double tau = 0;               // control: above its p95 of the last 15 min
	std::optional<double> fail;   // canary: the smallest edge of dF * tau or more
	std::optional<double> severe; // likewise with the severe factor
	std::optional<double> pass;   // canary: the largest edge of dP * tau or less
	friend bool operator==(const Thresholds &, const Thresholds &) = default;
};

// `edges` ascending.  A factor of 1.1 is no double, so what is an edge but for rounding counts as that edge.
std::optional<double> edge_at_least(std::span<const double> edges, double value);
std::optional<double> edge_at_most(std::span<const double> edges, double value);
Thresholds thresholds_at(std::span<const double> edges, double tau, const StageRule &rule);

// What one bucket gives to the three tests: the canary's bad ones differ, control's do not.
struct SlowCounts {
	std::optional<Counts> fail, severe, pass;
	double phi = 1;
};

class SlowShare {
public:
	// Control's past in periods between marks.
	static constexpr std::size_t periods = 3;

	struct State {
		std::optional<std::int64_t> period; // of the newest bucket
		std::array<BinSums, periods> past;  // newest first
		BinSums current;
		std::optional<Thresholds> thresholds;
		std::vector<SliceCounts> slices; // since the last estimate
		std::optional<double> phi;       // frozen at the mark
		friend bool operator==(const State &, const State &) = default;
	};

	explicit SlowShare(const StageRule &rule) : rule_(rule) {}
	SlowShare(const StageRule &rule, State state) : rule_(rule), state_(std::move(state)) {}

	// At `full`: tau and phi as they were at canary_50, for good.
	void freeze(double tau, double phi);

	// Buckets ascending by number; 0 is the first of the evidence, those before it are only learnt from.  Nothing as
	// long as the threshold or the dispersion is not known.
	std::optional<SlowCounts> advance(std::int64_t number, const LatencyBucket &bucket);

	// What the slices of the next bucket are to be counted with, that bucket having this number.
	std::optional<double> tau(std::int64_t number) const;
	const State &
	state() const {
		return state_;
	}

private:
	void mark();
	void enter(std::int64_t period);

	StageRule rule_;
	bool frozen_ = false;
	State state_;
};

} // namespace chat_v11::analysis
