#pragma once

// A span of time cut into steps of one length.

#include "core/time.hpp"

namespace chat_v11 {

inline constexpr std::int64_t series_row_limit = 100'000;

// (from, to] in steps (from, from + length], ...; the last one ends at `to`, and may be shorter.
struct Steps {
	Time from, to;
	Duration length;

	std::int64_t
	count() const {
		return to > from ? (to - from - Duration(1)) / length + 1 : 0;
	}
	Time
	begin(std::int64_t i) const {
		return from + i * length;
	}
	Time
	end(std::int64_t i) const {
		return i + 1 < count() ? from + (i + 1) * length : to;
	}
};

// The shortest round length that cuts `span` into at most `most` steps.
Duration fitting_step(Duration span, std::int64_t most);

} // namespace chat_v11
