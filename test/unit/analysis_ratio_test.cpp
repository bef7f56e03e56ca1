// The set of ratios that the counts leave possible, and that its shortcut is none.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_ratio)

struct SetCase {
	const char *what;
	double alpha;
	std::vector<Counts> buckets;
	std::optional<double> low, high;
};

std::ostream &
operator<<(std::ostream &out, const SetCase &c) {
	return out << c.what;
}

const std::vector<SetCase> set_cases = {
	{"spec V7", 0.05, b2, 0.27262693316631441, 0.91700404320467123},
	{"B2 at 99 %", 0.01, b2, 0.25, 1.0},
	{"the specification's example of a reason",
	 0.05,
	 {{41, 9870, 1630, 977100}},
	 1.3542555469368927,
	 4.1770951297096554},
	{"the same at 99 %", 0.01, {{41, 9870, 1630, 977100}}, 1.241857812073484, 4.3620309306610306},
	{"none bad in the canary", 0.05, {{0, 1000, 30, 99000}}, std::nullopt, 12.337686603263527},
	{"none bad in control", 0.05, {{5, 1000, 0, 99000}}, 7.3360323456373699, std::nullopt},
	{"nothing at all", 0.05, {}, std::nullopt, std::nullopt},
	{"no control", 0.05, {{5, 1000, 0, 0}}, std::nullopt, std::nullopt},
};

BOOST_DATA_TEST_CASE(sets, bdata::make(set_cases), c) {
	RatioSet set;
	for (const auto &bucket : c.buckets)
		set.add(bucket);
	const auto interval = set.interval(c.alpha);
	BOOST_TEST(interval.low.has_value() == c.low.has_value());
	BOOST_TEST(interval.high.has_value() == c.high.has_value());
	CHECK_NEAR(interval.low.value_or(0), c.low.value_or(0));
	CHECK_NEAR(interval.high.value_or(0), c.high.value_or(0));
}

// Differences to g = 0; computed apart.
BOOST_AUTO_TEST_CASE(likelihood_of_b2) {
	RatioSet set;
	for (const auto &bucket : b2)
		set.add(bucket);
	const auto l = set.log_likelihood();
	const auto at = [&](int g) { return l[static_cast<size_t>(g + RatioSet::outermost)] - l[RatioSet::outermost]; };
	CHECK_NEAR(at(-80), -58.678283860205374);
	CHECK_NEAR(at(-37), -3.6756166639455036);
	CHECK_NEAR(at(11), -21.53762902922728);
	CHECK_NEAR(at(80), -873.40295351346314);
}

// The shortcut against the sum as the header gives it, for shares from 1e-6 to all but 1e-6.
BOOST_AUTO_TEST_CASE(interpolation_is_exact_to_rounding) {
	std::mt19937_64 random(7);
	std::uniform_real_distribution<double> exponent(-6, 6);
	RatioSet set;
	std::array<double, RatioSet::size> direct{};
	double events = 0;
	for (int i = 0; i < 2000; ++i) {
		const double e = std::pow(10, exponent(random));
		const Counts counts{std::floor(1 + i % 5), std::ceil(1e6 * std::min(e, 1.0)) + 5, std::floor(i % 7),
							std::ceil(1e6 / std::max(e, 1.0)) + 7};
		BOOST_REQUIRE(counts.valid());
		set.add(counts, 1.5);
		events += counts.x + counts.y;
		for (int g = -RatioSet::outermost; g <= RatioSet::outermost; ++g)
			direct[static_cast<size_t>(g + RatioSet::outermost)] +=
				(counts.x * g * std::log(2.0) / 16 -
				 (counts.x + counts.y) * std::log1p(std::exp2(g / 16.0) * counts.n / counts.m)) /
				1.5;
	}
	const auto l = set.log_likelihood();
	for (size_t i = 0; i < l.size(); ++i)
		BOOST_REQUIRE_SMALL((l[i] - l[80]) - (direct[i] - direct[80]), events * 1e-12);
}

BOOST_AUTO_TEST_CASE(against_a_former_rate) {
	RatioSet set;
	set.add_against(300, 10'000, 0.015, 1);
	const auto interval = set.interval();
	BOOST_TEST(*interval.low > 1.5);
	BOOST_TEST(*interval.low < 2);
	BOOST_TEST(*interval.high > 2);
	BOOST_TEST(*interval.high < 2.6);
	// 300 ln rho - 150 rho, from 1 to 2
	const auto l = set.log_likelihood();
	CHECK_NEAR(l[96] - l[80], 300 * std::log(2.0) - 150);
}

BOOST_AUTO_TEST_CASE(nothing_is_ever_infinite) {
	RatioSet set;
	const double ends[] = {0, 1, 1e12, largest_count};
	for (int round = 0; round < 20; ++round)
		for (const double n : ends)
			for (const double m : ends)
				for (const double x : ends)
					for (const double y : ends)
						if (const Counts counts{x, n, y, m}; counts.valid()) {
							set.add(counts);
							set.add_against(x, n, 0.3);
						}
	for (const double l : set.log_likelihood())
		BOOST_REQUIRE(std::isfinite(l));
	const auto interval = set.interval();
	BOOST_TEST(std::isfinite(interval.low.value_or(0)));
	BOOST_TEST(std::isfinite(interval.high.value_or(0)));
	BOOST_TEST((interval.low || interval.high)); // never empty
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
