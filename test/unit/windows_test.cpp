// From buckets to windows: which slice a second falls into, and what is made of its cells.

#include "core/windows.hpp"

#include "engine_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(windows)

const auto noon_second = second_at(noon);
const auto noon_minute = noon_second / 60;

constexpr Duration grace = 2s;
constexpr std::int64_t delay = 12; // of writes: 10 s and the grace

using Slice = std::optional<std::size_t>;

// ---- Frames ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_frame_of_minutes_begins_at_a_whole_second) {
	for (const auto after : {Duration(0us), Duration(1us), Duration(999'999us)}) {
		const auto frame = frame_of_minutes(noon + after, 3, grace);
		BOOST_TEST(frame.begin == noon_second - 180);
		BOOST_TEST(frame.end == noon_second);
		BOOST_TEST(frame.partial == (after > 0us));
		BOOST_TEST(frame.slice_seconds == 60);
		BOOST_TEST(frame.delay == delay);
	}
	const auto early = frame_of_minutes(Time(-1us), 1, 0s);
	BOOST_TEST(early.begin == -61);
	BOOST_TEST(early.end == -1);
	BOOST_TEST(early.partial);
}

// Writes are bucketed by whole seconds, so the grace can only be counted in whole ones.
BOOST_AUTO_TEST_CASE(a_grace_counts_in_whole_seconds_rounded_up) {
	for (const auto &[given, counts] : std::vector<std::pair<Duration, std::int64_t>>{
			 {0s, 10}, {1us, 11}, {1s, 11}, {1s + 1us, 12}, {1999ms, 12}, {2s, 12}, {10min, 610}}) {
		BOOST_TEST(frame_of_minutes(noon, 1, given).delay == counts);
		BOOST_TEST(frame_of_span(noon - 1h, noon, noon, given).delay == counts);
	}
}

struct SliceCase {
	std::int64_t second; // from noon on
	Slice whole, fractional;
};

std::ostream &
operator<<(std::ostream &out, const SliceCase &c) {
	return out << c.second;
}

const Slice outside;

const std::vector<SliceCase> edges = {
	{1, outside, outside},
	{0, outside, 0},
	{-1, 0, 0},
	{-59, 0, 0},
	{-60, 0, 0},
	{-61, 1, 1},
	{-120, 1, 1},
	{-121, 2, 2},
	{-179, 2, 2},
	{-180, 2, 2},
	{-181, outside, outside},
};

// The second at noon is the one that is under way if it is a little past noon, and is still to come if it is noon.
BOOST_DATA_TEST_CASE(slices_are_counted_back_from_the_end, bdata::make(edges), c) {
	const auto whole = frame_of_minutes(noon, 3, grace);
	const auto fractional = frame_of_minutes(noon + 1us, 3, grace);
	BOOST_CHECK(whole.slice_of(noon_second + c.second) == c.whole);
	BOOST_CHECK(fractional.slice_of(noon_second + c.second) == c.fractional);
	BOOST_CHECK(whole.slice_of_write(noon_second + c.second - delay) == c.whole);
	BOOST_CHECK(fractional.slice_of_write(noon_second + c.second - delay) == c.fractional);
	BOOST_TEST(whole.reaches(noon_second + c.second) == (c.second < 0));
	BOOST_TEST(fractional.reaches(noon_second + c.second) == (c.second <= 0));
}

// A write is in the window from the first moment at which it is mature, and for exactly the window's length.
BOOST_AUTO_TEST_CASE(a_write_is_in_the_window_from_its_maturity_on) {
	for (const auto acked : {noon, noon + 1us, noon + 999'999us}) {
		const auto mature = acked + maturity_delay(grace);
		const auto second = write_second(acked);
		for (Duration step = -2s; step <= 2s; step += 125ms)
			for (const auto now : {mature + step, mature + 60s + step}) {
				const auto frame = frame_of_minutes(now, 1, grace);
				// Of the second that is under way the reader leaves out what is not mature, one by one.
				const bool in = frame.slice_of_write(second).has_value();
				if (now < second_start(second + delay) + 1us)
					BOOST_TEST(!in);
				if (now >= second_start(second + 1 + delay) && now < second_start(second + delay) + 60s + 1s)
					BOOST_TEST(in);
				if (now >= second_start(second + delay) + 61s)
					BOOST_TEST(!in);
				if (now >= mature && now < mature + 60s)
					BOOST_TEST(in);
			}
	}
}

BOOST_AUTO_TEST_CASE(a_minute_is_held_if_all_its_seconds_are) {
	for (const auto now : {noon, noon + 1us, noon + 11s, noon + 12s, noon + 12s + 1us, noon + 30s, noon + 59s}) {
		const auto frame = frame_of_minutes(now, 2, grace);
		for (auto minute = noon_minute - 5; minute <= noon_minute + 2; ++minute) {
			bool events = true;
			bool writes = true;
			for (auto second = minute * 60; second < minute * 60 + 60; ++second) {
				// The second under way is not over, so it cannot be taken whole.
				events = events && frame.slice_of(second) && second != frame.end;
				writes = writes && frame.slice_of_write(second) && second + delay != frame.end;
			}
			BOOST_TEST(frame.holds_minute(minute) == events);
			BOOST_TEST(frame.holds_minute_of_writes(minute) == writes);
		}
	}
}

struct SpanCase {
	Duration from, to, now; // from noon on
	std::int64_t begin, end;
	bool partial;
};

std::ostream &
operator<<(std::ostream &out, const SpanCase &c) {
	return out << format_duration(c.from) << " to " << format_duration(c.to);
}

const std::vector<SpanCase> spans = {
	{-1h, 0s, 1h, -3600, 0, false},
	// Both ends are taken down.
	{-1h + 999'999us, -1us, 1h, -3600, -1, false},
	{-1h, 999'999us, 1h, -3600, 0, false},
	// The end that is now takes in the second that is under way.
	{-1h, 500ms, 500ms, -3600, 0, true},
	{-1h, 0s, 0s, -3600, 0, false},
	{-1h, 400ms, 500ms, -3600, 0, false},
	// Nothing at all.
	{0s, 0s, 1h, 0, 0, false},
	{1h, 0s, 2h, 3600, 0, false},
};

BOOST_DATA_TEST_CASE(a_span_is_one_slice_of_whole_seconds, bdata::make(spans), c) {
	const auto frame = frame_of_span(noon + c.from, noon + c.to, noon + c.now, grace);
	BOOST_TEST(frame.begin == noon_second + c.begin);
	BOOST_TEST(frame.end == noon_second + c.end);
	BOOST_TEST(frame.partial == c.partial);
	for (auto second = std::min(c.begin, c.end) - 2; second <= std::max(c.begin, c.end) + 2; ++second) {
		const bool in = second >= c.begin && (second < c.end || (c.partial && second == c.end));
		BOOST_CHECK(frame.slice_of(noon_second + second) == (in ? Slice(0) : outside));
	}
}

// Where one span ends the next begins: nothing twice, nothing left out.
BOOST_AUTO_TEST_CASE(spans_that_touch_share_no_second) {
	const auto now = noon + 1h;
	for (const auto middle : {noon, noon + 1us, noon + 999'999us}) {
		const auto before = frame_of_span(noon - 10s, middle, now, grace);
		const auto after = frame_of_span(middle, noon + 10s, now, grace);
		for (auto second = noon_second - 10; second < noon_second + 10; ++second) {
			BOOST_TEST(before.slice_of(second).has_value() != after.slice_of(second).has_value());
			BOOST_TEST(before.slice_of_write(second - delay).has_value() !=
					   after.slice_of_write(second - delay).has_value());
		}
	}
}

// ---- The newest -----------------------------------------------------------------------------------------------------

Cells
counts_at(std::initializer_list<std::uint32_t> seconds) {
	Cells cells;
	for (const auto second : seconds)
		cells.add(second, field::count, 1);
	return cells;
}

BOOST_AUTO_TEST_CASE(the_newest_is_exact_unless_it_lies_ahead) {
	const auto now = noon + 30s + 500ms;
	const auto frame = frame_of_minutes(now, 3, grace);
	auto cells = counts_at({3, 20, 29, 40});
	cells.add(29, field::anonymous, 1);
	BOOST_CHECK(newest_within(frame, now, noon_minute, cells, now) == now);
	BOOST_CHECK(newest_within(frame, noon - 7us, noon_minute, cells, now) == noon - 7us);
	// The bucket has a later one: what had been seen by then is known to the second.
	BOOST_CHECK(newest_within(frame, now + 1us, noon_minute, cells, now) == noon + 30s);
	auto later = counts_at({3, 31, 59});
	BOOST_CHECK(newest_within(frame, noon + 1min, noon_minute, later, now) == noon + 4s);
	auto none = counts_at({31, 59});
	BOOST_CHECK(!newest_within(frame, noon + 1min, noon_minute, none, now));
	// Other fields than the count are no events.
	Cells no_counts;
	no_counts.add(3, field::anonymous, 1);
	BOOST_CHECK(!newest_within(frame, noon + 1min, noon_minute, no_counts, now));
}

// ---- Events ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(events_go_into_the_slices_of_their_seconds) {
	// Slice 0 is the seconds 30 to 89 after noon, slice 1 the 60 before.
	const auto frame = frame_of_minutes(noon + 90s, 2, grace);
	Slices slices;
	auto cells = counts_at({0, 29, 30, 59});
	cells.add(30, field::count, 4);
	cells.add(29, field::anonymous, 2);
	cells.add(59, field::anonymous, 1);
	cells.add(30, field::first_bin + 7, 9); // a histogram's, counted by Durations
	const std::vector<ActorAt> actors = {{29, uuid(1)}, {30, uuid(1)}, {31, uuid(2)}, {59, uuid(2)}};
	add_events(slices, frame, noon_minute, Cohort::v11, Kind::send_stall, cells, actors);
	auto outside_cells = counts_at({29});
	add_events(slices, frame, noon_minute - 1, Cohort::v11, Kind::send_stall, outside_cells, {{29, uuid(3)}});
	add_events(slices, frame, noon_minute + 1, Cohort::v11, Kind::read_cursor, outside_cells, {});
	auto unreached = counts_at({30});
	add_events(slices, frame, noon_minute + 1, Cohort::v11, Kind::read_cursor, unreached, {});

	BOOST_TEST(slices[static_cast<size_t>(Cohort::v10)].empty());
	const auto &list = slices[static_cast<size_t>(Cohort::v11)];
	BOOST_REQUIRE(list.size() == 2u);
	BOOST_TEST(list[0].of(Kind::send_stall) == 6);
	BOOST_TEST(list[0].of(Kind::read_cursor) == 1);
	BOOST_TEST(list[0].anonymous_stalls == 1);
	BOOST_TEST(list[0].stall_actors.size() == 2u);
	BOOST_TEST(list[1].of(Kind::send_stall) == 2);
	BOOST_TEST(list[1].anonymous_stalls == 2);
	BOOST_TEST(list[1].stall_actors.size() == 1u);
	BOOST_TEST((list[0].mature == 0 && list[0].missing == 0 && list[0].slow == 0));
	// The same actor in both slices is one.
	BOOST_TEST(window_totals(list, 0, 2).distinct_stalled() == 2 + 3);
}

// ---- Writes ---------------------------------------------------------------------------------------------------------

constexpr double limit = 2000;

WriteState
write(Time acked, std::optional<double> ms = {}) {
	WriteState state;
	state.ack = Ack{acked, Cohort::v11, {}};
	if (ms)
		state.receipt = Receipt{acked + std::chrono::duration_cast<Duration>(*ms * 1ms), *ms, Cohort::v11};
	return state;
}

Totals
slice_0(WriteSums sums, const SliceFrame &frame, SlowFrom from, double slow_limit, Time now) {
	Slices slices;
	for (auto &list : slices)
		list.resize(1);
	for (auto &[where, cells] : sums)
		add_writes(slices, frame, where.minute, where.cohort, cells, from, slow_limit, now);
	return slices[static_cast<size_t>(Cohort::v11)].front();
}

BOOST_AUTO_TEST_CASE(writes_are_counted_when_they_are_mature_orphans_when_they_happen) {
	const auto now = noon + 30s;
	const auto frame = frame_of_minutes(now, 1, grace);
	WriteSums sums;
	const auto first = noon - 30s - 12s; // matures a microsecond after the window's begin
	for (const auto acked : {first - 1us, first, noon, noon + 17'999'999us, noon + 18s})
		count_write(sums, write(acked, 100), limit, 1);
	count_write(sums, write(noon, 10'001), limit, 1);
	count_write(sums, write(noon), limit, 1);
	for (const auto at : {noon - 30s, noon - 30s + 1us, noon + 20s, noon + 30s, noon + 30s + 1us}) {
		WriteState orphan;
		orphan.receipt = Receipt{at, {}, Cohort::v11};
		count_write(sums, orphan, limit, 1);
	}
	const auto totals = slice_0(sums, frame, SlowFrom::field, limit, now);
	BOOST_TEST(totals.mature == 5); // of seven, without the first and the last
	BOOST_TEST(totals.missing == 2);
	BOOST_TEST(totals.slow == 2);
	BOOST_TEST(totals.orphan_receipts == 3);
	for (size_t kind = 0; kind < kind_count; ++kind)
		BOOST_TEST(totals.count[kind] == 0); // events are counted as such
}

BOOST_AUTO_TEST_CASE(an_unanswered_write_is_slow_once_it_has_waited_longer_than_the_limit) {
	WriteSums sums;
	count_write(sums, write(noon + 200ms), limit, 1);
	const auto slow = [&](double slow_limit, Time now) {
		return slice_0(sums, frame_of_minutes(now, 1, grace), SlowFrom::field, slow_limit, now).slow;
	};
	// Known by the tenth of a second: it counts as from the middle of 0.2 to 0.3.
	BOOST_TEST(slow(20'000, noon + 20s + 250ms) == 0);
	BOOST_TEST(slow(20'000, noon + 20s + 251ms) == 1);
	BOOST_TEST(slow(limit, noon + 13s) == 1);
	BOOST_TEST(slow(inf, noon + 60s) == 0);
}

// A mature write has waited 10 s and more, whatever is known of its tenth.
BOOST_AUTO_TEST_CASE(silence_counts_as_more_than_ten_seconds_from_the_first_moment_on) {
	for (const auto after : {Duration(0us), Duration(1us), Duration(40ms), Duration(99'999us), Duration(949'999us)})
		for (const auto since : {Duration(1us), Duration(50ms)}) {
			const auto now = noon + after + 10s + since;
			const auto frame = frame_of_minutes(now, 1, 0s);
			WriteSums sums;
			count_write(sums, write(noon + after), limit, 1);
			BOOST_TEST(slice_0(sums, frame, SlowFrom::field, 10'000, now).slow == 1);
			Durations durations;
			durations.add_writes(frame, noon_minute, sums.begin()->second, now);
			BOOST_REQUIRE(durations.p95());
			BOOST_TEST(*durations.p95() >= 10'000);
		}
}

WriteSums
random_writes(std::mt19937_64 &random, double counted_with) {
	WriteSums sums;
	std::lognormal_distribution<double> ms(7, 1.5);
	for (int i = 0; i < 200; ++i) {
		const auto acked = noon - 100s + Duration(static_cast<std::int64_t>(random() % 130'000'000));
		std::optional<double> took;
		if (random() % 10)
			took = random() % 4 ? std::round(ms(random)) : counted_with;
		count_write(sums, write(acked, took), counted_with, 1);
	}
	return sums;
}

// What was counted for one limit is what the histogram by second says for it, an edge or not.
BOOST_AUTO_TEST_CASE(the_field_and_the_bins_agree_where_the_limits_do) {
	std::mt19937_64 random(11);
	for (const double slow_limit : {2000.0, 2010.0, 0.01, 15.0, 12'345.6, 1e9}) {
		const auto sums = random_writes(random, slow_limit);
		const auto frame = frame_of_minutes(noon + 500ms, 1, grace);
		const auto field = slice_0(sums, frame, SlowFrom::field, slow_limit, noon + 500ms);
		const auto bins = slice_0(sums, frame, SlowFrom::bins, slow_limit, noon + 500ms);
		BOOST_TEST(field.slow == bins.slow);
		BOOST_TEST(field.mature == bins.mature);
		BOOST_TEST(field.missing == bins.missing);
		if (slow_limit < 1e4)
			BOOST_TEST(field.slow > 0);
	}
}

BOOST_AUTO_TEST_CASE(the_bins_answer_for_another_limit) {
	std::mt19937_64 random(12);
	const auto frame = frame_of_minutes(noon, 1, grace);
	for (const double asked : {100.0, 1000.0, 5000.0}) {
		auto twice = random;
		const auto by_bins = slice_0(random_writes(random, 2000), frame, SlowFrom::bins, asked, noon);
		WriteSums again;
		std::lognormal_distribution<double> ms(7, 1.5);
		for (int i = 0; i < 200; ++i) { // the same draws, counted for what is asked
			const auto acked = noon - 100s + Duration(static_cast<std::int64_t>(twice() % 130'000'000));
			std::optional<double> took;
			if (twice() % 10)
				took = twice() % 4 ? std::round(ms(twice)) : 2000;
			count_write(again, write(acked, took), asked, 1);
		}
		BOOST_TEST(by_bins.slow == slice_0(again, frame, SlowFrom::field, asked, noon).slow);
	}
}

// ---- Durations ------------------------------------------------------------------------------------------------------

// The 95th percentile of v11's writes, all of whose minutes are read by second.
std::optional<double>
p95_of(WriteSums sums, const SliceFrame &frame, Time now) {
	Durations durations;
	for (auto &[where, cells] : sums)
		durations.add_writes(frame, where.minute, cells, now);
	return durations.p95();
}

bool
within_1_percent(std::optional<double> got, double right) {
	return got && std::abs(*got - right) <= right * 0.01 + 1e-9;
}

BOOST_AUTO_TEST_CASE(of_nothing_there_is_no_percentile) {
	const auto frame = frame_of_minutes(noon, 1, grace);
	BOOST_CHECK(!Durations().p95());
	WriteSums late;
	count_write(late, write(noon - 12s, 100), limit, 1); // mature only in a microsecond
	BOOST_CHECK(!p95_of(late, frame, noon));
	BOOST_CHECK(p95_of(late, frame_of_minutes(noon + 1us, 1, grace), noon + 1us));
}

BOOST_AUTO_TEST_CASE(the_95th_of_a_hundred) {
	const auto frame = frame_of_minutes(noon, 1, grace);
	WriteSums sums;
	for (int i = 1; i <= 100; ++i)
		count_write(sums, write(noon - 30s, i * 10.0), limit, 1);
	BOOST_TEST(within_1_percent(p95_of(sums, frame, noon), 950));
	// Silence pushes it up: six more unanswered, and it is their waiting time.
	for (int i = 0; i < 6; ++i)
		count_write(sums, write(noon - 30s + 250ms), limit, 1);
	BOOST_TEST(within_1_percent(p95_of(sums, frame, noon), 29'750));
	// Answered after all: what is taken back is as if it had never been.
	for (int i = 0; i < 6; ++i) {
		count_write(sums, write(noon - 30s + 250ms), limit, -1);
		count_write(sums, write(noon - 30s + 250ms, 1), limit, 1);
	}
	BOOST_TEST(within_1_percent(p95_of(sums, frame, noon), 950));
}

// A bucket, and what a reader knows beyond it: one more in the same tenth, or the answer to the one there.
BOOST_AUTO_TEST_CASE(what_the_bucket_does_not_know_is_added_or_taken_back) {
	const auto frame = frame_of_minutes(noon, 1, grace);
	WriteSums bucket;
	count_write(bucket, write(noon - 30s), limit, 1);
	count_write(bucket, write(noon - 20s, 100), limit, 1);
	const auto p95_with = [&](WriteSums rest, int times) {
		Durations durations;
		for (int i = 0; i < times; ++i)
			durations.add_writes(frame, noon_minute - 1, bucket.begin()->second, noon);
		durations.add_writes(frame, noon_minute - 1, rest.begin()->second, noon);
		return durations.p95();
	};
	WriteSums answer;
	count_write(answer, write(noon - 30s), limit, -1);
	count_write(answer, write(noon - 30s, 200), limit, 1);
	BOOST_TEST(within_1_percent(p95_with(answer, 1), 200));
	// 19 answered: beside them one that is not lies above the 95th percentile, and two do not.
	WriteSums most_answers;
	count_write(most_answers, write(noon - 30s), limit, -18);
	BOOST_TEST(within_1_percent(p95_with(most_answers, 19), 100));
	WriteSums one_less;
	count_write(one_less, write(noon - 30s), limit, -17);
	BOOST_TEST(within_1_percent(p95_with(one_less, 19), 30'000));
}

BOOST_AUTO_TEST_CASE(waiting_is_known_to_within_1_percent) {
	const auto check = [](Duration second_part, Duration waited, Duration report_grace) {
		const auto acked = noon + second_part;
		const auto now = acked + waited;
		WriteSums sums;
		count_write(sums, write(acked), limit, 1);
		const auto right = std::chrono::duration<double, std::milli>(waited).count();
		const auto got = p95_of(sums, frame_of_minutes(now, 60, report_grace), now);
		BOOST_TEST(within_1_percent(got, right), got.value_or(0) << " for " << right);
	};
	for (Duration part = 0us; part < 1s; part += 49'999us)
		for (Duration waited = 10s + 1us; waited < 15s; waited += 49'999us) {
			check(part, waited, 0s);
			if (waited > 12s)
				check(part, waited, grace);
		}
	for (const auto waited : {Duration(1min), Duration(10min), Duration(59min)})
		check(123'456us, waited, grace);
}

// A minute that lies within the window comes as one histogram, with its unanswered ones by second.
BOOST_AUTO_TEST_CASE(whole_minutes_and_seconds_add_up) {
	std::mt19937_64 random(13);
	const auto now = noon + 42s;
	const auto frame = frame_of_minutes(now, 2, grace);
	for (int run = 0; run < 20; ++run) {
		auto sums = random_writes(random, 2000);
		Durations durations;
		int whole = 0;
		for (auto &[where, cells] : sums) {
			auto [few, bins] = cells.split();
			durations.add_writes(frame, where.minute, few, now);
			if (!frame.holds_minute_of_writes(where.minute)) {
				durations.add_writes(frame, where.minute, bins, now);
				continue;
			}
			++whole;
			Histogram histogram;
			for (const auto &cell : bins.all())
				histogram.add_bin(static_cast<int>(cell.field() - field::first_bin), cell.count);
			durations.add(histogram);
		}
		BOOST_TEST(whole > 0);
		BOOST_CHECK(durations.p95() == p95_of(sums, frame, now));
	}
}

BOOST_AUTO_TEST_CASE(values_of_events_go_by_their_own_second) {
	const auto frame = frame_of_minutes(noon + 30s, 1, grace);
	Cells cells;
	cells.add(29, field::first_bin + static_cast<std::uint32_t>(Histogram::bin_of(350)), 19);
	cells.add(29, field::count, 1000);
	cells.add(29, field::open, 1000); // not of events
	cells.add(0, field::first_bin + static_cast<std::uint32_t>(Histogram::bin_of(700)), 1);
	cells.add(30, field::first_bin + static_cast<std::uint32_t>(Histogram::bin_of(9000)), 50);
	Durations durations;
	durations.add_values(frame, noon_minute, cells);
	BOOST_TEST(within_1_percent(durations.p95(), 350));
	durations.add_values(frame, noon_minute - 1, cells); // its seconds 30 are the window's first
	BOOST_TEST(within_1_percent(durations.p95(), 9000));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
