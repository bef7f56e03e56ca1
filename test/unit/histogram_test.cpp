// The histogram: its edges, its error, that it adds up in any order, and what its stored forms refuse.

#include "core/histogram.hpp"
#include "core/histogram_state.hpp"

#include "fixture.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace chat_v11 {

std::ostream &
boost_test_print_type(std::ostream &out, const Histogram &histogram) {
	return out << histogram.to_text();
}

} // namespace chat_v11

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(histogram)

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

double
after(double value) {
	return std::nextafter(value, inf);
}
double
before(double value) {
	return std::nextafter(value, 0);
}

std::string
bytes(std::initializer_list<unsigned> list) {
	std::string text;
	for (const auto byte : list)
		text.push_back(static_cast<char>(byte));
	return text;
}

// Log-normal traffic: N values of weighted parts, each with its median in ms and the sigma of its logarithm.
struct Part {
	double weight, median, sigma;
};

double
below(double value, const Part &part) {
	return value <= 0 ? 0 : std::erfc(-std::log(value / part.median) / part.sigma / std::sqrt(2)) / 2;
}
double
above(double value, const Part &part) {
	return value <= 0 ? 1 : std::erfc(std::log(value / part.median) / part.sigma / std::sqrt(2)) / 2;
}

// Counts as so many samples would give them, drawn bin by bin, because a thousand million draws take too long.
Histogram
sample(const std::vector<Part> &parts, double n, unsigned seed) {
	std::mt19937_64 random(seed);
	Histogram histogram;
	for (int bin = 0; bin < Histogram::bin_count; ++bin) {
		double expected = 0;
		for (const auto &part : parts) {
			const double low = Histogram::lower(bin);
			const double high = Histogram::upper(bin);
			// From the nearer tail, where the difference is not lost.
			expected +=
				n * part.weight *
				(low > part.median ? above(low, part) - above(high, part) : below(high, part) - below(low, part));
		}
		if (expected > 1e-9)
			histogram.add_bin(bin, expected > 1e6 ? std::llround(std::normal_distribution<double>(
														expected, std::sqrt(expected))(random))
												  : std::poisson_distribution<std::int64_t>(expected)(random));
	}
	return histogram;
}

Histogram
random_histogram(std::mt19937_64 &random, int values, int bins = Histogram::bin_count) {
	Histogram histogram;
	std::uniform_int_distribution<int> bin(0, bins - 1);
	std::geometric_distribution<std::int64_t> count(0.2);
	for (int i = 0; i < values; ++i)
		histogram.add_bin(bin(random), 1 + count(random));
	return histogram;
}

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

// ---- Stored form ----------------------------------------------------------------------------------------------------

// Written out by hand from the description in histogram_codec.cpp: forms that are stored somewhere never change.
BOOST_AUTO_TEST_CASE(the_stored_form_is_as_described) {
	BOOST_TEST(Histogram().encode() == bytes({1, 0b1'0000000}));
	Histogram one;
	one.add(0);
	// 1 run: 010; gap 0: 1; 1 bin: 1; z = 2, k = 0: 110
	BOOST_TEST(one.encode() == bytes({1, 0b010'1'1'110}));
	Histogram two = one;
	two.add_bin(1, 3);
	// 2 bins: 010; z = 2: 110, m = 2; z = 4, k = 0: 11110
	BOOST_TEST(two.encode() == bytes({1, 0b010'1'010'1, 0b10'11110'0}));
	Histogram three;
	three.add_bin(2, 2);
	three.add_bin(4, 1);
	// 2 runs: 011; gap 2: 011; 1 bin: 1; z = 4, k = 0: 11110; m = 4; gap 1: 1; 1 bin: 1; z = 1, k = 0: 10
	BOOST_TEST(three.encode() == bytes({1, 0b011'011'1'1, 0b1110'1'1'10}));
	Histogram large;
	large.add_bin(0, 10);
	large.add_bin(1, 13);
	// 1 run, gap 0, 2 bins; z = 20: twenty ones, gamma(1); m = 20, k = 2; z = 6: 10 10
	BOOST_TEST(large.encode() == bytes({1, 0b010'1'010'1, 0xff, 0xff, 0b111'1'10'10}));
}

BOOST_AUTO_TEST_CASE(the_stored_form_gives_back_what_it_was_given) {
	std::mt19937_64 random(6);
	for (int i = 0; i < 500; ++i) {
		const auto histogram = random_histogram(random, static_cast<int>(random() % (i % 2 ? 5000 : 20)));
		const auto stored = histogram.encode();
		BOOST_REQUIRE(Histogram::decode(stored) == histogram);
		BOOST_REQUIRE(Histogram::decode(stored).encode() == stored);
		BOOST_REQUIRE(Histogram::parse(histogram.to_text()).encode() == stored);
	}
	// Counts of every size, up and down.
	Histogram steep;
	for (int i = 0; i < 62; ++i) {
		steep.add_bin(100 + 2 * i, std::int64_t{1} << i);
		steep.add_bin(101 + 2 * i, 1);
	}
	BOOST_TEST((Histogram::decode(steep.encode()) == steep));
	BOOST_TEST((Histogram::parse(steep.to_text()) == steep));
	Histogram all;
	for (int bin = 0; bin < Histogram::bin_count; ++bin)
		all.add_bin(bin, 1);
	BOOST_TEST((Histogram::decode(all.encode()) == all));
}

struct SizeCase {
	const char *name;
	std::vector<Part> parts;
};

std::ostream &
operator<<(std::ostream &out, const SizeCase &c) {
	return out << c.name;
}

const std::vector<SizeCase> size_cases = {
	{"sigma 0.5", {{1, 120, 0.5}}},
	{"sigma 0.8", {{1, 120, 0.8}}},
	{"sigma 1.0", {{1, 120, 1.0}}},
	{"sigma 1.2", {{1, 120, 1.2}}},
	{"fast and slow", {{0.8, 80, 0.6}, {0.2, 2000, 1.0}}},
	{"cached, normal, retried", {{0.7, 50, 0.8}, {0.2, 400, 0.5}, {0.1, 5000, 1.2}}},
};

BOOST_DATA_TEST_CASE(real_latencies_take_two_kilobytes_at_most, bdata::make(size_cases), c) {
	for (const double n : {1e2, 1e4, 1e6, 1e7, 1e8, 1e9}) {
		auto histogram = sample(c.parts, n, 7);
		histogram.add(0, static_cast<std::int64_t>(n / 1000));      // receipts before their ACK
		histogram.add(10'001, static_cast<std::int64_t>(n / 1000)); // unanswered ones
		const auto stored = histogram.encode();
		BOOST_TEST(std::abs(static_cast<double>(histogram.count()) / n - 1.002) < 0.25);
		BOOST_TEST(stored.size() <= 2048u);
		BOOST_TEST((Histogram::decode(stored) == histogram));
	}
}

struct BytesCase {
	std::string stored;
	const char *why;
};

std::ostream &
operator<<(std::ostream &out, const BytesCase &c) {
	return out << c.why << ", " << c.stored.size() << " bytes";
}

// Bits as text, blanks aside, after a version byte; filled with zeros.
std::string
bits(std::string_view text, char version = 1) {
	std::string stored(1, version);
	int used = 8;
	for (const char c : text) {
		if (c == ' ')
			continue;
		if (used == 8) {
			stored.push_back(0);
			used = 0;
		}
		stored.back() = static_cast<char>(stored.back() | (c - '0') << (7 - used++));
	}
	return stored;
}

std::string
gamma(std::uint64_t x) {
	std::string text;
	for (; x; x >>= 1)
		text.insert(text.begin(), static_cast<char>('0' + (x & 1)));
	return std::string(text.size() - 1, '0') + text;
}

const std::string escape(20, '1');

const std::vector<BytesCase> broken_bytes = {
	{"", "there are none"},
	{bits("", 0), "their version is 0"},
	{bits("1", 2), "their version is 2"},
	{bits("1", static_cast<char>(0x81)), "their version is 129"},
	{bits(""), "they end too early"},
	{bytes({1, 0}), "they end too early"},
	{bits("010 1"), "they end too early"},
	{bits("010 1 1 111"), "they end too early"},
	{bits("010 1" + gamma(9) + "110"), "they end too early"},
	{bits("1") + '\0', "more follows after their end"},
	{bits("1") + bits("1"), "more follows after their end"},
	{bytes({1, 0b10000001}), "the bits that fill the last byte are not zero"},
	{bytes({1, 0b11000000}), "the bits that fill the last byte are not zero"},
	{bytes({1, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "a number in them is too large"},
	// A run that begins, or ends, behind the last bin; the largest that fits is accepted below.
	{bits("010" + gamma(1927) + "1 110"), "they name a bin that does not exist"},
	{bits("010" + gamma(1926) + "010 110 0"), "they name a bin that does not exist"},
	{bits("010 1" + gamma(1927) + "110"), "they name a bin that does not exist"},
	{bits("010" + gamma(~0ull) + "1 110"), "they name a bin that does not exist"},
	{bits("010 1" + gamma(~0ull) + "110"), "they name a bin that does not exist"},
	{bits("010 1 1 0"), "a bin in them holds less than one value"},        // z = 0 after 0
	{bits("010 1 1 10"), "a bin in them holds less than one value"},       // z = 1: -1
	{bits("010 1 010 110 10"), "a bin in them holds less than one value"}, // 1, then 0
	{bits("010 1 1" + escape + gamma(~0ull)), "a number in them is too large"},
	{bits("010 1 1" + escape + gamma(~0ull - 19)), "a bin in them holds less than one value"}, // z = 2^64 - 1
	// 2^63 - 1, after which k = 61; then more than that, and as much again.
	{bits("010 1 010" + escape + gamma(~0ull - 20) + "110" + std::string(61, '0')), "they count too many values"},
	{bits("010 1 010" + escape + gamma(~0ull - 20) + "0" + std::string(61, '0')), "they count too many values"},
	// With k = 61, 8 << 61 is the first that 64 bits do not hold.
	{bits("010 1 010" + escape + gamma(~0ull - 20) + "11111111 0" + std::string(61, '0')),
	 "a number in them is too large"},
	{bits("010 1 010" + escape + gamma(~0ull - 20) + escape + gamma(1) + std::string(61, '0')),
	 "a number in them is too large"},
};

BOOST_DATA_TEST_CASE(bytes_that_no_histogram_has_are_refused, bdata::make(broken_bytes), c) {
	const auto refusal = refusal_of([&] { Histogram::decode(c.stored); });
	BOOST_TEST(refusal.token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(refusal.sqlstate() == "22023");
	BOOST_TEST(contains(refusal.what(), c.why), refusal.what());
}

BOOST_AUTO_TEST_CASE(the_last_bin_and_the_largest_count_are_accepted) {
	BOOST_TEST(Histogram::decode(bits("010" + gamma(1926) + "1 110")).to_text() == "{1000000000:1}");
	Histogram full;
	full.add_bin(3, most);
	BOOST_TEST((Histogram::decode(full.encode()) == full));
}

// Cut anywhere, or with any one bit turned: refused, or another histogram with that very form.
BOOST_AUTO_TEST_CASE(no_damage_passes_for_the_same_histogram) {
	const auto stored = sample({{1, 120, 0.8}}, 1e4, 8).encode();
	for (size_t size = 0; size < stored.size(); ++size)
		BOOST_REQUIRE(refusal_of([&] { Histogram::decode(stored.substr(0, size)); }).token() ==
					  std::string("ERR_INVALID_ARGUMENT"));
	int accepted = 0;
	for (size_t bit = 0; bit < 8 * stored.size(); ++bit) {
		auto damaged = stored;
		damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
		try {
			const auto other = Histogram::decode(damaged);
			++accepted;
			BOOST_REQUIRE(other.encode() == damaged);
		} catch (const Refusal &) {
		}
	}
	BOOST_TEST(accepted > 0);
	BOOST_TEST(accepted < static_cast<int>(8 * stored.size()));
}

// ---- Text -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_text_names_upper_edges) {
	Histogram histogram;
	BOOST_TEST(histogram.to_text() == "{}");
	for (const double value : {0.0, 0.0101, 181.0, 182.0, 182.5, 99'500.0, 100'000.0, 1e9})
		histogram.add(value);
	BOOST_TEST(histogram.to_text() == "{0.01:1,0.0102:1,182:2,184:1,100000:2,1000000000:1}");
	BOOST_TEST((Histogram::parse(" { 0.01 : 1 ,1.02e-2:1,\t182.0:2,\n184:1, 1e5:2,1000000000:1 } ") == histogram));
	BOOST_TEST((Histogram::parse(" { } ") == Histogram()));
}

struct TextCase {
	const char *text;
	const char *why;
};

std::ostream &
operator<<(std::ostream &out, const TextCase &c) {
	return out << c.text;
}

const std::vector<TextCase> broken_texts = {
	{"", "\"{\" is missing at its begin"},
	{"182:3", "\"{\" is missing at its begin"},
	{"{", "item 1 has no number where the upper edge of a bin belongs"},
	{"{182", "\":\" is missing in or after item 1"},
	{"{182:", "item 1 has no number where a count belongs"},
	{"{182:3", "\"}\" is missing in or after item 1"},
	{"{182:3,", "item 2 has no number where the upper edge of a bin belongs"},
	{"{182:3,}", "item 2 has no number where the upper edge of a bin belongs"},
	{"{182:3 184:1}", "\"}\" is missing in or after item 1"},
	{"{182:3}}", "something follows after its end"},
	{"{} x", "something follows after its end"},
	{"{182:3,183:1}", "item 2 does not name the upper edge of a bin"},
	{"{182.00000000000003:3}", "item 1 does not name the upper edge of a bin"},
	{"{0:3}", "item 1 does not name the upper edge of a bin"},
	{"{-182:3}", "item 1 does not name the upper edge of a bin"},
	{"{0.005:3}", "item 1 does not name the upper edge of a bin"},
	{"{2000000000:3}", "item 1 does not name the upper edge of a bin"},
	{"{nan:3}", "item 1 does not name the upper edge of a bin"},
	{"{inf:3}", "item 1 does not name the upper edge of a bin"},
	{"{1e999:3}", "item 1 has no number where the upper edge of a bin belongs"},
	{"{+182:3}", "item 1 has no number where the upper edge of a bin belongs"},
	{"{182:3,182:1}", "item 2 is not above the one before"},
	{"{184:3,182:1}", "item 2 is not above the one before"},
	{"{182:0}", "item 1 has a count below 1"},
	{"{182:-1}", "item 1 has a count below 1"},
	{"{182:9223372036854775808}", "item 1 has no number where a count belongs"},
	{"{182:1.5}", "\"}\" is missing in or after item 1"},
	{"{182:9223372036854775807,184:1}", "more than 9223372036854775807 values"},
};

BOOST_DATA_TEST_CASE(text_that_is_no_histogram_is_refused, bdata::make(broken_texts), c) {
	const auto refusal = refusal_of([&] { Histogram::parse(c.text); });
	BOOST_TEST(refusal.token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(contains(refusal.what(), c.why), refusal.what());
}

BOOST_AUTO_TEST_CASE(the_refusal_names_the_edges_beside) {
	const auto detail = [](const char *text) { return refusal_of([&] { Histogram::parse(text); }).detail(); };
	BOOST_TEST(detail("{183:1}") == "Edges beside it are 182 and 184.");
	BOOST_TEST(detail("{100500:1}") == "Edges beside it are 100000 and 102000.");
	BOOST_TEST(detail("{0.001:1}") == "The first edge is 0.01.");
	BOOST_TEST(detail("{-1:1}") == "Edges go from 0.01 to 1000000000.");
	BOOST_TEST(detail("{1e10:1}") == "Edges go from 0.01 to 1000000000.");
}

// ---- Transition state -----------------------------------------------------------------------------------------------

std::string
state_of(const Histogram &histogram, BinRange range) {
	std::string state(histogram_state::size_of(range), 'x');
	histogram_state::write(state.data(), range, histogram);
	return state;
}

BOOST_AUTO_TEST_CASE(a_state_counts_as_a_histogram_does) {
	std::mt19937_64 random(9);
	Histogram expected;
	BinRange range = BinRange{}.widened(700, 700);
	auto state = state_of(expected, range);
	for (int i = 0; i < 2000; ++i) {
		const int bin = static_cast<int>(random() % 100 ? 650 + random() % 300 : random() % Histogram::bin_count);
		if (!range.contains(bin)) {
			const auto wider = range.widened(bin, bin);
			BOOST_REQUIRE(wider.contains(range.first) && wider.contains(range.first + range.size - 1));
			BOOST_REQUIRE(wider.contains(bin) && wider.first >= 0);
			BOOST_REQUIRE(wider.first + wider.size <= Histogram::bin_count);
			state = state_of(histogram_state::read(state), range = wider);
		}
		histogram_state::add(state.data(), range, bin);
		expected.add_bin(bin, 1);
		BOOST_REQUIRE(histogram_state::range_of(state).has_value());
	}
	BOOST_TEST((histogram_state::read(state) == expected));
	histogram_state::add(state.data(), range, expected);
	expected += expected;
	BOOST_TEST((histogram_state::read(state) == expected));
	BOOST_TEST((histogram_state::read(expected.encode()) == expected)); // a state may be the stored form
	// The stored form is all that may come in from outside.
	BOOST_TEST(refusal_of([&] { Histogram::decode(state); }).token() == "ERR_INVALID_ARGUMENT");
}

struct StateCase {
	size_t at;
	char value;
};

std::ostream &
operator<<(std::ostream &out, const StateCase &c) {
	return out << "byte " << c.at;
}

const std::vector<StateCase> broken_states = {
	{0, 3}, {1, 1},  {2, 0x7f}, {3, 0x7f}, {4, 0},  {4, 0x7f}, {5, 0x7f},
	{6, 1}, {11, 1}, {12, 1},   {19, -1},  {20, 1}, {27, -1},
};

BOOST_DATA_TEST_CASE(a_damaged_state_is_refused, bdata::make(broken_states), c) {
	Histogram histogram;
	histogram.add_bin(1900, 2);
	auto state = state_of(histogram, {1895, 20});
	BOOST_TEST((histogram_state::read(state) == histogram));
	state[c.at] = c.value;
	BOOST_TEST(refusal_of([&] { histogram_state::read(state); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(a_state_of_another_length_is_not_written_to) {
	const auto state = state_of({}, {0, 4});
	for (size_t size = 0; size < state.size(); ++size)
		BOOST_TEST(!histogram_state::range_of(state.substr(0, size)).has_value());
	BOOST_TEST(!histogram_state::range_of(state + '\0').has_value());
	BOOST_TEST(refusal_of([&] { histogram_state::read(state + '\0'); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(a_full_state_refuses_one_more) {
	Histogram full;
	full.add_bin(3, most);
	auto state = state_of(full, {0, 8});
	BOOST_TEST(refusal_of([&] { histogram_state::add(state.data(), {0, 8}, 5); }).token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(refusal_of([&] { histogram_state::add(state.data(), {0, 8}, full); }).token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST((histogram_state::read(state) == full));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
