#pragma once

// The state machine: one table of transitions, and the two questions asked of it.
//
// classify() says which transition a request is, by the table alone.  decide() says whether it may happen, given the
// gates as they are at that moment.  A kill passes both whatever else is wrong with the request.

#include "core/preflight.hpp"
#include "core/state.hpp"
#include "core/text.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

enum class Transition { start, promote, hold, rollback, kill, resume, rekill, config };

// Refused while the gates, or the preconditions, say no.
constexpr bool
is_gated(Transition transition) {
	return transition == Transition::start || transition == Transition::promote || transition == Transition::resume;
}

std::string_view name(Transition transition); // "start", ..., "re-kill", "config"
std::optional<Transition> parse_transition(std::string_view text);

struct Request {
	std::optional<std::string> stage; // as typed: any text
	std::optional<bool> kill_switch;
	std::optional<std::string> note;
	std::optional<std::string> approved_by;
	std::optional<std::int64_t> expected_version;
	bool forced = false;                       // break-glass
	std::string caller;                        // the authenticated role
	std::vector<std::string> also_caller = {}; // other names that the caller goes by: the role set, a gateway's claim
};

struct Classified {
	Transition transition;
	Stage target;
	bool target_kill;
	std::string notice; // "" or what the caller should know: a kill lands elsewhere than asked
};

// Throws ERR_INVALID_ARGUMENT, ERR_VERSION_CONFLICT or ERR_INVALID_TRANSITION; for a kill, never.
// `log_has_state`: the decision log tells of a state although no row holds one.
Classified classify(const State &state, const Request &request, bool log_has_state);

struct Accepted {
	State state; // the new one; its note is the request's
	Decision decision;
	bool overridden; // gates were skipped by break-glass
};

// Throws ERR_GATE_CLOSED, ERR_FORBIDDEN or ERR_INVALID_ARGUMENT; for a kill, never.
// `gates` may be null for a kill alone: nothing that a kill needs is read from it.  `unmet`: preconditions of a start
// that do not hold, or of a promotion.
Accepted decide(const State &state, const Request &request, const Classified &classified, const GateAnswer *gates,
				const std::vector<Precondition> &unmet, Preflight preflight, Time now);

// Whether the table has this step at all: what a verifier of the log asks of each of its rows.
bool is_legal_step(Transition transition, const State &before, Stage to, bool to_kill);

// The statement that asks for it, ready to be pasted.
std::string set_command(Stage stage, bool kill_switch, std::string_view note);

// What the operator may do now, in one sentence: what blocks, or the very SQL to run next.
std::string next_step(const State &state, const GateAnswer &gates);

// Whether, and what, keeps a killed rollout from its resume: the failing checks, or nothing.
std::vector<const CheckResult *> resume_blockers(const GateAnswer &gates);

// What blocks, a line each: "P0 fail: REASON"; and what to do about it: when it is over by itself, and the command
// then.
std::string blocker_lines(const std::vector<const CheckResult *> &blockers);
std::string blocker_hint(const std::vector<const CheckResult *> &blockers, const std::string &command);

inline constexpr size_t max_note_bytes = 4096;
inline constexpr size_t max_name_bytes = 256; // of an approver
inline constexpr size_t min_forced_note = 20; // characters that are not blank

} // namespace chat_v11
