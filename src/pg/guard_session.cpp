#include "pg/guard_session.hpp"

#include "pg/lock.hpp"

#include <filesystem>

extern "C" {
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "common/relpath.h"
}

namespace chat_v11::pg {

std::string
error_text(const std::exception &e) {
	const auto *error = dynamic_cast<const Error *>(&e);
	if (!error)
		return e.what();
	const std::string detail = error->detail();
	return to_utf8_lenient(std::string(error->what()) + (detail.empty() ? "" : "; " + detail));
}

bool
is_lock_timeout(const std::exception &e) {
	const auto *error = dynamic_cast<const Error *>(&e);
	return error && error->sqlstate() == ERRCODE_LOCK_NOT_AVAILABLE;
}

void
set_guard_session() {
	const auto set = [](const char *name, const char *value) {
		SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
	};
	call([&] {
		set("role", "none");
		set("search_path", "pg_catalog, chat_v11, pg_temp");
		set("default_transaction_isolation", "read committed");
		set("default_transaction_read_only", "off");
		set("session_replication_role", "origin");
		set("row_security", "off");
		set("statement_timeout", "0");
#if PG_VERSION_NUM >= 170000
		set("transaction_timeout", "0");
#endif
		set("jit", "off");
		set("intervalstyle", "postgres");
		set("datestyle", "ISO");
		// guard_status() reads what the guard says of itself.
		set("track_activities", "on");
		// A kill that waits for a standby that is gone would be seen by nobody.
		set("synchronous_commit", "local");
	});
}

void
set_lock_timeout(const char *value) {
	call([&] { SetConfigOption("lock_timeout", value, PGC_SUSET, PGC_S_OVERRIDE); });
}

namespace {

LOCKTAG
lock_of(Oid database) {
	LOCKTAG tag;
	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
	return tag;
}

} // namespace

bool
is_database_locked(Oid database) {
	const auto tag = lock_of(database);
	if (!try_lock(tag, RowExclusiveLock, true))
		return true;
	call([&] { LockRelease(&tag, RowExclusiveLock, true); });
	return false;
}

bool
is_wanted_away(MemoryContext memory) {
	if (!is_database_locked(MyDatabaseId))
		return false;
	const auto tag = lock_of(MyDatabaseId);
	try {
		set_lock_timeout("500ms");
		in_transaction(memory, [&] { call([&] { (void)LockAcquire(&tag, RowExclusiveLock, false, false); }); });
		return false;
	} catch (const Error &e) {
		if (!is_lock_timeout(e))
			throw;
		return true;
	}
}

std::optional<Extension>
find_extension(Spi &spi) {
	const auto rows = spi.query_latest("SELECT e.oid::bigint, e.extowner::bigint, e.extversion, "
									   "pg_catalog.to_regclass('chat_v11.guard_state') IS NOT NULL "
									   "FROM pg_catalog.pg_extension e WHERE e.extname = 'chat_v11'");
	if (rows.empty())
		return std::nullopt;
	return Extension{static_cast<Oid>(*rows.bigint(0, 1)), static_cast<Oid>(*rows.bigint(0, 2)), *rows.text(0, 3),
					 *rows.boolean(0, 4)};
}

bool
lock_extension(Oid extension) {
	LOCKTAG tag;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, 0);
	return try_lock(tag, AccessShareLock);
}

bool
is_database_there(Oid database) {
	const auto folder = std::to_string(database);
	std::error_code ignored;
	if (std::filesystem::exists("base/" + folder, ignored))
		return true;
	for (const auto &space : std::filesystem::directory_iterator("pg_tblspc", ignored))
		if (std::filesystem::exists(space.path() / TABLESPACE_VERSION_DIRECTORY / folder, ignored))
			return true;
	return false;
}

} // namespace chat_v11::pg
