#pragma once

// Histograms for tests, and the numbers around their edges.

#include "core/histogram.hpp"

#include "fixture.hpp"

#include <cmath>
#include <limits>
#include <random>

namespace chat_v11 {

inline std::ostream &
boost_test_print_type(std::ostream &out, const Histogram &histogram) {
	return out << histogram.to_text();
}

} // namespace chat_v11

namespace chat_v11::test {

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
inline constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

inline double
after(double value) {
	return std::nextafter(value, inf);
}
inline double
before(double value) {
	return std::nextafter(value, 0);
}

inline Histogram
random_histogram(std::mt19937_64 &random, int values, int bins = Histogram::bin_count) {
	Histogram histogram;
	std::uniform_int_distribution<int> bin(0, bins - 1);
	std::geometric_distribution<std::int64_t> count(0.2);
	for (int i = 0; i < values; ++i)
		histogram.add_bin(bin(random), 1 + count(random));
	return histogram;
}

} // namespace chat_v11::test
