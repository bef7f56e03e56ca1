// One way to ask the triggers for a change of the rollout: for the functions that people call, and for the guard.

#include "core/refusal.hpp"
#include "pg/on_commit.hpp"
#include "pg/rollout.hpp"

namespace chat_v11::pg {

namespace {

std::string
attempt(const Request &request) {
	const auto stage = request.stage ? "'" + *request.stage + "'" : std::string("null");
	const auto kill = !request.kill_switch ? "null" : *request.kill_switch ? "true" : "false";
	return one_line("chat_v11: refused: " + request.caller + (request.forced ? " forced (" : " asked for (") + stage +
					", " + kill + ")");
}

// A refusal rolls back whatever it wrote, so its record is a line of the server's log.
void
log_refusal(const Request &request, const std::string &what, const std::string &detail) {
	log_now(attempt(request) + ": " + one_line(what) + (detail.empty() ? "" : "; " + one_line(detail)));
}

void
write_state(Spi &spi, const Request &request) {
	const auto exists = with_latest_snapshot([&] { return !spi.query("SELECT FROM chat_v11.rollout_state").empty(); });
	Params params;
	// A kill lands on canary_1 by the trigger's own rule; a null stage would only be refused as a column.
	params.optional(request.stage, TEXTOID).optional(request.kill_switch, BOOLOID);
	const OpenRequest open(request);
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
			in_subtransaction([&] { with_spi([&](Spi &spi) { write_state(spi, request); }); });
			return;
		} catch (const Error &e) {
			if (e.sqlstate() != ERRCODE_T_R_DEADLOCK_DETECTED || i == tries)
				throw;
		}
	}
}

// What the gates may refuse waits for an incident that is being opened before it takes the lock that a kill needs:
// under that it would only be refused.
void
wait_for_incidents(Spi &spi, const Request &request) {
	if (request.kill_switch.value_or(true))
		return;
	const auto stored = with_latest_snapshot([&] { return load_state(spi); });
	try {
		if (!is_gated(classify(stored.state, request, stored.log_has_state).transition))
			return;
	} catch (const Refusal &) {
		return; // it comes again, under the lock
	}
	await_freeze();
}

} // namespace

std::optional<State>
change_state(const Request &request, const std::function<bool(const State &)> &still) {
	try {
		return with_spi([&](Spi &spi) -> std::optional<State> {
			const auto load = [&] { return with_latest_snapshot([&] { return load_state(spi).state; }); };
			wait_for_incidents(spi, request);
			lock_rollout();
			if (still && !still(load()))
				return std::nullopt;
			if (request.kill_switch.value_or(false))
				write_kill(request);
			else
				write_state(spi, request);
			return load();
		});
	} catch (const Refusal &e) {
		log_refusal(request, e.what(), e.detail());
		throw;
	} catch (const Error &e) {
		log_refusal(request, to_utf8_lenient(e.what()), to_utf8_lenient(e.detail()));
		throw;
	}
}

State
change_state(const Request &request) {
	return *change_state(request, {});
}

} // namespace chat_v11::pg
