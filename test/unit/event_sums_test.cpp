// Sums of events on their way into the buckets: which second an event belongs to, and what is kept of it.

#include "core/event_sums.hpp"
#include "core/gates.hpp"

#include "engine_fixture.hpp"

#include <map>
#include <set>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(event_sums)

// ---- Seconds and minutes --------------------------------------------------------------------------------------------

struct SecondCase {
	Duration at; // since the epoch
	std::int64_t event, write;
};

std::ostream &
operator<<(std::ostream &out, const SecondCase &c) {
	return out << c.at.count() << " us";
}

const std::vector<SecondCase> seconds = {
	{0s, -1, 0},
	{1us, 0, 0},
	{999'999us, 0, 0},
	{1s, 0, 1},
	{1s + 1us, 1, 1},
	{60s, 59, 60},
	{60s + 1us, 60, 60},
	{-1us, -1, -1},
	{-999'999us, -1, -1},
	{-1s, -2, -1},
	{-1s - 1us, -2, -2},
	{-60s, -61, -60},
	{-60s + 1us, -60, -60},
	{-60s - 1us, -61, -61},
};

BOOST_DATA_TEST_CASE(an_event_belongs_to_the_second_that_ends_with_it_a_write_to_the_one_that_begins,
					 bdata::make(seconds), c) {
	for (const auto base : {std::int64_t(0), second_at(noon)}) {
		const auto at = second_start(base) + c.at;
		BOOST_TEST(event_second(at) == base + c.event);
		BOOST_TEST(write_second(at) == base + c.write);
	}
}

BOOST_AUTO_TEST_CASE(minutes_have_sixty_seconds_also_before_1970) {
	for (std::int64_t minute = -3; minute <= 3; ++minute)
		for (std::int64_t second = 0; second < 60; ++second) {
			BOOST_TEST(minute_of(minute * 60 + second) == minute);
			BOOST_TEST(second_of_minute(minute * 60 + second) == second);
		}
	BOOST_TEST((minute_start(-1) == Time(-60s)));
	BOOST_TEST((second_start(-1) == Time(-1s)));
}

// ---- Buckets --------------------------------------------------------------------------------------------------------

RawEvent
event(Kind kind, Time at, Cohort cohort = Cohort::v11) {
	RawEvent raw;
	raw.at = at;
	raw.kind = kind;
	raw.cohort = cohort;
	return raw;
}

RawEvent
with_value(RawEvent raw, double value) {
	raw.has_value = true;
	raw.value = value;
	return raw;
}

RawEvent
by(RawEvent raw, const Uuid &actor) {
	raw.has_actor = true;
	raw.actor = actor;
	return raw;
}

RawEvent
of(RawEvent raw, const Uuid &subject) {
	raw.has_subject = true;
	raw.subject = subject;
	return raw;
}

EventBucket
only_bucket(const EventSums &sums) {
	BOOST_REQUIRE(sums.buckets().size() == 1u);
	return sums.buckets().front();
}

const auto noon_minute = second_at(noon) / 60;

BOOST_AUTO_TEST_CASE(a_bucket_is_a_minute_a_cohort_and_a_kind) {
	EventSums sums;
	const std::vector<RawEvent> events = {
		event(Kind::read_cursor, noon + 1us),
		event(Kind::read_cursor, noon + 60s),
		event(Kind::read_cursor, noon),
		event(Kind::read_cursor, noon + 60s + 1us),
		event(Kind::read_cursor, noon + 1s, Cohort::v10),
		event(Kind::read_rollback, noon + 1s),
		event(Kind::read_cursor, noon + 30s),
		event(Kind::read_cursor, Time(0us)),
		event(Kind::read_cursor, Time(1us)),
	};
	for (const auto &each : events)
		sums.add(each);
	BOOST_TEST(sums.events() == 9);
	std::map<std::tuple<std::int64_t, Cohort, Kind>, std::int64_t> counts;
	for (const auto &bucket : sums.buckets())
		BOOST_TEST(counts.emplace(std::tuple(bucket.minute, bucket.cohort, bucket.kind), bucket.count).second);
	BOOST_CHECK((counts == decltype(counts){
							   {{-1, Cohort::v11, Kind::read_cursor}, 1},
							   {{0, Cohort::v11, Kind::read_cursor}, 1},
							   {{noon_minute - 1, Cohort::v11, Kind::read_cursor}, 1},
							   {{noon_minute, Cohort::v11, Kind::read_cursor}, 3},
							   {{noon_minute, Cohort::v10, Kind::read_cursor}, 1},
							   {{noon_minute, Cohort::v11, Kind::read_rollback}, 1},
							   {{noon_minute + 1, Cohort::v11, Kind::read_cursor}, 1},
						   }));
}

BOOST_AUTO_TEST_CASE(every_kind_and_cohort_has_its_own) {
	EventSums sums;
	for (int round = 0; round < 2; ++round)
		for (const std::int64_t minute : {-1, 0, 1})
			for (size_t kind = 0; kind < kind_count; ++kind)
				for (const auto cohort : {Cohort::v10, Cohort::v11})
					sums.add(event(static_cast<Kind>(kind), minute_start(minute) + 1s, cohort));
	BOOST_TEST(sums.buckets().size() == 3 * kind_count * cohort_count);
	for (const auto &bucket : sums.buckets())
		BOOST_TEST(bucket.count == 2);
}

BOOST_AUTO_TEST_CASE(counts_are_kept_by_second) {
	EventSums sums;
	for (const auto after : {Duration(1us), Duration(1s), Duration(1s + 1us), Duration(59s + 1us), Duration(60s)})
		sums.add(event(Kind::read_cursor, noon + after));
	const auto bucket = only_bucket(sums);
	BOOST_TEST(bucket.minute == noon_minute);
	BOOST_CHECK(listed(bucket.cells()) ==
				(CellList{{0, field::count, 2}, {1, field::count, 1}, {59, field::count, 2}}));
}

BOOST_AUTO_TEST_CASE(the_newest_is_kept_and_not_the_last) {
	EventSums sums;
	for (const auto after : {Duration(5s), Duration(42s + 1us), Duration(42s)})
		sums.add(event(Kind::read_cursor, noon + after));
	BOOST_TEST((only_bucket(sums).newest == noon + 42s + 1us));
	EventSums early;
	early.add(event(Kind::read_cursor, Time(-1h)));
	BOOST_TEST((only_bucket(early).newest == Time(-1h)));
}

BOOST_AUTO_TEST_CASE(values_are_summed_where_they_are_given) {
	EventSums sums;
	sums.add(with_value(event(Kind::resync_request, noon + 1s), 0));
	sums.add(event(Kind::resync_request, noon + 1s));
	sums.add(with_value(event(Kind::resync_request, noon + 2s), 350));
	const auto bucket = only_bucket(sums);
	BOOST_TEST(bucket.count == 3);
	BOOST_TEST(bucket.sum == 350);
	BOOST_TEST(bucket.values.to_text() == "{0.01:1,350:1}");
	// Nobody asks for their percentiles by the second.
	BOOST_CHECK(listed(bucket.detail).empty());
}

BOOST_AUTO_TEST_CASE(recoveries_keep_their_values_by_second) {
	EventSums sums;
	sums.add(with_value(event(Kind::recovery_done, noon + 1s), 350));
	sums.add(with_value(event(Kind::recovery_done, noon + 1s + 1us), 350));
	sums.add(event(Kind::recovery_done, noon + 1s));
	const auto bin = field::first_bin + Histogram::bin_of(350);
	BOOST_CHECK(listed(only_bucket(sums).cells()) ==
				(CellList{{0, field::count, 2}, {0, bin, 1}, {1, field::count, 1}, {1, bin, 1}}));
}

// ---- Who stalled ----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(three_different_actors_a_second_are_kept) {
	EventSums sums;
	for (const std::uint8_t actor : {1, 1, 2, 2, 3, 4, 5, 1})
		sums.add(by(event(Kind::send_stall, noon + 7s), uuid(actor)));
	for (const std::uint8_t actor : {9, 9, 1})
		sums.add(by(event(Kind::send_stall, noon + 8s), uuid(actor)));
	const auto bucket = only_bucket(sums);
	BOOST_CHECK(bucket.actors ==
				(std::vector<ActorAt>{{6, uuid(1)}, {6, uuid(2)}, {6, uuid(3)}, {7, uuid(9)}, {7, uuid(1)}}));
	BOOST_TEST(bucket.count == 11); // all are counted
}

BOOST_AUTO_TEST_CASE(a_stall_of_nobody_is_counted_apart) {
	EventSums sums;
	for (int i = 0; i < 5; ++i)
		sums.add(event(Kind::send_stall, noon + 7s));
	sums.add(by(event(Kind::send_stall, noon + 7s), uuid(1)));
	const auto bucket = only_bucket(sums);
	BOOST_TEST(bucket.actors.size() == 1u);
	BOOST_CHECK(listed(bucket.cells()) == (CellList{{6, field::count, 6}, {6, field::anonymous, 5}}));
}

BOOST_AUTO_TEST_CASE(actors_of_other_kinds_are_not_kept) {
	EventSums sums;
	sums.add(by(event(Kind::write_started, noon), uuid(1)));
	BOOST_TEST(only_bucket(sums).actors.empty());
}

// Which of many are kept depends on their order; that there are enough, or how many fewer, never does.
BOOST_AUTO_TEST_CASE(the_kept_actors_tell_whether_there_are_enough) {
	std::mt19937_64 random(9);
	for (int run = 0; run < 1000; ++run) {
		std::set<Uuid> all;
		std::vector<ActorAt> kept;
		for (auto n = random() % 12; n > 0; --n) {
			const ActorAt actor{static_cast<std::uint8_t>(random() % 3), uuid(static_cast<std::uint8_t>(random() % 5))};
			all.insert(actor.actor);
			add_actor(kept, actor);
		}
		std::set<Uuid> seen;
		for (const auto &actor : kept)
			seen.insert(actor.actor);
		const auto enough = static_cast<size_t>(stall_min_actors);
		BOOST_TEST(std::min(seen.size(), enough) == std::min(all.size(), enough));
		BOOST_TEST(kept.size() <= 3 * enough);
	}
}

BOOST_AUTO_TEST_CASE(actors_are_read_as_they_were_stored) {
	const std::vector<ActorAt> actors = {{0, uuid(1)}, {59, uuid(255)}, {59, uuid(0)}};
	BOOST_CHECK(decode_actors(encode(actors)) == actors);
	BOOST_TEST(encode(actors).size() == 3 * 17u);
	BOOST_TEST(decode_actors("").empty());
	attack(encode(actors), decode_actors, [](const std::vector<ActorAt> &read) { return encode(read); });
	BOOST_CHECK_THROW(decode_actors(encode({{60, uuid(1)}})), CorruptBytes);
}

// ---- Writes ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_was_seen_of_writes_is_gathered_by_key) {
	EventSums sums;
	sums.add(of(with_value(event(Kind::write_receipt, noon + 2s), 5), uuid(7)));
	sums.add(of(by(event(Kind::write_ack, noon + 1s), uuid(1)), uuid(9)));
	sums.add(of(event(Kind::write_receipt, noon + 1s, Cohort::v10), uuid(7)));
	sums.add(of(by(event(Kind::write_ack, noon), uuid(2)), uuid(9)));
	sums.add(of(event(Kind::write_ack, noon, Cohort::v10), uuid(7)));
	// None of these is part of a pair.
	sums.add(of(event(Kind::write_ledgered, noon), uuid(3)));
	sums.add(of(event(Kind::write_stored, noon), uuid(3)));
	sums.add(of(event(Kind::timeline_delivered, noon), uuid(3)));
	sums.add(event(Kind::write_ack, noon));
	BOOST_TEST(sums.write_items() == 5u);
	const auto writes = writes_of(sums);
	BOOST_REQUIRE(writes.size() == 2u);
	BOOST_CHECK(writes[0].key == uuid(7));
	BOOST_CHECK((writes[0].state == WriteState{Ack{noon, Cohort::v10, {}}, Receipt{noon + 1s, {}, Cohort::v10}}));
	BOOST_CHECK(writes[1].key == uuid(9));
	BOOST_CHECK((writes[1].state == WriteState{Ack{noon, Cohort::v11, uuid(2)}, {}}));

	// What was taken does not come again; the buckets are still there.
	BOOST_TEST(sums.write_items() == 0u);
	BOOST_TEST(writes_of(sums).empty());
	BOOST_TEST(!sums.buckets().empty());
}

BOOST_AUTO_TEST_CASE(keys_come_in_the_order_of_their_bytes) {
	std::mt19937_64 random(10);
	EventSums sums;
	std::set<Uuid> keys;
	for (int i = 0; i < 1000; ++i) {
		Uuid key;
		for (auto &byte : key)
			byte = static_cast<std::uint8_t>(random() % 3 * 127);
		keys.insert(key);
		sums.add(of(event(random() % 2 ? Kind::write_ack : Kind::write_receipt, noon), key));
	}
	const auto writes = writes_of(sums);
	BOOST_TEST(std::equal(writes.begin(), writes.end(), keys.begin(), keys.end(),
						  [](const PendingWrite &write, const Uuid &key) { return write.key == key; }));
}

BOOST_AUTO_TEST_CASE(cleared_buckets_begin_anew) {
	EventSums sums;
	sums.add(event(Kind::read_cursor, noon + 1s));
	sums.add(of(event(Kind::write_ack, noon + 1s), uuid(1)));
	sums.clear_buckets();
	BOOST_TEST(sums.buckets().empty());
	sums.add(event(Kind::read_cursor, noon + 2s));
	const auto bucket = only_bucket(sums);
	BOOST_TEST(bucket.count == 1);
	BOOST_CHECK(listed(bucket.cells()) == (CellList{{1, field::count, 1}}));
	BOOST_TEST(sums.events() == 3); // of all, for those who report progress
	BOOST_TEST(sums.write_items() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
