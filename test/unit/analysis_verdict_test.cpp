// The order of the verdict, and the sentences.

#include "core/analysis_format.hpp"

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_verdict)

// All passes at canary_10.
StageAnswer
passing(Stage stage = Stage::canary_10) {
	StageAnswer answer;
	answer.stage = stage;
	answer.evidence_from = noon;
	answer.rule = stage_rule(stage);
	for (const auto &rule : comparison_rules()) {
		ComparisonAnswer check;
		check.comparison = rule.comparison;
		check.outcome = Outcome::pass;
		check.totals = {10, 1000, 100, 9000};
		answer.comparisons.push_back(check);
		if (rule.statistic == Statistic::rate)
			answer.spikes.push_back({rule.comparison, SpikeLevel::none, {}, 0.01, 0.01, 0.01, 0.01, 3});
	}
	return answer;
}

void
fail_at(StageAnswer &answer, std::size_t check, bool severe) {
	answer.comparisons[check].outcome = Outcome::fail;
	answer.comparisons[check].severe = severe;
}

struct OrderCase {
	const char *what;
	void (*change)(StageAnswer &);
	Decision decision;
	const char *first; // how the first reason begins
};

std::ostream &
operator<<(std::ostream &out, const OrderCase &c) {
	return out << c.what;
}

const std::vector<OrderCase> orders = {
	{"all passes", [](StageAnswer &) {}, Decision::proceed, ""},
	{"P0", [](StageAnswer &a) { a.p0_or_stall = true; }, Decision::rollback, "P0 or stall"},
	{"P0 and everything else",
	 [](StageAnswer &a) {
		 a.p0_or_stall = true;
		 fail_at(a, 2, true);
		 a.fault = "nothing";
	 },
	 Decision::rollback, "P0 or stall"},
	{"severe", [](StageAnswer &a) { fail_at(a, 2, true); }, Decision::rollback, "FAIL forced_resync"},
	{"severe, on events that may not be all",
	 [](StageAnswer &a) {
		 fail_at(a, 2, true);
		 a.comparisons[2].complete = Complete::unknown;
	 },
	 Decision::hold, "FAIL forced_resync"},
	{"severe, on events that came late",
	 [](StageAnswer &a) {
		 fail_at(a, 2, true);
		 a.comparisons[2].complete = Complete::no;
	 },
	 Decision::hold, "FAIL forced_resync"},
	{"severe behind another FAIL",
	 [](StageAnswer &a) {
		 fail_at(a, 1, false);
		 fail_at(a, 5, true);
	 },
	 Decision::rollback, "FAIL throttled"},
	{"FAIL beats the PASS of all others", [](StageAnswer &a) { fail_at(a, 6, false); }, Decision::hold,
	 "FAIL slow_recovery"},
	// A plain FAIL holds, which must not hide what rolls back.
	{"FAIL does not hide a storm in the canary",
	 [](StageAnswer &a) {
		 fail_at(a, 3, false);
		 a.spikes[1].level = SpikeLevel::storm_in_canary;
	 },
	 Decision::rollback, "storm in the canary forced_resync"},
	{"storm in the canary", [](StageAnswer &a) { a.spikes[1].level = SpikeLevel::storm_in_canary; }, Decision::rollback,
	 "storm in the canary forced_resync"},
	{"storm in the canary behind a spike",
	 [](StageAnswer &a) {
		 a.spikes[0].level = SpikeLevel::spike;
		 a.spikes[4].level = SpikeLevel::storm_in_canary;
	 },
	 Decision::rollback, "storm in the canary throttled"},
	{"storm in both", [](StageAnswer &a) { a.spikes[1].level = SpikeLevel::storm; }, Decision::hold,
	 "storm forced_resync"},
	{"storm in the canary, data missing",
	 [](StageAnswer &a) {
		 a.spikes[1].level = SpikeLevel::storm_in_canary;
		 a.fault = "3 of the last 30 buckets are missing";
	 },
	 Decision::rollback, "storm in the canary"},
	{"storm in the canary, too few actors to tell the shares",
	 [](StageAnswer &a) {
		 a.spikes[1].level = SpikeLevel::storm_in_canary;
		 a.too_early = "soon";
	 },
	 Decision::hold, "storm in the canary"},
	{"storm in the canary, of which nobody knows whether it goes on",
	 [](StageAnswer &a) {
		 a.spikes[1].level = SpikeLevel::storm_in_canary;
		 a.spikes[1].rate_60s.reset();
	 },
	 Decision::hold, "storm in the canary"},
	{"storm in the canary, cohorts in doubt",
	 [](StageAnswer &a) {
		 a.spikes[1].level = SpikeLevel::storm_in_canary;
		 a.fault = "swapped";
		 a.distrusted = true;
	 },
	 Decision::hold, "storm in the canary"},
	{"spike", [](StageAnswer &a) { a.spikes[2].level = SpikeLevel::spike; }, Decision::hold, "spike full_state"},
	{"slope",
	 [](StageAnswer &a) {
		 a.trend_applies = a.trend_known = true;
		 a.trend_last = a.trend_risen = TrendWatch::Look{9, {36, 300, 5390, 4.07, 0.002, 0, 0, 4.07}};
	 },
	 Decision::hold, "trend slow_receipts: the canary's p95 against control's rises by 21.2 % a day in hour 9 (z 4.1,"},
	{"data", [](StageAnswer &a) { a.fault = "odd"; }, Decision::hold, "data: odd"},
	{"one check's data",
	 [](StageAnswer &a) {
		 a.comparisons[1].outcome = Outcome::data;
		 a.comparisons[1].fault = "odd";
	 },
	 Decision::hold, "data write_rejects: odd"},
	{"one WAIT", [](StageAnswer &a) { a.comparisons[1].outcome = Outcome::wait; }, Decision::hold,
	 "WAIT write_rejects"},
	{"too early", [](StageAnswer &a) { a.too_early = "soon"; }, Decision::hold, "too early: soon"},
	{"a trend that is unknown", [](StageAnswer &a) { a.trend_applies = true; }, Decision::hold,
	 "trend slow_receipts: the first look is in hour 8"},
	{"severe at full",
	 [](StageAnswer &a) {
		 a.stage = Stage::full;
		 fail_at(a, 2, true);
	 },
	 Decision::hold, "FAIL forced_resync"},
	{"P0 at full",
	 [](StageAnswer &a) {
		 a.stage = Stage::full;
		 a.p0_or_stall = true;
	 },
	 Decision::rollback, "P0 or stall"},
};

BOOST_DATA_TEST_CASE(order, bdata::make(orders), c) {
	auto answer = passing();
	c.change(answer);
	decide(answer);
	BOOST_TEST(name(answer.decision) == name(c.decision));
	BOOST_TEST(answer.kill == answer.p0_or_stall);
	BOOST_TEST(answer.reasons.empty() == (c.decision == Decision::proceed));
	if (!answer.reasons.empty())
		BOOST_TEST(answer.reasons.front().starts_with(c.first), answer.reasons.front());
}

// The specification's example: its counts give its ratio, its bounds and its odds.
BOOST_AUTO_TEST_CASE(the_specifications_example) {
	ComparisonTest check({Comparison::forced_resync, Stage::canary_1, stage_rule(Stage::canary_1)});
	Bucket bucket;
	bucket.rates[2].counts = {41, 9870, 1630, 977100};
	check.advance(0, bucket, true);
	auto answer = passing(Stage::canary_1);
	const auto text = reason_text(answer, check.answer());
	BOOST_TEST(text ==
			   "WAIT forced_resync: canary 41 of 9,870, control 1,630 of 977,100; 2.5x (95 %: 1.35 to 4.2), allowed "
			   "1.25x; a build within the allowance looks this bad at any moment with probability below 1/213; FAIL "
			   "needs 1/700; PASS needs about 1,084 more bad events, 1 min at this rate");
}

BOOST_AUTO_TEST_CASE(sentences) {
	auto answer = passing();
	auto &check = answer.comparisons[2];
	check.outcome = Outcome::wait;
	check.totals = {};
	BOOST_TEST(reason_text(answer, check) ==
			   "WAIT forced_resync: no exposures yet; FAIL needs 1/700; PASS needs exposures of both cohorts");
	check.totals = {0, 1000, 30, 9000};
	BOOST_TEST(reason_text(answer, check) ==
			   "WAIT forced_resync: canary 0 of 1,000, control 30 of 9,000; no ratio yet, allowed 1.25x; FAIL needs "
			   "1/700; as it is going, no number of events will be enough for PASS");
	check.ratio = 0;
	check.interval.high = 1.9;
	check.events_needed = 1234;
	check.time_needed = 75min;
	BOOST_TEST(
		reason_text(answer, check) ==
		"WAIT forced_resync: canary 0 of 1,000, control 30 of 9,000; 0x (95 %: at most 1.9), allowed 1.25x; FAIL "
		"needs 1/700; PASS needs about 1,234 more bad events, 1 h 15 min at this rate");
	check.time_needed.reset();
	check.ratio.reset();
	check.interval = {7.33, {}};
	BOOST_TEST(reason_text(answer, check) ==
			   "WAIT forced_resync: canary 0 of 1,000, control 30 of 9,000; no ratio yet (95 %: at least 7.3), allowed "
			   "1.25x; FAIL needs 1/700; PASS needs about 1,234 more bad events, and hardly any come");
	check.outcome = Outcome::pass;
	check.ratio = 1;
	check.interval = {0.8, 1.25};
	BOOST_TEST(
		reason_text(answer, check) ==
		"PASS forced_resync: canary 0 of 1,000, control 30 of 9,000; 1x (95 %: 0.8 to 1.25), allowed 1.25x; 2x is "
		"excluded with 95 %");
	check.outcome = Outcome::fail;
	check.failed_at = 35;
	check.at_fail = {57, 402, 190, 3700};
	check.severe = true;
	check.ln_fail_max = 9;
	BOOST_TEST(reason_text(answer, check) ==
			   "FAIL forced_resync: canary 0 of 1,000, control 30 of 9,000; 1x (95 %: 0.8 to 1.25), allowed 1.25x; a "
			   "build within the allowance looks this bad at any moment with probability below 1/8,103; found at "
			   "2026-03-01 12:06:00 UTC, after 5 min with canary 57 of 402, control 190 of 3,700: 2.8x; severe: also "
			   "against an allowance of 3x");

	auto &slow = answer.comparisons[0];
	slow.totals = {37, 1000, 4500, 100000};
	slow.ratio = 0.8222;
	slow.interval = {0.6, 1.09};
	BOOST_TEST(reason_text(answer, slow) ==
			   "PASS slow_receipts: canary 37 of 1,000 above 1.1x control's p95, control 4,500 of 100,000 above it; "
			   "0.82x (95 %: 0.6 to 1.09), allowed 1x; 1.25x control's p95 is excluded with 95 %");

	auto full = passing(Stage::full);
	full.comparisons[2].q_base = 0.0017;
	full.comparisons[2].interval = {0.5, 5};
	BOOST_TEST(reason_text(full, full.comparisons[2]) ==
			   "PASS forced_resync: canary 10 of 1,000, control at canary_50 had 0.17 % at that age; no ratio yet (95 "
			   "%: 0.5 to "
			   "5), allowed 1.5x; no sign of more, and nothing comes after this stage");

	SpikeAnswer spike{Comparison::throttled, SpikeLevel::spike, noon, 0.12, 0.1, 0.02, 0.01, 34};
	BOOST_TEST(
		reason_text(answer, spike) ==
		"spike throttled: canary 12 % over 60 s, 10 % over 5 min from 34 units, base 1 %, control now 2 %; since "
		"2026-03-01 12:00:00 UTC; clears after 10 min below 2 %");
}

BOOST_AUTO_TEST_CASE(numbers_for_people) {
	BOOST_TEST(format_count(0) == "0");
	BOOST_TEST(format_count(999) == "999");
	BOOST_TEST(format_count(1000) == "1,000");
	BOOST_TEST(format_count(1e13) == "10,000,000,000,000");
	BOOST_TEST(format_ratio(1) == "1");
	BOOST_TEST(format_ratio(1.354) == "1.35");
	BOOST_TEST(format_ratio(4.177) == "4.2");
	BOOST_TEST(format_ratio(10) == "10");
	BOOST_TEST(format_ratio(0.03125) == "0.03");
	BOOST_TEST(format_percent(0.95) == "95 %");
	BOOST_TEST(format_percent(1e-6) == "0.0001 %");
	BOOST_TEST(odds_text(0) == "");
	BOOST_TEST(odds_text(-1e15) == "");
	BOOST_TEST(odds_text(std::log(213.5)) == "probability below 1/213");
	BOOST_TEST(odds_text(700) == "probability below 1/10^304");
	BOOST_TEST(odds_text(1e12) == "probability below 1/10^434,294,481,903");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
