#include "core/postmortem.hpp"

#include "core/gate_checks.hpp"
#include "core/text.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

constexpr const char *to_fill = "_To be filled in._\n";
constexpr size_t most_events = 500;

std::string
at_second(Time at) {
	return format_utc(floor_second(at));
}

// The clock alone: the day stands in the head, and where it changes.
std::string
clock_of(Time at) {
	return at_second(at).substr(11, 8);
}

std::string
day_of(Time at) {
	return at_second(at).substr(0, 10);
}

std::string
span(Time from, Time to) {
	return format_duration(floor_second(to) - floor_second(from));
}

std::string
cell(const std::string &text) {
	return markdown_text(text);
}

// What the gates gave as reasons.  Beside a broken P0 or P1 check it tells nobody anything that a stage has not lasted
// its time, or that the incident itself is open.
std::string
because(const std::string &reasons) {
	std::string severe;
	std::string others;
	for (size_t begin = 0; begin < reasons.size();) {
		const auto end = std::min(reasons.find('\n', begin), reasons.size());
		const auto reason = reasons.substr(begin, end - begin);
		auto &list = reason.starts_with("P0 ") || reason.starts_with("P1 ") ? severe : others;
		if (!reason.starts_with("rollout incident: "))
			list += (list.empty() ? "" : "; ") + reason;
		begin = end + 1;
	}
	const auto &telling = severe.empty() ? others : severe;
	return telling.empty() ? "" : ": " + telling;
}

const Incident &
of(const PostmortemInput &input) {
	return input.checklist.incident;
}

struct Event {
	Time at;
	int rank; // of one moment: gates, a closing, what became of the rollout, and what people said of it
	std::string who;
	std::string what; // Markdown
};

std::string
step_text(const Step &step) {
	std::string text;
	if (step.transition == "config")
		text = "**config** " + cell(step.change);
	else
		text = "**" + step.transition + "** " + step.from + " → " + step.to + " (version " +
			   std::to_string(step.version) + ")" + (step.overridden ? ", **forced past its gates**" : "");
	if (!step.note.empty())
		text += ", “" + cell(step.note) + "”";
	if (step.approved_by != step.changed_by)
		text += "; approved by " + cell(step.approved_by);
	return text;
}

std::string
note_text(const IncidentNote &note) {
	const auto text = cell(note.text);
	switch (note.kind) {
	case NoteKind::note: return text;
	case NoteKind::check: return "**checked** point " + std::to_string(note.point.value_or(0)) + ": " + text;
	case NoteKind::decision: return "**DECISION** " + text;
	default: return "**" + std::string(name(note.kind)) + "** " + text;
	}
}

// A row a minute says the same again and again: only what changed is told.
void
add_sights(const PostmortemInput &input, std::vector<Event> &events) {
	const GateSight *last = nullptr;
	for (const auto &sight : input.sights) {
		const bool same = last && last->decision == sight.decision && last->failing == sight.failing;
		if (!same && sight.at >= input.from && sight.at <= input.to)
			events.push_back({sight.at, 0, "gates",
							  (last && last->decision != sight.decision ? last->decision + " → " : std::string()) +
								  "**" + sight.decision + "**" + cell(because(sight.reasons))});
		last = &sight;
	}
}

std::vector<Event>
events_of(const PostmortemInput &input) {
	std::vector<Event> events;
	add_sights(input, events);
	for (const auto &step : input.checklist.steps)
		if (step.at >= input.from && step.at <= input.to)
			events.push_back({step.at, 2, cell(step.changed_by), step_text(step)});
	for (const auto &note : input.checklist.notes)
		events.push_back({note.at, note.kind == NoteKind::closed ? 1 : 3, cell(note.author), note_text(note)});
	std::stable_sort(events.begin(), events.end(),
					 [](const Event &a, const Event &b) { return a.at != b.at ? a.at < b.at : a.rank < b.rank; });
	return events;
}

std::string
timeline(const PostmortemInput &input) {
	const auto events = events_of(input);
	std::string text = "| UTC | who | what |\n| --- | --- | --- |\n";
	std::string day;
	size_t shown = 0;
	for (const auto &event : events) {
		if (++shown > most_events)
			break;
		if (day_of(event.at) != day) {
			day = day_of(event.at);
			text += "| **" + day + "** | | |\n";
		}
		text += "| " + clock_of(event.at) + " | " + event.who + " | " + event.what + " |\n";
	}
	if (events.size() > most_events)
		text += "\n" + std::to_string(events.size() - most_events) +
				" more: select * from chat_v11.incident_note; select * from chat_v11.gate_log;\n";
	return text;
}

const Step *
kill_of(const PostmortemInput &input) {
	for (const auto &step : input.checklist.steps)
		if (step.to_kill && !step.from_kill && step.at >= input.from)
			return &step;
	return nullptr;
}

const Step *
resume_of(const PostmortemInput &input) {
	const Step *resumed = nullptr;
	for (const auto &step : input.checklist.steps)
		if (step.from_kill && !step.to_kill && step.at > of(input).opened_at)
			resumed = &step;
	return resumed;
}

// Where the rollout stood before anything was wrong.
std::string
state_before(const PostmortemInput &input) {
	const auto sign = first_sign(input);
	const Step *before = nullptr;
	for (const auto &step : input.checklist.steps) {
		if (step.at >= sign && step.transition != "config")
			return step.from;
		if (step.transition != "config")
			before = &step;
	}
	return before ? before->to : describe(input.checklist.gates.state);
}

const GateSight *
first_red(const PostmortemInput &input) {
	for (const auto &sight : input.sights)
		if (!sight.failing.empty() && sight.at >= input.from)
			return &sight;
	return nullptr;
}

std::string
kill_sentence(const PostmortemInput &input) {
	const auto *kill = kill_of(input);
	if (!kill)
		return input.checklist.killed_when_opened ? "The rollout was killed already. " : "The rollout was not killed. ";
	std::string text = "The rollout was killed at " + at_second(kill->at) + " by " + cell(kill->changed_by);
	const auto sign = first_sign(input);
	if (kill->at - sign >= std::chrono::seconds(1))
		text += ", " + span(sign, kill->at) + " after the first sign";
	return text + ": nobody was in the cohort from then on. ";
}

std::string
end_sentence(const PostmortemInput &input) {
	const auto &incident = of(input);
	std::string text;
	if (const auto *resumed = resume_of(input))
		text += "It was live again, at " + resumed->to.substr(0, resumed->to.find(',')) + ", from " +
				at_second(resumed->at) + (resumed->overridden ? ", forced past its gates. " : ", through the gate. ");
	else if (input.checklist.gates.state.killed())
		text += "It has not been resumed. ";
	if (!incident.closed_at)
		return text + "The incident is still open.";
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::closed)
			return text + "The incident was closed at " + at_second(*incident.closed_at) + " by " +
				   cell(incident.closed_by) + ", after " + span(incident.opened_at, *incident.closed_at) + ": " +
				   cell(note.text) + ".";
	return text;
}

std::string
summary(const PostmortemInput &input) {
	const auto &incident = of(input);
	std::string text;
	if (const auto *red = first_red(input))
		text += (red->at <= incident.opened_at ? "First sign: at " : "It was seen by people first; at ") +
				at_second(red->at) + " the gates said " + red->decision + cell(because(red->reasons)) + ". ";
	else
		text += "The gates showed nothing: it was seen by people. ";
	text += "The rollout was at " + state_before(input) + ". ";
	text += cell(incident.opened_by) + " declared a " + std::string(name(incident.opened_as)) + " at " +
			at_second(incident.opened_at) + ", IC " + cell(incident.ic) + ". ";
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::escalated)
			text += "It became a " + std::string(name(incident.severity)) + " at " + at_second(note.at) + " (" +
					cell(note.author) + ": " + cell(note.text) + "). ";
	return text + kill_sentence(input) + end_sentence(input) + "\n";
}

std::string
head(const PostmortemInput &input) {
	const auto &incident = of(input);
	std::string text = "# Postmortem of incident " + std::to_string(incident.id) + ": " + cell(incident.title) + "\n\n";
	text += "| | |\n| --- | --- |\n| Severity | " + std::string(name(incident.severity));
	if (incident.escalated_at)
		text += ", opened as " + std::string(name(incident.opened_as)) + ", escalated at " +
				at_second(*incident.escalated_at);
	text += " |\n| IC | " + cell(incident.ic) + " |\n";
	text += "| First sign | " + at_second(first_sign(input)) + " |\n";
	text += "| Opened | " + at_second(incident.opened_at) + " by " + cell(incident.opened_by) + " |\n";
	const auto *kill = kill_of(input);
	text += "| Killed | " +
			(kill ? at_second(kill->at) + " by " + cell(kill->changed_by)
				  : std::string(input.checklist.killed_when_opened ? "before" : "no")) +
			" |\n";
	const auto *resumed = resume_of(input);
	text += "| Live again | " +
			(resumed ? at_second(resumed->at) + " by " + cell(resumed->changed_by)
					 : std::string(input.checklist.gates.state.killed() ? "not yet" : "it never stopped")) +
			" |\n";
	text += "| Closed | " +
			(incident.closed_at ? at_second(*incident.closed_at) + " by " + cell(incident.closed_by)
								: std::string("still open")) +
			" |\n| Lasted | " + span(incident.opened_at, story_end(input)) + " |\n";
	if (incident.mock_clock)
		text += "| A drill | the clock of its session was mocked |\n";
	return text;
}

std::string
figure_text(const Figure &figure) {
	if (!figure.value)
		return "–";
	auto text = format_number(*figure.value);
	if (figure.denominator > 0 && figure.numerator == 0 && *figure.value > 0)
		text += " (of " + std::to_string(figure.denominator) + ")"; // a percentile
	else if (figure.denominator > 0 && *figure.value > 0)
		text += " (" + std::to_string(figure.numerator) + " of " + std::to_string(figure.denominator) + ")";
	return text;
}

std::string
metrics_table(const PostmortemInput &input) {
	if (!input.metrics_error.empty())
		return "They cannot be read: " + cell(input.metrics_error) + "\n";
	const auto sign = first_sign(input);
	const auto end = story_end(input);
	std::string text = "Of v1.1. Before: from " + at_second(input.before_from) +
					   " until a minute before the first sign. "
					   "Worst: the worst " +
					   format_duration(input.metric_step) + " from then until " + at_second(end) + ". After: " +
					   (input.after_to > end ? "until " + at_second(input.after_to) : std::string("nothing yet")) +
					   ". Control: v1.0 from a minute before the first sign to the end.\n\n";
	text +=
		"| metric | limit | before | worst | from | after | control |\n| --- | --- | --- | --- | --- | --- | --- |\n";
	for (const auto &story : input.metrics) {
		if (!story.before.value && !story.worst.value && !story.after.value && !story.control.value)
			continue;
		const bool broken = story.limit && story.worst.value && *story.worst.value > *story.limit;
		const auto worst = figure_text(story.worst);
		// A calm figure's worst minute is nobody's news.
		const auto at = story.worst_from && story.worst.value && *story.worst.value > 0
							? (day_of(*story.worst_from) == day_of(sign) ? clock_of(*story.worst_from)
																		 : at_second(*story.worst_from))
							: std::string("–");
		text += "| " + story.metric + " | " + (story.limit ? format_number(*story.limit) : "–") + " | " +
				figure_text(story.before) + " | " + (broken ? "**" + worst + "**" : worst) + " | " + at + " | " +
				figure_text(story.after) + " | " + figure_text(story.control) + " |\n";
	}
	return text;
}

// What the IC decided and what the rollout did, each with the gates of that moment.
std::string
decisions(const PostmortemInput &input) {
	struct Row {
		Time at;
		std::string who, what, gates;
	};
	std::vector<Row> rows;
	const auto said = [](const std::string &decision, const std::string &reasons) {
		return decision.empty() ? std::string("not read") : decision + because(reasons);
	};
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::decision)
			rows.push_back({note.at, note.author, note.text, said(note.decision, note.reasons)});
	for (const auto &step : input.checklist.steps)
		if (step.transition != "config" && step.at >= input.from && step.at <= input.to)
			rows.push_back(
				{step.at,
				 step.changed_by + (step.approved_by == step.changed_by ? "" : ", approved by " + step.approved_by),
				 step.transition + ": " + step.from + " → " + step.to +
					 (step.note.empty() ? "" : ", “" + step.note + "”"),
				 step.decision + because(step.reasons)});
	if (rows.empty())
		return "None was written down.\n";
	std::stable_sort(rows.begin(), rows.end(), [](const Row &a, const Row &b) { return a.at < b.at; });
	std::string text = "| UTC | by | decided | on what the gates said |\n| --- | --- | --- | --- |\n";
	for (const auto &row : rows)
		text += "| " + at_second(row.at).substr(0, 19) + " | " + cell(row.who) + " | " + cell(row.what) + " | " +
				cell(row.gates) + " |\n";
	return text;
}

std::string
cadence(const PostmortemInput &input) {
	const auto interval = input.settings.decision_interval;
	auto since = of(input).opened_at;
	Time worst_from{};
	Duration worst{};
	const auto look = [&](Time at) {
		if (at - since > worst) {
			worst = at - since;
			worst_from = since;
		}
		since = at;
	};
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::decision && note.at <= story_end(input))
			look(std::max(note.at, since));
	look(story_end(input));
	const auto owed = "The IC owed a decision every " + format_duration(interval);
	if (worst <= interval)
		return owed + ", and kept to it.\n";
	return owed + "; the longest time without one was " + format_duration(floor_second(Time(worst)) - Time{}) +
		   ", from " + at_second(worst_from) + ".\n";
}

std::string
fixes(const PostmortemInput &input) {
	const auto &items = input.checklist.items;
	if (items.empty())
		return "None yet. A test, an alert, a guardrail: each with an owner and a date.\n\n    select "
			   "chat_v11.add_action_item('what', 'owner', '2026-12-31', " +
			   std::to_string(of(input).id) + ");\n";
	std::string text = "| # | what | owner | until | state |\n| --- | --- | --- | --- | --- |\n";
	for (const auto &item : items) {
		auto state = std::string("open");
		if (item.closed_at)
			state = item.resolution + " " + day_of(*item.closed_at) +
					(item.closing_text.empty() ? "" : ": " + cell(item.closing_text));
		text += "| " + std::to_string(item.id) + " | " + cell(item.text) + " | " +
				(item.owner ? cell(*item.owner) : "**nobody**") + " | " + item.due.value_or("**no date**") + " | " +
				state + " |\n";
	}
	return text + "\nIs each of them there: a test, an alert, a guardrail?\n";
}

std::string
technical_cause(const PostmortemInput &input) {
	std::string known;
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::check && note.point == 6)
			known = "Layer, by " + cell(note.author) + " at " + at_second(note.at) + ": " + cell(note.text) + "\n\n";
	return known + to_fill;
}

std::string
points_table(const PostmortemInput &input) {
	std::string text;
	for (const auto &point : input.points)
		text += std::string("- [") + (point.done ? "x" : " ") + "] " + std::to_string(point.n) + ". " + point.point +
				": " + cell(point.remark) + "\n";
	return text;
}

} // namespace

Time
first_sign(const PostmortemInput &input) {
	auto sign = of(input).opened_at;
	if (const auto *red = first_red(input))
		sign = std::min(sign, red->at);
	if (const auto *kill = kill_of(input))
		sign = std::min(sign, kill->at);
	return sign;
}

Time
story_end(const PostmortemInput &input) {
	return of(input).closed_at.value_or(std::max(input.now, of(input).opened_at));
}

std::string
postmortem_text(const PostmortemInput &input) {
	std::string text = head(input);
	text += "\n## What happened\n\n" + summary(input);
	text += "\n## Timeline\n\n" + timeline(input);
	text += "\n## The figures\n\n" + metrics_table(input);
	text += "\n## Decisions, and on what\n\n" + decisions(input) + "\n" + cadence(input);
	text += "\n## Causes\n\n### Technical\n\n" + technical_cause(input);
	text += std::string("\n### In the process\n\n") + to_fill;
	text += std::string("\n## What worked\n\n") + to_fill;
	text += std::string("\n## What did not work\n\n") + to_fill;
	text += "\n## Permanent fixes\n\n" + fixes(input);
	text += "\n## Checklist\n\n" + points_table(input);
	text += "\nThe decision log holds the rest, and whether it is whole: `select * from chat_v11.verify_history();`\n";
	return text;
}

} // namespace chat_v11
