// Counts by second and field: sparse, additive, and packed when stored.

#include "core/cells.hpp"

#include "engine_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(cells)

constexpr std::uint32_t bin_7 = field::first_bin + 7;

Cells
some_cells() {
	Cells some;
	some.add(59, field::first_bin + Histogram::bin_count - 1, 1);
	some.add(0, field::count, 300);
	some.add(7, field::open + 9, 2);
	some.add(7, field::count, 5);
	some.add(7, bin_7, 1'000'000'000'000);
	return some;
}

const CellList some_listed = {{0, field::count, 300},
							  {7, field::count, 5},
							  {7, field::open + 9, 2},
							  {7, bin_7, 1'000'000'000'000},
							  {59, field::first_bin + Histogram::bin_count - 1, 1}};

// A second's fields must not reach into the next second's.
BOOST_AUTO_TEST_CASE(every_bin_is_a_field) {
	BOOST_TEST(field::first_bin + Histogram::bin_count <= Cells::fields);
}

BOOST_AUTO_TEST_CASE(the_unanswered_tenths_end_below_the_bins) {
	BOOST_TEST(field::open + 10 <= field::first_bin);
}

BOOST_AUTO_TEST_CASE(cells_come_in_order_whatever_order_they_were_added_in) {
	BOOST_CHECK(listed(some_cells()) == some_listed);
	BOOST_TEST(Cells().empty());
	BOOST_TEST(!some_cells().empty());
}

BOOST_AUTO_TEST_CASE(what_is_added_twice_is_one_cell) {
	Cells sum;
	for (int i = 0; i < 3; ++i) {
		sum.add(3, field::count, 2);
		sum.add(1, field::count, 1);
		(void)sum.all(); // more can be added to what was looked at
	}
	BOOST_CHECK(listed(sum) == (CellList{{1, field::count, 3}, {3, field::count, 6}}));
}

BOOST_AUTO_TEST_CASE(what_comes_to_zero_is_gone) {
	auto sum = some_cells();
	sum.add(7, field::count, -5);
	sum.add(8, field::count, 0);
	sum.add(9, field::count, 1);
	sum.add(9, field::count, -1);
	auto expected = some_listed;
	expected.erase(expected.begin() + 1);
	BOOST_CHECK(listed(sum) == expected);

	Cells back;
	for (const auto &[second, which, n] : expected)
		back.add(static_cast<std::uint32_t>(second), static_cast<std::uint32_t>(which), -n);
	sum.add(back);
	BOOST_TEST(sum.all().empty());
	BOOST_TEST(sum.empty());
}

BOOST_AUTO_TEST_CASE(sums_do_not_depend_on_their_order) {
	std::mt19937_64 random(3);
	for (int run = 0; run < 200; ++run) {
		std::array<Cells, 3> parts;
		for (auto &part : parts)
			for (auto n = random() % 20; n > 0; --n)
				part.add(static_cast<std::uint32_t>(random() % 4), static_cast<std::uint32_t>(random() % 4),
						 static_cast<std::int64_t>(random() % 5) - 2);
		Cells left = parts[0];
		left.add(parts[1]);
		(void)left.all();
		left.add(parts[2]);
		Cells right = parts[2];
		right.add(parts[0]);
		right.add(parts[1]);
		BOOST_CHECK(listed(left) == listed(right));
	}
}

BOOST_AUTO_TEST_CASE(only_what_is_below_zero_is_dropped) {
	auto sum = some_cells();
	sum.add(7, field::count, -6);
	sum.add(20, field::count, -1);
	sum.add(7, field::open + 9, -1);
	sum.drop_negative();
	BOOST_CHECK(listed(sum) == (CellList{{0, field::count, 300},
										 {7, field::open + 9, 1},
										 {7, bin_7, 1'000'000'000'000},
										 {59, field::first_bin + Histogram::bin_count - 1, 1}}));
}

BOOST_AUTO_TEST_CASE(the_histogram_by_second_is_split_off) {
	Cells both;
	both.add(1, field::first_bin, 1);
	both.add(1, field::first_bin - 1, 2);
	both.add(0, field::first_bin + 1, 3);
	both.add(2, field::count, 4);
	auto [few, bins] = both.split();
	BOOST_CHECK(listed(few) == (CellList{{1, field::first_bin - 1, 2}, {2, field::count, 4}}));
	BOOST_CHECK(listed(bins) == (CellList{{0, field::first_bin + 1, 3}, {1, field::first_bin, 1}}));
	few.add(bins);
	BOOST_CHECK(listed(few) == listed(both));
}

// ---- Stored form ----------------------------------------------------------------------------------------------------

// Cells that are stored somewhere must be read for good.
BOOST_AUTO_TEST_CASE(the_stored_form_is_steps_and_counts) {
	Cells two;
	two.add(0, field::slow, 5);
	two.add(1, field::count, 300);
	// version 1; key 3, count 5; 2048 - 3 = 2045 further, count 300
	BOOST_TEST(two.encode() == std::string("\x01\x03\x05\xfd\x0f\xac\x02"));
}

BOOST_AUTO_TEST_CASE(cells_are_read_as_they_were_stored) {
	BOOST_CHECK(listed(Cells::decode(some_cells().encode())) == some_listed);
	Cells ends;
	ends.add(0, 0, most);
	ends.add(59, Cells::fields - 1, most);
	BOOST_CHECK(listed(Cells::decode(ends.encode())) == listed(ends));
	BOOST_TEST(Cells::decode(Cells().encode()).empty());
	BOOST_TEST(Cells::decode("").empty()); // a null column
	auto again = Cells::decode(some_cells().encode());
	again.add(some_cells());
	BOOST_TEST(again.all().size() == some_listed.size());
	BOOST_TEST(again.all().front().count == 600);
}

BOOST_AUTO_TEST_CASE(a_count_below_zero_is_never_stored) {
	auto sum = some_cells();
	sum.add(7, field::count, -6);
	BOOST_CHECK_THROW(sum.encode(), std::logic_error);
}

struct GarbageCase {
	const char *what;
	std::vector<std::uint64_t> numbers; // after the version
};

std::ostream &
operator<<(std::ostream &out, const GarbageCase &c) {
	return out << c.what;
}

constexpr std::uint64_t end = 60ull * Cells::fields;

const std::vector<GarbageCase> garbage = {
	{"no count", {3}},
	{"a count of zero", {3, 0}},
	{"a count that is negative in 64 bits", {3, std::uint64_t(most) + 1}},
	{"the same cell twice", {3, 1, 0, 1}},
	{"the 61st second", {end, 1}},
	{"the 61st second in two steps", {end - 1, 1, 1, 1}},
	{"a step that wraps to the cell before", {5, 1, ~0ull, 1}},
	{"a step that wraps to a cell before", {end - 1, 1, ~0ull - 100, 1}},
};

BOOST_DATA_TEST_CASE(garbage_is_refused, bdata::make(garbage), c) {
	ByteWriter out;
	out.byte(1);
	for (const auto number : c.numbers)
		out.varint(number);
	BOOST_CHECK_THROW(Cells::decode(out.take()), CorruptBytes);
}

BOOST_AUTO_TEST_CASE(another_version_is_refused) {
	auto bytes = some_cells().encode();
	++bytes[0];
	BOOST_CHECK_THROW(Cells::decode(bytes), CorruptBytes);
}

BOOST_AUTO_TEST_CASE(damaged_bytes_are_refused_or_read_and_nothing_else) {
	attack(some_cells().encode(), Cells::decode, [](Cells &read) { return read.encode(); });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
