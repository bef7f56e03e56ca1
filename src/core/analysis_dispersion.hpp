#pragma once

// Dispersion: how much more the slices of control differ from each other than independent events would.  Where one unit
// has many durations, evidence is divided by an upper bound of it.

#include "core/analysis_bucket.hpp"

#include <span>

namespace chat_v11::analysis {

// The 10 % point of chi-square with this many degrees of freedom, 1 to 63: X2 divided by it is a bound that the true
// dispersion exceeds one time in ten.  The solution c of P(df/2, c/2) = 0.1, P being the regularised lower incomplete
// gamma function (Abramowitz, Stegun 26.4.19); 49.1105 for the 63 of 64 slices.
double dispersion_quantile(std::size_t degrees);

// A bound from fewer slices than these would say little; one from fewer bad durations, hardly anything: in simulations
// of independent durations X2 lies below its 10 % point 10 % of the time from about 20 on where slices are even, and
// 20 % where they are very uneven.
inline constexpr std::size_t dispersion_min_slices = 16;
inline constexpr double dispersion_min_bad = 30;

// X2 = sum of (k_s - n_s*q)^2 / (n_s*q*(1-q)), q = sum of k / sum of n, over the slices that have durations.  Nothing
// where it cannot be told: a count that is none, none of them bad or all.
std::optional<double> chi_square(std::span<const SliceCounts> slices);

// phiU = max(1, X2 / the quantile for the slices that have durations, less one); only of 64 slices.
std::optional<double> dispersion_bound(std::span<const SliceCounts> slices);

// What there is of what an estimate wants.
struct DispersionSoFar {
	double bad = 0;
	std::size_t slices = 0; // that have durations
	bool
	enough() const {
		return bad >= dispersion_min_bad && slices >= dispersion_min_slices;
	}
};
DispersionSoFar so_far(std::span<const SliceCounts> slices);

} // namespace chat_v11::analysis
