// Incidents: what an open one stops, when each severity may be closed, and what its IC owes.

#include "core/incident_rules.hpp"

#include "core/gate_json.hpp"
#include "core/guard.hpp"
#include "fixture.hpp"

namespace chat_v11::test {

namespace {

Incident
incident(Severity severity, Duration ago = 20min) {
	Incident made;
	made.id = 3;
	made.severity = made.opened_as = severity;
	made.title = "sends hang";
	made.ic = "ic";
	made.opened_at = noon - ago;
	made.opened_by = "oncall";
	return made;
}

Refusal
closing(Severity severity, const GateInput &input) {
	return refusal_of([&] { require_closable(incident(severity, 40min), evaluate(input)); });
}

ChecklistInput
listed(Severity severity, const GateInput &input) {
	ChecklistInput list;
	list.incident = incident(severity);
	list.gates = evaluate(input);
	return list;
}

ChecklistPoint
point(const ChecklistInput &input, int n) {
	return checklist(input)[static_cast<size_t>(n - 1)];
}

Step
step(Duration ago, const char *transition, bool from_kill, bool to_kill) {
	Step made;
	made.id = 9;
	made.at = noon - ago;
	made.transition = transition;
	made.from_kill = from_kill;
	made.to_kill = to_kill;
	made.changed_by = "chat_v11 guard";
	made.approved_by = "lead";
	return made;
}

CompletionInput
complete() {
	CompletionInput input;
	input.gates = green(Stage::full);
	input.review_attested = noon - 1h;
	input.review_ref = "wiki/42";
	return input;
}

std::string
unmet(const CompletionInput &input) {
	std::string text;
	for (const auto &each : completion(input))
		if (!each.met)
			text += each.criterion + ": " + each.why + "\n";
	return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(incidents)

BOOST_AUTO_TEST_CASE(words) {
	BOOST_TEST(name(*parse_severity("p0")) == "P0");
	BOOST_TEST(name(*parse_severity("P2")) == "P2");
	BOOST_TEST(name(*parse_severity(" p1\n")) == "P1");
	for (const auto *wrong : {"", " ", "P", "P 0", "P3", "P00", "0", "high"})
		BOOST_TEST(!parse_severity(wrong).has_value());
	BOOST_TEST(name(parse_asked_kind("decision").kind) == "decision");
	BOOST_TEST(*parse_asked_kind("check:10").point == 10);
	for (const auto *wrong :
		 {"", "opened", "closed", "escalated", "check", "check:1", "check:7", "check:05", "Decision"})
		BOOST_TEST(refusal_of([&] { (void)parse_asked_kind(wrong); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(an_open_one_closes_promotions_and_resumes) {
	auto input = green();
	BOOST_TEST(evaluate(input).green());
	input.incidents = {incident(Severity::p2)};
	BOOST_TEST(evaluate(input).green());
	input.incidents.push_back(incident(Severity::p1));
	const auto result = result_of(input, "incident");
	BOOST_TEST(name(result.status) == "fail");
	BOOST_TEST(result.reason == "incident: P1 incident 3 is open since 2026-03-01 11:40:00 UTC (IC ic): sends hang");
	BOOST_TEST(refused(input, ask("canary_50", false)).token() == "ERR_GATE_CLOSED");
	BOOST_TEST(refused(input, ask("canary_1", true)).token() == "ACCEPTED");

	auto calm = calm_after_kill();
	BOOST_TEST(refused(calm, ask("canary_1", false)).token() == "ACCEPTED");
	calm.incidents = {incident(Severity::p0)};
	const auto refusal = refused(calm, ask("canary_1", false));
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(contains(refusal.detail(), "rollout fail: incident: P0 incident 3 is open"));
	BOOST_TEST(contains(refusal.hint(), "select chat_v11.close_incident(3, "));
	check_in(calm, "incident").enabled = false;
	BOOST_TEST(refused(calm, ask("canary_1", false)).token() == "ACCEPTED");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_not_green) {
	auto input = green();
	input.incident_error = "locked";
	BOOST_TEST(name(status_of(input, "incident")) == "no_data");
	BOOST_TEST(contains(to_json(evaluate(input), input.settings, {}), R"("incident_error":"locked")"));
	BOOST_TEST(name(evaluate(input).decision) == "HOLD");
	BOOST_TEST(refused(input, ask("canary_1", true)).token() == "ACCEPTED");
	input = green();
	input.incidents_outdated = true;
	BOOST_TEST(evaluate(input).green());
}

// Nothing was seen to fail, because nothing was seen.
BOOST_AUTO_TEST_CASE(silence_is_no_end) {
	auto input = calm_after_kill();
	auto &seen = input.telemetry->last_seen;
	seen.fill(noon - input.settings.max_data_age);
	BOOST_TEST(closing(Severity::p0, input).token() == "ACCEPTED");
	seen.fill(noon - input.settings.max_data_age - 1s);
	for (const auto severity : {Severity::p0, Severity::p1}) {
		const auto refusal = closing(severity, input);
		BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
		BOOST_TEST(contains(refusal.detail(), "the newest event is 2 min 1 s old"));
	}
	BOOST_TEST(closing(Severity::p2, input).token() == "ACCEPTED");
	seen.fill({});
	BOOST_TEST(contains(closing(Severity::p0, input).detail(), "there is no event"));
	input.state = {};
	BOOST_TEST(closing(Severity::p1, input).token() == "ACCEPTED");
}

// A P0 while killed: what a resume would need, but for the incident.
BOOST_AUTO_TEST_CASE(a_killed_p0_is_closed_after_its_window) {
	auto input = calm_after_kill();
	input.incidents = {incident(Severity::p0), incident(Severity::p0, 10min)};
	BOOST_TEST(closing(Severity::p0, input).token() == "ACCEPTED");

	auto early = calm_after_kill(30min - instant);
	const auto refusal = closing(Severity::p0, early);
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(refusal.what() == "ERR_GATE_CLOSED: incident 3 is a P0, and it is not over");
	BOOST_TEST(contains(refusal.detail(), "rollout fail: killed: killed at 2026-03-01 11:30:00 UTC"));
	BOOST_TEST(refusal.hint() == "Earliest at 2026-03-01 12:00:01 UTC, if nothing fails until then: select "
								 "chat_v11.close_incident(3, 'why it is over');");
}

BOOST_AUTO_TEST_CASE(a_p0_with_a_breach_or_a_write_given_up) {
	auto input = calm_after_kill(2h);
	report(input, Kind::timeline_duplicate, 29min + 59s);
	const auto refusal = closing(Severity::p0, input);
	BOOST_TEST(contains(refusal.detail(), "P0 fail: timeline_duplicate_detected_rate"));
	BOOST_TEST(contains(refusal.hint(), "Earliest at 2026-03-01 12:0"));
	auto given_up = calm_after_kill(2h);
	report(given_up, Kind::pending_forever, 10min);
	BOOST_TEST(contains(closing(Severity::p0, given_up).detail(), "P1 fail: pending_forever_count"));
	// Other P1 checks do not hold a P0.
	auto slow = calm_after_kill(2h);
	report(slow, Kind::resync_request, 5min, 10);
	report(slow, Kind::resync_range_unavailable, 5min, 10);
	BOOST_TEST(closing(Severity::p0, slow).token() == "ACCEPTED");
	BOOST_TEST(closing(Severity::p1, slow).token() == "ERR_GATE_CLOSED");
	BOOST_TEST(closing(Severity::p2, slow).token() == "ACCEPTED");
}

// However long the rollout was killed before, and whatever telemetry has not seen.
BOOST_AUTO_TEST_CASE(a_p0_lasts_its_window) {
	const auto input = calm_after_kill(24h);
	const auto gates = evaluate(input);
	auto young = incident(Severity::p0, 30min - instant);
	const auto refusal = refusal_of([&] { require_closable(young, gates); });
	BOOST_TEST(refusal.token() == "ERR_GATE_CLOSED");
	BOOST_TEST(refusal.detail() ==
			   "rollout fail: p0_clear_window: a P0 lasts 30 min at least, since 2026-03-01 11:30:00 "
			   "UTC: until 2026-03-01 12:00:01 UTC");
	BOOST_TEST(refusal.hint() == "Earliest at 2026-03-01 12:00:01 UTC, if nothing fails until then: select "
								 "chat_v11.close_incident(3, 'why it is over');");
	young.opened_at = noon - 30min;
	BOOST_TEST(refusal_of([&] { require_closable(young, gates); }).token() == "ACCEPTED");
	young.escalated_at = noon - 10min;
	BOOST_TEST(contains(refusal_of([&] { require_closable(young, gates); }).hint(), "Earliest at 2026-03-01 12:20:00"));
	// The later of the two moments, in one answer.
	const auto both = refusal_of([&] { require_closable(young, evaluate(calm_after_kill(20min))); });
	BOOST_TEST(contains(both.detail(), "rollout fail: killed: "));
	BOOST_TEST(contains(both.hint(), "Earliest at 2026-03-01 12:20:00"));
	young.severity = Severity::p1;
	BOOST_TEST(refusal_of([&] { require_closable(young, gates); }).token() == "ACCEPTED");
}

// To switch off the check that was broken is no end.
BOOST_AUTO_TEST_CASE(a_check_that_is_switched_off_ends_no_p0) {
	auto input = calm_after_kill(2h);
	report(input, Kind::timeline_duplicate, 20min);
	check_in(input, "timeline_duplicate_detected_rate").enabled = false;
	BOOST_TEST(evaluate(input).p0_breach == "");
	BOOST_TEST(closing(Severity::p0, input).detail() ==
			   "timeline_duplicate_detected_rate was broken within p0_clear_window");
	BOOST_TEST(closing(Severity::p1, input).token() == "ACCEPTED");
}

BOOST_AUTO_TEST_CASE(a_live_p0_asks_for_green_gates) {
	auto input = green();
	input.incidents = {incident(Severity::p0)};
	BOOST_TEST(closing(Severity::p0, input).token() == "ACCEPTED");
	input.state.entered_at = noon - 1h;
	BOOST_TEST(contains(closing(Severity::p0, input).detail(), "rollout fail: dwell"));
	BOOST_TEST(closing(Severity::p1, input).token() == "ACCEPTED");
}

BOOST_AUTO_TEST_CASE(blind_gates_close_nothing_but_a_p2) {
	auto input = calm_after_kill(2h);
	input.telemetry.reset();
	input.telemetry_error = "gone";
	for (const auto severity : {Severity::p0, Severity::p1})
		BOOST_TEST(closing(severity, input).detail() == "Telemetry cannot be read: gone");
	BOOST_TEST(closing(Severity::p2, input).token() == "ACCEPTED");
}

BOOST_AUTO_TEST_CASE(decisions_are_due) {
	auto open = incident(Severity::p1, 10min);
	BOOST_TEST(!decision_due(open, 10min, noon).overdue.has_value());
	BOOST_TEST((*decision_due(open, 10min, noon + instant).overdue == instant));
	open.last_decision = noon - 4min;
	BOOST_TEST((*decision_due(open, 10min, noon).at == noon + 6min));
	auto local = incident(Severity::p2, 24h);
	BOOST_TEST(!decision_due(local, 10min, noon).at.has_value());
	open.closed_at = noon;
	BOOST_TEST(!decision_due(open, 10min, noon + 24h).at.has_value());
}

BOOST_AUTO_TEST_CASE(the_ten_points) {
	auto list = listed(Severity::p0, calm_after_kill(10min));
	list.gates.checks.clear();
	list.gates = evaluate([] {
		auto input = calm_after_kill(10min);
		input.incidents = {incident(Severity::p0)};
		return input;
	}());
	BOOST_TEST(checklist(list).size() == 10u);
	std::string done;
	const auto all = [&] {
		done.clear();
		for (const auto &each : checklist(list))
			done += each.done ? std::to_string(each.n) + " " : "";
		return done;
	};
	BOOST_TEST(all() == "1 3 ");
	list.incident.opened_at = noon - 30min;
	IncidentNote opened;
	opened.kind = NoteKind::opened;
	opened.slice = true;
	list.notes.push_back(opened);
	BOOST_TEST(all() == "1 2 3 ");
	list.steps.push_back(step(31min, "kill", false, true));
	BOOST_TEST(all() == "1 2 3 ");
	list.killed_when_opened = true;
	BOOST_TEST(all() == "1 2 3 4 ");
	BOOST_TEST(point(list, 4).remark == "on at 2026-03-01 11:29:00 UTC by chat_v11 guard");
	for (const int n : {5, 6, 9}) {
		IncidentNote tick;
		tick.kind = NoteKind::check;
		tick.point = n;
		tick.author = "ic";
		tick.text = "seen";
		list.notes.push_back(tick);
	}
	BOOST_TEST(all() == "1 2 3 4 5 6 9 ");
	list.items.push_back({1, 3, "a test", std::nullopt, std::nullopt});
	BOOST_TEST(contains(point(list, 10).remark, "assign_action_item(1, "));
	list.items.front().owner = "backend";
	list.items.front().due = "2026-04-01";
	BOOST_TEST(all() == "1 2 3 4 5 6 9 10 ");
	list.gates = evaluate(calm_after_kill());
	BOOST_TEST(point(list, 7).done);
	BOOST_TEST(!point(list, 8).done);
	BOOST_TEST(!point(list, 3).done); // the check says nothing of it
	list.incident.closed_at = noon;
	list.gates = evaluate(green());
	list.steps.push_back(step(1min, "resume", true, false));
	BOOST_TEST(all() == "1 2 3 4 5 6 7 8 9 10 ");
	list.steps.back().overridden = true;
	BOOST_TEST(contains(point(list, 8).remark, "was forced"));
}

BOOST_AUTO_TEST_CASE(the_resume_of_an_incident_is_its_own) {
	auto list = listed(Severity::p0, green());
	const auto resumed = [&] {
		const auto told = point(list, 8);
		return (told.done ? "yes: " : "no: ") + told.remark;
	};
	BOOST_TEST(resumed() == "yes: it was never stopped");
	list.steps = {step(40min, "kill", false, true), step(21min, "resume", true, false)};
	BOOST_TEST(resumed() == "yes: it was never stopped"); // all of it before
	list.steps.pop_back();
	list.killed_when_opened = true;
	list.incident.closed_at = noon - 7min;
	BOOST_TEST(contains(resumed(), "no: not resumed yet: select * from public.chat_set_v11_rollout_state("));
	list.steps.push_back(step(10min, "config", true, false)); // says nothing of the switch
	BOOST_TEST(contains(resumed(), "no: not resumed yet"));
	list.steps.push_back(step(9min, "resume", true, false));
	list.steps.push_back(step(8min, "kill", false, true));
	BOOST_TEST(contains(resumed(), "no: not resumed yet")); // whatever is the state of now
	list.steps.push_back(step(6min, "re-kill", true, true));
	list.steps.push_back(step(5min, "resume", true, false));
	constexpr auto at_the_end = "yes: at 2026-03-01 11:55:00 UTC by chat_v11 guard";
	BOOST_TEST(resumed() == at_the_end);
	// Another kill, another resume, by force: of another incident.
	list.steps.push_back(step(4min, "kill", false, true));
	list.gates = evaluate(calm_after_kill());
	BOOST_TEST(resumed() == at_the_end);
	list.steps.push_back(step(3min, "resume", true, false));
	list.steps.back().overridden = true;
	BOOST_TEST(resumed() == at_the_end);
	list.incident.closed_at.reset();
	BOOST_TEST(contains(resumed(), "no: row 9 of the log, at 2026-03-01 11:57:00 UTC, was forced by "));
}

BOOST_AUTO_TEST_CASE(a_complete_rollout) {
	BOOST_TEST(unmet(complete()) == "");
	auto input = complete();
	input.gates.now -= instant;
	BOOST_TEST(contains(unmet(input), "full for its 1 d watch: at full since"));
	input = complete();
	input.gates.state.stage = Stage::canary_50;
	BOOST_TEST(contains(unmet(input), "the rollout is at canary_50, live"));
	input = complete();
	input.incidents = {incident(Severity::p2)};
	BOOST_TEST(unmet(input) == "");
	input.incidents = {incident(Severity::p1)};
	BOOST_TEST(contains(unmet(input), "no P0 or P1 incident in it: P1 incident 3"));
	input = complete();
	input.review_attested = noon - 25h;
	BOOST_TEST(contains(unmet(input), "is older than this watch"));
	input.review_attested.reset();
	BOOST_TEST(contains(unmet(input), "chat_v11.attest('review'"));
	input = complete();
	input.items = {{1, 3, "a test", "backend", "2026-04-01"}, {2, std::nullopt, "an alert", "backend", std::nullopt}};
	BOOST_TEST(contains(unmet(input), "without owner or date: 2"));
	BOOST_TEST(contains(unmet(input), "open: 1"));
	input.items.pop_back();
	input.items.front().closed_at = noon;
	BOOST_TEST(unmet(input) == "");
}

BOOST_AUTO_TEST_CASE(who_is_told) {
	BOOST_TEST(incident_notification(incident(Severity::p0), killed(noon), "P1", "P0", guard_name, noon) ==
			   R"({"event":"incident","version":7,"incident":3,"severity":"P0","from":"P1","to":"P0","decision":null,)"
			   R"("reason":"sends hang","by":"chat_v11 guard","at":"2026-03-01T12:00:00.000000Z"})");
	auto input = calm_after_kill();
	BOOST_TEST(p0_failures(evaluate(input)) == "");
	report(input, Kind::timeline_duplicate, 1min);
	BOOST_TEST(contains(p0_failures(evaluate(input)), "timeline_duplicate_detected_rate is "));
	// Its gate decides, not what the guard does about it.
	check_in(input, "timeline_duplicate_detected_rate").on_fail = OnFail::rollback;
	BOOST_TEST(contains(p0_failures(evaluate(input)), "timeline_duplicate_detected_rate is "));
	auto slow = calm_after_kill();
	report(slow, Kind::pending_forever, 1min);
	check_in(slow, "pending_forever_count").on_fail = OnFail::kill;
	BOOST_TEST(p0_failures(evaluate(slow)) == "");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
