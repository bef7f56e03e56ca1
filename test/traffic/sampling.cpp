#include "sampling.hpp"

#include <algorithm>

namespace traffic {

namespace {

constexpr std::int64_t one = 65536; // fixed point with 16 bits after the point

// 2^x for a fixed-point x, with 30 bits after the point, good to 2e-4: five terms of its power series.
std::int64_t
exp2_fraction(std::int64_t x) {
	// ln(2)^k / k!, the highest first
	constexpr std::array<std::int64_t, 6> terms = {1431680, 10327387, 59597083, 257941248, 744261118, 1073741824};
	std::int64_t sum = 0;
	for (const auto term : terms)
		sum = term + ((sum * x) >> 16);
	return sum;
}

// In 1/1000 of the mean, on the hour: quiet at 04:00 UTC, busiest at 19:00.  They add up to 24,000.
constexpr std::array<std::uint64_t, 24> factors = {700,  530,  430,  370,  350,  400,  520,  700,
												   870,  1000, 1110, 1170, 1220, 1220, 1230, 1260,
												   1300, 1420, 1540, 1600, 1550, 1400, 1180, 930};
constexpr std::uint64_t factor_hour = 60ULL * 120 * 1000; // what `so_far` gains in an hour of factor 1

constexpr std::uint64_t
total(const std::array<std::uint64_t, 24> &values) {
	std::uint64_t sum = 0;
	for (const auto value : values)
		sum += value;
	return sum;
}
static_assert(total(factors) == 24'000);

} // namespace

std::int64_t
Random::log_normal(std::int64_t median, std::int64_t sigma, std::int64_t cap) {
	// Twelve uniform numbers of 16 bits add up to a nearly normal one, whose deviation is 65536: 1 in fixed point.
	// Its tails are a little thin (z = 3.6 instead of 3.7 at 99.99 %) and end at 6.
	std::int64_t z = -12 * (one - 1) / 2;
	for (int word = 0; word < 3; ++word) {
		const auto bits = next();
		for (int shift = 0; shift < 64; shift += 16)
			z += static_cast<std::int64_t>((bits >> shift) & 0xffff);
	}
	constexpr std::int64_t log2_e = 94548; // in fixed point
	const auto exponent = z * sigma / 1000 * log2_e / one;
	const auto whole = exponent >> 16;
	const auto scaled = median * exp2_fraction(exponent & (one - 1));
	return std::min(cap, whole >= 0 ? (scaled << whole) >> 30 : scaled >> (30 - whole));
}

Load::Load(std::uint64_t mean_per_hour, bool flat) : per_hour(mean_per_hour), so_far{} {
	for (size_t minute = 0; minute < 1440; ++minute) {
		const auto here = factors[minute / 60], next = factors[(minute / 60 + 1) % 24];
		const auto past = minute % 60;
		so_far[minute + 1] = so_far[minute] + (flat ? 120'000 : here * (119 - 2 * past) + next * (2 * past + 1));
	}
}

std::uint64_t
Load::before(std::int64_t minute, std::uint64_t multiple) const {
	const auto day = static_cast<std::uint64_t>(minute) / 1440, rest = static_cast<std::uint64_t>(minute) % 1440;
	const auto rate = per_hour * multiple;
	return rate * 24 * day + (rate * so_far[rest] + factor_hour - 1) / factor_hour;
}

std::uint64_t
even_share(std::uint64_t of, std::uint64_t rate, std::uint64_t percent, std::uint64_t every, std::uint64_t phase) {
	using Wide = unsigned __int128;
	const Wide whole = static_cast<Wide>(100'000'000) * every;
	return static_cast<std::uint64_t>((static_cast<Wide>(of) * rate * percent + ((whole * phase) >> 64)) / whole);
}

} // namespace traffic
