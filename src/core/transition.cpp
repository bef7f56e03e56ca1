#include "core/transition.hpp"

#include "core/refusal.hpp"

#include <algorithm>
#include <array>

namespace chat_v11 {

namespace {

enum class From { absent, live, live_above_first, live_below_last, killed, not_killed };
enum class To { first, same, next, any };
enum class Needs { nothing, preconditions, gates, p0_clear };

// One row a transition, as the specification's table has it.
struct Rule {
	Transition transition;
	From from;
	To to;
	bool to_kill;
	Needs needs;
	bool restarts_clock;
	std::optional<Decision> decision; // nothing: as the gates say, ROLLBACK or HOLD
};

constexpr std::array rules = {
	Rule{Transition::kill, From::not_killed, To::any, true, Needs::nothing, true, Decision::rollback},
	Rule{Transition::rekill, From::killed, To::any, true, Needs::nothing, false, Decision::rollback},
	Rule{Transition::start, From::absent, To::first, false, Needs::preconditions, true, Decision::proceed},
	Rule{Transition::promote, From::live_below_last, To::next, false, Needs::gates, true, Decision::proceed},
	Rule{Transition::hold, From::live, To::same, false, Needs::nothing, true, Decision::hold},
	Rule{Transition::rollback, From::live_above_first, To::first, false, Needs::nothing, true, std::nullopt},
	Rule{Transition::resume, From::killed, To::first, false, Needs::p0_clear, true, Decision::proceed},
};

bool
matches(From from, bool exists, Stage stage, bool kill) {
	const bool live = exists && !kill;
	switch (from) {
	case From::absent: return !exists;
	case From::live: return live;
	case From::live_above_first: return live && stage != Stage::canary_1;
	case From::live_below_last: return live && stage != Stage::full;
	case From::killed: return exists && kill;
	case From::not_killed: return !exists || !kill;
	}
	return false;
}

bool
matches(To to, Stage from, Stage target) {
	switch (to) {
	case To::first: return target == Stage::canary_1;
	case To::same: return target == from;
	case To::next: return next(from) == target;
	case To::any: return true;
	}
	return false;
}

const Rule *
find_rule(bool exists, Stage from, bool from_kill, Stage to, bool to_kill) {
	for (const auto &rule : rules)
		if (rule.to_kill == to_kill && matches(rule.from, exists, from, from_kill) && matches(rule.to, from, to))
			return &rule;
	return nullptr;
}

const Rule &
rule_of(Transition transition) {
	return *std::find_if(rules.begin(), rules.end(), [&](const Rule &r) { return r.transition == transition; });
}

std::string
facts(const State &state) {
	std::string text = "State is " + describe(state) + ", version " + std::to_string(state.version);
	if (state.updated_at)
		text += ", last changed at " + format_utc(floor_second(*state.updated_at)) + " by " + state.updated_by +
				(state.note ? " (\"" + truncate_utf8(*state.note, 100) + "\")" : "");
	return text + ".";
}

// What may be typed from here, best first.
std::string
offers(const State &state) {
	if (!state.exists)
		return set_command(Stage::canary_1, false, "start canary 1%");
	if (state.kill_switch)
		return set_command(Stage::canary_1, false, "resume controlled");
	if (const auto upper = next(state.stage))
		return set_command(*upper, false, "promote to " + std::string(name(*upper)));
	return set_command(Stage::canary_1, false, "hold rollout for investigation");
}

std::string
failing(const std::vector<const CheckResult *> &blockers) {
	std::string text;
	for (const auto *result : blockers)
		text += (text.empty() ? "" : "\n") + std::string(name(result->check.gate)) + " " +
				std::string(name(result->status)) + ": " + result->reason;
	return text;
}

std::vector<const CheckResult *>
promote_blockers(const GateAnswer &gates) {
	std::vector<const CheckResult *> blockers;
	for (const auto &result : gates.checks)
		if (result.blocks)
			blockers.push_back(&result);
	return blockers;
}

std::string
kill_hint() {
	return set_command(Stage::canary_1, true, "hard stop: p0 invariant breach") +
		   " and then: select * from chat_v11.missing_receipts();";
}

std::string
gate_hint(const std::vector<const CheckResult *> &blockers, const std::string &command) {
	std::optional<Time> opens;
	if (blockers.empty())
		return command;
	for (const auto *result : blockers) {
		if (!result->clears_at)
			return result->what_to_do.empty() ? "select * from chat_v11.explain_gates();" : result->what_to_do;
		opens = std::max(opens.value_or(*result->clears_at), *result->clears_at);
	}
	return "Earliest at " + format_utc(ceil_second(*opens)) + ", if nothing fails until then: " + command;
}

// What to do about a comparison that fails severely; "" where none does.
std::string
severe_remedy(const GateAnswer &gates) {
	for (const auto &result : gates.checks)
		if (result.severe && result.blocks)
			return result.what_to_do;
	return {};
}

std::string
promotion(Stage from, Stage to) {
	return "promotion from " + std::string(name(from)) + " to " + std::string(name(to));
}

void
require_gates(const State &state, const GateAnswer &gates, Stage target) {
	if (gates.green())
		return;
	const auto blockers = promote_blockers(gates);
	const auto command = set_command(target, false, "promote to " + std::string(name(target)));
	const auto severe = severe_remedy(gates);
	const auto hint = severe.empty() ? gate_hint(blockers, command) : severe;
	throw gate_closed(promotion(state.stage, target) + " is refused, the gates say " +
						  std::string(name(gates.decision)),
					  failing(blockers), gates.p0_ok ? hint : kill_hint());
}

void
require_p0_clear(const GateAnswer &gates) {
	// Not even where the checks that would say so are switched off.
	if (!gates.telemetry_error.empty())
		throw gate_closed("resume is refused, the kill switch stays on",
						  "Telemetry cannot be read: " + gates.telemetry_error + ".", "Mend the telemetry.");
	const auto blockers = resume_blockers(gates);
	if (blockers.empty() && !gates.p0_breach.empty())
		throw gate_closed("resume is refused, the kill switch stays on",
						  gates.p0_breach + " was broken within p0_clear_window.",
						  "select * from chat_v11.explain_gates();");
	if (blockers.empty())
		return;
	throw gate_closed("resume is refused, the kill switch stays on", failing(blockers),
					  gate_hint(blockers, set_command(Stage::canary_1, false, "resume controlled")));
}

void
require_preconditions(const std::string &step, const std::vector<Precondition> &unmet, Preflight preflight) {
	if (unmet.empty() || preflight == Preflight::warn)
		return;
	std::string text;
	for (const auto &each : unmet)
		text += (text.empty() ? "" : "\n") + each.sentence();
	throw gate_closed(step + " is refused, preconditions are not met", text,
					  unmet.front().what_to_do +
						  (unmet.size() > 1 ? " All of them: select * from chat_v11.preflight();" : ""));
}

// Characters that are seen.
size_t
characters(const std::string &text) {
	const auto seen = one_line(text);
	return static_cast<size_t>(std::count_if(seen.begin(), seen.end(), [](char c) {
		return (static_cast<unsigned char>(c) & 0xC0) != 0x80 && static_cast<unsigned char>(c) > 0x20;
	}));
}

// Names are the same person's whatever their case, the blanks around them and what is not seen in them.
std::string
plain_name(const std::string &text) {
	std::string plain;
	for (const char c : one_line(text))
		if (static_cast<unsigned char>(c) > 0x20)
			plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
	return plain;
}

void
require_two_people(const Request &request) {
	if (!request.note || characters(*request.note) < min_forced_note)
		throw invalid_argument("break-glass needs a note of " + std::to_string(min_forced_note) + " characters or more",
							   {}, "Say what is known, and why it cannot wait.");
	const auto approver = plain_name(request.approved_by.value_or(""));
	if (approver.empty())
		throw invalid_argument("break-glass needs an approver", {}, "Give p_approved_by: somebody other than you.");
	auto names = request.also_caller;
	names.push_back(request.caller);
	for (const auto &each : names)
		if (plain_name(each) == approver)
			throw forbidden("break-glass needs an approver who is not the caller", "Both are " + each + ".",
							"Have somebody else approve, and give their name as p_approved_by.");
}

void
require_no_breach(const GateAnswer &gates) {
	if (!gates.telemetry_error.empty())
		throw gate_closed("break-glass cannot tell whether there is a P0 breach",
						  "Telemetry cannot be read: " + gates.telemetry_error + ".",
						  "Mend the telemetry; a kill still works.");
	if (!gates.p0_breach.empty()) {
		std::vector<const CheckResult *> blockers;
		for (const auto *result : promote_blockers(gates))
			if (result->check.gate == Gate::p0 || result->check.name == "killed")
				blockers.push_back(result);
		throw gate_closed("break-glass does not lift a P0 breach inside its window",
						  gates.p0_breach + " was broken within p0_clear_window.\n" + failing(blockers),
						  gates.state.killed()
							  ? gate_hint(blockers, set_command(Stage::canary_1, false, "resume controlled"))
							  : set_command(Stage::canary_1, true, "hard stop: p0 invariant breach"));
	}
}

void
require_sane(const Request &request) {
	if (request.note && request.note->size() > max_note_bytes)
		throw invalid_argument("note is longer than 4 kB", std::to_string(request.note->size()) + " bytes.",
							   "Put the long story where it can be linked, and note the link.");
	if (request.approved_by && request.approved_by->size() > max_name_bytes)
		throw invalid_argument("approved_by is longer than " + std::to_string(max_name_bytes) + " bytes");
}

} // namespace

std::string_view
name(Transition transition) {
	constexpr std::string_view names[] = {"start", "promote", "hold",    "rollback",
										  "kill",  "resume",  "re-kill", "config"};
	return names[static_cast<size_t>(transition)];
}

std::optional<Transition>
parse_transition(std::string_view text) {
	for (int i = 0; i <= static_cast<int>(Transition::config); ++i)
		if (name(static_cast<Transition>(i)) == text)
			return static_cast<Transition>(i);
	return std::nullopt;
}

bool
is_legal_step(Transition transition, const State &before, Stage to, bool to_kill) {
	if (transition == Transition::config)
		return before.stage == to && before.kill_switch == to_kill;
	const auto &rule = rule_of(transition);
	// A kill that had to make the state row anew, because somebody lost it, starts from what a missing row reads as.
	const bool exists = before.exists && !(transition == Transition::kill && before.kill_switch);
	const bool lands = !to_kill || to == Stage::canary_1;
	return lands && rule.to_kill == to_kill && matches(rule.from, exists, before.stage, before.kill_switch) &&
		   matches(rule.to, before.stage, to);
}

Classified
classify(const State &state, const Request &request, bool log_has_state) {
	std::optional<Stage> stage;
	if (request.stage)
		stage = parse_stage(*request.stage);
	if (request.kill_switch.value_or(false)) {
		Classified kill{state.killed() ? Transition::rekill : Transition::kill, Stage::canary_1, true, {}};
		if (!stage || *stage != Stage::canary_1)
			kill.notice = "a kill lands on canary_1, whatever stage was named (" +
						  (request.stage ? "\"" + truncate_utf8(*request.stage, 64) + "\"" : "null") + ")";
		return kill;
	}
	if (!request.kill_switch)
		throw invalid_argument("kill switch is null", {}, "Give true to kill, false to go on.");
	if (!stage)
		throw invalid_argument(request.stage ? "unknown stage \"" + truncate_utf8(*request.stage, 64) + "\""
											 : "stage is null",
							   facts(state), "Stages are canary_1, canary_10, canary_50 and full.");
	// First of all: who looked at another state cannot know what this one allows.
	if (request.expected_version && *request.expected_version != state.version)
		throw version_conflict("expected version " + std::to_string(*request.expected_version) + ", and it is " +
								   std::to_string(state.version),
							   facts(state),
							   "Look again before you decide: select * from public.chat_get_v11_rollout_state();");
	if (!state.exists && log_has_state)
		throw invalid_transition("the state row is gone although the decision log tells of one",
								 "Nobody is in the cohort while it is missing. Only a kill is accepted now.",
								 "select * from chat_v11.verify_history(); then " +
									 set_command(Stage::canary_1, true, "state row was missing"));
	const auto *rule = find_rule(state.exists, state.stage, state.kill_switch, *stage, false);
	if (rule)
		return {rule->transition, *stage, false, {}};

	const auto from =
		state.exists ? std::string(name(state.stage)) : std::string("a rollout that has not been started");
	if (state.killed())
		throw invalid_transition("a killed rollout resumes at canary_1, not at " + std::string(name(*stage)),
								 facts(state), offers(state));
	throw invalid_transition(from + " cannot go to " + std::string(name(*stage)), facts(state), offers(state));
}

Accepted
decide(const State &state, const Request &request, const Classified &classified, const GateAnswer *gates,
	   const std::vector<Precondition> &unmet, Preflight preflight, Time now) {
	const auto &rule = rule_of(classified.transition);
	bool overridden = false;
	if (!classified.target_kill) {
		require_sane(request);
		const bool gated = rule.needs != Needs::nothing;
		if (request.forced)
			require_two_people(request);
		if (request.forced && gated) {
			// A first start has nothing that could have been broken, as far as that can be seen.
			if (rule.needs != Needs::preconditions || !gates->p0_breach.empty() || !gates->telemetry_error.empty())
				require_no_breach(*gates);
			overridden = true;
		} else {
			switch (rule.needs) {
			case Needs::nothing: break;
			case Needs::preconditions: require_preconditions("start", unmet, preflight); break;
			case Needs::gates:
				require_gates(state, *gates, classified.target);
				require_preconditions(promotion(state.stage, classified.target), unmet, preflight);
				break;
			case Needs::p0_clear: require_p0_clear(*gates); break;
			}
		}
	}

	Accepted accepted;
	accepted.overridden = overridden;
	accepted.decision =
		rule.decision.value_or(gates && gates->decision == Decision::rollback ? Decision::rollback : Decision::hold);
	accepted.state = state;
	accepted.state.exists = true;
	accepted.state.stage = classified.target;
	accepted.state.kill_switch = classified.target_kill;
	accepted.state.version = state.version + 1;
	// A clock that was set back would have a killed rollout wait for the moment that it was killed at.
	if (rule.restarts_clock || !state.entered_at || *state.entered_at > now)
		accepted.state.entered_at = now;
	if (!classified.target_kill && !state.started_at)
		accepted.state.started_at = now;
	accepted.state.updated_at = now;
	accepted.state.updated_by = request.caller;
	accepted.state.note = request.note ? std::optional(truncate_utf8(*request.note, max_note_bytes)) : std::nullopt;
	// A hold stays on a stage that was forced; any other way in or out of a stage ends that.
	if (classified.transition != Transition::hold)
		accepted.state.overridden = overridden;
	return accepted;
}

std::vector<const CheckResult *>
resume_blockers(const GateAnswer &gates) {
	std::vector<const CheckResult *> blockers;
	for (const auto &result : gates.checks)
		if (result.blocks && (result.check.gate != Gate::p1 || result.check.metric == "pending_forever_count"))
			blockers.push_back(&result);
	return blockers;
}

std::string
blocker_lines(const std::vector<const CheckResult *> &blockers) {
	return failing(blockers);
}

std::string
blocker_hint(const std::vector<const CheckResult *> &blockers, const std::string &command) {
	return gate_hint(blockers, command);
}

std::string
set_command(Stage stage, bool kill_switch, std::string_view note) {
	return "select * from public.chat_set_v11_rollout_state('" + std::string(name(stage)) + "', " +
		   (kill_switch ? "true" : "false") + ", '" + std::string(note) + "');";
}

std::string
next_step(const State &state, const GateAnswer &gates) {
	if (!state.exists)
		return "Start: " + set_command(Stage::canary_1, false, "start canary 1%");
	if (state.kill_switch) {
		const auto blockers = resume_blockers(gates);
		if (blockers.empty())
			return "Resume: " + set_command(Stage::canary_1, false, "resume controlled");
		return "Killed. " + blockers.front()->reason + ". " +
			   gate_hint(blockers, set_command(Stage::canary_1, false, "resume controlled"));
	}
	if (!gates.p0_ok)
		return "Kill: " + set_command(Stage::canary_1, true, "hard stop: p0 invariant breach");
	if (const auto remedy = severe_remedy(gates); !remedy.empty())
		return "Roll back. " + gates.first_reason() + ". " + remedy;
	const auto blockers = promote_blockers(gates);
	const auto upper = next(state.stage);
	if (!blockers.empty() && !upper)
		return "Watch. " + blockers.front()->reason + ".";
	if (!blockers.empty())
		return "Hold. " + blockers.front()->reason + ". " +
			   gate_hint(blockers, set_command(*upper, false, "promote to " + std::string(name(*upper))));
	if (!upper)
		return "Nothing: everybody has v1.1, and the watch is over.";
	return "Promote: " + set_command(*upper, false, "promote to " + std::string(name(*upper)));
}

} // namespace chat_v11
