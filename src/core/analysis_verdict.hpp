#pragma once

// From all that was found to one decision, and to sentences for people.

#include "core/analysis_comparison.hpp"
#include "core/analysis_spike.hpp"
#include "core/analysis_trend.hpp"
#include "core/state.hpp"

#include <string>
#include <vector>

namespace chat_v11::analysis {

struct SpikeAnswer {
	Comparison comparison{};
	SpikeLevel level = SpikeLevel::none;
	std::optional<Time> since;
	std::optional<double> rate_60s, rate_300s, control_300s, base;
	double units = 0;
};

struct StageAnswer {
	Stage stage{};
	Time evidence_from{};
	std::optional<Time> evidence_until; // end of the newest bucket; nothing before the first of the evidence
	StageRule rule;
	std::vector<ComparisonAnswer> comparisons; // by Comparison
	std::vector<SpikeAnswer> spikes;           // of the rates
	bool trend_applies = false;                // canary_50 only
	bool trend_known = false;
	std::optional<TrendWatch::Look> trend_last, trend_risen;
	std::string fault;       // of the data as a whole, or ""
	bool distrusted = false; // the fault is of a kind that spoils the stage's evidence: FAIL and storm are not told
	std::string too_early;   // why nothing can be said yet, or ""
	bool p0_or_stall = false;

	Decision decision = Decision::hold;
	bool kill = false;
	std::vector<std::string> reasons; // most severe first; empty with PROCEED
};

// Fills in decision, kill and reasons:
//     P0 or stall                   ROLLBACK and kill
//     FAIL and severe               ROLLBACK, see rolls_back()
//     FAIL                          HOLD
//     storm in the canary           ROLLBACK, see rolls_back()
//     spike, slope, data            HOLD
//     any check WAIT, or too early  HOLD, with what is still needed
//     else                          PROCEED
// The worst decision wins, so that a plain FAIL does not hide a storm in the canary; reasons come with the worst first,
// and in this order where they are as bad.
// At `full` a comparison and a storm HOLD at most.
void decide(StageAnswer &answer);

// Whether a comparison is reason enough to go back.  Not before it is known that the events were all there that it was
// found on, which takes some minutes; nor at `full`, nor for what may be the wiring's fault.
bool rolls_back(const StageAnswer &answer, const ComparisonAnswer &check);

// Whether a burst is reason enough to go back.  Not at `full`, where there is nothing to compare with and no way back
// that would be better; not for what may be the wiring's fault; not before enough actors were seen to tell whether the
// shares are right; and not for a storm of which nobody knows whether it goes on: whoever is in the cohort now may have
// another build.
bool rolls_back(const StageAnswer &answer, const SpikeAnswer &spike);

// The data cannot be believed, as a whole or for one comparison, for a reason that lies outside the buckets.  A FAIL
// that was found before stands.  Decides anew.
void spoil(StageAnswer &answer, const std::string &fault);
void spoil(StageAnswer &answer, Comparison comparison, const std::string &fault, bool stays = false);

// One sentence about one comparison, as explain_gates() shows it: "WAIT forced_resync: canary 41 of 9,870, ...".
std::string reason_text(const StageAnswer &answer, const ComparisonAnswer &check);
std::string reason_text(const StageAnswer &answer, const SpikeAnswer &spike);
// "" where no trend is judged.
std::string trend_text(const StageAnswer &answer);

} // namespace chat_v11::analysis
