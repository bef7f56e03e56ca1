// What was decided, by whom, and what the gates said at that moment.

#include "core/postmortem_parts.hpp"

#include <algorithm>

namespace chat_v11::postmortem {

namespace {

constexpr size_t most_rows = 60;

std::string
who_text(const Step &step) {
	auto who = cell(step.changed_by, name_bytes);
	// Of the guard's acts the log has who started it; nobody was asked.
	if (step.approved_by != step.changed_by && !by_guard(step.changed_by))
		who += ", approved by " + cell(step.approved_by, name_bytes);
	return who;
}

std::string
step_text(const Step &step) {
	auto text =
		"**" + step.transition + "** " + step.from + " -> " + step.to + ", version " + std::to_string(step.version);
	if (step.overridden)
		text += ", **forced past its gates**";
	if (!step.note.empty() && !repeats(step.note, step.reasons))
		text += ": \"" + cell(step.note, text_bytes) + "\"";
	return text;
}

std::string
gates_text(const std::string &decision, const std::string &reasons) {
	return decision.empty() ? std::string("they were not read") : decision + cell(because(reasons), text_bytes);
}

std::string
cadence(const PostmortemInput &input) {
	if (!freezes(incident_of(input).severity))
		return "Of a P2 no decisions are owed.\n";
	const auto interval = input.settings.decision_interval;
	auto since = incident_of(input).opened_at;
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

} // namespace

std::string
decisions(const PostmortemInput &input) {
	const auto all = decided(input);
	if (all.empty())
		return "None was written down, and the rollout did not change.\n\n" + cadence(input);
	std::string text = "| # | UTC | by | decided | on what the gates said |\n| --- | --- | --- | --- | --- |\n";
	for (size_t i = 0; i < all.size(); ++i) {
		// The first and the last of a very long list.
		if (all.size() > most_rows && i == most_rows / 2) {
			const auto skipped = all.size() - most_rows;
			text += "| ... | | | _left out: " + count_of(static_cast<std::int64_t>(skipped), "decision", "decisions") +
					"_ | |\n";
			i += skipped;
		}
		const auto &[at, step, note] = all[i];
		text += "| " + std::to_string(i + 1) + " | " + at_second(at).substr(0, 19) + " | " +
				(step ? who_text(*step) : cell(note->author, name_bytes)) + " | " +
				(step ? step_text(*step) : cell(note->text, text_bytes)) + " | " +
				(step ? gates_text(step->decision, step->reasons) : gates_text(note->decision, note->reasons)) + " |\n";
	}
	return text + "\n" + cadence(input);
}

} // namespace chat_v11::postmortem
