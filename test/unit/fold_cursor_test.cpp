// The cursor of the exactly-once count: which rows are in the buckets already.

#include "core/fold_cursor.hpp"

#include "engine_fixture.hpp"

#include <set>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(fold_cursor)

constexpr std::uint64_t wrap = 1ull << 32; // where the numbers of rows begin anew
constexpr std::uint64_t ahead = 1u << 24;  // how far beyond `next` a number may be

// ---- Snapshots ------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_transaction_had_ended_unless_it_ran_or_was_still_to_come) {
	const TransactionSnapshot snapshot{100, 110, {100, 103, 109}};
	for (const std::uint64_t ended : {0ull, 3ull, 99ull, 101ull, 102ull, 104ull, 108ull})
		BOOST_TEST(snapshot.had_ended(ended), ended);
	for (const std::uint64_t open : {100ull, 103ull, 109ull, 110ull, 111ull, 100ull + wrap})
		BOOST_TEST(!snapshot.had_ended(open), open);
}

BOOST_AUTO_TEST_CASE(before_the_first_round_nothing_had_ended) {
	const TransactionSnapshot none;
	for (const std::uint64_t xid : {std::uint64_t(0), std::uint64_t(3), wrap})
		BOOST_TEST(!none.had_ended(xid), xid);
}

// What exactly-once rests on: of any two snapshots, the second counts what the first did not, whatever has ended when.
BOOST_AUTO_TEST_CASE(each_transaction_is_counted_by_one_round) {
	std::mt19937_64 random(1);
	for (int run = 0; run < 300; ++run) {
		std::set<std::uint64_t> open;
		std::uint64_t next = 3;
		std::vector<TransactionSnapshot> rounds(1); // the first has seen nothing
		for (int step = 0; step < 60; ++step) {
			if (const auto dice = random() % 5; dice < 2)
				open.insert(next++);
			else if (dice < 4 && !open.empty())
				open.erase(std::next(open.begin(), static_cast<std::ptrdiff_t>(random() % open.size())));
			else
				rounds.push_back({open.empty() ? next : *open.begin(), next, {open.begin(), open.end()}});
		}
		rounds.push_back({next, next, {}}); // when all have ended
		for (std::uint64_t xid = 3; xid < next; ++xid) {
			int counted = 0;
			for (size_t i = 1; i < rounds.size(); ++i)
				counted += rounds[i].had_ended(xid) && !FoldCursor{rounds[i - 1], {}, {}}.counted(0, 0, xid);
			BOOST_TEST(counted == 1);
		}
	}
}

// ---- Wide numbers ---------------------------------------------------------------------------------------------------

struct WideCase {
	std::uint32_t xid;
	std::uint64_t next;
	std::uint64_t wide;
};

std::ostream &
operator<<(std::ostream &out, const WideCase &c) {
	return out << c.xid << " by " << c.next;
}

const std::vector<WideCase> wides = {
	// Special ones belong to no transaction, whenever they are met.
	{0, 1000, 0},
	{1, 1000, 0},
	{2, 1000, 0},
	{2, 7 * wrap + 2, 0},
	// In the first round of numbers.
	{3, 3, 3},
	{3, 1000, 3},
	{999, 1000, 999},
	{1000, 1000, 1000},
	// Begun since `next` was read.
	{1001, 1000, 1001},
	{static_cast<std::uint32_t>(1000 + ahead), 1000, 1000 + ahead},
	// Later rounds.
	{1000, wrap + 1000, wrap + 1000},
	{999, wrap + 1000, wrap + 999},
	{5, 3 * wrap + 1000, 3 * wrap + 5},
	// Just after the wrap, rows from just before it.
	{0xFFFFFFFF, wrap, wrap - 1},
	{0xFFFFFFFF, wrap + 3, wrap - 1},
	{0xFFFFFFF0, 5 * wrap + 10, 5 * wrap - 16},
	// Just before it, rows from just after.
	{3, wrap - 1, wrap + 3},
	{7, 2 * wrap - 5, 2 * wrap + 7},
	{static_cast<std::uint32_t>(ahead - 1), 2 * wrap - 1, 2 * wrap + ahead - 1},
	// One further ahead cannot be; it is from the round of numbers before.
	{static_cast<std::uint32_t>(ahead), 2 * wrap - 1, wrap + ahead},
	{static_cast<std::uint32_t>(1000 + ahead + 1), wrap + 1000, 1000 + ahead + 1},
	{static_cast<std::uint32_t>(1000 + ahead), wrap + 1000, wrap + 1000 + ahead},
};

BOOST_DATA_TEST_CASE(a_number_is_widened_by_the_next_one, bdata::make(wides), c) {
	BOOST_TEST(widen_xid(c.xid, c.next) == c.wide);
}

BOOST_AUTO_TEST_CASE(a_wide_number_keeps_its_low_half_and_lies_within_one_round) {
	std::mt19937_64 random(2);
	for (int i = 0; i < 100'000; ++i) {
		const auto next = wrap + random() % (100 * wrap);
		const auto xid = static_cast<std::uint32_t>(3 + random() % (wrap - 3));
		const auto wide = widen_xid(xid, next);
		BOOST_TEST_REQUIRE(static_cast<std::uint32_t>(wide) == xid);
		BOOST_TEST_REQUIRE(wide <= next + ahead);
		BOOST_TEST_REQUIRE(wide + wrap > next + ahead);
	}
}

// ---- Positions ------------------------------------------------------------------------------------------------------

using Xids = std::vector<std::uint64_t>;

BOOST_AUTO_TEST_CASE(pages_side_by_side_with_the_same_transactions_are_one_hold) {
	LeafPosition leaf;
	leaf.hold(4, {7});
	leaf.hold(5, {7});
	leaf.hold(6, {7});
	BOOST_TEST((leaf.holds == std::vector<Hold>{{4, 3, {7}}}));
	leaf.hold(8, {7}); // not beside it
	leaf.hold(9, {7, 9});
	leaf.hold(10, {7, 9});
	leaf.hold(11, {9});
	BOOST_TEST((leaf.holds == std::vector<Hold>{{4, 3, {7}}, {8, 1, {7}}, {9, 2, {7, 9}}, {11, 1, {9}}}));
}

FoldCursor
stopped_cursor() {
	FoldCursor cursor;
	cursor.done = {100, 110, {100, 105}};
	cursor.open = OpenRound{{105, 130, {105, 120}}, 2, 50};
	return cursor;
}

struct CountedCase {
	std::uint32_t leaf, page;
	std::uint64_t xid;
	bool counted, counted_when_closed;
};

std::ostream &
operator<<(std::ostream &out, const CountedCase &c) {
	return out << "leaf " << c.leaf << " page " << c.page << " xid " << c.xid;
}

const std::vector<CountedCase> rows = {
	// Counted by an earlier round: whatever the page.
	{0, 0, 99, true, true},
	{2, 49, 104, true, true},
	{2, 50, 104, true, true},
	{7, 900, 109, true, true},
	// Ended since: where the open round has been.
	{0, 0, 100, true, false},
	{1, 4'000'000'000, 100, true, false},
	{2, 49, 119, true, false},
	{2, 50, 119, false, false},
	{2, 51, 100, false, false},
	{3, 0, 119, false, false},
	// Open for both.
	{0, 0, 105, false, false},
	{0, 0, 120, false, false},
	{0, 0, 130, false, false},
};

BOOST_DATA_TEST_CASE(a_stopped_round_counts_up_to_its_page, bdata::make(rows), c) {
	auto cursor = stopped_cursor();
	BOOST_TEST(cursor.counted(c.leaf, c.page, c.xid) == c.counted);
	cursor.open.reset();
	BOOST_TEST(cursor.counted(c.leaf, c.page, c.xid) == c.counted_when_closed);
}

// ---- Stored form ----------------------------------------------------------------------------------------------------

bool
same(const TransactionSnapshot &a, const TransactionSnapshot &b) {
	return a.xmin == b.xmin && a.xmax == b.xmax && a.in_progress == b.in_progress;
}

bool
same(const FoldCursor &a, const FoldCursor &b) {
	if (!same(a.done, b.done) || a.leaves != b.leaves || a.open.has_value() != b.open.has_value())
		return false;
	return !a.open ||
		   (same(a.open->snapshot, b.open->snapshot) && a.open->leaf == b.open->leaf && a.open->page == b.open->page);
}

FoldCursor
rich_cursor() {
	auto cursor = stopped_cursor();
	cursor.done = {5 * wrap - 3, 5 * wrap + 200, {5 * wrap - 3, 5 * wrap, 5 * wrap + 130}};
	LeafPosition leaf;
	leaf.file = 0xFFFFFFFF;
	leaf.low = 70'000;
	leaf.rows = 123'456'789;
	leaf.last_seen = noon + 1us;
	leaf.hold(0, {5 * wrap - 3});
	leaf.hold(1, {5 * wrap - 3});
	leaf.hold(69'999, {5 * wrap - 3, 5 * wrap});
	cursor.leaves = {leaf, {}, leaf};
	cursor.leaves[2].last_seen = Time(-1us);
	cursor.leaves[2].holds.clear();
	return cursor;
}

BOOST_AUTO_TEST_CASE(a_cursor_is_read_as_it_was_stored) {
	auto closed = rich_cursor();
	closed.open.reset();
	FoldCursor last;
	last.done = {~0ull - 1, ~0ull, {~0ull - 1}};
	last.leaves.resize(1);
	last.leaves[0].low = 0xFFFFFFFF;
	last.leaves[0].rows = most;
	last.leaves[0].last_seen = Time::max();
	last.leaves[0].hold(0xFFFFFFFE, {3, ~0ull});
	for (const auto &cursor : {FoldCursor{}, stopped_cursor(), rich_cursor(), closed, last})
		BOOST_TEST(same(decode_cursor(encode(cursor)), cursor));
}

BOOST_AUTO_TEST_CASE(damaged_bytes_are_refused_or_read_and_nothing_else) {
	attack(encode(rich_cursor()), decode_cursor, [](const FoldCursor &cursor) { return encode(cursor); });
}

BOOST_AUTO_TEST_CASE(bytes_too_few_or_too_many_are_refused) {
	const auto bytes = encode(rich_cursor());
	for (size_t size = 0; size < bytes.size(); ++size)
		BOOST_CHECK_THROW(decode_cursor(bytes.substr(0, size)), CorruptBytes);
	BOOST_CHECK_THROW(decode_cursor(bytes + '\0'), CorruptBytes);
	auto newer = bytes;
	++newer[0];
	BOOST_CHECK_THROW(decode_cursor(newer), CorruptBytes);
}

// A length that the bytes cannot hold must not be believed.
BOOST_AUTO_TEST_CASE(a_number_of_items_is_not_trusted) {
	ByteWriter out;
	out.byte(1);
	out.varint(3);
	out.varint(4);
	out.varint(~0ull);
	BOOST_CHECK_THROW(decode_cursor(out.take()), CorruptBytes);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
