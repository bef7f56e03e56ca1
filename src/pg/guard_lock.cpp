#include "pg/guard_lock.hpp"

#include "core/guard.hpp"
#include "pg/lock.hpp"

namespace chat_v11::pg {

namespace {

// 0 is no object's number, so the lock is the database's, whatever becomes of the extension in it.  Of the method of
// advisory locks, because PostgreSQL gives up a session's locks at its end, and keeps them after an error, for that
// method only; their own tags are of another type, so none can be the same.
LOCKTAG
guard_lock() {
	constexpr Oid extensions = 3079;
	constexpr int of_guard = 3;
	LOCKTAG tag;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, extensions, InvalidOid, of_guard);
	tag.locktag_lockmethodid = USER_LOCKMETHOD;
	return tag;
}

#define IS_GUARD_LOCK                                                                                                  \
	"l.granted AND l.locktype = 'object' AND l.classid = 3079 AND l.objid = 0 AND l.objsubid = 3 AND l.database = "    \
	"(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"

} // namespace

bool
lock_guard_for_session() {
	return try_lock(guard_lock(), ExclusiveLock, true);
}

bool
lock_guard_for_transaction() {
	return try_lock(guard_lock(), ExclusiveLock);
}

void
unlock_guard_for_session() {
	const auto tag = guard_lock();
	call([&] { LockRelease(&tag, ExclusiveLock, true); });
}

std::string
tell_guard_at_work(Spi &spi) {
	const std::string sentence = "another guard is at work";
	const auto rows = spi.query_latest("SELECT l.pid::text, a.backend_type, a.state FROM pg_catalog.pg_locks l "
									   "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE " IS_GUARD_LOCK);
	if (rows.empty())
		return sentence;
	const auto pid = rows.text(0, 1);
	return sentence +
		   (pid ? ": process " + *pid + ", " + rows.text(0, 2).value_or("?") + ", " + rows.text(0, 3).value_or("?")
				: ": a prepared transaction");
}

bool
GuardProcess::is_launched() const {
	const auto line = parse_guard_line(says);
	return line && line->state == "stopped";
}

std::optional<GuardProcess>
find_guard() {
	return with_spi([](Spi &spi) -> std::optional<GuardProcess> {
		const auto rows = spi.query(
			"SELECT a.pid::bigint, a.state = 'active', a.state_change, a.query FROM pg_catalog.pg_stat_activity a "
			"LEFT JOIN pg_catalog.pg_locks l ON l.pid = a.pid AND " IS_GUARD_LOCK
			" WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'chat_v11 guard' "
			"ORDER BY l.pid IS NULL, a.backend_start LIMIT 1");
		if (rows.empty())
			return std::nullopt;
		return GuardProcess{static_cast<int>(*rows.bigint(0, 1)), rows.boolean(0, 2).value_or(false), rows.time(0, 3),
							rows.text(0, 4).value_or("")};
	});
}

} // namespace chat_v11::pg
