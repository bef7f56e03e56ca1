#pragma once

// Moments and durations of the rules: microseconds, as PostgreSQL keeps them, and always UTC when shown.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chat_v11 {

using Duration = std::chrono::microseconds;
using Time = std::chrono::sys_time<Duration>;

// "2026-03-01 12:00:00 UTC"; microseconds are shown only where there are any.
std::string format_utc(Time at);

// Whole seconds for people: a begin is shown no later than it was, an end no earlier.
inline Time
floor_second(Time at) {
	return std::chrono::floor<std::chrono::seconds>(at);
}

inline Time
ceil_second(Time at) {
	return std::chrono::ceil<std::chrono::seconds>(at);
}

// "2026-03-01T12:00:00.000000Z": always the same length, for the canonical form of the decision log and for JSON.
std::string format_iso(Time at);

// Reads what format_iso() writes, and nothing else.
std::optional<Time> parse_iso(std::string_view text);

// "29 min 59 s", "12 h", "450 ms"; the two largest units that are not zero.  Negative spans begin with "-".
std::string format_duration(Duration span);

} // namespace chat_v11
