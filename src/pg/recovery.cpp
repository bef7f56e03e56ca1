#include "pg/recovery.hpp"

#include "pg/rollout.hpp"
#include "pg/store.hpp"

#include <cstring>

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/indexing.h"
#include "common/hashfn.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
}

namespace chat_v11::pg {

namespace {

// From here to the next heading everything raises PostgreSQL's errors, and owns nothing.

// What each call needs to know, kept from one to the next.  A trigger announces each change of a setting; an age has it
// too, for what was written past the trigger.
constexpr const char *span_names[] = {"full_state_interval", "resync_backoff_base", "resync_backoff_cap"};
constexpr Duration Settings::*span_fields[] = {&Settings::full_state_interval, &Settings::resync_backoff_base,
											   &Settings::resync_backoff_cap};
constexpr TimestampTz kept_for = USECS_PER_SEC;

struct Known {
	Oid settings;
	Oid admissions[admission_tables];
	bool found[std::size(span_names)];
	std::int64_t spans[std::size(span_names)]; // us
};

struct {
	bool valid = false;
	TimestampTz read_at = 0;
	std::uint64_t invalidations = 0; // told apart: one that comes while the rows are being read
	Known known{};
} cache;

// Called wherever messages come in, also while a transaction aborts: it sets a flag, and nothing else.
void
forget(Datum, Oid relation) {
	const auto &known = cache.known;
	if (OidIsValid(relation) && relation != known.settings && relation != known.admissions[0] &&
		relation != known.admissions[1])
		return;
	cache.valid = false;
	++cache.invalidations;
}

Oid
own_table(const char *name) {
	const Oid table = get_relname_relid(name, get_namespace_oid("chat_v11", false));
	if (!OidIsValid(table))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"chat_v11.%s\" does not exist", name)));
	return table;
}

// The first row of each setting that is asked for.  The table has a dozen rows in one page.
void
read_spans(Known &known) {
	const Relation table = table_open(known.settings, AccessShareLock);
	const SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
	while (const HeapTuple row = systable_getnext(scan)) {
		bool is_null = false;
		const text *name = DatumGetTextPP(heap_getattr(row, 1, RelationGetDescr(table), &is_null));
		for (size_t i = 0; i < std::size(span_names); ++i) {
			if (strlen(span_names[i]) != VARSIZE_ANY_EXHDR(name) ||
				memcmp(span_names[i], VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) != 0)
				continue;
			char *value = TextDatumGetCString(heap_getattr(row, 2, RelationGetDescr(table), &is_null));
			const Interval *span = DatumGetIntervalP(DirectFunctionCall3(
				interval_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
			known.spans[i] = span->time + (span->day + span->month * std::int64_t{30}) * USECS_PER_DAY;
			known.found[i] = true;
			pfree(value);
		}
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

Known
what_is_known() {
	// Messages are otherwise taken in when a lock is: an open transaction could go on for hours without one.
	AcceptInvalidationMessages();
	const TimestampTz at = GetCurrentTimestamp();
	if (cache.valid && at >= cache.read_at && at < cache.read_at + kept_for)
		return cache.known;
	Known known{};
	known.settings = own_table("setting");
	known.admissions[0] = own_table("full_state_0");
	known.admissions[1] = own_table("full_state_1");
	cache.known = known; // what messages from here on are about
	cache.valid = false;
	const auto before = cache.invalidations;
	read_spans(known);
	cache.known = known;
	cache.read_at = at;
	cache.valid = cache.invalidations == before;
	return known;
}

// 48 bits of a hash, beside a table that gives the lock its name.  In pg_locks: locktype object, classid the table.
LOCKTAG
lock_of(Oid table, const void *bytes, size_t size) {
	const auto hash = hash_bytes_extended(static_cast<const unsigned char *>(bytes), static_cast<int>(size), 0);
	LOCKTAG tag;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, static_cast<Oid>(hash), static_cast<uint16>(hash >> 32));
	return tag;
}

// What one table says of a dialog.
struct Found {
	bool is_open = false; // a transaction of somebody else's that is under way wrote it
	bool exists = false;
	TimestampTz admitted_at = 0;
	ItemPointerData place{};
};

IndexScanDesc
begin_scan(Relation table, Relation index, Snapshot snapshot) {
#if PG_VERSION_NUM >= 180000
	return index_beginscan(table, index, snapshot, nullptr, 1, 0);
#else
	return index_beginscan(table, index, snapshot, 1, 0);
#endif
}

// Looks with a snapshot that sees what is not committed too, and who it is of.  Under the dialog's lock nothing is
// written meanwhile; what is under way may end, and is then seen as it was or as it is.
void
look(Relation table, Datum dialog, Found &found) {
	const Relation index = index_open(RelationGetPrimaryKeyIndex(table), AccessShareLock);
	SnapshotData dirty;
	InitDirtySnapshot(dirty);
	ScanKeyData key;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, dialog);
	TupleTableSlot *slot = table_slot_create(table, nullptr);
	const IndexScanDesc scan = begin_scan(table, index, &dirty);
	index_rescan(scan, &key, 1, nullptr, 0);
	while (!found.is_open && index_getnext_slot(scan, ForwardScanDirection, slot)) {
		found.is_open = TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax);
		found.exists = true;
		bool is_null = false;
		found.admitted_at = DatumGetTimestampTz(slot_getattr(slot, 2, &is_null));
		found.place = slot->tts_tid;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
}

void
remember(Relation table, Datum dialog, TimestampTz at, Found &known) {
	Datum values[] = {dialog, TimestampTzGetDatum(at)};
	bool nulls[] = {false, false};
	HeapTuple tuple = heap_form_tuple(RelationGetDescr(table), values, nulls);
	if (known.exists)
		CatalogTupleUpdate(table, &known.place, tuple);
	else
		CatalogTupleInsert(table, tuple);
	heap_freetuple(tuple);
	CommandCounterIncrement(); // so that this statement may write it again
}

struct Decision {
	TimestampTz at;
	bool is_open;
	std::int64_t wait;
};

Decision
decide(const Uuid &dialog, Duration interval) {
	const Datum key = UUIDPGetDatum(reinterpret_cast<const pg_uuid_t *>(dialog.data()));
	const Known known = what_is_known();
	const Oid *oids = known.admissions;
	// For the time of the call only: a transaction may ask for any number of dialogs, and the server's table of locks
	// has an end.  Whose admission is not committed yet is told by its row.
	const LOCKTAG lock = lock_of(oids[0], dialog.data(), dialog.size());
	(void)LockAcquire(&lock, ExclusiveLock, false, false);
	const Time at = now();
	const int target = admission_table(at, interval);

	const Relation written = table_open(oids[target], RowExclusiveLock);
	const Relation resting = table_open(oids[1 - target], AccessShareLock);
	Found here;
	Found there;
	look(written, key, here);
	if (!here.is_open)
		look(resting, key, there);
	table_close(resting, AccessShareLock);

	Decision decision{time_to_pg(at), here.is_open || there.is_open, 0};
	if (!decision.is_open) {
		for (const Found *found : {&here, &there})
			if (found->exists)
				if (const auto wait = full_state_wait(time_from_pg(found->admitted_at), at, interval))
					decision.wait = std::max(decision.wait, static_cast<std::int64_t>(wait->count()));
		if (decision.wait == 0)
			remember(written, key, decision.at, here);
	}
	// Who was admitted keeps the table from being emptied until it is committed.
	table_close(written, decision.is_open || decision.wait > 0 ? RowExclusiveLock : NoLock);
	(void)LockRelease(&lock, ExclusiveLock, false);
	return decision;
}

bool
is_empty(Oid table) {
	const Relation relation = table_open(table, AccessShareLock);
	const bool none = RelationGetNumberOfBlocks(relation) == 0;
	table_close(relation, AccessShareLock);
	return none;
}

} // namespace

// ---- What the rest calls --------------------------------------------------------------------------------------------

void
register_recovery_callback() {
	CacheRegisterRelcacheCallback(forget, static_cast<Datum>(0));
}

Settings
recovery_settings() {
	Settings settings;
	const auto known = call([] { return what_is_known(); });
	for (size_t i = 0; i < std::size(span_names); ++i)
		if (known.found[i])
			settings.*span_fields[i] = Duration(known.spans[i]);
	return settings;
}

std::string
read_recovery_policy(Spi &spi) {
	const auto settings = load_gate_input(spi, State{}, now()).settings;
	const auto rows = spi.query("SELECT coalesce(max(s.history_id), 0) FROM chat_v11.setting s "
								"WHERE s.name = ANY ($1::text[])",
								Params() << recovery_setting_names());
	return recovery_policy_json(settings, *rows.bigint(0, 1));
}

Admission
admit_full_state(const Uuid &dialog, Duration interval) {
	const auto decision = call([&] { return decide(dialog, interval); });
	return {time_from_pg(decision.at), decision.is_open, Duration(decision.wait)};
}

bool
drop_old_admissions(Spi &spi, Time now) {
	// An installation of 0.4 has none.
	if (!OidIsValid(find_table("full_state_0")))
		return false;
	const auto interval = recovery_settings().full_state_interval;
	const int number = 1 - admission_table(now, interval);
	const auto table = call([&] { return what_is_known().admissions[number]; });
	const auto lock = [&](LOCKMODE mode) { return call([&] { return ConditionalLockRelationOid(table, mode); }); };
	if (call([&] { return is_empty(table); }))
		return false;
	// Nobody writes there but in a session whose clock is another; who looks need not wait while it is searched.
	if (!lock(ExclusiveLock))
		return false;
	const auto name = "chat_v11.full_state_" + std::to_string(number);
	// A mocked clock must not drop what is young by the real one.  What lies further ahead than an interval counts for
	// nothing: full_state_wait().
	const auto young = spi.query_latest(
		("SELECT FROM " + name +
		 " a WHERE a.admitted_at > $1 AND a.admitted_at <= $2 "
		 "OR a.admitted_at > $3 AND a.admitted_at <= $4")
			.c_str(),
		Params() << now - interval << now + interval << real_now() - interval << real_now() + interval, 1);
	if (!young.empty() || !lock(AccessExclusiveLock)) {
		call([&] { UnlockRelationOid(table, ExclusiveLock); });
		return false;
	}
	spi.utility("TRUNCATE " + name);
	return true;
}

Flight
begin_resync(const std::string &stream) {
	const auto result = call([&] {
		const LOCKTAG tag = lock_of(what_is_known().admissions[1], stream.data(), stream.size());
		return LockAcquire(&tag, ExclusiveLock, false, true);
	});
	switch (result) {
	case LOCKACQUIRE_NOT_AVAIL: return Flight::of_another;
	case LOCKACQUIRE_ALREADY_HELD:
	case LOCKACQUIRE_ALREADY_CLEAR: return Flight::own;
	default: return Flight::begun;
	}
}

} // namespace chat_v11::pg
