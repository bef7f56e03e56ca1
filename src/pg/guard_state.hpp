#pragma once

// chat_v11.guard_state, its one row: what outlives a guard.  Written when something changes, never by each round.

#include "pg/spi.hpp"

namespace chat_v11::pg {

struct GuardState {
	bool expected = false;              // one was at work, and nobody stopped it
	std::optional<Time> expected_since; // by the rule clock, which the gate log has too
	std::optional<Time> stopped_at;
	std::string stopped_by;
	std::optional<std::string> last_error = {};
	std::optional<Time> last_error_at = {};
	std::optional<Time> last_tick = {};
};
// Nothing where the extension is of a version without a guard.
std::optional<GuardState> load_guard_state(Spi &spi);

void expect_guard(Spi &spi);
void note_tick(Spi &spi, Time at, const std::string &failure);
void note_guard_error(Spi &spi, const std::string &error, Time at);
void note_stop(Spi &spi, Time at, const std::string &by);
bool lift_stop(Spi &spi); // whether there was one

} // namespace chat_v11::pg
