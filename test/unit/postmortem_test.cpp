// The postmortem: whoever was not there finds what happened, when, and what was decided on which figures.

#include "core/postmortem.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

namespace {

Step
step(std::int64_t id, Duration ago, const char *transition, const char *from, const char *to, const char *by) {
	Step made;
	made.id = id;
	made.at = noon - ago;
	made.transition = transition;
	made.from = from;
	made.to = to;
	made.from_kill = std::string_view(from).ends_with("killed");
	made.to_kill = std::string_view(to).ends_with("killed");
	made.decision = made.to_kill ? "ROLLBACK" : "PROCEED";
	made.changed_by = by;
	made.approved_by = by;
	made.version = id;
	return made;
}

IncidentNote
note(Duration ago, NoteKind kind, const char *text) {
	IncidentNote made;
	made.at = noon - ago;
	made.kind = kind;
	made.author = "anna";
	made.text = text;
	return made;
}

// Killed by the guard an hour ago, declared a minute later, closed and resumed half an hour ago.
PostmortemInput
told() {
	PostmortemInput input;
	auto &incident = input.checklist.incident;
	incident.id = 3;
	incident.severity = incident.opened_as = Severity::p0;
	incident.title = "sends hang";
	incident.ic = "anna";
	incident.opened_by = "olga";
	incident.opened_at = noon - 59min;
	incident.closed_at = noon - 29min;
	incident.closed_by = "anna";
	input.checklist.notes = {note(59min, NoteKind::opened, "P0, IC anna: sends hang"),
							 note(50min, NoteKind::decision, "roll back build 811"),
							 note(29min, NoteKind::closed, "no breach for half an hour")};
	input.checklist.notes[1].decision = "ROLLBACK";
	input.checklist.notes[1].reasons = "P0 send_stall_rate is 0.2 (20 of 100, 20 %), limit 0.05\nrollout killed: yes";
	input.checklist.steps = {step(7, 60min, "kill", "canary_10, live", "canary_1, killed", "chat_v11 guard"),
							 step(8, 28min, "resume", "canary_1, killed", "canary_1, live", "anna")};
	input.checklist.killed_when_opened = true;
	input.checklist.gates.state = live(Stage::canary_1, noon - 28min);
	input.sights = {
		{noon - 80min, "PROCEED", {}, ""},
		{noon - 60min, "ROLLBACK", {"send_stall_rate"}, "P0 send_stall_rate is 0.2 (20 of 100), limit 0.05"}};
	input.now = noon;
	input.from = noon - 89min;
	input.to = noon;
	return input;
}

bool
in_order(const std::string &text, const std::vector<std::string> &parts) {
	size_t at = 0;
	for (const auto &part : parts) {
		at = text.find(part, at);
		if (at == std::string::npos) {
			BOOST_TEST_MESSAGE("missing, or out of order: " + part);
			return false;
		}
	}
	return true;
}

} // namespace

BOOST_AUTO_TEST_SUITE(postmortem)

BOOST_AUTO_TEST_CASE(what_happened) {
	const auto text = postmortem_text(told());
	BOOST_TEST(contains(
		text,
		"First sign: at 2026-03-01 11:00:00 UTC the gates said ROLLBACK: P0 send_stall_rate is 0.2 (20 of 100), limit "
		"0.05. The rollout was at canary_10, live. olga declared a P0 at 2026-03-01 11:01:00 UTC, IC anna. The "
		"rollout was killed at 2026-03-01 11:00:00 UTC by chat_v11 guard: nobody was in the cohort from then on. It "
		"was live again, at canary_1, from 2026-03-01 11:32:00 UTC, through the gate. The incident was closed at "
		"2026-03-01 11:31:00 UTC by anna, after 30 min: no breach for half an hour."));
	for (const auto *heading :
		 {"## What happened", "## Timeline", "## The figures", "## Decisions, and on what", "### Technical",
		  "### In the process", "## What worked", "## What did not work", "## Permanent fixes", "## Checklist"})
		BOOST_TEST(contains(text, heading));
}

BOOST_AUTO_TEST_CASE(one_timeline_in_order) {
	BOOST_TEST(
		in_order(postmortem_text(told()),
				 {"| **2026-03-01** |", "| 10:40:00 | gates | **PROCEED** |",
				  "| 11:00:00 | gates | PROCEED → **ROLLBACK**: P0 send_stall_rate",
				  "| 11:00:00 | chat_v11 guard | **kill** ", "| 11:01:00 | anna | **opened** P0, IC anna: sends hang |",
				  "| 11:10:00 | anna | **DECISION** roll back build 811 |", "| 11:31:00 | anna | **closed** ",
				  "| 11:32:00 | anna | **resume** canary_1, killed → canary_1, live (version 8) |"}));
	auto midnight = told();
	midnight.checklist.notes.push_back(note(-13h, NoteKind::note, "the next day"));
	BOOST_TEST(in_order(postmortem_text(midnight), {"| **2026-03-02** | | |\n| 01:00:00 | anna | the next day |"}));
}

// Beside a broken P0 the rest of the reasons is noise.
BOOST_AUTO_TEST_CASE(decisions_with_their_figures) {
	const auto text = postmortem_text(told());
	BOOST_TEST(contains(
		text, "| 2026-03-01 11:10:00 | anna | roll back build 811 | ROLLBACK: P0 send_stall_rate is 0.2 (20 of "
			  "100, 20 %), limit 0.05 |"));
	BOOST_TEST(contains(text, "the longest time without one was 21 min, from 2026-03-01 11:10:00 UTC."));
	auto input = told();
	input.settings.decision_interval = 21min;
	BOOST_TEST(contains(postmortem_text(input), "every 21 min, and kept to it."));
}

BOOST_AUTO_TEST_CASE(figures) {
	auto input = told();
	input.metric_step = 1min;
	input.metrics = {
		{"send_stall_rate", 0.05, {0.0, 0, 100}, {0.2, 20, 100}, noon - 61min, {0.01, 1, 100}, {}},
		{"write_receipt_p95_ms", 2000.0, {199.0, 0, 50}, {210.0, 0, 40}, noon - 40min, {}, {180.0, 0, 900}},
		{"full_state_rate", 0.05, {}, {}, {}, {}, {}}};
	const auto text = postmortem_text(input);
	BOOST_TEST(contains(text, "| send_stall_rate | 0.05 | 0 | **0.2 (20 of 100)** | 10:59:00 | 0.01 (1 of 100) | – |"));
	BOOST_TEST(
		contains(text, "| write_receipt_p95_ms | 2000 | 199 (of 50) | 210 (of 40) | 11:20:00 | – | 180 (of 900) |"));
	BOOST_TEST(!contains(text, "full_state_rate"));
	input.metrics_error = "gone";
	BOOST_TEST(contains(postmortem_text(input), "They cannot be read: gone"));
}

BOOST_AUTO_TEST_CASE(other_courses) {
	auto input = told();
	input.sights.clear();
	BOOST_TEST(contains(postmortem_text(input), "The gates showed nothing: it was seen by people."));
	input.sights = {{noon - 50min, "HOLD", {"x"}, ""}};
	BOOST_TEST(contains(postmortem_text(input),
						"It was seen by people first; at 2026-03-01 11:10:00 UTC the gates said HOLD."));
	input.checklist.steps[1].overridden = true;
	BOOST_TEST(contains(postmortem_text(input), "forced past its gates."));
	input.checklist.steps.clear();
	input.checklist.killed_when_opened = false;
	BOOST_TEST(contains(postmortem_text(input), "The rollout was not killed."));
	input.checklist.incident.closed_at.reset();
	BOOST_TEST(contains(postmortem_text(input), "The incident is still open."));
	BOOST_TEST(contains(postmortem_text(input), "| Lasted | 59 min |"));
	auto raised = told();
	raised.checklist.incident.opened_as = Severity::p1;
	raised.checklist.incident.escalated_at = noon - 58min;
	raised.checklist.notes.push_back(note(58min, NoteKind::escalated, "it spreads"));
	BOOST_TEST(contains(postmortem_text(raised), "It became a P0 at 2026-03-01 11:02:00 UTC (anna: it spreads)."));
}

// What somebody typed can neither break a table nor begin a heading.
BOOST_AUTO_TEST_CASE(texts_stay_in_their_cells) {
	auto input = told();
	input.checklist.incident.title = "a | b\n# c";
	input.checklist.notes[1].text = "x |\n## y `z`";
	const auto text = postmortem_text(input);
	BOOST_TEST(contains(text, "# Postmortem of incident 3: a \\| b # c\n"));
	BOOST_TEST(contains(text, "**DECISION** x \\| ## y \\`z\\` |"));
}

BOOST_AUTO_TEST_CASE(fixes) {
	auto input = told();
	BOOST_TEST(contains(postmortem_text(input), "select chat_v11.add_action_item('what', 'owner', '2026-12-31', 3);"));
	input.checklist.items = {{1, 3, "a test", "igor", "2026-03-20"}, {2, 3, "an alert", std::nullopt, std::nullopt}};
	input.checklist.items[0].closed_at = noon;
	input.checklist.items[0].resolution = "closed";
	const auto text = postmortem_text(input);
	BOOST_TEST(contains(text, "| 1 | a test | igor | 2026-03-20 | closed 2026-03-01 |"));
	BOOST_TEST(contains(text, "| 2 | an alert | **nobody** | **no date** | open |"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
