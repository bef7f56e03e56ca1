// The postmortem: whoever was not there finds what happened, when, who was hit, and what was decided on which figures.

#include "core/postmortem_parts.hpp"

#include "core/guard.hpp"
#include "core/text.hpp"
#include "fixture.hpp"

namespace chat_v11::test {

namespace {

Step
step(std::int64_t id, Time at, const char *transition, const char *from, const char *to, std::string_view by) {
	Step made;
	made.id = id;
	made.at = at;
	made.transition = transition;
	made.from = from;
	made.to = to;
	made.from_kill = !std::string_view(from).ends_with("live");
	made.to_kill = std::string_view(to).ends_with("killed");
	made.decision = made.to_kill ? "ROLLBACK" : "PROCEED";
	made.changed_by = by;
	made.approved_by = by;
	made.version = id;
	return made;
}

Step
kill(std::int64_t id, Time at, std::string_view by = guard_name) {
	return step(id, at, "kill", "canary_10, live", "canary_1, killed", by);
}

Step
resume(std::int64_t id, Time at) {
	return step(id, at, "resume", "canary_1, killed", "canary_1, live", "the IC");
}

IncidentNote
note(Time at, NoteKind kind, std::string text) {
	IncidentNote made;
	made.at = at;
	made.kind = kind;
	made.author = "the scribe";
	made.text = std::move(text);
	return made;
}

IncidentNote
ticked(Time at, int point, std::string text) {
	auto made = note(at, NoteKind::check, std::move(text));
	made.point = point;
	return made;
}

constexpr Time red_at = noon - 60min;

// Killed by the guard an hour ago, declared a minute later, closed half an hour ago and resumed a minute after.
PostmortemInput
told() {
	PostmortemInput input;
	auto &incident = input.checklist.incident;
	incident.id = 3;
	incident.severity = incident.opened_as = Severity::p0;
	incident.title = "sends hang";
	incident.ic = "the IC";
	incident.opened_by = "oncall";
	incident.opened_at = noon - 59min;
	incident.closed_at = noon - 29min;
	incident.closed_by = "the IC";
	input.checklist.notes = {note(noon - 59min, NoteKind::opened, "P0, IC the IC: sends hang"),
							 note(noon - 50min, NoteKind::decision, "roll back the build"),
							 note(noon - 29min, NoteKind::closed, "no breach for half an hour")};
	input.checklist.notes[1].decision = "ROLLBACK";
	input.checklist.notes[1].reasons = "P0 send_stall_rate is 0.2 (20 of 100, 20 %), limit 0.05\nrollout killed: yes";
	input.checklist.steps = {kill(7, red_at), resume(8, noon - 28min)};
	input.checklist.steps[0].note = "guard: send_stall_rate is 0.2 (20 of 100), limit 0.05";
	input.checklist.steps[0].reasons = "P0 send_stall_rate is 0.2 (20 of 100), limit 0.05";
	input.checklist.steps[0].approved_by = "postgres";
	input.checklist.killed_when_opened = true;
	input.checklist.gates.state = live(Stage::canary_1, noon - 28min);
	input.sights = {{noon - 80min, "PROCEED", {}, ""},
					{red_at, "ROLLBACK", {"send_stall_rate"}, "P0 send_stall_rate is 0.2 (20 of 100), limit 0.05"}};
	input.now = noon;
	input.from = noon - 89min;
	input.to = noon + 31min;
	input.during_from = red_at - 1min;
	input.before_from = red_at - 31min;
	input.after_to = noon;
	input.metric_step = 1min;
	return input;
}

// A metric in which every one is too many, and the two users who met it 9 s before the guard saw it.
PostmortemInput
with_harm() {
	auto input = told();
	input.metrics = {
		{"timeline_duplicate_detected_rate", 0.0, {0.0, 0, 90}, {0.3, 3, 10}, red_at - 9s, {}, {}, {0.03, 3, 100}}};
	input.users = {{"timeline_duplicate_detected_rate", 3, 2, 0, red_at - 9s}};
	input.users_in_all = 2;
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

std::string
story(const PostmortemInput &input) {
	return postmortem::what_happened(input);
}

// What spoils the layout: a table's row with more or fewer cells than its head, or a heading that is none of ours.
std::string
broken_line(const std::string &text) {
	const auto cells = [](const std::string &line) {
		int bars = 0;
		for (size_t i = 0; i < line.size(); ++i)
			bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
		return bars;
	};
	static const std::vector<std::string> headings = {
		"# Postmortem of", "## What happened", "## Who was hit", "## Time line",       "## Decisions",
		"## The figures",  "## Causes",        "### Technical",  "### In the process", "## What worked",
		"## What did not", "## Permanent",     "## Checklist"};
	int wanted = 0;
	for (const auto &line : lines_of(text)) {
		if (line.starts_with('#') &&
			std::ranges::none_of(headings, [&](const std::string &heading) { return line.starts_with(heading); }))
			return line;
		if (!line.starts_with('|')) {
			wanted = 0;
			continue;
		}
		if (!wanted)
			wanted = cells(line);
		if (cells(line) != wanted || !line.ends_with(" |"))
			return line;
	}
	return {};
}

size_t
count_in(const std::string &text, const std::string &part) {
	size_t n = 0;
	for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
		++n;
	return n;
}

} // namespace

BOOST_AUTO_TEST_SUITE(postmortem_page)

BOOST_AUTO_TEST_CASE(what_happened) {
	BOOST_TEST(
		story(told()) ==
		"The guard noticed it at 2026-03-01 11:00:00 UTC: the gates said ROLLBACK: P0 send_stall_rate is 0.2 (20 of "
		"100), limit 0.05. The rollout was then at canary_10, live: 10 % of users.\n\n"
		"The guard killed the rollout at 11:00:00 UTC, in the same second: from then on nobody had v1.1. It was live "
		"again from 2026-03-01 11:32:00 UTC, at canary_1, live: 1 % of users, through the gate; v1.1 was off for 32 "
		"min.\n\n"
		"oncall opened the incident as a P0 at 11:01:00 UTC, 1 min after the first sign, with the IC as its IC. 1 "
		"decision of the IC stands in the record. the IC closed it at 11:31:00 UTC, after 30 min: \"no breach for half "
		"an hour\".\n");
	const auto text = postmortem_text(told());
	BOOST_TEST(contains(text, "| Noticed by | the guard, at 2026-03-01 11:00:00 UTC |"));
	BOOST_TEST(contains(text,
						"| v1.1 was off | 32 min: killed at 2026-03-01 11:00:00 UTC by chat_v11 guard, live again "
						"from 11:32:00 UTC, resumed by the IC |"));
	BOOST_TEST(contains(text, "| State before | canary_10, live: 10 % of users |"));
	BOOST_TEST(contains(text, "| State after | canary_1, live: 1 % of users |"));
	BOOST_TEST(contains(text, "| Written | 2026-03-01 12:00:00 UTC, "));
	BOOST_TEST(!contains(text, "State now"));
	BOOST_TEST(broken_line(text) == "");
}

BOOST_AUTO_TEST_CASE(the_first_harm_and_how_soon_it_was_seen) {
	auto input = with_harm();
	BOOST_TEST(contains(story(input),
						"At 2026-03-01 10:59:51 UTC a user of v1.1 saw a message twice. The guard noticed "
						"it at 11:00:00 UTC, 9 s later: the gates said ROLLBACK"));
	BOOST_TEST(contains(postmortem_text(input), "| First harm | 2026-03-01 10:59:51 UTC: a user of v1.1 saw"));
	BOOST_TEST(contains(postmortem_text(input), "| Noticed by | the guard, at 2026-03-01 11:00:00 UTC, 9 s later |"));
	// Something else was red before it: then the kill is what came of it.
	input.sights.insert(input.sights.begin() + 1, {noon - 70min, "HOLD", {"write_reject_rate"}, "P1 too many"});
	BOOST_TEST(
		contains(story(input), "The guard noticed it at 2026-03-01 10:50:00 UTC: the gates said HOLD: P1 too many."));
	BOOST_TEST(contains(story(input),
						"At 10:59:51 UTC a user of v1.1 saw a message twice. The guard killed the rollout "
						"at 11:00:00 UTC, 9 s later"));
	// Where one event is none too many, the first of them is no harm.
	input = with_harm();
	input.metrics[0].limit = 0.01;
	BOOST_TEST(!contains(postmortem_text(input), "First harm"));
}

BOOST_AUTO_TEST_CASE(who_noticed) {
	auto input = told();
	input.sights[1].by_guard = false;
	BOOST_TEST(contains(story(input), "The guard noticed it")); // its own act wrote the row
	input.checklist.steps[0].changed_by = "oncall";
	BOOST_TEST(contains(story(input), "oncall acted at 2026-03-01 11:00:00 UTC: the gates said ROLLBACK: P0"));
	BOOST_TEST(contains(postmortem_text(input), "| Noticed by | people: oncall, at 2026-03-01 11:00:00 UTC |"));
	input.sights[1].at -= 1s;
	BOOST_TEST(contains(story(input), "The gates showed it at 2026-03-01 10:59:59 UTC"));
	BOOST_TEST(contains(postmortem_text(input), "| Noticed by | the gates, at 2026-03-01 10:59:59 UTC |"));
	input.sights[1].at += 1s;
	BOOST_TEST(contains(story(input), "oncall killed the rollout at 11:00:00 UTC"));
	input.sights.clear();
	BOOST_TEST(contains(story(input), "No gate showed anything: people noticed it."));
	BOOST_TEST(contains(postmortem_text(input), "| Noticed by | people: oncall, at 2026-03-01 11:01:00 UTC |"));
	BOOST_TEST(contains(story(input), "oncall killed the rollout at 11:00:00 UTC: from then on"));
	input.sights = {{noon - 50min, "HOLD", {"x"}, "P1 x is high"}};
	BOOST_TEST(contains(story(input), "People noticed it before any gate did; the gates turned red at 2026-03-01 "
									  "11:10:00 UTC, 9 min after the opening, and said HOLD: P1 x is high."));
}

BOOST_AUTO_TEST_CASE(how_long_v11_was_off) {
	const auto off = [](const PostmortemInput &input) {
		const auto text = postmortem::head(input);
		const auto at = text.find("| v1.1 was off | ") + 17;
		return text.substr(at, text.find(" |\n", at) - at);
	};
	auto input = told();
	// Killed again, by hand, and not yet resumed.
	input.checklist.steps.push_back(kill(9, noon - 40min, "oncall"));
	std::swap(input.checklist.steps[1], input.checklist.steps[2]);
	input.checklist.steps[2].at = noon - 30min;
	input.checklist.steps.insert(input.checklist.steps.begin() + 1, resume(8, noon - 45min));
	BOOST_TEST(off(input) ==
			   "25 min: killed at 2026-03-01 11:00:00 UTC by chat_v11 guard, live again from 11:15:00 UTC, "
			   "resumed by the IC; killed at 2026-03-01 11:20:00 UTC by oncall, live again from 11:30:00 "
			   "UTC, resumed by the IC");
	input.checklist.steps.pop_back();
	BOOST_TEST(off(input).ends_with("killed at 2026-03-01 11:20:00 UTC by oncall, and still is"));
	BOOST_TEST(contains(story(input), "It has not been resumed since."));
	// Killed long before, for another reason.
	input = told();
	input.checklist.steps[0].at = noon - 26h;
	input.sights.clear();
	BOOST_TEST(contains(story(input), "The rollout had been killed since 2026-02-28 10:00:00 UTC, by the guard."));
	BOOST_TEST(off(input).starts_with("1 d 1 h: killed at 2026-02-28 10:00:00 UTC"));
	input.checklist.steps.erase(input.checklist.steps.begin());
	BOOST_TEST(off(input).starts_with("killed before the log tells, live again from 2026-03-01 11:32:00 UTC"));
	// What was killed after the end, and what was over before it began, is told elsewhere; a start is no resume.
	input.checklist.killed_when_opened = false;
	input.checklist.steps = {step(4, noon - 86min, "start", "not started", "canary_1, live", "oncall"),
							 kill(5, noon - 80min), resume(6, noon - 70min), kill(7, noon - 20min),
							 resume(8, noon - 10min)};
	BOOST_TEST(off(input) == "10 min: killed at 2026-03-01 10:40:00 UTC by chat_v11 guard, live again from 10:50:00 "
							 "UTC, resumed by the IC");
	input.from = noon - 75min; // that kill is no sign of this incident any more
	BOOST_TEST(off(input) == "not at all");
	BOOST_TEST(contains(story(input), "The rollout was not killed, and did not change its stage."));
	input.checklist.steps.insert(input.checklist.steps.begin() + 3,
								 step(7, noon - 50min, "rollback", "canary_10, live", "canary_1, live", guard_name));
	BOOST_TEST(contains(story(input), "The rollout was not killed. The guard took it back at 2026-03-01 11:10:00 UTC, "
									  "from canary_10, live to canary_1, live."));
	// An incident before the start: its kill found nobody live.
	input.checklist.steps = {step(1, noon - 59min, "kill", "not started", "canary_1, killed", "oncall")};
	input.checklist.killed_when_opened = true;
	BOOST_TEST(off(input) == "59 min: killed at 2026-03-01 11:01:00 UTC by oncall, and still is");
	BOOST_TEST(postmortem::state_before(input) == "not started");
	input.checklist.steps.push_back(step(2, noon - 20min, "start", "not started", "canary_1, live", "the IC"));
	BOOST_TEST(off(input).ends_with("live again from 11:40:00 UTC, resumed by the IC"));
	input.checklist.killed_when_opened = false;
	input.checklist.steps = {step(1, noon - 50min, "start", "not started", "canary_1, live", "oncall")};
	BOOST_TEST(off(input) == "not at all");
	input = told();
	input.checklist.steps[1].overridden = true;
	BOOST_TEST(contains(story(input), "1 % of users, **forced past its gates**; v1.1"));
}

BOOST_AUTO_TEST_CASE(what_has_become_of_it_since) {
	auto input = told();
	input.checklist.gates.state = live(Stage::full, noon);
	BOOST_TEST(contains(postmortem_text(input), "| State now | full, live: 100 % of users |"));
	input.checklist.incident.closed_at.reset();
	BOOST_TEST(contains(story(input), "The incident is still open, 59 min after."));
	BOOST_TEST(contains(postmortem_text(input), "| Closed | still open, for 59 min |"));
	BOOST_TEST(contains(postmortem_text(input), "| State now | canary_1, live: 1 % of users |\n| Still"));
	BOOST_TEST(!contains(postmortem_text(input), "State after"));
}

BOOST_AUTO_TEST_CASE(who_led) {
	auto input = told();
	BOOST_TEST(contains(postmortem_text(input), "| IC | the IC |"));
	input.checklist.incident.ic = "the IC of the day: relief";
	const auto text = postmortem_text(input);
	BOOST_TEST(contains(text, "| IC | the IC, then the IC of the day: relief |"));
	BOOST_TEST(contains(text, "with the IC as its IC, and the IC of the day: relief later."));
	BOOST_TEST(contains(text, "**opened** as a P0, IC the IC |"));
	input.checklist.notes[0].text = "somebody else's words";
	BOOST_TEST(contains(postmortem_text(input), "**opened** as a P0, IC the IC of the day: relief |"));
	input.checklist.incident.severity = Severity::p2;
	BOOST_TEST(contains(postmortem_text(input), "Of a P2 no decisions are owed."));
}

BOOST_AUTO_TEST_CASE(an_escalation) {
	auto input = told();
	input.checklist.incident.opened_as = Severity::p1;
	input.checklist.incident.escalated_at = noon - 58min;
	input.checklist.notes.push_back(note(noon - 58min, NoteKind::escalated, "it spreads"));
	BOOST_TEST(contains(story(input), "the scribe made it a P0 at 11:02:00 UTC: it spreads."));
	BOOST_TEST(
		contains(postmortem_text(input), "| 11:02:00 | +0:01:00 | the scribe | **escalated** to P0: it spreads |"));
	// What the gates said already is not said again.
	input.checklist.notes.back().author = guard_name;
	input.checklist.notes.back().text = "send_stall_rate is 0.2 (20 of 100), limit 0.05";
	BOOST_TEST(contains(story(input), "The guard made it a P0 at 11:02:00 UTC. 1 decision"));
	BOOST_TEST(contains(postmortem_text(input), "| chat_v11 guard | **escalated** to P0 |"));
}

BOOST_AUTO_TEST_CASE(one_time_line_in_order) {
	auto input = told();
	input.sights.push_back({noon - 29min, "PROCEED", {}, ""});
	input.sights.push_back({noon - 20min, "HOLD", {}, "rollout dwell: too young"});
	BOOST_TEST(in_order(
		postmortem::timeline(input),
		{"Before the first sign the gates said PROCEED, and no P0 or P1 check failed.", "| **2026-03-01** |",
		 "| 11:00:00 | -0:01:00 | gates | PROCEED -> **ROLLBACK**: P0 send_stall_rate",
		 "| 11:00:00 | -0:01:00 | chat_v11 guard | **kill** canary_10, live -> canary_1, killed (decision 1) |",
		 "| 11:01:00 | +0:00:00 | the scribe | **opened** as a P0, IC the IC |",
		 "| 11:10:00 | +0:09:00 | the scribe | **decision 2**: roll back the build |",
		 "| 11:31:00 | +0:30:00 | the scribe | **closed** |",
		 "| 11:31:00 | +0:30:00 | gates | ROLLBACK -> **PROCEED** |",
		 "| 11:32:00 | +0:31:00 | the IC | **resume** canary_1, killed -> canary_1, live (decision 3) |"}));
	auto calmed = input;
	calmed.sights[2] = {noon - 40min, "HOLD", {}, "rollout quiet: it failed 20 min ago"};
	BOOST_TEST(
		contains(postmortem::timeline(calmed), "| gates | ROLLBACK -> **HOLD**, no P0 or P1 check fails any more |"));
	// After the end nobody asks for what is not red.
	BOOST_TEST(!contains(postmortem::timeline(input), "dwell"));
	input.sights.back().failing = {"x"};
	BOOST_TEST(contains(postmortem::timeline(input), "PROCEED -> **HOLD**: rollout dwell"));
	input.checklist.notes.push_back(note(noon + 13h, NoteKind::note, "the next day"));
	BOOST_TEST(in_order(postmortem::timeline(input),
						{"| **2026-03-02** | | | |\n| 01:00:00 | +13:59:00 | the scribe | the next day |"}));
	auto config = step(9, noon - 30min, "config", "canary_1, killed", "canary_1, killed", "an admin");
	config.change = "setting p0_clear_window: value 00:30:00 -> 01:00:00";
	input.checklist.steps.insert(input.checklist.steps.begin() + 1, config);
	BOOST_TEST(contains(postmortem::timeline(input),
						"| an admin | **changed**: setting p0_clear_window: value 00:30:00 -> 01:00:00 |"));
}

// Beside a broken P0 the rest of the reasons is noise, and the guard's note is the gates' own words.
BOOST_AUTO_TEST_CASE(decisions_with_their_figures) {
	auto input = told();
	const auto text = postmortem::decisions(input);
	BOOST_TEST(contains(text,
						"| 1 | 2026-03-01 11:00:00 | chat_v11 guard | **kill** canary_10, live -> canary_1, killed, "
						"version 7 | ROLLBACK: P0 send_stall_rate is 0.2 (20 of 100), limit 0.05 |"));
	BOOST_TEST(contains(text,
						"| 2 | 2026-03-01 11:10:00 | the scribe | roll back the build | ROLLBACK: P0 send_stall_rate "
						"is 0.2 (20 of 100, 20 %), limit 0.05 |"));
	BOOST_TEST(contains(text, "the longest time without one was 21 min, from 2026-03-01 11:10:00 UTC."));
	input.settings.decision_interval = 21min;
	BOOST_TEST(contains(postmortem::decisions(input), "every 21 min, and kept to it."));
	input.checklist.steps[1].approved_by = "the lead";
	input.checklist.steps[1].note = "resume controlled";
	BOOST_TEST(contains(postmortem::decisions(input),
						"| the IC, approved by the lead | **resume** canary_1, killed -> canary_1, live, version 8: "
						"\"resume controlled\" | PROCEED |"));
	input.checklist.notes[1].decision = "HOLD";
	input.checklist.notes[1].reasons = "rollout incident: P0 incident 3 is open";
	BOOST_TEST(contains(postmortem::decisions(input), "| HOLD, for nothing but the open incident |"));
	// Without traffic nothing is known, and one clause says so.
	input.checklist.notes[1].reasons =
		"P0 a is unknown: stale\nP0 b is unknown: stale\nP1 c is unknown: stale\nrollout "
		"dwell: too young";
	BOOST_TEST(contains(postmortem::decisions(input), "| HOLD: 3 checks of P0 and P1 are unknown |"));
	input.checklist.notes[1].reasons = "P0 a is unknown: stale\nP1 b is 0.5, limit 0.1";
	BOOST_TEST(contains(postmortem::decisions(input), "| HOLD: P1 b is 0.5, limit 0.1; P0 a is unknown: stale |"));
	// What a comparison waits for, or cannot be told, is unknown too; a FAIL is not.
	input.checklist.notes[1].reasons =
		"P1 FAIL a: canary 9 of 10\nP1 WAIT b: none\nP1 data c: swapped\nP0 d is unknown: stale";
	BOOST_TEST(contains(postmortem::decisions(input),
						"| HOLD: P1 FAIL a: canary 9 of 10; 3 checks of P0 and P1 are unknown |"));
	input.checklist.notes[1].decision = "";
	BOOST_TEST(contains(postmortem::decisions(input), "| they were not read |"));
	input.checklist.steps.clear();
	input.checklist.notes.clear();
	BOOST_TEST(contains(postmortem::decisions(input), "None was written down"));
}

BOOST_AUTO_TEST_CASE(who_was_hit) {
	auto input = with_harm();
	BOOST_TEST(contains(postmortem::who_was_hit(input),
						"Of v1.1, from 2026-03-01 10:59:00 UTC until 11:31:00 UTC:\n\n- "
						"**3 messages came twice**, of 100 deliveries: 2 users\n"));
	// Some of the events are gone.
	input.users[0].seen = 1;
	input.users[0].users = 1;
	BOOST_TEST(
		contains(postmortem::who_was_hit(input), "deliveries: at least 1 user; 2 of them are not kept any more"));
	input.users[0] = {"timeline_duplicate_detected_rate"};
	BOOST_TEST(contains(postmortem::who_was_hit(input), "deliveries: whose they were is not kept any more"));
	input.users.clear();
	input.users_error = "it took too long";
	BOOST_TEST(contains(postmortem::who_was_hit(input), "not known: it took too long"));

	input = told();
	input.metrics = {{"ack_without_receipt_10s_rate", 0.0, {}, {0.2, 4, 20}, red_at, {}, {}, {0.05, 5, 100}},
					 {"write_receipt_p95_ms", 2000.0, {}, {3200.0, 0, 20}, red_at, {}, {}, {900.0, 0, 100}},
					 {"forced_resync_rate", 0.05, {}, {0.01, 1, 100}, red_at, {}, {}, {0.01, 9, 900}}};
	input.users = {{"ack_without_receipt_10s_rate", 5, 4, 2, red_at}};
	BOOST_TEST(contains(postmortem::who_was_hit(input),
						"- **5 writes got no receipt within 10 s**, of 100 acknowledged "
						"writes: 4 users; of 2 the receipt came late, of 3 never\n"
						"- **write_receipt_p95_ms was above its limit**: at worst 3200 ms "
						"(of 20), limit 2000 ms\n"));
	BOOST_TEST(!contains(postmortem::who_was_hit(input), "resync")); // the usual noise
	input.sights[1].failing = {"forced_resync_rate"};
	input.users.push_back({"forced_resync_rate", 9, 7, 0, red_at});
	input.users_in_all = 10;
	BOOST_TEST(contains(postmortem::who_was_hit(input),
						"- **9 sessions were made to resync**, of 900 session-minutes: 7 "
						"users\n- in all 10 users\n"));
	input.users[0].seen = 4;
	BOOST_TEST(contains(postmortem::who_was_hit(input), "- in all at least 10 users\n"));
	BOOST_TEST(contains(postmortem::who_was_hit(told()), "- not known: nothing was reported"));
	input = told();
	input.metrics = {{"send_stall_rate", 0.05, {}, {0.01, 1, 100}, red_at, {}, {}, {0.01, 1, 100}}};
	input.sights.clear();
	BOOST_TEST(contains(postmortem::who_was_hit(input), "- nobody that the telemetry knows of: no metric passed"));
}

BOOST_AUTO_TEST_CASE(figures) {
	auto input = told();
	input.metrics = {
		{"write_receipt_p95_ms",
		 2000.0,
		 {199.0, 0, 50},
		 {210.0, 0, 40},
		 noon - 40min,
		 {},
		 {180.0, 0, 900},
		 {201.0, 0, 90}},
		{"send_stall_rate", 0.05, {0.0, 0, 100}, {0.2, 20, 100}, noon - 61min, {1.0 / 979, 1, 979}, {}, {0.1, 20, 200}},
		{"pending_forever_count", 0.0, {0.0, 0, 0}, {0.0, 0, 0}, red_at, {2.0, 2, 2}, {0.0, 0, 0}, {0.0, 0, 0}},
		{"full_state_rate", 0.05, {}, {}, {}, {}, {}}};
	const auto text = postmortem::figures(input);
	// What passed its limit comes first.
	BOOST_TEST(in_order(
		text,
		{"| send_stall_rate | 5 % | 0 % (0 of 100) | **20 % (20 of 100)** | 10:59:00 | 10 % (20 of 200) | 0.102 % (1 "
		 "of 979) | - |",
		 "| write_receipt_p95_ms | 2000 ms | 199 ms (of 50) | 210 ms (of 40) | 11:20:00 | 201 ms (of 90) | - | 180 ms "
		 "(of 900) |",
		 "| pending_forever_count | 0 | 0 | 0 | - | 0 | 2 | 0 |",
		 "Nothing was reported that could be a figure of: full_state_rate."}));
	BOOST_TEST(contains(text,
						"- before: v1.1 from 2026-03-01 10:29:00 UTC until 10:59:00 UTC\n- worst: of v1.1, the worst "
						"1 min while it lasted"));
	BOOST_TEST(contains(text, "- after: v1.1 from then until 12:00:00 UTC\n"));
	input.after_to = noon - 29min;
	BOOST_TEST(contains(postmortem::figures(input), "- after: nothing yet\n"));
	input.metrics_error = "gone";
	BOOST_TEST(contains(postmortem::figures(input), "They cannot be read: gone"));
	BOOST_TEST(contains(postmortem::who_was_hit(input), "Not known: gone"));
}

// Why, and what was good, is nothing that the machine knows.
BOOST_AUTO_TEST_CASE(what_people_fill_in) {
	auto input = told();
	const auto text = postmortem_text(input);
	for (const auto *heading : {"### Technical\n\n> **For people", "### In the process\n\n> **For people",
								"## What worked\n\n> **For people", "## What did not work\n\n> **For people"})
		BOOST_TEST(contains(text, heading));
	input.checklist.notes.push_back(ticked(noon - 40min, 6, "client: an index\n## runs wild"));
	BOOST_TEST(
		contains(postmortem_text(input),
				 "### Technical\n\nThe layer, as the scribe noted at 2026-03-01 11:20:00 UTC: \"client: an index ## "
				 "runs wild\"\n\n> **For people"));
}

BOOST_AUTO_TEST_CASE(what_is_left_to_do) {
	auto input = told();
	BOOST_TEST(contains(postmortem_text(input), "select chat_v11.add_action_item('what', 'owner', '2026-12-31', 3);"));
	BOOST_TEST(contains(postmortem_text(input), "| Still to be done | nothing that the database knows of |"));
	input.checklist.items = {{1, 3, "a test", "backend", "2026-03-20"},
							 {2, 3, "an alert", std::nullopt, std::nullopt},
							 {3, 3, "a guardrail", "backend", "2026-02-28"},
							 {4, 3, "a drill", "backend", "2026-02-27"}};
	input.checklist.items[3].closed_at = noon;
	input.checklist.items[3].resolution = "accepted";
	input.checklist.items[3].closing_text = "not worth it";
	input.checklist.notes.push_back(ticked(noon - 40min, 6, "the client"));
	input.points = {{1, "Severity given", true, "P0"},
					{6, "Layer known", true, "the client (the scribe, 2026-03-01 11:20:00 UTC)"},
					{9, "Postmortem written", false, "select 1;"}};
	const auto text = postmortem_text(input);
	BOOST_TEST(contains(text, "| 1 | a test | backend | 2026-03-20 | open |"));
	BOOST_TEST(contains(text, "| 2 | an alert | **nobody** | **no date** | open |"));
	BOOST_TEST(contains(text, "| 3 | a guardrail | backend | 2026-02-28 | **overdue** |"));
	BOOST_TEST(contains(text, "| 4 | a drill | backend | 2026-02-27 | accepted 2026-03-01: not worth it |"));
	BOOST_TEST(contains(text,
						"| Still to be done | action items: 3 of 4 are open, the first until 2026-02-28; points of "
						"the checklist: 9 |"));
	BOOST_TEST(contains(text, "- [x] 1. Severity given: P0\n- [x] 6. Layer known: noted by the scribe at 2026-03-01 "
							  "11:20:00 UTC\n- [ ] 9. Postmortem written: select 1;\n"));
}

// What somebody typed can neither break a table nor begin a heading, nor turn what stands beside it.
BOOST_AUTO_TEST_CASE(texts_stay_in_their_cells) {
	const std::string hostile = "a | b\n# c\r\n| d | \xE2\x80\xAE"
								"e\xE2\x80\xA8## f \xC2\x85`g` <script> [x](y) **h** \\| \\";
	auto input = with_harm();
	auto &incident = input.checklist.incident;
	incident.title = incident.ic = incident.opened_by = incident.closed_by = hostile;
	incident.opened_as = Severity::p1;
	for (auto &each : input.checklist.notes)
		each.author = each.text = each.reasons = hostile;
	for (auto &each : input.checklist.steps)
		each.note = each.changed_by = each.approved_by = each.reasons = hostile;
	for (auto &each : input.sights)
		each.reasons = hostile;
	for (const auto kind : {NoteKind::note, NoteKind::fact, NoteKind::action, NoteKind::escalated})
		input.checklist.notes.push_back(note(noon - 45min, kind, hostile));
	for (const int n : {5, 6, 9, 10})
		input.checklist.notes.push_back(ticked(noon - 45min, n, hostile));
	auto config = step(9, noon - 30min, "config", "canary_1, killed", "canary_1, killed", hostile);
	config.change = config.note = hostile;
	input.checklist.steps.insert(input.checklist.steps.begin() + 1, config);
	input.checklist.items = {{1, 3, hostile, hostile, "2026-03-20"}};
	input.checklist.items[0].closed_at = noon;
	input.checklist.items[0].closing_text = hostile;
	input.points = {{1, "Severity given", true, hostile}};
	const auto text = postmortem_text(input);
	BOOST_TEST(broken_line(text) == "");
	BOOST_TEST(contains(
		text, "incident 3: a \\| b # c \\| d \\| e ## f \\`g\\` \\<script> \\[x](y) \\*\\*h\\*\\* \\\\\\| \\\\\n"));
	BOOST_TEST(!contains(text, "\xE2\x80\xAE"));
	BOOST_TEST(!contains(text, "\xE2\x80\xA8"));
	input.metrics_error = input.users_error = hostile;
	BOOST_TEST(broken_line(postmortem_text(input)) == "");
}

// Three days of flapping gates, 200 notes of 4 kB, 100 decisions and 80 items are still a page or three, which says
// what it leaves out.
BOOST_AUTO_TEST_CASE(a_long_incident_stays_readable) {
	auto input = told();
	input.checklist.incident.opened_at = noon - 72h;
	input.from = noon - 73h;
	input.sights.clear();
	const std::string words(4096, 'x');
	for (int i = 0; i < 72 * 60; ++i)
		input.sights.push_back({noon - 72h + i * 1min, i % 2 ? "HOLD" : "ROLLBACK", {"x"}, "P0 " + words});
	for (int i = 0; i < 200; ++i)
		input.checklist.notes.push_back(note(noon - 71h + i * 20min, NoteKind::note, "note " + words));
	for (int i = 0; i < 30; ++i)
		input.checklist.notes.push_back(note(noon - 70h + i * 1h, NoteKind::fact, "fact " + std::to_string(i)));
	const auto with_few = postmortem::timeline(input);
	// Facts and turns are all there; of notes and gates the rest.
	BOOST_TEST(count_in(with_few, "**fact**") == 30u);
	BOOST_TEST(contains(with_few, "**decision 2**: roll back the build"));
	BOOST_TEST(contains(with_few, "**closed**"));
	BOOST_TEST(count_in(with_few, "| note xx") == 33u);
	BOOST_TEST(count_in(with_few, "| gates | ") == 1u + 11u);
	BOOST_TEST(contains(with_few, "Left out for length: 167 remarks, 4308 lines of the gates."));
	BOOST_TEST(contains(with_few,
						" lines of the gates. All of it: `select at, kind, author, text from chat_v11.incident_note "
						"where incident = 3 order by at, n;`"));
	BOOST_TEST(contains(with_few, "| ... | | | _left out: "));
	for (int i = 0; i < 100; ++i)
		input.checklist.notes.push_back(note(noon - 71h + i * 10min, NoteKind::decision, words));
	for (int i = 0; i < 80; ++i)
		input.checklist.items.push_back({i + 1, 3, words, words, "2026-03-20"});
	const auto text = postmortem_text(input);
	BOOST_TEST(broken_line(text) == "");
	BOOST_TEST(lines_of(text).size() < 400u);
	BOOST_TEST(text.size() < 250'000u);
	for (const auto &line : lines_of(text))
		BOOST_TEST(line.size() < 3000u);
	BOOST_TEST(contains(text, "| ... | | | _left out: 43 decisions_ | |"));
	BOOST_TEST(contains(text, "30 more: `select * from chat_v11.action_item where incident = 3 order by id;`"));
	// As many lines left out as there are not shown.
	const auto line = text.substr(text.find("\nLeft out for length: "));
	BOOST_TEST(contains(line, "Left out for length: 26 turns, 30 facts, 200 remarks, 4319 lines of the gates"));
	auto cut = told();
	cut.checklist.notes.push_back(note(noon - 45min, NoteKind::note, words));
	BOOST_TEST(contains(postmortem::timeline(cut), "Texts that end in ... are cut."));
	BOOST_TEST(!contains(postmortem::timeline(told()), "Texts that end in"));
}

BOOST_AUTO_TEST_CASE(distances) {
	using postmortem::distance;
	BOOST_TEST(distance(noon, noon) == "+0:00:00");
	BOOST_TEST(distance(noon, noon - 1s) == "-0:00:01");
	BOOST_TEST(distance(noon, noon + 100h + 2min + 3s) == "+100:02:03");
	BOOST_TEST(postmortem::with_share("canary_1, killed") == "canary_1, killed: nobody");
	BOOST_TEST(postmortem::with_share("not started") == "not started: nobody");
	BOOST_TEST(postmortem::with_share("full, live") == "full, live: 100 % of users");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
