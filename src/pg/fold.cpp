#include "pg/fold.hpp"

#include "core/varint.hpp"

#include "pg/lock.hpp"
#include "pg/new_file.hpp"
#include "pg/ring_reader.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"
#include "pg/telemetry.hpp"
#include "pg/write_store.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>

extern "C" {
#include "access/subtrans.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "storage/predicate.h"
#include "utils/relcache.h"
}

namespace chat_v11::pg {

namespace {

// Bounds of what a round holds in memory before it writes it down.
constexpr size_t max_write_items = 300'000;
constexpr size_t max_buckets = 20'000;

constexpr uint16 fold_lock = 2; // sub-object of chat_v11.event

bool folding = false;

} // namespace

Oid
event_schema() {
	// The relation itself must be there: without it there is no telemetry, whatever its files hold.
	return call([] {
		const Oid event = own_relation("event");
		// With another access method it keeps its rows itself, where nobody looks for them.
		const HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(event));
		const bool is_ring = HeapTupleIsValid(row) && reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relam ==
														  get_table_am_oid("chat_v11_event", true);
		if (HeapTupleIsValid(row))
			ReleaseSysCache(row);
		if (!is_ring)
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("chat_v11.event has lost its access method"),
							errhint("ALTER TABLE chat_v11.event SET ACCESS METHOD chat_v11_event;")));
		return get_namespace_oid("chat_v11", false);
	});
}

namespace {

Oid
event_relation() {
	return call([] { return get_relname_relid("event", get_namespace_oid("chat_v11", false)); });
}

} // namespace

bool
lock_fold() {
	return try_lock(part_of(event_relation(), fold_lock), ExclusiveLock);
}

FoldWrites::FoldWrites() {
	folding = true;
}

FoldWrites::~FoldWrites() {
	folding = false;
}

std::uint32_t
file_of(Relation leaf) {
#if PG_VERSION_NUM >= 160000
	return leaf->rd_locator.relNumber;
#else
	return leaf->rd_node.relNode;
#endif
}

// A mocked clock that runs ahead must not drop what is young by the real one.
Time
oldest_bucket(Time now) {
	const auto sooner = std::min(now, real_now());
	return minute_start(minute_of(write_second(sooner - bucket_retention())) - 1);
}

namespace {

// A position in a file that is not the one it speaks of is worth nothing.  The cursor's snapshots still are.
LeafPosition
position_in(const FoldCursor &cursor, size_t number, Relation leaf) {
	if (number < cursor.leaves.size() && cursor.leaves[number].file == file_of(leaf))
		return cursor.leaves[number];
	LeafPosition fresh;
	fresh.file = file_of(leaf);
	return fresh;
}

std::uint64_t
next_xid() {
	return U64FromFullTransactionId(call([] { return ReadNextFullTransactionId(); }));
}

// The newest snapshot, in wide numbers.  Transactions of this session count as not ended: they may write more.
TransactionSnapshot
take_snapshot(const TransactionSnapshot &before) {
	const Snapshot snapshot = call([] { return GetLatestSnapshot(); });
	const auto next = next_xid();
	const auto wide = [&](TransactionId xid) { return widen_xid(xid, next + 1); };
	TransactionSnapshot result;
	result.xmin = wide(snapshot->xmin);
	result.xmax = wide(snapshot->xmax);
	auto &open = result.in_progress;
	for (std::uint32_t i = 0; i < snapshot->xcnt; ++i)
		open.push_back(wide(snapshot->xip[i]));
	for (std::int32_t i = 0; i < snapshot->subxcnt; ++i)
		open.push_back(wide(snapshot->subxip[i]));
	if (snapshot->suboverflowed) {
		// Some session has more subtransactions than PostgreSQL lists: those given out since the last snapshot, and
		// those that were open in it, are asked for one by one.  One that was just given out may not be linked to its
		// parent yet, and looks like one that neither runs nor has ended.
		const auto add_if_open = [&](std::uint64_t xid) {
			const auto narrow = static_cast<TransactionId>(xid);
			if (xid >= result.xmin && xid < result.xmax && TransactionIdIsNormal(narrow) && call([&] {
					return XidInMVCCSnapshot(narrow, snapshot) ||
						   (!TransactionIdDidCommit(narrow) && !TransactionIdDidAbort(narrow));
				}))
				open.push_back(xid);
		};
		for (const auto xid : before.in_progress)
			add_if_open(xid);
		for (auto xid = std::max(before.xmax, result.xmin); xid < result.xmax; ++xid) {
			check_for_interrupts();
			add_if_open(xid);
		}
	}
	if (const auto own = GetTopTransactionIdIfAny(); TransactionIdIsValid(own))
		for (auto xid = wide(own); xid < result.xmax; ++xid)
			if (TransactionIdIsCurrentTransactionId(static_cast<TransactionId>(xid)))
				open.push_back(xid);
	for (const auto xid : open)
		result.xmin = std::min(result.xmin, xid);
	std::sort(open.begin(), open.end());
	open.erase(std::unique(open.begin(), open.end()), open.end());
	return result;
}

// Tells a person at the terminal, every few seconds, how far a long round is.
class Progress {
public:
	void
	tell(std::int64_t events, std::int64_t pages_left) {
		const auto now = GetCurrentTimestamp();
		if (now < next_)
			return;
		next_ = now + interval;
		const auto rate =
			static_cast<double>(events) * 1e6 / static_cast<double>(std::max<TimestampTz>(now - begin_, 1));
		call([&] {
			ereport(NOTICE, (errmsg("folded " INT64_FORMAT " events so far, %.0f a second; about " INT64_FORMAT
									" pages are left",
									events, rate, pages_left)));
		});
	}

private:
	static constexpr TimestampTz interval = 2'000'000;
	TimestampTz begin_ = GetCurrentTimestamp();
	TimestampTz next_ = begin_ + interval;
};

// Brings writes into the buckets as they become mature.
class Settler {
public:
	Settler(Spi &spi, FoldState &state, Time now, const GateInput &input)
		: spi_(spi), state_(state), slow_limit_(slow_limit(input.checks)), store_(spi, state.generation),
		  lookup_(SnapshotSelf, state.generation), pending_(load_pending(spi)) {
		mature_before_ = second_start(write_second(now - judged_after(input.settings.report_grace)));
		kept_from_ = oldest_bucket(now);
		for (const auto &batch : pending_)
			for (const auto &write : batch.writes)
				waiting_.insert(write.key);
	}

	// What came in.
	void
	take(EventSums &events) {
		PendingBatch young;
		events.take_writes([&](const Uuid &key, const WriteState &state) {
			check_for_interrupts();
			const bool waits = waiting_.count(key);
			const auto known = waits ? std::nullopt : lookup_.find(key);
			const bool mature = state.newest() < mature_before_;
			if (waits || (!mature && !(known && known->state.ack))) {
				young.newest = std::max(young.newest, state.newest());
				waiting_.insert(key);
				young.writes.push_back({key, state, !waits && !known});
			} else
				settle(key, state, known);
		});
		write_down();
		if (!young.writes.empty()) {
			const ScratchMemory scratch;
			young.id = pending_.empty() ? 1 : pending_.back().id + 1;
			Params params;
			params << young.id << young.newest;
			params.bytes(encode(young.writes), BYTEAOID);
			spi_.execute("INSERT INTO chat_v11.pending_write (id, newest, writes) VALUES ($1, $2, $3)",
						 std::move(params));
			pending_.push_back(std::move(young));
		}
	}

	// Settles the batches that have become mature, oldest first.
	void
	settle_batches() {
		while (!pending_.empty() && pending_.front().newest < mature_before_) {
			auto batch = std::move(pending_.front());
			pending_.pop_front();
			std::sort(batch.writes.begin(), batch.writes.end(),
					  [](const PendingWrite &a, const PendingWrite &b) { return a.key < b.key; });
			// What later batches know of the same writes: their receipts, mostly.
			std::map<Uuid, WriteState> later;
			std::unordered_set<Uuid, UuidHash> keys;
			for (const auto &write : batch.writes)
				keys.insert(write.key);
			for (const auto &other : pending_)
				for (const auto &write : other.writes)
					if (keys.count(write.key) && write.state.newest() < mature_before_)
						later[write.key].add(write.state);
			for (auto &write : batch.writes) {
				check_for_interrupts();
				if (const auto more = later.find(write.key); more != later.end())
					write.state.add(more->second);
				settle(write.key, write.state, write.is_new ? std::nullopt : lookup_.find(write.key));
			}
			write_down();
			spi_.execute("DELETE FROM chat_v11.pending_write WHERE id = $1", Params() << batch.id);
		}
	}

	bool
	has_mature_batch() const {
		return !pending_.empty() && pending_.front().newest < mature_before_;
	}
	void
	close() {
		lookup_.close();
	}

private:
	void
	settle(const Uuid &key, const WriteState &more, const std::optional<StoredWrite> &known) {
		if (!known) {
			count_write(sums_, more, slow_limit_, 1);
			store_.insert(key, more);
			return;
		}
		auto merged = known->state;
		merged.add(more);
		if (merged == known->state)
			return;
		count_write(sums_, known->state, slow_limit_, -1);
		count_write(sums_, merged, slow_limit_, 1);
		store_.update(key, merged, known->generation);
	}

	void
	write_down() {
		store_.flush();
		// Of a write whose bucket is past its retention nothing is counted any more.
		std::erase_if(sums_, [&](const auto &sum) { return minute_start(sum.first.minute) < kept_from_; });
		if (state_.since)
			for (auto &[key, cells] : sums_)
				state_.since_entry.add_writes(key.cohort, key.minute, cells, *state_.since);
		add_to_buckets(spi_, sums_, slow_limit_);
		sums_.clear();
	}

	Spi &spi_;
	FoldState &state_;
	double slow_limit_;
	Time mature_before_{};
	Time kept_from_{};
	WriteStore store_;
	WriteLookup lookup_;
	std::deque<PendingBatch> pending_;
	std::unordered_set<Uuid, UuidHash> waiting_;
	WriteSums sums_;
};

void
save(Spi &spi, const FoldState &state) {
	Params params;
	params.bytes(encode(state.cursor), BYTEAOID);
	params << state.folded << state.generation << state.generation_since;
	params.optional(state.since ? std::optional(second_start(*state.since)) : std::nullopt, TIMESTAMPTZOID);
	params << state.since_entry.acks[0] << state.since_entry.acks[1] << state.since_entry.writes;
	spi.execute("UPDATE chat_v11.fold_state SET cursor = $1, folded = $2, folded_at = pg_catalog.clock_timestamp(), "
				"generation = $3, generation_since = $4, since = $5, since_acks_v10 = $6, since_acks_v11 = $7, "
				"since_writes = $8",
				std::move(params));
}

class Round {
public:
	Round(Spi &spi, FoldState &state, Settler &settler, std::int64_t limit)
		: spi_(spi), state_(state), settler_(settler), limit_(limit) {}

	// Reads what is new; whether the cursor has moved.
	bool
	run() {
		auto &cursor = state_.cursor;
		const auto schema = event_schema();
		const auto before = cursor;
		// In this order: what the snapshot sees was stored before it, so it lies within the lengths.
		const auto snapshot = cursor.open ? cursor.open->snapshot : take_snapshot(cursor.done);
		next_ = next_xid();
		std::array<Relation, ring_size> leaves;
		std::array<BlockNumber, ring_size> lengths;
		for (int i = 0; i < ring_size; ++i)
			call([&] {
				leaves[static_cast<size_t>(i)] = table_open(ring_leaf(schema, i), AccessShareLock);
				lengths[static_cast<size_t>(i)] = length_at_gate(leaves[static_cast<size_t>(i)]);
			});
		for (size_t i = 0; i < ring_size; ++i) {
			auto position = position_in(cursor, i, leaves[i]);
			cursor.leaves.resize(std::max(cursor.leaves.size(), i + 1));
			cursor.leaves[i] = position;
			each_open_page(position, lengths[i], [&](BlockNumber, const Hold *) { ++pages_left_; });
		}
		const auto now = real_now();
		bool stopped = false;
		for (size_t i = 0; i < ring_size && !stopped; ++i) {
			if (cursor.open && i < cursor.open->leaf)
				continue;
			stopped = read_leaf(i, leaves[i], lengths[i], snapshot, now);
		}
		write_down();
		for (auto leaf : leaves)
			call([&] { table_close(leaf, AccessShareLock); });
		if (!stopped) {
			cursor.open.reset();
			cursor.done = snapshot;
		}
		return events_ > 0 || stopped || before.open.has_value() || before.leaves != cursor.leaves;
	}

	std::int64_t
	events() const {
		return events_;
	}

private:
	// True where the limit was reached.
	bool
	read_leaf(size_t number, Relation leaf, BlockNumber length, const TransactionSnapshot &snapshot, Time now) {
		auto &cursor = state_.cursor;
		const auto old = cursor.leaves[number];
		auto &position = cursor.leaves[number];
		position.holds.clear();
		Pages pages(leaf);
		const auto first = cursor.open && cursor.open->leaf == number ? cursor.open->page : 0;
		std::optional<BlockNumber> stop;
		const auto one = [&](BlockNumber page, const Hold *hold) {
			// Not for this round any more, or counted by its earlier part: a held page stays as it was, one of the last
			// pages is read again for what has to wait.
			if (hold && (stop || page < first)) {
				position.hold(page, hold->xids);
				return;
			}
			if (stop)
				return;
			--pages_left_;
			if (hold && std::none_of(hold->xids.begin(), hold->xids.end(),
									 [&](std::uint64_t xid) { return snapshot.had_ended(xid); })) {
				position.hold(page, hold->xids);
				return;
			}
			const auto counted = events_;
			auto open = read_page(pages, static_cast<std::uint32_t>(number), page, snapshot);
			if (!open.empty() && page + ring_margin < length)
				position.hold(page, std::move(open));
			if (events_ > counted) {
				position.rows += events_ - counted;
				position.last_seen = now;
			}
			if (events_ >= limit_)
				stop = page + 1;
			if (sums_.write_items() >= max_write_items || sums_.buckets().size() >= max_buckets)
				write_down();
			progress_.tell(events_, pages_left_);
			check_for_interrupts();
		};
		each_open_page(old, length, one);
		const auto safe = length > ring_margin ? length - ring_margin : 0;
		position.low = std::max(old.low, stop ? std::min(safe, *stop) : safe);
		if (stop)
			cursor.open = OpenRound{snapshot, static_cast<std::uint32_t>(number), *stop};
		else if (cursor.open)
			cursor.open = OpenRound{snapshot, static_cast<std::uint32_t>(number) + 1, 0};
		return stop.has_value();
	}

	// Counts the rows whose time has come; the transactions of those that have to wait.
	std::vector<std::uint64_t>
	read_page(Pages &pages, std::uint32_t number, BlockNumber page, const TransactionSnapshot &snapshot) {
		std::vector<std::uint64_t> open;
		RawEvent event;
		last_xid_ = InvalidTransactionId; // what is counted depends on the page too
		pages.read(page, [&](const RowHeader &row, const HeapTupleHeaderData *tuple, size_t length) {
			if (row.xid != last_xid_) {
				last_xid_ = row.xid;
				wide_ = widen_xid(row.xid, next_);
				counted_ = state_.cursor.counted(number, page, wide_);
				ended_ = snapshot.had_ended(wide_);
			}
			if (counted_)
				return;
			if (!ended_) {
				if (!(row.infomask & HEAP_XMIN_INVALID) || (row.infomask & HEAP_XMIN_COMMITTED))
					open.push_back(wide_);
				return;
			}
			if (!outcomes_.committed(row.xid, row.infomask))
				return;
			read_event(tuple, length, event);
			sums_.add(event);
			++events_;
		});
		std::sort(open.begin(), open.end());
		open.erase(std::unique(open.begin(), open.end()), open.end());
		return open;
	}

	void
	write_down() {
		if (state_.since)
			for (const auto &bucket : sums_.buckets()) {
				auto cells = bucket.cells();
				state_.since_entry.add_events(bucket.cohort, bucket.kind, bucket.minute, cells, *state_.since);
			}
		add_to_buckets(spi_, sums_);
		sums_.clear_buckets();
		settler_.take(sums_);
	}

	Spi &spi_;
	FoldState &state_;
	Settler &settler_;
	std::int64_t limit_;
	std::int64_t events_ = 0;
	std::int64_t pages_left_ = 0;
	std::uint64_t next_ = 0;
	TransactionId last_xid_ = InvalidTransactionId;
	std::uint64_t wide_ = 0;
	bool counted_ = false;
	bool ended_ = false;
	Outcomes outcomes_;
	EventSums sums_;
	Progress progress_;
};

// ---- What is past its time ------------------------------------------------------------------------------------------

// Empties the files whose events are all older than raw_retention.  One that somebody reads or writes has to wait.
bool
drop_old_events(FoldState &state) {
	const auto schema = event_schema();
	const auto limit = real_now() - raw_retention();
	bool dropped = false;
	for (size_t i = 0; i < state.cursor.leaves.size() && !state.cursor.open; ++i) {
		auto &position = state.cursor.leaves[i];
		if ((position.rows == 0 && position.low == 0) || !position.holds.empty() || position.last_seen > limit ||
			static_cast<int>(i) == ring_current())
			continue;
		const auto oid = call([&] { return ring_leaf(schema, static_cast<int>(i)); });
		if (!call([&] { return ConditionalLockRelationOid(oid, AccessExclusiveLock); }))
			continue;
		// Nobody writes there any more.  What was committed since the round's snapshot would be lost.
		const Relation leaf = call([&] { return table_open(oid, NoLock); });
		Pages pages(leaf);
		Outcomes outcomes;
		// A lock does not conflict with this session's own: a cursor of it may read there, its transaction may have
		// written there.
		bool rest = leaf->rd_refcnt > 1;
		const auto next = next_xid();
		each_open_page(position, call([&] { return RelationGetNumberOfBlocks(leaf); }),
					   [&](BlockNumber page, const Hold *) {
						   pages.read(page, [&](const RowHeader &row, const HeapTupleHeaderData *, size_t) {
							   rest = rest || (!state.cursor.done.had_ended(widen_xid(row.xid, next)) &&
											   (TransactionIdIsCurrentTransactionId(row.xid) ||
												outcomes.committed(row.xid, row.infomask)));
						   });
					   });
		if (!rest) {
			call([&] { set_new_file(leaf); });
			position = LeafPosition{};
			dropped = true;
		}
		call([&] { table_close(leaf, NoLock); });
	}
	return dropped;
}

bool
drop_old_buckets(Spi &spi, Time now) {
	bool dropped = false;
	for (const char *sql : {"DELETE FROM chat_v11.metric_bucket b WHERE b.at < $1",
							"DELETE FROM chat_v11.write_bucket b WHERE b.at < $1"})
		dropped = spi.execute(sql, Params() << oldest_bucket(now)) > 0 || dropped;
	return dropped;
}

bool
drop_old_writes(Spi &spi, FoldState &state) {
	const auto now = real_now();
	if (now - state.generation_since < write_retention() / (write_generations - 1) ||
		!rotate_writes(spi, state.generation, oldest_bucket(now)))
		return false;
	state.generation = (state.generation + 1) % write_generations;
	state.generation_since = now;
	return true;
}

// Counts since the stage began anew where it began anew.
bool
follow_stage(Spi &spi, FoldState &state, const State &rollout) {
	std::optional<std::int64_t> since;
	if (rollout.live())
		since = write_second(*rollout.entered_at);
	if (since == state.since)
		return false;
	state.since = since;
	state.since_entry = since ? with_latest_snapshot([&] { return count_since(spi, *since); }) : SinceEntry{};
	return true;
}

} // namespace

FoldState
load_fold_state(Spi &spi) {
	const auto rows =
		spi.query("SELECT f.cursor, f.folded, f.folded_at, f.generation::bigint, f.generation_since, "
				  "f.since, f.since_acks_v10, f.since_acks_v11, f.since_writes FROM chat_v11.fold_state f");
	FoldState state;
	// Without it nobody knows what the buckets hold.
	if (rows.empty())
		throw CorruptBytes("chat_v11.fold_state has lost its row");
	if (const auto bytes = rows.bytes(0, 1))
		state.cursor = decode_cursor(*bytes);
	state.folded = *rows.bigint(0, 2);
	state.folded_at = rows.time(0, 3);
	state.generation = static_cast<int>(*rows.bigint(0, 4));
	state.generation_since = *rows.time(0, 5);
	if (const auto since = rows.time(0, 6))
		state.since = write_second(*since);
	state.since_entry.acks = {*rows.bigint(0, 7), *rows.bigint(0, 8)};
	state.since_entry.writes = *rows.bigint(0, 9);
	return state;
}

std::deque<PendingBatch>
load_pending(Spi &spi) {
	const auto rows = spi.query("SELECT p.id, p.newest, p.writes FROM chat_v11.pending_write p ORDER BY p.id");
	std::deque<PendingBatch> batches;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		batches.push_back({*rows.bigint(i, 1), *rows.time(i, 2), decode_pending(*rows.bytes(i, 3))});
	return batches;
}

std::optional<std::int64_t>
fold(std::optional<std::int64_t> limit) {
	return fold(limit, !call([] { return IsTransactionBlock(); }));
}

std::optional<std::int64_t>
fold(std::optional<std::int64_t> limit, bool ends_at_once) {
	call([] {
		PreventCommandDuringRecovery("chat_v11.fold()");
		PreventCommandIfReadOnly("chat_v11.fold()");
	});
	(void)event_schema();
	if (!lock_fold())
		return std::nullopt;
	const FoldWrites writes;
	return with_spi([&](Spi &spi) {
		return with_latest_snapshot([&]() -> std::optional<std::int64_t> {
			IndexPlans plans;
			auto state = load_fold_state(spi);
			const auto rollout = load_state(spi).state;
			const auto at = now();
			const auto input = load_gate_input(spi, rollout, at);
			bool moved = follow_stage(spi, state, rollout);
			Settler settler(spi, state, at, input);
			Round round(spi, state, settler, limit.value_or(std::numeric_limits<std::int64_t>::max()));
			moved = round.run() || moved;
			moved = settler.has_mature_batch() || moved;
			settler.settle_batches();
			settler.close();
			state.folded += round.events();
			// These lock readers out until the end of the transaction, which is now unless somebody opened one.
			if (ends_at_once) {
				moved = drop_old_events(state) || moved;
				moved = drop_old_writes(spi, state) || moved;
			}
			moved = drop_old_buckets(spi, at) || moved;
			if (moved)
				save(spi, state);
			plans.end();
			return round.events();
		});
	});
}

std::int64_t
read_tail(const FoldCursor &cursor, EventSums &sums) {
	const auto schema = event_schema();
	const Snapshot snapshot = call([] { return GetActiveSnapshot(); });
	const auto next = next_xid();
	std::int64_t pages_read = 0;
	Outcomes outcomes;
	TransactionId last = InvalidTransactionId;
	std::uint32_t leaf_number = 0;
	enum class Sight { counted, hidden, own, ended } sight = Sight::hidden;
	const auto look = [&](TransactionId xid, BlockNumber page) {
		if (cursor.counted(leaf_number, page, widen_xid(xid, next)))
			return Sight::counted;
		return call([&] {
			if (TransactionIdIsCurrentTransactionId(xid))
				return Sight::own;
			return TransactionIdIsNormal(xid) && XidInMVCCSnapshot(xid, snapshot) ? Sight::hidden : Sight::ended;
		});
	};
	for (int i = 0; i < ring_size; ++i) {
		leaf_number = static_cast<std::uint32_t>(i);
		const Relation leaf = call([&] {
			const Relation opened = table_open(ring_leaf(schema, i), AccessShareLock);
			// As a scan by PostgreSQL would: a SERIALIZABLE reader conflicts with who writes here.
			PredicateLockRelation(opened, snapshot);
			return opened;
		});
		const auto end = call([&] { return RelationGetNumberOfBlocks(leaf); });
		const auto position = position_in(cursor, leaf_number, leaf);
		Pages pages(leaf);
		RawEvent event;
		each_open_page(position, end, [&](BlockNumber page, const Hold *hold) {
			if (hold && std::all_of(hold->xids.begin(), hold->xids.end(), [&](std::uint64_t xid) {
					return look(static_cast<TransactionId>(xid), page) == Sight::hidden;
				}))
				return;
			check_for_interrupts();
			++pages_read;
			last = InvalidTransactionId; // what is counted depends on the page too
			pages.read(page, [&](const RowHeader &row, const HeapTupleHeaderData *tuple, size_t length) {
				if (row.xid != last) {
					last = row.xid;
					sight = look(row.xid, page);
				}
				if (sight == Sight::counted || sight == Sight::hidden)
					return;
				if (sight == Sight::own ? row.command >= snapshot->curcid : !outcomes.committed(row.xid, row.infomask))
					return;
				read_event(tuple, length, event);
				sums.add(event);
			});
		});
		// Not held to the end of the transaction: nothing later rests on it, and an old file can be dropped meanwhile.
		call([&] { table_close(leaf, AccessShareLock); });
	}
	return pages_read;
}

FoldStatus
read_fold_status(Spi &spi) {
	FoldStatus status;
	const auto state = load_fold_state(spi);
	EventSums tail;
	status.tail_pages = read_tail(state.cursor, tail);
	status.tail_events = tail.events();
	status.last_fold = state.folded_at;
	if (status.tail_events > 0) {
		// Never folded: since the installation.
		const auto age = real_now() - state.folded_at.value_or(state.generation_since);
		status.lag_seconds = std::max(0.0, std::chrono::duration<double>(age).count());
	}
	status.folded = state.folded;
	for (const auto &leaf : state.cursor.leaves)
		for (const auto &hold : leaf.holds)
			status.held_pages += hold.count;
	for (const auto &batch : load_pending(spi))
		status.pending_writes += static_cast<std::int64_t>(batch.writes.size());
	status.open_round = state.cursor.open.has_value();
	const auto holder = spi.query("SELECT l.pid::bigint FROM pg_catalog.pg_locks l WHERE l.locktype = 'object' AND "
								  "l.classid = 1259 AND l.objid = $1 AND l.objsubid = 2 AND l.granted AND l.database "
								  "= (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = "
								  "pg_catalog.current_database())",
								  Params().add(OIDOID, ObjectIdGetDatum(event_relation())));
	if (!holder.empty())
		if (const auto pid = holder.bigint(0, 1))
			status.pid = static_cast<int>(*pid);
	const auto sizes = spi.query(
		"SELECT sum(pg_catalog.pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'event%')::bigint, "
		"sum(pg_catalog.pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE '%bucket')::bigint, "
		"sum(pg_catalog.pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE '%write\\__')::bigint "
		"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		"WHERE n.nspname = 'chat_v11' AND c.relkind = 'r'");
	status.event_bytes = sizes.bigint(0, 1).value_or(0);
	status.bucket_bytes = sizes.bigint(0, 2).value_or(0);
	status.write_bytes = sizes.bigint(0, 3).value_or(0);
	return status;
}

bool
is_folded(Oid leaf, BlockNumber page, TransactionId xid) {
	// One statement asks for each row of the table: what the cursor says is kept from one row to the next.
	struct Moment {
		TimestampTz statement = -1;
		CommandId command = 0;
		TransactionId xmax = InvalidTransactionId;
		bool operator==(const Moment &) const = default;
	};
	static struct {
		Moment moment;
		FoldCursor cursor;
		std::uint64_t next = 0;
		std::array<Oid, ring_size> leaves{};
	} kept;
	const auto *snapshot = call([] { return GetActiveSnapshot(); });
	const Moment moment{GetCurrentStatementStartTimestamp(), snapshot->curcid, snapshot->xmax};
	if (kept.moment != moment) {
		kept.cursor = with_spi([](Spi &spi) { return load_fold_state(spi).cursor; });
		kept.next = next_xid();
		for (size_t i = 0; i < ring_size; ++i)
			kept.leaves[i] = call([&] { return ring_leaf(event_schema(), static_cast<int>(i)); });
		kept.moment = moment;
	}
	const auto at = std::find(kept.leaves.begin(), kept.leaves.end(), leaf) - kept.leaves.begin();
	return kept.cursor.counted(static_cast<std::uint32_t>(at), page, widen_xid(xid, kept.next));
}

bool
is_folding() {
	return folding;
}

} // namespace chat_v11::pg
