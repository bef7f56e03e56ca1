// What people ask in an incident: where did this write get stuck, and why are resyncs refused?

#include "core/resync.hpp"
#include "core/trace.hpp"
#include "functions/span.hpp"
#include "pg/rollout.hpp"

namespace chat_v11 {

namespace {

constexpr const char *trace_sql =
	"SELECT e.at, e.kind::text, e.cohort::text, e.actor::text, e.value FROM chat_v11.event e WHERE e.subject = $1 "
	"ORDER BY e.at, e.kind, e.cohort, e.actor, e.value LIMIT $2";

constexpr const char *others_sql =
	"SELECT e.cohort::text, e.kind::text, count(*), max(e.at) FROM chat_v11.event e "
	"WHERE e.at >= $2 AND e.at <= $3 AND e.subject <> $1 AND e.kind = ANY "
	"('{write_ack,write_ledgered,write_stored,write_receipt}'::chat_v11.event_kind[]) GROUP BY 1, 2";

constexpr const char *extent_sql = "SELECT min(e.at), max(e.at) FROM chat_v11.event e";

// The key of a request and of its answer is the subject, or else the actor.
constexpr const char *resync_sql =
	"SELECT e.cohort::text, coalesce(e.subject, e.actor)::text, e.subject IS NULL, e.actor::text, e.kind::text, e.at, "
	"e.value FROM chat_v11.event e WHERE e.at > $1 AND e.at <= $2 AND e.kind = ANY "
	"('{resync_request,resync_range_unavailable,resync_throttled,full_state}'::chat_v11.event_kind[]) "
	"ORDER BY e.cohort, e.subject IS NULL, coalesce(e.subject, e.actor), e.at, e.kind, e.value, e.actor";

std::vector<TracedEvent>
read_trace(pg::Spi &spi, Datum subject) {
	std::vector<TracedEvent> events;
	const auto rows = spi.query(trace_sql, pg::Params().add(UUIDOID, subject) << trace_limit + 1);
	for (std::int64_t i = 0; i < rows.size(); ++i)
		events.push_back({*rows.time(i, 1), parse_kind(*rows.text(i, 2)), parse_cohort(*rows.text(i, 3)),
						  rows.text(i, 4), rows.number(i, 5)});
	return events;
}

void
read_surroundings(pg::Spi &spi, Datum subject, TraceInput &input) {
	const auto anchor = trace_anchor(input.events);
	if (!anchor) {
		const auto rows = spi.query(extent_sql);
		input.oldest = rows.time(0, 1);
		input.newest = rows.time(0, 2);
		return;
	}
	const auto rows =
		spi.query(others_sql, pg::Params().add(UUIDOID, subject) << *anchor - link_window << *anchor + link_window);
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		const auto cohort = static_cast<size_t>(parse_cohort(*rows.text(i, 1)));
		const auto kind = static_cast<size_t>(parse_kind(*rows.text(i, 2)));
		input.others[cohort][kind] = {*rows.bigint(i, 3), rows.time(i, 4)};
	}
}

Datum
uuid_datum(const std::string &text) {
	return pg::call([&] { return DirectFunctionCall1(uuid_in, CStringGetDatum(text.c_str())); });
}

ResyncTotals
read_resyncs(pg::Spi &spi, Time from, Time to) {
	ResyncPairing pairing(from, to);
	std::optional<std::string> subject;
	bool first = true;
	std::string cohort;
	bool by_actor = false;
	// Requests and answers on either side of the span, so that those at its edges find each other.
	spi.for_each(resync_sql, pg::Params() << from - resync_answer_window << to + resync_answer_window,
				 [&](const pg::Rows &rows, std::int64_t i) {
					 const auto key = rows.text(i, 2);
					 const auto its_cohort = *rows.text(i, 1);
					 const bool its_by_actor = *rows.boolean(i, 3);
					 if (first || key != subject || its_cohort != cohort || its_by_actor != by_actor) {
						 pairing.begin_subject(parse_cohort(its_cohort), !key);
						 first = false;
						 subject = key;
						 cohort = its_cohort;
						 by_actor = its_by_actor;
					 }
					 pairing.feed({*rows.time(i, 6), parse_kind(*rows.text(i, 5)), rows.text(i, 4), rows.number(i, 7)});
					 return true;
				 });
	return pairing.finish();
}

} // namespace

CHAT_V11_ENTRY(chat_v11_trace_write) {
	if (PG_ARGISNULL(0))
		throw invalid_argument("p_subject is null", {},
							   "Take a key from: select key, acked_at from chat_v11.missing_receipts();");
	const auto subject = PG_GETARG_DATUM(0);
	const auto input = pg::with_spi([&](pg::Spi &spi) {
		TraceInput in;
		in.now = pg::now();
		in.report_grace = pg::load_gate_input(spi, State{}, in.now).settings.report_grace;
		const char *text = pg::call([&] { return DatumGetCString(DirectFunctionCall1(uuid_out, subject)); });
		in.subject = text;
		in.events = read_trace(spi, subject);
		read_surroundings(spi, subject, in);
		return in;
	});
	pg::ResultSet results(fcinfo);
	for (const auto &traced : trace_write(input)) {
		pg::Row row(results.columns());
		pg::RowWriter out(row);
		out << traced.at << (traced.kind ? std::optional(name(*traced.kind)) : std::nullopt)
			<< (traced.cohort ? std::optional(name(*traced.cohort)) : std::nullopt);
		if (traced.actor)
			out.datum(uuid_datum(*traced.actor));
		else
			out.null();
		out << traced.value << traced.since_previous << traced.since_ack << traced.remark;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

CHAT_V11_ENTRY(chat_v11_resync_report) {
	const auto asked = span_arg(fcinfo, 0, "select * from chat_v11.resync_report(now() - interval '1 hour', now());");
	auto totals =
		pg::with_spi([&](pg::Spi &spi) { return read_resyncs(spi, asked.from, std::min(asked.to, pg::now())); });
	pg::ResultSet results(fcinfo);
	for (const auto &report : resync_rows(std::move(totals))) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << name(report.cohort) << name(report.outcome) << report.requests << report.share
						   << report.p50 << report.p95 << report.p99 << report.max << report.behind_unknown
						   << report.from_zero << report.from_zero_of << report.from_zero_share
						   << report.without_request << report.remark;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
