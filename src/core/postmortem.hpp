#pragma once

// An incident told from what was written down while it lasted, as Markdown for people who were not there.

#include "core/incident_rules.hpp"

#include <optional>
#include <string>
#include <vector>

namespace chat_v11 {

// A row of the gate log in which the gates were read.
struct GateSight {
	Time at{};
	std::string decision;
	std::vector<std::string> failing;
	std::string reasons; // a line each
};

// One metric of cohort v11 around the incident.
struct MetricStory {
	std::string metric;
	std::optional<double> limit;
	Figure before;
	Figure worst;                   // of any one step while it lasted
	std::optional<Time> worst_from; // when that step began
	Figure after;
	Figure control; // cohort v10 over the whole of it
};

struct PostmortemInput {
	ChecklistInput checklist; // the incident, its notes and items; the steps of the story's whole span
	std::vector<ChecklistPoint> points;
	std::vector<GateSight> sights; // of the whole span
	Settings settings;
	Time now{};
	// The story begins before the first sign and ends after the last word.
	Time from{};
	Time to{};
	std::vector<MetricStory> metrics;
	std::string metrics_error; // why there are none, or ""
	Duration metric_step{};    // over which `worst` is
	Time before_from{};        // `before` is (before_from, first_sign - 1 min]
	Time after_to{};           // `after` is (end, after_to], empty while there is none
};

// When something was first wrong: the first red row of the gates, the first kill, or the opening.
Time first_sign(const PostmortemInput &input);

// When it was over: closed, or now.
Time story_end(const PostmortemInput &input);

std::string postmortem_text(const PostmortemInput &input);

} // namespace chat_v11
