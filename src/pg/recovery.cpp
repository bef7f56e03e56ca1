#include "pg/recovery.hpp"

#include "core/refusal.hpp"
#include "pg/index_writer.hpp"
#include "pg/lock.hpp"
#include "pg/new_file.hpp"
#include "pg/on_commit.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"
#include "pg/store.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
}

namespace chat_v11::pg {

namespace {

// From here to the next heading everything raises PostgreSQL's errors, and owns nothing.

// What each call needs to know, kept from one to the next.  A trigger announces each change of a setting; an age has it
// too, for what was written past the trigger.
constexpr const char *span_names[] = {"full_state_interval", "resync_backoff_base", "resync_backoff_cap",
									  "status_write_after_min", "status_write_after_max"};
constexpr Duration Settings::*span_fields[] = {&Settings::full_state_interval, &Settings::resync_backoff_base,
											   &Settings::resync_backoff_cap, &Settings::status_write_after_min,
											   &Settings::status_write_after_max};
constexpr TimestampTz kept_for = USECS_PER_SEC;

struct Known {
	Oid settings;
	Oid admissions[admission_tables];
	bool found[std::size(span_names)];
	std::int64_t spans[std::size(span_names)]; // us
	std::int64_t version;                      // newest row of the log that changed one of them
	bool is_own;                               // the first of them is this transaction's, and not committed yet

	bool
	is_whole() const {
		return std::all_of(std::begin(found), std::end(found), [](bool each) { return each; });
	}
};

struct {
	bool valid = false;
	TimestampTz read_at = 0;
	TimestampTz interval_since = 0;  // by the rule clock: when this session learned of the one in force
	std::uint64_t invalidations = 0; // told apart: one that comes while the rows are being read
	bool interval_changed = true;    // perhaps: somebody announced a change of a setting
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
	if (relation != known.admissions[0] && relation != known.admissions[1])
		cache.interval_changed = true;
}

void
take_span(Known &known, Relation table, HeapTuple row) {
	const auto column = [&](int number, bool &is_null) {
		return heap_getattr(row, number, RelationGetDescr(table), &is_null);
	};
	bool is_null = false;
	const text *name = DatumGetTextPP(column(1, is_null));
	for (size_t i = 0; i < std::size(span_names); ++i) {
		if (strlen(span_names[i]) != VARSIZE_ANY_EXHDR(name) ||
			memcmp(span_names[i], VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) != 0)
			continue;
		char *value = TextDatumGetCString(column(2, is_null));
		const Interval *span = DatumGetIntervalP(
			DirectFunctionCall3(interval_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		known.spans[i] = span->time + (span->day + span->month * std::int64_t{30}) * USECS_PER_DAY;
		known.found[i] = true;
		if (i == 0)
			known.is_own = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
		pfree(value);
		const Datum history = column(3, is_null);
		if (!is_null)
			known.version = std::max(known.version, DatumGetInt64(history));
	}
}

// With a snapshot that leaves no predicate lock in a SERIALIZABLE transaction: the limits of recovery must not be what
// it fails for.  It is not of one moment, so a row that is being changed can be missed in its old place and in its new
// one: then once more.  An older version has some of the rows only.
void
read_spans(Known &known) {
	constexpr int tries = 5;
	const Relation table = table_open(known.settings, AccessShareLock);
	for (int i = 0; i < tries && !known.is_whole(); ++i) {
		const SysScanDesc scan = systable_beginscan(table, InvalidOid, false, SnapshotSelf, 0, nullptr);
		while (const HeapTuple row = systable_getnext(scan))
			take_span(known, table, row);
		systable_endscan(scan);
	}
	table_close(table, AccessShareLock);
}

Known
what_is_known() {
	// Messages are otherwise taken in when a lock is: an open transaction could go on for hours without one.
	AcceptInvalidationMessages();
	const TimestampTz at = GetCurrentTimestamp();
	if (cache.valid && at >= cache.read_at && at < cache.read_at + kept_for)
		return cache.known;
	const Known last = cache.known;
	Known known{};
	known.settings = own_relation("setting");
	known.admissions[0] = own_relation("full_state_0");
	known.admissions[1] = own_relation("full_state_1");
	cache.known = known; // what messages from here on are about
	cache.valid = false;
	const auto before = cache.invalidations;
	read_spans(known);
	// Others go by a change of one's own only once it is committed, which is announced to oneself too.
	if (cache.interval_changed || known.is_own || known.spans[0] != last.spans[0])
		cache.interval_since = time_to_pg(now());
	cache.interval_changed = known.is_own || cache.invalidations != before;
	cache.known = known;
	cache.read_at = at;
	cache.valid = cache.invalidations == before;
	return known;
}

Settings
settings_of(const Known &known) {
	Settings settings;
	for (size_t i = 0; i < std::size(span_names); ++i)
		if (known.found[i])
			settings.*span_fields[i] = Duration(known.spans[i]);
	return settings;
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

// One of the two tables, with its index.
struct Admissions {
	Relation table;
	Relation index;
};

Admissions
open_index_of(Relation table, LOCKMODE mode) {
#if PG_VERSION_NUM >= 180000
	const Oid index = RelationGetPrimaryKeyIndex(table, false);
#else
	const Oid index = RelationGetPrimaryKeyIndex(table);
#endif
	return {table, index_open(index, mode)};
}

// Looks with a snapshot that sees what is not committed too, and who it is of.  Under the dialog's lock nothing is
// written meanwhile; what is under way may end, and is then seen as it was or as it is.
void
look(const Admissions &in, Datum dialog, Found &found) {
	SnapshotData dirty;
	InitDirtySnapshot(dirty);
	ScanKeyData key;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, dialog);
	TupleTableSlot *slot = table_slot_create(in.table, nullptr);
	const IndexScanDesc scan = begin_scan(in.table, in.index, &dirty);
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
}

// Whether indexes must learn of a row: all of them, those that are summaries, none.
enum class Indexes { all, summaries, none };

Indexes
write_row(Relation table, HeapTuple row, Found &known) {
	if (!known.exists) {
		simple_heap_insert(table, row);
		return Indexes::all;
	}
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes;
	simple_heap_update(table, &known.place, row, &indexes);
	return indexes == TU_All ? Indexes::all : indexes == TU_None ? Indexes::none : Indexes::summaries;
#else
	simple_heap_update(table, &known.place, row);
	return HeapTupleIsHeapOnly(row) ? Indexes::none : Indexes::all;
#endif
}

// By hand, as there is nothing but the row and its one index: what a query or the catalogs' functions prepare for it
// costs more than the writing.
void
remember(const Admissions &in, Datum dialog, TimestampTz at, Found &known) {
	Datum values[] = {dialog, TimestampTzGetDatum(at)};
	bool nulls[] = {false, false};
	HeapTuple row = heap_form_tuple(RelationGetDescr(in.table), values, nulls);
	const auto indexes = write_row(in.table, row, known);
	if (indexes != Indexes::none && index_count(in.table) == 1) {
		(void)index_insert(in.index, values, nulls, &row->t_self, in.table, UNIQUE_CHECK_YES, known.exists,
						   makeNode(IndexInfo)); // of which a btree asks nothing
	} else if (indexes != Indexes::none) {
		TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(in.table), &TTSOpsHeapTuple);
		ExecStoreHeapTuple(row, slot, false);
		auto writer = IndexWriter::open(in.table);
		writer.put(slot, indexes == Indexes::summaries);
		writer.close();
		ExecDropSingleTupleTableSlot(slot);
	}
	heap_freetuple(row);
	CommandCounterIncrement(); // so that this statement may write it again
}

// Held while a table is emptied, by nobody else and for nothing else.
LOCKTAG
emptying_lock(Oid table) {
	constexpr uint16 emptying = 1;
	return part_of(table, emptying);
}

// Null where it is being emptied: then it was searched before, and has nothing that counts.  Who locks it for another
// reason is waited for, as by any query.
Relation
open_resting(Oid table) {
	if (!ConditionalLockRelationOid(table, AccessShareLock)) {
		const LOCKTAG tag = emptying_lock(table);
		if (LockAcquire(&tag, AccessShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
			return nullptr;
		(void)LockRelease(&tag, AccessShareLock, false);
		LockRelationOid(table, AccessShareLock);
	}
	return table_open(table, NoLock);
}

struct Decision {
	TimestampTz at;
	std::int64_t interval;
	bool is_open;
	std::int64_t wait;
};

// The tables as they are to be used at a moment, locked.
struct Opened {
	Admissions written;
	Admissions resting; // null where it need not be looked at
	Time at;
	Duration interval;
};

void
close_resting(Opened &opened) {
	if (!opened.resting.table)
		return;
	index_close(opened.resting.index, AccessShareLock);
	table_close(opened.resting.table, AccessShareLock);
	opened.resting = {};
}

// Somebody's DDL can keep a lock waiting for any time, after which neither the clock nor the settings are what they
// were: then once more.
Opened
open_tables() {
	for (;;) {
		const auto resting_needed = [](Time at, Duration interval) {
			return resting_may_count(at, interval, time_from_pg(cache.interval_since));
		};
		const Known known = what_is_known();
		const auto interval = settings_of(known).full_state_interval;
		const Time planned = now();
		const int target = admission_table(planned, interval);
		const bool look_at_both = resting_needed(planned, interval);

		Opened opened{};
		opened.written = open_index_of(table_open(known.admissions[target], RowExclusiveLock), RowExclusiveLock);
		if (look_at_both)
			if (const Relation resting = open_resting(known.admissions[1 - target]))
				opened.resting = open_index_of(resting, AccessShareLock);

		const Known still = what_is_known();
		opened.interval = settings_of(still).full_state_interval;
		opened.at = now();
		if (still.admissions[0] == known.admissions[0] && still.admissions[1] == known.admissions[1] &&
			opened.interval == interval && admission_table(opened.at, interval) == target &&
			(look_at_both || !resting_needed(opened.at, interval))) {
			if (still.is_own)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("ERR_INVALID_ARGUMENT: full_state_interval was changed in this transaction"),
						 errdetail("Others go by it once it is committed, and an admission must be seen by them."),
						 errhint("Commit the setting first.")));
			return opened;
		}
		close_resting(opened);
		index_close(opened.written.index, RowExclusiveLock);
		table_close(opened.written.table, RowExclusiveLock);
		CHECK_FOR_INTERRUPTS();
	}
}

Decision
decide(const Uuid &dialog) {
	const Datum key = UUIDPGetDatum(reinterpret_cast<const pg_uuid_t *>(dialog.data()));
	// For the time of the call only: a transaction may ask for any number of dialogs, and the server's table of locks
	// has an end.  Whose admission is not committed yet is told by its row.
	const LOCKTAG lock = named_in(what_is_known().admissions[0], dialog.data(), dialog.size());
	(void)LockAcquire(&lock, ExclusiveLock, false, false);
	auto opened = open_tables();

	Found here;
	Found there;
	look(opened.written, key, here);
	if (!here.is_open && opened.resting.table)
		look(opened.resting, key, there);
	close_resting(opened);

	Decision decision{time_to_pg(opened.at), opened.interval.count(), here.is_open || there.is_open, 0};
	if (!decision.is_open) {
		for (const Found *found : {&here, &there})
			if (found->exists)
				if (const auto wait = full_state_wait(time_from_pg(found->admitted_at), opened.at, opened.interval))
					decision.wait = std::max(decision.wait, static_cast<std::int64_t>(wait->count()));
		if (decision.wait == 0)
			remember(opened.written, key, decision.at, here);
	}
	// Who was admitted keeps the table from being emptied until it is committed.
	const LOCKMODE given_back = decision.is_open || decision.wait > 0 ? RowExclusiveLock : NoLock;
	index_close(opened.written.index, given_back);
	table_close(opened.written.table, given_back);
	(void)LockRelease(&lock, ExclusiveLock, false);
	return decision;
}

// Who locks it away need not be waited for: it is looked at again in a minute.
bool
is_worth_emptying(Oid table) {
	if (!ConditionalLockRelationOid(table, AccessShareLock))
		return false;
	const Relation relation = table_open(table, NoLock);
	const bool has_rows = RelationGetNumberOfBlocks(relation) > 0;
	table_close(relation, AccessShareLock);
	return has_rows;
}

// The younger ones stand at the end.
bool
has_young(Relation table, const TimestampTz (&clocks)[2], std::int64_t interval) {
	bool found = false;
	TupleTableSlot *slot = table_slot_create(table, nullptr);
	// Nobody writes meanwhile, so this one is exact, and leaves no predicate lock.
	const TableScanDesc scan = table_beginscan(table, SnapshotSelf, 0, nullptr);
	while (!found && table_scan_getnextslot(scan, BackwardScanDirection, slot)) {
		CHECK_FOR_INTERRUPTS();
		bool is_null = false;
		const TimestampTz at = DatumGetTimestampTz(slot_getattr(slot, 2, &is_null));
		// What lies further ahead than an interval counts for nothing: full_state_wait().
		for (const TimestampTz now : clocks)
			found = found || (at > now - interval && at <= now + interval);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

// As TRUNCATE does, but for its record for logical replication: a subscriber has admissions of its own.
void
give_new_file(Relation table) {
	const Oid oid = RelationGetRelid(table);
	set_new_file(table);
	ReindexParams params{};
#if PG_VERSION_NUM >= 170000
	(void)reindex_relation(nullptr, oid, 0, &params);
#else
	(void)reindex_relation(oid, 0, &params);
#endif
	pgstat_count_truncate(table);
}

// Empties the table that rests, once nothing in it counts.  Waits for nobody.
void
empty_resting(Oid table, const TimestampTz (&clocks)[2], std::int64_t interval) {
	// Nobody writes there but in a session whose clock is another; who looks need not wait while it is searched.
	if (!is_worth_emptying(table) || !ConditionalLockRelationOid(table, ExclusiveLock))
		return;
	const Relation relation = table_open(table, NoLock);
	const LOCKTAG tag = emptying_lock(table);
	// The lock that speaks for it comes after the search: with it, a table that cannot be locked is passed over, be it
	// for somebody's DDL that stands in the queue.
	if (!has_young(relation, clocks, interval) &&
		LockAcquire(&tag, AccessExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL) {
		if (ConditionalLockRelationOid(table, AccessExclusiveLock)) {
			// A lock does not conflict with this session's own: a cursor of it may read there.
			if (relation->rd_refcnt == 1)
				give_new_file(relation);
			table_close(relation, NoLock);
			return; // the locks are given up by the commit
		}
		(void)LockRelease(&tag, AccessExclusiveLock, false);
	}
	table_close(relation, ExclusiveLock);
}

// Streams that this session began to resync.  Whether it still has them its locks know: they go with their transaction,
// or with a savepoint, and nobody is called for it here.
constexpr int resyncs_at_most = 100;
struct {
	LOCKTAG tags[resyncs_at_most];
	int count = 0;
} flights;

bool
has_room() {
	const int most = most_resyncs();
	if (flights.count >= most)
		flights.count =
			static_cast<int>(std::remove_if(flights.tags, flights.tags + flights.count,
											[](const LOCKTAG &tag) { return !holds_lock(tag, ExclusiveLock); }) -
							 flights.tags);
	return flights.count < most;
}

// ---- At the commit --------------------------------------------------------------------------------------------------

bool emptying_wanted = false;

void
empty_admissions() {
	// An installation of 0.4 has none.
	if (!OidIsValid(find_table("full_state_0")))
		return;
	// Not close to the end of a turn: the table would be written to while it is emptied.
	constexpr Duration margin = std::chrono::seconds(30);
	const auto at = now();
	const auto interval = recovery_settings().full_state_interval;
	const int number = 1 - admission_table(at, interval);
	if (admission_table(at + margin, interval) == number)
		return;
	// A mocked clock must not drop what is young by the real one.
	const TimestampTz clocks[] = {time_to_pg(at), time_to_pg(real_now())};
	call([&] {
		PushActiveSnapshot(GetLatestSnapshot()); // to build an index of nothing
		empty_resting(what_is_known().admissions[number], clocks, interval.count());
		PopActiveSnapshot();
	});
}

// Its lock keeps out who writes there, so it is taken last of all, when the transaction can only commit: whoever calls
// fold() may go on for hours.  What fails must not undo the rest.
void
before_commit() {
	const auto failure = attempt_within(kill_gate_timeout_ms(), empty_admissions);
	if (!failure.empty())
		log_now("chat_v11: the table of old admissions was not emptied: " + one_line(failure));
}

void
at_transaction_end(XactEvent event, void *) {
	if (std::exchange(emptying_wanted, false) && event == XACT_EVENT_PRE_COMMIT)
		enter(before_commit);
}

} // namespace

// ---- What the rest calls --------------------------------------------------------------------------------------------

void
register_recovery_callback() {
	CacheRegisterRelcacheCallback(forget, static_cast<Datum>(0));
	RegisterXactCallback(at_transaction_end, nullptr);
}

Settings
recovery_settings() {
	return settings_of(call([] { return what_is_known(); }));
}

std::string
recovery_policy() {
	const auto known = call([] { return what_is_known(); });
	return recovery_policy_json(settings_of(known), known.version);
}

Admission
admit_full_state(const Uuid &dialog) {
	const auto decision = call([&] { return decide(dialog); });
	return {time_from_pg(decision.at), Duration(decision.interval), decision.is_open, Duration(decision.wait)};
}

void
empty_admissions_at_commit() {
	emptying_wanted = true;
}

int
most_resyncs() {
	return std::min(resyncs_at_most, max_locks_per_xact);
}

Flight
begin_resync(const std::string &stream) {
	return call([&] {
		const LOCKTAG tag = named_in(what_is_known().admissions[1], stream.data(), stream.size());
		if (holds_lock(tag, ExclusiveLock))
			return Flight::own;
		if (!has_room())
			return Flight::one_too_many;
		if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
			return Flight::of_another;
		flights.tags[flights.count++] = tag;
		return Flight::begun;
	});
}

} // namespace chat_v11::pg
