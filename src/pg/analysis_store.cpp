#include "pg/analysis_store.hpp"

#include "core/analysis_archive.hpp"
#include "core/analysis_format.hpp"
#include "core/varint.hpp"

extern "C" {
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
}

namespace chat_v11::pg {

using namespace analysis;

namespace {

// Of the table and its indexes, which a plan locks one by one; 0, or the first that somebody else has.
Oid
locked_by_another(Oid table, LOCKMODE mode) {
	if (!call([&] { return ConditionalLockRelationOid(table, mode); }))
		return table;
	const auto indexes = call([&] {
		const Relation relation = RelationIdGetRelation(table);
		List *list = RelationIsValid(relation) ? RelationGetIndexList(relation) : NIL;
		if (RelationIsValid(relation))
			RelationClose(relation);
		return list;
	});
	for (int i = 0; i < list_length(indexes); ++i)
		if (const Oid index = list_nth_oid(indexes, i); !call([&] { return ConditionalLockRelationOid(index, mode); }))
			return index;
	return InvalidOid;
}

} // namespace

AnalysisTables
lock_analysis_tables(LOCKMODE mode) {
	constexpr const char *names[] = {"analysis_bucket", "analysis_unit", "analysis_note"};
	AnalysisTables result;
	std::array<Oid, std::size(names)> tables;
	std::size_t missing = 0;
	for (std::size_t i = 0; i < tables.size(); ++i) {
		tables[i] = find_table(names[i]);
		if (OidIsValid(tables[i]))
			continue;
		++missing;
		result.trouble = std::string("there is no table chat_v11.") + names[i];
	}
	// Whoever drops a table of this version cannot pass for an older one.
	result.outdated = missing == tables.size();
	if (missing > 0)
		return result;
	// Who only reads needs no more than the buckets.
	const std::size_t needed = mode == AccessShareLock ? 1 : tables.size();
	for (std::size_t i = 0; i < needed; ++i)
		if (const Oid locked = locked_by_another(tables[i], mode); OidIsValid(locked)) {
			const char *found = call([&] { return get_rel_name(locked); });
			result.trouble = std::string("another session has locked chat_v11.") + (found ? found : names[i]);
			break;
		}
	return result;
}

namespace {

// Of the log's rows up to this one and up to this moment.
std::optional<Run>
run_up_to(Spi &spi, std::int64_t last_row, Datum at) {
	Params params;
	params.add(TIMESTAMPTZOID, at) << last_row << new_build_attestation;
	const auto rows = spi.query(
		"SELECT h.id, h.to_stage, h.to_kill_switch, h.changed_at, CASE WHEN NOT h.to_kill_switch THEN (SELECT CASE "
		"WHEN (c.change->'new'->>'ok')::boolean THEN c.id END FROM chat_v11.rollout_history c WHERE c.transition = "
		"'config' AND c.change->>'table' = 'attestation' AND c.change->>'key' = $3 AND c.id < h.id ORDER BY c.id DESC "
		"LIMIT 1) END FROM chat_v11.rollout_history h "
		"WHERE h.transition <> 'config' AND h.changed_at <= $1 AND h.id <= $2 AND h.id > coalesce((SELECT o.id FROM "
		"chat_v11.rollout_history o WHERE o.transition <> 'config' AND o.changed_at <= $1 AND o.id <= $2 AND "
		"o.to_stage <> (SELECT n.to_stage FROM chat_v11.rollout_history n WHERE n.transition <> 'config' AND "
		"n.changed_at <= $1 AND n.id <= $2 ORDER BY n.id DESC LIMIT 1) ORDER BY o.id DESC LIMIT 1), 0) ORDER BY h.id",
		std::move(params));
	std::vector<StageChange> changes;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		changes.push_back({*rows.bigint(i, 1), parse_stage(*rows.text(i, 2)).value_or(Stage::canary_1),
						   *rows.boolean(i, 3), *rows.time(i, 4), rows.bigint(i, 5).value_or(0)});
	return run_of(changes);
}

} // namespace

std::optional<Run>
find_run(Spi &spi, Time at) {
	return run_up_to(spi, std::numeric_limits<std::int64_t>::max(), time_datum(at));
}

std::optional<Run>
find_run(Spi &spi, std::int64_t last_row) {
	return run_up_to(spi, last_row, TimestampTzGetDatum(DT_NOEND));
}

void
each_bucket(Spi &spi, Time from, Time now, const std::function<bool(std::int64_t run, BucketRow &&row)> &f) {
	spi.for_each("SELECT b.run, b.at, b.data FROM chat_v11.analysis_bucket b WHERE b.at >= $1 AND b.closed_at <= $2 "
				 "ORDER BY b.at",
				 Params() << from << now, [&](const Rows &rows, std::int64_t i) {
					 return f(*rows.bigint(i, 1), decode_row(*rows.bytes(i, 3), *rows.time(i, 2)));
				 });
}

namespace {

// Unless somebody said that the actors of the telemetry are not the ids by which users are put into cohorts.
bool
are_ids_hashed(Spi &spi, Time now, bool past) {
	Params params;
	params << now << other_ids_attestation;
	// The table has the last word only; the log has what was said before.
	const auto rows =
		past ? spi.query("SELECT (c.change->'new'->>'ok')::boolean FROM chat_v11.rollout_history c WHERE "
						 "c.transition = 'config' AND c.change->>'table' = 'attestation' AND "
						 "c.change->>'key' = $2 AND c.changed_at <= $1 ORDER BY c.id DESC LIMIT 1",
						 std::move(params))
			 : spi.query("SELECT a.ok FROM chat_v11.attestation a WHERE a.what = $2 AND a.attested_at <= $1",
						 std::move(params));
	return rows.empty() || !rows.boolean(0, 1).value_or(false);
}

// What the run's last row says of the stage as a whole.
void
take_marks(StageReading &reading, const BucketRow &row) {
	reading.no_room = row.no_room;
	reading.hole = row.hole;
	reading.late = row.late;
}

// From the last stored state on, where there is one; from which bucket on the rest is to be fed.
Time
begin_late(Spi &spi, StageReading &reading, Time now) {
	const auto first = reading.run.evidence_from - warm_up;
	if (!reading.is_usual())
		return first;
	const auto rows = spi.query("SELECT b.at, b.data, b.state FROM chat_v11.analysis_bucket b WHERE b.run = $1 AND "
								"b.state IS NOT NULL AND b.closed_at <= $2 ORDER BY b.at DESC LIMIT 1",
								Params() << reading.run.id << now);
	if (rows.empty())
		return first;
	const auto at = *rows.time(0, 1);
	const auto row = decode_row(*rows.bytes(0, 2), at);
	const auto state = decode_state(*rows.bytes(0, 3), row.chain);
	if (!state)
		return first;
	reading.newest = at;
	reading.chain = row.chain;
	take_marks(reading, row);
	reading.analysis = StageAnalysis(reading.analysis.setup(), *state);
	return at + bucket_length;
}

std::array<std::optional<StageReading>, 2> kept; // of the present, and of any other question

} // namespace

StageReading
begin_reading(Spi &spi, const Run &run, const StageRule &rule, Time now, bool past) {
	StageSetup setup{run.stage, run.evidence_from, rule, {}};
	bool has_baselines = false;
	if (run.stage == Stage::full) {
		const auto rows = spi.query("SELECT b.data, b.at FROM chat_v11.analysis_bucket b WHERE b.at >= $1 AND b.run = "
									"$2 AND b.closed_at <= $3 ORDER BY b.at LIMIT 1",
									Params() << run.evidence_from << run.id << now);
		if (!rows.empty()) {
			const auto row = decode_row(*rows.bytes(0, 1), *rows.time(0, 2));
			has_baselines = row.has_baselines;
			setup.baselines = row.baselines;
		}
	}
	return {run, rule, are_ids_hashed(spi, now, past), {}, 0, 0, {}, {}, has_baselines, StageAnalysis(setup)};
}

void
feed(StageReading &reading, std::int64_t run_of_row, BucketRow row) {
	reading.newest = row.bucket.begin;
	reading.chain = row.chain;
	const bool of_this_run = run_of_row == reading.run.id;
	if (of_this_run)
		take_marks(reading, row);
	if (row.too_many || (row.bucket.begin >= reading.run.evidence_from && !of_this_run))
		return;
	if (!reading.ids_are_hashed)
		row.bucket.misplaced = {};
	row.bucket.apart = !row.counts;
	// What was late in the run before is no doubt of this one.
	if (of_this_run) {
		row.bucket.looked_until = row.looked_until;
		for (std::size_t i = 0; i < comparison_count; ++i) {
			row.bucket.passed_over[i] = row.late[i].left > 0;
			row.bucket.worse_since[i] = row.late[i].worse_since;
		}
	}
	reading.analysis.advance(row.bucket);
}

void
spoil_of_run(const StageReading &reading, StageAnswer &answer) {
	for (const auto &rule : comparison_rules())
		if (reading.no_room >> static_cast<unsigned>(rule.comparison) & 1)
			spoil(answer, rule.comparison,
				  "more units had it in this stage than are kept apart (chat_v11.analysis_units): nobody can tell "
				  "which are new",
				  true);
	for (const auto &rule : comparison_rules())
		if (const auto &late = reading.late[static_cast<std::size_t>(rule.comparison)];
			late.left > 0 && answer.fault.empty())
			spoil(answer, rule.comparison,
				  format_count(static_cast<double>(late.late)) + " of " + format_count(static_cast<double>(late.all)) +
					  " " + std::string(name(late.kind)) + " of " + std::string(name(late.cohort)) + " in the last " +
					  format_duration(late.minutes * std::chrono::minutes(1)) +
					  " came after their bucket was closed: reported late, or in a transaction that stayed open");
	if (reading.hole.left > 0 && reading.newest && answer.fault.empty())
		spoil(answer, "of " + format_duration(reading.hole.buckets * bucket_length) +
						  " of this stage nothing is known: the fold stood still, and the events of then are gone or "
						  "too many to be read; no PASS before " +
						  format_utc(*reading.newest + (reading.hole.left + 1) * bucket_length));
}

const StageReading &
read_stage(Spi &spi, const Run &run, const StageRule &rule, Time now, bool past) {
	auto &slot = kept[past || rule != stage_rule(run.stage)];
	const bool ids_are_hashed = are_ids_hashed(spi, now, past);
	// What was fed once is not fed again; whether it is what this snapshot has, the chain of its last row says.
	bool fits = slot && slot->run.id == run.id && slot->run.evidence_from == run.evidence_from && slot->rule == rule &&
				slot->ids_are_hashed == ids_are_hashed && slot->newest;
	try {
		if (fits) {
			bool first = true;
			each_bucket(spi, *slot->newest, now, [&](std::int64_t run_of_row, BucketRow &&row) {
				check_for_interrupts();
				if (first) {
					first = false;
					return fits = row.bucket.begin == *slot->newest && row.chain == slot->chain;
				}
				if (row.has_baselines && run_of_row == run.id) // which the first bucket already needs
					return fits = false;
				feed(*slot, run_of_row, std::move(row));
				return true;
			});
			fits = fits && !first;
		}
		if (!fits) {
			slot.reset();
			slot.emplace(begin_reading(spi, run, rule, now, past));
			const auto from = begin_late(spi, *slot, now);
			each_bucket(spi, from, now, [&](std::int64_t run_of_row, BucketRow &&row) {
				check_for_interrupts();
				feed(*slot, run_of_row, std::move(row));
				return true;
			});
		}
		slot->run = run;
	} catch (...) {
		slot.reset(); // half of a bucket may have been taken in
		throw;
	}
	return *slot;
}

} // namespace chat_v11::pg
