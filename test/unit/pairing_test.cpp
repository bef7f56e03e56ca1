// Pairing of ACKs and receipts: which of several counts, what is in time, and what a write adds to the buckets.

#include "core/pairing.hpp"

#include "engine_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(pairing)

using Actor = std::optional<Uuid>;
using Value = std::optional<double>;

// ---- Which of several counts ----------------------------------------------------------------------------------------

// Ascending: each comes before all that follow.
const std::vector<Ack> acks = {
	{noon - 1us, Cohort::v11, {}},      {noon, Cohort::v10, uuid(1)},
	{noon, Cohort::v10, uuid(2)},       {noon, Cohort::v10, {}},
	{noon, Cohort::v11, uuid(1)},       {noon, Cohort::v11, {}},
	{noon + 1us, Cohort::v10, uuid(1)},
};

const std::vector<Receipt> receipts = {
	{noon - 1us, {}, Cohort::v11}, {noon, 0.0, Cohort::v10},   {noon, 0.0, Cohort::v11},
	{noon, 350.0, Cohort::v10},    {noon, 350.0, Cohort::v11}, {noon, 1e9, Cohort::v10},
	{noon, {}, Cohort::v10},       {noon, {}, Cohort::v11},    {noon + 1us, 0.0, Cohort::v10},
};

template <typename T>
void
check_order(const std::vector<T> &ascending) {
	for (size_t i = 0; i < ascending.size(); ++i)
		for (size_t j = 0; j < ascending.size(); ++j)
			BOOST_TEST(ascending[i].before(ascending[j]) == (i < j), i << " and " << j);
}

BOOST_AUTO_TEST_CASE(acks_are_ordered_by_time_cohort_actor_with_nobody_last) {
	check_order(acks);
}

BOOST_AUTO_TEST_CASE(receipts_are_ordered_by_time_value_cohort_with_no_value_last) {
	check_order(receipts);
}

template <typename T>
T
pick(std::mt19937_64 &random, const std::vector<T> &list) {
	return list[random() % list.size()];
}

WriteState
random_state(std::mt19937_64 &random) {
	WriteState state;
	if (random() % 3)
		state.ack = pick(random, acks);
	if (random() % 3)
		state.receipt = pick(random, receipts);
	return state;
}

WriteState
merged(WriteState a, const WriteState &b) {
	a.add(b);
	return a;
}

BOOST_AUTO_TEST_CASE(knowledge_merges_in_any_order_and_any_number_of_times) {
	std::mt19937_64 random(4);
	for (int run = 0; run < 5000; ++run) {
		const auto a = random_state(random);
		const auto b = random_state(random);
		const auto c = random_state(random);
		BOOST_TEST_REQUIRE((merged(a, b) == merged(b, a)));
		BOOST_TEST_REQUIRE((merged(merged(a, b), c) == merged(a, merged(b, c))));
		BOOST_TEST_REQUIRE((merged(a, a) == a));
		BOOST_TEST_REQUIRE((merged(merged(a, b), b) == merged(a, b)));
		BOOST_TEST_REQUIRE((merged(a, {}) == a));
	}
}

BOOST_AUTO_TEST_CASE(the_first_of_all_is_left) {
	std::mt19937_64 random(5);
	auto ack_order = acks;
	auto receipt_order = receipts;
	for (int run = 0; run < 50; ++run) {
		std::shuffle(ack_order.begin(), ack_order.end(), random);
		std::shuffle(receipt_order.begin(), receipt_order.end(), random);
		WriteState state;
		for (const auto &ack : ack_order)
			state.add(ack);
		for (const auto &receipt : receipt_order)
			state.add(receipt);
		BOOST_TEST((state.ack == acks.front()));
		BOOST_TEST((state.receipt == receipts.front()));
	}
}

// ---- In time, missing, duration -------------------------------------------------------------------------------------

WriteState
write(std::optional<Duration> answered_after, Value value = {}, Cohort cohort = Cohort::v11) {
	WriteState state;
	state.ack = Ack{noon, cohort, uuid(1)};
	if (answered_after)
		state.receipt = Receipt{noon + *answered_after, value, cohort};
	return state;
}

struct AnswerCase {
	std::optional<Duration> after;
	Value value;
	bool in_time;
	double duration_ms;
};

std::ostream &
operator<<(std::ostream &out, const AnswerCase &c) {
	return out << (c.after ? format_duration(*c.after) : "never") << (c.value ? " with a value" : "");
}

const std::vector<AnswerCase> answers = {
	{0s, {}, true, 0},
	{1us, {}, true, 0.001},
	{350ms, {}, true, 350},
	{10s, {}, true, 10'000},
	{10s + 1us, {}, false, 10'000.001},
	{1h, {}, false, 3'600'000},
	// A receipt from before its ACK is in time and took nothing.
	{-1us, {}, true, 0},
	{-1h, {}, true, 0},
	// Its own value tells how long it took, and never whether it was in time.
	{350ms, 20'000, true, 20'000},
	{10s + 1us, 5, false, 5},
	{-1h, 7.5, true, 7.5},
	{350ms, 0, true, 0},
};

BOOST_DATA_TEST_CASE(exactly_ten_seconds_are_in_time, bdata::make(answers), c) {
	const auto state = write(c.after, c.value);
	BOOST_TEST(state.in_time() == c.in_time);
	BOOST_TEST(state.missing() == !c.in_time);
	BOOST_TEST(state.duration_ms() == c.duration_ms);
	BOOST_TEST((state.newest() == noon + std::max(Duration(0), *c.after)));
}

// Only of the canary's writes somebody has to know which they are.
BOOST_AUTO_TEST_CASE(missing_is_what_the_canary_did_not_answer) {
	BOOST_TEST(write({}).missing());
	BOOST_TEST(!write({}).in_time());
	BOOST_TEST(!write({}, {}, Cohort::v10).missing());
	BOOST_TEST(!write(10s + 1us, {}, Cohort::v10).missing());
	BOOST_TEST(!write({}, {}, Cohort::v10).in_time());
	WriteState orphan;
	orphan.receipt = Receipt{noon, {}, Cohort::v11};
	BOOST_TEST(!orphan.missing());
	BOOST_TEST(!orphan.in_time());
	BOOST_TEST((orphan.newest() == noon));
	BOOST_TEST((write({}).newest() == noon));
}

// The first ACK is the one to be answered: an earlier one that comes to be known makes the receipt late.
BOOST_AUTO_TEST_CASE(an_earlier_ack_can_make_a_receipt_late) {
	auto state = write(10s);
	state.add(Ack{noon + 1us, Cohort::v11, {}});
	BOOST_TEST(state.in_time());
	state.add(Ack{noon - 1us, Cohort::v10, {}});
	BOOST_TEST(!state.in_time());
	BOOST_TEST(!state.missing()); // for it is of v10 now
	BOOST_TEST(state.duration_ms() == 10'000.001);
}

// ---- What a write adds ----------------------------------------------------------------------------------------------

constexpr double limit = 2000; // an edge of the histogram

std::uint32_t
bin_field(double ms) {
	return field::first_bin + static_cast<std::uint32_t>(Histogram::bin_of(ms));
}

CellList
counted(const WriteState &state, MinuteOfCohort where, double slow_limit = limit) {
	WriteSums sums;
	count_write(sums, state, slow_limit, 1);
	BOOST_REQUIRE(sums.size() == 1u);
	BOOST_TEST(sums.begin()->first.minute == where.minute);
	BOOST_TEST(sums.begin()->first.cohort == where.cohort);
	return listed(sums.begin()->second);
}

const auto noon_minute = second_at(noon) / 60;

BOOST_AUTO_TEST_CASE(an_answered_write_counts_in_the_second_of_its_ack) {
	auto state = write(1500ms);
	BOOST_CHECK(
		counted(state, {noon_minute, Cohort::v11}) ==
		(CellList{{0, field::count, 1}, {0, field::in_time, 1}, {0, field::answered, 1}, {0, bin_field(1500), 1}}));
	state = write(10s + 1us, {}, Cohort::v10);
	BOOST_CHECK(
		counted(state, {noon_minute, Cohort::v10}) ==
		(CellList{{0, field::count, 1}, {0, field::answered, 1}, {0, field::slow, 1}, {0, bin_field(10'001), 1}}));
	// A write at the very end of a minute, whose answer comes in the next, and whose cohort its receipt gets wrong.
	state.ack = Ack{noon + 59'999'999us, Cohort::v11, {}};
	state.receipt = Receipt{noon + 61s, 5.0, Cohort::v10};
	BOOST_CHECK(
		counted(state, {noon_minute, Cohort::v11}) ==
		(CellList{{59, field::count, 1}, {59, field::in_time, 1}, {59, field::answered, 1}, {59, bin_field(5), 1}}));
}

struct TenthCase {
	Duration after; // a whole minute
	std::int64_t minutes, second, tenth;
};

std::ostream &
operator<<(std::ostream &out, const TenthCase &c) {
	return out << format_duration(c.after);
}

const std::vector<TenthCase> tenths = {
	{0us, 0, 0, 0},          {99'999us, 0, 0, 0}, {100ms, 0, 0, 1},         {949'999us, 0, 0, 9},
	{999'999us, 0, 0, 9},    {1s, 0, 1, 0},       {59'999'999us, 0, 59, 9}, {60s, 1, 0, 0},
	{-1us, -1, 59, 9},       {-60s, -1, 0, 0},    {-60s - 1us, -2, 59, 9},  {-900ms, -1, 59, 1},
	{-900'001us, -1, 59, 0},
};

// Also before 1970, where numbers are negative and divisions round the other way.
BOOST_DATA_TEST_CASE(an_unanswered_write_counts_in_its_tenth_of_a_second, bdata::make(tenths), c) {
	for (const auto minute : {noon_minute, std::int64_t(0), std::int64_t(-5)}) {
		WriteState state;
		state.ack = Ack{minute_start(minute) + c.after, Cohort::v11, {}};
		BOOST_CHECK(counted(state, {minute + c.minutes, Cohort::v11}) ==
					(CellList{{c.second, field::count, 1}, {c.second, field::open + c.tenth, 1}}));
	}
}

// A receipt is an event, and belongs to the second that ends with it.
BOOST_AUTO_TEST_CASE(an_orphan_counts_where_its_receipt_is) {
	WriteState orphan;
	orphan.receipt = Receipt{noon, 5.0, Cohort::v10};
	BOOST_CHECK(counted(orphan, {noon_minute - 1, Cohort::v10}) == (CellList{{59, field::orphans, 1}}));
	orphan.receipt->at += 1us;
	BOOST_CHECK(counted(orphan, {noon_minute, Cohort::v10}) == (CellList{{0, field::orphans, 1}}));
	orphan.receipt->at = noon + 1s;
	BOOST_CHECK(counted(orphan, {noon_minute, Cohort::v10}) == (CellList{{0, field::orphans, 1}}));
}

bool
is_slow(double ms, double slow_limit) {
	WriteSums sums;
	count_write(sums, write(1s, ms), slow_limit, 1);
	const auto cells = listed(sums.begin()->second);
	return std::any_of(cells.begin(), cells.end(), [](const auto &cell) { return cell[1] == field::slow; });
}

BOOST_AUTO_TEST_CASE(slow_is_exact_at_a_limit_that_is_an_edge) {
	for (const double edge : {0.01, 1.0, 99.0, 2000.0, 2500.0, 10'000.0, 3.6e6}) {
		BOOST_REQUIRE(Histogram::is_edge(edge));
		for (const double ms : {0.0, before(edge), edge, after(edge), edge * 1.001, edge * 0.999, 1e9}) {
			BOOST_TEST(exceeds(ms, edge) == (ms > edge), ms << " over " << edge);
			BOOST_TEST(is_slow(ms, edge) == (ms > edge), ms << " over " << edge);
		}
	}
}

// What shares its bin with the limit cannot be told from it, now or later, and is taken for slow: none is missed.
BOOST_AUTO_TEST_CASE(slow_begins_at_the_edge_below_where_the_limit_is_none) {
	const double between = 2010;
	const auto [below, above] = Histogram::edges_around(between);
	BOOST_REQUIRE((below < between && between < above));
	for (const double ms : {after(below), between, after(between), above, after(above), 1e9})
		BOOST_TEST(is_slow(ms, between), ms);
	for (const double ms : {0.0, below, before(below)})
		BOOST_TEST(!is_slow(ms, between), ms);
	BOOST_TEST(!is_slow(1e9, inf)); // no limit is in force
}

// For any limit, what is counted one by one is what a histogram of the same values can say, with the limit's own bin.
BOOST_AUTO_TEST_CASE(slow_ones_are_as_many_as_their_histogram_has) {
	std::mt19937_64 random(6);
	std::lognormal_distribution<double> ms(6, 2);
	for (int run = 0; run < 200; ++run) {
		auto some_limit = ms(random) + 0.01;
		if (run % 2)
			some_limit = Histogram::edges_around(some_limit).above;
		Histogram histogram;
		std::int64_t slow = 0;
		std::int64_t above = 0;
		for (int i = 0; i < 100; ++i) {
			const auto value = i % 10 ? ms(random) : some_limit;
			histogram.add(value);
			slow += exceeds(value, some_limit);
			above += value > some_limit;
		}
		if (Histogram::is_edge(some_limit))
			BOOST_TEST(slow == above);
		else
			BOOST_TEST(slow == histogram.exceeding(some_limit) + histogram.count_of(Histogram::bin_of(some_limit)));
	}
}

BOOST_AUTO_TEST_CASE(what_is_taken_back_leaves_nothing) {
	std::mt19937_64 random(7);
	for (int run = 0; run < 500; ++run) {
		WriteSums sums;
		std::vector<WriteState> known;
		for (int i = 0; i < 5; ++i) {
			auto state = random_state(random);
			if (!state.ack && !state.receipt)
				continue;
			count_write(sums, state, limit, 1);
			// As a report that comes later does it: minus what was, plus what is.
			const auto better = merged(state, random_state(random));
			count_write(sums, state, limit, -1);
			count_write(sums, better, limit, 1);
			known.push_back(better);
		}
		std::shuffle(known.begin(), known.end(), random);
		for (const auto &state : known)
			count_write(sums, state, limit, -1);
		for (auto &[where, cells] : sums)
			BOOST_TEST_REQUIRE(cells.all().empty());
	}
}

BOOST_AUTO_TEST_CASE(many_at_once_are_as_many_one_by_one) {
	WriteSums once;
	WriteSums one_by_one;
	count_write(once, write(3s), limit, 4);
	for (int i = 0; i < 4; ++i)
		count_write(one_by_one, write(3s), limit, 1);
	BOOST_CHECK(listed(once.begin()->second) == listed(one_by_one.begin()->second));
}

// ---- Stored form ----------------------------------------------------------------------------------------------------

bool
same(const std::vector<PendingWrite> &a, const std::vector<PendingWrite> &b) {
	return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const PendingWrite &x, const PendingWrite &y) {
		return x.key == y.key && x.state == y.state && x.is_new == y.is_new;
	});
}

std::string
stored(const std::vector<PendingWrite> &writes) {
	return encode(writes);
}

BOOST_AUTO_TEST_CASE(pending_writes_are_read_as_they_were_stored) {
	std::mt19937_64 random(8);
	BOOST_TEST(decode_pending(stored({})).empty());
	for (int run = 0; run < 200; ++run) {
		std::vector<PendingWrite> writes;
		for (auto n = random() % 20; n > 0; --n) {
			PendingWrite pending{uuid(static_cast<std::uint8_t>(random())), random_state(random), random() % 2 == 0};
			if (pending.state.ack || pending.state.receipt)
				writes.push_back(pending);
		}
		BOOST_TEST_REQUIRE(same(decode_pending(stored(writes)), writes));
	}
}

BOOST_AUTO_TEST_CASE(times_however_far_apart_are_kept) {
	std::vector<PendingWrite> writes(2);
	writes[0].state.ack = Ack{Time::min(), Cohort::v11, {}};
	writes[0].state.receipt = Receipt{Time::max(), 5e-324, Cohort::v11};
	writes[1].state.ack = Ack{Time(Duration(-1)), Cohort::v10, uuid(255)};
	BOOST_TEST(same(decode_pending(stored(writes)), writes));
}

std::vector<PendingWrite>
one_of_each() {
	std::vector<PendingWrite> writes(3);
	writes[0] = {uuid(1), write(350ms, 351.5), true};
	writes[1] = {uuid(2), write({}), false};
	writes[2].state.receipt = Receipt{noon - 1h, {}, Cohort::v10};
	return writes;
}

BOOST_AUTO_TEST_CASE(damaged_bytes_are_refused_or_read_and_nothing_else) {
	attack(stored(one_of_each()), decode_pending, stored);
}

BOOST_AUTO_TEST_CASE(garbage_is_refused) {
	const auto bytes = stored(one_of_each());
	auto newer = bytes;
	++newer[0];
	BOOST_CHECK_THROW(decode_pending(newer), CorruptBytes);
	BOOST_CHECK_THROW(decode_pending(""), CorruptBytes);
	BOOST_CHECK_THROW(decode_pending(bytes + '\x01'), CorruptBytes);
	// A key of which nothing is known.
	BOOST_CHECK_THROW(decode_pending("\x01" + std::string(17, '\0')), CorruptBytes);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
