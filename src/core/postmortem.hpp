#pragma once

// An incident told from what was written down while it lasted, as Markdown for people who were not there.  What only
// people can know, why it happened and what worked, is left to them, and marked so.

#include "core/incident_rules.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

// A row of the gate log in which the gates were read.
struct GateSight {
	Time at{};
	std::string decision;
	std::vector<std::string> failing; // checks of P0 and P1
	std::string reasons;              // a line each
	bool by_guard = true;             // else written with a change
};

// One metric of cohort v11 around the incident.
struct MetricStory {
	std::string metric;
	std::optional<double> limit;
	Figure before;
	Figure worst;                   // of any one step while it lasted
	std::optional<Time> worst_from; // when that step began
	Figure after;
	Figure control;     // cohort v10 over the whole of it
	Figure during = {}; // cohort v11 over the whole of it
};

// Who was behind the numerator of one metric, as far as that is still kept.
struct UsersHit {
	std::string metric;
	std::int64_t seen = 0;  // of the numerator, how many were found
	std::int64_t users = 0; // different ones among them; who is not named counts as somebody else
	std::int64_t late = 0;  // of writes without a receipt in time: the receipt came, too late
	std::optional<Time> first = {};
};

struct PostmortemInput {
	// The incident, its notes and items; the steps of the story's whole span, and of what reaches beyond it the kill
	// that was in force and the resume that ended it.
	ChecklistInput checklist;
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
	Time before_from{};        // `before` is (before_from, during_from]
	Time during_from{};        // `during` is (during_from, end]
	Time after_to{};           // `after` is (end, after_to], empty while there is none
	std::vector<UsersHit> users;
	std::optional<std::int64_t> users_in_all; // of all metrics together
	std::string users_error;                  // why they are not known, or ""
};

// When something was first wrong: the first red row of the gates, the first kill, or the opening.
Time first_sign(const PostmortemInput &input);

// When it was over: closed, or now.
Time story_end(const PostmortemInput &input);

// Whether its limit is one that a single event passes: such an event is harm, not noise.
bool is_broken_by_one(const MetricStory &story);

bool is_above_limit(const MetricStory &story); // at its worst

// The metrics whose numerators are people's trouble and not the usual noise: those that passed their limits, or of
// which a gate said so.
std::vector<std::string> harmful_metrics(const PostmortemInput &input);

std::string postmortem_text(const PostmortemInput &input);

} // namespace chat_v11
