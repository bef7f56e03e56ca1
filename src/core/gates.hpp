#pragma once

// Evaluation of the gates: a pure function from state, policy, checks, telemetry and time to an answer.

#include "core/analysis_verdict.hpp"
#include "core/checks.hpp"
#include "core/gate_log.hpp"
#include "core/incident.hpp"
#include "core/metrics.hpp"
#include "core/policy.hpp"
#include "core/state.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace chat_v11 {

enum class Status { pass, fail, no_data };

std::string_view name(Status status);

// What the telemetry engine gives for one moment.  Whoever computes it, the gates read only this.
struct Telemetry {
	Slices slices;                                     // at least telemetry_minutes() of them
	std::array<Percentiles, cohort_count> percentiles; // over Settings::metric_window
	std::int64_t mature_since_entry = 0; // v11 writes first acknowledged since State::entered_at, now mature
	std::array<std::int64_t, cohort_count> acks_since_entry{};
	std::array<std::optional<Time>, kind_count> last_seen; // newest event by kind, in either cohort
	std::array<std::optional<Time>, cohort_count> newest;  // newest event by cohort, of those that the slices hold
};

struct GateInput {
	Time now{};
	bool mock_clock = false;
	State state;
	std::vector<StagePolicy> policies;
	std::vector<Check> checks;
	Settings settings;
	std::array<bool, kind_count> wired{}; // kinds that somebody attested to be reported
	std::optional<Telemetry> telemetry;   // nothing where it could not be read ...
	std::string telemetry_error;          // ... and why
	std::vector<GateLogSample> gate_log;  // by time: the stage's quiet period, and the last row before it
	std::string gate_log_error;           // why it could not be read, or ""
	bool gate_log_outdated = false;       // because its table is of an older version, which had no guard
	std::optional<GuardSign> guard;       // nothing where there cannot be one
	std::vector<Incident> incidents;      // those that are open, oldest first
	std::string incident_error;           // why they could not be read, or ""
	bool incidents_outdated = false;      // their tables wait for the update to 0.5
	// Other margins than the stage's own, for what_if(); to be set before the analysis is read.
	std::optional<analysis::StageRule> analysis_rule;
	std::optional<analysis::StageAnswer> analysis; // nothing where nothing is compared, or it could not be read ...
	std::string analysis_error;                    // ... and why
	bool analysis_outdated = false;                // its tables wait for the update to 0.6
};

struct CheckResult {
	Check check;
	Status status = Status::no_data;
	std::optional<double> limit; // the one in force, from the check or from the stage's policy
	Figure figure;
	std::optional<double> control_value; // the same metric for cohort v10
	std::optional<Duration> data_age;
	std::string reason;            // one plain sentence
	std::string what_to_do;        // the next command, or empty
	std::optional<Time> clears_at; // where only time is missing: when it will have passed
	bool blocks = false;           // keeps the gates from PROCEED
	// Of a comparison that fails: by so much, or with a storm of the canary's own, that the decision is ROLLBACK.
	bool severe = false;

	// Whether the guard does more than tell of it.  A comparison's plain FAIL is for people.
	bool
	calls_for_act() const {
		return check.counts() && status == Status::fail && (check.judge == Judge::limit || severe);
	}
};

struct GateAnswer {
	Decision decision = Decision::hold;
	bool p0_ok = false;
	bool p1_ok = false;
	bool rollout_ok = false;
	// The P0 check that was broken within p0_clear_window, also where its own window is shorter; "" where none was.
	std::string p0_breach;
	// The same, also of a check that is switched off: an incident does not end by that.
	std::string incident_breach;
	Duration p0_clear_window{};
	std::vector<std::string> reasons; // most severe first; empty when green
	std::vector<CheckResult> checks;
	std::vector<Figure> figures;      // of cohort v11, in the order of metric_rules()
	std::int64_t mature_writes = 0;   // in the P0 window: what ack_without_receipt_10s_rate rests on
	std::optional<Duration> data_age; // of the newest event: the canary's while it is live, else anybody's
	bool silent = false;              // it is older than max_data_age, or there is none
	Time window_start{};              // of the longest metric window
	Time evaluated_at{};
	bool mock_clock = false;
	State state;
	std::string telemetry_error;
	std::string gate_log_error;
	std::string incident_error;
	std::string analysis_error;
	std::optional<Time> earliest; // when the gates open if nothing but time is missing

	bool
	green() const {
		return p0_ok && p1_ok && rollout_ok && decision == Decision::proceed;
	}
	const CheckResult *find(std::string_view check) const;
	std::string first_reason() const; // or ""
	std::vector<std::string> disabled() const;
	std::vector<std::string> failing() const; // the P0 and P1 checks that fail and count
};

GateAnswer evaluate(const GateInput &input);

// How many one-minute slices evaluate() looks at under these settings and at this stage.
std::int64_t telemetry_minutes(const GateInput &input);

// One user with fifty stuck sends is no mass stall.
inline constexpr std::int64_t stall_min_actors = 3;

// Telemetry of a rare kind counts as wired when one was seen this recently.
inline constexpr Duration wired_window = std::chrono::days(7);

} // namespace chat_v11
