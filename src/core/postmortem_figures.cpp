// The figures: who was hit, and each metric before, while it lasted and after.

#include "core/postmortem_parts.hpp"

#include <algorithm>

namespace chat_v11::postmortem {

namespace {

// How the numerator of a metric is called, and what it is a part of; "" where of nothing.
struct Words {
	std::string_view metric;
	std::string_view one;
	std::string_view many;
	std::string_view of;
};
constexpr Words words[] = {
	{"ack_without_receipt_10s_rate", "write got no receipt within 10 s", "writes got no receipt within 10 s",
	 "acknowledged writes"},
	{"timeline_duplicate_detected_rate", "message came twice", "messages came twice", "deliveries"},
	{"read_rollback_detected_rate", "read cursor went back", "read cursors went back", "moves"},
	{"send_stall_rate", "send stalled", "sends stalled", "sends"},
	{"write_reject_rate", "write was rejected", "writes were rejected", "writes"},
	{"forced_resync_rate", "session was made to resync", "sessions were made to resync", "session-minutes"},
	{"full_state_rate", "full state was fetched", "full states were fetched", "session-minutes"},
	{"err_resync_range_unavailable_rate", "resync was refused, its range unavailable",
	 "resyncs were refused, their ranges unavailable", "requests"},
	{"err_resync_throttled_rate", "resync was throttled", "resyncs were throttled", "requests"},
	{"pending_forever_count", "write was given up by its client", "writes were given up by their clients", ""},
};

const UsersHit *
users_of(const PostmortemInput &input, const std::string &metric) {
	const auto found = std::ranges::find_if(input.users, [&](const UsersHit &users) { return users.metric == metric; });
	return found == input.users.end() ? nullptr : &*found;
}

std::string
hit_line(const PostmortemInput &input, const MetricStory &story) {
	if (story.metric.ends_with("_ms"))
		return "- **" + story.metric + " was above its limit**: at worst " + figure_text(story.metric, story.worst) +
			   (story.limit ? ", limit " + value_text(story.metric, *story.limit) : std::string()) + "\n";
	const auto found = std::ranges::find(words, std::string_view(story.metric), &Words::metric);
	if (found == std::end(words))
		return {};
	const auto n = story.during.numerator;
	auto text = "- **" + count_of(n, found->one, found->many) + "**";
	if (!found->of.empty())
		text += ", of " + std::to_string(story.during.denominator) + " " + std::string(found->of);
	if (const auto *users = users_of(input, story.metric)) {
		if (users->seen > 0)
			text += ": " + std::string(users->seen < n ? "at least " : "") + count_of(users->users, "user", "users");
		if (users->seen < n)
			text += (users->seen > 0 ? "; " : ": ") +
					(users->seen > 0 ? std::to_string(n - users->seen) + " of them are"
									 : std::string("whose they were is")) +
					" not kept any more";
		if (story.metric == "ack_without_receipt_10s_rate" && users->seen > 0)
			text += users->late == users->seen ? std::string("; the receipt came late")
					: users->late              ? "; of " + std::to_string(users->late) + " the receipt came late, of " +
										std::to_string(users->seen - users->late) + " never"
								  : std::string("; no receipt has come since");
	}
	return text + "\n";
}

bool
has_figures(const MetricStory &story) {
	return story.before.value || story.worst.value || story.after.value || story.control.value;
}

std::string
metric_row(const PostmortemInput &input, const MetricStory &story) {
	const auto worst = figure_text(story.metric, story.worst);
	// A calm figure's worst minute is nobody's news.
	const auto at = story.worst_from && story.worst.value && *story.worst.value > 0
						? (day_of(*story.worst_from) == day_of(first_sign(input)) ? clock_of(*story.worst_from)
																				  : at_second(*story.worst_from))
						: std::string("-");
	return "| " + story.metric + " | " + (story.limit ? value_text(story.metric, *story.limit) : "-") + " | " +
		   figure_text(story.metric, story.before) + " | " + (is_above_limit(story) ? "**" + worst + "**" : worst) +
		   " | " + at + " | " + figure_text(story.metric, story.during) + " | " +
		   figure_text(story.metric, story.after) + " | " + figure_text(story.metric, story.control) + " |\n";
}

} // namespace

std::string
who_was_hit(const PostmortemInput &input) {
	if (!input.metrics_error.empty())
		return "Not known: " + cell(input.metrics_error, line_bytes) + "\n";
	const auto harmful = harmful_metrics(input);
	std::string text = "Of v1.1, from " + at_second(input.during_from) + " until " +
					   at_beside(story_end(input), input.during_from) + ":\n\n";
	std::string lines;
	for (const auto &story : input.metrics)
		if (std::ranges::find(harmful, story.metric) != harmful.end())
			lines += hit_line(input, story);
	const bool any = std::ranges::any_of(input.metrics, [](const MetricStory &story) {
		return story.limit && story.during.value && story.during.denominator > 0;
	});
	if (lines.empty() && !any)
		return text + "- not known: nothing was reported that a limit could be held against.\n";
	if (lines.empty())
		return text + "- nobody that the telemetry knows of: no metric passed its limit.\n";
	text += lines;
	const bool all_seen = std::ranges::all_of(input.users, [&](const UsersHit &users) {
		return users.seen >= story_of(input, users.metric)->during.numerator;
	});
	if (input.users_in_all && input.users.size() > 1)
		text += "- in all " + std::string(all_seen ? "" : "at least ") +
				count_of(*input.users_in_all, "user", "users") + "\n";
	if (!input.users_error.empty())
		text += "\nHow many users that were is not known: " + cell(input.users_error, line_bytes) + "\n";
	return text;
}

std::string
figures(const PostmortemInput &input) {
	if (!input.metrics_error.empty())
		return "They cannot be read: " + cell(input.metrics_error, line_bytes) + "\n";
	const auto begin = input.during_from;
	const auto end = story_end(input);
	std::string text =
		"Each with what it rests on: bad ones of all. In bold what passed its limit. The gates judge longer windows; "
		"what they said stands in the time line.\n\n";
	text += "- before: v1.1 from " + at_second(input.before_from) + " until " + at_beside(begin, input.before_from) +
			"\n- worst: of v1.1, the worst " + format_duration(input.metric_step) +
			" while it lasted, and when that began";
	text +=
		"\n- while it lasted: v1.1 from " + at_second(begin) + " until " + at_beside(end, begin) + "\n- after: " +
		(input.after_to > end ? "v1.1 from then until " + at_beside(input.after_to, end) : std::string("nothing yet")) +
		"\n- control: v1.0 while it lasted\n\n";
	text += "| metric | limit | before | worst | from | while it lasted | after | control |\n"
			"| --- | --- | --- | --- | --- | --- | --- | --- |\n";
	std::string silent;
	for (const bool broken : {true, false})
		for (const auto &story : input.metrics) {
			if (is_above_limit(story) != broken)
				continue;
			if (has_figures(story))
				text += metric_row(input, story);
			else
				silent += (silent.empty() ? "" : ", ") + story.metric;
		}
	if (!silent.empty())
		text += "\nNothing was reported that could be a figure of: " + silent + ".\n";
	return text;
}

} // namespace chat_v11::postmortem
