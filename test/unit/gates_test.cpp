// From checks to an answer: the three gates, the decision, its reasons, and the checks on the rollout itself.

#include "core/gates.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(gate_answer)

void
fail_p0(GateInput &input) {
	report_missing(input, 1min);
}

void
fail_p1(GateInput &input) {
	report(input, Kind::write_rejected, 1min, 100'000);
}

void
fail_rollout(GateInput &input) {
	input.state.entered_at = input.now;
}

BOOST_DATA_TEST_CASE(a_healthy_rollout_is_green_at_every_stage, bdata::make(all_stages), stage) {
	const auto answer = evaluate(green(stage));
	BOOST_TEST(answer.green());
	BOOST_TEST(answer.decision == Decision::proceed);
	BOOST_TEST(answer.reasons.empty());
	BOOST_TEST(answer.p0_breach == "");
	BOOST_CHECK(!answer.earliest);
	for (const auto &result : answer.checks)
		if (result.check.enabled)
			BOOST_TEST(result.status == Status::pass, result.reason);
}

// All eight ways in which the gates can stand: P0 comes before everything else.
BOOST_DATA_TEST_CASE(p0_outranks_p1_and_rollout, bdata::make({0, 1, 2, 3, 4, 5, 6, 7}), broken) {
	const bool p0 = broken & 1;
	const bool p1 = broken & 2;
	const bool rollout = broken & 4;
	auto input = green();
	// A failure now also breaks quiet; that is a rule of its own.
	check_in(input, "quiet").enabled = false;
	if (p0)
		fail_p0(input);
	if (p1)
		fail_p1(input);
	if (rollout)
		fail_rollout(input);
	const auto answer = evaluate(input);
	BOOST_TEST(answer.p0_ok == !p0);
	BOOST_TEST(answer.p1_ok == !p1);
	BOOST_TEST(answer.rollout_ok == !rollout);
	BOOST_TEST(answer.decision == (p0 ? Decision::rollback : p1 || rollout ? Decision::hold : Decision::proceed));
	BOOST_TEST(answer.reasons.empty() == (broken == 0));
	BOOST_TEST(answer.green() == (broken == 0));
}

BOOST_AUTO_TEST_CASE(reasons_are_most_severe_first) {
	auto input = green();
	fail_p0(input);
	fail_p1(input);
	fail_rollout(input);
	silence(input, Kind::session_active, std::nullopt); // unknown, and so less than any failure
	const auto reasons = evaluate(input).reasons;
	std::vector<int> ranks;
	for (const auto &reason : reasons)
		ranks.push_back(contains(reason, "unknown") || contains(reason, "no usable data") ? 3
						: reason.starts_with("P0 ")                                       ? 0
						: reason.starts_with("P1 ")                                       ? 1
																						  : 2);
	BOOST_TEST(std::is_sorted(ranks.begin(), ranks.end()));
	for (const int rank : {0, 1, 2, 3})
		BOOST_TEST(std::count(ranks.begin(), ranks.end(), rank) > 0);
	BOOST_TEST(contains(reasons.front(), "ack_without_receipt_10s_rate"));
}

BOOST_AUTO_TEST_CASE(the_answer_carries_what_it_was_made_of) {
	auto input = green();
	input.mock_clock = true;
	input.telemetry->last_seen.fill(noon - 40s);
	input.telemetry->newest.fill(noon - 40s);
	const auto answer = evaluate(input);
	BOOST_CHECK(answer.evaluated_at == noon);
	BOOST_CHECK(answer.window_start == noon - 30min);
	BOOST_CHECK(answer.data_age == Duration(40s));
	BOOST_TEST(answer.mature_writes == 30 * per_minute);
	BOOST_TEST(answer.mock_clock);
	BOOST_TEST(answer.figures.size() == metric_rules().size());
	BOOST_TEST(answer.checks.size() == input.checks.size());
	BOOST_CHECK(answer.find("no such check") == nullptr);
	// Events reported by a clock that runs ahead are not of negative age.
	input.telemetry->last_seen.fill(noon + 4s);
	input.telemetry->newest.fill(noon + 4s);
	BOOST_CHECK(evaluate(input).data_age == Duration(0));
	// While live it is the canary's age that counts, else anybody's.
	input.telemetry->newest[static_cast<size_t>(Cohort::v11)] = noon - 90s;
	BOOST_CHECK(evaluate(input).data_age == Duration(90s));
	input.state = killed(noon);
	BOOST_CHECK(evaluate(input).data_age == Duration(0));
}

BOOST_AUTO_TEST_CASE(evaluating_twice_says_the_same) {
	auto input = green();
	fail_p1(input);
	const auto first = evaluate(input);
	const auto second = evaluate(input);
	BOOST_TEST(first.reasons == second.reasons, boost::test_tools::per_element());
	BOOST_TEST(first.decision == second.decision);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(breach_memory)

// A single breach is red from its own moment for exactly the window: [breach, breach + window).
BOOST_DATA_TEST_CASE(a_breach_stays_red_for_exactly_the_window, bdata::make({1, 30, 45, 60}), minutes) {
	const Duration window = std::chrono::minutes(minutes);
	std::vector<Duration> ages = {0s, instant, window - instant, window, window + instant};
	for (Duration age = 0s; age < window + 3min; age += 13s)
		ages.push_back(age);
	struct Breach {
		const char *check;
		void (*report)(GateInput &, Duration);
	};
	for (const auto &breach :
		 {Breach{"ack_without_receipt_10s_rate", [](GateInput &i, Duration age) { report_missing(i, age); }},
		  Breach{"timeline_duplicate_detected_rate",
				 [](GateInput &i, Duration age) { report(i, Kind::timeline_duplicate, age); }},
		  Breach{"read_rollback_detected_rate",
				 [](GateInput &i, Duration age) { report(i, Kind::read_rollback, age); }}})
		for (const auto age : ages) {
			auto input = green();
			input.settings.p0_clear_window = window;
			breach.report(input, age);
			const bool red = age < window;
			BOOST_TEST_CONTEXT(breach.check << " after " << format_duration(age)) {
				BOOST_TEST(status_of(input, breach.check) == (red ? Status::fail : Status::pass));
				const auto answer = evaluate(input);
				BOOST_TEST(answer.p0_ok == !red);
				BOOST_TEST(!answer.p0_breach.empty() == red);
			}
		}
}

// send_stall_rate looks back 5 min, and yet its breach counts for the whole of p0_clear_window.
BOOST_DATA_TEST_CASE(a_stall_is_remembered_beyond_its_own_window, bdata::make({1, 5, 30, 60}), minutes) {
	const Duration window = std::chrono::minutes(minutes);
	std::vector<Duration> ages = {window - instant, window, 5min - instant, 5min};
	for (Duration age = 0s; age < window + 3min; age += 13s)
		ages.push_back(age);
	for (const auto age : ages) {
		auto input = green();
		input.settings.p0_clear_window = window;
		report_stalls(input, age, 100 * per_minute, 3);
		const auto answer = evaluate(input);
		BOOST_TEST_CONTEXT("after " << format_duration(age)) {
			BOOST_TEST(answer.p0_ok == (age >= 5min));
			BOOST_TEST(!answer.p0_breach.empty() == (age < std::max<Duration>(window, 5min)));
		}
	}
}

BOOST_AUTO_TEST_CASE(a_check_that_counts_nowhere_makes_no_breach) {
	auto input = green();
	report_stalls(input, 10min, 100 * per_minute, 3);
	BOOST_TEST(evaluate(input).p0_breach != "");
	check_in(input, "send_stall_rate").enabled = false;
	BOOST_TEST(evaluate(input).p0_breach == "");
}

BOOST_AUTO_TEST_CASE(enough_slices_are_asked_for) {
	// Window of the longest check, and before it as far back as a breach may lie.
	BOOST_TEST(telemetry_minutes(green(Stage::canary_1)) >= 60);
	auto input = green(Stage::canary_10);
	input.settings.p0_clear_window = 24h;
	BOOST_TEST(telemetry_minutes(input) >= 2 * 24 * 60);
}

// However old a failure is, slices beyond those asked for never change the answer.
BOOST_DATA_TEST_CASE(slices_beyond_those_asked_for_change_nothing, bdata::make(all_stages), stage) {
	for (size_t age = 0; age < 200; ++age) {
		auto input = green(stage);
		report_stalls(input, std::chrono::minutes(age), 100 * per_minute, 3);
		report(input, Kind::read_rollback, std::chrono::minutes(age));
		const auto all = evaluate(input);
		slices_of(input).resize(static_cast<size_t>(telemetry_minutes(input)));
		const auto some = evaluate(input);
		BOOST_REQUIRE(all.decision == some.decision);
		BOOST_REQUIRE(all.reasons == some.reasons);
		BOOST_REQUIRE(all.p0_breach == some.p0_breach);
	}
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(rollout_checks)

struct DwellCase {
	Stage stage;
	Duration needed;
};

std::ostream &
operator<<(std::ostream &out, const DwellCase &c) {
	return out << c.stage;
}

const std::vector<DwellCase> dwells = {
	{Stage::canary_1, 30min}, {Stage::canary_10, 2h}, {Stage::canary_50, 12h}, {Stage::full, 24h}};

BOOST_DATA_TEST_CASE(dwell_passes_at_its_very_end, bdata::make(dwells), c) {
	for (const auto &[spent, status] : {std::pair<Duration, Status>{0s, Status::fail},
										{c.needed - 1s, Status::fail},
										{c.needed - instant, Status::fail},
										{c.needed, Status::pass},
										{c.needed + instant, Status::pass}}) {
		auto input = green(c.stage);
		input.state.entered_at = noon - spent;
		const auto result = result_of(input, "dwell");
		BOOST_TEST(result.status == status);
		if (status == Status::fail) {
			BOOST_REQUIRE(result.clears_at.has_value());
			BOOST_TEST(format_utc(*result.clears_at) == format_utc(noon - spent + c.needed));
			// Nothing else is missing, so the answer as a whole knows when it will be green.
			const auto answer = evaluate(input);
			BOOST_TEST(answer.decision == Decision::hold);
			BOOST_CHECK(answer.earliest == noon - spent + c.needed);
		}
	}
}

BOOST_AUTO_TEST_CASE(dwell_follows_the_policy_table) {
	auto input = green(Stage::canary_1);
	input.policies[0].min_duration = 31min;
	BOOST_TEST(status_of(input, "dwell") == Status::fail);
	input.policies[0].min_duration = 0s;
	BOOST_TEST(status_of(input, "dwell") == Status::pass);
}

struct ShareCase {
	Stage stage;
	std::int64_t canary;
	std::int64_t all;
	Status status;
};

std::ostream &
operator<<(std::ostream &out, const ShareCase &c) {
	return out << c.stage << " " << c.canary << " of " << c.all;
}

// Within a factor of 2 of 1, 10, 50 and 100 percent, both ends included.
const std::vector<ShareCase> shares = {
	{Stage::canary_1, 1000, 100'000, Status::pass},
	{Stage::canary_1, 500, 100'000, Status::pass},
	{Stage::canary_1, 499, 100'000, Status::fail},
	{Stage::canary_1, 2000, 100'000, Status::pass},
	{Stage::canary_1, 2001, 100'000, Status::fail},
	{Stage::canary_1, 0, 100'000, Status::fail},
	{Stage::canary_10, 5000, 100'000, Status::pass},
	{Stage::canary_10, 4999, 100'000, Status::fail},
	{Stage::canary_10, 20'000, 100'000, Status::pass},
	{Stage::canary_10, 20'001, 100'000, Status::fail},
	{Stage::canary_50, 25'000, 100'000, Status::pass},
	{Stage::canary_50, 24'999, 100'000, Status::fail},
	{Stage::canary_50, 100'000, 100'000, Status::pass},
	{Stage::full, 100'000, 100'000, Status::pass},
	{Stage::full, 50'000, 100'000, Status::pass},
	{Stage::full, 49'999, 100'000, Status::fail},
	// Too few to tell, and none at all.
	{Stage::canary_50, 99, 99, Status::no_data},
	{Stage::canary_50, 50, 100, Status::pass},
	{Stage::canary_50, 0, 0, Status::no_data},
};

BOOST_DATA_TEST_CASE(the_share_of_the_canary_is_about_the_stages_percent, bdata::make(shares), c) {
	auto input = green(c.stage);
	input.telemetry->acks_since_entry[static_cast<size_t>(Cohort::v11)] = c.canary;
	input.telemetry->acks_since_entry[static_cast<size_t>(Cohort::v10)] = c.all - c.canary;
	BOOST_TEST(status_of(input, "cohort_share") == c.status);
	BOOST_TEST(evaluate(input).rollout_ok == (c.status == Status::pass));
}

struct EvidenceCase {
	Stage stage;
	std::int64_t needed;
};

std::ostream &
operator<<(std::ostream &out, const EvidenceCase &c) {
	return out << c.stage;
}

const std::vector<EvidenceCase> evidence = {{Stage::canary_1, 100}, {Stage::canary_10, 1000}, {Stage::canary_50, 5000}};

BOOST_DATA_TEST_CASE(evidence_takes_the_stages_samples, bdata::make(evidence), c) {
	auto input = green(c.stage);
	input.telemetry->mature_since_entry = c.needed;
	BOOST_TEST(status_of(input, "evidence") == Status::pass);
	input.telemetry->mature_since_entry = c.needed - 1;
	BOOST_TEST(status_of(input, "evidence") == Status::no_data);
	BOOST_TEST(evaluate(input).decision == Decision::hold);
}

BOOST_AUTO_TEST_CASE(evidence_takes_data_for_every_check_that_counts) {
	auto input = green();
	silence(input, Kind::session_active, std::nullopt);
	const auto result = result_of(input, "evidence");
	BOOST_TEST(result.status == Status::no_data);
	BOOST_TEST(contains(result.reason, "forced_resync_rate"));
	BOOST_TEST(contains(result.reason, "full_state_rate"));
	check_in(input, "forced_resync_rate").enabled = false;
	check_in(input, "full_state_rate").on_fail = OnFail::advise;
	BOOST_TEST(status_of(input, "evidence") == Status::pass);
}

// "Unknown is never green for a promotion", also where nobody asks for evidence.
BOOST_AUTO_TEST_CASE(unknown_is_not_green_while_evidence_is_off) {
	for (const bool advise : {false, true}) {
		auto input = green();
		auto &check = check_in(input, "evidence");
		check.enabled = advise;
		check.on_fail = advise ? OnFail::advise : OnFail::hold;
		BOOST_TEST(evaluate(input).green());
		silence(input, Kind::read_cursor, std::nullopt);
		BOOST_TEST(evaluate(input).decision == Decision::hold);
		BOOST_TEST(!evaluate(input).green());
	}
}

BOOST_AUTO_TEST_CASE(nothing_but_a_start_is_possible_before_it) {
	const auto input = not_started();
	const auto answer = evaluate(input);
	BOOST_TEST(!answer.rollout_ok);
	BOOST_TEST(answer.decision == Decision::hold);
	for (const auto *check : {"dwell", "quiet", "evidence", "cohort_share"})
		BOOST_TEST(answer.find(check)->status == Status::no_data);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(while_killed)

BOOST_AUTO_TEST_CASE(calm_is_green_although_nobody_reports) {
	const auto answer = evaluate(calm_after_kill());
	BOOST_TEST(answer.p0_ok);
	BOOST_TEST(answer.rollout_ok);
	BOOST_TEST(answer.decision == Decision::proceed);
	BOOST_TEST(answer.reasons.empty());
	BOOST_TEST(resume_blockers(answer).empty());
}

// At 3 a.m. people paste what they read: a killed rollout is not to be killed once more.
BOOST_AUTO_TEST_CASE(no_failing_check_advises_another_kill) {
	auto input = calm_after_kill();
	report_missing(input, 1min);
	report(input, Kind::timeline_duplicate, 1min);
	report(input, Kind::read_rollback, 1min);
	report_stalls(input, 1min, 50, 3);
	for (const auto &result : evaluate(input).checks)
		if (result.check.gate == Gate::p0) {
			BOOST_TEST(result.status == Status::fail);
			BOOST_TEST(!result.what_to_do.empty());
			BOOST_TEST(!contains(result.what_to_do, "true"), result.what_to_do);
		}
	// While it is live, that is the advice.
	input.state = live(Stage::canary_10, noon - 1h);
	BOOST_TEST(contains(result_of(input, "send_stall_rate").what_to_do, "('canary_1', true,"));
}

// Nobody is in the cohort, so nothing that is measured on it applies.
BOOST_DATA_TEST_CASE(stage_checks_do_not_apply, bdata::make({"dwell", "quiet", "evidence", "cohort_share"}), check) {
	auto input = calm_after_kill();
	input.telemetry->acks_since_entry = {};
	input.telemetry->mature_since_entry = 0;
	BOOST_TEST(status_of(input, check) == Status::pass);
}

BOOST_DATA_TEST_CASE(half_an_hour_must_pass, bdata::make({0, 1, 900, 1799, 1800, 1801}), seconds) {
	const auto input = calm_after_kill(std::chrono::seconds(seconds));
	const auto result = result_of(input, "killed");
	BOOST_TEST(result.status == (seconds < 1800 ? Status::fail : Status::pass));
	if (seconds < 1800)
		BOOST_TEST(format_utc(*result.clears_at) == format_utc(*input.state.entered_at + 30min));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
