// The table access methods of the raw events.
//
// chat_v11.event keeps no row of its own: what is inserted goes to one of the tables chat_v11.event_0 ... event_7, by
// the hour of arrival, and what is scanned is read from all of them in turn.  So old events are dropped by giving up a
// whole file, without a partitioned table's routing, without a column for it, and without a lock on what is being
// written.
//
// Both are PostgreSQL's heap with some callbacks replaced.  These callbacks are called by PostgreSQL and call only it;
// no frame here owns anything with a destructor, so its errors pass through without the boundary's help.

#include "pg/boundary.hpp"
#include "pg/event_ring.hpp"
#include "pg/release.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"

#include <algorithm>

extern "C" {
#include "access/heapam.h"
#include "access/hio.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/storage.h"
#include "commands/vacuum.h"
#include "replication/logicalworker.h"
#include "storage/bufmgr.h"
}

namespace chat_v11::pg {

namespace {

const TableAmRoutine *
heap() {
	return GetHeapamTableAmRoutine();
}

// ---- What neither table can do --------------------------------------------------------------------------------------

// A callback of whatever type that raises: its signature differs between PostgreSQL's versions.
template <typename Callback> struct Refusing;
template <typename Result, typename... Arguments> struct Refusing<Result (*)(Arguments...)> {
	static Result
	call(Arguments...) {
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("ERR_INVALID_ARGUMENT: the events of chat_v11 can be inserted and read, nothing else"),
						errdetail("They stand in files that are written at their end and dropped whole."),
						errhint("insert into chat_v11.event ...; or copy what you need into a table of your own.")));
	}
};

template <typename Callback>
void
refuse(Callback &callback) {
	callback = Refusing<Callback>::call;
}

void leaf_vacuum(Relation leaf, struct VacuumParams *params, BufferAccessStrategy strategy);

// ---- Writing --------------------------------------------------------------------------------------------------------

#if PG_VERSION_NUM >= 160000
bool
is_page_of(Buffer buffer, Relation relation) {
	RelFileLocator file;
	ForkNumber fork;
	BlockNumber block;
	BufferGetTag(buffer, &file, &fork, &block);
	return RelFileLocatorEquals(file, relation->rd_locator);
}
#else
bool
is_page_of(Buffer buffer, Relation relation) {
	RelFileNode file;
	ForkNumber fork;
	BlockNumber block;
	BufferGetTag(buffer, &file, &fork, &block);
	return RelFileNodeEquals(file, relation->rd_node);
}
#endif

// Rows go to one of the last pages only, so that the fold need not look at older ones again.  Called within the gate.
void
use_fresh_page(Relation leaf, BulkInsertState bulk) {
	const BlockNumber end = RelationGetNumberOfBlocks(leaf);
	const auto is_stale = [&](BlockNumber block) { return block != InvalidBlockNumber && block + ring_margin < end; };
	if (bulk && bulk->current_buf != InvalidBuffer &&
		(!is_page_of(bulk->current_buf, leaf) || is_stale(BufferGetBlockNumber(bulk->current_buf))))
		ReleaseBulkInsertStatePin(bulk);
#if PG_VERSION_NUM >= 160000
	if (bulk && is_stale(bulk->next_free))
		bulk->next_free = bulk->last_free = InvalidBlockNumber;
#endif
	if (is_stale(RelationGetTargetBlock(leaf)))
		RelationSetTargetBlock(leaf, InvalidBlockNumber);
}

// A table that is rewritten is read and inserted again under another name: with the rows left where they are, they
// would be there twice.  Only a table of another access method can become one of this.
void
refuse_rewrite(Relation parent) {
	if (strcmp(RelationGetRelationName(parent), "event") == 0)
		return;
	const Oid oid = get_relname_relid("event", RelationGetNamespace(parent));
	const Relation event = OidIsValid(oid) ? table_open(oid, NoLock) : nullptr;
	const bool is_ring = event && event->rd_tableam == parent->rd_tableam;
	if (event)
		table_close(event, NoLock);
	if (is_ring)
		Refusing<void (*)()>::call();
}

// The methods serve the extension's own tables.  Anybody may name them in CREATE TABLE; nobody gets further than that.
void
require_own_schema(Oid schema) {
	if (schema != get_namespace_oid("chat_v11", true))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("ERR_FORBIDDEN: the table access methods of chat_v11 serve its own tables only"),
						errhint("CREATE TABLE ... USING heap;")));
}

Relation
open_leaf(Relation parent, int number, LOCKMODE lock) {
	require_own_schema(RelationGetNamespace(parent));
	const Relation leaf = table_open(ring_leaf(RelationGetNamespace(parent), number), lock);
	// Columns that somebody added come after these, and do no harm.
	const TupleDesc own = RelationGetDescr(leaf);
	const TupleDesc outer = RelationGetDescr(parent);
	bool same = leaf->rd_tableam->relation_vacuum == leaf_vacuum && own->natts == event_columns &&
				outer->natts >= event_columns;
	for (int i = 0; same && i < event_columns; ++i)
		same = TupleDescAttr(own, i)->atttypid == TupleDescAttr(outer, i)->atttypid;
	if (!same)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the columns of chat_v11.event and of its files are not the same any more"),
						errhint("Undo what was altered.")));
	return leaf;
}

// An event that names an actor and no cohort gets the cohort that the actor is in now.
void
fill_cohort(TupleTableSlot *slot) {
	enum Column { cohort = 2, actor = 3 };
	slot_getsomeattrs(slot, actor + 1);
	if (!slot->tts_isnull[cohort] || slot->tts_isnull[actor])
		return;
	const Uuid id = uuid_from(slot->tts_values[actor]);
	const auto found = enter([&] { return cohort_of(id); });

	// Whatever the slot holds, a row of its own, in its own memory: it outlives this call.
	slot_getallattrs(slot);
	const int count = slot->tts_tupleDescriptor->natts;
	auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<size_t>(count)));
	auto *nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<size_t>(count)));
	memcpy(values, slot->tts_values, sizeof(Datum) * static_cast<size_t>(count));
	memcpy(nulls, slot->tts_isnull, sizeof(bool) * static_cast<size_t>(count));
	values[cohort] = CharGetDatum(static_cast<char>(found));
	nulls[cohort] = false;
	const MemoryContext old = MemoryContextSwitchTo(slot->tts_mcxt);
	HeapTuple tuple = heap_form_tuple(slot->tts_tupleDescriptor, values, nulls);
	MemoryContextSwitchTo(old);
	const Oid table = slot->tts_tableOid;
	ExecForceStoreHeapTuple(tuple, slot, true);
	slot->tts_tableOid = table;
	pfree(values);
	pfree(nulls);
}

template <typename Insert>
void
insert_into_ring(Relation parent, BulkInsertState bulk, Insert insert) {
	refuse_rewrite(parent);
	const Relation leaf = open_leaf(parent, ring_current(), RowExclusiveLock);
	// The transaction's number must be there before the gate is passed: event_ring.hpp.
	(void)GetCurrentTransactionId();
	pass_gate(RelationGetRelid(leaf));
	use_fresh_page(leaf, bulk);
	insert(leaf);
	leave_gate(RelationGetRelid(leaf));
	table_close(leaf, NoLock);
}

// Never frozen: what COPY FREEZE knows of the table it names, it does not know of the file.
constexpr int
insert_options(int asked) {
	return (asked & ~HEAP_INSERT_FROZEN) | HEAP_INSERT_SKIP_FSM;
}

void
ring_tuple_insert(Relation parent, TupleTableSlot *slot, CommandId cid, int options, BulkInsertState bulk) {
	fill_cohort(slot);
	insert_into_ring(parent, bulk,
					 [&](Relation leaf) { heap()->tuple_insert(leaf, slot, cid, insert_options(options), bulk); });
}

void
ring_multi_insert(Relation parent, TupleTableSlot **slots, int count, CommandId cid, int options,
				  BulkInsertState bulk) {
	for (int i = 0; i < count; ++i)
		fill_cohort(slots[i]);
	insert_into_ring(parent, bulk,
					 [&](Relation leaf) { heap_multi_insert(leaf, slots, count, cid, insert_options(options), bulk); });
}

// ---- Reading --------------------------------------------------------------------------------------------------------

struct RingScan {
	TableScanDescData base; // must be first
	int at;                 // which leaf
	Relation leaves[ring_size];
	TableScanDesc scans[ring_size];
};

TableScanDesc
ring_scan_begin(Relation parent, Snapshot snapshot, int key_count, struct ScanKeyData *keys,
				ParallelTableScanDesc parallel, uint32 flags) {
	if (!(flags & SO_TYPE_SEQSCAN) || parallel) {
		if (flags & SO_TYPE_ANALYZE)
			return heap()->scan_begin(parent, snapshot, key_count, keys, parallel, flags);
		Refusing<void (*)()>::call();
	}
	auto *scan = static_cast<RingScan *>(palloc0(sizeof(RingScan)));
	RelationIncrementReferenceCount(parent);
	scan->base.rs_rd = parent;
	scan->base.rs_snapshot = snapshot;
	scan->base.rs_nkeys = key_count;
	scan->base.rs_flags = flags;
	const uint32 leaf_flags = flags & ~static_cast<uint32>(SO_TEMP_SNAPSHOT);
	for (int i = 0; i < ring_size; ++i) {
		scan->leaves[i] = open_leaf(parent, i, AccessShareLock);
		scan->scans[i] = heap()->scan_begin(scan->leaves[i], snapshot, key_count, keys, nullptr, leaf_flags);
	}
	return &scan->base;
}

void
ring_scan_end(TableScanDesc base) {
	if (!(base->rs_flags & SO_TYPE_SEQSCAN)) {
		heap()->scan_end(base);
		return;
	}
	auto *scan = reinterpret_cast<RingScan *>(base);
	for (int i = 0; i < ring_size; ++i) {
		heap()->scan_end(scan->scans[i]);
		table_close(scan->leaves[i], NoLock);
	}
	if (base->rs_flags & SO_TEMP_SNAPSHOT)
		UnregisterSnapshot(base->rs_snapshot);
	RelationDecrementReferenceCount(base->rs_rd);
	pfree(scan);
}

void
ring_scan_rescan(TableScanDesc base, struct ScanKeyData *keys, bool set_params, bool allow_strategy, bool allow_sync,
				 bool allow_pagemode) {
	auto *scan = reinterpret_cast<RingScan *>(base);
	for (int i = 0; i < ring_size; ++i)
		heap()->scan_rescan(scan->scans[i], keys, set_params, allow_strategy, allow_sync, allow_pagemode);
	scan->at = 0;
}

bool
ring_scan_getnextslot(TableScanDesc base, ScanDirection direction, TupleTableSlot *slot) {
	auto *scan = reinterpret_cast<RingScan *>(base);
	const int step = ScanDirectionIsBackward(direction) ? -1 : 1;
	// Off an end, the next call in the other direction begins with the leaf at that end.
	if (scan->at < 0 || scan->at >= ring_size)
		scan->at = std::clamp(scan->at + step, -1, ring_size);
	for (; scan->at >= 0 && scan->at < ring_size; scan->at += step)
		if (heap()->scan_getnextslot(scan->scans[scan->at], direction, slot)) {
			slot->tts_tableOid = RelationGetRelid(scan->leaves[scan->at]); // which file, for whoever asks
			return true;
		}
	ExecClearTuple(slot);
	return false;
}

void
ring_estimate_size(Relation parent, int32 *widths, BlockNumber *pages, double *tuples, double *all_visible) {
	*pages = 0;
	*tuples = 0;
	*all_visible = 0;
	for (int i = 0; i < ring_size; ++i) {
		const Relation leaf = open_leaf(parent, i, AccessShareLock);
		BlockNumber leaf_pages = 0;
		double leaf_tuples = 0;
		double ignored = 0;
		heap()->relation_estimate_size(leaf, i == 0 ? widths : nullptr, &leaf_pages, &leaf_tuples, &ignored);
		*pages += leaf_pages;
		*tuples += leaf_tuples;
		table_close(leaf, AccessShareLock);
	}
}

// ---- What a subscription brings ----

// A publication of all tables has the files of the ring in it, and their rows belong to the other server's fold.  They
// are passed over: refusing them would stop the subscription, and with it the next kill.
void
pass_over(Relation leaf) {
	static bool told = false;
	if (!IsLogicalWorker())
		Refusing<void (*)()>::call();
	if (!told)
		ereport(LOG, (errmsg("chat_v11: events that come by subscription are not stored (%s)",
							 RelationGetRelationName(leaf)),
					  errhint("Leave the tables of chat_v11 out of the publication, but for rollout_state.")));
	told = true;
}

void
leaf_tuple_insert(Relation leaf, TupleTableSlot *, CommandId, int, BulkInsertState) {
	pass_over(leaf);
}

void
leaf_multi_insert(Relation leaf, TupleTableSlot **, int, CommandId, int, BulkInsertState) {
	pass_over(leaf);
}

// ---- Files of the ring ----------------------------------------------------------------------------------------------

// VACUUM must not cut the file's end off: the fold remembers how far it has read.
void
leaf_vacuum(Relation leaf, struct VacuumParams *params, BufferAccessStrategy strategy) {
	VacuumParams keeping = *params;
	keeping.truncate = VACOPTVALUE_DISABLED;
	heap()->relation_vacuum(leaf, &keeping, strategy);
}

#if PG_VERSION_NUM >= 160000
void
own_new_file(Relation relation, const RelFileLocator *file, char persistence, TransactionId *freeze,
			 MultiXactId *multi) {
	require_own_schema(RelationGetNamespace(relation));
	heap()->relation_set_new_filelocator(relation, file, persistence, freeze, multi);
}
#else
void
own_new_file(Relation relation, const RelFileNode *file, char persistence, TransactionId *freeze, MultiXactId *multi) {
	require_own_schema(RelationGetNamespace(relation));
	heap()->relation_set_new_filenode(relation, file, persistence, freeze, multi);
}
#endif

void
set_own_new_file(TableAmRoutine &routine) {
#if PG_VERSION_NUM >= 160000
	routine.relation_set_new_filelocator = own_new_file;
#else
	routine.relation_set_new_filenode = own_new_file;
#endif
}

// VACUUM FULL copies the pages as they are: rows stay where the fold remembers them.
void
leaf_copy(Relation from, Relation to, Relation, bool, TransactionId, TransactionId *xid_cutoff,
		  MultiXactId *multi_cutoff, double *rows, double *removed, double *dead) {
	FlushRelationBuffers(from);
	RelationCopyStorage(RelationGetSmgr(from), RelationGetSmgr(to), MAIN_FORKNUM, from->rd_rel->relpersistence);
	*xid_cutoff = from->rd_rel->relfrozenxid;
	*multi_cutoff = from->rd_rel->relminmxid;
	*rows = from->rd_rel->reltuples;
	*removed = *dead = 0;
}

TableAmRoutine
event_routine() {
	TableAmRoutine routine = *heap();
	set_own_new_file(routine);
	routine.scan_begin = ring_scan_begin;
	routine.scan_end = ring_scan_end;
	routine.scan_rescan = ring_scan_rescan;
	routine.scan_getnextslot = ring_scan_getnextslot;
	routine.relation_estimate_size = ring_estimate_size;
	routine.tuple_insert = ring_tuple_insert;
	routine.multi_insert = ring_multi_insert;
	routine.scan_set_tidrange = nullptr; // so that ctid is compared row by row
	routine.scan_getnextslot_tidrange = nullptr;
	refuse(routine.parallelscan_estimate);
	refuse(routine.parallelscan_initialize);
	refuse(routine.parallelscan_reinitialize);
	refuse(routine.tuple_insert_speculative);
	refuse(routine.tuple_fetch_row_version);
	refuse(routine.tuple_delete);
	refuse(routine.tuple_update);
	refuse(routine.tuple_lock);
	routine.relation_copy_for_cluster = leaf_copy; // of no page
	refuse(routine.index_build_range_scan);
	refuse(routine.index_validate_scan);
	refuse(routine.scan_sample_next_block);
	return routine;
}

TableAmRoutine
leaf_routine() {
	TableAmRoutine routine = *heap();
	set_own_new_file(routine);
	routine.relation_vacuum = leaf_vacuum;
	routine.tuple_insert = leaf_tuple_insert;
	routine.multi_insert = leaf_multi_insert;
	refuse(routine.tuple_insert_speculative);
	refuse(routine.tuple_delete);
	refuse(routine.tuple_update);
	refuse(routine.tuple_lock);
	routine.relation_copy_for_cluster = leaf_copy;
	refuse(routine.index_build_range_scan);
	return routine;
}

} // namespace

void
insert_event(const EventRow &event, Rollback rollback) {
	const int options = insert_options(0) | (rollback == Rollback::keeps ? HEAP_INSERT_FROZEN : 0);
	const bool stored = call([&] {
		const Oid oid = own_relation("event");
		PreventCommandIfReadOnly("chat_v11.record()");
		const Relation parent = table_open(oid, RowExclusiveLock);
		const bool is_ring = parent->rd_tableam->tuple_insert == ring_tuple_insert;
		if (is_ring)
			insert_into_ring(parent, nullptr, [&](Relation leaf) {
				HeapTuple tuple = heap_form_tuple(RelationGetDescr(leaf), const_cast<Datum *>(event.values),
												  const_cast<bool *>(event.nulls));
				heap_insert(leaf, tuple, GetCurrentCommandId(true), options, nullptr);
				heap_freetuple(tuple);
			});
		table_close(parent, NoLock);
		return is_ring;
	});
	if (stored)
		return;
	// An installation of 0.1 whose library was replaced already, and which waits for its update.
	with_spi([&](Spi &spi) {
		Params params;
		for (int i = 0; i < 6; ++i) {
			constexpr Oid types[] = {TIMESTAMPTZOID, CHAROID, CHAROID, UUIDOID, UUIDOID, FLOAT8OID};
			params.add(types[i], event.values[i], event.nulls[i]);
		}
		params << name(static_cast<Kind>(DatumGetChar(event.values[1])))
			   << name(static_cast<Cohort>(DatumGetChar(event.values[2])));
		spi.execute("INSERT INTO chat_v11.event VALUES ($1, $7::chat_v11.event_kind, $8::chat_v11.cohort, $4, $5, $6)",
					std::move(params));
	});
}

} // namespace chat_v11::pg

namespace chat_v11 {

CHAT_V11_ENTRY(chat_v11_event_am_handler) {
	static const TableAmRoutine routine = pg::event_routine();
	return PointerGetDatum(&routine);
}

CHAT_V11_ENTRY(chat_v11_event_leaf_am_handler) {
	static const TableAmRoutine routine = pg::leaf_routine();
	return PointerGetDatum(&routine);
}

} // namespace chat_v11
