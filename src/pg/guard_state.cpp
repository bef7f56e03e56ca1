#include "pg/guard_state.hpp"

namespace chat_v11::pg {

std::optional<GuardState>
load_guard_state(Spi &spi) {
	if (!OidIsValid(find_table("guard_state")))
		return std::nullopt;
	const auto rows = spi.query("SELECT g.expected, g.expected_since, g.stopped_at, g.stopped_by, g.last_error, "
								"g.last_error_at, g.last_tick FROM chat_v11.guard_state g");
	if (rows.empty())
		return GuardState{};
	return GuardState{*rows.boolean(0, 1), rows.time(0, 2), rows.time(0, 3), rows.text(0, 4).value_or(""),
					  rows.text(0, 5),     rows.time(0, 6), rows.time(0, 7)};
}

void
expect_guard(Spi &spi) {
	spi.execute(
		"UPDATE chat_v11.guard_state SET expected = true, expected_since = $1, stopped_at = NULL, stopped_by = NULL "
		"WHERE NOT expected",
		Params() << now());
}

void
note_guard_error(Spi &spi, const std::string &error, Time at) {
	spi.execute("UPDATE chat_v11.guard_state SET last_error = $1, last_error_at = $2", Params() << error << at);
}

// A scheduler may call every second: a row a minute tells well enough that it does.
void
note_tick(Spi &spi, Time at, const std::string &failure) {
	expect_guard(spi);
	spi.execute("UPDATE chat_v11.guard_state SET last_tick = $1 WHERE last_tick > $1 - interval '50 s' IS NOT TRUE",
				Params() << at);
	if (!failure.empty())
		note_guard_error(spi, failure, at);
}

void
note_stop(Spi &spi, Time at, const std::string &by) {
	spi.execute("UPDATE chat_v11.guard_state SET expected = false, stopped_at = $1, stopped_by = $2", Params()
																										  << at << by);
}

bool
lift_stop(Spi &spi) {
	return spi.execute("UPDATE chat_v11.guard_state SET stopped_at = NULL, stopped_by = NULL "
					   "WHERE stopped_at IS NOT NULL") > 0;
}

} // namespace chat_v11::pg
