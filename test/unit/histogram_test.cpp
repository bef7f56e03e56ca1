// The histogram: its edges, its error, that it adds up in any order, and what is read from it.

#include "histogram_fixture.hpp"

#include <map>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(histogram)

// ---- Layout ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_value_at_an_edge_belongs_to_the_bin_below) {
	BOOST_TEST(Histogram::lower(0) == 0);
	for (int bin = 0; bin < Histogram::bin_count; ++bin) {
		const double edge = Histogram::upper(bin);
		BOOST_TEST_CONTEXT("edge " << edge) {
			BOOST_REQUIRE_EQUAL(Histogram::bin_of(edge), bin);
			BOOST_REQUIRE_EQUAL(Histogram::bin_of(before(edge)), bin);
			BOOST_REQUIRE_EQUAL(Histogram::bin_of(after(edge)), std::min(bin + 1, Histogram::bin_count - 1));
			BOOST_REQUIRE(Histogram::is_edge(edge));
			BOOST_REQUIRE(!Histogram::is_edge(before(edge)));
			BOOST_REQUIRE(!Histogram::is_edge(after(edge)));
			if (bin > 0)
				BOOST_REQUIRE_EQUAL(Histogram::lower(bin), Histogram::upper(bin - 1));
		}
	}
}

struct EdgeCase {
	double value;
	int bin;
	double low, high;
};

std::ostream &
operator<<(std::ostream &out, const EdgeCase &c) {
	return out << c.value;
}

// Each kind of width, each change of width, both ends.
const std::vector<EdgeCase> edge_cases = {
	{0, 0, 0, 0.01},
	{-0.0, 0, 0, 0.01},
	{std::numeric_limits<double>::denorm_min(), 0, 0, 0.01},
	{0.01, 0, 0, 0.01},
	{after(0.01), 1, 0.01, 0.0102},
	{1, 350, 0.995 - 0.005, 1},
	{1.01, 351, 1, 1.02},
	{2.49, 425, 2.48, 2.5},
	{2.5, 425, 2.48, 2.5},
	{2.51, 426, 2.5, 2.55},
	{5, 475, 4.95, 5},
	{5.05, 476, 5, 5.1},
	{9.95, 525, 9.9, 10},
	{10.1, 526, 10, 10.2},
	{350, 350 + 2 * 175 + 75 + 20, 345, 350},
	{1500, 350 + 3 * 175 + 25, 1480, 1500},
	{2000, 350 + 3 * 175 + 50, 1980, 2000},
	{after(2000), 350 + 3 * 175 + 51, 2000, 2020},
	{1e9, 1925, 0.99e9, 1e9},
	{after(1e9), 1925, 0.99e9, 1e9},
	{1e300, 1925, 0.99e9, 1e9},
	{inf, 1925, 0.99e9, 1e9},
};

BOOST_DATA_TEST_CASE(bins_are_where_the_layout_says, bdata::make(edge_cases), c) {
	const int bin = Histogram::bin_of(c.value);
	BOOST_TEST(bin == c.bin);
	BOOST_TEST(Histogram::lower(bin) == c.low);
	BOOST_TEST(Histogram::upper(bin) == c.high);
	Histogram histogram;
	histogram.add(c.value);
	BOOST_TEST(histogram.quantile(0.5).value() == Histogram::middle(bin));
}

// The limits that people type; read from text, as the server reads them.
BOOST_AUTO_TEST_CASE(each_number_of_two_digits_is_an_edge) {
	for (int exponent = -2; exponent < 9; ++exponent)
		for (int digits = 10; digits < 100; ++digits) {
			const auto text = std::to_string(digits) + "e" + std::to_string(exponent - 1);
			const double value = std::stod(text);
			BOOST_TEST_CONTEXT(text)
			BOOST_REQUIRE(value == 0.01 || Histogram::is_edge(value));
		}
	for (const double other : {0.0, -1.0, 0.005, 1.01, 101.0, 2020.5, 2e9, inf, nan_value})
		BOOST_TEST(!Histogram::is_edge(other));
}

BOOST_AUTO_TEST_CASE(edges_around_a_value) {
	const auto is = [](double value, double low, double high) {
		const auto edges = Histogram::edges_around(value);
		BOOST_TEST(edges.below == low);
		BOOST_TEST(edges.above == high);
	};
	is(0, 0, 0.01);
	is(0.01, 0.01, 0.01);
	is(181, 180, 182);
	is(182, 182, 182);
	is(after(182), 182, 184);
	is(1e9, 1e9, 1e9);
	is(2e9, 1e9, 1e9);
}

// 1 ms to 1 h is what is promised; the layout keeps it from 0.01 ms to 1e9 ms.
BOOST_AUTO_TEST_CASE(the_error_is_below_one_percent) {
	std::mt19937_64 random(1);
	std::uniform_real_distribution<double> exponent(std::log(1.0), std::log(3'600'000.0));
	double worst = 0;
	for (int i = 0; i < 100'000; ++i) {
		const double value = std::exp(exponent(random));
		worst = std::max(worst, std::abs(Histogram::middle(Histogram::bin_of(value)) - value) / value);
	}
	BOOST_TEST(worst <= 0.01);
	BOOST_TEST(worst > 0.0099); // as wide as may be
	for (int bin = 1; bin < Histogram::bin_count; ++bin)
		for (const double value : {after(Histogram::lower(bin)), Histogram::upper(bin)})
			BOOST_REQUIRE(std::abs(Histogram::middle(bin) - value) <= value * 0.01 * (1 + 1e-12));
}

BOOST_DATA_TEST_CASE(what_is_no_duration_is_refused, bdata::make({-1.0, -1e-300, -inf, nan_value}), value) {
	Histogram histogram;
	BOOST_TEST(refusal_of([&] { histogram.add(value); }).token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(histogram.empty());
}

// ---- Counting -------------------------------------------------------------------------------------------------------

// Against a map, through both of its forms.
BOOST_AUTO_TEST_CASE(counts_and_takes_back) {
	std::mt19937_64 random(2);
	for (const int bins : {1, 40, 64, 65, 200, Histogram::bin_count}) {
		Histogram histogram;
		std::map<int, std::int64_t> expected;
		std::int64_t total = 0;
		std::uniform_int_distribution<int> any(0, bins - 1);
		for (int i = 0; i < 3000; ++i) {
			const int bin = Histogram::bin_count - 1 - any(random);
			if (random() % 3 == 0 && expected[bin] > 0) {
				const auto n = 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(expected[bin]));
				histogram.add_bin(bin, -n);
				expected[bin] -= n;
				total -= n;
			} else {
				const auto n = static_cast<std::int64_t>(random() % 5);
				histogram.add_bin(bin, n);
				expected[bin] += n;
				total += n;
			}
		}
		std::erase_if(expected, [](const auto &each) { return each.second == 0; });
		std::map<int, std::int64_t> found;
		histogram.for_each([&](int bin, std::int64_t n) { found[bin] = n; });
		BOOST_TEST(histogram.count() == total);
		BOOST_TEST((found == expected));
		for (const auto &[bin, n] : expected)
			histogram.add_bin(bin, -n);
		BOOST_TEST(histogram.empty());
		BOOST_TEST((histogram == Histogram()));
		BOOST_TEST(histogram.encode() == Histogram().encode());
	}
}

BOOST_AUTO_TEST_CASE(merging_is_commutative_and_associative_to_the_bit) {
	std::mt19937_64 random(3);
	for (int i = 0; i < 300; ++i) {
		const auto size = [&] { return static_cast<int>(random() % (i % 3 == 0 ? 10 : i % 3 == 1 ? 100 : 3000)); };
		const auto a = random_histogram(random, size());
		const auto b = random_histogram(random, size(), 300);
		const auto c = random_histogram(random, size(), 50);
		const auto plus = [](Histogram x, const Histogram &y) { return x += y; };
		BOOST_REQUIRE(plus(a, b) == plus(b, a));
		BOOST_REQUIRE(plus(a, b).encode() == plus(b, a).encode());
		BOOST_REQUIRE(plus(plus(a, b), c).encode() == plus(a, plus(b, c)).encode());
		BOOST_REQUIRE(plus(a, Histogram()).encode() == a.encode());
		BOOST_REQUIRE_EQUAL(plus(a, b).count(), a.count() + b.count());
		auto back = plus(a, b);
		back -= b;
		BOOST_REQUIRE(back == a);
		BOOST_REQUIRE(back.encode() == a.encode());
		BOOST_REQUIRE(b.empty() || plus(a, b) != a);
		auto twice = a;
		twice += twice;
		BOOST_REQUIRE(twice == plus(a, a));
		twice -= twice;
		BOOST_REQUIRE(twice.empty());
	}
}

BOOST_AUTO_TEST_CASE(what_cannot_be_counted_changes_nothing) {
	Histogram histogram;
	histogram.add_bin(7, most - 1);
	histogram.add_bin(8, 1);
	const auto full = histogram;
	BOOST_TEST(refusal_of([&] { histogram.add(1); }).token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(refusal_of([&] { histogram += full; }).token() == "ERR_INVALID_ARGUMENT");
	BOOST_CHECK_THROW(histogram.add_bin(8, -2), std::logic_error);
	BOOST_CHECK_THROW(histogram.add_bin(9, -1), std::logic_error);
	BOOST_CHECK_THROW(histogram.add_bin(9, std::numeric_limits<std::int64_t>::min()), std::logic_error);
	BOOST_CHECK_THROW(histogram.add_bin(-1, 1), std::out_of_range);
	BOOST_CHECK_THROW(histogram.add_bin(Histogram::bin_count, 1), std::out_of_range);
	Histogram other;
	other.add_bin(7, 5);
	other.add_bin(8, 2);
	BOOST_CHECK_THROW(histogram -= other, std::logic_error);
	BOOST_TEST((histogram == full));
	BOOST_TEST((Histogram::decode(full.encode()) == full));
	BOOST_TEST((Histogram::parse(full.to_text()) == full));
}

// ---- Answers --------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_quantile_is_that_of_the_nearest_rank) {
	std::mt19937_64 random(4);
	std::lognormal_distribution<double> latency(std::log(120), 0.8);
	for (const size_t n : {1, 2, 3, 19, 20, 21, 99, 100, 101, 1000, 12345}) {
		Histogram histogram;
		std::vector<double> values;
		for (size_t i = 0; i < n; ++i) {
			values.push_back(latency(random));
			histogram.add(values.back());
		}
		std::sort(values.begin(), values.end());
		for (const int percent : {0, 1, 5, 50, 90, 95, 99, 100}) {
			const auto rank = std::max<size_t>((static_cast<size_t>(percent) * n + 99) / 100, 1);
			const double exact = values[rank - 1];
			BOOST_TEST_CONTEXT(percent << " % of " << n) {
				BOOST_TEST(histogram.quantile(percent / 100.0).value() == Histogram::middle(Histogram::bin_of(exact)));
				BOOST_TEST(std::abs(histogram.quantile(percent / 100.0).value() - exact) <= exact / 100);
			}
		}
	}
	BOOST_TEST(!Histogram().quantile(0.5).has_value());
}

BOOST_AUTO_TEST_CASE(the_rank_is_exact) {
	for (std::int64_t n = 1; n < 5000; ++n)
		for (int percent = 1; percent <= 100; ++percent)
			BOOST_REQUIRE_EQUAL(Histogram::nearest_rank(percent / 100.0, n), (percent * n + 99) / 100);
	BOOST_TEST(Histogram::nearest_rank(0.95, most) == 8'762'203'435'012'037'017); // ceil(0.95 * (2^63 - 1))
	BOOST_TEST(Histogram::nearest_rank(1, most) == most);
	BOOST_TEST(Histogram::nearest_rank(0.1 + 0.2, 10) == 4); // 0.30000000000000004
	BOOST_TEST(Histogram::nearest_rank(0.3, 10) == 3);
	BOOST_TEST(Histogram::nearest_rank(0.9999, 10'000) == 9999);
	BOOST_TEST(Histogram::nearest_rank(0, 100) == 1);
	BOOST_TEST(Histogram::nearest_rank(-0.0, 100) == 1);
	BOOST_TEST(Histogram::nearest_rank(1e-17, most) == 93);
	BOOST_TEST(Histogram::nearest_rank(5e-324, most) == 1);
	for (const double q : {-0.01, 1.01, after(1), 95.0, inf, -inf, nan_value})
		BOOST_TEST(refusal_of([&] { Histogram::nearest_rank(q, 100); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(what_exceeds_an_edge_is_counted_exactly) {
	std::mt19937_64 random(5);
	std::lognormal_distribution<double> latency(std::log(1500), 1);
	Histogram histogram;
	std::vector<double> values = {0, 0.005, 1e9, 350, 1500, 2000, after(350), after(1500), after(2000)};
	for (int i = 0; i < 10'000; ++i)
		values.push_back(latency(random));
	for (const double value : values)
		histogram.add(value);
	const auto exact = [&](double limit) {
		return std::count_if(values.begin(), values.end(), [&](double value) { return value > limit; });
	};
	for (const double limit : {0.01, 350.0, 1500.0, 2000.0, 990e6, 1e9})
		BOOST_TEST(histogram.exceeding(limit) == exact(limit));
	for (const double limit : {351.0, 1999.0, 2000.5})
		BOOST_TEST(histogram.exceeding(limit) == exact(Histogram::edges_around(limit).above));
	BOOST_TEST(histogram.exceeding(0) == exact(0.01));
	BOOST_TEST(histogram.exceeding(-1) == histogram.count());
	BOOST_TEST(histogram.exceeding(inf) == 0);
	BOOST_TEST(Histogram().exceeding(0) == 0);
	BOOST_TEST(refusal_of([&] { histogram.exceeding(nan_value); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
