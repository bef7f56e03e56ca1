#include "core/analysis_dispersion.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

// Computed with 30 digits, then rounded to 6.
constexpr double quantiles[] = {
	0.0157908, 0.210721, 0.584374, 1.06362, 1.61031, 2.20413, 2.83311, 3.48954, 4.16816, 4.86518, 5.57778,
	6.3038,    7.0415,   7.78953,  8.54676, 9.31224, 10.0852, 10.8649, 11.6509, 12.4426, 13.2396, 14.0415,
	14.848,    15.6587,  16.4734,  17.2919, 18.1139, 18.9392, 19.7677, 20.5992, 21.4336, 22.2706, 23.1102,
	23.9523,   24.7967,  25.6433,  26.4921, 27.343,  28.1958, 29.0505, 29.9071, 30.7654, 31.6255, 32.4871,
	33.3504,   34.2152,  35.0814,  35.9491, 36.8182, 37.6886, 38.5604, 39.4334, 40.3076, 41.183,  42.0596,
	42.9373,   43.8161,  44.696,   45.577,  46.4589, 47.3418, 48.2257, 49.1105,
};
static_assert(std::size(quantiles) == slice_count - 1);

} // namespace

double
dispersion_quantile(std::size_t degrees) {
	return quantiles[std::clamp<std::size_t>(degrees, 1, std::size(quantiles)) - 1];
}

DispersionSoFar
so_far(std::span<const SliceCounts> slices) {
	DispersionSoFar sum;
	for (const auto &slice : slices) {
		sum.bad += slice.k;
		sum.slices += slice.n > 0 ? 1 : 0;
	}
	return sum;
}

std::optional<double>
chi_square(std::span<const SliceCounts> slices) {
	double n = 0, k = 0;
	for (const auto &slice : slices) {
		if (!is_count(slice.n) || !is_count(slice.k) || slice.k > slice.n)
			return std::nullopt;
		n += slice.n;
		k += slice.k;
	}
	if (k == 0 || k == n)
		return std::nullopt;
	const double q = k / n;
	double x2 = 0;
	for (const auto &slice : slices) {
		if (slice.n == 0)
			continue;
		const double off = slice.k - slice.n * q;
		x2 += off * off / (slice.n * q * (1 - q));
	}
	return x2;
}

std::optional<double>
dispersion_bound(std::span<const SliceCounts> slices) {
	const auto filled = so_far(slices).slices;
	if (slices.size() != slice_count || filled < dispersion_min_slices)
		return std::nullopt;
	const auto x2 = chi_square(slices);
	return x2 ? std::optional(std::max(1.0, *x2 / dispersion_quantile(filled - 1))) : std::nullopt;
}

} // namespace chat_v11::analysis
