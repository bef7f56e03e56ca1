// Preconditions of a start, the self-test's lots of events, and what a promotion is.

#include "core/go_no_go.hpp"
#include "core/preflight.hpp"
#include "fixture.hpp"

#include <algorithm>

namespace chat_v11::test {

namespace {

const Attested good{true, noon - 1h, "ci", "run 7"};

PreflightFacts
all_good() {
	PreflightFacts facts;
	facts.installed = "0.5";
	facts.available = "0.5";
	facts.library = "0.5";
	facts.migrations = facts.runbook = facts.ci = good;
	for (const auto role : oncall_roles)
		facts.roster.push_back({std::string(role), "somebody", noon});
	facts.guard_state = "guarding";
	for (const auto &check : default_checks())
		if (check.gate == Gate::p0)
			facts.self_test.push_back({check.name, {}});
	return facts;
}

std::vector<Precondition>
missing(const PreflightFacts &facts, const GateInput &input = not_started()) {
	return unmet(preflight(input, evaluate(input), facts));
}

struct Spoilt {
	const char *row;
	const char *says;
	void (*spoil)(PreflightFacts &facts);
};

std::ostream &
operator<<(std::ostream &out, const Spoilt &spoilt) {
	return out << spoilt.row << ": " << spoilt.says;
}

const Spoilt spoilt[] = {
	{"extension", "0.4 is installed, 0.5 is the default version",
	 [](PreflightFacts &facts) { facts.installed = facts.library = "0.4"; }},
	{"extension", "none is installed",
	 [](PreflightFacts &facts) {
		 facts.installed.reset();
		 facts.library = "none";
	 }},
	{"extension", "no right", [](PreflightFacts &facts) { facts.versions_error = "no right"; }},
	{"library", "the library of 0.4, the extension is 0.5", [](PreflightFacts &facts) { facts.library = "0.4"; }},
	{"smoke", "f() gave 0 rows", [](PreflightFacts &facts) { facts.smoke_error = "f() gave 0 rows"; }},
	{"decision_log", "row 3", [](PreflightFacts &facts) { facts.log_misfit = "row 3"; }},
	{"migrations", "nobody has attested it", [](PreflightFacts &facts) { facts.migrations.reset(); }},
	{"migrations", "not in order by ci at", [](PreflightFacts &facts) { facts.migrations->ok = false; }},
	{"runbook", "nobody has attested it", [](PreflightFacts &facts) { facts.runbook.reset(); }},
	{"roster", "nobody is assigned to SRE", [](PreflightFacts &facts) { facts.roster[2].person.reset(); }},
	{"roster", "nobody is assigned to IC, Backend, SRE, Frontend", [](PreflightFacts &facts) { facts.roster.clear(); }},
	{"roster", "gone", [](PreflightFacts &facts) { facts.roster_error = "gone"; }},
	{"ci_gate", "no run for canary_1", [](PreflightFacts &facts) { facts.ci.reset(); }},
	{"ci_gate", "the last run was red", [](PreflightFacts &facts) { facts.ci->ok = false; }},
	{"ci_gate", "old, at most 1 d counts", [](PreflightFacts &facts) { facts.ci->at = noon - 24h - 1us; }},
	{"ci_gate", "ahead of the clock", [](PreflightFacts &facts) { facts.ci->at = noon + 1us; }},
	{"guard", "dead, start it",
	 [](PreflightFacts &facts) {
		 facts.guard_state = "dead";
		 facts.guard_remark = "start it";
	 }},
	{"self_test", "read_rollback_detected_rate: not counted",
	 [](PreflightFacts &facts) { facts.self_test[2].failure = "not counted"; }},
	{"self_test", "not on a standby",
	 [](PreflightFacts &facts) {
		 facts.self_test.clear();
		 facts.self_test_error = "not on a standby";
	 }},
	{"self_test", "there is no P0 check", [](PreflightFacts &facts) { facts.self_test.clear(); }},
};

} // namespace

BOOST_AUTO_TEST_SUITE(preflights)

BOOST_AUTO_TEST_CASE(a_wired_healthy_system_meets_them_all) {
	BOOST_TEST(missing(all_good()).empty());
	const auto input = not_started();
	const auto rows = preflight(input, evaluate(input), all_good());
	BOOST_TEST(rows.size() == 13u);
	for (const auto &row : rows) {
		BOOST_TEST_CONTEXT(row.name) {
			BOOST_TEST(!row.detail.empty());
			BOOST_TEST(row.what_to_do.empty());
		}
	}
}

BOOST_DATA_TEST_CASE(one_thing_wrong_is_one_row, bdata::make(spoilt), each) {
	auto facts = all_good();
	each.spoil(facts);
	const auto rows = missing(facts);
	BOOST_REQUIRE(rows.size() == 1u);
	BOOST_TEST(rows[0].name == each.row);
	BOOST_TEST(contains(rows[0].detail, each.says));
	BOOST_TEST(!rows[0].what_to_do.empty());
}

BOOST_AUTO_TEST_CASE(the_last_moment_of_a_ci_run_counts) {
	auto facts = all_good();
	facts.ci->at = noon - 24h;
	BOOST_TEST(missing(facts).empty());
	facts.ci->at = noon;
	BOOST_TEST(missing(facts).empty());
}

BOOST_AUTO_TEST_CASE(no_scribe_is_needed_before_an_incident) {
	auto facts = all_good();
	facts.roster.pop_back();
	BOOST_TEST(missing(facts).empty());
}

// A server does not list what it finds by a search path.
BOOST_AUTO_TEST_CASE(without_a_listed_control_file_the_library_knows) {
	auto facts = all_good();
	facts.available.reset();
	BOOST_TEST(missing(facts).empty());
	facts.installed = "0.4";
	BOOST_TEST(missing(facts).size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_row_of_a_self_test_that_was_not_asked_for_is_left_out) {
	auto facts = all_good();
	facts.with_self_test = false;
	facts.self_test.clear();
	BOOST_TEST(missing(facts).empty());
}

BOOST_AUTO_TEST_CASE(a_p0_check_that_counts_nowhere_cannot_be_tested) {
	for (const bool disable : {true, false}) {
		auto input = not_started();
		auto &check = input.checks[1];
		if (disable)
			check.enabled = false;
		else
			check.on_fail = OnFail::advise;
		const auto rows = missing(all_good(), input);
		BOOST_REQUIRE(rows.size() == 1u);
		BOOST_TEST(rows[0].name == "self_test");
		BOOST_TEST(contains(rows[0].detail, check.name + " cannot turn red"));
	}
}

BOOST_AUTO_TEST_CASE(each_kind_that_was_never_seen_is_named_once) {
	auto input = not_started();
	input.telemetry->last_seen[static_cast<size_t>(Kind::write_ack)].reset();
	input.telemetry->last_seen[static_cast<size_t>(Kind::read_cursor)] = noon - 168h - instant;
	input.telemetry->last_seen[static_cast<size_t>(Kind::session_active)] = noon - 168h;
	auto rows = unmet(gate_preconditions(input, evaluate(input)));
	BOOST_REQUIRE(rows.size() == 1u);
	BOOST_TEST(rows[0].name == "telemetry");
	const auto first = rows[0].detail.find("no write_ack event");
	BOOST_TEST(first != std::string::npos);
	BOOST_TEST(rows[0].detail.find("no write_ack event", first + 1) == std::string::npos);
	BOOST_TEST(contains(rows[0].detail, "no read_cursor event"));
	BOOST_TEST(!contains(rows[0].detail, "session_active"));
	input.wired[static_cast<size_t>(Kind::write_ack)] = true;
	input.wired[static_cast<size_t>(Kind::read_cursor)] = true;
	BOOST_TEST(unmet(gate_preconditions(input, evaluate(input))).empty());
}

BOOST_AUTO_TEST_CASE(an_open_incident_is_unmet) {
	auto input = not_started();
	Incident incident;
	incident.id = 3;
	incident.severity = Severity::p1;
	incident.title = "sends hang";
	incident.ic = "ic";
	incident.opened_at = noon;
	input.incidents = {incident};
	auto rows = unmet(gate_preconditions(input, evaluate(input)));
	const auto find = [&] { return std::ranges::find(rows, "incidents", &Precondition::name); };
	BOOST_REQUIRE(find() != rows.end());
	BOOST_TEST(find()->detail == describe(incident));

	input.incidents.front().severity = Severity::p2;
	rows = unmet(gate_preconditions(input, evaluate(input)));
	BOOST_CHECK(find() == rows.end());

	input.incidents.clear();
	input.incident_error = "no right";
	rows = unmet(gate_preconditions(input, evaluate(input)));
	BOOST_REQUIRE(find() != rows.end());
	BOOST_TEST(find()->detail == "incidents cannot be read: no right");
}

BOOST_AUTO_TEST_CASE(a_p0_failure_and_unreadable_telemetry_are_unmet) {
	auto input = not_started();
	report(input, Kind::read_rollback, 1min);
	auto rows = unmet(gate_preconditions(input, evaluate(input)));
	BOOST_REQUIRE(rows.size() == 1u);
	BOOST_TEST(contains(rows[0].detail, "read_rollback_detected_rate"));
	input.telemetry.reset();
	input.telemetry_error = "no disk";
	rows = unmet(gate_preconditions(input, evaluate(input)));
	BOOST_REQUIRE(rows.size() == 1u);
	BOOST_TEST(contains(rows[0].detail, "no disk"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(self_tests)

namespace {

// As the reader of telemetry would have put the events into a slice.
void
put(GateInput &input, const SyntheticBreach &breach) {
	if (breach.kind == Kind::write_ack)
		report_missing(input, 0min, breach.events);
	else if (breach.kind == Kind::send_stall)
		report_stalls(input, 0min, breach.events, static_cast<int>(std::min<std::int64_t>(breach.events, 3)));
	else
		report(input, breach.kind, 0min, breach.events);
}

const Check &
check_named(const GateInput &input, std::string_view name) {
	return *std::find_if(input.checks.begin(), input.checks.end(),
						 [&](const Check &each) { return each.name == name; });
}

constexpr std::string_view p0_names[] = {"ack_without_receipt_10s_rate", "timeline_duplicate_detected_rate",
										 "read_rollback_detected_rate", "send_stall_rate"};

} // namespace

// Over limits, traffic and breaches that are there already: enough turns it red, and nothing is counted in vain.
BOOST_DATA_TEST_CASE(enough_events_turn_each_p0_check_red,
					 bdata::make(p0_names) * bdata::make({0.0, 0.05, 0.5}) * bdata::make({false, true}), check_name,
					 limit, quiet) {
	auto input = quiet ? not_started() : green(Stage::canary_10);
	if (quiet)
		for (auto &slice : slices_of(input))
			slice = Totals{};
	for (auto &check : input.checks)
		if (check.name == check_name)
			check.limit = limit;
	const auto &check = check_named(input, check_name);
	const auto before = evaluate(input);
	const auto figure = before.find(check_name)->figure;
	const auto breach = synthetic_breach(check, figure, noon, input.settings);
	BOOST_TEST_REQUIRE(breach.events > 0);
	if (limit == 0 || quiet)
		BOOST_TEST(breach.events <= 13);
	BOOST_TEST(judge_self_test(check, figure, before).failure == "the synthetic breach was not counted");
	auto more = input;
	put(more, breach);
	BOOST_TEST(judge_self_test(check, figure, evaluate(more)).failure == "");
}

BOOST_AUTO_TEST_CASE(a_missing_receipt_is_old_enough_to_be_judged) {
	const auto input = not_started();
	const auto ack = synthetic_breach(check_named(input, p0_names[0]), {}, noon, input.settings);
	BOOST_CHECK(ack.at < noon - judged_after(input.settings.report_grace));
	const auto stall = synthetic_breach(check_named(input, p0_names[3]), {}, noon, input.settings);
	BOOST_CHECK(stall.at == noon - 1s);
	BOOST_TEST(stall.events >= stall_min_actors);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_broken_is_told) {
	auto input = not_started();
	auto check = check_named(input, p0_names[1]);
	check.limit = 1;
	BOOST_TEST(contains(synthetic_breach(check, {}, noon, input.settings).impossible, "limit is 1"));
	check.limit = 0.5;
	const Figure busy{0.0, 0, 10'000'000};
	BOOST_TEST(contains(synthetic_breach(check, busy, noon, input.settings).impossible, "it would take"));
	check.metric = "write_reject_rate";
	BOOST_TEST(contains(synthetic_breach(check, {}, noon, input.settings).impossible, "no event is known"));
}

BOOST_AUTO_TEST_CASE(a_gate_that_does_not_see_it_is_told) {
	auto input = not_started();
	const auto &check = check_named(input, p0_names[2]);
	auto more = input;
	put(more, synthetic_breach(check, {}, noon, input.settings));
	auto answer = evaluate(more);
	answer.p0_ok = true;
	BOOST_TEST(contains(judge_self_test(check, {}, answer).failure, "it fails, and the gates say"));
	more.telemetry.reset();
	more.telemetry_error = "no disk";
	BOOST_TEST(contains(judge_self_test(check, {}, evaluate(more)).failure, "no disk"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(rosters)

BOOST_AUTO_TEST_CASE(roles_in_any_case) {
	BOOST_TEST(parse_role("ic") == "IC");
	BOOST_TEST(parse_role("bACKEND") == "Backend");
	for (const auto *wrong : {"", "I", "ICC", " IC", "Owner"})
		BOOST_TEST(refusal_of([&] { (void)parse_role(wrong); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(a_person_is_a_name_in_one_line) {
	validate_person("ic (+49 30 1234)");
	validate_person(std::string(256, 'x'));
	for (const auto &wrong : {std::string(), std::string("  "), std::string(257, 'x'), std::string("a\nb"),
							  std::string("\u200B "), std::string("a\u202Eb"), std::string("a\u2028b")})
		BOOST_TEST(refusal_of([&] { validate_person(wrong); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(promotions)

BOOST_AUTO_TEST_CASE(only_the_way_up_is_one) {
	const auto of = [](const State &state, std::string_view target) {
		std::string found;
		const auto refusal =
			refusal_of([&] { found = name(classify_promotion(state, target, state.exists).transition); });
		return found.empty() ? std::string(refusal.token()) : found;
	};
	BOOST_TEST(of({}, "canary_1") == "start");
	BOOST_TEST(of({}, "canary_10") == "ERR_INVALID_TRANSITION");
	BOOST_TEST(of(live(Stage::canary_1, noon), "canary_10") == "promote");
	BOOST_TEST(of(live(Stage::canary_1, noon), "canary_1") == "ERR_INVALID_TRANSITION");
	BOOST_TEST(of(live(Stage::canary_10, noon), "canary_10") == "ERR_INVALID_TRANSITION");
	BOOST_TEST(of(live(Stage::canary_50, noon), "canary_1") == "ERR_INVALID_TRANSITION");
	BOOST_TEST(of(live(Stage::canary_1, noon), "canary_50") == "ERR_INVALID_TRANSITION");
	BOOST_TEST(of(live(Stage::full, noon), "full") == "ERR_INVALID_TRANSITION");
	BOOST_TEST(of(killed(noon), "canary_1") == "resume");
	BOOST_TEST(of(killed(noon), "canary_10") == "ERR_INVALID_TRANSITION");
	BOOST_TEST(of(live(Stage::canary_1, noon), "nonsense") == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(the_ci_gate_binds_where_it_is_enforced) {
	const auto missing = unmet({ci_precondition(Stage::canary_50, std::nullopt, noon)});
	BOOST_TEST_REQUIRE(missing.size() == 1);
	const auto of = [&](const GateInput &input, const Request &request, Preflight preflight, bool is_missing = true) {
		return refusal_of([&] {
			const auto answer = evaluate(input);
			(void)decide(input.state, request, classify(input.state, request, true), &answer,
						 is_missing ? missing : std::vector<Precondition>{}, preflight, noon);
		});
	};
	const auto refusal = of(green(), ask("canary_50", false), Preflight::enforce);
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(contains(refusal.what(), "promotion from canary_10 to canary_50 is refused, preconditions"));
	BOOST_TEST(contains(refusal.hint(), "attest('ci:canary_50'"));
	BOOST_TEST(of(green(), ask("canary_50", false), Preflight::enforce, false).token() == "ACCEPTED");
	BOOST_TEST(of(green(), ask("canary_50", false), Preflight::warn).token() == "ACCEPTED");
	for (const auto &other :
		 {ask_forced("canary_50"), ask("canary_10", false), ask("canary_1", false), ask("full", true)})
		BOOST_TEST(of(green(), other, Preflight::enforce).token() == "ACCEPTED");
	BOOST_TEST(of(calm_after_kill(), ask("canary_1", false), Preflight::enforce).token() == "ACCEPTED");
	// What the gates say is told first: a green run would not help.
	auto red = green();
	report_missing(red, 1min);
	BOOST_TEST(contains(of(red, ask("canary_50", false), Preflight::enforce).what(), "the gates say ROLLBACK"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_not_green) {
	const auto row = ci_precondition(Stage::full, Attested{true, noon, "ci", "run 1"}, noon, "gone");
	BOOST_TEST(!row.ok);
	BOOST_TEST(row.detail == "attestations cannot be read: gone");
}

BOOST_AUTO_TEST_CASE(the_next_target) {
	BOOST_TEST(next_target({}) == Stage::canary_1);
	BOOST_TEST(next_target(killed(noon)) == Stage::canary_1);
	BOOST_TEST(next_target(live(Stage::canary_1, noon)) == Stage::canary_10);
	BOOST_TEST(next_target(live(Stage::full, noon)) == Stage::full);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
