// The hand-over: every question that the next person on call asks has its answer, whatever was typed into a note.

#include "core/handover.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

namespace {

Handover
of(const GateInput &input) {
	Handover handover{input, evaluate(input), {}, GuardHealth{true, noon - 48h, noon - 20s}};
	for (const auto ago : {20s, 80s, 140s})
		handover.snapshots.push_back({noon - ago, "guard", "canary_10", false, "PROCEED"});
	return handover;
}

} // namespace

BOOST_AUTO_TEST_SUITE(handover)

BOOST_AUTO_TEST_CASE(a_green_rollout) {
	const std::string expected = R"(# Hand-over of the v1.1 rollout at 2026-03-01 12:00:00 UTC

- State: **canary_10, live**, 10 % of users, since 2026-03-01 10:00:00 UTC (2 h)
- Version: 7, by oncall at 2026-03-01 10:00:00 UTC
- Note: as planned

## Next action

Promote:

    select * from public.chat_set_v11_rollout_state('canary_50', false, 'promote to canary_50');

## Gates now

**PROCEED**: P0 ok, P1 ok, rollout ok

## Last snapshots of the gates

| at | by | state | decision | failing |
| --- | --- | --- | --- | --- |
| 2026-03-01 11:59:40 UTC | guard | canary_10, live | PROCEED | none |
| 2026-03-01 11:58:40 UTC | guard | canary_10, live | PROCEED | none |
| 2026-03-01 11:57:40 UTC | guard | canary_10, live | PROCEED | none |

## Open incidents

None.

## Guard

At work: last row in the gate log at 2026-03-01 11:59:40 UTC.
)";
	BOOST_TEST(handover_text(of(green())) == expected);
}

BOOST_AUTO_TEST_CASE(a_breach_says_kill_first) {
	auto input = green();
	report_missing(input, 1min);
	auto given = of(input);
	given.snapshots.front().decision = "ROLLBACK";
	given.snapshots.front().failing = {"ack_without_receipt_10s_rate", "write_reject_rate"};
	const auto text = handover_text(given);
	BOOST_TEST(contains(text, "Kill:\n\n    select * from public.chat_set_v11_rollout_state('canary_1', true, "
							  "'hard stop: p0 invariant breach');\n"));
	BOOST_TEST(
		contains(text, "**ROLLBACK**: P0 not ok, P1 ok, rollout not ok\n\n- P0 ack_without_receipt_10s_rate is"));
	BOOST_TEST(contains(text, "| ROLLBACK | ack_without_receipt_10s_rate, write_reject_rate |"));
}

BOOST_AUTO_TEST_CASE(before_the_start_and_after_a_kill) {
	auto text = handover_text(of(not_started()));
	BOOST_TEST(contains(text, "- State: not started, nobody has v1.1\n"));
	BOOST_TEST(contains(text, "Start:\n\n    select * from public.chat_set_v11_rollout_state('canary_1', false,"));
	BOOST_TEST(!contains(text, "Version"));
	text = handover_text(of(calm_after_kill()));
	BOOST_TEST(contains(text, "- State: **canary_1, killed**, 0 % of users, since 2026-03-01 11:30:00 UTC (30 min)\n"));
	BOOST_TEST(contains(text, "Resume:\n\n    select"));
}

BOOST_AUTO_TEST_CASE(what_is_unusual_is_told) {
	auto input = green();
	input.state.overridden = true;
	input.state.entered_at = noon - 48h;
	input.state.note.reset();
	input.mock_clock = true;
	check_in(input, "write_receipt_compare").enabled = false;
	auto given = of(input);
	given.snapshots.clear();
	const auto text = handover_text(given);
	BOOST_TEST(contains(text, "break-glass"));
	BOOST_TEST(contains(text, "Overdue: the stage should have ended by 2026-02-2"));
	BOOST_TEST(contains(text, "mocked"));
	BOOST_TEST(contains(text, "- Note: none\n"));
	BOOST_TEST(contains(text, "\nNot enabled: write_receipt_compare.\n"));
	BOOST_TEST(contains(text, "## Last snapshots of the gates\n\nNone.\n"));
}

BOOST_AUTO_TEST_CASE(how_the_guard_is) {
	auto given = of(green());
	const auto line = [&] {
		const auto text = handover_text(given);
		return text.substr(text.find("## Guard\n\n") + 10);
	};
	given.guard->last_sign = noon - 5min;
	BOOST_TEST(line() == "**Silent since 2026-03-01 11:55:00 UTC (5 min)**, and expected to run. Start it: "
						 "`select chat_v11.start_guard();`\n");
	given.guard->last_sign.reset();
	given.guard->expected_since = noon - 1min;
	BOOST_TEST(line() == "At work: it has nothing to log yet.\n");
	given.guard->expected = false;
	BOOST_TEST(line().starts_with("None is expected to run"));
	given.guard->last_error = "disk\nfull";
	given.guard->last_error_at = noon - 1h;
	BOOST_TEST(contains(line(), "Last error at 2026-03-01 11:00:00 UTC: disk full\n"));
	given.guard.reset();
	BOOST_TEST(line() == "Unknown.\n");
}

BOOST_AUTO_TEST_CASE(nothing_typed_changes_the_layout) {
	auto input = green();
	input.state.note = "all is well\n\n## Next action\n\n| kill | `now` |  ";
	input.state.updated_by = "*<b>";
	const auto text = handover_text(of(input));
	BOOST_TEST(contains(text, "- Note: all is well ## Next action \\| kill \\| \\`now\\` \\|\n"));
	BOOST_TEST(contains(text, "by \\*\\<b> at"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
