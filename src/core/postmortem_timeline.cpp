// One time line of what the gates said, what became of the rollout and what people wrote down.

#include "core/postmortem_parts.hpp"

#include <algorithm>
#include <array>

namespace chat_v11::postmortem {

namespace {

// What a reader takes in; beyond, the least telling lines are left out, and the line says how many.
constexpr size_t most_lines = 80;

// The more telling, the smaller.
enum class Weight { turn, fact, remark, gates };
constexpr size_t weights = 4;

struct Event {
	Time at;
	int rank; // of one moment: a closing, the gates, what became of the rollout, and what people said of it
	Weight weight;
	std::string who;
	std::string what; // Markdown
};

// "(decision 3)": told whole, with its figures, in the table of the decisions.
std::string
number_of(const std::vector<Decided> &all, const void *of) {
	for (size_t i = 0; i < all.size(); ++i)
		if (all[i].step == of || all[i].note == of)
			return std::to_string(i + 1);
	return {};
}

std::string
step_text(const Step &step, const std::vector<Decided> &all) {
	if (step.transition == "config")
		return "**changed**: " + cell(step.change, line_bytes) +
			   (step.note.empty() ? "" : ", \"" + cell(step.note, line_bytes) + "\"");
	return "**" + step.transition + "** " + step.from + " -> " + step.to +
		   (step.overridden ? ", **forced past its gates**" : "") + " (decision " + number_of(all, &step) + ")";
}

std::string
note_text(const PostmortemInput &input, const IncidentNote &note, const std::vector<Decided> &all) {
	const auto &incident = incident_of(input);
	const auto text = cell(note.text, line_bytes);
	switch (note.kind) {
	case NoteKind::note: return text;
	case NoteKind::check: return "**checked**, point " + std::to_string(note.point.value_or(0)) + ": " + text;
	case NoteKind::decision: return "**decision " + number_of(all, &note) + "**: " + text;
	// The heading and the summary have their texts.
	case NoteKind::opened:
		return "**opened** as a " + std::string(name(incident.opened_as)) + ", IC " + cell(first_ic(input), name_bytes);
	case NoteKind::closed: return "**closed**";
	case NoteKind::escalated: {
		const auto *red = &input.sights;
		const bool said =
			std::ranges::any_of(*red, [&](const GateSight &sight) { return repeats(note.text, sight.reasons); });
		return "**escalated** to " + std::string(name(incident.severity)) + (said ? "" : ": " + text);
	}
	default: return "**" + std::string(name(note.kind)) + "**: " + text;
	}
}

Weight
weight_of(NoteKind kind) {
	switch (kind) {
	case NoteKind::opened:
	case NoteKind::escalated:
	case NoteKind::closed:
	case NoteKind::decision: return Weight::turn;
	case NoteKind::note: return Weight::remark;
	default: return Weight::fact;
	}
}

// A row a minute says the same again and again: only what changed is told, from the first sign until the end, and what
// turned red after it.
void
add_sights(const PostmortemInput &input, std::vector<Event> &events) {
	const auto sign = first_sign(input);
	const GateSight *last = nullptr;
	for (const auto &sight : input.sights) {
		const bool same = last && last->decision == sight.decision && last->failing == sight.failing;
		if (!same && sight.at >= sign && (sight.at <= story_end(input) || !sight.failing.empty())) {
			auto text = (last && last->decision != sight.decision ? last->decision + " -> " : std::string()) + "**" +
						sight.decision + "**";
			// What the stage still waits for is nobody's news then.
			if (last && !last->failing.empty() && sight.failing.empty() && sight.decision != "PROCEED")
				text += ", no P0 or P1 check fails any more";
			else
				text += cell(because(sight.reasons), 2 * line_bytes);
			events.push_back(
				{sight.at, 1, &sight == first_red(input) ? Weight::turn : Weight::gates, "gates", std::move(text)});
		}
		last = &sight;
	}
}

std::vector<Event>
events_of(const PostmortemInput &input) {
	const auto all = decided(input);
	std::vector<Event> events;
	add_sights(input, events);
	for (const auto &step : input.checklist.steps)
		if (step.at >= input.from)
			events.push_back({step.at, 2, step.transition == "config" ? Weight::remark : Weight::turn,
							  cell(step.changed_by, name_bytes), step_text(step, all)});
	for (const auto &note : input.checklist.notes)
		events.push_back({note.at, note.kind == NoteKind::closed ? 0 : 3, weight_of(note.kind),
						  cell(note.author, name_bytes), note_text(input, note, all)});
	std::ranges::stable_sort(
		events, [](const Event &a, const Event &b) { return a.at != b.at ? a.at < b.at : a.rank < b.rank; });
	return events;
}

// The most telling lines; of those that weigh the same, the first and the last.  Facts and remarks leave a quarter of
// the room to what weighs less, so that a busy scribe does not hide what the gates did.
std::vector<bool>
kept(const std::vector<Event> &events) {
	std::vector<bool> keep(events.size(), events.size() <= most_lines);
	if (events.size() <= most_lines)
		return keep;
	auto room = most_lines;
	auto lighter = events.size();
	for (size_t weight = 0; weight < weights && room > 0; ++weight) {
		std::vector<size_t> of;
		for (size_t i = 0; i < events.size(); ++i)
			if (events[i].weight == static_cast<Weight>(weight))
				of.push_back(i);
		lighter -= of.size();
		const auto left = weight == static_cast<size_t>(Weight::turn) ? 0 : std::min(lighter, room / 4);
		const auto n = std::min(room - left, of.size());
		for (size_t i = 0; i < n; ++i)
			keep[i < n - n / 2 ? of[i] : of[of.size() - (n - i)]] = true;
		room -= n;
	}
	return keep;
}

using Counts = std::array<std::int64_t, weights>;

std::string
left_out(const Counts &counts) {
	static constexpr const char *one[] = {"turn", "fact", "remark", "line of the gates"};
	static constexpr const char *many[] = {"turns", "facts", "remarks", "lines of the gates"};
	std::string text;
	for (size_t i = 0; i < weights; ++i)
		if (counts[i])
			text += (text.empty() ? "" : ", ") + count_of(counts[i], one[i], many[i]);
	return text;
}

std::string
how_to_read_all(const PostmortemInput &input) {
	const auto id = std::to_string(incident_of(input).id);
	return "`select at, kind, author, text from chat_v11.incident_note where incident = " + id +
		   " order by at, n;` and `select at, decision, failing from chat_v11.gate_log where at between '" +
		   at_second(first_sign(input)) + "' and '" + at_second(input.to) + "' order by at;`";
}

std::string
before_the_sign(const PostmortemInput &input) {
	const GateSight *before = nullptr;
	for (const auto &sight : input.sights)
		if (sight.at < first_sign(input))
			before = &sight;
	return before ? "Before the first sign the gates said " + before->decision +
						(before->failing.empty() ? ", and no P0 or P1 check failed. " : ". ")
				  : std::string();
}

} // namespace

std::string
timeline(const PostmortemInput &input) {
	const auto events = events_of(input);
	const auto keep = kept(events);
	std::string text = before_the_sign(input) + "The second column is the distance from the opening.\n\n";
	text += "| UTC | h:mm:ss | who | what |\n| --- | --- | --- | --- |\n";
	std::string day;
	Counts here{};
	Counts all{};
	const auto tell_gap = [&] {
		if (here != Counts{})
			text += "| ... | | | _left out: " + left_out(here) + "_ |\n";
		here = {};
	};
	for (size_t i = 0; i < events.size(); ++i) {
		const auto &event = events[i];
		if (!keep[i]) {
			++here[static_cast<size_t>(event.weight)];
			++all[static_cast<size_t>(event.weight)];
			continue;
		}
		tell_gap();
		if (day_of(event.at) != day) {
			day = day_of(event.at);
			text += "| **" + day + "** | | | |\n";
		}
		text += "| " + clock_of(event.at) + " | " + distance(incident_of(input).opened_at, event.at) + " | " +
				event.who + " | " + event.what + " |\n";
	}
	tell_gap();
	if (all != Counts{})
		text += "\nLeft out for length: " + left_out(all) + ". All of it: " + how_to_read_all(input) + "\n";
	else if (text.find(cut_mark) != std::string::npos)
		text +=
			"\nTexts that end in " + std::string(cut_mark) + " are cut. All of them: " + how_to_read_all(input) + "\n";
	return text;
}

} // namespace chat_v11::postmortem
