// The state machine, against a table written down here from the runbook and not from the code.

#include "core/transition.hpp"

#include "fixture.hpp"

#include <map>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(transition_table)

enum class Life { absent, killed, live };
constexpr std::array lives = {Life::absent, Life::killed, Life::live};

State
state_at(Life life, Stage stage) {
	auto state = live(stage, noon - 48h);
	state.kill_switch = life != Life::live;
	if (life == Life::absent) {
		state = {};
		state.stage = stage; // means nothing while there is no row
	}
	return state;
}

// from, asked with the kill switch off -> what it is.  Whatever is not here is refused.
const std::map<std::pair<std::string, std::string>, std::string> runbook = {
	{{"absent", "canary_1"}, "start"},       {{"killed", "canary_1"}, "resume"},
	{{"canary_1", "canary_1"}, "hold"},      {{"canary_1", "canary_10"}, "promote"},
	{{"canary_10", "canary_1"}, "rollback"}, {{"canary_10", "canary_10"}, "hold"},
	{{"canary_10", "canary_50"}, "promote"}, {{"canary_50", "canary_1"}, "rollback"},
	{{"canary_50", "canary_50"}, "hold"},    {{"canary_50", "full"}, "promote"},
	{{"full", "canary_1"}, "rollback"},      {{"full", "full"}, "hold"},
};

std::string
from_key(const State &state) {
	return !state.exists ? "absent" : state.kill_switch ? "killed" : std::string(name(state.stage));
}

std::optional<std::string>
expected_transition(const State &state, const std::string &stage, bool kill) {
	if (kill)
		return state.killed() ? "re-kill" : "kill";
	const auto row = runbook.find({from_key(state), stage});
	return row == runbook.end() ? std::nullopt : std::optional(row->second);
}

// Gates that let everything through, so that only the table decides.
GateAnswer
open_gates(const State &state) {
	auto answer = evaluate(green());
	answer.state = state;
	BOOST_REQUIRE(answer.green());
	return answer;
}

BOOST_DATA_TEST_CASE(every_request_from_every_state_is_as_the_runbook_says,
					 bdata::make(all_stages) * bdata::make({0, 1, 2}), stage, life) {
	const auto state = state_at(lives[static_cast<size_t>(life)], stage);
	const auto gates = open_gates(state);
	for (const bool kill : {false, true})
		for (const auto *target : {"canary_1", "canary_10", "canary_50", "full"}) {
			const auto request = ask(target, kill);
			const auto expected = expected_transition(state, target, kill);
			BOOST_TEST_CONTEXT("from " << from_key(state) << " to " << target << (kill ? ", on" : ", off")) {
				if (!expected) {
					const auto refusal = refusal_of([&] { classify(state, request, state.exists); });
					BOOST_TEST(refusal.token() == "ERR_INVALID_TRANSITION");
					BOOST_TEST(refusal.sqlstate() == "PT409");
					BOOST_TEST(!refusal.detail().empty());
					continue;
				}
				const auto classified = classify(state, request, state.exists);
				BOOST_TEST(name(classified.transition) == *expected);
				const auto accepted = decide(state, request, classified, &gates, {}, Preflight::enforce, noon);
				BOOST_TEST(accepted.state.exists);
				BOOST_TEST(name(accepted.state.stage) == (kill ? "canary_1" : target));
				BOOST_TEST(accepted.state.kill_switch == kill);
				BOOST_TEST(accepted.state.version == state.version + 1);
				BOOST_TEST(!accepted.overridden);
				BOOST_TEST(!accepted.state.overridden);
				BOOST_TEST(accepted.state.updated_by == "oncall");
				BOOST_TEST(*accepted.state.note == "a note");
				BOOST_CHECK(accepted.state.updated_at == noon);
				// A hold restarts the stage's clock; a second kill does not restart the kill's.
				BOOST_CHECK(accepted.state.entered_at == (*expected == "re-kill" ? state.entered_at : noon));
			}
		}
}

// Each refusal's hint is the next command: it must be one that the table has.
BOOST_DATA_TEST_CASE(what_a_refusal_offers_is_possible, bdata::make(all_stages) * bdata::make({0, 1, 2}), stage, life) {
	const auto state = state_at(lives[static_cast<size_t>(life)], stage);
	for (const auto *target : {"canary_1", "canary_10", "canary_50", "full"}) {
		const auto refusal = refusal_of([&] { classify(state, ask(target, false), state.exists); });
		if (refusal.token() == std::string_view("ACCEPTED"))
			continue;
		const std::string call = "select * from public.chat_set_v11_rollout_state('";
		BOOST_TEST_REQUIRE(refusal.hint().starts_with(call));
		const auto offered = refusal.hint().substr(call.size(), refusal.hint().find('\'', call.size()) - call.size());
		BOOST_TEST_REQUIRE(contains(refusal.hint(), "', false, '"));
		BOOST_TEST(runbook.contains({from_key(state), offered}));
	}
}

BOOST_DATA_TEST_CASE(what_is_no_stage_is_an_invalid_argument,
					 bdata::make({"", "canary_2", "CANARY_1", "full ", "canary_1; drop"}) * bdata::make({0, 1, 2}),
					 text, life) {
	for (const auto stage : all_stages) {
		const auto state = state_at(lives[static_cast<size_t>(life)], stage);
		const auto refusal = refusal_of([&] { classify(state, ask(text, false), state.exists); });
		BOOST_TEST(refusal.token() == "ERR_INVALID_ARGUMENT");
		BOOST_TEST(refusal.sqlstate() == "22023");
		BOOST_TEST(refusal.hint() == "Stages are canary_1, canary_10, canary_50 and full.");
	}
}

BOOST_DATA_TEST_CASE(a_null_stage_or_kill_switch_is_an_invalid_argument, bdata::make({0, 1, 2}), life) {
	const auto state = state_at(lives[static_cast<size_t>(life)], Stage::canary_10);
	auto request = ask("canary_1", false);
	request.stage.reset();
	BOOST_TEST(refusal_of([&] { classify(state, request, state.exists); }).token() == "ERR_INVALID_ARGUMENT");
	request = ask("canary_1", false);
	request.kill_switch.reset();
	BOOST_TEST(refusal_of([&] { classify(state, request, state.exists); }).token() == "ERR_INVALID_ARGUMENT");
}

struct DecisionCase {
	const char *transition;
	Decision decision;
};

std::ostream &
operator<<(std::ostream &out, const DecisionCase &c) {
	return out << c.transition;
}

const std::vector<DecisionCase> decisions = {{"start", Decision::proceed},   {"promote", Decision::proceed},
											 {"hold", Decision::hold},       {"rollback", Decision::hold},
											 {"kill", Decision::rollback},   {"resume", Decision::proceed},
											 {"re-kill", Decision::rollback}};

BOOST_DATA_TEST_CASE(each_transition_logs_its_decision, bdata::make(decisions), c) {
	int seen = 0;
	for (const auto stage : all_stages)
		for (const auto life : lives)
			for (const bool kill : {false, true})
				for (const auto target : all_stages) {
					const auto state = state_at(life, stage);
					if (expected_transition(state, std::string(name(target)), kill) != std::string(c.transition))
						continue;
					const auto request = ask(name(target), kill);
					const auto gates = open_gates(state);
					const auto accepted = decide(state, request, classify(state, request, state.exists), &gates, {},
												 Preflight::warn, noon);
					BOOST_TEST(accepted.decision == c.decision);
					++seen;
				}
	BOOST_TEST(seen > 0);
}

// The soft hold of the runbook is logged as what the gates called for at that moment.
BOOST_AUTO_TEST_CASE(a_step_down_is_a_rollback_when_the_gates_say_so) {
	auto input = green(Stage::canary_50);
	BOOST_TEST(apply(input, ask("canary_1", false)).decision == Decision::hold);
	report(input, Kind::write_rejected, 1min, 100'000);
	BOOST_TEST(apply(input, ask("canary_1", false)).decision == Decision::hold);
	report_missing(input, 1min);
	BOOST_TEST(apply(input, ask("canary_1", false)).decision == Decision::rollback);
	BOOST_TEST(apply(input, ask("canary_50", false)).decision == Decision::hold);
}

// "always": a red gate is a reason to hold or to step down, never one to refuse it.
BOOST_DATA_TEST_CASE(hold_and_rollback_pass_through_red_gates, bdata::make(all_stages), stage) {
	auto input = green(stage);
	report_missing(input, 1min);
	input.state.entered_at = noon;
	for (const bool readable : {true, false}) {
		if (!readable)
			input.telemetry.reset();
		BOOST_TEST(refused(input, ask(name(stage), false)).token() == "ACCEPTED");
		BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ACCEPTED");
	}
}

BOOST_AUTO_TEST_CASE(the_first_start_is_remembered) {
	const auto started = apply(not_started(), ask("canary_1", false)).state;
	BOOST_CHECK(started.started_at == noon);
	auto input = green(Stage::canary_1);
	input.state.started_at = noon - 100h;
	BOOST_CHECK(apply(input, ask("canary_10", false)).state.started_at == noon - 100h);
	BOOST_CHECK(apply(input, ask("canary_1", true)).state.started_at == noon - 100h);
	// A kill before any start starts nothing; the resume after it does.
	const auto killed_first = apply(not_started(), ask("canary_1", true)).state;
	BOOST_CHECK(!killed_first.started_at);
	auto resumed = calm_after_kill();
	resumed.state.started_at.reset();
	BOOST_CHECK(apply(resumed, ask("canary_1", false)).state.started_at == noon);
}

// A row that was lost must not be a way to a fresh start; killing stays possible.
BOOST_AUTO_TEST_CASE(a_missing_row_that_the_log_knows_of_can_only_be_killed) {
	const State state;
	for (const auto *target : {"canary_1", "canary_10", "canary_50", "full"})
		BOOST_TEST(refusal_of([&] { classify(state, ask(target, false), true); }).token() == "ERR_INVALID_TRANSITION");
	BOOST_TEST(name(classify(state, ask("canary_1", true), true).transition) == "kill");
}

// What a verifier asks of a row of the log, where a row that was not there reads as (canary_1, killed).
BOOST_AUTO_TEST_CASE(the_log_knows_exactly_the_steps_of_the_runbook) {
	std::vector<State> reachable = {State{}, state_at(Life::killed, Stage::canary_1)};
	for (const auto stage : all_stages)
		reachable.push_back(state_at(Life::live, stage));
	const std::vector<std::string> names = {"start", "promote", "hold", "rollback", "kill", "resume", "re-kill"};
	for (const auto &word : names)
		for (const auto &from : reachable)
			for (const auto to : all_stages)
				for (const bool to_kill : {false, true}) {
					std::set<std::string> possible;
					const auto target = std::string(name(to));
					if (!to_kill || to == Stage::canary_1)
						possible.insert(expected_transition(from, target, to_kill).value_or(""));
					// where the state row was lost, a kill starts from what a missing row reads as
					if (to_kill && to == Stage::canary_1 && from.kill_switch)
						possible.insert("kill");
					BOOST_TEST_CONTEXT(word << " from " << describe(from) << " to " << target
											<< (to_kill ? ", killed" : ""))
					BOOST_TEST(is_legal_step(*parse_transition(word), from, to, to_kill) == possible.contains(word));
				}
}

BOOST_AUTO_TEST_CASE(a_change_of_settings_moves_nothing) {
	for (const auto from : all_stages)
		for (const auto to : all_stages)
			for (const bool from_kill : {false, true})
				for (const bool to_kill : {false, true}) {
					State before;
					before.stage = from;
					before.kill_switch = from_kill;
					BOOST_TEST(is_legal_step(Transition::config, before, to, to_kill) ==
							   (from == to && from_kill == to_kill));
				}
}

BOOST_AUTO_TEST_CASE(names_are_read_as_they_are_shown) {
	for (const auto *word : {"start", "promote", "hold", "rollback", "kill", "resume", "re-kill", "config"})
		BOOST_TEST(name(parse_transition(word).value()) == word);
	for (const auto *word : {"", "rekill", "Start", "demote"})
		BOOST_CHECK(!parse_transition(word));
}

BOOST_AUTO_TEST_SUITE_END()

// A kill is never refused, whatever else is wrong.
BOOST_AUTO_TEST_SUITE(kill)

BOOST_AUTO_TEST_CASE(nothing_refuses_it) {
	const std::vector<std::optional<std::string>> stages = {
		"canary_1", "canary_10", "full", "no such stage", "", std::nullopt, std::string(100'000, 'x'), "\xff\xfe"};
	const std::vector<std::optional<std::string>> notes = {
		std::nullopt, "", "short", std::string(5000, 'n'), std::string(1'000'000, 'n'), "\xff\xfe\x80"};
	const std::vector<std::optional<std::string>> approvers = {std::nullopt, "", "oncall", std::string(5000, 'a')};
	const std::vector<std::optional<std::int64_t>> versions = {std::nullopt, 0, 6, 7, -1};

	auto blind = green(Stage::canary_50);
	blind.telemetry.reset();
	auto red = green(Stage::canary_50);
	report_missing(red, 1min);
	const std::vector<GateAnswer> answers = {evaluate(green()), evaluate(red), evaluate(blind)};
	std::vector<const GateAnswer *> gates = {nullptr};
	for (const auto &answer : answers)
		gates.push_back(&answer);

	std::vector<State> states = {State{}, killed(noon - 1min)};
	for (const auto stage : all_stages)
		states.push_back(live(stage, noon - 1s));

	for (const auto &state : states)
		for (const auto &stage : stages)
			for (const auto &note : notes)
				for (const auto &approver : approvers)
					for (const auto &version : versions)
						for (const auto *answer : gates)
							for (const bool forced : {false, true}) {
								Request request{stage, true, note, approver, version, forced, "oncall"};
								const auto classified = classify(state, request, !state.exists);
								const auto accepted = decide(state, request, classified, answer,
															 {{"row", false, "unmet", "do"}}, Preflight::enforce, noon);
								BOOST_REQUIRE(accepted.state.stage == Stage::canary_1);
								BOOST_REQUIRE(accepted.state.kill_switch);
								BOOST_REQUIRE(accepted.state.version == state.version + 1);
								BOOST_REQUIRE(accepted.decision == Decision::rollback);
								BOOST_REQUIRE(!accepted.overridden);
								BOOST_REQUIRE(accepted.state.note.value_or("").size() <= max_note_bytes);
								BOOST_REQUIRE(accepted.state.note.has_value() == note.has_value());
								BOOST_REQUIRE(classified.notice.empty() == (stage == "canary_1"));
							}
}

BOOST_AUTO_TEST_CASE(it_says_where_it_lands_when_another_stage_was_named) {
	const auto state = live(Stage::canary_50, noon);
	BOOST_TEST(classify(state, ask("canary_1", true), true).notice == "");
	BOOST_TEST(contains(classify(state, ask("full", true), true).notice, "\"full\""));
	auto request = ask("full", true);
	request.stage.reset();
	BOOST_TEST(contains(classify(state, request, true).notice, "null"));
	request.stage = std::string(100'000, 'x');
	BOOST_TEST(classify(state, request, true).notice.size() < 200u);
}

BOOST_AUTO_TEST_CASE(a_second_kill_does_not_restart_the_clock) {
	auto input = calm_after_kill(29min);
	const auto entered = input.state.entered_at;
	input.state = apply(input, ask("canary_1", true)).state;
	BOOST_CHECK(input.state.entered_at == entered);
	input.now += 1min;
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ACCEPTED");
}

BOOST_AUTO_TEST_CASE(it_ends_an_override) {
	auto input = green();
	input.state.overridden = true;
	BOOST_TEST(!apply(input, ask("canary_1", true)).state.overridden);
}

struct CutCase {
	const char *what;
	std::string text;
	size_t bytes;
	std::string cut;
};

std::ostream &
operator<<(std::ostream &out, const CutCase &c) {
	return out << c.what;
}

const std::vector<CutCase> cuts = {
	{"fits", "abc", 3, "abc"},
	{"plain", "abcd", 3, "abc"},
	{"two bytes, cut inside", "ab\u00e9", 3, "ab"},
	{"two bytes, cut behind", "ab\u00e9x", 4, "ab\u00e9"},
	{"three bytes, after the first", "a\u20acx", 2, "a"},
	{"three bytes, after the second", "a\u20acx", 3, "a"},
	{"three bytes, behind", "a\u20acx", 4, "a\u20ac"},
	{"four bytes, each place", "\U0001F600x", 3, ""},
	{"four bytes, behind", "\U0001F600x", 4, "\U0001F600"},
	{"nothing", "abc", 0, ""},
	{"empty", "", 5, ""},
};

BOOST_DATA_TEST_CASE(a_text_is_cut_at_a_characters_boundary, bdata::make(cuts), c) {
	BOOST_TEST(truncate_utf8(c.text, c.bytes) == c.cut);
}

// 5 kB of characters of each length, shifted byte by byte so that every position of the cut comes up.
BOOST_DATA_TEST_CASE(a_note_of_5_kb_is_cut_to_whole_characters, bdata::make({0, 1, 2, 3}), shift) {
	const std::vector<std::string> characters = {"n", "\u0436", "\u20ac", "\U0001F600"};
	for (const auto &character : characters) {
		std::string note(static_cast<size_t>(shift), '.');
		while (note.size() < 5000)
			note += character;
		auto request = ask("canary_1", true);
		request.note = note;
		const auto kept = *apply(green(), request).state.note;
		BOOST_TEST(kept.size() <= 4096u);
		BOOST_TEST(kept.size() > 4096u - character.size());
		BOOST_TEST((kept.size() - static_cast<size_t>(shift)) % character.size() == 0u);
		BOOST_TEST(note.starts_with(kept));
	}
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(arguments)

BOOST_AUTO_TEST_CASE(a_note_may_have_4_kb_and_an_approver_256_bytes) {
	auto request = ask("canary_10", false);
	request.note = std::string(4096, 'n');
	BOOST_TEST(refused(green(), request).token() == "ACCEPTED");
	request.note = std::string(4097, 'n');
	BOOST_TEST(refused(green(), request).token() == "ERR_INVALID_ARGUMENT");
	request.note.reset();
	BOOST_TEST(refused(green(), request).token() == "ACCEPTED"); // it is not asked for
	request.approved_by = std::string(256, 'a');
	BOOST_TEST(refused(green(), request).token() == "ACCEPTED");
	request.approved_by = std::string(257, 'a');
	BOOST_TEST(refused(green(), request).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_DATA_TEST_CASE(a_stale_version_is_a_conflict_that_names_the_other_change,
					 bdata::make({"canary_1", "canary_10", "canary_50"}), target) {
	const auto input = green(Stage::canary_10); // version 7, by oncall
	auto request = ask(target, false);
	for (const std::int64_t version : {0, 6, 8, -1}) {
		request.expected_version = version;
		const auto refusal = refused(input, request);
		BOOST_TEST(refusal.token() == "ERR_VERSION_CONFLICT");
		BOOST_TEST(refusal.sqlstate() == "PT409");
		for (const auto *part : {"canary_10", "version 7", "oncall"})
			BOOST_TEST(contains(refusal.detail(), part));
		BOOST_TEST(contains(refusal.detail(), format_utc(*input.state.updated_at)));
	}
	request.expected_version = 7;
	BOOST_TEST(refused(input, request).token() == "ACCEPTED");
}

// Before any row there is version 0.
BOOST_AUTO_TEST_CASE(a_start_may_expect_version_0) {
	auto request = ask("canary_1", false);
	request.expected_version = 0;
	BOOST_TEST(refused(not_started(), request).token() == "ACCEPTED");
	request.expected_version = 1;
	BOOST_TEST(refused(not_started(), request).token() == "ERR_VERSION_CONFLICT");
}

// A promotion that was decided before a kill and comes after it must lose, with a version or without.
BOOST_AUTO_TEST_CASE(a_promotion_that_comes_after_a_kill_loses) {
	auto input = green(Stage::canary_10);
	auto promote = ask("canary_50", false);
	promote.expected_version = input.state.version;
	input.state = apply(input, ask("canary_1", true)).state;
	BOOST_TEST(refused(input, promote).token() != "ACCEPTED");
	promote.expected_version.reset();
	BOOST_TEST(refused(input, promote).token() == "ERR_INVALID_TRANSITION");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(promotion)

struct DwellCase {
	Stage stage;
	const char *target;
	Duration needed;
};

std::ostream &
operator<<(std::ostream &out, const DwellCase &c) {
	return out << c.stage;
}

const std::vector<DwellCase> dwells = {
	{Stage::canary_1, "canary_10", 30min}, {Stage::canary_10, "canary_50", 2h}, {Stage::canary_50, "full", 12h}};

BOOST_DATA_TEST_CASE(a_second_too_early_is_refused_and_told_when, bdata::make(dwells), c) {
	auto input = green(c.stage);
	input.state.entered_at = noon - c.needed + 1s; // 29:59, 1:59:59, 11:59:59
	const auto refusal = refused(input, ask(c.target, false));
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(refusal.sqlstate() == "PT412");
	BOOST_TEST(contains(refusal.what(), c.target));
	BOOST_TEST(contains(refusal.detail(), "dwell"));
	BOOST_TEST(contains(refusal.hint(), "Earliest at 2026-03-01 12:00:01 UTC"));
	BOOST_TEST(contains(refusal.hint(), set_command(*parse_stage(c.target), false, "")
											.substr(0, set_command(*parse_stage(c.target), false, "").size() - 4)));

	input.state.entered_at = noon - c.needed + instant;
	BOOST_TEST(refused(input, ask(c.target, false)).token() == "ERR_GATE_CLOSED");
	input.state.entered_at = noon - c.needed; // 30:00, 2:00:00, 12:00:00
	BOOST_TEST(refused(input, ask(c.target, false)).token() == "ACCEPTED");
}

// What keeps a stage from the next one, each alone, and all of it told.
struct ClosedCase {
	const char *what;
	void (*spoil)(GateInput &);
	const char *detail;
};

std::ostream &
operator<<(std::ostream &out, const ClosedCase &c) {
	return out << c.what;
}

const std::vector<ClosedCase> closed = {
	{"missing receipt", [](GateInput &i) { report_missing(i, 1min); }, "P0 fail: ack_without_receipt_10s_rate"},
	{"duplicate", [](GateInput &i) { report(i, Kind::timeline_duplicate, 1min); },
	 "P0 fail: timeline_duplicate_detected_rate"},
	{"rejects", [](GateInput &i) { report(i, Kind::write_rejected, 1min, 100'000); }, "P1 fail: write_reject_rate"},
	{"pending", [](GateInput &i) { report(i, Kind::pending_forever, 1min); }, "P1 fail: pending_forever_count"},
	{"not quiet", [](GateInput &i) { log_failure(i, 20min); }, "rollout fail: quiet"},
	{"unwatched", [](GateInput &i) { i.gate_log.clear(); }, "rollout no_data: quiet"},
	{"silent guard", [](GateInput &i) { i.guard->newest = noon - 3min; }, "rollout no_data: evidence"},
	{"stale", [](GateInput &i) { i.telemetry->last_seen[1] = noon - 3min; },
	 "P0 no_data: ack_without_receipt_10s_rate"},
	{"silent", [](GateInput &i) { silence(i, Kind::read_cursor, {}); }, "P0 no_data: read_rollback_detected_rate"},
	{"silent canary", [](GateInput &i) { i.telemetry->newest[1] = noon - 3min; },
	 "P0 no_data: timeline_duplicate_detected_rate"},
	{"blind", [](GateInput &i) { i.telemetry.reset(); }, "P0 no_data: send_stall_rate"},
	{"few samples", [](GateInput &i) { i.telemetry->mature_since_entry = 999; }, "rollout no_data: evidence"},
	{"wrong share",
	 [](GateInput &i) {
		 i.telemetry->acks_since_entry = {1000, 1000};
	 },
	 "rollout fail: cohort_share"},
};

BOOST_DATA_TEST_CASE(any_check_that_is_not_green_refuses_it, bdata::make(closed), c) {
	auto input = green(Stage::canary_10);
	BOOST_TEST_REQUIRE(refused(input, ask("canary_50", false)).token() == "ACCEPTED");
	c.spoil(input);
	const auto refusal = refused(input, ask("canary_50", false));
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(contains(refusal.detail(), c.detail));
	BOOST_TEST(!refusal.hint().empty());
	// Never the refused command again, unless with the time from which on it may be accepted.
	BOOST_TEST((refusal.hint().starts_with("Earliest at ") || !contains(refusal.hint(), "promote to")));
}

BOOST_AUTO_TEST_CASE(a_refusal_lists_every_failing_check) {
	auto input = green(Stage::canary_10);
	for (const auto &c : closed)
		if (std::string_view(c.what) != "blind")
			c.spoil(input);
	const auto refusal = refused(input, ask("canary_50", false));
	const auto answer = evaluate(input);
	int failing = 0;
	for (const auto &result : answer.checks)
		if (result.check.enabled && result.status != Status::pass) {
			BOOST_TEST(contains(refusal.detail(), result.reason));
			++failing;
		}
	BOOST_TEST(failing >= 8);
}

// Where dwell and quiet are both short, the later of the two is when to come back.
BOOST_AUTO_TEST_CASE(the_earliest_time_is_the_last_of_those_that_are_missing) {
	auto input = green(Stage::canary_10);
	input.state.entered_at = noon - 2h + 10min;
	log_failure(input, 1min); // green by the row of just now, then 30 min of quiet
	const auto refusal = refused(input, ask("canary_50", false));
	BOOST_TEST(contains(refusal.hint(), "Earliest at 2026-03-01 12:30:00 UTC"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(start)

BOOST_AUTO_TEST_CASE(unmet_preconditions_warn_or_refuse_as_preflight_says) {
	auto input = not_started();
	input.telemetry->last_seen.fill(std::nullopt);
	input.telemetry->newest.fill(std::nullopt);
	const auto missing = unmet(gate_preconditions(input, evaluate(input)));
	BOOST_TEST_REQUIRE(!missing.empty());
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ACCEPTED");

	input.settings.preflight = Preflight::enforce;
	const auto refusal = refused(input, ask("canary_1", false));
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	for (const auto &each : missing)
		BOOST_TEST(contains(refusal.detail(), each.sentence()));
	BOOST_TEST(contains(refusal.hint(), missing.front().what_to_do));
	input.wired.fill(true);
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ACCEPTED");
}

BOOST_AUTO_TEST_CASE(it_goes_live_at_canary_1) {
	const auto accepted = apply(not_started(), ask("canary_1", false));
	BOOST_TEST(accepted.state.live());
	BOOST_TEST(accepted.state.version == 1);
	BOOST_TEST(accepted.decision == Decision::proceed);
	BOOST_CHECK(accepted.state.entered_at == noon);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(resume)

BOOST_AUTO_TEST_CASE(half_an_hour_after_the_kill_it_is_possible) {
	const auto refusal = refused(calm_after_kill(30min - 1s), ask("canary_1", false));
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(contains(refusal.hint(), "Earliest at 2026-03-01 12:00:01 UTC"));
	BOOST_TEST(refused(calm_after_kill(30min - instant), ask("canary_1", false)).token() == "ERR_GATE_CLOSED");
	BOOST_TEST(refused(calm_after_kill(30min), ask("canary_1", false)).token() == "ACCEPTED");
}

struct ResumeCase {
	const char *what;
	void (*report)(GateInput &, Duration age);
	const char *check;
};

std::ostream &
operator<<(std::ostream &out, const ResumeCase &c) {
	return out << c.what;
}

const std::vector<ResumeCase> breaches = {
	{"missing receipt", [](GateInput &i, Duration age) { report_missing(i, age); }, "ack_without_receipt_10s_rate"},
	{"duplicate", [](GateInput &i, Duration age) { report(i, Kind::timeline_duplicate, age); },
	 "timeline_duplicate_detected_rate"},
	{"read rollback", [](GateInput &i, Duration age) { report(i, Kind::read_rollback, age); },
	 "read_rollback_detected_rate"},
	{"stall, through its shorter window",
	 [](GateInput &i, Duration age) {
		 report(i, Kind::write_started, age, 10);
		 report_stalls(i, age, 10, 3);
	 },
	 "send_stall_rate"},
	{"given up", [](GateInput &i, Duration age) { report(i, Kind::pending_forever, age); }, "pending_forever_count"},
};

BOOST_DATA_TEST_CASE(a_breach_inside_the_window_refuses_it, bdata::make(breaches) * bdata::make({20, 30, 60}), c,
					 minutes) {
	const Duration window = std::chrono::minutes(minutes);
	for (const auto age : std::vector<Duration>{0s, 4min, 5min, 6min, 14min, 15min, window - 1min, window - instant,
												window, window + 1min}) {
		auto input = calm_after_kill(24h);
		input.settings.p0_clear_window = window;
		c.report(input, age);
		const auto refusal = refused(input, ask("canary_1", false));
		BOOST_TEST_CONTEXT(format_duration(age) << " ago") {
			BOOST_TEST(refusal.token() == (age < window ? "ERR_GATE_CLOSED" : "ACCEPTED"));
			if (age < window)
				BOOST_TEST(contains(refusal.detail(), c.check));
		}
	}
}

// Only time is missing, so the hint says when: not before the breach is gone, and at most a slice after.
BOOST_DATA_TEST_CASE(its_hint_names_the_time_when_the_breach_is_gone, bdata::make(breaches), c) {
	for (const auto age : {0s, 150s, 700s, 1500s, 1799s}) {
		auto input = calm_after_kill(24h);
		c.report(input, age);
		const auto gone = noon - age + 30min;
		const auto hint = refused(input, ask("canary_1", false)).hint();
		bool right = false;
		for (auto late = 0s; late <= 60s; ++late)
			right = right || contains(hint, "Earliest at " + format_utc(gone + late));
		BOOST_TEST(right, "the breach is gone at " << format_utc(gone) << ", and the hint is: " << hint);
	}
}

// Both waits must be over: half an hour since the breach, and half an hour since the kill that came later.
BOOST_AUTO_TEST_CASE(its_hint_waits_for_the_kill_as_well_as_for_the_breach) {
	for (const auto &c : breaches) {
		auto input = calm_after_kill(2min);
		c.report(input, 20min);
		const auto hint = refused(input, ask("canary_1", false)).hint();
		BOOST_TEST(contains(hint, "Earliest at 2026-03-01 12:28:00 UTC"), c.what << ": " << hint);
	}
}

// Of several breaches the one that is forgotten last decides, whatever the length of its check's own window.
BOOST_AUTO_TEST_CASE(its_hint_waits_for_the_last_of_several_breaches) {
	auto input = calm_after_kill(24h);
	report_missing(input, 29min);
	report_stalls(input, 10min, 50, 3);
	const auto hint = refused(input, ask("canary_1", false)).hint();
	BOOST_TEST(contains(hint, "Earliest at 2026-03-01 12:20:00 UTC"), hint);
}

// No traffic of the canary is natural while killed, other trouble is no P0.
BOOST_AUTO_TEST_CASE(what_is_neither_p0_nor_given_up_does_not_refuse_it) {
	auto input = calm_after_kill();
	report(input, Kind::write_rejected, 1min, 1000);
	report(input, Kind::session_active, 1min, 100);
	report(input, Kind::forced_resync, 1min, 100);
	BOOST_TEST(!evaluate(input).p1_ok);
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ACCEPTED");
	report_stalls(input, 1min, 50, 2); // two users are no mass stall
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ACCEPTED");
}

// "No P0 breach" cannot be said by somebody who sees nothing.
BOOST_AUTO_TEST_CASE(unreadable_telemetry_refuses_it) {
	auto input = calm_after_kill();
	input.telemetry.reset();
	input.telemetry_error = "disk full";
	const auto refusal = refused(input, ask("canary_1", false));
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(contains(refusal.detail(), "disk full"));
}

// Who switches the checks off that would say so has not made the rollout calm.
BOOST_AUTO_TEST_CASE(it_stays_shut_where_the_checks_that_refuse_are_switched_off) {
	auto input = calm_after_kill();
	report(input, Kind::write_started, 10min, 10);
	report_stalls(input, 10min, 10, 3);
	check_in(input, "killed").enabled = false;
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ERR_GATE_CLOSED");
	input = calm_after_kill();
	check_in(input, "killed").enabled = false;
	input.telemetry.reset();
	input.telemetry_error = "disk full";
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ERR_GATE_CLOSED");
}

// A clock that was set back must not leave a kill in the future, where no wait ever ends.
BOOST_AUTO_TEST_CASE(a_kill_of_the_future_is_a_kill_of_now) {
	const auto input = calm_after_kill(-1h);
	const auto accepted = apply(input, ask("canary_1", true));
	BOOST_CHECK(accepted.state.entered_at == noon);
}

BOOST_AUTO_TEST_CASE(it_goes_live_at_canary_1_with_a_new_clock) {
	const auto accepted = apply(calm_after_kill(), ask("canary_1", false));
	BOOST_TEST(accepted.state.live());
	BOOST_TEST(accepted.state.stage == Stage::canary_1);
	BOOST_CHECK(accepted.state.entered_at == noon);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(break_glass)

// Everything shut but P0: too early, no samples, no telemetry worth the name.
GateInput
shut(Stage stage) {
	auto input = green(stage);
	input.state.entered_at = noon - 1s;
	input.telemetry->mature_since_entry = 0;
	report(input, Kind::write_rejected, 1min, 100'000);
	return input;
}

BOOST_AUTO_TEST_CASE(it_skips_gates_and_dwell_and_is_marked) {
	for (const auto &[stage, target] :
		 {std::pair{Stage::canary_1, "canary_10"}, {Stage::canary_10, "canary_50"}, {Stage::canary_50, "full"}}) {
		const auto input = shut(stage);
		BOOST_TEST(refused(input, ask(target, false)).token() == "ERR_GATE_CLOSED");
		const auto accepted = apply(input, ask_forced(target));
		BOOST_TEST(name(accepted.state.stage) == target);
		BOOST_TEST(accepted.overridden);
		BOOST_TEST(accepted.state.overridden);
	}
}

BOOST_AUTO_TEST_CASE(it_skips_the_wait_after_a_kill_and_an_enforced_preflight) {
	BOOST_TEST(apply(calm_after_kill(1s), ask_forced("canary_1")).overridden);
	auto input = not_started();
	input.settings.preflight = Preflight::enforce;
	input.telemetry->last_seen.fill(std::nullopt);
	input.telemetry->newest.fill(std::nullopt);
	BOOST_TEST(refused(input, ask("canary_1", false)).token() == "ERR_GATE_CLOSED");
	BOOST_TEST(apply(input, ask_forced("canary_1")).overridden);
}

BOOST_AUTO_TEST_CASE(it_never_skips_a_stage) {
	for (const auto &[stage, target] : {std::pair{Stage::canary_1, "canary_50"},
										{Stage::canary_1, "full"},
										{Stage::canary_10, "full"},
										{Stage::canary_50, "canary_10"},
										{Stage::full, "canary_50"}})
		BOOST_TEST(refused(green(stage), ask_forced(target)).token() == "ERR_INVALID_TRANSITION");
	BOOST_TEST(refused(calm_after_kill(), ask_forced("canary_10")).token() == "ERR_INVALID_TRANSITION");
	BOOST_TEST(refused(not_started(), ask_forced("canary_10")).token() == "ERR_INVALID_TRANSITION");
	BOOST_TEST(refused(green(), ask_forced("no such stage")).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_DATA_TEST_CASE(it_never_lifts_a_p0_breach_inside_its_window, bdata::make({0, 4, 6, 29, 30}), minutes) {
	struct Breach {
		const char *check;
		void (*report)(GateInput &, Duration);
	};
	const Duration age = std::chrono::minutes(minutes);
	for (const auto &breach :
		 {Breach{"ack_without_receipt_10s_rate", [](GateInput &i, Duration a) { report_missing(i, a); }},
		  Breach{"read_rollback_detected_rate", [](GateInput &i, Duration a) { report(i, Kind::read_rollback, a); }},
		  Breach{"send_stall_rate", [](GateInput &i, Duration a) { report_stalls(i, a, 100 * per_minute, 3); }}})
		for (auto input : {shut(Stage::canary_10), calm_after_kill(1s), not_started()}) {
			breach.report(input, age);
			const auto refusal = refused(input, ask_forced(input.state.live() ? "canary_50" : "canary_1"));
			BOOST_TEST_CONTEXT(breach.check << ", " << describe(input.state)) {
				BOOST_TEST(refusal.token() == (minutes < 30 ? "ERR_GATE_CLOSED" : "ACCEPTED"));
				if (minutes < 30)
					BOOST_TEST(contains(refusal.detail(), breach.check));
			}
		}
}

BOOST_AUTO_TEST_CASE(it_needs_a_note_of_20_characters) {
	auto request = ask_forced("canary_50");
	const auto token = [&](std::optional<std::string> note) {
		request.note = std::move(note);
		return std::string(refused(shut(Stage::canary_10), request).token());
	};
	BOOST_TEST(token(std::nullopt) == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(token("") == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(token(std::string(19, 'n')) == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(token(std::string(20, 'n')) == "ACCEPTED");
	// Characters, not bytes: ten of two bytes each are not twenty.
	std::string cyrillic;
	for (int i = 0; i < 19; ++i)
		cyrillic += "\u0436";
	BOOST_TEST(token(cyrillic) == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(token(cyrillic + "\u0436") == "ACCEPTED");
	BOOST_TEST(token(cyrillic + "\u200B\u2060") == "ERR_INVALID_ARGUMENT"); // not seen
	BOOST_TEST(token(std::string(4097, 'n')) == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(it_needs_an_approver_who_is_not_the_caller) {
	auto request = ask_forced("canary_50");
	request.approved_by.reset();
	BOOST_TEST(refused(shut(Stage::canary_10), request).token() == "ERR_INVALID_ARGUMENT");
	request.approved_by = "";
	BOOST_TEST(refused(shut(Stage::canary_10), request).token() == "ERR_INVALID_ARGUMENT");
	request.approved_by = request.caller;
	const auto refusal = refused(shut(Stage::canary_10), request);
	BOOST_TEST(refusal.token() == "ERR_FORBIDDEN");
	BOOST_TEST(refusal.sqlstate() == "42501");
	request.approved_by = "lead";
	BOOST_TEST(refused(shut(Stage::canary_10), request).token() == "ACCEPTED");
}

// One person under another spelling, or under another of their own names, is still one person.
BOOST_DATA_TEST_CASE(it_sees_through_other_spellings_of_the_caller,
					 bdata::make({"ONCALL", " oncall", "oncall\t", "Oncall\n", "o n c a l l", "oncall\u200B",
								  "\u202Eoncall", "backend", "oncall@example"}),
					 approver) {
	auto request = ask_forced("canary_50");
	request.also_caller = {"backend", "oncall@example"};
	request.approved_by = approver;
	BOOST_TEST(refused(shut(Stage::canary_10), request).token() == "ERR_FORBIDDEN");
}

BOOST_DATA_TEST_CASE(blanks_are_neither_a_note_nor_a_name, bdata::make({" ", "                         ", "\t\n\r  "}),
					 blank) {
	auto request = ask_forced("canary_50");
	request.note = std::string(30, ' ') + blank;
	BOOST_TEST(refused(shut(Stage::canary_10), request).token() == "ERR_INVALID_ARGUMENT");
	request = ask_forced("canary_50");
	request.approved_by = blank;
	BOOST_TEST(refused(shut(Stage::canary_10), request).token() == "ERR_INVALID_ARGUMENT");
}

// The rules hold for the call as such, not only where there was a gate to skip; what skipped none is not marked.
BOOST_DATA_TEST_CASE(it_asks_for_two_people_also_where_there_is_no_gate, bdata::make({"canary_10", "canary_1"}),
					 target) {
	auto request = ask_forced(target);
	BOOST_TEST(!apply(green(Stage::canary_10), request).overridden);
	request.approved_by = request.caller;
	BOOST_TEST(refused(green(Stage::canary_10), request).token() == "ERR_FORBIDDEN");
	request = ask_forced(target);
	request.note = "too short";
	BOOST_TEST(refused(green(Stage::canary_10), request).token() == "ERR_INVALID_ARGUMENT");
}

// Nobody can say that there is no P0 breach who sees nothing, also before a first start: events are told of before it.
BOOST_AUTO_TEST_CASE(it_does_not_go_on_blindly) {
	for (auto input : {shut(Stage::canary_10), calm_after_kill(), not_started()}) {
		input.telemetry.reset();
		input.telemetry_error = "disk full";
		const auto refusal = refused(input, ask_forced(input.state.live() ? "canary_50" : "canary_1"));
		BOOST_TEST_CONTEXT(describe(input.state)) {
			BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
			BOOST_TEST(contains(refusal.detail(), "disk full"));
		}
	}
}

BOOST_AUTO_TEST_CASE(it_keeps_to_the_expected_version) {
	auto request = ask_forced("canary_50");
	request.expected_version = 6;
	BOOST_TEST(refused(shut(Stage::canary_10), request).token() == "ERR_VERSION_CONFLICT");
}

// The mark belongs to the stage: it stays through a hold, and ends with the next change of stage.
BOOST_AUTO_TEST_CASE(the_mark_lasts_as_long_as_the_stage) {
	auto input = shut(Stage::canary_10);
	input.state = apply(input, ask_forced("canary_50")).state;
	const auto held = apply(input, ask("canary_50", false));
	BOOST_TEST(held.state.overridden);
	BOOST_TEST(!held.overridden); // this change itself skipped nothing
	BOOST_TEST(!apply(input, ask("canary_1", false)).state.overridden);
	auto next_input = green(Stage::canary_50);
	next_input.state.overridden = true;
	BOOST_TEST(!apply(next_input, ask("full", false)).state.overridden);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(advice)

struct AdviceCase {
	const char *what;
	GateInput (*input)();
	const char *begins;
	const char *names;
};

std::ostream &
operator<<(std::ostream &out, const AdviceCase &c) {
	return out << c.what;
}

const std::vector<AdviceCase> advices = {
	{"not started", [] { return not_started(); }, "Start: ", "('canary_1', false,"},
	{"green", [] { return green(Stage::canary_10); }, "Promote: ", "('canary_50', false,"},
	{"green before full", [] { return green(Stage::canary_50); }, "Promote: ", "('full', false,"},
	{"all done", [] { return green(Stage::full); }, "Nothing: ", "watch"},
	{"calm", [] { return calm_after_kill(); }, "Resume: ", "('canary_1', false,"},
	{"just killed", [] { return calm_after_kill(29min); }, "Killed. ", "Earliest at 2026-03-01 12:01:00 UTC"},
	{"breach",
	 [] {
		 auto input = green(Stage::canary_10);
		 report_missing(input, 1min);
		 return input;
	 },
	 "Kill: ", "('canary_1', true,"},
	{"too early",
	 [] {
		 auto input = green(Stage::canary_10);
		 input.state.entered_at = noon - 1h;
		 return input;
	 },
	 "Hold. ", "Earliest at 2026-03-01 13:00:00 UTC"},
	{"P1",
	 [] {
		 auto input = green(Stage::canary_10);
		 report(input, Kind::write_rejected, 1min, 100'000);
		 return input;
	 },
	 "Hold. ", "write_reject_rate"},
};

BOOST_DATA_TEST_CASE(the_next_step_says_what_blocks_or_what_to_run, bdata::make(advices), c) {
	const auto input = c.input();
	const auto step = next_step(input.state, evaluate(input));
	BOOST_TEST(step.starts_with(c.begins), step);
	BOOST_TEST(contains(step, c.names), step);
}

// Whatever is offered to be pasted as a promotion or resume is accepted at that moment.
BOOST_DATA_TEST_CASE(what_is_offered_is_accepted, bdata::make(all_stages), stage) {
	for (Duration spent = 0s; spent < 26h; spent += 10min) {
		auto input = green(stage);
		input.state.entered_at = noon - spent;
		const bool offered = next_step(input.state, evaluate(input)).starts_with("Promote: ");
		const auto upper = next(stage);
		BOOST_TEST(offered == (upper && refused(input, ask(name(*upper), false)).token() == std::string("ACCEPTED")));
		auto after = calm_after_kill(spent);
		BOOST_TEST(next_step(after.state, evaluate(after)).starts_with("Resume: ") ==
				   (refused(after, ask("canary_1", false)).token() == std::string("ACCEPTED")));
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
