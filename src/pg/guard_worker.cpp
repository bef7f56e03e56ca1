// The worker: rounds, each in transactions of its own, until the database or the server goes.

#include "pg/guard_worker.hpp"

#include "core/refusal.hpp"
#include "core/varint.hpp"
#include "pg/analysis_close.hpp"
#include "pg/fold.hpp"
#include "pg/guard_launcher.hpp"
#include "pg/guard_lock.hpp"
#include "pg/guard_round.hpp"
#include "pg/guard_session.hpp"
#include "pg/guard_state.hpp"
#include "pg/on_commit.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"
#include "pg/store.hpp"

#include <algorithm>
#include <chrono>

extern "C" {
#include "commands/dbcommands.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/wait_event.h"

PGDLLEXPORT void chat_v11_guard_main(Datum argument);
}

namespace chat_v11::pg {

namespace {

constexpr auto long_pause = std::chrono::seconds(5); // while there is nothing to guard
constexpr const char *fold_fails = ", the fold fails";
constexpr auto error_note_every = std::chrono::minutes(1);

void
warn(const std::string &utf8) {
	tell(WARNING, "chat_v11 guard: " + one_line(utf8), {}, {});
}

void
log(const std::string &utf8) {
	log_now("chat_v11 guard: " + one_line(utf8));
}

class Guard {
public:
	explicit Guard(const GuardOrder &order) : order_(order) {
		memory_ =
			call([] { return AllocSetContextCreate(TopMemoryContext, "chat_v11 guard", ALLOCSET_DEFAULT_SIZES); });
		MemoryContextSwitchTo(memory_);
	}

	[[noreturn]] void
	run() {
		log("began in database \"" + database() + "\", a round each " + format_duration(guard_interval()));
		for (;;) {
			const auto began = std::chrono::steady_clock::now();
			auto pause = guard_interval();
			// What is caught here is no round's: a cancel that comes between two, or memory that ran out.
			try {
				begin_round();
				pause = round();
				const auto took = std::chrono::steady_clock::now() - began;
				report(std::chrono::duration<double, std::milli>(took).count());
				MemoryContextReset(memory_);
				pause = std::max(pause - std::chrono::duration_cast<Duration>(took), Duration::zero());
				sleep(pause);
			} catch (const std::exception &e) {
				ereport(LOG, (errmsg_internal("chat_v11 guard: between two rounds: %s", e.what())));
				call([] { (void)WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100, PG_WAIT_EXTENSION); });
			}
		}
	}

private:
	std::string
	database() const {
		const char *name = nullptr;
		in_transaction(memory_, [&] {
			name = call([&] { return MemoryContextStrdup(memory_, get_database_name(MyDatabaseId)); });
		});
		return to_utf8_lenient(name ? name : "?");
	}

	static void
	begin_round() {
		call([] {
			ResetLatch(MyLatch);
			QueryCancelPending = false; // between two rounds there is nothing to cancel
			CHECK_FOR_INTERRUPTS();
			if (ConfigReloadPending) {
				ConfigReloadPending = false;
				ProcessConfigFile(PGC_SIGHUP);
			}
			pgstat_report_activity(STATE_RUNNING, nullptr);
		});
	}

	// One round, whatever becomes of it; how long from its beginning to the next.
	Duration
	round() {
		line_.state = "idle";
		line_.rest.clear();
		try {
			if (call([] { return RecoveryInProgress(); })) {
				line_.state = "standby";
				line_.rest = "guards once this server is promoted";
				return guard_interval();
			}
			if (const auto pause = look())
				return *pause;
		} catch (const std::exception &e) {
			const auto pause = failed(e);
			if (has_lock_)
				fold_events();
			return pause;
		}
		if (line_.failures > 0)
			log("rounds succeed again after " + std::to_string(line_.failures) + " failures");
		line_.failures = 0;
		return fold_events();
	}

	// Nothing where the gates were looked at, and the fold is next; else how long to wait.
	std::optional<Duration>
	look() {
		std::optional<Duration> pause;
		bool is_expected = false;
		watch_ = {};
		set_lock_timeout("5s");
		in_transaction(memory_, [&] {
			const auto extension = with_spi([](Spi &spi) { return find_extension(spi); });
			if (!extension) {
				pause = without_extension();
				return;
			}
			if (!extension->has_guard) {
				line_.rest = "version " + extension->version + " has no guard: alter extension chat_v11 update;";
				pause = long_pause;
				return;
			}
			if (!lock_extension(extension->oid)) {
				line_.rest = "the extension is being changed";
				pause = guard_interval();
				return;
			}
			if (!version_.empty() && version_ != extension->version)
				leave("the extension went from version " + version_ + " to " + extension->version +
						  ", a new process has its library",
					  1);
			owner_ = extension->owner;
			become_owner();
			const auto state = with_spi([](Spi &spi) {
				return with_latest_snapshot([&] { return load_guard_state(spi); }).value_or(GuardState{});
			});
			if (is_stopped(state)) {
				pause = long_pause;
				return;
			}
			if (!has_lock_ && !(has_lock_ = lock_guard_for_session())) {
				pause = wait_for_lock();
				return;
			}
			waits_since_.reset();
			if (version_.empty()) {
				version_ = extension->version;
				log("guards with version " + version_);
			}
			watch_rollout(watch_, std::string(guard_name), worker_jitter);
			is_expected = state.expected;
			// In a session its user knows; here nobody might.
			if (const auto at = mock_now())
				watch_.trouble = "the rule clock is mocked, it stands at " + format_utc(*at) +
								 (watch_.trouble.empty() ? "" : "; ") + watch_.trouble;
		});
		if (pause)
			return pause;
		if (!is_expected)
			expect();
		tell_troubles();
		if (watch_.decision) {
			line_.state = "guarding";
			line_.rest = describe(watch_.state) + ", version " + std::to_string(watch_.state.version) + ", " +
						 std::string(name(*watch_.decision)) + (watch_.action.empty() ? "" : ": " + watch_.action) +
						 (watch_.trouble.empty() ? "" : "; " + watch_.trouble);
		} else {
			line_.rest = "no rollout was started";
		}
		return std::nullopt;
	}

	// For a worker that leaves, or a transaction that called guard_tick() and stays open.
	Duration
	wait_for_lock() {
		constexpr auto long_enough = std::chrono::minutes(1);
		const auto now = std::chrono::steady_clock::now();
		waits_since_ = waits_since_.value_or(now);
		line_.state = "waiting";
		line_.rest = with_spi(tell_guard_at_work);
		if (!order_.is_launched() && now - *waits_since_ > long_enough)
			leave(line_.rest, 0);
		return guard_interval();
	}

	Duration
	without_extension() {
		constexpr auto grace = std::chrono::seconds(10); // CREATE EXTENSION and start_guard() in one transaction
		if (has_lock_) {
			unlock_guard_for_session();
			has_lock_ = false;
		}
		line_.rest = "the database has no extension chat_v11";
		const bool was_there = !version_.empty();
		version_.clear();
		if (!order_.is_launched() && (was_there || std::chrono::steady_clock::now() > began_ + grace))
			leave("the extension is gone", 0);
		if (was_there)
			log("the extension is gone; waits for it to come back");
		return long_pause;
	}

	bool
	is_stopped(const GuardState &state) {
		if (!state.stopped_at || time_to_pg(*state.stopped_at) <= order_.started)
			return false;
		if (has_lock_)
			unlock_guard_for_session();
		has_lock_ = false;
		if (!order_.is_launched())
			leave("stopped by " + state.stopped_by, 0);
		line_.state = "stopped";
		line_.rest = "by " + state.stopped_by;
		return true;
	}

	// What does not end a round and yet leaves it blind or mute: told when it begins, each minute, and when it ends.
	void
	tell_troubles() {
		if (!watch_.trouble.empty()) {
			if (note(watch_.trouble))
				warn(watch_.trouble);
		} else if (!trouble_.empty()) {
			log("no longer: " + trouble_);
		}
		trouble_ = watch_.trouble;
	}

	Duration
	failed(const std::exception &e) {
		++line_.failures;
		const bool is_kill = watch_.wanted == "kill";
		auto error = error_text(e);
		if (!watch_.wanted.empty() && is_lock_timeout(e))
			error += blocker();
		// Who waited for a lock in vain has waited enough, and a kill is tried again at once.
		const auto pause = is_lock_timeout(e) ? (is_kill ? Duration::zero() : guard_interval())
											  : retry_after(line_.failures, guard_interval());
		line_.state = "failing";
		line_.rest = (watch_.wanted.empty() ? "" : "the " + watch_.wanted + " failed: ") + error;
		warn((watch_.wanted.empty() ? "a round" : "the " + watch_.wanted) + " failed, " +
			 std::to_string(line_.failures) + " in a row, next try in " + format_duration(pause) + ": " + error);
		note(line_.rest);
		return pause;
	}

	// Who holds up an act.  And whoever listens hears that the gates call for it, before it is done.
	std::string
	blocker() {
		std::string who;
		try {
			set_lock_timeout("100ms");
			in_transaction(memory_, [&] {
				become_owner();
				who = who_holds_rollout();
				tell_gates(worker_jitter);
			});
		} catch (const std::exception &) {
		}
		return who.empty() ? "" : "; held up by " + who;
	}

	// The fold is a transaction of its own, and waits for its own failures: nothing of it keeps the gates unwatched.
	Duration
	fold_events() {
		const auto moment = std::chrono::steady_clock::now();
		if (moment < fold_after_) {
			line_.rest += fold_fails;
			return guard_interval();
		}
		std::int64_t folded = 0;
		const char *step = "the fold";
		try {
			set_lock_timeout("500ms");
			in_transaction(memory_, [&] {
				become_owner();
				folded = fold(fold_at_most).value_or(0);
			});
			if (fold_failures_ > 0)
				log("folds again after " + std::to_string(fold_failures_) + " failures");
			fold_failures_ = 0;
			close_analysis();
			if (moment >= drop_after_) {
				drop_after_ = moment + std::chrono::minutes(1);
				step = "dropping what is past its retention";
				in_transaction(memory_, [&] {
					become_owner();
					drop_what_is_old(now());
				});
			}
		} catch (const std::exception &e) {
			const auto pause = retry_after(++fold_failures_, guard_interval());
			fold_after_ = moment + pause;
			const auto error = std::string(step) + " failed: " + error_text(e);
			warn(error + "; " + std::to_string(fold_failures_) + " in a row, next try in " + format_duration(pause));
			note(error);
		}
		if (fold_failures_ > 0)
			line_.rest += fold_fails;
		// A backlog is caught up with at once, look by look.
		return folded >= fold_at_most ? Duration::zero() : guard_interval();
	}

	// Behind the fold, which it must not undo: it has a transaction and failures of its own, and waits for them alone.
	// Told when it begins, each minute, and when it ends.
	void
	close_analysis() {
		if (closing_.waits())
			return;
		ClosingResult result;
		try {
			in_transaction(memory_, [&] {
				become_owner();
				result = try_to_close_buckets(close_in_round_ms);
			});
		} catch (const std::exception &e) { // at the commit, say
			result = {error_text(e), true};
		}
		const auto trouble = closing_.ended(result, guard_interval());
		if (!trouble.empty()) {
			if (note(closes_none(result.trouble)) || result.failed)
				warn(closes_none(trouble));
		} else if (!closing_trouble_.empty()) {
			log("the canary analysis closes buckets again");
		}
		closing_trouble_ = trouble;
	}

	void
	become_owner() const {
		call([&] { SetUserIdAndSecContext(owner_, SECURITY_LOCAL_USERID_CHANGE); });
	}

	// After the look, and not for long: somebody may have the row locked.  The next round tries again.
	void
	expect() {
		try {
			set_lock_timeout("100ms");
			in_transaction(memory_, [&] {
				become_owner();
				with_spi(expect_guard);
			});
		} catch (const std::exception &) {
		}
	}

	// Once a minute; whether it was time.  Best effort: where nothing can be written, the server's log has it.
	bool
	note(const std::string &error) {
		const auto now = std::chrono::steady_clock::now();
		if (error == noted_ && now < noted_at_ + error_note_every)
			return false;
		noted_ = error;
		noted_at_ = now;
		if (!OidIsValid(owner_))
			return true;
		try {
			set_lock_timeout("100ms");
			in_transaction(memory_, [&] {
				become_owner();
				with_spi([&](Spi &spi) { note_guard_error(spi, error, real_now()); });
			});
		} catch (const std::exception &) {
		}
		return true;
	}

	// With 0 PostgreSQL does not bring the process back, with 1 it does after its restart time.
	[[noreturn]] void
	leave(const std::string &why, int code) {
		log("leaves: " + why);
		proc_exit(code);
	}

	void
	report(double milliseconds) {
		line_.milliseconds = milliseconds;
		++line_.rounds;
		line_.ended = real_now();
		const auto text = from_utf8(format_guard_line(line_));
		call([&] {
			pgstat_report_stat(false);
			pgstat_report_activity(STATE_IDLE, text.c_str());
		});
	}

	// In short slices: who drops the database waits five seconds for everybody to leave it.
	void
	sleep(Duration pause) {
		constexpr Duration slice = std::chrono::seconds(1);
		leave_if_wanted_away(); // after the look, which comes first
		for (auto left = pause; left > Duration::zero(); left -= slice) {
			if (left != pause)
				leave_if_wanted_away();
			const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::min(left, slice)).count();
			const int events = call([&] {
				return WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
								 PG_WAIT_EXTENSION);
			});
			if (events & WL_LATCH_SET)
				return;
		}
	}

	// A launcher that died has a successor, which knows nothing of this process and starts another.
	void
	leave_if_wanted_away() {
		if (order_.is_launched() && kill(order_.launcher, 0) != 0)
			leave("its launcher is gone", 0);
		if (!call([] { return RecoveryInProgress(); }) && is_wanted_away(memory_))
			leave("somebody drops, renames or copies the database", order_.is_launched() ? 0 : 1);
	}

	GuardOrder order_;
	MemoryContext memory_;
	std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
	Oid owner_ = InvalidOid;
	std::string version_; // of the extension, while it is guarded
	bool has_lock_ = false;
	std::optional<std::chrono::steady_clock::time_point> waits_since_;
	Watch watch_;
	GuardLine line_;
	int fold_failures_ = 0;
	std::chrono::steady_clock::time_point fold_after_{};
	std::chrono::steady_clock::time_point drop_after_{};
	std::string trouble_;
	ClosingRetry closing_;
	std::string closing_trouble_;
	std::string noted_;
	std::chrono::steady_clock::time_point noted_at_{};
};

} // namespace

} // namespace chat_v11::pg

extern "C" void
chat_v11_guard_main(Datum) {
	using namespace chat_v11::pg;
	const GuardOrder order = order_of_this_process();
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!enter([&] { return is_database_there(order.database); })) {
		ereport(LOG, (errmsg("chat_v11 guard: database %u is gone, and so is its guard", order.database)));
		proc_exit(0);
	}
	BackgroundWorkerInitializeConnectionByOid(order.database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
	enter([&] {
		set_guard_session();
		Guard(order).run();
	});
}
