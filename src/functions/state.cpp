// The state: read, set, forced.

#include "core/gate_json.hpp"
#include "core/refusal.hpp"
#include "pg/log_lines.hpp"
#include "pg/rollout.hpp"

namespace chat_v11 {

namespace {

std::string
attempt(const Request &request) {
	const auto stage = request.stage ? "'" + *request.stage + "'" : std::string("null");
	const auto kill = !request.kill_switch ? "null" : *request.kill_switch ? "true" : "false";
	return pg::one_line("chat_v11: refused: " + request.caller + (request.forced ? " forced (" : " asked for (") +
						stage + ", " + kill + ")");
}

// A refusal rolls back whatever it wrote, so its record is a line of the server's log.
void
log_refusal(const Request &request, const std::string &what, const std::string &detail) {
	pg::log_now(attempt(request) + ": " + pg::one_line(what) + (detail.empty() ? "" : "; " + pg::one_line(detail)));
}

void
write_state(pg::Spi &spi, const Request &request) {
	const auto exists =
		pg::with_latest_snapshot([&] { return !spi.query("SELECT FROM chat_v11.rollout_state").empty(); });
	pg::Params params;
	// A kill lands on canary_1 by the trigger's own rule; a null stage would only be refused as a column.
	params.optional(request.stage, TEXTOID).optional(request.kill_switch, BOOLOID);
	const pg::OpenRequest open(request);
	spi.execute(exists ? "UPDATE chat_v11.rollout_state SET stage = $1, kill_switch = $2"
					   : "INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ($1, $2)",
				std::move(params));
}

// Who locked the row by hand before he asked for the lock that all others take first makes a deadlock, and PostgreSQL
// picks a victim.  It must not be the kill: it lets go of the row and asks again, and the other one is picked.
void
write_kill(const Request &request) {
	constexpr int tries = 20;
	for (int i = 1;; ++i) {
		try {
			pg::in_subtransaction([&] { pg::with_spi([&](pg::Spi &spi) { write_state(spi, request); }); });
			return;
		} catch (const pg::Error &e) {
			if (e.sqlstate() != ERRCODE_T_R_DEADLOCK_DETECTED || i == tries)
				throw;
		}
	}
}

// The gates as they look after the change.  A killed state needs nothing that the change itself did not know.
pg::Evaluation
evaluation_after(const State &state) {
	auto change = std::move(pg::last_change());
	pg::last_change().reset();
	const bool known = change && change->accepted.state.version == state.version;
	if (!state.kill_switch && !(known && !change->gates.evaluation))
		return pg::with_latest_snapshot([&] { return pg::evaluate_gates(state); });

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
	if (state.live())
		pg::with_latest_snapshot([&] { pg::add_gate_log(evaluation.input, false); });
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
	State state;
	try {
		state = pg::with_spi([&](pg::Spi &spi) {
			pg::lock_rollout();
			if (request.kill_switch.value_or(false))
				write_kill(request);
			else
				write_state(spi, request);
			return pg::with_latest_snapshot([&] { return pg::load_state(spi).state; });
		});
	} catch (const Refusal &e) {
		log_refusal(request, e.what(), e.detail());
		throw;
	} catch (const pg::Error &e) {
		log_refusal(request, pg::to_utf8_lenient(e.what()), pg::to_utf8_lenient(e.detail()));
		throw;
	}
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
