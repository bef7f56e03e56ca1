#pragma once

// The one door between the gates and the telemetry.  Behind it, this version reads the events themselves; whatever
// reads them faster replaces telemetry.cpp and nothing else.

#include "core/gates.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

// All that evaluate() needs to know of the events up to input.now, with the active snapshot.
Telemetry read_telemetry(Spi &spi, const GateInput &input);

// The same sums over any span (from, to], by cohort.
struct SpanTotals {
	std::array<Totals, cohort_count> totals;
	std::array<Percentiles, cohort_count> percentiles;
};
SpanTotals read_span(Spi &spi, Time from, Time to, const Settings &settings);

} // namespace chat_v11::pg
