#pragma once

// The canary analysis of one stage: buckets in, oldest first, and at any moment a verdict out.
//
// A pure function of the sequence of buckets.  advance() takes them one by one, and a state made anew from all of them
// is the same to the last bit: there is no other code.  How often anybody asks changes nothing.

#include "core/analysis_comparison.hpp"
#include "core/analysis_spike.hpp"
#include "core/analysis_trend.hpp"
#include "core/analysis_validity.hpp"
#include "core/analysis_verdict.hpp"

namespace chat_v11::analysis {

struct StageSetup {
	Stage stage{};
	Time evidence_from{}; // evidence_begin() of the stage's first entry; a hold or a resume does not move it
	StageRule rule;       // stage_rule(), or other margins for what_if()
	std::array<std::optional<Baseline>, comparison_count> baselines{}; // at `full`
};

StageSetup default_setup(Stage stage, Time first_entered_at);

class StageAnalysis {
public:
	struct State {
		Continuity::State continuity;
		SampleRatio::State sample_ratio;
		std::vector<ComparisonTest::State> comparisons; // by Comparison
		std::vector<SpikeWatch::State> spikes;          // by Comparison, those of rates
		TrendWatch::State trend;
		friend bool operator==(const State &, const State &) = default;
	};

	// Throw ERR_INVALID_ARGUMENT for margins that cannot be used.
	explicit StageAnalysis(const StageSetup &setup);
	StageAnalysis(const StageSetup &setup, const State &state);

	// A closed bucket.  One that comes twice, late or at an odd moment is left out, and HOLDs with the reason "data".
	// To begin warm_up before the evidence is best.
	void advance(const Bucket &bucket);

	// As of `now`, which must not lie before the newest bucket is closed: otherwise the clock has jumped, which is a
	// fault of the data; the state is then to be made anew from the buckets that are closed.  `newest_event` is that of
	// the whole telemetry.
	StageAnswer evaluate(Time now, std::optional<Time> newest_event, bool p0_or_stall = false) const;
	// The same as the newest bucket shows it, for the path of the evidence.
	StageAnswer evaluate_path() const;

	// The threshold that the slices of this bucket are to be counted with.
	std::optional<double> tau(Comparison comparison, Time bucket_begin) const;
	State state() const;
	const StageSetup &
	setup() const {
		return setup_;
	}
	// When the bucket with this number ends.
	Time end_of(std::int64_t number) const;

private:
	std::int64_t number_of(Time begin) const;
	StageAnswer answer(const std::string &fault, bool p0_or_stall) const;

	StageSetup setup_;
	Continuity continuity_;
	SampleRatio sample_ratio_;
	std::vector<ComparisonTest> comparisons_;
	std::vector<SpikeWatch> spikes_;
	TrendWatch trend_;
};

// What `full` is compared with: control as a stage at canary_50 has seen it.
std::array<std::optional<Baseline>, comparison_count> baselines_of(const StageAnalysis &canary_50);

} // namespace chat_v11::analysis
