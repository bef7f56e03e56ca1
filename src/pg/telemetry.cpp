#include "pg/telemetry.hpp"

#include <algorithm>
#include <limits>

namespace chat_v11::pg {

namespace {

// Both sides of a window are given, and each kind by name, so that the index on (kind, at) serves.
constexpr const char *count_sql =
	"SELECT e.cohort::text, e.kind::text, floor(extract(epoch FROM $2 - e.at)::float8 / $3)::bigint, count(*), "
	"count(*) FILTER (WHERE e.kind = 'send_stall' AND e.actor IS NULL), "
	// a few actors are enough to tell whether there are three
	"((array_agg(DISTINCT e.actor) FILTER (WHERE e.kind = 'send_stall' AND e.actor IS NOT NULL))[1:3])::text, "
	"max(e.at) "
	"FROM chat_v11.event e WHERE e.kind = ANY ($4::text[]::chat_v11.event_kind[]) AND e.at > $1 AND e.at <= $2 GROUP "
	"BY 1, 2, 3";

constexpr const char *write_sql =
	"SELECT w.cohort::text, floor(extract(epoch FROM $2 - w.settled_at)::float8 / $3)::bigint, count(*), "
	"count(*) FILTER (WHERE NOT w.in_time), count(*) FILTER (WHERE w.duration_ms > $5) "
	"FROM chat_v11.settled_writes($1, $2, $4) w GROUP BY 1, 2";

// The 95th percentile by nearest rank: the ceil(0.95 n)-th smallest.
constexpr const char *receipt_p95_sql =
	"SELECT w.cohort::text, (array_agg(w.duration_ms ORDER BY w.duration_ms))[(95 * count(*) + 99) / 100] "
	"FROM chat_v11.settled_writes($1, $2, $3) w GROUP BY 1";

constexpr const char *recovery_p95_sql =
	"SELECT e.cohort::text, (array_agg(e.value ORDER BY e.value))[(95 * count(*) + 99) / 100] "
	"FROM chat_v11.event e WHERE e.kind = 'recovery_done' AND e.value IS NOT NULL AND e.at > $1 AND e.at <= $2 GROUP "
	"BY 1";

constexpr const char *entry_acks_sql = "SELECT e.cohort::text, count(*) FROM chat_v11.event e "
									   "WHERE e.kind = 'write_ack' AND e.at >= $1 AND e.at <= $2 GROUP BY 1";

constexpr const char *entry_writes_sql =
	"SELECT count(*) FROM (SELECT DISTINCT ON (e.subject) e.subject, e.cohort FROM chat_v11.event e "
	"WHERE e.kind = 'write_ack' AND e.at >= $1 AND e.at <= $2 - $3 ORDER BY e.subject, e.at, e.cohort) w "
	"WHERE w.cohort = 'v11' AND NOT EXISTS (SELECT FROM chat_v11.event b "
	"WHERE b.kind = 'write_ack' AND b.subject = w.subject AND b.at < $1)";

constexpr const char *orphan_sql =
	"SELECT r.cohort::text, count(*) FROM chat_v11.event r WHERE r.kind = 'write_receipt' AND r.at > $1 AND r.at <= $2 "
	"AND NOT EXISTS (SELECT FROM chat_v11.event a WHERE a.kind = 'write_ack' AND a.subject = r.subject) GROUP BY 1";

constexpr const char *last_seen_sql =
	"SELECT k.kind, (SELECT max(e.at) FROM chat_v11.event e WHERE e.kind = k.kind::chat_v11.event_kind AND e.at <= $1) "
	"FROM unnest($2::text[]) k(kind)";

std::string
kind_array() {
	std::string text = "{";
	for (const auto kind : kind_names)
		text += (text.size() > 1 ? "," : "") + std::string(kind);
	return text + "}";
}

size_t
cohort_at(const Rows &rows, std::int64_t row) {
	return static_cast<size_t>(parse_cohort(*rows.text(row, 1)));
}

// "{a,b}" into its elements: uuids need no unquoting.
std::set<std::string>
split_array(const std::optional<std::string> &text) {
	std::set<std::string> elements;
	if (!text || text->size() < 2)
		return elements;
	for (size_t at = 1; at < text->size();) {
		const auto end = std::min(text->find(',', at), text->size() - 1);
		if (end > at)
			elements.insert(text->substr(at, end - at));
		at = end + 1;
	}
	return elements;
}

double
slice_seconds() {
	return std::chrono::duration<double>(slice_length).count();
}

// Sums by minute back from `to`; one slice for all where `whole` is set.
void
read_slices(Spi &spi, Slices &slices, std::array<std::optional<Time>, cohort_count> &newest, Time from, Time to,
			Duration delay, double slow_above, bool whole) {
	const double seconds = whole ? std::numeric_limits<float>::max() : slice_seconds();
	const auto slice_at = [&](const Rows &rows, std::int64_t row, int column) -> Totals & {
		auto &list = slices[cohort_at(rows, row)];
		const auto ago = static_cast<size_t>(whole ? 0 : *rows.bigint(row, column));
		if (ago >= list.size())
			list.resize(ago + 1);
		return list[ago];
	};
	const auto counts = spi.query(count_sql, Params() << from << to << seconds << kind_array());
	for (std::int64_t i = 0; i < counts.size(); ++i) {
		auto &totals = slice_at(counts, i, 3);
		const auto kind = parse_kind(*counts.text(i, 2));
		totals.of(kind) += *counts.bigint(i, 4);
		auto &latest = newest[cohort_at(counts, i)];
		latest = std::max(latest.value_or(*counts.time(i, 7)), *counts.time(i, 7));
		if (kind == Kind::send_stall) {
			totals.anonymous_stalls += *counts.bigint(i, 5);
			totals.stall_actors.merge(split_array(counts.text(i, 6)));
		}
	}
	const auto writes = spi.query(write_sql, Params() << from << to << seconds << delay << slow_above);
	for (std::int64_t i = 0; i < writes.size(); ++i) {
		auto &totals = slice_at(writes, i, 2);
		totals.mature += *writes.bigint(i, 3);
		totals.missing += *writes.bigint(i, 4);
		totals.slow += *writes.bigint(i, 5);
	}
}

std::array<Percentiles, cohort_count>
read_percentiles(Spi &spi, Time from, Time to, Duration delay) {
	std::array<Percentiles, cohort_count> percentiles;
	const auto receipts = spi.query(receipt_p95_sql, Params() << from << to << delay);
	for (std::int64_t i = 0; i < receipts.size(); ++i)
		percentiles[cohort_at(receipts, i)].receipt_p95_ms = receipts.number(i, 2);
	const auto recoveries = spi.query(recovery_p95_sql, Params() << from << to);
	for (std::int64_t i = 0; i < recoveries.size(); ++i)
		percentiles[cohort_at(recoveries, i)].recovery_p95_ms = recoveries.number(i, 2);
	return percentiles;
}

double
slow_limit(const GateInput &input) {
	for (const auto &check : input.checks)
		if (check.metric == "write_receipt_p95_ms" && check.judge == Judge::limit && check.limit)
			return *check.limit;
	return std::numeric_limits<double>::infinity();
}

} // namespace

Telemetry
read_telemetry(Spi &spi, const GateInput &input) {
	Telemetry telemetry;
	const auto delay = maturity_delay(input.settings.report_grace);
	const auto minutes = telemetry_minutes(input);
	for (auto &list : telemetry.slices)
		list.resize(static_cast<size_t>(minutes));
	read_slices(spi, telemetry.slices, telemetry.newest, input.now - std::chrono::minutes(minutes), input.now, delay,
				slow_limit(input), false);
	telemetry.percentiles = read_percentiles(spi, input.now - input.settings.metric_window, input.now, delay);

	if (input.state.live()) {
		const auto entered = *input.state.entered_at;
		const auto acks = spi.query(entry_acks_sql, Params() << entered << input.now);
		for (std::int64_t i = 0; i < acks.size(); ++i)
			telemetry.acks_since_entry[cohort_at(acks, i)] = *acks.bigint(i, 2);
		telemetry.mature_since_entry =
			*spi.query(entry_writes_sql, Params() << entered << input.now << delay).bigint(0, 1);
	}
	const auto seen = spi.query(last_seen_sql, Params() << input.now << kind_array());
	for (std::int64_t i = 0; i < seen.size(); ++i)
		telemetry.last_seen[static_cast<size_t>(parse_kind(*seen.text(i, 1)))] = seen.time(i, 2);
	return telemetry;
}

SpanTotals
read_span(Spi &spi, Time from, Time to, const Settings &settings) {
	SpanTotals span;
	const auto delay = maturity_delay(settings.report_grace);
	Slices slices;
	for (auto &list : slices)
		list.resize(1);
	std::array<std::optional<Time>, cohort_count> ignored;
	read_slices(spi, slices, ignored, from, to, delay, std::numeric_limits<double>::infinity(), true);
	for (size_t cohort = 0; cohort < cohort_count; ++cohort)
		span.totals[cohort] = std::move(slices[cohort].front());
	const auto orphans = spi.query(orphan_sql, Params() << from << to);
	for (std::int64_t i = 0; i < orphans.size(); ++i)
		span.totals[cohort_at(orphans, i)].orphan_receipts = *orphans.bigint(i, 2);
	span.percentiles = read_percentiles(spi, from, to, delay);
	return span;
}

} // namespace chat_v11::pg
