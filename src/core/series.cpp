#include "core/series.hpp"

namespace chat_v11 {

using namespace std::chrono_literals;

Duration
fitting_step(Duration span, std::int64_t most) {
	static constexpr Duration round[] = {1s,    2s,    5s,    10s, 15s, 30s, 1min, 2min, 5min,
										 10min, 15min, 30min, 1h,  2h,  3h,  6h,   12h};
	for (const auto length : round)
		if (Steps{Time(), Time() + span, length}.count() <= most)
			return length;
	// Whole days, rounded up.
	return std::chrono::ceil<std::chrono::days>(Duration((span.count() + most - 1) / most));
}

} // namespace chat_v11
