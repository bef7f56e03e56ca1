#pragma once

// The one door between the gates and the telemetry.  Behind it stand the buckets and, in the same snapshot, whatever
// they do not hold yet: docs/design.md.

#include "core/gates.hpp"
#include "pg/spi.hpp"

#include <memory>

namespace chat_v11::pg {

// All that evaluate() needs to know of the events up to input.now, with the active snapshot.
Telemetry read_telemetry(Spi &spi, const GateInput &input);

// The same sums over any span (from, to], by cohort.  Both ends are taken down to a whole second; but what lies within
// the last second before `now`, or behind it, is `now`.
struct SpanTotals {
	std::array<Totals, cohort_count> totals;
	std::array<Percentiles, cohort_count> percentiles;
};
class SpanReader {
public:
	// Reads what no bucket holds yet, once for all spans.
	SpanReader(Spi &spi, Time now, const Settings &settings);
	SpanTotals read(Spi &spi, Time from, Time to) const;

private:
	std::shared_ptr<struct Rest> rest_;
	Time now_;
	Settings settings_;
};

// Mature writes of v11 in the last 24 h that were not answered in time, newest first.
struct MissingReceipt {
	Uuid key;
	std::optional<Uuid> actor;
	Time acked_at;
	std::optional<Time> late_receipt_at;
};
std::vector<MissingReceipt> read_missing(Spi &spi, Time now, const Settings &settings, std::int64_t limit);
// Of those that were acknowledged in [from, to), as long as chat_v11.write_retention keeps them.
std::vector<MissingReceipt> read_missing(Spi &spi, Time now, const Settings &settings, Time from, Time to,
										 std::int64_t limit);

} // namespace chat_v11::pg
