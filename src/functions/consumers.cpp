// Who runs which version of the state.

#include "pg/consumers.hpp"
#include "core/refusal.hpp"
#include "pg/store.hpp"

namespace chat_v11 {

CHAT_V11_ENTRY(chat_v11_ack_version) {
	const auto consumer = pg::text_arg(fcinfo, 0);
	if (!consumer || PG_ARGISNULL(1))
		throw invalid_argument(std::string(consumer ? "p_version" : "p_consumer") + " is null", {},
							   "select chat_v11.ack_version('chat-backend-7', version) from "
							   "public.chat_get_v11_rollout_state();");
	// Also where there would be nothing to write: what works on a standby should not depend on the time of day.
	pg::call([] { PreventCommandIfReadOnly("chat_v11.ack_version()"); });
	pg::with_spi(
		[&](pg::Spi &spi) { pg::ack_version(spi, *consumer, PG_GETARG_INT64(1), pg::session_role(), pg::now()); });
	PG_RETURN_VOID();
}

CHAT_V11_ENTRY(chat_v11_consumers) {
	const auto [consumers, present] = pg::with_spi(
		[](pg::Spi &spi) { return std::pair(pg::load_consumers(spi, pg::now()), pg::load_state(spi).state.version); });
	pg::ResultSet results(fcinfo);
	for (const auto &each : consumers) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << each.name << each.version << each.since << each.seen_at << each.role
						   << (each.version == present);
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
