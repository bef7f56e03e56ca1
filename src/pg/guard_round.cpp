#include "pg/guard_round.hpp"

#include "core/gate_json.hpp"
#include "pg/consumers.hpp"
#include "pg/gate_log.hpp"
#include "pg/incidents.hpp"
#include "pg/on_commit.hpp"
#include "pg/recovery.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"

namespace chat_v11::pg {

namespace {

// Under the lock: a human may have killed, resumed or switched the check off, and time may have passed, since the gates
// were read.  Where they cannot be read again the first look stands.
std::optional<GuardAct>
look_again(const State &state, const GuardAct &act, std::optional<GateAnswer> &latest) {
	latest.reset();
	if (!state.live() || (!act.kill && state.stage == Stage::canary_1))
		return std::nullopt;
	const auto at = now();
	std::optional<Evaluation> again;
	const auto failure = attempt_within(kill_gate_timeout_ms(),
										[&] { with_latest_snapshot([&] { again = evaluate_gates_at(state, at); }); });
	if (!failure.empty() || !again || !again->answer.telemetry_error.empty())
		return act;
	latest = std::move(again->answer);
	return guard_act(*latest);
}

// `latest`: what the gates said when it was looked again; nothing where they were not read.
bool
act_on(Watch &watch, const GuardAct &first, const std::string &approver, std::optional<GateAnswer> &latest) {
	watch.wanted = first.kill ? "kill" : "rollback";
	Request request;
	std::optional<GuardAct> act;
	const auto changed = change_state(request, [&](const State &state) {
		act = look_again(state, first, latest);
		if (!act)
			return false;
		request.stage = std::string(name(Stage::canary_1));
		request.kill_switch = act->kill;
		request.note = act->note();
		request.approved_by = approver;
		request.caller = guard_name;
		return true;
	});
	last_change().reset();
	if (!changed)
		return false;
	watch.wanted = act->kill ? "kill" : "rollback";
	log_on_commit("chat_v11 guard: " + watch.wanted + ": " + one_line(act->reason));
	watch.state = *changed;
	watch.action = watch.wanted;
	return true;
}

void
write_gate_log(Spi &spi, const Evaluation &evaluation, Duration jitter) {
	const auto &answer = evaluation.answer;
	const auto before = newest_gate_log(spi, answer.mock_clock, false);
	if (!decision_row_due(answer.evaluated_at, answer.decision, before) &&
		!gate_log_due(answer.evaluated_at, answer.p0_ok, answer.p1_ok, newest_gate_log(spi, answer.mock_clock, true),
					  before, jitter))
		return;
	GateLogEntry entry{answer.evaluated_at,
					   answer.state.version,
					   answer.state.stage,
					   answer.state.kill_switch,
					   answer.mock_clock,
					   to_json(answer, evaluation.input.settings, {}),
					   "guard"};
	entry.set_verdict(answer);
	append_gate_log(spi, entry);
	if (before && before->decision == answer.decision)
		return;
	const auto was = before ? before->decision : std::nullopt;
	const auto reason = answer.first_reason();
	notify_on_commit(decision_notification(answer.state, was, answer.decision, reason, answer.evaluated_at));
	log_on_commit("chat_v11 guard: " + std::string(was ? name(*was) : "no decision") + " -> " +
				  std::string(name(answer.decision)) + " at " + describe(answer.state) +
				  (reason.empty() ? "" : ": " + one_line(reason)));
}

// An open P1 becomes a P0 while a P0 check fails.  After the kill, in its transaction, and never what it fails or waits
// for; what fails is told, and tried again in the next round.
std::string
escalate(const GateAnswer &answer) {
	const auto failures = p0_failures(answer);
	if (failures.empty())
		return {};
	const auto failure = attempt_within(kill_gate_timeout_ms(), [&] {
		with_spi(
			[&](Spi &spi) { escalate_open(spi, std::string(guard_name), truncate_utf8(failures, max_note_bytes)); });
	});
	return failure.empty() ? "" : "an open P1 incident was not escalated: " + failure;
}

} // namespace

void
watch_rollout(Watch &watch, const std::string &approver, Duration jitter) {
	const auto at = now();
	with_latest_snapshot([&] {
		watch.state = with_spi([](Spi &spi) { return load_state(spi).state; });
		if (!watch.state.exists)
			return;
		const auto evaluation = evaluate_gates_at(watch.state, at);
		watch.decision = evaluation.answer.decision;
		const auto trouble = [&](const std::string &text) {
			if (!text.empty())
				watch.trouble += (watch.trouble.empty() ? "" : "; ") + text;
		};
		const auto act = guard_act(evaluation.answer);
		std::optional<GateAnswer> latest;
		const bool acted = act && act_on(watch, *act, approver, latest);
		if (latest)
			trouble(escalate(*latest));
		else if (acted || !act)
			trouble(escalate(evaluation.answer));
		// Else somebody was faster, and the next round knows more.
		if (acted)
			return; // the change has its row in the gate log, and its notification
		if (!evaluation.answer.telemetry_error.empty())
			trouble("the gates are blind, telemetry cannot be read: " + evaluation.answer.telemetry_error);
		// Who holds the log for long must not keep the next look waiting.
		const auto failure = attempt_within(
			kill_gate_timeout_ms(), [&] { with_spi([&](Spi &spi) { write_gate_log(spi, evaluation, jitter); }); });
		if (!failure.empty())
			trouble("the gate log was not written: " + failure);
	});
}

void
tell_gates(Duration jitter) {
	const auto at = now();
	with_latest_snapshot([&] {
		const auto state = with_spi([](Spi &spi) { return load_state(spi).state; });
		if (!state.exists)
			return;
		const auto evaluation = evaluate_gates_at(state, at);
		with_spi([&](Spi &spi) { write_gate_log(spi, evaluation, jitter); });
	});
}

void
drop_what_is_old(Time now) {
	with_spi([&](Spi &spi) {
		drop_old_gate_log(spi, now);
		drop_silent_consumers(spi, now);
	});
	empty_admissions_at_commit();
}

} // namespace chat_v11::pg
