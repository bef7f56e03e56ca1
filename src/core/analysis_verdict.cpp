#include "core/analysis_verdict.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

struct Finding {
	Decision decision;
	std::string reason;
};

} // namespace

bool
rolls_back(const StageAnswer &answer, const ComparisonAnswer &check) {
	return check.outcome == Outcome::fail && check.severe && check.complete == Complete::yes &&
		   answer.stage != Stage::full && !answer.distrusted;
}

bool
rolls_back(const StageAnswer &answer, const SpikeAnswer &spike) {
	return spike.level == SpikeLevel::storm_in_canary && answer.stage != Stage::full && !answer.distrusted &&
		   answer.too_early.empty() && spike.rate_60s && spike.rate_300s;
}

void
decide(StageAnswer &answer) {
	// In the order of the table; all of them are told.
	std::vector<Finding> findings;
	answer.kill = answer.p0_or_stall;
	if (answer.p0_or_stall)
		findings.push_back({Decision::rollback, "P0 or stall"});
	for (const bool severe : {true, false})
		for (const auto &check : answer.comparisons)
			if (check.outcome == Outcome::fail && check.severe == severe)
				findings.push_back(
					{rolls_back(answer, check) ? Decision::rollback : Decision::hold, reason_text(answer, check)});
	for (const bool own : {true, false})
		for (const auto &spike : answer.spikes)
			if (spike.level != SpikeLevel::none && (spike.level == SpikeLevel::storm_in_canary) == own)
				findings.push_back(
					{rolls_back(answer, spike) ? Decision::rollback : Decision::hold, reason_text(answer, spike)});
	if (answer.trend_risen)
		findings.push_back({Decision::hold, trend_text(answer)});
	if (!answer.fault.empty())
		findings.push_back({Decision::hold, "data: " + answer.fault});
	for (const auto outcome : {Outcome::data, Outcome::wait})
		for (const auto &check : answer.comparisons)
			// What is wrong with all the data was told once.
			if (check.outcome == outcome && (outcome == Outcome::wait || check.fault != answer.fault))
				findings.push_back({Decision::hold, reason_text(answer, check)});
	if (!answer.too_early.empty())
		findings.push_back({Decision::hold, "too early: " + answer.too_early});
	if (answer.trend_applies && !answer.trend_known)
		findings.push_back({Decision::hold, trend_text(answer)});

	std::stable_sort(findings.begin(), findings.end(),
					 [](const Finding &a, const Finding &b) { return a.decision > b.decision; });
	answer.decision = findings.empty() ? Decision::proceed : findings.front().decision;
	answer.reasons.clear();
	for (auto &finding : findings)
		answer.reasons.push_back(std::move(finding.reason));
}

static void
spoil(ComparisonAnswer &check, const std::string &fault, bool stays) {
	if (check.outcome == Outcome::fail)
		return;
	check.outcome = Outcome::data;
	check.fault = fault;
	check.fault_stays = stays;
}

void
spoil(StageAnswer &answer, const std::string &fault) {
	answer.fault = fault;
	for (auto &check : answer.comparisons)
		spoil(check, fault, false);
	decide(answer);
}

void
spoil(StageAnswer &answer, Comparison comparison, const std::string &fault, bool stays) {
	spoil(answer.comparisons.at(static_cast<std::size_t>(comparison)), fault, stays);
	decide(answer);
}

} // namespace chat_v11::analysis
