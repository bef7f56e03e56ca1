#pragma once

// Sampling in integers only: floating-point functions differ in their last bit between libraries and processors, and
// one such bit would change a microsecond somewhere in a file that a test compares by its hash.

#include <array>
#include <cstdint>

namespace traffic {

// The finaliser of SplitMix64.
constexpr std::uint64_t
mix(std::uint64_t x) {
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

// Every use of randomness has a stream of its own, so that a new one does not shift the others.
enum class Stream : std::uint64_t { user = 1, phase, write, session, occasional, dialog, stall, incident };

// Random numbers that belong to one thing, named by (stream, a, b).  Nothing is carried from one thing to the next: a
// span that begins in the middle sees the very numbers that a longer span sees there.
class Random {
public:
	Random(std::uint64_t seed, Stream stream, std::uint64_t a, std::uint64_t b = 0)
		: state(mix(mix(mix(seed ^ (static_cast<std::uint64_t>(stream) << 56)) + a) + b)) {}

	std::uint64_t
	next() {
		return mix(state += 0x9e3779b97f4a7c15);
	}

	// 0 .. n-1 for an n below 2^32
	std::uint64_t
	below(std::uint64_t n) {
		return ((next() >> 32) * n) >> 32;
	}

	// Log-normal: `median`, in whatever unit, times exp(sigma * z).  `sigma` is in 1/1000; the result is at most `cap`.
	std::int64_t log_normal(std::int64_t median, std::int64_t sigma, std::int64_t cap);

private:
	std::uint64_t state;
};

// How many writes (or session-minutes) have begun before a minute, counted from 1970 on.  It rises by the mean rate
// times the factor of the time of day, which runs linearly from hour to hour.
class Load {
public:
	Load(std::uint64_t per_hour, bool flat);

	// `multiple` counts that many things a write.  Rounding up keeps thing `multiple * k` in the minute of write k.
	std::uint64_t before(std::int64_t minute, std::uint64_t multiple = 1) const;

private:
	std::uint64_t per_hour;
	std::array<std::uint64_t, 1441> so_far; // factor summed over the minutes of the day, in 1/120000
};

// Spreads occasional things evenly: how many of them fall among the first `of` things, at `rate` in a million, when
// `percent` of all things count and of those one in `every`.  Two windows of equal length differ by one at most.
std::uint64_t even_share(std::uint64_t of, std::uint64_t rate, std::uint64_t percent, std::uint64_t every,
						 std::uint64_t phase);

} // namespace traffic
