#pragma once

// What the parts of a postmortem share: its words, and what is worked out once from the records.

#include "core/postmortem.hpp"

namespace chat_v11::postmortem {

// ---- Words ----

std::string at_second(Time at); // "2026-03-01 12:00:00 UTC"
std::string clock_of(Time at);  // "12:00:00": the day stands beside it, or in a line of its own
std::string day_of(Time at);    // "2026-03-01"
// The clock alone on the day of `beside`, else with its day; always followed by UTC.
std::string at_beside(Time at, Time beside);
std::string span(Time from, Time to); // in whole seconds
// "+0:04:00", "-1:30:00": the distance from the opening.
std::string distance(Time opened, Time at);
// "3 writes", "1 write"
std::string count_of(std::int64_t n, std::string_view one, std::string_view many);

// Text that somebody typed, as one line of Markdown that cannot leave its place: no markup, no line ends, nothing that
// turns the direction of writing.  Cut to `most` bytes, which an ellipsis shows.
std::string cell(const std::string &text, size_t most);
inline constexpr size_t name_bytes = 100;
inline constexpr size_t line_bytes = 240;
inline constexpr size_t text_bytes = 1000;
inline constexpr const char *cut_mark = "...";

inline constexpr const char *not_started = "not started"; // as describe() has it

// "canary_50, live: 50 % of users", "canary_1, killed: nobody"
std::string with_share(const std::string &state);

// What the gates gave as reasons, to be put behind their decision.  Beside a broken P0 or P1 check it tells nobody
// anything that a stage has not lasted its time, or that the incident itself is open.
std::string because(const std::string &reasons);

// A check's value in its unit, with what it rests on: "0.102 % (1 of 979)", "199 ms (of 150)", "0".
std::string figure_text(const std::string &metric, const Figure &figure);
std::string value_text(const std::string &metric, double value);

// ---- Facts ----

const Incident &incident_of(const PostmortemInput &input);
const MetricStory *story_of(const PostmortemInput &input, const std::string &metric); // or null

// Who led when it was opened; handing over writes another into the incident.
std::string first_ic(const PostmortemInput &input);

// A time in which nobody had v1.1.
struct Outage {
	std::optional<Time> from; // nothing where the log does not go back to it
	const Step *kill = nullptr;
	const Step *resume = nullptr; // null while it lasts
};
// Those that the incident brought or found.
std::vector<Outage> outages(const PostmortemInput &input);

// The first row of the gates in which a P0 or P1 check failed, or null.
const GateSight *first_red(const PostmortemInput &input);

// The first event that broke a check which one event breaks, and its metric.
struct FirstHarm {
	Time at;
	std::string metric;
};
std::optional<FirstHarm> first_harm(const PostmortemInput &input);

// Where the rollout stood before anything was wrong, and when it was over.
std::string state_before(const PostmortemInput &input);
std::string state_after(const PostmortemInput &input);

bool by_guard(const std::string &who);
// Whether the log's note says no more than what the gates said.
bool repeats(const std::string &note, const std::string &reasons);

// What the IC decided and what became of the rollout, in order.
struct Decided {
	Time at;
	const Step *step = nullptr; // one of the two
	const IncidentNote *note = nullptr;
};
std::vector<Decided> decided(const PostmortemInput &input);

// ---- Sections ----

std::string head(const PostmortemInput &input);
std::string what_happened(const PostmortemInput &input);
std::string who_was_hit(const PostmortemInput &input);
std::string timeline(const PostmortemInput &input);
std::string figures(const PostmortemInput &input);
std::string decisions(const PostmortemInput &input);

} // namespace chat_v11::postmortem
