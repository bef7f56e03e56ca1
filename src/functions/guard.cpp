// The guard by hand: one round, start, stop, and how it is.

#include "core/refusal.hpp"
#include "core/varint.hpp"
#include "pg/fold.hpp"
#include "pg/guard_lock.hpp"
#include "pg/guard_round.hpp"
#include "pg/guard_worker.hpp"
#include "pg/on_commit.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"

namespace chat_v11 {

namespace {

void
tell(int level, const std::string &sentence, const std::string &hint) {
	const auto text = pg::from_utf8(sentence);
	pg::call(
		[&] { ereport(level, (errmsg_internal("%s", text.c_str()), hint.empty() ? 0 : errhint("%s", hint.c_str()))); });
}

// What fails in here is told, and undoes only itself.
std::string
try_to(const char *what, const std::function<void()> &f) {
	const auto told = [&](const std::string &error) { return std::string(what) + " failed: " + error; };
	try {
		pg::in_subtransaction(f);
	} catch (const pg::Error &e) {
		if (ERRCODE_TO_CATEGORY(e.sqlstate()) == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED))
			throw;
		return told(pg::to_utf8_lenient(e.what()));
	} catch (const Refusal &e) {
		return told(e.what());
	} catch (const CorruptBytes &e) {
		return told(e.what());
	}
	return {};
}

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
	const bool ends_at_once = !pg::call([] { return IsTransactionBlock(); }); // a subtransaction would say no
	pg::Watch watch;
	if (!pg::lock_guard_for_transaction())
		return answer_tick(fcinfo, watch, 0, "another guard is at work: " + pg::with_spi(pg::find_lock_holder));
	// A prepared transaction would keep all guards out for as long as it stands.
	pg::forbid_prepare("guard_tick()", "It would keep every guard out until its COMMIT PREPARED.");
	const auto kept = pg::with_spi([](pg::Spi &spi) { return pg::load_guard_state(spi); });
	if (kept.stopped_at)
		return answer_tick(fcinfo, watch, 0, "stopped by " + kept.stopped_by + ": select chat_v11.start_guard(false);");
	pg::watch_rollout(watch, pg::default_approver(), scheduler_jitter);
	if (!watch.trouble.empty())
		tell(WARNING, watch.trouble, "select * from chat_v11.explain_gates();");
	std::int64_t folded = 0;
	auto remark = watch.trouble;
	const auto attempt = [&](const char *what, const std::function<void()> &f) {
		const auto failure = try_to(what, f);
		if (failure.empty())
			return;
		tell(WARNING, failure, "select * from chat_v11.fold_status();");
		remark += (remark.empty() ? "" : "; ") + failure;
	};
	// After an act the transaction should end.
	if (watch.action.empty()) {
		attempt("the fold", [&] { folded = pg::fold(pg::fold_at_most).value_or(0); });
		attempt("dropping what is past its retention", [&] { pg::drop_what_is_old(pg::now(), ends_at_once); });
	}
	const auto now = pg::time_from_pg(pg::call([] { return GetCurrentTimestamp(); }));
	pg::with_spi([&](pg::Spi &spi) { pg::note_tick(spi, now, remark); });
	if (!watch.action.empty())
		remark = "the events are folded by the next round";
	return answer_tick(fcinfo, watch, folded, remark);
}

CHAT_V11_ENTRY(chat_v11_start_guard) {
	bool was_stopped = false;
	if (!pg::call([] { return RecoveryInProgress(); }))
		was_stopped = pg::with_spi([&](pg::Spi &spi) {
			return spi.execute("UPDATE chat_v11.guard_state SET stopped_at = NULL, stopped_by = NULL "
							   "WHERE stopped_at IS NOT NULL") > 0;
		});
	// A scheduler's calls need no worker.
	if (PG_NARGS() > 0 && !PG_ARGISNULL(0) && !PG_GETARG_BOOL(0))
		PG_RETURN_NULL();
	// One that stop_guard() has sent away may still be there; a launched one stays.
	if (const auto found = pg::find_guard(); found && (!was_stopped || found->is_launched())) {
		tell(NOTICE, "a guard runs already: process " + std::to_string(found->pid),
			 "select * from chat_v11.guard_status();");
		return Int32GetDatum(found->pid);
	}
	const int pid = pg::start_guard_process();
	pg::log_on_commit("chat_v11 guard: started by " + pg::one_line(pg::session_role()) + ", process " +
					  std::to_string(pid));
	return Int32GetDatum(pid);
}

CHAT_V11_ENTRY(chat_v11_stop_guard) {
	const auto now = pg::time_from_pg(pg::call([] { return GetCurrentTimestamp(); }));
	const auto by = pg::session_role();
	pg::with_spi([&](pg::Spi &spi) {
		spi.execute("UPDATE chat_v11.guard_state SET expected = false, stopped_at = $1, stopped_by = $2",
					pg::Params() << now << by);
	});
	const auto found = pg::find_guard();
	const auto state = pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi).state; });
	if (state.live())
		tell(WARNING, "nobody watches the rollout from now on: it is at " + describe(state),
			 "select chat_v11.start_guard();");
	pg::log_on_commit("chat_v11 guard: stopped by " + pg::one_line(by));
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
