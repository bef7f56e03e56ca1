#include "pg/bucket_store.hpp"

#include "core/refusal.hpp"
#include "core/varint.hpp"

#include <algorithm>

namespace chat_v11::pg {

namespace {

Oid
histogram_type() {
	return call([] {
		return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("histogram"),
							   ObjectIdGetDatum(get_namespace_oid("chat_v11", false)));
	});
}

// The type's stored form is what encode() makes, so bytes are taken as they are.
void
put_histogram(Params &params, const Histogram &histogram, Oid type) {
	if (histogram.empty())
		params.add(type, Datum{}, true);
	else
		params.bytes(histogram.encode(), type);
}

Histogram
histogram_at(const Rows &rows, std::int64_t row, int column) {
	const auto bytes = rows.bytes(row, column);
	try {
		return bytes ? Histogram::decode(*bytes) : Histogram();
	} catch (const Refusal &e) {
		throw CorruptBytes(e.what());
	}
}

std::int64_t
minute_at(const Rows &rows, std::int64_t row, int column) {
	return minute_of(write_second(*rows.time(row, column)));
}

Cells
cells_at(const Rows &rows, std::int64_t row, int column) {
	const auto bytes = rows.bytes(row, column);
	return bytes ? Cells::decode(*bytes) : Cells();
}

std::int64_t
sum_of(Cells &cells, std::uint32_t which) {
	std::int64_t sum = 0;
	for (const auto &cell : cells.all())
		if (cell.field() == which)
			sum += cell.count;
	return sum;
}

void
put_cells(Params &params, Cells &cells) {
	if (cells.all().empty())
		params.add(BYTEAOID, Datum{}, true);
	else
		params.bytes(cells.encode(), BYTEAOID);
}

} // namespace

void
add_to_buckets(Spi &spi, const EventSums &sums) {
	const auto type = histogram_type();
	for (const auto &bucket : sums.buckets()) {
		check_for_interrupts();
		const ScratchMemory scratch;
		const auto at = minute_start(bucket.minute);
		auto count = bucket.count;
		auto sum = bucket.sum;
		auto newest = bucket.newest;
		auto histogram = bucket.values;
		auto actors = bucket.actors;
		Cells cells = bucket.cells();
		const auto known = spi.query_latest(
			"SELECT b.count, b.sum, b.newest, b.histogram, b.seconds, b.detail, b.actors FROM chat_v11.metric_bucket b "
			"WHERE b.at = $1 AND b.kind = $2::chat_v11.event_kind AND b.cohort = $3::chat_v11.cohort AND b.node_id = 0",
			Params() << at << name(bucket.kind) << name(bucket.cohort));
		if (!known.empty()) {
			count += *known.bigint(0, 1);
			sum += *known.number(0, 2);
			newest = std::max(newest, *known.time(0, 3));
			histogram += histogram_at(known, 0, 4);
			cells.add(cells_at(known, 0, 5));
			cells.add(cells_at(known, 0, 6));
			for (const auto &actor : decode_actors(known.bytes(0, 7).value_or("")))
				add_actor(actors, actor);
		}
		auto [seconds, detail] = cells.split();
		Params params;
		params << at << name(bucket.kind) << name(bucket.cohort) << count << sum << newest;
		put_histogram(params, histogram, type);
		put_cells(params, seconds);
		put_cells(params, detail);
		if (actors.empty())
			params.add(BYTEAOID, Datum{}, true);
		else
			params.bytes(encode(actors), BYTEAOID);
		if (known.empty())
			spi.execute("INSERT INTO chat_v11.metric_bucket (at, kind, cohort, count, sum, newest, histogram, seconds, "
						"detail, actors) VALUES ($1, $2::chat_v11.event_kind, $3::chat_v11.cohort, $4, $5, $6, $7, $8, "
						"$9, $10)",
						std::move(params));
		else
			spi.execute("UPDATE chat_v11.metric_bucket b SET count = $4, sum = $5, newest = $6, histogram = $7, "
						"seconds = $8, detail = $9, actors = $10 WHERE b.at = $1 AND b.kind = $2::chat_v11.event_kind "
						"AND b.cohort = $3::chat_v11.cohort AND b.node_id = 0",
						std::move(params));
	}
}

void
add_to_buckets(Spi &spi, WriteSums &sums, double slow_limit) {
	const auto type = histogram_type();
	for (auto &[key, added] : sums) {
		check_for_interrupts();
		if (added.all().empty())
			continue;
		const ScratchMemory scratch;
		const auto at = minute_start(key.minute);
		Cells cells = added;
		Histogram histogram;
		const auto known = spi.query_latest("SELECT b.histogram, b.seconds, b.detail, b.slow_limit FROM "
											"chat_v11.write_bucket b WHERE b.at = $1 AND b.cohort = "
											"$2::chat_v11.cohort AND b.node_id = 0",
											Params() << at << name(key.cohort));
		if (!known.empty()) {
			histogram = histogram_at(known, 0, 1);
			cells.add(cells_at(known, 0, 2));
			auto detail = cells_at(known, 0, 3);
			cells.add(detail);
			if (*known.number(0, 4) != slow_limit) {
				// The limit has changed since: count again from the histogram by second.
				Cells again;
				for (const auto &cell : cells.all())
					if (cell.field() == field::slow)
						again.add(cell.second(), field::slow, -cell.count);
					else if (cell.field() >= field::first_bin &&
							 bin_exceeds(static_cast<int>(cell.field() - field::first_bin), slow_limit))
						again.add(cell.second(), field::slow, cell.count);
				cells.add(again);
			}
		}
		// A bucket that was dropped, being past its retention, has nothing that could be taken back.
		cells.drop_negative();
		for (const auto &cell : added.all())
			if (cell.field() >= field::first_bin) {
				const auto bin = static_cast<int>(cell.field() - field::first_bin);
				histogram.add_bin(bin, std::max(cell.count, -histogram.count_of(bin)));
			}
		auto [seconds, detail] = cells.split();
		Params params;
		params << at << name(key.cohort) << sum_of(seconds, field::count) << sum_of(seconds, field::in_time)
			   << sum_of(seconds, field::answered) << sum_of(seconds, field::orphans);
		put_histogram(params, histogram, type);
		put_cells(params, seconds);
		put_cells(params, detail);
		params << slow_limit;
		if (known.empty())
			spi.execute(
				"INSERT INTO chat_v11.write_bucket (at, cohort, writes, in_time, answered, orphans, histogram, "
				"seconds, detail, slow_limit) VALUES ($1, $2::chat_v11.cohort, $3, $4, $5, $6, $7, $8, $9, $10)",
				std::move(params));
		else
			spi.execute("UPDATE chat_v11.write_bucket b SET writes = $3, in_time = $4, answered = $5, orphans = $6, "
						"histogram = $7, seconds = $8, detail = $9, slow_limit = $10 WHERE b.at = $1 AND b.cohort = "
						"$2::chat_v11.cohort AND b.node_id = 0",
						std::move(params));
	}
}

void
each_event_bucket(Spi &spi, std::int64_t first, std::int64_t last, const EventBucketVisitor &f) {
	const auto rows = spi.query("SELECT b.at, b.cohort, b.kind, b.newest, b.seconds, b.actors FROM "
								"chat_v11.metric_bucket b WHERE b.at BETWEEN $1 AND $2",
								Params() << minute_start(first) << minute_start(last));
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		auto cells = cells_at(rows, i, 5);
		f(minute_at(rows, i, 1), static_cast<Cohort>(*rows.character(i, 2)), static_cast<Kind>(*rows.character(i, 3)),
		  *rows.time(i, 4), cells, decode_actors(rows.bytes(i, 6).value_or("")));
	}
}

void
each_write_bucket(Spi &spi, std::int64_t first, std::int64_t last, const WriteBucketVisitor &f) {
	const auto rows = spi.query("SELECT b.at, b.cohort, b.slow_limit, b.seconds FROM chat_v11.write_bucket b "
								"WHERE b.at BETWEEN $1 AND $2",
								Params() << minute_start(first) << minute_start(last));
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		auto cells = cells_at(rows, i, 4);
		f(minute_at(rows, i, 1), static_cast<Cohort>(*rows.character(i, 2)), *rows.number(i, 3), cells);
	}
}

Histogram
sum_write_histograms(Spi &spi, std::int64_t first, std::int64_t last, Cohort cohort) {
	Histogram sum;
	if (first > last)
		return sum;
	const auto rows = spi.query("SELECT b.histogram FROM chat_v11.write_bucket b WHERE b.at BETWEEN $1 AND $2 AND "
								"b.cohort = $3::chat_v11.cohort AND b.histogram IS NOT NULL",
								Params() << minute_start(first) << minute_start(last) << name(cohort));
	for (std::int64_t i = 0; i < rows.size(); ++i)
		sum += histogram_at(rows, i, 1);
	return sum;
}

Cells
write_detail(Spi &spi, std::int64_t minute, Cohort cohort) {
	const auto rows = spi.query("SELECT b.detail FROM chat_v11.write_bucket b WHERE b.at = $1 AND "
								"b.cohort = $2::chat_v11.cohort",
								Params() << minute_start(minute) << name(cohort));
	Cells cells;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		cells.add(cells_at(rows, i, 1));
	return cells;
}

void
each_value_detail(Spi &spi, std::int64_t first, std::int64_t last, Kind kind, const EventBucketVisitor &f) {
	const auto rows = spi.query("SELECT b.at, b.cohort, b.newest, b.detail FROM chat_v11.metric_bucket b WHERE b.at "
								"BETWEEN $1 AND $2 AND b.kind = $3::chat_v11.event_kind AND b.detail IS NOT NULL",
								Params() << minute_start(first) << minute_start(last) << name(kind));
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		auto cells = cells_at(rows, i, 4);
		f(minute_at(rows, i, 1), static_cast<Cohort>(*rows.character(i, 2)), kind, *rows.time(i, 3), cells, {});
	}
}

void
SinceEntry::add_events(Cohort cohort, Kind kind, std::int64_t minute, Cells &cells, std::int64_t since,
					   const SliceFrame *until) {
	if (kind != Kind::write_ack)
		return;
	for (const auto &cell : cells.all())
		if (const auto second = minute * 60 + cell.second();
			cell.field() == field::count && second >= since && (!until || until->reaches(second)))
			acks[static_cast<size_t>(cohort)] += cell.count;
}

void
SinceEntry::add_writes(Cohort cohort, std::int64_t minute, Cells &cells, std::int64_t since, const SliceFrame *until) {
	if (cohort != Cohort::v11)
		return;
	for (const auto &cell : cells.all())
		if (const auto second = minute * 60 + cell.second();
			cell.field() == field::count && second >= since && (!until || until->reaches(second + until->delay)))
			writes += cell.count;
}

SinceEntry
count_since(Spi &spi, std::int64_t since) {
	SinceEntry sums;
	const auto first = minute_of(since);
	// The minute that the stage was entered in by its seconds, those after it whole.
	const auto acks = spi.query("SELECT b.cohort, sum(b.count)::bigint FROM chat_v11.metric_bucket b WHERE b.at > $1 "
								"AND b.kind = 'write_ack' GROUP BY 1",
								Params() << minute_start(first));
	for (std::int64_t i = 0; i < acks.size(); ++i)
		sums.acks[static_cast<size_t>(*acks.character(i, 1))] += *acks.bigint(i, 2);
	const auto writes = spi.query("SELECT coalesce(sum(b.writes), 0)::bigint FROM chat_v11.write_bucket b "
								  "WHERE b.at > $1 AND b.cohort = 'v11'",
								  Params() << minute_start(first));
	sums.writes += *writes.bigint(0, 1);
	each_event_bucket(spi, first, first,
					  [&](std::int64_t minute, Cohort cohort, Kind kind, Time, Cells &cells,
						  const std::vector<ActorAt> &) { sums.add_events(cohort, kind, minute, cells, since); });
	each_write_bucket(spi, first, first, [&](std::int64_t minute, Cohort cohort, double, Cells &cells) {
		sums.add_writes(cohort, minute, cells, since);
	});
	return sums;
}

SinceEntry
count_between(Spi &spi, std::int64_t since, const SliceFrame &until) {
	SinceEntry sums;
	each_event_bucket(
		spi, minute_of(since), minute_of(until.end),
		[&](std::int64_t minute, Cohort cohort, Kind kind, Time, Cells &cells, const std::vector<ActorAt> &) {
			sums.add_events(cohort, kind, minute, cells, since, &until);
		});
	each_write_bucket(spi, minute_of(since), minute_of(until.end),
					  [&](std::int64_t minute, Cohort cohort, double, Cells &cells) {
						  sums.add_writes(cohort, minute, cells, since, &until);
					  });
	return sums;
}

} // namespace chat_v11::pg
