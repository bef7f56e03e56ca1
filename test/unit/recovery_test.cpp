#include "core/recovery.hpp"
#include "fixture.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace chat_v11::test {

namespace {

struct WaitCase {
	std::optional<Duration> ago; // since the last admission, negative where it lies ahead
	Duration interval;
	Duration wait; // 0 where it is admitted
};

std::ostream &
operator<<(std::ostream &out, const WaitCase &c) {
	return out << (c.ago ? c.ago->count() : 0) << " us ago, once in " << c.interval.count();
}

const WaitCase wait_cases[] = {
	{std::nullopt, 60s, 0s}, {0s, 60s, 60s},    {1us, 60s, 60s - 1us}, {60s - 1us, 60s, 1us},
	{60s, 60s, 0s},          {24h, 60s, 0s},    {999'999us, 1s, 1us},  {1s, 1s, 0s},
	{-1us, 60s, 60s + 1us},  {-60s, 60s, 120s}, {-60s - 1us, 60s, 0s}, // a clock that was set back
	{-24h, 60s, 0s},         {59min, 1h, 1min},
};

} // namespace

BOOST_AUTO_TEST_SUITE(recovery)

BOOST_DATA_TEST_CASE(a_full_state_waits_for_its_interval, bdata::make(wait_cases), c) {
	const auto wait = full_state_wait(c.ago ? std::optional(noon - *c.ago) : std::nullopt, noon, c.interval);
	BOOST_TEST(wait.has_value() == (c.wait > 0s));
	BOOST_TEST(wait.value_or(Duration::zero()).count() == c.wait.count());
}

BOOST_AUTO_TEST_CASE(seconds_are_told_rounded_up) {
	BOOST_TEST(seconds_to_wait(1us) == 1);
	BOOST_TEST(seconds_to_wait(1s) == 1);
	BOOST_TEST(seconds_to_wait(1s + 1us) == 2);
	BOOST_TEST(seconds_to_wait(60s) == 60);
}

// What was admitted within an interval lies in the table that is written to now, or in the one before it: the other way
// round, a table that has just come to rest is left alone for longer than anything in it counts.
BOOST_AUTO_TEST_CASE(tables_take_turns_of_four_intervals) {
	BOOST_CHECK(admission_turn(60s) == Duration(4min));
	BOOST_CHECK(admission_turn(1s) == Duration(4min));
	BOOST_CHECK(admission_turn(1h) == Duration(4h));
	for (const Duration interval : {Duration(1s), Duration(60s), Duration(61s), Duration(1h)}) {
		const auto turn = admission_turn(interval);
		for (const Time from : {Time{}, noon, Time(-1'800'000'000s)}) {
			int changes = 0;
			Duration rest = turn;
			auto before = admission_table(from, interval);
			for (Duration step{}; step < 10 * turn; step += turn / 100, rest += turn / 100) {
				const auto table = admission_table(from + step, interval);
				BOOST_REQUIRE(table == 0 || table == 1);
				if (table == before)
					continue;
				++changes;
				BOOST_CHECK(changes == 1 || rest >= turn - turn / 100);
				rest = Duration::zero();
				before = table;
			}
			BOOST_TEST(changes >= 9);
			BOOST_TEST(changes <= 10);
		}
	}
	// At the very end of a turn, before and after the epoch.
	BOOST_TEST(admission_table(Time{}, 60s) == 0);
	BOOST_TEST(admission_table(Time(-1us), 60s) == 1);
	BOOST_TEST(admission_table(Time(4min) - 1us, 60s) == 0);
	BOOST_TEST(admission_table(Time(4min), 60s) == 1);
	BOOST_TEST(admission_table(Time(-4min), 60s) == 1);
	BOOST_TEST(admission_table(Time(-4min) - 1us, 60s) == 0);
}

// Where the other table is not looked at, no row that counts can be there, whichever way a clock went.
BOOST_AUTO_TEST_CASE(a_table_that_is_passed_over_holds_nothing_that_counts) {
	const Time long_ago = noon - 24h;
	for (const Duration interval : {Duration(1s), Duration(60s), Duration(61s), Duration(1h)}) {
		const auto turn = admission_turn(interval);
		int passed_over = 0;
		for (Duration step{}; step < 2 * turn; step += turn / 97) {
			const auto now = noon + step;
			const auto table = admission_table(now, interval);
			if (resting_may_count(now, interval, long_ago))
				continue;
			++passed_over;
			for (Duration age = -2 * interval; age <= 2 * interval; age += interval / 50)
				BOOST_REQUIRE(admission_table(now - age, interval) == table ||
							  !full_state_wait(now - age, now, interval));
		}
		// Two quarters of a turn of four intervals; nearly all of one of more.
		BOOST_TEST(passed_over >= 90);
	}
	// In the middle of a turn, with what was written by another interval.
	const Time middle = Time(2min);
	BOOST_TEST(!resting_may_count(middle, 60s, Time(-1h)));
	BOOST_TEST(resting_may_count(middle, 60s, middle + 24h));
	BOOST_TEST(resting_may_count(middle, 60s, middle + 1us));
	BOOST_TEST(resting_may_count(middle, 60s, middle - 60s - 2s + 1us));
	BOOST_TEST(!resting_may_count(middle, 60s, middle - 60s - 2s));
	// At its ends.
	BOOST_TEST(resting_may_count(Time(1min) - 1us, 60s, Time(-1h)));
	BOOST_TEST(!resting_may_count(Time(1min), 60s, Time(-1h)));
	BOOST_TEST(!resting_may_count(Time(3min) - 1us, 60s, Time(-1h)));
	BOOST_TEST(resting_may_count(Time(3min), 60s, Time(-1h)));
}

BOOST_AUTO_TEST_CASE(back_off_doubles_up_to_the_cap) {
	const std::int64_t steps[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
	for (size_t i = 0; i < std::size(steps); ++i) {
		std::set<std::int32_t> seen;
		double sum = 0;
		constexpr int keys = 4000;
		for (int key = 0; key < keys; ++key) {
			const auto ms = resync_backoff_ms(static_cast<std::int64_t>(i) + 1, std::to_string(key), 1s, 60s);
			BOOST_REQUIRE(ms > steps[i] - steps[i] / 4 - 1);
			BOOST_REQUIRE(ms <= steps[i]);
			seen.insert(ms);
			sum += ms;
		}
		BOOST_TEST(seen.size() > 240u);
		BOOST_TEST(std::abs(sum / keys / static_cast<double>(steps[i]) - 0.875) < 0.005);
	}
	for (const std::int64_t attempt : {std::int64_t{64}, std::int64_t{65}, std::int64_t{2'147'483'647}}) {
		const auto ms = resync_backoff_ms(attempt, "a", 1s, 60s);
		BOOST_TEST(ms >= 45000);
		BOOST_TEST(ms <= 60000);
	}
}

// For clients that compute it themselves: docs/recovery.md has the same.
BOOST_AUTO_TEST_CASE(back_off_is_the_same_everywhere) {
	BOOST_TEST(resync_backoff_ms(1, "stream-1", 1s, 60s) == 836);
	BOOST_TEST(resync_backoff_ms(2, "stream-1", 1s, 60s) == 1594);
	BOOST_TEST(resync_backoff_ms(7, "stream-1", 1s, 60s) == 53804);
	BOOST_TEST(resync_backoff_ms(8, "stream-1", 1s, 60s) == 56806);
	BOOST_TEST(resync_backoff_ms(1, "stream-2", 1s, 60s) == 918);
	const auto hash = Murmur3().feed("stream-1:7").finish();
	BOOST_TEST(60000 - (std::int64_t{15000} * hash >> 32) == 53804);
}

BOOST_AUTO_TEST_CASE(back_off_takes_other_numbers) {
	BOOST_TEST(resync_backoff_ms(1, "a", 10ms, 10ms) >= 8);
	BOOST_TEST(resync_backoff_ms(9, "a", 10ms, 10ms) <= 10);
	BOOST_TEST(resync_backoff_ms(100, "a", 10min, 1h) <= 3'600'000);
	BOOST_TEST(resync_backoff_ms(100, "a", 10min, 1h) >= 2'700'000);
	BOOST_TEST(resync_backoff_ms(1, "a", 10min, 1s) <= 1000); // by hand, behind the settings' back
	for (const std::int64_t attempt : {0, -1})
		BOOST_TEST(refusal_of([&] { resync_backoff_ms(attempt, "a", 1s, 60s); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(settings_that_belong_together_do_not_contradict) {
	Settings settings;
	validate_recovery(settings);
	settings.resync_backoff_base = settings.resync_backoff_cap;
	settings.status_write_after_min = settings.status_write_after_max;
	validate_recovery(settings);
	settings.resync_backoff_base += 1ms;
	BOOST_TEST(contains(refusal_of([&] { validate_recovery(settings); }).what(), "resync_backoff_base"));
	settings.resync_backoff_base = 1s;
	settings.status_write_after_max -= 1ms;
	BOOST_TEST(contains(refusal_of([&] { validate_recovery(settings); }).what(), "status_write_after_min"));
}

BOOST_AUTO_TEST_CASE(the_policy_has_every_number) {
	Settings settings;
	settings.full_state_interval = 61s;
	settings.resync_backoff_base = 2s;
	settings.resync_backoff_cap = 62s;
	settings.status_write_after_min = 1500ms;
	settings.status_write_after_max = 63s;
	const auto json = nlohmann::json::parse(recovery_policy_json(settings, 17));
	BOOST_TEST(json["version"] == 17);
	BOOST_TEST(json["full_state_dialog"]["interval_ms"] == 61000);
	BOOST_TEST(json["resync_stream"]["backoff"]["base_ms"] == 2000);
	BOOST_TEST(json["resync_stream"]["backoff"]["cap_ms"] == 62000);
	BOOST_TEST(json["resync_stream"]["backoff"]["jitter"] == 0.25);
	BOOST_TEST(json["status_write"]["after_min_ms"] == 1500);
	BOOST_TEST(json["status_write"]["after_max_ms"] == 63000);
	BOOST_TEST(json["on_unknown"] == "resync_stream");
	BOOST_TEST(json["on_range_unavailable"] == "full_state_dialog");
}

BOOST_AUTO_TEST_CASE(a_stream_has_a_name) {
	validate_stream("a");
	validate_stream(std::string(1000, 'x'));
	for (const size_t size : {size_t{0}, size_t{1001}})
		BOOST_TEST(refusal_of([&] { validate_stream(std::string(size, 'x')); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_CASE(a_uuid_is_told_from_other_text) {
	const std::string text = "00112233-4455-6677-8899-aabbccddeeff";
	const auto uuid = parse_uuid(text);
	BOOST_REQUIRE(uuid);
	const auto back = to_text(*uuid);
	BOOST_TEST(std::string(back.data(), back.size()) == text);
	BOOST_CHECK(parse_uuid("00112233-4455-6677-8899-AABBCCDDEEFF") == uuid);
	BOOST_CHECK(parse_uuid("00112233445566778899aabbccddeeff") == uuid);
	for (const auto *other : {"", "a", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeefff",
							  "00112233-4455-6677-8899-aabbccddeefg", "0011223344-55-6677-8899-aabbccddeeff",
							  "00112233-44556677-8899-aabbccddeeff0", "0011223344556677-8899aabbccddeeff",
							  "{00112233-4455-6677-8899-aabbccddeeff}", "@0112233-4455-6677-8899-aabbccddeeff"})
		BOOST_CHECK(!parse_uuid(other));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
