// The state: read, set, forced.

#include "pg/rollout.hpp"
#include "pg/settings.hpp"

namespace chat_v11 {

namespace {

// The gates as they look after the change.  A killed state needs nothing that the change itself did not know.
pg::Evaluation
evaluation_after(const State &state) {
	auto change = std::move(pg::last_change());
	pg::last_change().reset();
	const bool known = change && change->accepted.state.version == state.version;
	if (!state.kill_switch && !(known && !change->gates.evaluation)) {
		// Still under the lock that a kill needs.
		auto gates = pg::with_latest_snapshot([&] { return pg::evaluate_gated(state); });
		if (gates.evaluation)
			return std::move(*gates.evaluation);
	}

	pg::Evaluation evaluation;
	if (known && change->gates.evaluation) {
		evaluation = std::move(*change->gates.evaluation);
	} else {
		evaluation.input.now = pg::now();
		evaluation.input.policies = default_policy();
		evaluation.input.checks = default_checks();
		evaluation.input.telemetry_error = known ? change->gates.unavailable : "not read";
	}
	evaluation.input.state = state;
	evaluation.input.now = std::max(evaluation.input.now, *state.entered_at);
	// Another stage, another quiet period.
	if (state.live()) {
		const auto failure = pg::attempt_within(pg::kill_gate_timeout_ms(), [&] {
			pg::with_latest_snapshot([&] { pg::add_gate_log(evaluation.input, false); });
		});
		if (!failure.empty())
			evaluation.input.gate_log_error = failure;
	}
	// The change is made; an answer that cannot be worked out must not undo it.
	try {
		evaluation.answer = evaluate(evaluation.input);
	} catch (const std::exception &) {
		evaluation.answer = GateAnswer{};
		evaluation.input.policies = default_policy();
	}
	return evaluation;
}

Datum
set_state(FunctionCallInfo fcinfo, Request request) {
	request.caller = pg::session_role();
	request.also_caller = pg::other_names();
	const auto state = pg::change_state(request);
	return pg::state_answer(fcinfo, state, evaluation_after(state));
}

// A kill is never refused for the bytes of a text that comes with it.
Request
request_from(FunctionCallInfo fcinfo) {
	Request request;
	if (!PG_ARGISNULL(1))
		request.kill_switch = PG_GETARG_BOOL(1);
	const auto text = request.kill_switch.value_or(false) ? pg::lenient_text_arg : pg::text_arg;
	request.stage = text(fcinfo, 0);
	request.note = text(fcinfo, 2);
	request.approved_by = text(fcinfo, 3);
	return request;
}

} // namespace

CHAT_V11_ENTRY(chat_v11_set_rollout_state) {
	auto request = request_from(fcinfo);
	if (!PG_ARGISNULL(4))
		request.expected_version = PG_GETARG_INT64(4);
	return set_state(fcinfo, std::move(request));
}

CHAT_V11_ENTRY(chat_v11_force_rollout_state) {
	auto request = request_from(fcinfo);
	request.forced = true;
	return set_state(fcinfo, std::move(request));
}

CHAT_V11_ENTRY(chat_v11_get_rollout_state) {
	const auto state = pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi).state; });
	return pg::state_answer(fcinfo, state, pg::evaluate_gates(state));
}

} // namespace chat_v11
