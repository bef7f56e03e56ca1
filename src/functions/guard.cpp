// The guard by hand: one round, start, stop, and how it is.

#include "core/refusal.hpp"
#include "core/varint.hpp"
#include "pg/analysis_close.hpp"
#include "pg/fold.hpp"
#include "pg/guard_lock.hpp"
#include "pg/guard_round.hpp"
#include "pg/guard_state.hpp"
#include "pg/guard_worker.hpp"
#include "pg/on_commit.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"

namespace chat_v11 {

namespace {

Datum
answer_tick(FunctionCallInfo fcinfo, const pg::Watch &watch, std::int64_t folded, const std::string &remark) {
	pg::Row row(pg::result_columns(fcinfo));
	pg::RowWriter out(row);
	out << (watch.decision ? std::optional(std::string(name(*watch.decision))) : std::nullopt)
		<< (watch.action.empty() ? std::nullopt : std::optional(watch.action)) << folded
		<< (remark.empty() ? std::nullopt : std::optional(remark));
	return pg::return_row(fcinfo, row);
}

} // namespace

CHAT_V11_ENTRY(chat_v11_guard_tick) {
	pg::call([] {
		PreventCommandDuringRecovery("chat_v11.guard_tick()");
		PreventCommandIfReadOnly("chat_v11.guard_tick()");
	});
	// Whatever it reads there may undo its kill at the commit, in favour of somebody who reports an event.
	if (pg::call([] { return IsolationIsSerializable(); }))
		throw invalid_argument("guard_tick() cannot run in a SERIALIZABLE transaction", {},
							   "begin isolation level read committed; or: alter role SCHEDULER set "
							   "default_transaction_isolation = 'read committed';");
	// In the subtransactions to come it would look like a block.
	const bool ends_at_once = !pg::call([] { return IsTransactionBlock(); });
	pg::Watch watch;
	if (!pg::lock_guard_for_transaction())
		return answer_tick(fcinfo, watch, 0, pg::with_spi(pg::tell_guard_at_work));
	// A prepared transaction would keep all guards out for as long as it stands.
	pg::forbid_prepare("guard_tick()", "It would keep every guard out until its COMMIT PREPARED.");
	const auto kept = pg::with_spi(pg::load_guard_state);
	if (kept && kept->stopped_at)
		return answer_tick(fcinfo, watch, 0,
						   "stopped by " + kept->stopped_by + ": select chat_v11.start_guard(false);");
	pg::watch_rollout(watch, pg::default_approver(), scheduler_jitter);
	if (!watch.trouble.empty())
		pg::tell(WARNING, watch.trouble, {}, "select * from chat_v11.explain_gates();");
	std::int64_t folded = 0;
	auto remark = watch.trouble;
	// What fails in here is told, and undoes only itself.
	const auto attempt = [&](const char *what, const std::function<void()> &f) {
		const auto failure = pg::attempt(f);
		if (failure.empty())
			return;
		const auto sentence = std::string(what) + " failed: " + failure;
		pg::tell(WARNING, sentence, {}, "select * from chat_v11.fold_status();");
		remark += (remark.empty() ? "" : "; ") + sentence;
	};
	// After an act the transaction should end.
	if (watch.action.empty()) {
		attempt("the fold", [&] { folded = pg::fold(pg::fold_at_most, ends_at_once).value_or(0); });
		static pg::ClosingRetry closing; // of a session that calls each second
		if (const auto trouble =
				closing.waits() ? closing.failure()
								: closing.ended(pg::try_to_close_buckets(pg::close_in_round_ms), pg::guard_interval());
			!trouble.empty()) {
			const auto sentence = pg::closes_none(trouble);
			pg::tell(WARNING, sentence, {}, "select * from chat_v11.explain_gates();");
			remark += (remark.empty() ? "" : "; ") + sentence;
		}
		attempt("dropping what is past its retention", [&] { pg::drop_what_is_old(pg::now()); });
	}
	const auto now = pg::real_now();
	pg::with_spi([&](pg::Spi &spi) { pg::note_tick(spi, now, remark); });
	if (!watch.action.empty())
		remark = "the events are folded by the next round";
	return answer_tick(fcinfo, watch, folded, remark);
}

CHAT_V11_ENTRY(chat_v11_start_guard) {
	bool was_stopped = false;
	if (!pg::call([] { return RecoveryInProgress(); }))
		was_stopped = pg::with_spi(pg::lift_stop);
	// A scheduler's calls need no worker.
	if (PG_NARGS() > 0 && !PG_ARGISNULL(0) && !PG_GETARG_BOOL(0))
		PG_RETURN_NULL();
	// One that stop_guard() has sent away may still be there; a launched one stays.
	if (const auto found = pg::find_guard(); found && (!was_stopped || found->is_launched())) {
		pg::tell(NOTICE, "a guard runs already: process " + std::to_string(found->pid), {},
				 "select * from chat_v11.guard_status();");
		return Int32GetDatum(found->pid);
	}
	const int pid = pg::start_guard_process();
	pg::log_on_commit("chat_v11 guard: started by " + one_line(pg::session_role()) + ", process " +
					  std::to_string(pid));
	return Int32GetDatum(pid);
}

CHAT_V11_ENTRY(chat_v11_stop_guard) {
	const auto now = pg::real_now();
	const auto by = pg::session_role();
	pg::with_spi([&](pg::Spi &spi) { pg::note_stop(spi, now, by); });
	const auto found = pg::find_guard();
	const auto state = pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi).state; });
	if (state.live())
		pg::tell(WARNING, "nobody watches the rollout from now on: it is at " + describe(state), {},
				 "select chat_v11.start_guard();");
	pg::log_on_commit("chat_v11 guard: stopped by " + one_line(by));
	return BoolGetDatum(found.has_value());
}

CHAT_V11_ENTRY(chat_v11_guard_status) {
	const auto report = pg::guard_report();
	const auto fold = pg::with_spi([](pg::Spi &spi) { return pg::read_fold_status(spi); });
	pg::Row row(pg::result_columns(fcinfo));
	pg::RowWriter out(row);
	out << report.state << report.running << report.pid << report.last_round << report.round_ms << report.rounds
		<< fold.tail_events << fold.lag_seconds << report.failures << report.last_error << report.last_error_at
		<< report.remark;
	return pg::return_row(fcinfo, row);
}

} // namespace chat_v11
