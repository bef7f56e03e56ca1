#pragma once

// Incidents: how severe, what an open one stops, when it may be closed, and what its IC owes.

#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

// By severity, the worst first: P0 loses or hangs writes, P1 degrades recovery, P2 is local.
enum class Severity { p0, p1, p2 };

std::string_view name(Severity severity);
// In either case and with blanks around it, as it is typed at night.
std::optional<Severity> parse_severity(std::string_view text);

// An open one closes promotions and resumes.
constexpr bool
freezes(Severity severity) {
	return severity != Severity::p2;
}

struct Incident {
	std::int64_t id = 0;
	Severity severity = Severity::p2;
	Severity opened_as = Severity::p2;
	std::string title;
	std::string ic; // incident commander
	Time opened_at{};
	std::string opened_by;
	std::optional<Time> escalated_at = {};
	std::optional<Time> closed_at = {};
	std::string closed_by = {};
	bool mock_clock = false;
	std::optional<Time> last_decision = {}; // newest note of kind decision
};

// "P0 incident 3 is open since 2026-03-01 12:00:00 UTC (IC oncall): sends hang"
std::string describe(const Incident &incident);

// The statement that closes it, ready to be pasted.
std::string close_command(const Incident &incident);

// A line of the timeline.  `check` ticks a point of the checklist; the last three come with what they tell of.
enum class NoteKind { note, fact, decision, action, check, opened, escalated, closed };

std::string_view name(NoteKind kind);
std::optional<NoteKind> parse_note_kind(std::string_view text);

struct AskedKind {
	NoteKind kind;
	std::optional<int> point; // of a check
};
// What somebody typed: note, fact, decision, action, or check:N for a point that the database cannot know.  Throws
// ERR_INVALID_ARGUMENT.
AskedKind parse_asked_kind(std::string_view text);

struct IncidentNote {
	Time at{};
	NoteKind kind = NoteKind::note;
	std::string author;
	std::string text;
	std::optional<int> point = {};  // of a check
	std::string decision = {};      // what the gates said then, or ""
	std::string reasons = {};       // and why, a line each
	std::optional<bool> slice = {}; // of the opening: whether gates, state and history are in it
};

struct ActionItem {
	std::int64_t id = 0;
	std::optional<std::int64_t> incident = {};
	std::string text;
	std::optional<std::string> owner;
	std::optional<std::string> due; // YYYY-MM-DD
	std::optional<Time> closed_at = {};
	std::string resolution = {}; // closed or accepted
	std::string closing_text = {};
	// Owned and dated.
	bool
	assigned() const {
		return owner && due;
	}
};

// When the next decision is due, and by how much the present moment is past that; nothing for a closed incident or a
// P2, and no overdue time where there is time left.
struct DecisionDue {
	std::optional<Time> at;
	std::optional<Duration> overdue;
};
DecisionDue decision_due(const Incident &incident, Duration interval, Time now);

inline constexpr size_t max_title_bytes = 256;

} // namespace chat_v11
