#pragma once

// What must hold before a rollout is started, one row each: the rows of chat_v11.preflight(), and what a start is
// refused for where `preflight` is `enforce`; a promotion is for the CI gate alone.

#include "core/gates.hpp"
#include "core/roster.hpp"
#include "core/self_test.hpp"

namespace chat_v11 {

struct Precondition {
	std::string name;
	bool ok = false;
	std::string detail;     // facts, in one line
	std::string what_to_do; // empty where it holds

	std::string
	sentence() const {
		return name + ": " + detail;
	}
};

// What somebody put on record by attest().
struct Attested {
	bool ok = false;
	Time at{};
	std::string by;
	std::string ref;
};

// What is read beside the gates.  An error takes the place of what could not be read.
struct PreflightFacts {
	Stage target = Stage::canary_1;
	std::optional<std::string> installed; // version of the extension in this database
	std::optional<std::string> available; // default version of the control file, where the server lists one
	std::string library;                  // version that the library was built as
	std::string versions_error;
	std::string smoke_error; // names the call
	std::string log_misfit;  // what verify_history() says
	std::optional<Attested> migrations;
	std::optional<Attested> runbook;
	std::optional<Attested> ci; // of `target`
	std::string attestations_error;
	std::vector<Duty> roster;
	std::string roster_error;
	std::string guard_state; // as guard_status() has it
	std::string guard_remark;
	bool with_self_test = true; // else the row is left out
	std::vector<SelfTestResult> self_test;
	std::string self_test_error; // why it was not done to its end
};

// A green run of the CI gate counts for so long.
inline constexpr Duration ci_counts_for = std::chrono::hours(24);

// Keys of attestations: "ci:canary_10", "migrations", "runbook".
std::string ci_key(Stage target);
inline constexpr std::string_view migrations_key = "migrations";
inline constexpr std::string_view runbook_key = "runbook";

inline constexpr std::string_view ci_row = "ci_gate";

// The rows that rest on an evaluation of the gates alone: `gates`, `incidents` and `telemetry`.
std::vector<Precondition> gate_preconditions(const GateInput &input, const GateAnswer &answer);

// All rows, in the order of the runbook.
std::vector<Precondition> preflight(const GateInput &input, const GateAnswer &answer, const PreflightFacts &facts);

// The CI gate of a target, at a moment; also for records of a promotion.
Precondition ci_precondition(Stage target, const std::optional<Attested> &ci, Time now, const std::string &error = {});

std::vector<Precondition> unmet(std::vector<Precondition> rows);
std::vector<std::string> sentences(const std::vector<Precondition> &rows);

// What a preflight is about where nobody says: the stage that comes next.
Stage next_target(const State &state);
// The same, or the stage that somebody named; throws ERR_INVALID_ARGUMENT.
Stage target_stage(const std::optional<std::string> &named, const State &state);

} // namespace chat_v11
