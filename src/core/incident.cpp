#include "core/incident.hpp"

#include "core/refusal.hpp"

#include <algorithm>
#include <array>

namespace chat_v11 {

namespace {

constexpr std::array<std::string_view, 3> severity_names = {"P0", "P1", "P2"};
constexpr std::array<std::string_view, 8> kind_words = {"note",  "fact",   "decision",  "action",
														"check", "opened", "escalated", "closed"};
// What only people know: the client's fallback, the layer of the cause, the review, and that no action is needed.
constexpr std::array asked_points = {5, 6, 9, 10};

} // namespace

std::string_view
name(Severity severity) {
	return severity_names[static_cast<size_t>(severity)];
}

std::optional<Severity>
parse_severity(std::string_view text) {
	constexpr std::string_view blanks = " \t\r\n";
	text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
	text = text.substr(0, text.find_last_not_of(blanks) + 1);
	for (size_t i = 0; i < severity_names.size(); ++i)
		if (text.size() == 2 && (text[0] == 'P' || text[0] == 'p') && text[1] == severity_names[i][1])
			return static_cast<Severity>(i);
	return std::nullopt;
}

std::string
describe(const Incident &incident) {
	return std::string(name(incident.severity)) + " incident " + std::to_string(incident.id) + " is open since " +
		   format_utc(floor_second(incident.opened_at)) + " (IC " + incident.ic + "): " + incident.title;
}

std::string
close_command(const Incident &incident) {
	return "select chat_v11.close_incident(" + std::to_string(incident.id) + ", 'why it is over');";
}

std::string_view
name(NoteKind kind) {
	return kind_words[static_cast<size_t>(kind)];
}

std::optional<NoteKind>
parse_note_kind(std::string_view text) {
	const auto found = std::find(kind_words.begin(), kind_words.end(), text);
	return found == kind_words.end() ? std::nullopt : std::optional(static_cast<NoteKind>(found - kind_words.begin()));
}

AskedKind
parse_asked_kind(std::string_view text) {
	const auto kind = parse_note_kind(text);
	if (kind && *kind <= NoteKind::action)
		return {*kind, std::nullopt};
	constexpr std::string_view prefix = "check:";
	if (text.starts_with(prefix)) {
		for (const int point : asked_points)
			if (text.substr(prefix.size()) == std::to_string(point))
				return {NoteKind::check, point};
		throw invalid_argument("no point of the checklist is ticked by \"" + std::string(text.substr(0, 32)) + "\"",
							   "The points 1 to 4, 7 and 8 are known without; 5, 6, 9 and 10 are ticked by people.",
							   "select chat_v11.note_incident(1, 'how it was seen', 'check:5');");
	}
	throw invalid_argument("unknown kind of note \"" + std::string(text.substr(0, 32)) + "\"",
						   "It is note, fact, decision, action, or check:5, check:6, check:9, check:10.",
						   "select chat_v11.note_incident(1, 'what was decided', 'decision');");
}

DecisionDue
decision_due(const Incident &incident, Duration interval, Time now) {
	if (incident.closed_at || incident.severity == Severity::p2)
		return {};
	const auto at = std::max(incident.opened_at, incident.last_decision.value_or(incident.opened_at)) + interval;
	return {at, now > at ? std::optional(now - at) : std::nullopt};
}

} // namespace chat_v11
