#include "core/guard.hpp"

#include "fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace chat_v11;
using namespace std::chrono_literals;

namespace {

GateAnswer
answer_at(Stage stage, bool kill_switch, std::vector<CheckResult> checks) {
	GateAnswer answer;
	answer.state.exists = true;
	answer.state.stage = stage;
	answer.state.kill_switch = kill_switch;
	answer.checks = std::move(checks);
	return answer;
}

CheckResult
result(const char *check, OnFail on_fail, Status status, bool enabled = true) {
	CheckResult result;
	result.check = default_checks().front();
	result.check.name = check;
	result.check.on_fail = on_fail;
	result.check.enabled = enabled;
	result.status = status;
	result.reason = std::string(check) + " is bad";
	return result;
}

constexpr auto canary_10 = Stage::canary_10;

} // namespace

BOOST_AUTO_TEST_SUITE(guard)

BOOST_AUTO_TEST_CASE(it_kills_for_each_check_that_asks_for_it) {
	const auto act =
		guard_act(answer_at(canary_10, false,
							{result("a", OnFail::kill, Status::fail), result("b", OnFail::hold, Status::fail),
							 result("c", OnFail::kill, Status::fail), result("d", OnFail::kill, Status::pass)}));
	BOOST_REQUIRE(act);
	BOOST_TEST(act->kill);
	BOOST_TEST(act->note == "guard: a is bad; c is bad");
}

BOOST_AUTO_TEST_CASE(what_is_unknown_disabled_or_only_advice_is_no_reason) {
	BOOST_TEST(!guard_act(
		answer_at(canary_10, false,
				  {result("a", OnFail::kill, Status::no_data), result("b", OnFail::kill, Status::fail, false),
				   result("c", OnFail::advise, Status::fail), result("d", OnFail::hold, Status::fail)})));
}

BOOST_AUTO_TEST_CASE(nobody_is_killed_twice_or_before_a_start) {
	const auto red = result("a", OnFail::kill, Status::fail);
	BOOST_TEST(!guard_act(answer_at(Stage::canary_1, true, {red})));
	auto never_started = answer_at(Stage::canary_1, true, {red});
	never_started.state.exists = false;
	BOOST_TEST(!guard_act(never_started));
	never_started.state.kill_switch = false;
	BOOST_TEST(!guard_act(never_started));
}

BOOST_AUTO_TEST_CASE(it_rolls_back_where_that_is_asked_for_and_there_is_somewhere_to_go) {
	const auto back = result("a", OnFail::rollback, Status::fail);
	const auto act = guard_act(answer_at(canary_10, false, {back}));
	BOOST_REQUIRE(act);
	BOOST_TEST(!act->kill);
	BOOST_TEST(!guard_act(answer_at(Stage::canary_1, false, {back})));
	const auto both = guard_act(answer_at(Stage::canary_1, false, {back, result("b", OnFail::kill, Status::fail)}));
	BOOST_REQUIRE(both);
	BOOST_TEST(both->kill);
	BOOST_TEST(both->note == "guard: b is bad");
}

BOOST_AUTO_TEST_CASE(a_note_never_is_too_long) {
	auto red = result("a", OnFail::kill, Status::fail);
	red.reason = std::string(2 * max_note_bytes, 'x');
	BOOST_TEST(guard_act(answer_at(canary_10, false, {red}))->note.size() == max_note_bytes);
}

BOOST_AUTO_TEST_CASE(the_next_try_comes_later_each_time_up_to_half_a_minute) {
	BOOST_TEST((retry_after(1, 1s) == 1s));
	BOOST_TEST((retry_after(2, 1s) == 2s));
	BOOST_TEST((retry_after(5, 1s) == 16s));
	BOOST_TEST((retry_after(6, 1s) == 30s));
	BOOST_TEST((retry_after(1'000'000, 1s) == 30s));
	BOOST_TEST((retry_after(1, 60s) == 60s)); // never sooner than a round that went well
	BOOST_TEST((retry_after(3, 60s) == 60s));
}

BOOST_AUTO_TEST_CASE(what_a_worker_shows_is_read_again) {
	GuardLine line{"guarding", 1203, parse_iso("2026-03-01T12:00:00.000250Z"), 3.25, 2, "canary_10, live: HOLD"};
	const auto text = format_guard_line(line);
	const auto again = parse_guard_line(text);
	BOOST_REQUIRE(again);
	BOOST_TEST(again->state == line.state);
	BOOST_TEST(again->rounds == line.rounds);
	BOOST_TEST((again->ended == line.ended));
	BOOST_TEST(again->failures == line.failures);
	BOOST_TEST(again->milliseconds == 3.2, boost::test_tools::tolerance(0.02));
	BOOST_TEST(again->rest == line.rest);
	// The server cuts it at track_activity_query_size.
	const auto cut = parse_guard_line(text.substr(0, text.size() - line.rest.size() - 2));
	BOOST_REQUIRE(cut);
	BOOST_TEST(cut->rest == "");
	line.ended.reset();
	BOOST_TEST(!parse_guard_line(format_guard_line(line))->ended);
	for (const char *other : {"", "SELECT 1", "guarding", "guarding round x failures 0 ms 1 ended never: "})
		BOOST_TEST(!parse_guard_line(other));
}

BOOST_AUTO_TEST_CASE(notifications_are_json_that_fits) {
	State before;
	before.exists = true;
	before.stage = canary_10;
	before.version = 6;
	State after = before;
	after.stage = Stage::canary_1;
	after.kill_switch = true;
	after.version = 7;
	after.updated_at = parse_iso("2026-03-01T12:00:00.000000Z");
	after.updated_by = std::string(guard_name);
	auto json = nlohmann::json::parse(state_notification(before, after, "kill", Decision::rollback, "why"));
	BOOST_TEST(json["event"] == "state");
	BOOST_TEST(json["version"] == 7);
	BOOST_TEST(json["from"]["stage"] == "canary_10");
	BOOST_TEST(json["from"]["kill_switch"] == before.kill_switch);
	BOOST_TEST(json["to"]["kill_switch"] == true);
	BOOST_TEST(json["transition"] == "kill");
	BOOST_TEST(json["decision"] == "ROLLBACK");
	BOOST_TEST(json["reason"] == "why");
	BOOST_TEST(json["by"] == "chat_v11 guard");
	BOOST_TEST(json["at"] == "2026-03-01T12:00:00.000000Z");
	BOOST_TEST(nlohmann::json::parse(state_notification(before, after, "kill", std::nullopt, ""))["reason"].is_null());

	json = nlohmann::json::parse(
		decision_notification(after, Decision::proceed, Decision::hold, "slow", *after.updated_at));
	BOOST_TEST(json["event"] == "decision");
	BOOST_TEST(json["from"] == "PROCEED");
	BOOST_TEST(json["to"] == "HOLD");
	BOOST_TEST(json["version"] == 7);

	// At worst each byte takes six in JSON.
	const std::string control(20'000, '\x01');
	after.updated_by = control;
	BOOST_TEST(state_notification(before, after, "kill", Decision::rollback, control).size() < 8000u);
	const std::string broken(20'000, '\xff');
	after.updated_by = broken;
	BOOST_TEST(state_notification(before, after, "kill", Decision::rollback, broken).size() < 8000u);
}

BOOST_AUTO_TEST_SUITE_END()
