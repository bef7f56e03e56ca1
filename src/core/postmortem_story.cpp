// What happened, in a table of facts and in a few sentences.

#include "core/guard.hpp"
#include "core/postmortem_parts.hpp"

#include <algorithm>

namespace chat_v11::postmortem {

namespace {

// How the first harm of a metric is told.
std::string
harm_text(const FirstHarm &harm) {
	if (harm.metric == "ack_without_receipt_10s_rate")
		return "a write of v1.1 was acknowledged that got no receipt in time";
	if (harm.metric == "timeline_duplicate_detected_rate")
		return "a user of v1.1 saw a message twice";
	if (harm.metric == "read_rollback_detected_rate")
		return "a read cursor of a user of v1.1 went back";
	if (harm.metric == "pending_forever_count")
		return "a client of v1.1 gave up a write";
	return "the first event came that " + harm.metric + " counts";
}

// Who looked when the gates were first red: the guard, or else somebody whose change wrote that row.  "" where neither
// is known.
std::string
seen_by(const PostmortemInput &input, const GateSight &red) {
	if (red.by_guard)
		return std::string(guard_name);
	// Its own act writes the row too.
	std::string who;
	for (const auto &step : input.checklist.steps)
		if (step.at == red.at && !by_guard(who))
			who = step.changed_by;
	return who;
}

// How long after, as far as whole seconds tell.
std::string
later(Time from, Time to) {
	return floor_second(to) == floor_second(from) ? "in the same second" : span(from, to) + " later";
}

std::string
who_noticed(const PostmortemInput &input) {
	const auto &incident = incident_of(input);
	const auto *red = first_red(input);
	auto who = "people: " + cell(incident.opened_by, name_bytes);
	auto at = incident.opened_at;
	if (red && red->at <= incident.opened_at) {
		const auto by = seen_by(input, *red);
		who = by_guard(by) ? "the guard" : by.empty() ? "the gates" : "people: " + cell(by, name_bytes);
		at = red->at;
	}
	const auto harm = first_harm(input);
	return who + ", at " + at_second(at) + (harm && harm->at <= at ? ", " + later(harm->at, at) : std::string());
}

// "At 12:46:09 UTC a user of v1.1 saw a message twice. "
std::string
harm_sentence(const FirstHarm &harm, Time beside) {
	return "At " + at_beside(harm.at, beside) + " " + harm_text(harm) + ". ";
}

std::string
how_it_was_noticed(const PostmortemInput &input) {
	const auto &incident = incident_of(input);
	std::string text;
	auto harm = first_harm(input);
	const auto *red = first_red(input);
	// What the gates did not show yet is told with what came of it.
	if (harm && red && harm->at > red->at)
		harm.reset();
	if (harm)
		text += harm_sentence(*harm, Time());
	if (!red) {
		text += "No gate showed anything: people noticed it. ";
	} else if (red->at <= incident.opened_at) {
		const auto by = seen_by(input, *red);
		text += by_guard(by) ? "The guard noticed it"
				: by.empty() ? "The gates showed it"
							 : cell(by, name_bytes) + " acted";
		text += " at " + at_beside(red->at, harm ? harm->at : Time()) + (harm ? ", " + later(harm->at, red->at) : "") +
				": the gates said " + red->decision + cell(because(red->reasons), text_bytes) + ". ";
	} else {
		text += "People noticed it before any gate did; the gates turned red at " + at_second(red->at) + ", " +
				span(incident.opened_at, red->at) + " after the opening, and said " + red->decision +
				cell(because(red->reasons), text_bytes) + ". ";
	}
	return text + "The rollout was then at " + with_share(state_before(input)) + ".\n";
}

std::string
who_acted(const std::string &who) {
	return by_guard(who) ? "The guard" : cell(who, name_bytes);
}

std::string
kill_sentence(const PostmortemInput &input, const Outage &outage) {
	const auto sign = first_sign(input);
	if (!outage.from)
		return "The rollout was killed already. ";
	const auto by =
		by_guard(outage.kill->changed_by) ? std::string("the guard") : cell(outage.kill->changed_by, name_bytes);
	if (*outage.from < sign)
		return "The rollout had been killed since " + at_second(*outage.from) + ", by " + by + ". ";
	// How soon: after the harm, where there was one that the gates had not shown; else after the first sign, unless
	// the kill is that.
	std::string text;
	std::string how_soon;
	const auto harm = first_harm(input);
	const auto *red = first_red(input);
	if (harm && harm->at > sign && harm->at <= *outage.from) {
		text = harm_sentence(*harm, sign);
		how_soon = ", " + later(harm->at, *outage.from);
	} else if (*outage.from > sign || (red && red->at <= *outage.from)) {
		how_soon = ", " + later(sign, *outage.from);
	}
	return text + who_acted(outage.kill->changed_by) + " killed the rollout at " + at_beside(*outage.from, sign) +
		   how_soon + ": from then on nobody had v1.1. ";
}

std::string
what_the_rollout_did(const PostmortemInput &input) {
	const auto sign = first_sign(input);
	const auto all = outages(input);
	if (all.empty()) {
		for (const auto &step : input.checklist.steps)
			if (step.transition == "rollback" && step.at >= sign && step.at <= story_end(input))
				return "The rollout was not killed. " + who_acted(step.changed_by) + " took it back at " +
					   at_second(step.at) + ", from " + step.from + " to " + step.to + ".\n";
		return "The rollout was not killed, and did not change its stage.\n";
	}
	std::string text;
	for (const auto &outage : all) {
		text += kill_sentence(input, outage);
		if (outage.resume)
			text += "It was live again from " + at_second(outage.resume->at) + ", at " + with_share(outage.resume->to) +
					(outage.resume->overridden ? ", **forced past its gates**" : ", through the gate") +
					(outage.from ? "; v1.1 was off for " + span(*outage.from, outage.resume->at) : std::string()) +
					". ";
		else
			text += "It has not been resumed since. ";
	}
	text.back() = '\n';
	return text;
}

std::string
how_it_was_led(const PostmortemInput &input) {
	const auto &incident = incident_of(input);
	const auto sign = first_sign(input);
	std::string text = cell(incident.opened_by, name_bytes) + " opened the incident as a " +
					   std::string(name(incident.opened_as)) + " at " + at_beside(incident.opened_at, sign) +
					   (floor_second(sign) < floor_second(incident.opened_at)
							? ", " + span(sign, incident.opened_at) + " after the first sign"
							: std::string()) +
					   ", with " + cell(first_ic(input), name_bytes) + " as its IC" +
					   (first_ic(input) == incident.ic ? "" : ", and " + cell(incident.ic, name_bytes) + " later") +
					   ". ";
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::escalated) {
			text += who_acted(note.author) + " made it a " + std::string(name(incident.severity)) + " at " +
					at_beside(note.at, sign);
			const auto *red = first_red(input);
			text +=
				red && repeats(note.text, red->reasons) ? std::string(". ") : ": " + cell(note.text, line_bytes) + ". ";
		}
	const auto said = std::ranges::count_if(input.checklist.notes,
											[](const IncidentNote &note) { return note.kind == NoteKind::decision; });
	text += said ? count_of(said, "decision of the IC stands", "decisions of the IC stand") + " in the record. "
				 : std::string("The record has no decision of the IC. ");
	if (!incident.closed_at)
		return text + "The incident is still open, " + span(incident.opened_at, story_end(input)) + " after.\n";
	text += cell(incident.closed_by, name_bytes) + " closed it at " + at_beside(*incident.closed_at, sign) +
			", after " + span(incident.opened_at, *incident.closed_at);
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::closed)
			text += ": \"" + cell(note.text, line_bytes) + "\"";
	return text + ".\n";
}

// Open action items and open points of the checklist, in a line.
std::string
still_to_do(const PostmortemInput &input) {
	size_t open = 0;
	std::optional<std::string> next;
	for (const auto &item : input.checklist.items)
		if (!item.closed_at) {
			++open;
			if (item.due && (!next || *item.due < *next))
				next = item.due;
		}
	std::string text;
	if (open)
		text = "action items: " + std::to_string(open) + " of " + std::to_string(input.checklist.items.size()) +
			   " are open" + (next ? ", the first until " + *next : std::string(", none with a date"));
	std::string points;
	for (const auto &point : input.points)
		if (!point.done)
			points += (points.empty() ? "" : ", ") + std::to_string(point.n);
	if (!points.empty())
		text += (text.empty() ? "" : "; ") + std::string("points of the checklist: ") + points;
	return text.empty() ? "nothing that the database knows of" : text;
}

std::string
off_text(const PostmortemInput &input) {
	const auto all = outages(input);
	if (all.empty())
		return "not at all";
	Duration whole{};
	std::string text;
	bool known = true;
	for (const auto &outage : all) {
		const auto until = outage.resume ? outage.resume->at : std::max(input.now, outage.from.value_or(input.now));
		known = known && outage.from;
		if (outage.from)
			whole += floor_second(until) - floor_second(*outage.from);
		text += text.empty() ? "" : "; ";
		text += outage.from
					? "killed at " + at_second(*outage.from) + " by " + cell(outage.kill->changed_by, name_bytes)
					: std::string("killed before the log tells");
		text += outage.resume ? ", live again from " + at_beside(outage.resume->at, outage.from.value_or(Time())) +
									", resumed by " + cell(outage.resume->changed_by, name_bytes)
							  : std::string(", and still is");
	}
	return (known ? format_duration(whole) + ": " : std::string()) + text;
}

} // namespace

std::string
head(const PostmortemInput &input) {
	const auto &incident = incident_of(input);
	const auto row = [](const char *name, const std::string &text) {
		return "| " + std::string(name) + " | " + text + " |\n";
	};
	std::string text = "# Postmortem of incident " + std::to_string(incident.id) + ": " +
					   cell(incident.title, max_title_bytes) + "\n\n| | |\n| --- | --- |\n";
	auto severity = std::string(name(incident.severity));
	if (incident.escalated_at)
		severity += ", opened as " + std::string(name(incident.opened_as)) + ", escalated at " +
					at_second(*incident.escalated_at);
	text += row("Severity", severity);
	text += row("IC", (first_ic(input) == incident.ic ? "" : cell(first_ic(input), name_bytes) + ", then ") +
						  cell(incident.ic, name_bytes));
	if (const auto harm = first_harm(input))
		text += row("First harm", at_second(harm->at) + ": " + harm_text(*harm));
	text += row("Noticed by", who_noticed(input));
	text += row("Opened", at_second(incident.opened_at) + " by " + cell(incident.opened_by, name_bytes));
	text += row("Closed", incident.closed_at
							  ? at_second(*incident.closed_at) + " by " + cell(incident.closed_by, name_bytes) +
									", after " + span(incident.opened_at, *incident.closed_at)
							  : "still open, for " + span(incident.opened_at, story_end(input)));
	text += row("v1.1 was off", off_text(input));
	text += row("State before", with_share(state_before(input)));
	const auto after = state_after(input);
	text += row(incident.closed_at ? "State after" : "State now", with_share(after));
	if (const auto present = describe(input.checklist.gates.state); incident.closed_at && present != after)
		text += row("State now", with_share(present));
	text += row("Still to be done", still_to_do(input));
	text += row("Written", at_second(input.now) + ", from the database's records" +
							   (incident.mock_clock ? "; their clock was mocked: a drill or a test" : ""));
	return text;
}

std::string
what_happened(const PostmortemInput &input) {
	return how_it_was_noticed(input) + "\n" + what_the_rollout_did(input) + "\n" + how_it_was_led(input);
}

} // namespace chat_v11::postmortem
