// How unlike each other the slices of control are.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_dispersion)

std::vector<SliceCounts>
slices_of(const std::vector<double> &bad, double n) {
	std::vector<SliceCounts> slices;
	for (const double k : bad)
		slices.push_back({n, k});
	return slices;
}

// Spec V12.
BOOST_AUTO_TEST_CASE(vector_12) {
	const auto slices = slices_of({31, 28, 45, 22, 39, 30, 27, 58}, 10'000);
	CHECK_NEAR(chi_square(slices).value(), 27.754282847107734);
	BOOST_TEST(!dispersion_bound(slices).has_value()); // the bound is for 64 of them
}

BOOST_AUTO_TEST_CASE(bound_of_64_slices) {
	std::vector<SliceCounts> slices;
	for (int s = 0; s < 64; ++s)
		slices.push_back({100.0 + s % 7, static_cast<double>((s * s * 5 + 3 * s) % 17)});
	CHECK_NEAR(chi_square(slices).value(), 168.21900616373004);
	CHECK_NEAR(dispersion_bound(slices).value(), 3.4253165038786012);
	// Slices that agree more than chance allows are no reason to believe more.
	for (auto &slice : slices)
		slice = {100, 5};
	slices[0].k = 6;
	BOOST_TEST(dispersion_bound(slices).value() == 1);
}

// P(a, x), by its series (Abramowitz, Stegun 6.5.29).
double
incomplete_gamma(double a, double x) {
	double term = std::exp(a * std::log(x) - x - std::lgamma(a + 1)), sum = term;
	for (int n = 1; n < 1000; ++n)
		sum += term *= x / (a + n);
	return sum;
}

BOOST_AUTO_TEST_CASE(quantiles_are_those_of_ten_percent) {
	BOOST_TEST(dispersion_quantile(63) == 49.1105);
	for (std::size_t degrees = 1; degrees <= 63; ++degrees)
		BOOST_TEST(std::abs(incomplete_gamma(static_cast<double>(degrees) / 2, dispersion_quantile(degrees) / 2) -
							0.1) < 2e-6);
}

// A slice is a hash of the user: with few users some have none.
BOOST_AUTO_TEST_CASE(empty_slices_take_a_degree_of_freedom_each) {
	std::vector<SliceCounts> slices(64);
	const auto some = slices_of({31, 28, 45, 22, 39, 30, 27, 58}, 10'000);
	for (std::size_t s = 0; s < 16; ++s)
		slices[4 * s] = some[s % 8];
	// Twice spec V12, with 15 degrees of freedom.
	CHECK_NEAR(chi_square(slices).value(), 2 * 27.754282847107734);
	CHECK_NEAR(dispersion_bound(slices).value(), 2 * 27.754282847107734 / 8.54676);
	slices[0] = {};
	BOOST_TEST(!dispersion_bound(slices).has_value()); // 15 are too few
}

BOOST_AUTO_TEST_CASE(what_cannot_be_told_is_not_told) {
	const std::vector<SliceCounts> good(64, {100, 5});
	const auto with = [&](SliceCounts odd) {
		auto slices = good;
		slices[17] = odd;
		return dispersion_bound(slices).has_value();
	};
	BOOST_TEST(with({100, 6}));
	BOOST_TEST(with({0, 0})); // nobody of this slice was there
	BOOST_TEST(!with({0, 1}));
	BOOST_TEST(!with({5, 6}));
	BOOST_TEST(!with({nan_value, 1}));
	BOOST_TEST(!with({100, nan_value}));
	BOOST_TEST(!with({inf, 1}));
	BOOST_TEST(!with({100, -1}));
	BOOST_TEST(!with({100, 0.5}));
	BOOST_TEST(!dispersion_bound(std::vector<SliceCounts>(64, {100, 0})).has_value());
	BOOST_TEST(!dispersion_bound(std::vector<SliceCounts>(64, {100, 100})).has_value());
	BOOST_TEST(!dispersion_bound(std::vector<SliceCounts>(63, {100, 5})).has_value());
	BOOST_TEST(!dispersion_bound({}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
