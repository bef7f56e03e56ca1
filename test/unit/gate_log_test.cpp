// The gate log: when a row is due, what a quiet period is, and since when a guard is silent.

#include "core/gate_json.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

namespace {

GateLogSample
row(Duration ago, bool by_guard = true, bool p0_ok = true, bool p1_ok = true) {
	return {noon - ago, by_guard, p0_ok, p1_ok};
}

} // namespace

BOOST_AUTO_TEST_SUITE(gate_log_due_rule)

BOOST_AUTO_TEST_CASE(the_first_row_is_due_at_once) {
	BOOST_TEST(gate_log_due(noon, true, true, {}, {}, worker_jitter));
	// A change's row is no guard's.
	BOOST_TEST(gate_log_due(noon, true, true, {}, row(1s, false), worker_jitter));
}

struct DueCase {
	Duration ago;
	bool due;
};

std::ostream &
operator<<(std::ostream &out, const DueCase &c) {
	return out << format_duration(c.ago);
}

const std::vector<DueCase> dues = {{0s, false},     {30s, false}, {59s, false}, {59500ms - instant, false},
								   {59500ms, true}, {60s, true},  {24h, true}};

BOOST_DATA_TEST_CASE(a_minute_later_the_next_is, bdata::make(dues), c) {
	BOOST_TEST(gate_log_due(noon, true, true, row(c.ago), row(c.ago), worker_jitter) == c.due);
}

// {before, now}, as P0 and P1: at once where a gate turned red, and only there.
BOOST_DATA_TEST_CASE(a_gate_that_turns_red_is_logged_at_once, bdata::xrange(16), bits) {
	const bool p0_before = bits & 1;
	const bool p1_before = bits & 2;
	const bool p0_now = bits & 4;
	const bool p1_now = bits & 8;
	const bool turned = (p0_before && !p0_now) || (p1_before && !p1_now);
	BOOST_TEST(gate_log_due(noon, p0_now, p1_now, row(30s), row(10s, false, p0_before, p1_before), worker_jitter) ==
			   turned);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(quiet_period)

BOOST_DATA_TEST_CASE(a_watched_period_without_failure_is_quiet, bdata::make(all_stages), stage) {
	BOOST_TEST(status_of(green(stage), "quiet") == Status::pass);
}

struct QuietCase {
	Stage stage;
	Duration quiet;
	Gate gate;
};

std::ostream &
operator<<(std::ostream &out, const QuietCase &c) {
	return out << c.gate << " at " << c.stage;
}

const std::vector<QuietCase> quiets = {
	{Stage::canary_1, 15min, Gate::p1},
	{Stage::canary_10, 30min, Gate::p0},
	{Stage::canary_10, 30min, Gate::p1},
	{Stage::canary_50, 2h, Gate::p0},
};

// Red until the next row, a minute later, and from then on the period counts.
BOOST_DATA_TEST_CASE(quiet_is_reached_a_period_after_the_first_green_row, bdata::make(quiets), c) {
	for (Duration ago = 1min; ago <= c.quiet + 1min; ago += 1min) {
		auto input = green(c.stage);
		log_failure(input, ago, "some_rate", c.gate);
		const auto result = result_of(input, "quiet");
		const bool quiet = ago == c.quiet + 1min;
		BOOST_TEST_CONTEXT("red row " << format_duration(ago) << " ago") {
			BOOST_REQUIRE(result.status == (quiet ? Status::pass : Status::fail));
			if (quiet)
				continue;
			BOOST_REQUIRE(result.clears_at.has_value());
			BOOST_REQUIRE(*result.clears_at == noon - ago + 1min + c.quiet);
			BOOST_TEST(contains(result.reason, "some_rate failed at " + format_utc(noon - ago)));
			BOOST_CHECK(evaluate(input).earliest == result.clears_at);
		}
	}
}

BOOST_AUTO_TEST_CASE(a_red_row_lasts_until_a_green_one) {
	auto input = green();
	log_failure(input, 31min);
	BOOST_TEST(status_of(input, "quiet") == Status::pass);
	// Nobody looked for two minutes: it may have been red until just before the next look, and that is in the period.
	std::erase_if(input.gate_log, [](const auto &each) { return each.at == noon - 30min; });
	const auto result = result_of(input, "quiet");
	BOOST_TEST(result.status == Status::fail);
	BOOST_CHECK(result.clears_at == noon + 1min);
}

BOOST_AUTO_TEST_CASE(the_newest_row_may_be_red) {
	auto input = green();
	log_failure(input, 0s);
	const auto result = result_of(input, "quiet");
	BOOST_TEST(result.status == Status::fail);
	BOOST_TEST(contains(result.reason, "pending_forever_count"));
	BOOST_CHECK(!result.clears_at);
	// Nobody will write the green one.
	std::erase_if(input.gate_log, [](const auto &each) { return each.at > noon - 10min; });
	log_failure(input, 10min);
	BOOST_TEST(status_of(input, "quiet") == Status::fail);
	BOOST_TEST(contains(result_of(input, "quiet").what_to_do, "start_guard"));
}

BOOST_AUTO_TEST_CASE(a_row_names_its_gate_where_it_names_no_check) {
	BOOST_TEST(row(0s, true, false, false).culprits() == "a P0 check");
	BOOST_TEST(row(0s, true, true, false).culprits() == "a P1 check");
	auto named = row(0s, true, false);
	named.failing = {"a_rate", "b_rate"};
	BOOST_TEST(named.culprits() == "a_rate, b_rate");
}

BOOST_AUTO_TEST_CASE(a_failure_that_the_log_does_not_know_yet_counts) {
	auto input = green();
	report(input, Kind::write_rejected, 0s, 100'000);
	const auto result = result_of(input, "quiet");
	BOOST_TEST(result.status == Status::fail);
	BOOST_TEST(contains(result.reason, "write_reject_rate fails now"));
	BOOST_CHECK(!result.clears_at);
	BOOST_CHECK(!evaluate(input).earliest);
	check_in(input, "write_reject_rate").on_fail = OnFail::advise;
	BOOST_TEST(status_of(input, "quiet") == Status::pass);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_not_quiet) {
	auto input = green();
	input.gate_log_error = "it is of an older version";
	input.gate_log_outdated = true;
	auto result = result_of(input, "quiet");
	BOOST_TEST(result.status == Status::no_data);
	BOOST_TEST(contains(result.reason, "older version"));
	BOOST_TEST(result.what_to_do == "alter extension chat_v11 update;");
	BOOST_TEST(status_of(input, "evidence") == Status::pass);
	// Nor is it known whether a guard is silent.
	input.gate_log_outdated = false;
	BOOST_TEST(status_of(input, "quiet") == Status::no_data);
	BOOST_TEST(status_of(input, "evidence") == Status::no_data);
	BOOST_TEST(contains(to_json(evaluate(input), input.settings, {}), "\"gate_log_error\":\"it is of"));
	input = green();
	input.telemetry.reset();
	BOOST_TEST(status_of(input, "quiet") == Status::no_data);
}

// A deployment that sets the period to 0 asks for no quiet, even in the middle of a failure, and needs no log.
BOOST_AUTO_TEST_CASE(a_period_of_zero_asks_for_nothing) {
	auto input = green();
	input.policies[1].quiet_period = 0s;
	report(input, Kind::write_rejected, 0s, 100'000);
	input.gate_log.clear();
	input.gate_log_error = "gone";
	BOOST_TEST(status_of(input, "quiet") == Status::pass);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(unwatched)

BOOST_AUTO_TEST_CASE(no_row_at_all) {
	auto input = green();
	input.gate_log.clear();
	const auto result = result_of(input, "quiet");
	BOOST_TEST(result.status == Status::no_data);
	BOOST_TEST(result.reason == "quiet: no guard has watched the gates since 2026-03-01 11:30:00 UTC");
	BOOST_TEST(contains(result.what_to_do, "select chat_v11.start_guard();"));
	BOOST_TEST(contains(result.what_to_do, "set_policy('canary_10', p_quiet_period => '0'"));
	BOOST_CHECK(!result.clears_at);
}

// Two minutes at most between two rows, to the microsecond.
BOOST_AUTO_TEST_CASE(two_minutes_are_no_gap) {
	for (const auto &[more, status] : {std::pair<Duration, Status>{0s, Status::pass}, {instant, Status::no_data}}) {
		auto input = green();
		std::erase_if(input.gate_log, [](const auto &each) { return each.at == noon - 9min; });
		for (auto &each : input.gate_log)
			if (each.at == noon - 8min)
				each.at += more;
		const auto result = result_of(input, "quiet");
		BOOST_TEST(result.status == status);
		if (status == Status::pass)
			continue;
		BOOST_TEST(contains(result.reason, "from 2026-03-01 11:50:00 UTC to 2026-03-01 11:52:01 UTC"));
		// When no more than two minutes of it are left in the period.
		BOOST_CHECK(result.clears_at == noon - 8min + instant - 2min + 30min);
		BOOST_CHECK(evaluate(input).earliest == result.clears_at);
	}
}

BOOST_AUTO_TEST_CASE(the_last_gap_is_named) {
	auto input = green();
	std::erase_if(input.gate_log, [](const auto &each) {
		return (each.at > noon - 25min && each.at < noon - 20min) || (each.at > noon - 10min && each.at < noon - 5min);
	});
	BOOST_TEST(contains(result_of(input, "quiet").reason, "from 2026-03-01 11:50:00 UTC to 2026-03-01 11:55:00 UTC"));
}

BOOST_AUTO_TEST_CASE(a_guard_that_died_is_missed_after_two_minutes) {
	for (const auto &[ago, status] : {std::pair<Duration, Status>{2min, Status::pass}, {3min, Status::no_data}}) {
		auto input = green();
		const auto last = noon - ago;
		std::erase_if(input.gate_log, [&](const auto &each) { return each.at > last; });
		BOOST_TEST(status_of(input, "quiet") == status);
	}
}

// Only what lies in the period counts of a gap, and nothing from before the first start.
BOOST_AUTO_TEST_CASE(what_was_before_does_not_count) {
	auto input = green();
	std::erase_if(input.gate_log, [](const auto &each) { return each.at < noon - 28min; });
	BOOST_TEST(status_of(input, "quiet") == Status::pass);
	std::erase_if(input.gate_log, [](const auto &each) { return each.at < noon - 27min; });
	BOOST_TEST(status_of(input, "quiet") == Status::no_data);
	input.state.started_at = noon - 29min;
	BOOST_TEST(status_of(input, "quiet") == Status::pass);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(guard_silence)

struct SilenceCase {
	const char *what;
	GuardSign sign;
	Duration max_data_age;
	Duration started_ago;
	std::optional<Duration> silent_for;
};

std::ostream &
operator<<(std::ostream &out, const SilenceCase &c) {
	return out << c.what;
}

const std::vector<SilenceCase> silences = {
	{"at work", {true, noon - 30s}, 2min, 48h, {}},
	{"two minutes", {true, noon - 2min}, 2min, 48h, {}},
	{"longer", {true, noon - 2min - instant}, 2min, 48h, 2min + instant},
	{"data may be old", {true, noon - 9min}, 10min, 48h, {}},
	{"data must be fresh", {true, noon - 90s}, 1min, 48h, {}},
	{"not expected", {false, noon - 9min}, 2min, 48h, {}},
	{"no sign", {true, {}}, 2min, 48h, {}},
	{"just started", {true, noon - 9min}, 2min, 1min, {}},
	{"started before", {true, noon - 9min}, 2min, 5min, 5min},
	{"a clock set back", {true, noon + 9min}, 2min, 48h, {}},
};

BOOST_DATA_TEST_CASE(evidence_misses_an_expected_guard, bdata::make(silences), c) {
	auto input = green();
	input.guard = c.sign;
	input.settings.max_data_age = c.max_data_age;
	input.state.started_at = noon - c.started_ago;
	const auto result = result_of(input, "evidence");
	BOOST_TEST(result.status == (c.silent_for ? Status::no_data : Status::pass));
	if (c.silent_for) {
		BOOST_TEST(contains(result.reason, format_utc(floor_second(noon - *c.silent_for))), result.reason);
		BOOST_TEST(contains(result.what_to_do, "start_guard"));
	}
}

BOOST_AUTO_TEST_CASE(its_newest_sign) {
	BOOST_CHECK(newest_sign({}, {}, noon) == std::nullopt);
	BOOST_CHECK(newest_sign(noon - 9min, {}, noon) == noon - 9min);
	BOOST_CHECK(newest_sign({}, noon - 9min, noon) == noon - 9min);
	// Stopped and started again since its newest row.
	BOOST_CHECK(newest_sign(noon - 9min, noon - 1min, noon) == noon - 1min);
	BOOST_CHECK(newest_sign(noon - 1min, noon - 9min, noon) == noon - 1min);
	// Expected by the time of day, judged by a mocked clock.
	BOOST_CHECK(newest_sign(noon - 9min, noon + 1h, noon) == noon - 9min);
	BOOST_CHECK(newest_sign({}, noon + 1h, noon) == noon + 1h);
}

BOOST_AUTO_TEST_CASE(no_guard_can_be_expected_of_an_older_version) {
	auto input = green();
	input.guard.reset();
	BOOST_TEST(status_of(input, "evidence") == Status::pass);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(failing_names_what_counts) {
	auto input = green();
	report_missing(input, 1min);
	report(input, Kind::write_rejected, 1min, 100'000);
	input.state.entered_at = noon;
	BOOST_CHECK(
		(evaluate(input).failing() == std::vector<std::string>{"ack_without_receipt_10s_rate", "write_reject_rate"}));
	check_in(input, "write_reject_rate").on_fail = OnFail::advise;
	check_in(input, "ack_without_receipt_10s_rate").enabled = false;
	BOOST_CHECK(evaluate(input).failing().empty());
}

} // namespace chat_v11::test
