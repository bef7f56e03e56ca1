#pragma once

// One comparison over one stage: its tests, its counts, and what can be said of them.
//
// PASS has two ways.  The first is the label e-process against rho_pass, which lives on bad events: where hardly
// anything goes wrong it never gets there, and a good canary would be held for ever.  So rates have a second one, "too
// rare to matter": the e-process of the canary's own rate against a small one, q_rare = ComparisonRule::spike_floor, a
// tenth of the metric's own limit:
//     s_j += x*d*j*ln2/8 - n*q_rare*(rho_j - rho0),  d = -1, rho0 = 1;  PASS at ln(1/beta)
// It is a supermartingale whenever the canary's rate is q_rare or more: with a = rho_j < 1, E[a^x] <= exp(n*q*(a-1)),
// which the increment takes away at q = q_rare.  So each way is right with 1-beta at any moment, and a canary that is
// bad in both senses gets a false PASS by one or the other with 2*beta at most.
// A unit counts once, so once most have been bad, x and y stand still whatever happens to them, and the comparison is
// blind.  Then the bad events as they come have to agree: neither way is PASS while the canary has
// rho_pass * (1 + 2/sqrt(u)) times as many of them as control's rates, bucket by bucket, foresee; u of its units had
// them in the last 300 s, and who they are is chance.
// x counts a unit once a stage, n counts all its exposures: where few units have all the trouble there are, x stands
// still while n grows.  So nothing is rare either where the bad events as they came are q_rare of the exposures.

#include "core/analysis_baseline.hpp"
#include "core/analysis_dispersion.hpp"
#include "core/analysis_ratio.hpp"
#include "core/analysis_slow_share.hpp"
#include "core/analysis_spike.hpp"

#include <string>

namespace chat_v11::analysis {

// Outcome of one comparison: `data` where its own counts cannot be believed.
enum class Outcome : std::uint8_t { fail, pass, wait, data };
std::string_view name(Outcome outcome); // as reasons have it: "FAIL"

// Whether the events are all there that a FAIL was found on.  Where control's bad ones come late, a good canary looks
// bad: so nobody goes back before a few minutes have shown that they did not.  Where they did, a FAIL that was found
// holds all the same, since nobody knows better; what is severe has to be found anew, on what comes from then on.
enum class Complete : std::uint8_t { yes, unknown, no };

struct ComparisonSetup {
	Comparison comparison{};
	Stage stage{};
	StageRule rule; // stage_rule(), or other margins for what_if()
	std::optional<Baseline> baseline = {};
};

struct ComparisonAnswer {
	Comparison comparison{};
	Outcome outcome = Outcome::wait;
	bool severe = false;                   // with outcome fail: at the severe ratio, too
	Complete complete = Complete::yes;     // with outcome fail
	std::optional<std::int64_t> failed_at; // bucket with which FAIL was reached
	std::optional<std::int64_t> severe_at; // likewise
	Counts totals;                         // since the begin of the evidence, as the test for FAIL counts them
	Counts at_fail; // the last 30 buckets when FAIL was reached: of what began late, totals show little
	std::optional<double> ratio;
	RatioSet::Interval interval; // at ratio_alpha
	double ln_fail_now = 0;      // lnE for FAIL: now, and the largest that it was
	double ln_fail_max = 0;
	double ln_pass_now = 0;                 // 0 at `full`, which has no PASS
	double ln_rare_now = 0;                 // lnE of "too rare to matter"; 0 for latencies and at `full`
	bool too_rare = false;                  // ... and it is shown
	std::optional<double> events_needed;    // for PASS, if the canary is as good as control from now on
	std::optional<Duration> time_needed;    // at the rate so far
	std::optional<double> exposures_needed; // of the canary, to be too rare, if it goes on as it is
	std::optional<Duration> rare_time_needed;
	double q_base = 0;         // at `full`
	bool not_compared = false; // at `full`, for good: control at canary_50 gave nothing to compare with
	double tau = 0;            // latencies: the threshold in force, or 0
	bool blind = false;        // rates: most who have it now were counted before
	// Blind, and the canary's bad events are so many times what control foresees: no PASS.  Infinity: it foresees none.
	std::optional<double> hidden_ratio;
	std::string fault;        // with outcome data: why; with wait: why no evidence comes in, or ""
	bool fault_stays = false; // for the stage
};

class ComparisonTest {
public:
	struct Progress {
		std::optional<std::int64_t> newest;        // bucket of the evidence
		Counts totals;                             // as the test for FAIL counts them
		double x_pass = 0;                         // the canary's bad ones as the test for PASS counts them
		double raw_canary = 0;                     // rates: its bad events as they came
		Repeats repeats;                           // rates: of the newest bucket
		ControlByAge control;                      // rates: what `full` will be compared with, as the next
		double raw_control = 0;                    // control's bad events as they came
		double expected = 0;                       // at `full`: the canary's bad ones at control's rate
		std::uint32_t bad = 0;                     // bit i: the bucket i before the newest had counts that cannot be
		std::array<Counts, recent_buckets> recent; // by number modulo 30
		Counts recent_sum;
		std::array<Counts, recent_buckets> judged; // likewise, as the test for FAIL counted them
		Counts at_fail;                            // their sum when FAIL was reached
		std::optional<std::int64_t> failed_at, severe_at;
		std::optional<std::int64_t> late_from; // see doubt(): the earliest of all
		std::optional<std::int64_t> looked;    // see looked(): the newest of all
		std::int64_t age = 0;                  // buckets that were compared; at `full`, that had exposures
		friend bool operator==(const Progress &, const Progress &) = default;
	};
	struct State {
		EProcess::State fail, severe, pass, rare;
		RatioSet::State ratio;
		SlowShare::State slow;
		Progress progress;
		friend bool operator==(const State &, const State &) = default;
	};

	// Throws ERR_INVALID_ARGUMENT for a rule that cannot be used.
	explicit ComparisonTest(const ComparisonSetup &setup);
	ComparisonTest(const ComparisonSetup &setup, const State &state);

	// Buckets ascending by number, 0 being the first of the evidence; those before are learnt from.  `trusted` tells
	// whether the data as a whole is in order: evidence always comes in, but FAIL is found only then.
	void advance(std::int64_t number, const Bucket &bucket, bool trusted);
	// From this bucket on, up to now, the canary may have looked much worse than it is.
	void doubt(std::int64_t number);
	// It is known what came late before this bucket.
	void looked(std::int64_t number);

	// `watch` has seen the same buckets; rates only.
	ComparisonAnswer answer(const SpikeWatch *watch = nullptr) const;
	// The threshold that the slices of the bucket with this number are to be counted with; latencies only.
	std::optional<double>
	tau(std::int64_t number) const {
		return slow_.tau(number);
	}
	State
	state() const {
		return {fail_.state(), severe_.state(), pass_.state(), rare_.state(), ratio_.state(), slow_.state(), progress_};
	}
	const ComparisonSetup &
	setup() const {
		return setup_;
	}

private:
	void enter(std::int64_t number);
	void collect(std::int64_t number, const Bucket &bucket);
	bool has_pass() const;
	bool has_rare() const;
	bool rare_by_events() const;
	double q_base() const;
	bool is_severe_looked_at() const;
	Complete complete() const;
	bool is_blind() const;
	std::optional<double> hidden_ratio(const SpikeWatch &watch) const;
	std::string fault() const;
	void plan(ComparisonAnswer &answer) const;

	ComparisonSetup setup_;
	const ComparisonRule *rule_;
	bool latency_;
	std::optional<Baseline> baseline_; // at `full`, if it can be used
	EProcess fail_, severe_, pass_, rare_;
	RatioSet ratio_;
	SlowShare slow_;
	Progress progress_;
};

} // namespace chat_v11::analysis
