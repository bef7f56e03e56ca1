// The launcher: a guard in each database that chat_v11.guard_databases names, whenever it is there.

#include "pg/guard_launcher.hpp"

#include "core/refusal.hpp"
#include "pg/guard_session.hpp"
#include "pg/guard_worker.hpp"
#include "pg/on_commit.hpp"
#include "pg/settings.hpp"

#include <chrono>
#include <cstring>
#include <map>
#include <set>

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/varlena.h"

PGDLLEXPORT void chat_v11_launcher_main(Datum argument);
}

namespace chat_v11::pg {

namespace {

constexpr long look_every_ms = 1000;
constexpr auto start_again_after = std::chrono::seconds(3);
constexpr int restart_after_s = 3;

BackgroundWorker
worker(const char *type, const char *main, int restart) {
	BackgroundWorker made;
	std::memset(&made, 0, sizeof made);
	made.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	// A standby's guard waits for its promotion.
	made.bgw_start_time = BgWorkerStart_ConsistentState;
	made.bgw_restart_time = restart;
	strlcpy(made.bgw_name, type, BGW_MAXLEN);
	strlcpy(made.bgw_type, type, BGW_MAXLEN);
	strlcpy(made.bgw_library_name, "chat_v11", sizeof made.bgw_library_name);
	strlcpy(made.bgw_function_name, main, BGW_MAXLEN);
	return made;
}

BackgroundWorker
guard_worker(const GuardOrder &order) {
	auto made =
		worker("chat_v11 guard", "chat_v11_guard_main", order.is_launched() ? BGW_NEVER_RESTART : restart_after_s);
	std::memcpy(made.bgw_extra, &order, sizeof order);
	made.bgw_notify_pid = MyProcPid;
	return made;
}

bool
start(const GuardOrder &order, BackgroundWorkerHandle **handle) {
	return call([&] {
		auto made = guard_worker(order);
		return RegisterDynamicBackgroundWorker(&made, handle);
	});
}

// Those of the names that are there; pg_database is all that a process without a database can read.
std::map<std::string, Oid>
find_databases(const std::vector<std::string> &names) {
	std::map<std::string, Oid> found;
	call([] {
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		(void)GetTransactionSnapshot();
	});
	const Relation catalog = call([] { return table_open(DatabaseRelationId, AccessShareLock); });
	TableScanDesc scan = call([&] { return table_beginscan_catalog(catalog, 0, nullptr); });
	for (;;) {
		const HeapTuple tuple = call([&] { return heap_getnext(scan, ForwardScanDirection); });
		if (!HeapTupleIsValid(tuple))
			break;
		const auto *row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
		const std::string name = NameStr(row->datname);
		constexpr int invalid = -2; // what an interrupted DROP DATABASE leaves, since 15.4
		if (row->datallowconn && row->datconnlimit != invalid &&
			std::find(names.begin(), names.end(), name) != names.end())
			found[name] = row->oid;
	}
	call([&] {
		table_endscan(scan);
		table_close(catalog, AccessShareLock);
		CommitTransactionCommand();
	});
	return found;
}

class Launcher {
public:
	[[noreturn]] void
	run() {
		for (;;) {
			bool reloaded = false;
			call([&] {
				ResetLatch(MyLatch);
				CHECK_FOR_INTERRUPTS();
				if (ConfigReloadPending) {
					ConfigReloadPending = false;
					ProcessConfigFile(PGC_SIGHUP);
					reloaded = true;
				}
			});
			look(reloaded);
			call([] {
				(void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, look_every_ms,
								PG_WAIT_EXTENSION);
			});
		}
	}

private:
	struct Child {
		BackgroundWorkerHandle *handle = nullptr;
		Oid database = InvalidOid;
		std::chrono::steady_clock::time_point started{};
	};

	void
	look(bool reloaded) {
		const auto names = guard_databases();
		// A database that was renamed, dropped or taken off the list has no guard of this name any more.
		for (auto &[name, child] : children_)
			if (child.handle && std::find(names.begin(), names.end(), name) == names.end())
				call([&] { TerminateBackgroundWorker(child.handle); });
		if (reloaded)
			missing_.clear();
		bool all_there = true;
		for (const auto &name : names)
			all_there = is_running(children_[name]) && all_there;
		if (all_there)
			return;
		const auto found = find_databases(names);
		for (const auto &name : names) {
			auto &child = children_[name];
			const auto database = found.find(name);
			if (database == found.end()) {
				if (missing_.insert(name).second)
					log_now("chat_v11 launcher: waits for database \"" + one_line(to_utf8_lenient(name)) +
							"\", which is not there");
				continue;
			}
			missing_.erase(name);
			if (!is_running(child))
				start_child(name, child, database->second);
		}
	}

	static bool
	is_running(Child &child) {
		if (!child.handle)
			return false;
		pid_t pid = 0;
		const auto status = call([&] { return GetBackgroundWorkerPid(child.handle, &pid); });
		if (status != BGWH_STOPPED)
			return true;
		pfree(child.handle);
		child.handle = nullptr;
		return false;
	}

	void
	start_child(const std::string &name, Child &child, Oid database) {
		const auto now = std::chrono::steady_clock::now();
		// Whoever it was that left may have a reason that lasts.
		if (child.database == database && now < child.started + start_again_after)
			return;
		// Who drops or copies it waits for everybody to leave, so nobody is sent there meanwhile.
		if (is_database_locked(database))
			return;
		child.database = database;
		child.started = now;
		// Of stop_guard() all that ever was concerns it: the guard idles until start_guard().
		if (start({database, 0, MyProcPid}, &child.handle))
			return;
		child.handle = nullptr;
		if (now >= complained_ + std::chrono::minutes(1)) {
			complained_ = now;
			const auto text = name;
			call([&] {
				ereport(WARNING,
						(errmsg("chat_v11 launcher: no guard could be started in database \"%s\"", text.c_str()),
						 errhint("Raise max_worker_processes.")));
			});
		}
	}

	std::map<std::string, Child> children_;
	std::set<std::string> missing_;
	std::chrono::steady_clock::time_point complained_{};
};

} // namespace

GuardOrder
order_of_this_process() {
	GuardOrder order;
	std::memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof order);
	return order;
}

void
register_launcher() {
	if (IsBinaryUpgrade)
		return;
	auto made = worker("chat_v11 launcher", "chat_v11_launcher_main", restart_after_s);
	RegisterBackgroundWorker(&made);
}

int
start_guard_process() {
	BackgroundWorkerHandle *handle = nullptr;
	const GuardOrder order{MyDatabaseId, GetCurrentTimestamp(), 0};
	pid_t pid = 0;
	call([&] {
		auto made = guard_worker(order);
		if (!RegisterDynamicBackgroundWorker(&made, &handle))
			ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
							errmsg("no guard could be started: all background worker slots are taken"),
							errhint("Raise max_worker_processes and restart the server.")));
		switch (WaitForBackgroundWorkerStartup(handle, &pid)) {
		case BGWH_STARTED: break;
		case BGWH_POSTMASTER_DIED:
			ereport(ERROR,
					(errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("no guard could be started: the server shuts down")));
		default:
			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("the guard ended as soon as it began"),
							errhint("The server's log says why.")));
		}
	});
	return pid;
}

} // namespace chat_v11::pg

extern "C" void
chat_v11_launcher_main(Datum) {
	using namespace chat_v11::pg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
	enter([] { Launcher().run(); });
}
