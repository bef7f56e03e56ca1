#include "pg/release.hpp"

#include "pg/on_commit.hpp"
#include "pg/store.hpp"
#include "pg/trigger.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/parallel.h"
#include "access/tableam.h"
#include "catalog/pg_trigger.h"
#include "storage/bufmgr.h"

Datum chat_v11_rollout_refresh(PG_FUNCTION_ARGS);
}

namespace chat_v11::pg {

namespace {

struct {
	bool valid = false;
	bool reported = false;           // the server's log knows that the state cannot be read
	Oid table = InvalidOid;          // what was read
	std::uint64_t invalidations = 0; // told apart: the one that comes while the row is being read
	Release release;
} cache;

// Called by PostgreSQL wherever messages come in, also while a transaction aborts: it may set a flag, and nothing else.
void
forget(Datum, Oid relation) {
	if (OidIsValid(relation) && OidIsValid(cache.table) && relation != cache.table)
		return;
	cache.valid = false;
	++cache.invalidations;
}

// Whether changes are announced: by our trigger, and also where somebody else's changes are replayed.  An installation
// that waits for its update, or one whose triggers somebody switched off, is read anew at each call.
bool
is_announced(Relation table, bool &has_trigger) {
	const auto *triggers = table->trigdesc;
	for (int i = 0; triggers && i < triggers->numtriggers; ++i) {
		// A copy, because looking up its function may bring messages in, and the relation's cache entry anew.
		const Trigger trigger = triggers->triggers[i];
		if (strcmp(trigger.tgname, "40_refresh") != 0)
			continue;
		has_trigger = true;
		// Not what its name says if it stands back from some changes, or does something else.
		FmgrInfo function;
		fmgr_info(trigger.tgfoid, &function);
		return function.fn_addr == chat_v11_rollout_refresh && trigger.tgenabled == TRIGGER_FIRES_ALWAYS &&
			   TRIGGER_FOR_ROW(trigger.tgtype) && TRIGGER_FOR_INSERT(trigger.tgtype) &&
			   TRIGGER_FOR_UPDATE(trigger.tgtype) && TRIGGER_FOR_DELETE(trigger.tgtype) && trigger.tgnattr == 0 &&
			   !trigger.tgqual;
	}
	return false;
}

// What was found, in types that a longjmp may skip.
struct Found {
	const char *problem = nullptr; // why nobody is in
	bool announced = false;        // may be kept until an invalidation comes
	bool has_trigger = false;      // of 0.3 or later
	bool exists = false;
	bool kill_switch = true;
	bool started = false;
	std::int64_t version = 0;
	char stage[32] = "";
	char bucketing[32] = "";
};

int
column_of(TupleDesc columns, const char *wanted, Oid type) {
	for (int i = 0; i < columns->natts; ++i) {
		const auto *column = TupleDescAttr(columns, i);
		if (!column->attisdropped && column->atttypid == type && strcmp(NameStr(column->attname), wanted) == 0)
			return i + 1;
	}
	return 0;
}

// False for a null, and for a text that is longer than any that is known.
template <size_t Size>
bool
copy_text(TupleTableSlot *slot, int column, char (&out)[Size]) {
	bool is_null = true;
	const Datum value = slot_getattr(slot, column, &is_null);
	if (is_null)
		return false;
	text_to_cstring_buffer(DatumGetTextPP(value), out, Size);
	return true;
}

void
read_row(TupleTableSlot *slot, Found &found) {
	const TupleDesc columns = slot->tts_tupleDescriptor;
	const int stage = column_of(columns, "stage", TEXTOID);
	const int kill_switch = column_of(columns, "kill_switch", BOOLOID);
	const int version = column_of(columns, "version", INT8OID);
	const int started = column_of(columns, "started_at", TIMESTAMPTZOID);
	const int bucketing = column_of(columns, "bucketing", TEXTOID);
	bool no_switch = true;
	bool no_version = true;
	bool not_started = true;
	if (stage && kill_switch && version && started) {
		(void)slot_getattr(slot, started, &not_started);
		found.started = !not_started;
		found.kill_switch = DatumGetBool(slot_getattr(slot, kill_switch, &no_switch));
		found.version = DatumGetInt64(slot_getattr(slot, version, &no_version));
	}
	// 0.2 had no column for it, nor a trigger, and one algorithm.
	const bool sound =
		stage && kill_switch && version && started && !no_switch && !no_version &&
		copy_text(slot, stage, found.stage) &&
		(bucketing ? copy_text(slot, bucketing, found.bucketing)
				   : !found.has_trigger && strlcpy(found.bucketing, "flagd-v2", sizeof found.bucketing) > 0);
	if (found.exists || !sound)
		found.problem = "the state table has columns or rows that it should not have";
	found.exists = true;
}

// Reads with a snapshot taken now, so that the transaction's own, which may be older than the message that brought us
// here, cannot put the old row back.  A catalog's snapshot can be had in a parallel worker too.  Visibility is looked
// at row by row instead of by the scan, because a scan would leave a predicate lock behind in a SERIALIZABLE
// transaction, and a kill could then fail for a reader's sake.
void
scan(Relation table, Found &found) {
	const Snapshot snapshot = RegisterSnapshot(GetCatalogSnapshot(RelationGetRelid(table)));
	const TableScanDesc rows = table_beginscan_strat(table, SnapshotAny, 0, nullptr, true, false);
	TupleTableSlot *slot = table_slot_create(table, nullptr);
	bool ours = false;
	while (table_scan_getnextslot(rows, ForwardScanDirection, slot)) {
		auto *stored = reinterpret_cast<BufferHeapTupleTableSlot *>(slot);
		LockBuffer(stored->buffer, BUFFER_LOCK_SHARE);
		const bool visible = HeapTupleSatisfiesVisibility(stored->base.tuple, snapshot, stored->buffer);
		const HeapTupleHeader header = stored->base.tuple->t_data;
		const bool is_ours = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header)) ||
							 (!(header->t_infomask & HEAP_XMAX_INVALID) &&
							  TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header)));
		LockBuffer(stored->buffer, BUFFER_LOCK_UNLOCK);
		ours = ours || is_ours;
		if (visible)
			read_row(slot, found);
	}
	// What this transaction changed is not kept: it may be taken back before 40_refresh has announced it, and then
	// nobody tells us.
	found.announced = found.announced && !ours;
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(rows);
	UnregisterSnapshot(snapshot);
}

// Raises PostgreSQL's errors.  No frame from here on owns anything.
void
read_state(Found &found) {
	cache.table = find_own_relation("rollout_state");
	if (!OidIsValid(cache.table)) {
		found.problem = "there is no table chat_v11.rollout_state";
		return;
	}
	// Never waits: who rewrites the table, or waits for it, must not bring the chat to a halt.
	if (!ConditionalLockRelationOid(cache.table, AccessShareLock)) {
		found.problem = "somebody holds or awaits an ACCESS EXCLUSIVE lock on chat_v11.rollout_state";
		return;
	}
	const Relation table = try_relation_open(cache.table, NoLock);
	if (table) {
		if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_tableam != GetHeapamTableAmRoutine()) {
			found.problem = "chat_v11.rollout_state is no plain table";
		} else {
			found.announced = is_announced(table, found.has_trigger);
			scan(table, found);
		}
		relation_close(table, NoLock);
	} else {
		found.problem = "chat_v11.rollout_state was dropped";
	}
	UnlockRelationOid(cache.table, AccessShareLock);
}

// Reads the state; a sentence if that fails.
std::string
attempt_read(Found &found) {
	if (IsInParallelMode()) {
		call([&] { read_state(found); });
		return {};
	}
	try {
		in_subtransaction([&] { call([&] { read_state(found); }); });
		return {};
	} catch (const Error &e) {
		const int category = ERRCODE_TO_CATEGORY(e.sqlstate());
		if (category == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED))
			throw;
		return to_utf8_lenient(e.what());
	}
}

void
report_once(const std::string &problem) {
	if (!cache.reported)
		log_now("chat_v11: nobody is in the cohort, because the state cannot be read: " + one_line(problem));
	cache.reported = true;
}

void
reload() {
	// A message that comes while the row is being read makes it read again.  A server that drops all caches at every
	// message, as one for developers can, does so each time: then nothing is kept, and the last reading is the answer.
	constexpr int tries = 10;
	for (int i = 0; i < tries; ++i) {
		const auto before = cache.invalidations;
		cache.release = Release{};
		Found found;
		std::string problem = attempt_read(found);
		if (problem.empty() && found.problem)
			problem = found.problem;
		const auto stage = parse_stage(found.stage);
		const auto bucketing = parse_bucketing(found.bucketing);
		if (problem.empty() && found.exists && !(stage && bucketing))
			problem = "its stage or bucketing is none that there is";
		if (!problem.empty()) {
			report_once(problem);
			return; // and looks again at the next call
		}
		cache.reported = false;
		if (found.exists)
			cache.release = {*stage, found.kill_switch, found.version, *bucketing, found.started};
		cache.valid = found.announced && cache.invalidations == before;
		if (cache.invalidations == before)
			return;
		check_for_interrupts();
	}
}

} // namespace

void
register_release_callback() {
	CacheRegisterRelcacheCallback(forget, static_cast<Datum>(0));
}

const Release &
current_release() {
	// Messages are otherwise taken in when a lock is: an open transaction could go on for hours without one.
	call([] { AcceptInvalidationMessages(); });
	if (unlikely(!cache.valid))
		reload();
	return cache.release;
}

Release
release_to_show() {
	auto release = current_release();
	if (!release.started)
		with_spi([&](Spi &spi) { release.bucketing = chosen_bucketing(spi); });
	return release;
}

Cohort
cohort_of(const Uuid &actor) {
	const auto id = to_text(actor);
	return current_release().has({id.data(), id.size()}) ? Cohort::v11 : Cohort::v10;
}

} // namespace chat_v11::pg

namespace chat_v11 {

// 40_refresh: AFTER ROW of the state, whoever changed it, also where somebody else's changes are replayed.
CHAT_V11_ENTRY(chat_v11_rollout_refresh) {
	const pg::TriggerCall trigger(fcinfo);
	const Relation table = trigger.relation();
	pg::call([&] { CacheInvalidateRelcache(table); });
	return PointerGetDatum(nullptr);
}

} // namespace chat_v11
