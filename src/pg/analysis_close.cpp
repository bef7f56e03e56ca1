#include "pg/analysis_close.hpp"

#include "core/analysis_archive.hpp"
#include "core/analysis_collect.hpp"
#include "core/analysis_late.hpp"
#include "core/analysis_notes.hpp"
#include "core/guard.hpp"

#include "pg/analysis_store.hpp"
#include "pg/fold.hpp"
#include "pg/ring_reader.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"

#include <algorithm>

namespace chat_v11::pg {

using namespace analysis;
using namespace std::chrono_literals;

namespace {

// So much is closed at once; what was missed beyond that is made up for by the next rounds.
constexpr std::int64_t most_at_once = 90; // 15 min
// Pages that one closing reads at most: some 6 million events.
constexpr std::int64_t most_pages = 65'536;

// What one session knows beyond the tables, so that it need not read them again.
struct Memory {
	std::optional<Time> looked_until; // the last bucket that was due when it looked
	std::optional<Time> newest;       // the table's newest bucket then; another one tells that it was taken back
	// Until when nothing is due, for sure: it was looked at again, and what was closed then is still there.
	Time quiet_from{}, quiet_until{};
	std::int64_t run = -1;
	std::uint64_t chain = 0; // of the row that `units` goes up to
	UnitMemory units;
	std::optional<CountedMinutes> counted; // likewise, of that run
	std::int64_t at_once = most_at_once;   // fewer after there were too many events for one reading
	std::int64_t pages_read = 0;           // last time
	std::optional<Time> next_event;        // the first one after what was closed last time
};
Memory memory;

struct Leaves {
	std::array<Relation, ring_size> relations{};
	std::vector<FileLength> lengths;
};

Leaves
open_leaves() {
	Leaves leaves;
	const auto schema = event_schema();
	for (int i = 0; i < ring_size; ++i) {
		const Relation leaf = call([&] { return table_open(ring_leaf(schema, i), AccessShareLock); });
		leaves.relations[static_cast<size_t>(i)] = leaf;
		leaves.lengths.push_back({file_of(leaf), call([&] { return RelationGetNumberOfBlocks(leaf); })});
	}
	return leaves;
}

// The pages from which on events of that time can be; nothing where they are too many to be read.
std::optional<std::vector<BlockNumber>>
first_pages(const PageNotes &notes, const Leaves &leaves, Time from) {
	const auto *note = notes.at(from);
	std::vector<BlockNumber> first;
	std::int64_t pages = 0;
	for (size_t i = 0; i < ring_size; ++i) {
		const auto &[file, length] = leaves.lengths[i];
		BlockNumber page = 0;
		if (note && i < note->leaves.size() && note->leaves[i].file == file)
			page = note->leaves[i].length > ring_margin ? note->leaves[i].length - ring_margin : 0;
		first.push_back(std::min(page, length));
		pages += length - first.back();
	}
	return pages <= most_pages ? std::optional(first) : std::nullopt;
}

// Feeds what is committed to the active snapshot.  Own events wait, as they do for the fold.
void
read_pages(const Leaves &leaves, const std::vector<BlockNumber> &first, Time end, Collector &collector) {
	const Snapshot snapshot = call([] { return GetActiveSnapshot(); });
	Outcomes outcomes;
	RawEvent event;
	memory.pages_read = 0;
	memory.next_event.reset();
	for (size_t i = 0; i < ring_size; ++i) {
		memory.pages_read += leaves.lengths[i].length - first[i];
		Pages pages(leaves.relations[i]);
		TransactionId last = InvalidTransactionId;
		bool ended = false;
		for (BlockNumber page = first[i]; page < leaves.lengths[i].length; ++page) {
			check_for_interrupts();
			pages.read(page, [&](const RowHeader &row, const HeapTupleHeaderData *tuple, size_t length) {
				if (row.xid != last) {
					last = row.xid;
					ended = call([&] {
						return !TransactionIdIsCurrentTransactionId(row.xid) &&
							   !(TransactionIdIsNormal(row.xid) && XidInMVCCSnapshot(row.xid, snapshot));
					});
				}
				if (!ended || !outcomes.committed(row.xid, row.infomask))
					return;
				read_event(tuple, length, event);
				collector.add(event);
				if (event.at >= end && (!memory.next_event || event.at < *memory.next_event))
					memory.next_event = event.at;
			});
			if (collector.over_budget())
				return;
		}
	}
}

UnitMemory &
units_of(Spi &spi, std::int64_t run, std::uint64_t chain, Time before) {
	if (memory.run == run && memory.chain == chain)
		return memory.units;
	memory.run = -1;
	memory.units = {};
	memory.counted.reset();
	// Of other runs only who was in trouble just now.  This very closing may have written of them.
	with_latest_snapshot([&] {
		spi.for_each(
			"SELECT u.run, u.at, u.units FROM chat_v11.analysis_unit u WHERE u.run = $1 OR u.at > $2 ORDER BY u.at",
			Params() << run << before - bucket_length * mark_buckets, [&](const Rows &rows, std::int64_t i) {
				check_for_interrupts();
				auto units = decode_units(*rows.bytes(i, 3));
				if (*rows.bigint(i, 1) != run) {
					units.bad = {};
					units.actors.clear();
				}
				memory.units.add(*rows.time(i, 2), units);
				return true;
			});
	});
	memory.run = run;
	memory.chain = chain;
	return memory.units;
}

class Closing {
public:
	Closing(Spi &spi, Time now, Duration grace) : spi_(spi), now_(now), grace_(grace) {}

	std::string
	run() {
		load_newest();
		const auto due = bucket_of(now_ - closed_after(grace_));
		// A reading of the files for each new bucket, not for each round of the fold.
		if (memory.looked_until == due && memory.newest == newest_at_ && (!newest_at_ || *newest_at_ <= due)) {
			memory.quiet_from = now_;
			memory.quiet_until = due + bucket_length + closed_after(grace_);
			return {};
		}
		// As long as the events are there.
		auto first = newest_at_ ? std::max(*newest_at_ + bucket_length, bucket_of(now_ - raw_retention()))
								: due - (most_at_once - 1) * bucket_length;
		if (first > due)
			return {};

		auto notes = load_notes();
		const auto leaves = open_leaves();
		auto pages = first_pages(notes, leaves, first - look_back);
		for (const auto &note : notes.all())
			if (const auto later = bucket_of(note.at + look_back) + bucket_length; !pages && later <= due) {
				first = std::max(first, later);
				pages = first_pages(notes, leaves, first - look_back);
			}
		missed_until_ = first;
		auto last = std::min(due, first + (memory.at_once - 1) * bucket_length);
		std::string trouble;
		bool wrote = false;
		if (!pages) {
			// The files have grown by more than can be read in a moment since the last note, or there is none: of these
			// buckets nobody will know anything.
			trouble = "the events since " + format_utc(first) + " lie on more than " + std::to_string(most_pages) +
					  " pages: their buckets stay missing";
			last = due;
		} else {
			std::optional<Collector> reading;
			const auto read = [&] {
				reading.emplace(first, static_cast<size_t>((last - first) / bucket_length + 1));
				read_pages(leaves, *pages, last + bucket_length, *reading);
			};
			read();
			// A long silence leaves no row to go on from: what comes next is where the next event is.
			const auto &until = memory.next_event;
			if (const auto next = until ? std::min(bucket_of(*until), due) : due;
				last < next && !reading->over_budget() && is_all_silent(*reading, first, last)) {
				first = next;
				last = std::min(due, first + (memory.at_once - 1) * bucket_length);
				if (auto later = first_pages(notes, leaves, first - look_back))
					pages = later;
				read();
			}
			auto &collector = *reading;
			if (!collector.over_budget())
				collector.pair();
			if (collector.over_budget() && last > first) {
				memory.at_once = std::max<std::int64_t>(1, memory.at_once / 4);
				close_leaves(leaves);
				return {}; // with fewer, in the next round
			}
			if (!collector.over_budget())
				memory.at_once = std::min(most_at_once, memory.at_once * 2);
			wrote = write(collector, first, last);
		}
		close_leaves(leaves);
		// Where nothing was told there is nothing to write down, unless the next one would read as much again.
		if (wrote || !pages || memory.pages_read > 1024)
			save_notes(notes, leaves, last + bucket_length - look_back);
		drop_old();
		memory.looked_until = last;
		memory.newest = newest_at_;
		return trouble;
	}

private:
	void
	load_newest() {
		const auto rows = spi_.query("SELECT b.run, b.at, b.data FROM chat_v11.analysis_bucket b ORDER BY b.at DESC "
									 "LIMIT 1");
		if (rows.empty())
			return;
		newest_run_ = *rows.bigint(0, 1);
		newest_at_ = *rows.time(0, 2);
		newest_ = decode_row(*rows.bytes(0, 3), *newest_at_);
	}

	PageNotes
	load_notes() {
		const auto rows = spi_.query("SELECT n.notes FROM chat_v11.analysis_note n");
		const auto bytes = rows.empty() ? std::nullopt : rows.bytes(0, 1);
		return bytes ? PageNotes::decode(*bytes) : PageNotes();
	}

	void
	save_notes(PageNotes &notes, const Leaves &leaves, Time needed_from) {
		notes.add({now_, leaves.lengths}, needed_from);
		Params params;
		params.bytes(notes.encode(), BYTEAOID);
		if (spi_.execute("UPDATE chat_v11.analysis_note SET notes = $1", std::move(params)) > 0)
			return;
		Params again;
		again.bytes(notes.encode(), BYTEAOID);
		spi_.execute("INSERT INTO chat_v11.analysis_note (notes) VALUES ($1)", std::move(again));
	}

	static void
	close_leaves(const Leaves &leaves) {
		for (auto *leaf : leaves.relations)
			call([&] { table_close(leaf, AccessShareLock); });
	}

	static bool
	is_all_silent(const Collector &collector, Time first, Time last) {
		for (std::int64_t i = 0; i <= (last - first) / bucket_length; ++i)
			if (!collector.is_silent(static_cast<size_t>(i)))
				return false;
		return true;
	}

	// Whether any was written.
	bool
	write(Collector &collector, Time first, Time last) {
		const auto bucketing = load_state(spi_).state.bucketing;
		// Late events are looked for once in a closing, not once for each minute that is made up for.
		auto told_until = last;
		for (auto i = static_cast<size_t>((last - first) / bucket_length);
			 told_until > first && !collector.over_budget() && collector.is_silent(i); --i)
			told_until -= bucket_length;
		const auto look_from = std::chrono::floor<std::chrono::minutes>(told_until);
		bool wrote = false;
		size_t number = 0;
		for (auto at = first; at <= last; at += bucket_length, ++number) {
			check_for_interrupts();
			if (!collector.over_budget() && collector.is_silent(number))
				continue;
			const auto run = find_run(spi_, at + bucket_length);
			const auto run_id = run ? run->id : 0;
			const bool same_run = newest_at_ && newest_run_ == run_id;
			Finish finish;
			finish.counts = run && run->counts(at);
			finish.canary_too = run && !run->killed_around(at);
			finish.percent = run ? static_cast<unsigned>(percent_of(run->stage)) : 0;
			finish.bucketing = bucketing;
			finish.max_units = analysis_units();
			finish.no_room = same_run ? newest_.no_room : 0;
			if (same_run && newest_.counts == finish.counts)
				finish.postponed = &newest_.postponed;
			follow(run);
			if (stage_)
				for (const auto &rule : comparison_rules())
					if (rule.statistic == Statistic::latency)
						finish.tau[static_cast<size_t>(rule.comparison)] = stage_->analysis.tau(rule.comparison, at);

			auto &units = units_of(spi_, run_id, newest_.chain, at);
			const auto looked = same_run ? late_before(at, look_from) : Looked{};
			for (size_t i = 0; i < comparison_count; ++i)
				finish.passed_over[i] = looked.late[i].left > 0;
			BucketRow row;
			if (collector.over_budget()) {
				row.bucket.begin = at;
				row.too_many = true;
				row.no_room = finish.no_room;
				units.open(at);
			} else {
				row = collector.finish(number, finish, units);
			}
			if (newest_at_)
				row.hole = hole_before(at, run, same_run);
			row.late = looked.late;
			row.looked_until = looked.until;
			if (run && run->stage == Stage::full && at >= run->evidence_from && !has_evidence(*run)) {
				row.has_baselines = true;
				add_baselines(row, *run);
			}
			const auto data = encode(row, newest_.chain);
			if (stage_)
				feed(*stage_, run_id, row);
			store(run_id, at, data,
				  ends_hour(at) && !row.has_baselines ? std::optional(encode(stage_->analysis.state(), row.chain))
													  : std::nullopt,
				  units);
			newest_run_ = run_id;
			newest_at_ = at;
			memory.chain = row.chain;
			if (memory.counted)
				memory.counted->add(row);
			if (row.has_baselines)
				stage_.reset(); // which was without them
			newest_ = std::move(row);
			wrote = true;
		}
		return wrote;
	}

	// What of the run was missed between the newest bucket and this one.
	Hole
	hole_before(Time at, const std::optional<Run> &run, bool same_run) const {
		if (!run)
			return {};
		const auto from = std::max(*newest_at_ + bucket_length, run->evidence_from);
		const auto missed = std::max<std::int64_t>((missed_until_ - from) / bucket_length, 0);
		return carry(same_run ? newest_.hole : Hole{}, (at - *newest_at_) / bucket_length, missed);
	}

	struct Looked {
		LateByComparison late;
		std::optional<Time> until;
	};

	// What came too late for its bucket, where another minute has begun.
	Looked
	late_before(Time at, Time look_from) {
		const Time minute = std::chrono::floor<std::chrono::minutes>(at);
		if (*newest_at_ >= minute || minute < look_from)
			return {carry(newest_.late, (at - *newest_at_) / bucket_length), newest_.looked_until};
		return with_latest_snapshot([&] { return find_late(minute); });
	}

	Looked
	find_late(Time minute) {
		if (!memory.counted) {
			CountedMinutes counted;
			each_bucket(spi_, CountedMinutes::needed_from(minute), now_, [&](std::int64_t run, BucketRow &&row) {
				check_for_interrupts();
				if (run == newest_run_)
					counted.add(row);
				return true;
			});
			memory.counted = std::move(counted);
		}
		const bool at_full = stage_ && stage_->run.stage == Stage::full;
		Looked looked{{}, newest_.looked_until};
		for (const auto &look : late_looks) {
			const auto window = memory.counted->window(minute, look.length, newest_.looked_until);
			looked.late = worse_of(looked.late, analysis::find_late(window, folded_in(window.minutes), look, at_full));
			if (!window.minutes.empty())
				looked.until = std::max(looked.until, std::optional(window.minutes.back() + 1min));
		}
		return looked;
	}

	KindCounts
	folded_in(const std::vector<Time> &minutes) {
		if (minutes.empty())
			return {};
		const ScratchMemory scratch;
		const auto counts =
			spi_.query("SELECT b.kind::text, b.cohort::text, sum(b.count)::bigint FROM chat_v11.metric_bucket b "
					   "WHERE b.at = ANY ($1) AND b.node_id = 0 GROUP BY b.kind, b.cohort",
					   Params().add(TIMESTAMPTZARRAYOID, time_array_datum(minutes)));
		KindCounts folded{};
		for (std::int64_t i = 0; i < counts.size(); ++i) {
			const auto kind = parse_kind(*counts.text(i, 1));
			const auto cohort = parse_cohort(*counts.text(i, 2));
			folded[static_cast<size_t>(cohort)][static_cast<size_t>(kind)] = *counts.bigint(i, 3);
		}
		return folded;
	}

	// Whether the state is to be stored with this bucket: the first one whose end lies in another hour of the run than
	// the end of the one before.
	bool
	ends_hour(Time at) const {
		if (!stage_ || !stage_->is_usual() || at < stage_->run.evidence_from || !newest_at_)
			return false;
		const auto hour = [&](Time begin) { return (begin + bucket_length - stage_->run.evidence_from) / 1h; };
		return hour(at) != hour(std::max(*newest_at_, stage_->run.evidence_from - bucket_length));
	}

	void
	store(std::int64_t run, Time at, const std::string &data, const std::optional<std::string> &state,
		  const UnitMemory &units) {
		const ScratchMemory scratch;
		Params params;
		params << run << at << now_;
		params.bytes(data, BYTEAOID);
		if (state)
			params.bytes(*state, BYTEAOID);
		else
			params.add(BYTEAOID, Datum{}, true);
		spi_.execute(
			"INSERT INTO chat_v11.analysis_bucket (run, at, closed_at, data, state) VALUES ($1, $2, $3, $4, $5)",
			std::move(params));
		if (units.added().empty() || run == 0)
			return;
		Params more;
		more << run << at;
		more.bytes(encode(units.added()), BYTEAOID);
		spi_.execute("INSERT INTO chat_v11.analysis_unit (run, at, units) VALUES ($1, $2, $3)", std::move(more));
	}

	// The stage as it stood before this bucket: thresholds come from it.
	void
	follow(const std::optional<Run> &run) {
		if (!run)
			stage_.reset();
		if (!run || (stage_ && stage_->run.id == run->id))
			return;
		stage_.reset();
		stage_.emplace(
			with_latest_snapshot([&] { return read_stage(spi_, *run, stage_rule(run->stage), now_, false); }));
	}

	bool
	has_evidence(const Run &run) {
		return with_latest_snapshot([&] {
			return !spi_.query("SELECT FROM chat_v11.analysis_bucket b WHERE b.at >= $1 AND b.run = $2 LIMIT 1",
							   Params() << run.evidence_from << run.id)
						.empty();
		});
	}

	void
	add_baselines(BucketRow &row, const Run &full) {
		const auto before = find_run(spi_, full.id - 1);
		if (!before || before->stage != Stage::canary_50)
			return;
		row.baselines = with_latest_snapshot(
			[&] { return baselines_of(read_stage(spi_, *before, stage_rule(before->stage), now_, true).analysis); });
	}

	void
	drop_old() {
		// Some at a time, for it must end within the time of a closing.  Of the present run stays what a new reader
		// begins with: its last stored state and what came after it; and the first bucket of `full`, which has what all
		// later ones are compared with.
		const auto oldest = oldest_bucket(now_);
		const auto run = newest_at_ ? find_run(spi_, *newest_at_ + bucket_length) : std::nullopt;
		Params params;
		params << oldest << (run ? run->id : -1) << (run && run->stage == Stage::full ? run->evidence_from : oldest);
		spi_.execute(
			"DELETE FROM chat_v11.analysis_bucket d WHERE d.at IN (SELECT b.at FROM chat_v11.analysis_bucket b WHERE "
			"b.at < $1 AND (b.run <> $2 OR (b.at < (SELECT s.at FROM chat_v11.analysis_bucket s WHERE s.run = $2 AND "
			"s.state IS NOT NULL ORDER BY s.at DESC LIMIT 1) AND b.at <> (SELECT f.at FROM chat_v11.analysis_bucket f "
			"WHERE f.run = $2 AND f.at >= $3 ORDER BY f.at LIMIT 1))) ORDER BY b.at LIMIT 1000)",
			std::move(params));
		// Nobody asks any more who was seen in a run that is over; who makes up for what was missed is not so far yet.
		spi_.execute("DELETE FROM chat_v11.analysis_unit d WHERE (d.run, d.at) IN (SELECT u.run, u.at FROM "
					 "chat_v11.analysis_unit u WHERE u.run < $1 AND u.at < $2 ORDER BY u.run, u.at LIMIT 1000)",
					 Params() << newest_run_ << std::min(now_, newest_at_.value_or(now_)) - 10min);
	}

	Spi &spi_;
	Time now_;
	Duration grace_;
	std::optional<Time> newest_at_;
	std::int64_t newest_run_ = 0;
	Time missed_until_ = Time::min(); // from the newest bucket on
	BucketRow newest_;
	std::optional<StageReading> stage_;
};

} // namespace

std::string
close_buckets() {
	// Each round of the guard comes here.
	if (const auto at = now(); at >= memory.quiet_from && at < memory.quiet_until)
		return {};
	if (!lock_fold())
		return {};
	const auto tables = lock_analysis_tables(RowExclusiveLock);
	if (!tables.trouble.empty())
		return tables.outdated ? "" : tables.trouble;
	const FoldWrites writes;
	try {
		return with_spi([](Spi &spi) {
			return with_latest_snapshot([&] {
				IndexPlans plans;
				const auto at = now();
				auto trouble = Closing(spi, at, load_gate_input(spi, State{}, at).settings.report_grace).run();
				plans.end();
				return trouble;
			});
		});
	} catch (...) {
		// Perhaps they were too many for the time that there is.
		const auto fewer = std::max<std::int64_t>(1, memory.at_once / 4);
		memory = {};
		memory.at_once = fewer;
		throw;
	}
}

ClosingResult
try_to_close_buckets(int milliseconds) {
	ClosingResult result;
	const auto failure = attempt_within(milliseconds, [&] { result.trouble = close_buckets(); });
	return failure.empty() ? result : ClosingResult{failure, true};
}

std::string
ClosingRetry::ended(const ClosingResult &result, Duration interval) {
	failures_ = result.failed ? failures_ + 1 : 0;
	failure_.clear();
	if (failures_ == 0)
		return result.trouble;
	const auto pause = retry_after(failures_, interval);
	after_ = std::chrono::steady_clock::now() + pause;
	failure_ = result.trouble + "; " + std::to_string(failures_) + " in a row, next try in " + format_duration(pause);
	return failure_;
}

} // namespace chat_v11::pg
