// What is worked out of the records: when it began and ended, who was first, what was off and for how long.

#include "core/guard.hpp"
#include "core/postmortem_parts.hpp"

#include <algorithm>

namespace chat_v11 {

using namespace postmortem;

namespace {

// Also the kill of a rollout that nobody had started.
bool
kills(const Step &step) {
	return step.to_kill && (!step.from_kill || step.from == not_started);
}

const Step *
first_kill(const PostmortemInput &input) {
	for (const auto &step : input.checklist.steps)
		if (kills(step) && step.at >= input.from)
			return &step;
	return nullptr;
}

} // namespace

Time
first_sign(const PostmortemInput &input) {
	auto sign = incident_of(input).opened_at;
	if (const auto *red = first_red(input))
		sign = std::min(sign, red->at);
	if (const auto *kill = first_kill(input))
		sign = std::min(sign, kill->at);
	return sign;
}

Time
story_end(const PostmortemInput &input) {
	return incident_of(input).closed_at.value_or(std::max(input.now, incident_of(input).opened_at));
}

bool
is_broken_by_one(const MetricStory &story) {
	return story.limit && *story.limit == 0;
}

bool
is_above_limit(const MetricStory &story) {
	return story.limit && story.worst.value && *story.worst.value > *story.limit;
}

std::vector<std::string>
harmful_metrics(const PostmortemInput &input) {
	std::vector<std::string> metrics;
	for (const auto &story : input.metrics) {
		const bool seen = std::ranges::any_of(input.sights, [&](const GateSight &sight) {
			return std::ranges::find(sight.failing, story.metric) != sight.failing.end();
		});
		const bool any = story.during.numerator > 0 || story.metric.ends_with("_ms");
		if (any && (is_above_limit(story) || (story.limit && seen)))
			metrics.push_back(story.metric);
	}
	return metrics;
}

namespace postmortem {

const MetricStory *
story_of(const PostmortemInput &input, const std::string &metric) {
	const auto found =
		std::ranges::find_if(input.metrics, [&](const MetricStory &story) { return story.metric == metric; });
	return found == input.metrics.end() ? nullptr : &*found;
}

const Incident &
incident_of(const PostmortemInput &input) {
	return input.checklist.incident;
}

std::string
first_ic(const PostmortemInput &input) {
	const auto &incident = incident_of(input);
	const auto before = std::string(name(incident.opened_as)) + ", IC ";
	const auto after = ": " + incident.title;
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::opened && note.text.size() > before.size() + after.size() &&
			note.text.starts_with(before) && note.text.ends_with(after))
			return note.text.substr(before.size(), note.text.size() - before.size() - after.size());
	return incident.ic;
}

bool
by_guard(const std::string &who) {
	return who == guard_name;
}

bool
repeats(const std::string &note, const std::string &reasons) {
	constexpr std::string_view prefix = "guard: ";
	const auto said = note.starts_with(prefix) ? note.substr(prefix.size()) : note;
	return !said.empty() && reasons.find(said) != std::string::npos;
}

const GateSight *
first_red(const PostmortemInput &input) {
	for (const auto &sight : input.sights)
		if (!sight.failing.empty() && sight.at >= input.from && sight.at <= story_end(input))
			return &sight;
	return nullptr;
}

std::vector<Outage>
outages(const PostmortemInput &input) {
	std::vector<Outage> found;
	// Of the kill that is in force: whether it belongs to this story.  Nothing where the steps do not show it.
	std::optional<bool> ours;
	for (const auto &step : input.checklist.steps) {
		// A start looks like a resume, and is one only after a kill: before it nobody was live.
		if (step.transition == "config" || (step.transition == "start" && !ours))
			continue;
		if (kills(step)) {
			ours = step.at <= story_end(input);
			if (*ours)
				found.push_back({step.at, &step, nullptr});
		} else if (step.from_kill && !step.to_kill) {
			if (!ours)
				found.push_back({std::nullopt, nullptr, &step});
			else if (*ours)
				found.back().resume = &step;
		}
	}
	// What was live again before anything was wrong is another story too.
	const auto sign = first_sign(input);
	std::erase_if(found, [&](const Outage &outage) { return outage.resume && outage.resume->at <= sign; });
	if (found.empty() && input.checklist.killed_when_opened)
		found.emplace_back();
	return found;
}

std::optional<FirstHarm>
first_harm(const PostmortemInput &input) {
	std::optional<FirstHarm> first;
	for (const auto &users : input.users) {
		const auto *story = story_of(input, users.metric);
		if (users.first && story && is_broken_by_one(*story) && (!first || *users.first < first->at))
			first = {*users.first, users.metric};
	}
	return first;
}

std::string
state_before(const PostmortemInput &input) {
	const auto sign = first_sign(input);
	const Step *before = nullptr;
	for (const auto &step : input.checklist.steps) {
		if (step.transition == "config")
			continue;
		if (step.at >= sign)
			return step.from;
		before = &step;
	}
	return before ? before->to : describe(input.checklist.gates.state);
}

std::string
state_after(const PostmortemInput &input) {
	const Step *last = nullptr;
	for (const auto &step : input.checklist.steps)
		if (step.transition != "config" && step.at <= story_end(input))
			last = &step;
	// The resume mostly comes after the closing, and belongs to it.
	for (const auto &outage : outages(input))
		if (outage.resume && (!last || outage.resume->at > last->at))
			last = outage.resume;
	return last ? last->to : state_before(input);
}

std::vector<Decided>
decided(const PostmortemInput &input) {
	std::vector<Decided> all;
	for (const auto &step : input.checklist.steps)
		if (step.transition != "config" && step.at >= input.from)
			all.push_back({step.at, &step, nullptr});
	for (const auto &note : input.checklist.notes)
		if (note.kind == NoteKind::decision)
			all.push_back({note.at, nullptr, &note});
	std::ranges::stable_sort(all, {}, &Decided::at);
	return all;
}

} // namespace postmortem

} // namespace chat_v11
