#pragma once

// What the guard does about an evaluation of the gates, and whom it tells what.

#include "core/gates.hpp"
#include "core/transition.hpp"

namespace chat_v11 {

inline constexpr std::string_view guard_name = "chat_v11 guard";

// The one step that an evaluation calls for: a kill where an enabled check with on_fail `kill` fails while the rollout
// is live; else, above canary_1, a rollback to there where one with on_fail `rollback` does.  Of a comparison only what
// is severe counts as failing here.  Unknown is never red.
struct GuardAct {
	bool kill;
	std::string reason;       // names the checks and their figures
	std::string note() const; // what the decision log has
};
std::optional<GuardAct> guard_act(const GateAnswer &answer);

// The P0 checks that fail and would kill, whether or not there is anything left to kill; "" where none does.  They make
// an open P1 incident a P0.
std::string p0_failures(const GateAnswer &answer);

// How long after a failed round the next one is tried: twice as long each time, from the interval up to 30 s.
Duration retry_after(int failures, Duration interval);

// What the worker shows of itself in pg_stat_activity after each round, the fields first, since the server may cut it.
struct GuardLine {
	std::string state; // a word: guarding, idle, standby, waiting, stopped
	std::int64_t rounds = 0;
	std::optional<Time> ended;
	double milliseconds = 0; // that the last round took
	int failures = 0;        // in a row
	std::string rest;        // for people
};
std::string format_guard_line(const GuardLine &line);
std::optional<GuardLine> parse_guard_line(const std::string &text);

// Payloads of channel chat_v11, one JSON object of less than 8,000 bytes in any encoding.
// {"event": "state", "version", "from": {"stage", "kill_switch"}, "to": {...}, "transition", "decision", "reason",
// "by", "at"}
std::string state_notification(const State &before, const State &after, std::string_view transition,
							   std::optional<Decision> decision, std::string_view reason);
// {"event": "decision", "version", "from", "to", "decision", "reason", "at"}: `from` and `to` are decisions
std::string decision_notification(const State &state, std::optional<Decision> before, Decision after,
								  std::string_view reason, Time at);

// {"event": "incident", "version", "incident", "severity", "from", "to", "decision", "reason", "by", "at"}: `from` is a
// severity, or null for an opening, `to` a severity or "closed"; the decision is null, the reason the title
std::string incident_notification(const Incident &incident, const State &state, std::string_view from,
								  std::string_view to, std::string_view by, Time at);

} // namespace chat_v11
