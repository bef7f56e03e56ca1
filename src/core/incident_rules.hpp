#pragma once

// What the gates say of an incident: whether it may be closed, its checklist, and whether a rollout is complete.

#include "core/gates.hpp"
#include "core/incident.hpp"
#include "core/transition.hpp"

#include <optional>
#include <string>
#include <vector>

namespace chat_v11 {

// Throws ERR_GATE_CLOSED, with what is missing and when it can be over, unless
//   P0: p0_clear_window has passed since it was opened or became a P0, no P0 check was broken within it, also none that
//       is switched off, and nothing but check `incident` keeps a promotion, or while killed a resume, from happening.
//       Also no other open incident does: two that wait for each other would never end;
//   P1: no P0 or P1 check fails, and telemetry can be read;
//   P2: always.
void require_closable(const Incident &incident, const GateAnswer &gates);

// A row of the decision log, as far as an incident asks for it.
struct Step {
	std::int64_t id = 0;
	Time at{};
	std::string transition;
	std::string from; // "canary_10, live"
	std::string to;
	bool from_kill = true;
	bool to_kill = true;
	std::string decision; // "" for config
	std::string approved_by;
	std::string changed_by;
	std::string note;
	std::int64_t version = 0;
	bool overridden = false;
	std::string reasons = {}; // of the gates just before it, a line each
	std::string change = {};  // for config: "gate_check write_reject_rate: limit_value 0.01 -> 0.02"
};

struct ChecklistInput {
	Incident incident;
	std::vector<IncidentNote> notes;
	std::vector<ActionItem> items;
	std::vector<Step> steps; // since a while before it was opened
	bool killed_when_opened = false;
	GateAnswer gates;
};

struct ChecklistPoint {
	int n;
	std::string point;
	bool done;
	std::string remark; // how it is known, or what to do
};

// The ten points of the playbook.
std::vector<ChecklistPoint> checklist(const ChecklistInput &input);

struct CompletionInput {
	GateInput gates;
	std::vector<Incident> incidents;     // that were open since `full` was entered
	std::optional<Time> review_attested; // attest('review', ...) with ok
	std::string review_ref;
	std::vector<ActionItem> items;
};

struct Criterion {
	std::string criterion;
	bool met;
	std::string why;
};

// Section 10 of the rollout's runbook.
std::vector<Criterion> completion(const CompletionInput &input);

} // namespace chat_v11
