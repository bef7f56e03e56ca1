// What the canary analysis found, as checks of the gates and as one decision.

#include "core/gate_json.hpp"
#include "core/guard.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

using namespace analysis;

BOOST_AUTO_TEST_SUITE(comparison_checks)

constexpr auto resync = static_cast<std::size_t>(Comparison::forced_resync);
constexpr auto receipts = static_cast<std::size_t>(Comparison::slow_receipts);
constexpr auto recovery = static_cast<std::size_t>(Comparison::slow_recovery);

ComparisonAnswer &
comparison_in(GateInput &input, std::size_t i) {
	return input.analysis->comparisons[i];
}

void
fail(GateInput &input, std::size_t i, bool severe = false) {
	comparison_in(input, i).outcome = Outcome::fail;
	comparison_in(input, i).severe = severe;
}

SpikeAnswer &
spike_in(GateInput &input, Comparison comparison) {
	return *std::find_if(input.analysis->spikes.begin(), input.analysis->spikes.end(),
						 [&](const SpikeAnswer &each) { return each.comparison == comparison; });
}

BOOST_AUTO_TEST_CASE(each_comparison_has_a_check_that_is_switched_on) {
	auto input = green();
	for (const auto &rule : comparison_rules()) {
		const auto &check = check_in(input, rule.check);
		BOOST_TEST(check.counts());
		BOOST_TEST(check.metric == rule.metric);
		BOOST_TEST((check.judge != Judge::limit));
	}
	BOOST_TEST(evaluate(input).green());
}

BOOST_AUTO_TEST_CASE(what_stays_at_canary_1_tells_how_to_begin_anew) {
	const auto advice = [](Stage stage, auto &&change) {
		auto input = green(stage);
		change(input);
		return result_of(input, "forced_resync_compare").what_to_do;
	};
	const auto failed = [](GateInput &i) { fail(i, resync); };
	const auto severe = [](GateInput &i) { fail(i, resync, true); };
	const auto no_room = [](GateInput &i) { spoil(*i.analysis, Comparison::forced_resync, "no room", true); };
	const auto late = [](GateInput &i) { spoil(*i.analysis, Comparison::forced_resync, "20 of 30 came late"); };
	const auto swapped = [](GateInput &i) {
		i.analysis->distrusted = true;
		spoil(*i.analysis, "cohorts swapped");
	};
	const auto gap = [](GateInput &i) { spoil(*i.analysis, "6 of the last 30 buckets are missing"); };
	const std::string command = "select chat_v11.attest('analysis:new_build', 'which build', true);";
	BOOST_TEST(contains(advice(Stage::canary_1, failed), command));
	BOOST_TEST(contains(advice(Stage::canary_1, severe), command));
	BOOST_TEST(contains(advice(Stage::canary_1, no_room), command));
	BOOST_TEST(contains(advice(Stage::canary_1, swapped), command));
	BOOST_TEST(!contains(advice(Stage::canary_1, gap), command));
	BOOST_TEST(!contains(advice(Stage::canary_1, late), command));
	// Elsewhere one steps back.
	BOOST_TEST(!contains(advice(Stage::canary_10, failed), command));
}

BOOST_AUTO_TEST_CASE(pass_is_pass_with_its_figures) {
	auto input = green();
	const auto rates = result_of(input, "forced_resync_compare");
	BOOST_TEST(rates.status == Status::pass);
	BOOST_TEST(*rates.figure.value == 0.9); // the ratio, not the rate
	BOOST_TEST(rates.figure.numerator == 10);
	BOOST_TEST(rates.figure.denominator == 1000);
	BOOST_TEST(*rates.limit == 1.25);
	BOOST_TEST(*rates.control_value == 100.0 / 9000);
	BOOST_TEST(rates.reason.starts_with("PASS forced_resync: canary 10 of 1,000, control 100 of 9,000; 0.9x"));
	BOOST_CHECK(rates.data_age == Duration(10s));
	// Of durations the shares are compared: if the canary took as much longer as is allowed, they would be the same.
	BOOST_TEST(*result_of(input, "write_receipt_compare").limit == 1);

	auto full = green(Stage::full);
	full.analysis->comparisons[resync].q_base = 0.002;
	BOOST_TEST(*result_of(full, "forced_resync_compare").control_value == 0.002);
	BOOST_TEST(*result_of(full, "forced_resync_compare").limit == 1.5);
}

// One thing at a time that the analysis may say of one comparison, and what becomes of it.
struct VerdictCase {
	const char *what;
	void (*change)(GateInput &);
	Status status;
	bool severe;
	Decision decision;
	const char *reason; // of the check: how it begins
	const char *what_to_do;
};

std::ostream &
operator<<(std::ostream &out, const VerdictCase &c) {
	return out << c.what;
}

const std::vector<VerdictCase> verdicts = {
	{"PASS", [](GateInput &) {}, Status::pass, false, Decision::proceed, "PASS forced_resync: ", ""},
	{"WAIT", [](GateInput &i) { comparison_in(i, resync).outcome = Outcome::wait; }, Status::no_data, false,
	 Decision::hold, "WAIT forced_resync: ", "Wait for traffic of both cohorts"},
	{"FAIL", [](GateInput &i) { fail(i, resync); }, Status::fail, false, Decision::hold,
	 "FAIL forced_resync: ", "Do not promote"},
	{"severe", [](GateInput &i) { fail(i, resync, true); }, Status::fail, true, Decision::rollback,
	 "FAIL forced_resync: ", "Step back: select * from public.chat_set_v11_rollout_state('canary_1', false"},
	{"severe, on events that may not be all",
	 [](GateInput &i) {
		 fail(i, resync, true);
		 comparison_in(i, resync).complete = analysis::Complete::unknown;
	 },
	 Status::fail, false, Decision::hold, "FAIL forced_resync: ", "Do not promote"},
	{"severe, on events that came late, and a storm in the canary",
	 [](GateInput &i) {
		 fail(i, resync, true);
		 comparison_in(i, resync).complete = analysis::Complete::no;
		 spike_in(i, Comparison::forced_resync).level = SpikeLevel::storm_in_canary;
	 },
	 Status::fail, true, Decision::rollback, "storm in the canary forced_resync: ", "Step back"},
	{"severe at canary_1",
	 [](GateInput &i) {
		 i = green(Stage::canary_1);
		 fail(i, resync, true);
	 },
	 Status::fail, true, Decision::rollback, "FAIL forced_resync: ", "Nothing is below canary_1 but the kill"},
	{"its own counts cannot be",
	 [](GateInput &i) {
		 comparison_in(i, resync).outcome = Outcome::data;
		 comparison_in(i, resync).fault = "more bad than all";
	 },
	 Status::no_data, false, Decision::hold, "data forced_resync: more bad than all", "Mend the telemetry"},
	{"its users are too many, at canary_1",
	 [](GateInput &i) {
		 i = green(Stage::canary_1);
		 spoil(*i.analysis, Comparison::forced_resync, "too many", true);
	 },
	 Status::no_data, false, Decision::hold, "data forced_resync: too many",
	 "Mend the telemetry; docs/analysis.md tells what each fault may be. A kill still works. To begin the evidence "
	 "anew"},
	{"spike", [](GateInput &i) { spike_in(i, Comparison::forced_resync).level = SpikeLevel::spike; }, Status::fail,
	 false, Decision::hold, "spike forced_resync: ", "Do not promote into it"},
	{"storm in both", [](GateInput &i) { spike_in(i, Comparison::forced_resync).level = SpikeLevel::storm; },
	 Status::fail, false, Decision::hold, "storm forced_resync: ", "Do not promote into it"},
	{"storm in the canary",
	 [](GateInput &i) { spike_in(i, Comparison::forced_resync).level = SpikeLevel::storm_in_canary; }, Status::fail,
	 true, Decision::rollback, "storm in the canary forced_resync: ", "Step back"},
	{"storm in the canary at full",
	 [](GateInput &i) {
		 i = green(Stage::full);
		 spike_in(i, Comparison::forced_resync).level = SpikeLevel::storm_in_canary;
	 },
	 Status::fail, false, Decision::hold, "storm in the canary forced_resync: ", "Do not promote into it"},
	// A plain FAIL holds, which must not hide what rolls back.
	{"FAIL and a storm in the canary",
	 [](GateInput &i) {
		 fail(i, resync);
		 spike_in(i, Comparison::forced_resync).level = SpikeLevel::storm_in_canary;
	 },
	 Status::fail, true, Decision::rollback, "storm in the canary forced_resync: ", "Step back"},
	{"FAIL and a spike",
	 [](GateInput &i) {
		 fail(i, resync);
		 spike_in(i, Comparison::forced_resync).level = SpikeLevel::spike;
	 },
	 Status::fail, false, Decision::hold, "FAIL forced_resync: ", "Do not promote"},
	{"cohorts swapped, and a storm",
	 [](GateInput &i) {
		 i.analysis->fault = "swapped";
		 i.analysis->distrusted = true;
		 comparison_in(i, resync).outcome = Outcome::data;
		 comparison_in(i, resync).fault = "swapped";
		 spike_in(i, Comparison::forced_resync).level = SpikeLevel::storm_in_canary;
	 },
	 Status::no_data, false, Decision::hold, "data forced_resync: swapped", "Mend the telemetry"},
	{"update to come", [](GateInput &i) { i.analysis_outdated = true; }, Status::no_data, false, Decision::hold,
	 "forced_resync_compare is unknown: ", "alter extension chat_v11 update;"},
	{"unreadable",
	 [](GateInput &i) {
		 i.analysis.reset();
		 i.analysis_error = "the disk is gone";
	 },
	 Status::no_data, false, Decision::hold,
	 "forced_resync_compare is unknown: the analysis cannot be read: the disk is gone", ""},
	{"none", [](GateInput &i) { i.analysis.reset(); }, Status::no_data, false, Decision::hold,
	 "forced_resync_compare is unknown: there is no analysis", "Wait for traffic"},
	{"an answer that is cut short", [](GateInput &i) { i.analysis->comparisons.resize(1); }, Status::no_data, false,
	 Decision::hold, "forced_resync_compare is unknown: this version does not know", ""},
};

BOOST_DATA_TEST_CASE(what_is_found_becomes_a_status_and_a_decision, bdata::make(verdicts), c) {
	auto input = green();
	c.change(input);
	const auto result = result_of(input, "forced_resync_compare");
	const auto answer = evaluate(input);
	BOOST_TEST(result.status == c.status);
	BOOST_TEST(result.severe == c.severe);
	BOOST_TEST(name(answer.decision) == name(c.decision));
	BOOST_TEST(result.reason.starts_with(c.reason), result.reason);
	BOOST_TEST(result.what_to_do.starts_with(c.what_to_do), result.what_to_do);
	BOOST_TEST(answer.p0_ok);
	BOOST_TEST(answer.p1_ok == (c.status != Status::fail));
	if (c.severe)
		BOOST_TEST(answer.first_reason() == "P1 " + result.reason);
}

// What people switched off, or want as advice, is shown and counts for nothing.
BOOST_AUTO_TEST_CASE(switched_off_or_advice_decides_nothing) {
	auto input = green();
	fail(input, resync, true);
	check_in(input, "forced_resync_compare").on_fail = OnFail::advise;
	BOOST_TEST(evaluate(input).green());
	BOOST_TEST(status_of(input, "forced_resync_compare") == Status::fail);
	check_in(input, "forced_resync_compare").on_fail = OnFail::hold;
	check_in(input, "forced_resync_compare").enabled = false;
	BOOST_TEST(evaluate(input).green());
	BOOST_TEST(result_of(input, "forced_resync_compare").reason == "forced_resync_compare: not enabled");
}

BOOST_AUTO_TEST_CASE(evidence_and_quiet_know_them) {
	auto input = green();
	comparison_in(input, resync).outcome = Outcome::wait;
	BOOST_TEST(result_of(input, "evidence").reason == "evidence: no usable data for forced_resync_compare");
	fail(input, resync);
	BOOST_TEST(contains(result_of(input, "quiet").reason, "forced_resync_compare fails now"));
	BOOST_TEST(evaluate(input).failing() == std::vector<std::string>{"forced_resync_compare"});
}

// Where a fault is of all the data, nothing is said of any comparison, and nothing is green or red.
BOOST_AUTO_TEST_CASE(a_fault_of_the_data_is_no_verdict) {
	auto input = green(Stage::canary_50);
	input.analysis->fault = "3 of the last 30 buckets are missing or cannot be believed";
	for (auto &check : input.analysis->comparisons) {
		check.outcome = Outcome::data;
		check.fault = input.analysis->fault;
	}
	const auto answer = evaluate(input);
	BOOST_TEST(name(answer.decision) == "HOLD");
	BOOST_TEST(answer.p1_ok);
	int seen = 0;
	for (const auto &result : answer.checks)
		if (result.check.judge != Judge::limit) {
			++seen;
			BOOST_TEST(result.status == Status::no_data);
			BOOST_TEST(result.reason.starts_with("data "), result.reason);
			BOOST_TEST(contains(result.reason, "3 of the last 30 buckets"));
		}
	BOOST_TEST(seen == 8);
}

BOOST_AUTO_TEST_CASE(nobody_in_the_cohort_nothing_to_compare) {
	auto killed = calm_after_kill();
	BOOST_TEST(evaluate(killed).green()); // also with the evidence of before
	fail(killed, resync, true);
	spike_in(killed, Comparison::throttled).level = SpikeLevel::storm_in_canary;
	for (auto *input : {&killed}) {
		BOOST_TEST(status_of(*input, "forced_resync_compare") == Status::pass);
		BOOST_TEST(contains(result_of(*input, "write_receipt_trend").reason, "nobody is in the cohort"));
	}
	BOOST_TEST(apply(killed, ask("canary_1", false)).state.live());
	killed.analysis.reset();
	killed.analysis_error = "gone";
	BOOST_TEST(apply(killed, ask("canary_1", false)).state.live());

	auto start = not_started();
	start.analysis.reset();
	BOOST_TEST(status_of(start, "write_receipt_compare") == Status::pass);
	BOOST_TEST(apply(start, ask("canary_1", false)).state.live());
}

// ---- What is rightly rare -------------------------------------------------------------------------------------------

GateInput
without_recoveries() {
	auto input = green();
	for (auto &cohort : {Cohort::v10, Cohort::v11})
		for (auto &slice : slices_of(input, cohort))
			slice.of(Kind::recovery_done) = 0;
	comparison_in(input, recovery).outcome = Outcome::wait;
	comparison_in(input, recovery).totals = {};
	comparison_in(input, recovery).fault = "control had no durations in the last 15 min";
	input.telemetry->last_seen[static_cast<size_t>(Kind::recovery_done)] = noon - 3 * 24h;
	return input;
}

BOOST_AUTO_TEST_CASE(no_recovery_at_all_is_no_reason_to_wait) {
	auto input = without_recoveries();
	const auto result = result_of(input, "recovery_p95_ms");
	BOOST_TEST(result.status == Status::pass);
	BOOST_TEST(result.reason == "recovery_p95_ms: none in the window");
	BOOST_TEST(evaluate(input).green());
}

struct RareCase {
	const char *what;
	void (*change)(GateInput &);
};

std::ostream &
operator<<(std::ostream &out, const RareCase &c) {
	return out << c.what;
}

const std::vector<RareCase> not_known_to_be_none = {
	{"one in the window", [](GateInput &i) { report(i, Kind::recovery_done, 5min); }},
	{"some in the stage", [](GateInput &i) { comparison_in(i, recovery).totals.n = 3; }},
	{"nobody ever reported any",
	 [](GateInput &i) { i.telemetry->last_seen[static_cast<size_t>(Kind::recovery_done)].reset(); }},
	{"the telemetry has gone silent", [](GateInput &i) { go_stale(i, 3min); }},
	{"the evidence has not begun", [](GateInput &i) { i.analysis->evidence_until.reset(); }},
	{"the check does not say that it is rare", [](GateInput &i) { check_in(i, "recovery_p95_ms").zero_ok = false; }},
};

BOOST_DATA_TEST_CASE(else_it_waits, bdata::make(not_known_to_be_none), c) {
	auto input = without_recoveries();
	c.change(input);
	BOOST_TEST(status_of(input, "recovery_p95_ms") == Status::no_data);
}

// ---- Drift ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(drift_is_judged_at_canary_50) {
	BOOST_TEST(result_of(green(), "write_receipt_trend").reason == "trend slow_receipts: judged at canary_50 only");
	auto input = green(Stage::canary_50);
	input.analysis->trend_last = TrendWatch::Look{9, {36, 30, 5390, 0.4, 0.0001, 0, 0, 0.4}};
	const auto passing = result_of(input, "write_receipt_trend");
	BOOST_TEST(passing.status == Status::pass);
	BOOST_TEST(std::abs(*passing.limit - 0.1) < 1e-12);
	BOOST_TEST(std::abs(*passing.figure.value - std::expm1(0.0096)) < 1e-12);
	BOOST_TEST(passing.figure.denominator == 36);
	// It rests on the same durations.
	auto late = input;
	spoil(*late.analysis, Comparison::slow_receipts, "20 of 30 came late");
	BOOST_TEST(status_of(late, "write_receipt_trend") == Status::no_data);
	BOOST_TEST(result_of(late, "write_receipt_trend").reason == "data trend slow_receipts: 20 of 30 came late");
	late = input;
	spoil(*late.analysis, Comparison::slow_recovery, "20 of 30 came late");
	BOOST_TEST(status_of(late, "write_receipt_trend") == Status::pass);

	input.analysis->trend_known = false;
	const auto unknown = result_of(input, "write_receipt_trend");
	BOOST_TEST(unknown.status == Status::no_data);
	BOOST_TEST(
		unknown.reason ==
		"WAIT trend slow_receipts: only 36 quarters of an hour until hour 9 had enough durations of both cohorts");
	BOOST_TEST(contains(unknown.what_to_do, "set_check('write_receipt_trend', p_enabled => false"));
	input.analysis->trend_last.reset();
	BOOST_TEST(result_of(input, "write_receipt_trend").reason ==
			   "WAIT trend slow_receipts: the first look is in hour 8");
	BOOST_TEST(name(evaluate(input).decision) == "HOLD");

	input.analysis->trend_risen = TrendWatch::Look{9, {36, 300, 5390, 4.07, 0.002, 0, 0, 4.07}};
	const auto risen = result_of(input, "write_receipt_trend");
	BOOST_TEST(risen.status == Status::fail);
	BOOST_TEST(contains(risen.reason, "rises by 21.2 % a day in hour 9"));
	BOOST_TEST(name(evaluate(input).decision) == "HOLD");
	input.analysis->fault = "swapped";
	BOOST_TEST(status_of(input, "write_receipt_trend") == Status::fail);
	input.analysis->distrusted = true;
	BOOST_TEST(status_of(input, "write_receipt_trend") == Status::no_data);
}

// ---- What is done about it ------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_guard_acts_on_severe_ones_only_and_where_it_is_told_to) {
	auto input = green();
	auto &check = check_in(input, "forced_resync_compare");
	fail(input, resync, true);
	BOOST_TEST(!guard_act(evaluate(input)).has_value()); // `hold` leaves it to people
	check.on_fail = OnFail::rollback;
	const auto act = guard_act(evaluate(input));
	BOOST_REQUIRE(act.has_value());
	BOOST_TEST(!act->kill);
	BOOST_TEST(act->reason.starts_with("FAIL forced_resync"));
	fail(input, resync, false);
	BOOST_TEST(!guard_act(evaluate(input)).has_value());
	spike_in(input, Comparison::forced_resync).level = SpikeLevel::storm_in_canary;
	BOOST_TEST(guard_act(evaluate(input)).has_value());
	spike_in(input, Comparison::forced_resync).level = SpikeLevel::storm;
	BOOST_TEST(!guard_act(evaluate(input)).has_value());

	auto lowest = green(Stage::canary_1);
	fail(lowest, receipts, true);
	check_in(lowest, "write_receipt_compare").on_fail = OnFail::rollback;
	BOOST_TEST(!guard_act(evaluate(lowest)).has_value()); // nothing is below it
	check_in(lowest, "write_receipt_compare").on_fail = OnFail::kill;
	BOOST_TEST(guard_act(evaluate(lowest))->kill);
	fail(lowest, receipts, false);
	BOOST_TEST(!guard_act(evaluate(lowest)).has_value());
}

BOOST_AUTO_TEST_CASE(people_are_told_what_to_do) {
	auto input = green();
	fail(input, receipts);
	fail(input, resync, true);
	const auto answer = evaluate(input);
	BOOST_TEST(answer.first_reason().starts_with("P1 FAIL forced_resync"));
	const auto step = next_step(input.state, answer);
	BOOST_TEST(step.starts_with("Roll back. P1 FAIL forced_resync"), step);
	BOOST_TEST(contains(step, "'canary_1', false"));
	const auto refusal = refused(input, ask("canary_50", false));
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(refusal.hint().starts_with("Step back"), refusal.hint());
	BOOST_TEST(contains(refusal.detail(), "P1 fail: FAIL slow_receipts"));

	auto waiting = green();
	comparison_in(waiting, receipts).outcome = Outcome::wait;
	BOOST_TEST(next_step(waiting.state, evaluate(waiting)).starts_with("Hold. WAIT slow_receipts"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
