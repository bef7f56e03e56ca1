#include "pg/write_store.hpp"

#include "pg/index_writer.hpp"

#include <cstring>

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/skey.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "commands/tablecmds.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
}

namespace chat_v11::pg {

namespace {

// Columns of chat_v11.write_N, in their order.
enum Column { subject, acked_at, receipt_at, receipt_value, actor, cohort, missing, column_count };

Oid
find_relation(const char *prefix, int generation, const char *suffix) {
	char name[NAMEDATALEN];
	pg_snprintf(name, sizeof name, "%s%d%s", prefix, generation, suffix);
	return own_relation(name);
}

// A row as plain data, to be filled where PostgreSQL may raise.
struct RowData {
	bool found;
	Datum values[column_count];
	bool nulls[column_count];
	pg_uuid_t actor_bytes;
	double value;
};

WriteState
state_of(const RowData &row) {
	WriteState state;
	const auto of = static_cast<Cohort>(DatumGetChar(row.values[cohort]));
	if (!row.nulls[acked_at]) {
		auto &ack = state.ack.emplace();
		ack.at = time_from_pg(DatumGetTimestampTz(row.values[acked_at]));
		ack.cohort = of;
		if (!row.nulls[actor]) {
			ack.actor.emplace();
			std::memcpy(ack.actor->data(), row.actor_bytes.data, UUID_LEN);
		}
	}
	if (!row.nulls[receipt_at]) {
		auto &receipt = state.receipt.emplace();
		receipt.at = time_from_pg(DatumGetTimestampTz(row.values[receipt_at]));
		receipt.cohort = of;
		if (!row.nulls[receipt_value])
			receipt.value = row.value;
	}
	return state;
}

// The other way: what `values` points to must live as long as the row.
void
fill_row(RowData &row, const Uuid &key, const WriteState &state) {
	std::fill(std::begin(row.nulls), std::end(row.nulls), true);
	const auto put = [&](Column column, Datum value) {
		row.values[column] = value;
		row.nulls[column] = false;
	};
	put(subject, PointerGetDatum(key.data()));
	if (state.ack)
		put(acked_at, time_datum(state.ack->at));
	if (state.receipt) {
		put(receipt_at, time_datum(state.receipt->at));
		if (state.receipt->value)
			put(receipt_value, Float8GetDatum(*state.receipt->value));
	}
	// Whose it was is asked only of those that were not answered in time.
	if (state.ack && state.ack->actor && !state.in_time())
		put(actor, PointerGetDatum(state.ack->actor->data()));
	put(cohort, CharGetDatum(static_cast<char>(state.ack ? state.ack->cohort : state.receipt->cohort)));
	put(missing, BoolGetDatum(state.missing()));
}

} // namespace

Oid
write_table(int generation) {
	return call([&] { return find_relation("write_", generation, ""); });
}

WriteLookup::WriteLookup(Snapshot snapshot, std::optional<int> written) : snapshot_(snapshot) {
	for (int i = 0; i < write_generations; ++i) {
		auto &table = tables_[static_cast<size_t>(i)];
		call([&] {
			table.heap = table_open(find_relation("write_", i, ""), AccessShareLock);
			table.index = index_open(find_relation("write_", i, "_subject"), AccessShareLock);
			table.slot = table_slot_create(table.heap, nullptr);
			table.scan = index_beginscan(table.heap, table.index, snapshot_, 1, 0);
			table.empty = written != i && RelationGetNumberOfBlocks(table.heap) == 0;
		});
	}
}

std::optional<StoredWrite>
WriteLookup::find(const Uuid &key) {
	RowData row;
	int generation = 0;
	call([&] {
		row.found = false;
		ScanKeyData wanted;
		ScanKeyInit(&wanted, 1, BTEqualStrategyNumber, F_UUID_EQ, PointerGetDatum(key.data()));
		for (; generation < write_generations && !row.found; ++generation) {
			auto &table = tables_[static_cast<size_t>(generation)];
			if (table.empty)
				continue;
			index_rescan(table.scan, &wanted, 1, nullptr, 0);
			if (!index_getnext_slot(table.scan, ForwardScanDirection, table.slot))
				continue;
			slot_getallattrs(table.slot);
			std::memcpy(row.values, table.slot->tts_values, sizeof row.values);
			std::memcpy(row.nulls, table.slot->tts_isnull, sizeof row.nulls);
			if (!row.nulls[actor])
				row.actor_bytes = *DatumGetUUIDP(row.values[actor]);
			if (!row.nulls[receipt_value])
				row.value = DatumGetFloat8(row.values[receipt_value]);
			row.found = true;
			ExecClearTuple(table.slot);
		}
	});
	if (!row.found)
		return std::nullopt;
	return StoredWrite{state_of(row), generation - 1};
}

void
WriteLookup::close() {
	call([&] {
		for (auto &table : tables_) {
			index_endscan(table.scan);
			ExecDropSingleTupleTableSlot(table.slot);
			index_close(table.index, AccessShareLock);
			table_close(table.heap, AccessShareLock);
		}
	});
}

void
WriteStore::insert(const Uuid &key, const WriteState &state) {
	rows_.push_back({key, state});
	if (rows_.size() >= 1000)
		flush();
}

void
WriteStore::flush() {
	if (rows_.empty())
		return;
	// Straight into the table and its two indexes: a fold of a million events brings a hundred thousand of them.
	const ScratchMemory scratch;
	call([&] {
		const Relation heap = table_open(find_relation("write_", generation_, ""), RowExclusiveLock);
		const Relation by_key = index_open(find_relation("write_", generation_, "_subject"), RowExclusiveLock);
		const Relation of_missing = index_open(find_relation("write_", generation_, "_missing"), RowExclusiveLock);
		IndexInfo *const key_info = BuildIndexInfo(by_key);
		IndexInfo *const missing_info = BuildIndexInfo(of_missing);
		// A description of its own: the relation's would be counted for each slot.
		const TupleDesc columns = CreateTupleDescCopy(RelationGetDescr(heap));
		auto **slots = static_cast<TupleTableSlot **>(palloc(sizeof(TupleTableSlot *) * rows_.size()));
		int count = 0;
		RowData data;
		for (const auto &row : rows_) {
			fill_row(data, row.key, row.state);
			slots[count] = MakeSingleTupleTableSlot(columns, &TTSOpsHeapTuple);
			ExecStoreHeapTuple(heap_form_tuple(columns, data.values, data.nulls), slots[count++], true);
		}
		heap_multi_insert(heap, slots, count, GetCurrentCommandId(true), 0, nullptr);
		if (index_count(heap) != 2) {
			auto writer = IndexWriter::open(heap);
			for (int i = 0; i < count; ++i)
				writer.put(slots[i], false);
			writer.close();
		} else {
			for (int i = 0; i < count; ++i) {
				const auto insert = [&](Relation index, IndexInfo *info, Column column) {
					bool is_null = false;
					Datum key = slot_getattr(slots[i], column + 1, &is_null);
					index_insert(index, &key, &is_null, &slots[i]->tts_tid, heap, UNIQUE_CHECK_NO, false, info);
				};
				bool is_null = false;
				insert(by_key, key_info, subject);
				if (DatumGetBool(slot_getattr(slots[i], missing + 1, &is_null)))
					insert(of_missing, missing_info, acked_at);
			}
		}
		for (int i = 0; i < count; ++i)
			ExecDropSingleTupleTableSlot(slots[i]);
		index_close(by_key, NoLock);
		index_close(of_missing, NoLock);
		table_close(heap, NoLock);
		CommandCounterIncrement();
	});
	rows_.clear();
}

void
WriteStore::update(const Uuid &key, const WriteState &state, int generation) {
	const ScratchMemory scratch;
	const auto sql = "UPDATE chat_v11.write_" + std::to_string(generation) +
					 " SET acked_at = $2, receipt_at = $3, receipt_value = $4, actor = $5, "
					 "cohort = $6::chat_v11.cohort, missing = $7 WHERE subject = $1";
	Params params;
	params.uuid(key).optional(state.ack ? std::optional(state.ack->at) : std::nullopt, TIMESTAMPTZOID);
	params.optional(state.receipt ? std::optional(state.receipt->at) : std::nullopt, TIMESTAMPTZOID);
	params.optional(state.receipt ? state.receipt->value : std::nullopt, FLOAT8OID);
	if (state.ack && state.ack->actor && !state.in_time())
		params.uuid(*state.ack->actor);
	else
		params.add(UUIDOID, Datum{}, true);
	params << name(state.ack ? state.ack->cohort : state.receipt->cohort) << state.missing();
	spi_.execute(sql.c_str(), std::move(params));
}

// TRUNCATE, but for its record for logical replication: a subscriber of all tables has writes of its own, and no
// trigger can leave a TRUNCATE out.
static void
empty(Oid oid) {
	call([=] {
		const Relation table = table_open(oid, NoLock);
		CheckTableNotInUse(table, "TRUNCATE");
#if PG_VERSION_NUM >= 160000
		ExecuteTruncateGuts(list_make1(table), list_make1_oid(oid), NIL, DROP_RESTRICT, false, false);
#else
		ExecuteTruncateGuts(list_make1(table), list_make1_oid(oid), NIL, DROP_RESTRICT, false);
#endif
		table_close(table, NoLock);
		CommandCounterIncrement();
	});
}

bool
rotate_writes(Spi &spi, int generation, Time oldest) {
	const int next = (generation + 1) % write_generations;
	const auto oid = write_table(next);
	if (!call([&] { return ConditionalLockRelationOid(oid, AccessExclusiveLock); }))
		return false;
	const auto from = "chat_v11.write_" + std::to_string(next);
	const auto to = "chat_v11.write_" + std::to_string(generation);
	// Unanswered ones wait as long as the buckets do, for a report that comes very late.
	spi.execute(("INSERT INTO " + to + " SELECT w.* FROM " + from + " w WHERE w.missing AND w.acked_at >= $1").c_str(),
				Params() << oldest);
	empty(oid);
	return true;
}

} // namespace chat_v11::pg
