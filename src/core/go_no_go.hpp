#pragma once

// The record of one decision, filled in: docs/ops/chat-v11-go-no-go-template.md as chat_v11.go_no_go() gives it.

#include "core/history.hpp"
#include "core/preflight.hpp"
#include "core/refusal.hpp"
#include "core/transition.hpp"

namespace chat_v11 {

// Classifies the promotion to `target`: a start, a promote or a resume.  Throws what the set function would, and
// ERR_INVALID_TRANSITION for what that would take, but which is no way up: a hold, a rollback.
Classified classify_promotion(const State &state, std::string_view target, bool log_has_state);

// A row of policy, checks or settings that is not as installed, and the row of the log that made it so.
struct Turned {
	std::string what;    // "gate_check write_reject_rate"
	std::string changes; // "limit_value 0.01 -> 0.02", since installation or since the row before
	std::int64_t history_id = 0;
	Time at{};
	std::string by;
	std::optional<std::string> note;
};

struct Attestation {
	std::string what;
	Attested attested;
};

struct GoNoGo {
	GateInput input;
	GateAnswer gates;
	Stage target = Stage::canary_1;
	std::optional<Refusal> refusal;          // why the target cannot be promoted to now
	std::vector<Precondition> preconditions; // of a start
	std::string guard_state;
	std::string guard_remark;
	std::vector<Turned> turned;
	std::vector<Attestation> attestations;
	std::vector<Duty> roster;
	std::string log_misfit;           // "" where the decision log verifies
	std::optional<HistoryRow> newest; // the newest change of the state
};

std::string go_no_go_text(const GoNoGo &facts);

} // namespace chat_v11
