// The histogram's forms: stored, as text, and as the state of an aggregate; their size, and what each refuses.

#include "core/histogram_state.hpp"

#include "histogram_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(histogram_forms)

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
