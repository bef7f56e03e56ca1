// Folding by hand or by a scheduler, and how far it has come.

#include "pg/fold.hpp"
#include "core/refusal.hpp"
#include "pg/analysis_close.hpp"
#include "pg/on_commit.hpp"
#include "pg/recovery.hpp"
#include "pg/ring_reader.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"
#include "pg/telemetry.hpp"
#include "pg/trigger.hpp"

namespace chat_v11 {

CHAT_V11_ENTRY(chat_v11_fold) {
	std::optional<std::int64_t> limit;
	if (!PG_ARGISNULL(0)) {
		limit = PG_GETARG_INT64(0);
		if (*limit < 1)
			throw invalid_argument("p_limit must be at least 1", {}, "select chat_v11.fold();");
	}
	const auto folded = pg::fold(limit);
	if (!folded)
		pg::tell(NOTICE, "another session is folding", "Nothing was left to do for this one.",
				 "select * from chat_v11.fold_status();");
	else {
		if (const auto trouble = pg::try_to_close_buckets(pg::close_by_hand_ms).trouble; !trouble.empty())
			pg::tell(WARNING, pg::closes_none(trouble), {}, "select * from chat_v11.explain_gates();");
		pg::empty_admissions_at_commit();
	}
	return Int64GetDatum(folded.value_or(0));
}

CHAT_V11_ENTRY(chat_v11_fold_status) {
	const auto status = pg::with_spi([](pg::Spi &spi) { return pg::read_fold_status(spi); });
	pg::Row row(pg::result_columns(fcinfo));
	pg::RowWriter out(row);
	out << status.tail_events << status.lag_seconds << status.last_fold << status.folded << status.tail_pages
		<< status.held_pages << status.pending_writes << status.open_round << status.pid << status.event_bytes
		<< status.bucket_bytes << status.write_bytes;
	return pg::return_row(fcinfo, row);
}

// What a dump leaves out: see sql/install/20_tables.sql.
CHAT_V11_ENTRY(chat_v11_is_folded) {
	const auto leaf = PG_GETARG_OID(0);
	const auto *at = reinterpret_cast<ItemPointer>(PG_GETARG_POINTER(1));
	const auto xid = DatumGetTransactionId(PG_GETARG_DATUM(2));
	return BoolGetDatum(pg::is_folded(leaf, ItemPointerGetBlockNumber(at), xid));
}

CHAT_V11_ENTRY(chat_v11_fold_only) {
	const pg::TriggerCall trigger(fcinfo);
	if (!pg::is_folding() && !(std::string_view(trigger.operation()) == "INSERT" && pg::is_restoring()))
		throw append_only("chat_v11." + trigger.table() + " is written by chat_v11.fold() only", {},
						  "select chat_v11.fold();");
	return PointerGetDatum(nullptr);
}

CHAT_V11_ENTRY(chat_v11_missing_receipts) {
	constexpr std::int64_t usual = 50;
	constexpr std::int64_t most = 500;
	const auto limit = PG_ARGISNULL(0) ? usual : std::clamp<std::int64_t>(PG_GETARG_INT32(0), 1, most);
	const auto now = pg::now();
	const auto list = pg::with_spi([&](pg::Spi &spi) {
		const auto input = pg::load_gate_input(spi, State{}, now);
		return pg::read_missing(spi, now, input.settings, limit);
	});
	pg::ResultSet results(fcinfo);
	for (const auto &write : list) {
		pg::Row row(results.columns());
		pg::RowWriter out(row);
		out << write.key << write.actor << write.acked_at << write.late_receipt_at.value_or(now) - write.acked_at
			<< write.late_receipt_at;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
