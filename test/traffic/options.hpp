#pragma once

// The command line.

#include <cstdint>
#include <stdexcept>
#include <string>

namespace traffic {

// Microseconds since 1970-01-01 00:00:00 UTC
using Micros = std::int64_t;
inline constexpr Micros second = 1'000'000;
inline constexpr Micros minute_length = 60 * second;

struct Options {
	std::uint64_t seed = 1;
	Micros from = 0; // the span is [from, to)
	Micros to = 0;
	std::uint64_t share = 1; // percent of users in cohort v11; 0 where killed
	Micros share_since = 0;  // since when the share has been as high
	std::uint64_t writes_per_hour = 7000;
	bool flat = false;
	std::uint64_t users = 20'000;
	std::uint64_t sessions_per_write = 4;
	std::uint64_t sparse_control = 1;
	bool paired_control = false;
	bool wobble = false;
	std::uint64_t slow_canary = 100; // percent of the usual latencies
	std::uint64_t slow_all = 100;
	std::uint64_t lose_receipts = 0;
	std::uint64_t late_receipts = 0;
	std::uint64_t duplicates = 0;
	std::uint64_t read_rollbacks = 0;
	std::uint64_t stalls = 0;
	bool help = false;

	Micros
	middle() const {
		return from + (to - from) / 2;
	}
	// How many v11 writes from the middle on the incidents need.
	std::uint64_t writes_harmed() const;
};

// A command line that cannot be followed; the sentence says why.
class BadUsage : public std::runtime_error {
public:
	using std::runtime_error::runtime_error;
};

extern const char *const help_text;

Options parse_options(int count, char **words);

} // namespace traffic
