// The analysis of a whole stage: the same bits however it was fed, the same verdict however often it was asked, and
// nothing said about the canary where the data is wrong.

#include "core/analysis_archive.hpp"
#include "core/analysis_row.hpp"
#include "core/varint.hpp"

#include "analysis_fixture.hpp"

#include <utility>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_stage)

constexpr std::int64_t warm = 120; // 20 min are enough for thresholds and dispersion
constexpr std::int64_t one_hour = 360;

// Chance makes no exact course; some is needed where bits are compared.
std::vector<Bucket>
random_buckets(const StageSetup &setup, std::int64_t first, std::int64_t last, std::uint64_t seed) {
	std::mt19937_64 random(seed);
	StageAnalysis analysis(setup);
	Traffic traffic({setup.stage});
	std::vector<Bucket> buckets;
	for (auto number = first; number < last; ++number) {
		auto bucket = traffic.next(analysis, begin_of(number));
		for (auto &rate : bucket.rates) {
			rate.counts.x = std::floor(rate.counts.n * static_cast<double>(random() % 30) / 1000);
			rate.counts.y = std::floor(rate.counts.m * static_cast<double>(random() % 20) / 1000);
			rate.raw.canary = rate.counts.x + static_cast<double>(random() % 5);
		}
		for (auto &latency : bucket.latencies)
			latency.canary.add(static_cast<double>(random() % 2000), 3);
		if (random() % 100 == 0)
			bucket.rates[1].counts.x = nan_value;
		if (random() % 50 == 0)
			number += static_cast<std::int64_t>(random() % 3);
		analysis.advance(bucket);
		buckets.push_back(std::move(bucket));
	}
	return buckets;
}

// Equality of doubles would let 0 be -0, and would not see a NaN in both.
bool
same_bits(const StageAnswer &a, const StageAnswer &b) {
	const auto x = numbers_of(a), y = numbers_of(b);
	return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0 &&
		   a.reasons == b.reasons && a.decision == b.decision;
}

BOOST_AUTO_TEST_CASE(any_chunking_gives_the_same_bits) {
	const auto setup = setup_at(Stage::canary_50);
	const auto buckets = random_buckets(setup, -400, 9 * one_hour, 11);
	StageAnalysis whole(setup);
	for (const auto &bucket : buckets)
		whole.advance(bucket);
	const auto expected = whole.evaluate_path();
	for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{360}, std::size_t{2999}}) {
		// After each chunk only the stored state is kept, as if another process went on.
		auto state = StageAnalysis(setup).state();
		for (std::size_t begin = 0; begin < buckets.size(); begin += chunk) {
			StageAnalysis analysis(setup, state);
			for (auto i = begin; i < std::min(begin + chunk, buckets.size()); ++i)
				analysis.advance(buckets[i]);
			state = decode_state(encode(analysis.state(), 7), 7).value();
		}
		BOOST_TEST((state == whole.state()));
		BOOST_TEST(same_bits(StageAnalysis(setup, state).evaluate_path(), expected));
	}
	BOOST_TEST(expected.trend_last.has_value());
	BOOST_TEST(whole.state().comparisons[0].slow.phi.has_value());
}

BOOST_AUTO_TEST_CASE(a_stored_state_is_short_and_its_bytes_are_not_trusted) {
	const auto setup = setup_at(Stage::canary_50);
	StageAnalysis analysis(setup);
	for (const auto &bucket : random_buckets(setup, -400, one_hour, 13))
		analysis.advance(bucket);
	constexpr std::uint64_t chain = 5;
	const auto bytes = encode(analysis.state(), chain);
	BOOST_TEST(bytes.size() < 64u << 10);
	BOOST_TEST(encode(decode_state(bytes, chain).value(), chain) == bytes);
	// Of another bucket, cut off or damaged.
	BOOST_TEST(!decode_state(bytes, chain + 1));
	BOOST_TEST(!decode_state("", chain));
	BOOST_TEST(!decode_state(bytes + '\0', chain));
	for (std::size_t size = 1; size < bytes.size(); size += 97)
		BOOST_TEST(!decode_state(std::string_view(bytes).substr(0, size), chain));
	// Signed by somebody who did not write a state.
	constexpr std::size_t head = 9;
	const auto sign = [](const std::string &body) {
		ByteWriter out;
		out.byte(archive_version);
		out.fixed64(chain_of(body, chain));
		return out.take() + body;
	};
	BOOST_TEST(sign(bytes.substr(head)) == bytes);
	BOOST_CHECK_THROW(decode_state(sign(bytes.substr(head) + '\0'), chain), CorruptBytes);
	for (std::size_t size = head; size < bytes.size(); size += 97)
		BOOST_CHECK_THROW(decode_state(sign(bytes.substr(head, size - head)), chain), CorruptBytes);
	for (std::size_t at = 0; at < bytes.size(); at += 37)
		for (const int flip : {1, 0x80, 0xFF}) {
			auto damaged = bytes;
			damaged[at] = static_cast<char>(damaged[at] ^ flip);
			BOOST_TEST(!decode_state(damaged, chain));
			try {
				const auto stored = encode(decode_state(sign(damaged.substr(head)), chain).value(), chain);
				BOOST_TEST((encode(decode_state(stored, chain).value(), chain) == stored));
			} catch (const CorruptBytes &) {
			}
		}
	auto other = bytes;
	++other.front();
	BOOST_TEST(!decode_state(other, chain));
}

BOOST_AUTO_TEST_CASE(at_full_too) {
	auto setup = setup_at(Stage::full);
	for (auto &baseline : setup.baselines)
		baseline = flat_baseline(0.01, 900, 1.3);
	const auto buckets = random_buckets(setup, 0, one_hour, 12);
	StageAnalysis whole(setup);
	auto state = whole.state();
	for (const auto &bucket : buckets) {
		whole.advance(bucket);
		StageAnalysis one(setup, state);
		one.advance(bucket);
		state = one.state();
	}
	BOOST_TEST((state == whole.state()));
	BOOST_TEST(same_bits(StageAnalysis(setup, state).evaluate_path(), whole.evaluate_path()));
}

// One looks every second, the other once, at the end.
BOOST_AUTO_TEST_CASE(peeking_changes_nothing) {
	for (const double worse : {1.0, 1.4, 4.0}) {
		const auto setup = setup_at(Stage::canary_10);
		StageAnalysis peeked(setup), left_alone(setup);
		Traffic one({Stage::canary_10, 10'000, 0.01, worse}), other({Stage::canary_10, 10'000, 0.01, worse});
		std::vector<std::int64_t> fails;
		for (std::int64_t number = -warm; number < one_hour; ++number) {
			for (int second = 0; second < 10; ++second) {
				const auto now = begin_of(number) + settle_time + std::chrono::seconds(second);
				const auto answer = peeked.evaluate(now, now);
				if (answer.comparisons[2].outcome == Outcome::fail)
					fails.push_back(number);
			}
			peeked.advance(one.next(peeked, begin_of(number)));
			left_alone.advance(other.next(left_alone, begin_of(number)));
		}
		const auto end = look(left_alone, one_hour);
		BOOST_TEST(same_bits(look(peeked, one_hour), end));
		BOOST_TEST((peeked.state() == left_alone.state()));
		// Whatever was seen on the way is latched, and was first seen when it says.
		BOOST_TEST((end.comparisons[2].outcome == Outcome::fail) == !fails.empty());
		BOOST_TEST((worse > 1.25) == !fails.empty());
		if (!fails.empty())
			BOOST_TEST(fails.front() == *end.comparisons[2].failed_at + 1); // by the look after it closed
	}
}

BOOST_AUTO_TEST_CASE(a_good_canary_proceeds) {
	for (const auto stage : {Stage::canary_1, Stage::canary_10}) {
		StageAnalysis analysis(setup_at(stage));
		Traffic traffic({stage});
		run(analysis, traffic, -warm, one_hour, as_it_is);
		const auto answer = look(analysis, one_hour);
		BOOST_TEST(name(answer.decision) == "PROCEED");
		BOOST_TEST(answer.reasons.empty());
		for (const auto &check : answer.comparisons)
			BOOST_TEST(name(check.outcome) == "PASS", reason_text(answer, check));
	}
}

BOOST_AUTO_TEST_CASE(canary_50_waits_for_its_first_look_at_the_trend) {
	StageAnalysis analysis(setup_at(Stage::canary_50));
	Traffic traffic({Stage::canary_50});
	run(analysis, traffic, -warm, 8 * one_hour - 1, as_it_is);
	auto answer = look(analysis, 8 * one_hour - 1);
	BOOST_TEST(name(answer.decision) == "HOLD");
	BOOST_TEST(answer.reasons == std::vector<std::string>{"trend slow_receipts: the first look is in hour 8"},
			   boost::test_tools::per_element());
	run(analysis, traffic, 8 * one_hour - 1, 8 * one_hour, as_it_is);
	BOOST_TEST(name(look(analysis, 8 * one_hour).decision) == "PROCEED");
}

BOOST_AUTO_TEST_CASE(a_bad_canary_is_held_and_a_very_bad_one_rolled_back) {
	StageAnalysis twice(setup_at(Stage::canary_10)), four_times(setup_at(Stage::canary_10));
	Traffic mild({Stage::canary_10, 10'000, 0.01, 2}), wild({Stage::canary_10, 10'000, 0.01, 4.5});
	run(twice, mild, -warm, one_hour, as_it_is);
	run(four_times, wild, -warm, one_hour, as_it_is);
	BOOST_TEST(name(look(twice, one_hour).decision) == "HOLD");
	BOOST_TEST(!look(twice, one_hour).comparisons[2].severe);
	BOOST_TEST(name(look(four_times, one_hour).decision) == "ROLLBACK");
	BOOST_TEST(look(four_times, one_hour).comparisons[2].severe);
	// Marks at 5, 10, ... 55 min: both tests restart.
	BOOST_TEST(twice.state().comparisons[2].fail.restarts == 11);
	BOOST_TEST(twice.state().comparisons[2].severe.restarts == 11);
	// It stays so, although the canary is as good as control from now on.
	Traffic good({Stage::canary_10});
	run(twice, good, one_hour, 4 * one_hour, as_it_is);
	BOOST_TEST(name(look(twice, 4 * one_hour).comparisons[2].outcome) == "FAIL");
}

BOOST_AUTO_TEST_CASE(slow_receipts_are_found_and_a_shared_slowness_is_not) {
	StageAnalysis slow(setup_at(Stage::canary_10)), shared(setup_at(Stage::canary_10));
	Traffic slower({Stage::canary_10, 10'000, 0.01, 1, 1.3}), healthy({Stage::canary_10});
	run(slow, slower, -warm, one_hour, as_it_is);
	const auto answer = look(slow, one_hour);
	BOOST_TEST(name(answer.comparisons[0].outcome) == "FAIL");
	BOOST_TEST(!answer.comparisons[0].severe);
	// For 10 min everything is three times as slow and ten times as bad, in both cohorts.
	run(shared, healthy, -warm, one_hour, [](std::int64_t number, Bucket &bucket) {
		if (number < 120 || number >= 180)
			return true;
		for (auto &rate : bucket.rates) {
			rate.counts.x = std::round(rate.counts.n / 10);
			rate.counts.y = std::round(rate.counts.m / 10);
		}
		for (auto &latency : bucket.latencies)
			for (auto *histogram : {&latency.canary, &latency.control}) {
				Histogram shifted;
				histogram->for_each([&](int bin, std::int64_t n) { shifted.add(3 * Histogram::upper(bin), n); });
				*histogram = shifted;
			}
		return true;
	});
	for (const auto &check : look(shared, one_hour).comparisons)
		BOOST_TEST(name(check.outcome) == "PASS", reason_text(look(shared, one_hour), check));
}

// ---- Wrong wiring ---------------------------------------------------------------------------------------------------

struct WiringCase {
	const char *what;
	Stage stage;
	double worse;
	bool (*spoil)(std::int64_t number, Bucket &bucket); // false: the bucket does not come
	const char *reason;                                 // part of the first one
};

std::ostream &
operator<<(std::ostream &out, const WiringCase &c) {
	return out << c.what << " (" << c.worse << "x, " << c.stage << ")";
}

bool
swap_cohorts(std::int64_t, Bucket &bucket) {
	for (auto &[counts, raw, repeats] : bucket.rates) {
		std::swap(repeats.canary, repeats.control);
		std::swap(counts.x, counts.y);
		std::swap(counts.n, counts.m);
		std::swap(raw.canary, raw.control);
	}
	for (auto &latency : bucket.latencies)
		std::swap(latency.canary, latency.control);
	std::swap(bucket.first_seen[0], bucket.first_seen[1]);
	std::swap(bucket.active[0], bucket.active[1]);
	bucket.misplaced = bucket.active;
	return true;
}

bool
lose_control(std::int64_t, Bucket &bucket) {
	for (auto &rate : bucket.rates)
		rate.counts.y = rate.counts.m = rate.raw.control = 0;
	for (auto &latency : bucket.latencies)
		latency.control = {};
	return true;
}

bool
lose_canary(std::int64_t, Bucket &bucket) {
	for (auto &rate : bucket.rates)
		rate.counts.x = rate.counts.n = rate.raw.canary = 0;
	for (auto &latency : bucket.latencies)
		latency.canary = {};
	return true;
}

bool
count_bad_ones_twice(std::int64_t, Bucket &bucket) {
	for (auto &rate : bucket.rates)
		rate.counts.x = rate.counts.n + 1;
	return true;
}

bool
now_and_then_more_than_all(std::int64_t number, Bucket &bucket) {
	for (auto &rate : bucket.rates)
		rate.counts.x = number % 25 ? rate.counts.x : rate.counts.n + 1;
	return true;
}

bool
no_number(std::int64_t number, Bucket &bucket) {
	for (auto &rate : bucket.rates)
		(number % 2 ? rate.counts.y : rate.counts.n) = number % 3 ? nan_value : inf;
	return true;
}

const std::vector<WiringCase> wirings = [] {
	std::vector<WiringCase> cases;
	for (const double worse : {1.0, 4.5})
		for (const auto stage : {Stage::canary_1, Stage::canary_10, Stage::canary_50})
			for (auto each : std::vector<WiringCase>{
					 {"swapped", stage, worse, swap_cohorts, "data: "},
					 {"control missing", stage, worse, lose_control, "no exposures of control"},
					 {"the canary missing", stage, worse, lose_canary, "no exposures of the canary"},
					 {"all bad ones beyond the exposures", stage, worse, count_bad_ones_twice, "more bad events"},
					 {"some bad ones beyond the exposures", stage, worse, now_and_then_more_than_all,
					  "more bad events"},
					 {"no numbers", stage, worse, no_number, "counts that are none"},
					 {"actors are no number", stage, worse,
					  [](std::int64_t, Bucket &bucket) {
						  bucket.first_seen[1] = nan_value;
						  return true;
					  },
					  "30 of the last 30 buckets"},
					 {"one bucket in twenty missing", stage, worse,
					  [](std::int64_t number, Bucket &) { return number % 20 != 0; }, "of the last 30 buckets"},
					 {"a clock that goes back by five minutes now and then", stage, worse,
					  [](std::int64_t number, Bucket &bucket) {
						  if (number % 25 == 0)
							  bucket.begin -= 5min;
						  return true;
					  },
					  "late or at an odd moment"},
					 {"buckets at odd seconds", stage, worse,
					  [](std::int64_t, Bucket &bucket) {
						  bucket.begin += 1s;
						  return true;
					  },
					  "no bucket has come yet"},
				 })
				cases.push_back(each);
	return cases;
}();

BOOST_DATA_TEST_CASE(wrong_wiring_is_no_verdict_on_the_canary, bdata::make(wirings), c) {
	StageAnalysis analysis(setup_at(c.stage));
	Traffic traffic({c.stage, 10'000, 0.01, c.worse});
	// What was learnt before the evidence was right, so that nothing but the wiring is to blame.
	run(analysis, traffic, -warm, 0,
		[&](std::int64_t number, Bucket &bucket) { return c.spoil == lose_canary || c.spoil(number, bucket); });
	for (std::int64_t number = 0; number < one_hour; ++number) {
		run(analysis, traffic, number, number + 1, c.spoil);
		if (number % 17 && number + 1 != one_hour)
			continue;
		const auto answer = look(analysis, number + 1);
		BOOST_REQUIRE(name(answer.decision) == name(Decision::hold));
		for (const auto &check : answer.comparisons) {
			BOOST_REQUIRE(name(check.outcome) != "FAIL");
			// What is wrong with rates is no fault of durations.
			if (rule_of(check.comparison).statistic == Statistic::rate && number > 60)
				BOOST_REQUIRE_MESSAGE(name(check.outcome) != "PASS", reason_text(answer, check));
		}
		for (const double value : numbers_of(answer))
			BOOST_REQUIRE(std::isfinite(value));
	}
	const auto answer = look(analysis, one_hour);
	BOOST_REQUIRE(!answer.reasons.empty());
	BOOST_TEST(contains(join(answer.reasons, "\n"), c.reason), join(answer.reasons, "\n"));
}

// The share of actors and exposures is not that of the stage.
BOOST_DATA_TEST_CASE(shares_off_by_three,
					 bdata::make({Stage::canary_1, Stage::canary_10, Stage::canary_50}) * bdata::make({3.0, 1.0 / 3}) *
						 bdata::make({1.0, 4.5}),
					 stage, factor, worse) {
	const double odds = *canary_share(stage) / (1 - *canary_share(stage)) * factor;
	Course course{stage, 10'000, 0.01, worse};
	course.share = odds / (1 + odds);
	StageAnalysis analysis(setup_at(stage));
	Traffic traffic(course);
	run(analysis, traffic, -warm, one_hour, as_it_is);
	const auto answer = look(analysis, one_hour);
	BOOST_TEST(name(answer.decision) == "HOLD");
	BOOST_TEST(contains(answer.reasons.front(), "data: "));
	for (const auto &check : answer.comparisons)
		BOOST_TEST(name(check.outcome) == "data");
}

BOOST_AUTO_TEST_CASE(a_clock_that_jumps) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic traffic({Stage::canary_10});
	run(analysis, traffic, -warm, one_hour, as_it_is);
	const auto first_reason = [&](Time now, std::optional<Time> newest) {
		const auto answer = analysis.evaluate(now, newest);
		BOOST_TEST(name(answer.decision) == "HOLD");
		for (const auto &check : answer.comparisons)
			BOOST_TEST(name(check.outcome) == "data");
		return answer.reasons.front();
	};
	const auto closed = begin_of(one_hour) + settle_time;
	BOOST_TEST(name(analysis.evaluate(closed, closed).decision) == "PROCEED");
	// Within ten seconds the next bucket is not due yet.
	BOOST_TEST(name(analysis.evaluate(closed + 10s - instant, closed).decision) == "PROCEED");
	BOOST_TEST(first_reason(closed + 10s, closed + 10s) ==
			   "data: 1 of the last 30 buckets are missing or cannot be believed");
	BOOST_TEST(first_reason(closed + 24h, closed + 24h) ==
			   "data: 30 of the last 30 buckets are missing or cannot be believed");
	BOOST_TEST(first_reason(closed - 1h, closed - 1h) == "data: the clock stands before the newest bucket");
	BOOST_TEST(first_reason(closed, closed - 31s) == "data: the newest telemetry is 31 s old, at most 30 s counts");
	BOOST_TEST(first_reason(closed, closed + 1h) == "data: the newest telemetry is 1 h ahead of the clock");
	BOOST_TEST(first_reason(closed, std::nullopt) == "data: no telemetry was seen");

	// A day ahead, and everything goes on there: after 5 min the data is whole again, and nothing was found.
	run(analysis, traffic, one_hour + 8640, one_hour + 8640 + 29, as_it_is);
	BOOST_TEST(contains(look(analysis, one_hour + 8640 + 29).reasons.front(), "data: "));
	run(analysis, traffic, one_hour + 8640 + 29, one_hour + 8640 + 31, as_it_is);
	BOOST_TEST(name(look(analysis, one_hour + 8640 + 31).decision) == "PROCEED");
	// Years away it is no bucket at all.
	analysis.advance(traffic.next(analysis, noon + std::chrono::years(80)));
	BOOST_TEST(contains(look(analysis, one_hour + 8640 + 31).reasons.front(), "odd moment"));
}

// A real regression is not forgotten because telemetry falls silent after it.
BOOST_AUTO_TEST_CASE(what_was_found_stands_when_data_goes_missing) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic traffic({Stage::canary_10, 10'000, 0.01, 4.5});
	run(analysis, traffic, -warm, one_hour, as_it_is);
	const auto later = begin_of(one_hour) + 20min;
	const auto answer = analysis.evaluate(later, begin_of(one_hour));
	BOOST_TEST(name(answer.decision) == "ROLLBACK");
	BOOST_TEST(contains(join(answer.reasons, "\n"), "data: 30 of the last 30"));
}

// While the stage is killed control goes on, and is learnt from.
BOOST_AUTO_TEST_CASE(a_time_apart_is_no_evidence) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic traffic({Stage::canary_10, 10'000, 0.01, 1});
	run(analysis, traffic, -warm, one_hour, as_it_is);
	const auto before = look(analysis, one_hour);
	const auto tau = analysis.tau(Comparison::slow_receipts, begin_of(one_hour)).value();
	Traffic slower({Stage::canary_10, 10'000, 0.05, 9, 3});
	run(analysis, slower, one_hour, one_hour + 120, [](std::int64_t, Bucket &bucket) {
		bucket.apart = true;
		bucket.first_seen = {};
		for (auto &latency : bucket.latencies)
			latency.control = std::exchange(latency.canary, {}); // three times as slow as before
		return true;
	});
	const auto after = look(analysis, one_hour + 120);
	for (size_t i = 0; i < comparison_count; ++i) {
		BOOST_TEST(after.comparisons[i].totals == before.comparisons[i].totals);
		BOOST_TEST(after.comparisons[i].ln_fail_max == before.comparisons[i].ln_fail_max);
	}
	BOOST_TEST(analysis.tau(Comparison::slow_receipts, begin_of(one_hour + 120)).value() == 3 * tau);
}

// The evidence of buckets beside a gap counts, but FAIL is found only when the data is whole.
BOOST_AUTO_TEST_CASE(fail_waits_until_the_data_is_whole) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic traffic({Stage::canary_10, 10'000, 0.01, 2});
	run(analysis, traffic, 0, one_hour, [](std::int64_t number, Bucket &) { return number % 30 != 1; });
	auto answer = look(analysis, one_hour);
	BOOST_TEST(answer.comparisons[2].ln_fail_now > ln_fail);
	BOOST_TEST(name(answer.comparisons[2].outcome) == "data");
	// The last gap was bucket 331.
	run(analysis, traffic, one_hour, one_hour + 1, as_it_is);
	BOOST_TEST(name(look(analysis, one_hour + 1).comparisons[2].outcome) == "data");
	run(analysis, traffic, one_hour + 1, one_hour + 2, as_it_is);
	answer = look(analysis, one_hour + 2);
	BOOST_TEST(name(answer.comparisons[2].outcome) == "FAIL");
	BOOST_TEST(answer.comparisons[2].failed_at.value() == 361);
}

BOOST_AUTO_TEST_CASE(before_the_evidence_nothing_is_said) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic traffic({Stage::canary_10, 10'000, 0.01, 4});
	run(analysis, traffic, -warm, 0, as_it_is);
	const auto answer = look(analysis, 0);
	BOOST_TEST(name(answer.decision) == "HOLD");
	BOOST_TEST(contains(join(answer.reasons, "\n"), "too early: evidence begins at 2026-03-01 12:00:00 UTC"));
	for (const auto &check : answer.comparisons)
		BOOST_TEST(name(check.outcome) == "WAIT");
	// A storm is one from the first minute of the evidence on, and what was before it is another stage's.
	StageAnalysis stormy(setup_at(Stage::canary_10));
	Traffic wild({Stage::canary_10, 10'000, 0.01, 50});
	run(stormy, wild, -warm, 5, as_it_is);
	for (const auto &spike : look(stormy, 5).spikes)
		BOOST_TEST(name(spike.level) == "none");
	run(stormy, wild, 5, 6, as_it_is);
	for (const auto &spike : look(stormy, 6).spikes)
		BOOST_TEST(name(spike.level) == "storm in the canary");
	BOOST_TEST(name(look(stormy, 6).decision) == "ROLLBACK");
	// As long as too few actors were seen to tell whether the cohorts are what they should be, nothing is done.
	StageAnalysis few(setup_at(Stage::canary_10));
	Course course{Stage::canary_10, 10'000, 0.01, 50};
	course.actors = 10;
	Traffic unknown(course);
	run(few, unknown, -warm, 6, as_it_is);
	for (const auto &spike : look(few, 6).spikes)
		BOOST_TEST(contains(reason_text(look(few, 6), spike), "too early to act on it"));
	for (const auto &spike : look(few, 6).spikes)
		BOOST_TEST(!rolls_back(look(few, 6), spike));
}

// The burst of a build that was killed is not that of the one which is resumed.
BOOST_AUTO_TEST_CASE(a_storm_before_a_kill_is_no_storm_after_the_resume) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic calm({Stage::canary_10}), wild({Stage::canary_10, 10'000, 0.01, 50});
	run(analysis, calm, -warm, 60, as_it_is);
	run(analysis, wild, 60, 90, as_it_is);
	BOOST_TEST(name(look(analysis, 90).spikes[0].level) == "storm in the canary");
	run(analysis, calm, 90, 130, [](std::int64_t, Bucket &bucket) {
		bucket.apart = true;
		for (auto &rates : bucket.rates)
			rates.counts.n = rates.counts.x = rates.raw.canary = 0;
		return true;
	});
	run(analysis, calm, 130, 131, as_it_is);
	for (const auto &spike : look(analysis, 131).spikes)
		BOOST_TEST(name(spike.level) == "none");
}

// Long after everybody was first seen the labels are swapped, and half an hour later put right.
BOOST_AUTO_TEST_CASE(cohorts_that_are_swapped_later_are_no_evidence) {
	StageAnalysis analysis(setup_at(Stage::canary_50));
	Course course{Stage::canary_50, 10'000, 0.01, 3};
	course.actors = 0; // nobody is new
	Course seen = course;
	seen.worse = 1;
	seen.actors = 100;
	Traffic before(seen), after(course);
	run(analysis, before, -warm, one_hour, as_it_is);
	const auto totals = look(analysis, one_hour).comparisons[1].totals;
	run(analysis, after, one_hour, one_hour + 180, swap_cohorts);
	const auto answer = look(analysis, one_hour + 180);
	BOOST_TEST(contains(answer.reasons.front(),
						"data: 30,000 of 30,000 actors of the last 5 min are not in the cohort that their id's hash"),
			   answer.reasons.front());
	for (const auto &check : answer.comparisons)
		BOOST_TEST(name(check.outcome) == "data");
	BOOST_TEST(answer.comparisons[1].totals == totals);
	run(analysis, before, one_hour + 180, one_hour + 240, as_it_is);
	const auto mended = look(analysis, one_hour + 240);
	BOOST_TEST(mended.fault == "");
	BOOST_TEST(name(mended.comparisons[1].outcome) == "PASS");
}

// 2,000 actors at 1 %.
BOOST_AUTO_TEST_CASE(few_actors_are_too_few_to_pass) {
	StageAnalysis analysis(setup_at(Stage::canary_1));
	Course course{Stage::canary_1};
	course.actors = 5;
	Traffic traffic(course);
	run(analysis, traffic, -warm, one_hour, as_it_is);
	const auto answer = look(analysis, one_hour);
	BOOST_TEST(name(answer.decision) == "HOLD");
	BOOST_TEST(contains(join(answer.reasons, "\n"),
						"too early: 1,800 of 2,000 actors seen that tell whether the shares are right"));
	BOOST_TEST(contains(answer.reasons.front(), "PASS only waits for more actors"));
	run(analysis, traffic, one_hour, one_hour + 40, as_it_is);
	BOOST_TEST(name(look(analysis, one_hour + 40).decision) == "PROCEED");
}

BOOST_AUTO_TEST_CASE(evidence_begins_two_minutes_after_the_first_entry_with_a_whole_bucket) {
	BOOST_TEST((evidence_begin(noon) == noon + 2min));
	BOOST_TEST((evidence_begin(noon + instant) == noon + 2min + 10s));
	BOOST_TEST((evidence_begin(noon + 10s - instant) == noon + 2min + 10s));
	BOOST_TEST(!is_closed(noon, noon + 25s - instant));
	BOOST_TEST(is_closed(noon, noon + 25s));
}

// ---- Hostile numbers ------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(nothing_is_ever_infinite, bdata::make({Stage::canary_1, Stage::canary_50, Stage::full}), stage) {
	auto setup = setup_at(stage);
	for (auto &baseline : setup.baselines)
		baseline = flat_baseline(1e-6, 1e9, 1);
	std::mt19937_64 random(5);
	const double ends[] = {0, 0, 1, 7, 1e6, 1e12, largest_count};
	const auto any = [&] { return ends[random() % std::size(ends)]; };
	StageAnalysis analysis(setup);
	for (std::int64_t number = -warm; number < 9 * one_hour; ++number) {
		Bucket bucket;
		bucket.begin = begin_of(number);
		for (auto &[counts, raw, repeats] : bucket.rates) {
			repeats = {any(), any(), any(), any()};
			counts = {any(), any(), any(), any()};
			if (random() % 4)
				counts = {std::min(counts.x, counts.n), counts.n, std::min(counts.y, counts.m), counts.m};
			raw = {any(), any(), any()};
		}
		for (auto &latency : bucket.latencies) {
			for (auto *histogram : {&latency.canary, &latency.control})
				for (const double ms : {0.0, 200.0, 1e9})
					histogram->add(ms, static_cast<std::int64_t>(std::min(any(), 1e12)));
			latency.slices.assign(analysis::slice_count, {any(), any()});
			latency.slices_tau = 200;
		}
		bucket.first_seen = {any(), any()};
		bucket.active = {any(), any()};
		if (random() % 10 == 0)
			bucket.misplaced = {any(), any()};
		analysis.advance(bucket);
		if (number % 10)
			continue;
		const auto answer = look(analysis, number + 1);
		for (const double value : numbers_of(answer))
			BOOST_REQUIRE(std::isfinite(value));
		for (const auto &check : answer.comparisons) {
			const auto text = reason_text(answer, check);
			BOOST_REQUIRE_MESSAGE(!contains(text, "inf") && !contains(text, "nan"), text);
			BOOST_REQUIRE(text.size() < 500);
		}
		for (const auto &reason : answer.reasons)
			BOOST_REQUIRE_MESSAGE(!contains(reason, "inf ") && !contains(reason, "nan"), reason);
	}
}

// ---- Full -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(full_is_compared_with_control_as_it_was_and_never_rolls_back) {
	auto setup = setup_at(Stage::full);
	for (auto &baseline : setup.baselines)
		baseline = flat_baseline(0.01, 950, 1.2);
	setup.baselines[0]->q = setup.baselines[6]->q = 0.05;
	Course course{Stage::full};
	course.share = 1;
	StageAnalysis analysis(setup);
	Traffic good(course);
	run(analysis, good, 0, one_hour, as_it_is);
	BOOST_TEST(name(look(analysis, one_hour).decision) == "PROCEED");
	course.worse = 20;
	Traffic bad(course);
	run(analysis, bad, one_hour, 2 * one_hour, as_it_is);
	const auto answer = look(analysis, 2 * one_hour);
	BOOST_TEST(name(answer.comparisons[2].outcome) == "FAIL");
	BOOST_TEST(!answer.comparisons[2].severe);
	BOOST_TEST((answer.spikes[1].level >= SpikeLevel::spike));
	BOOST_TEST(name(answer.decision) == "HOLD");

	// Durations, too: control's p95 was 950 ms, and now more than 5 % are above 1.25 times that.
	course.worse = 1;
	course.slower = 1.5;
	StageAnalysis slow(setup);
	Traffic slower(course);
	run(slow, slower, 0, one_hour, as_it_is);
	BOOST_TEST(name(look(slow, one_hour).comparisons[0].outcome) == "FAIL");
}

// A state from before what `full` is compared with was known.
BOOST_AUTO_TEST_CASE(a_state_without_thresholds_gets_those_of_the_baseline) {
	auto setup = setup_at(Stage::full);
	Course course{Stage::full};
	course.share = 1;
	StageAnalysis before(setup);
	Traffic traffic(course);
	run(before, traffic, 400, 401, as_it_is);
	BOOST_TEST(!before.state().comparisons[0].slow.thresholds.has_value());
	for (auto &baseline : setup.baselines)
		baseline = flat_baseline(0.05, 950, 1.2);
	StageAnalysis after(setup, before.state());
	run(after, traffic, 401, 431, as_it_is);
	for (const auto &check : look(after, 431).comparisons)
		BOOST_TEST(name(check.outcome) == "PASS");
	BOOST_TEST(look(after, 431).comparisons[0].tau == 950);
}

constexpr auto resyncs = static_cast<std::size_t>(Comparison::forced_resync);

BOOST_AUTO_TEST_CASE(buckets_that_are_passed_over_are_no_evidence_and_show_spikes) {
	StageAnalysis whole(setup_at(Stage::canary_10)), without(setup_at(Stage::canary_10));
	const auto course = [](double worse) { return Course{Stage::canary_10, 10'000, 0.01, worse}; };
	Traffic usual(course(1)), same(course(1)), bad(course(20));
	run(whole, usual, -390, 60, as_it_is);
	run(without, same, -390, 60, as_it_is);
	const auto before = whole.state();
	run(whole, bad, 60, 90, [](std::int64_t, Bucket &bucket) {
		bucket.passed_over.fill(true);
		bucket.worse_since.fill(begin_of(60));
		bucket.rates[resyncs].repeats = {20, 20, 20, 20};
		return true;
	});
	const auto after = look(whole, 90);
	BOOST_TEST(after.comparisons[resyncs].blind); // who has it is seen all the same
	for (std::size_t i = 0; i < comparison_count; ++i) {
		const auto &was = before.comparisons[i], is = whole.state().comparisons[i];
		BOOST_TEST((is.fail == was.fail && is.pass == was.pass && is.rare == was.rare));
		BOOST_TEST((is.progress.totals == was.progress.totals));
		BOOST_TEST((after.comparisons[i].outcome != Outcome::fail));
	}
	// Whose it is nobody knows, until it goes on while nothing comes late.
	BOOST_TEST((after.spikes.front().level == SpikeLevel::storm));
	StageAnalysis longer(whole.setup(), whole.state());
	Traffic still(course(20));
	run(longer, still, 90, 91, as_it_is);
	BOOST_TEST((look(longer, 91).spikes.front().level == SpikeLevel::storm_in_canary));
	// If it was before that time, it stays; as long as it is known to look worse, it does not become so.
	for (const std::int64_t since : {90, 91}) {
		StageAnalysis later(longer.setup(), longer.state());
		run(later, still, 91, 100, [&](std::int64_t, Bucket &bucket) {
			bucket.worse_since.fill(begin_of(since));
			return true;
		});
		BOOST_TEST(
			(look(later, 100).spikes.front().level == (since == 90 ? SpikeLevel::storm : SpikeLevel::storm_in_canary)));
		BOOST_TEST((look(later, 100).spikes.front().since.value() < begin_of(90)));
	}
	// Without the mark it is one, and FAIL.
	Traffic again(course(20));
	run(without, again, 60, 90, as_it_is);
	BOOST_TEST(name(look(without, 90).comparisons[2].outcome) == "FAIL");
	BOOST_TEST((look(without, 90).spikes.front().level == SpikeLevel::storm_in_canary));
	// Nor does the trend take in what slow_receipts does not.
	for (const bool passed_over : {false, true}) {
		StageAnalysis drift(setup_at(Stage::canary_50));
		Traffic even({Stage::canary_50});
		run(drift, even, 0, one_hour, [&](std::int64_t, Bucket &bucket) {
			bucket.passed_over[0] = passed_over;
			return true;
		});
		BOOST_TEST(drift.state().trend.points.empty() == passed_over);
	}
}

// Control's bad events come late for a while: a good canary looks bad.
constexpr auto control_is_late = [](std::int64_t, Bucket &bucket) {
	for (auto &rate : bucket.rates)
		rate.counts.y = rate.raw.control = 0;
	return true;
};

BOOST_AUTO_TEST_CASE(nobody_goes_back_before_it_is_known_that_the_events_were_all_there) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic wild({Stage::canary_10, 10'000, 0.01, 4.5});
	std::int64_t next = -warm;
	while (!look(analysis, next).comparisons[resyncs].severe) {
		run(analysis, wild, next, next + 1, as_it_is);
		++next;
		BOOST_REQUIRE(next < one_hour);
	}
	const auto found = next - 1;
	auto answer = look(analysis, next);
	BOOST_TEST(name(answer.decision) == "HOLD");
	BOOST_TEST((answer.comparisons[resyncs].complete == Complete::unknown));
	BOOST_TEST(contains(reason_text(answer, answer.comparisons[resyncs]),
						"; severe: also against an allowance of 3x; it rolls back as soon as it is known that not many "
						"events of then come late, within 4 min of " +
							format_utc(begin_of(found + 1))));
	// With the first bucket of the minute in which the minute after it is looked at.
	const auto known =
		(std::chrono::ceil<std::chrono::minutes>(begin_of(found + 1) + 1min) + late_after - 1min - noon) /
		bucket_length;
	BOOST_TEST(known > found + 18);
	BOOST_TEST(known <= found + 24);
	run(analysis, wild, next, known, as_it_is);
	BOOST_TEST(name(look(analysis, known).decision) == "HOLD");
	const auto before = analysis.state();
	// However long it takes: it is the look that counts.
	StageAnalysis unseen(analysis.setup(), before);
	run(unseen, wild, known, known + one_hour, [](std::int64_t, Bucket &bucket) {
		bucket.looked_until.reset();
		return true;
	});
	BOOST_TEST(name(look(unseen, known + one_hour).decision) == "HOLD");
	run(analysis, wild, known, known + 1, as_it_is);
	answer = look(analysis, known + 1);
	BOOST_TEST(name(answer.decision) == "ROLLBACK");
	BOOST_TEST(!contains(reason_text(answer, answer.comparisons[resyncs]), "late"));

	// They were not, of that time: what is severe is found anew, on what comes in time, and waits as long again.
	const auto doubted = [&](StageAnalysis &other, std::int64_t first, std::int64_t since) {
		run(other, wild, first, first + 6, [&](std::int64_t, Bucket &bucket) {
			bucket.passed_over[resyncs] = true;
			bucket.worse_since[resyncs] = begin_of(since);
			return true;
		});
	};
	const auto goes_back = [](const StageAnalysis &other, std::int64_t last) {
		const auto now = look(other, last);
		return rolls_back(now, now.comparisons[resyncs]);
	};
	for (const std::int64_t since : {found - 5, found, found + 1}) {
		StageAnalysis other(analysis.setup(), before);
		doubted(other, known, since);
		const auto check = look(other, known + 6).comparisons[resyncs];
		BOOST_TEST_CONTEXT(since - found) {
			// What was found before that time was found on whole data.
			BOOST_TEST((check.outcome == Outcome::fail));
			BOOST_TEST(check.severe == (since > found));
			BOOST_TEST(goes_back(other, known + 6) == (since > found));
			BOOST_TEST(contains(reason_text(answer, check), "came late then or before, so it may be the telemetry") ==
					   (since <= *check.failed_at));
			if (since > found)
				continue;
			run(other, wild, known + 6, known + 7, as_it_is);
			BOOST_TEST(!look(other, known + 7).comparisons[resyncs].severe);
			run(other, wild, known + 7, 2 * one_hour, as_it_is);
			BOOST_TEST(goes_back(other, 2 * one_hour));
			BOOST_TEST(*other.state().comparisons[resyncs].progress.severe_at > known + 6);
		}
	}
	// Where it was looked at already, nothing that comes later takes it back; nor what is late of another comparison.
	StageAnalysis settled(analysis.setup(), analysis.state());
	doubted(settled, known + 1, 0);
	BOOST_TEST(goes_back(settled, known + 7));
	StageAnalysis other(analysis.setup(), before);
	run(other, wild, known, known + 6, [&](std::int64_t, Bucket &bucket) {
		for (std::size_t i = 0; i < comparison_count; ++i)
			if (i != resyncs) {
				bucket.passed_over[i] = true;
				bucket.worse_since[i] = begin_of(0);
			}
		return true;
	});
	BOOST_TEST(goes_back(other, known + 6));
	BOOST_TEST(!look(other, known + 6).comparisons[1].severe);
	// Also where FAIL itself is not found yet.
	auto early = before;
	early.comparisons[resyncs].progress.failed_at.reset();
	early.comparisons[resyncs].progress.looked = found;
	StageAnalysis unfailed(analysis.setup(), early);
	doubted(unfailed, known, found);
	BOOST_TEST(!unfailed.state().comparisons[resyncs].progress.severe_at.has_value());
	// The earliest of several times counts.
	StageAnalysis twice(analysis.setup(), before);
	doubted(twice, known, found);
	doubted(twice, known + 6, found - 5);
	doubted(twice, known + 12, found + 3);
	BOOST_TEST(*twice.state().comparisons[resyncs].progress.late_from == found - 5);
}

BOOST_AUTO_TEST_CASE(a_good_canary_is_not_rolled_back_while_control_reports_late) {
	StageAnalysis analysis(setup_at(Stage::canary_10));
	Traffic traffic({Stage::canary_10, 10'000, 0.01, 1});
	run(analysis, traffic, -warm, one_hour, as_it_is);
	// 18 buckets until the first minute of it is looked at, 24 until the second one is.
	for (std::int64_t number = one_hour; number < one_hour + 24; ++number) {
		run(analysis, traffic, number, number + 1, control_is_late);
		BOOST_TEST(name(look(analysis, number + 1).decision) != "ROLLBACK");
	}
	BOOST_TEST(look(analysis, one_hour + 24).comparisons[2].severe);
	run(analysis, traffic, one_hour + 24, one_hour + 90, [](std::int64_t number, Bucket &bucket) {
		bucket.passed_over.fill(true);
		bucket.worse_since.fill(begin_of(one_hour - 6));
		return control_is_late(number, bucket);
	});
	BOOST_TEST(name(look(analysis, one_hour + 90).decision) == "HOLD");
	run(analysis, traffic, one_hour + 90, 3 * one_hour, as_it_is);
	const auto answer = look(analysis, 3 * one_hour);
	BOOST_TEST(name(answer.decision) == "HOLD");
	BOOST_TEST(name(answer.comparisons[2].outcome) == "FAIL");
	BOOST_TEST((answer.comparisons[2].complete == Complete::no));
}

// It would never come: no hold for ever.
BOOST_AUTO_TEST_CASE(full_without_a_baseline_is_not_compared) {
	for (const double q : {0.0, 1.0, -1.0, nan_value, inf}) {
		auto setup = setup_at(Stage::full);
		for (auto &baseline : setup.baselines)
			baseline = flat_baseline(q, 950, 1.2);
		Course course{Stage::full};
		course.share = 1;
		StageAnalysis analysis(setup);
		Traffic traffic(course);
		// Before the first bucket nobody knows whether there is one.
		const auto early = look(analysis, 0);
		BOOST_TEST(name(early.decision) == "HOLD");
		for (const auto &check : early.comparisons)
			BOOST_TEST((check.outcome != Outcome::pass));
		run(analysis, traffic, 0, one_hour, as_it_is);
		const auto answer = look(analysis, one_hour);
		BOOST_TEST(name(answer.decision) == "PROCEED");
		for (const auto &check : answer.comparisons) {
			BOOST_TEST(name(check.outcome) == "PASS");
			BOOST_TEST(
				reason_text(answer, check) ==
				"PASS " + std::string(name(check.comparison)) +
					": does not apply: control at canary_50 left nothing to compare with; the limits still hold");
		}
		// What cannot be is told all the same.
		Bucket wrong;
		wrong.begin = analysis.end_of(one_hour - 1);
		wrong.rates[1].counts = {5, 1, 0, 0};
		analysis.advance(wrong);
		BOOST_TEST(name(look(analysis, one_hour + 1).comparisons[1].outcome) == "data");
	}
}

BOOST_AUTO_TEST_CASE(margins_that_cannot_be_used_are_refused) {
	for (const double factor : {0.0, 0.99, -1.0, 1001.0, nan_value, inf}) {
		auto setup = setup_at(Stage::canary_10);
		setup.rule.rho_fail = factor;
		BOOST_TEST(refusal_of([&] { StageAnalysis{setup}; }).token() == "ERR_INVALID_ARGUMENT");
		setup.rule = stage_rule(Stage::canary_10);
		setup.rule.d_pass = factor;
		BOOST_TEST(refusal_of([&] { StageAnalysis{setup}; }).token() == "ERR_INVALID_ARGUMENT");
	}
	auto setup = setup_at(Stage::canary_10);
	setup.rule.t_max = -1s;
	BOOST_TEST(refusal_of([&] { StageAnalysis{setup}; }).token() == "ERR_INVALID_ARGUMENT");
}

// The specification's table.
BOOST_AUTO_TEST_CASE(rules_by_stage) {
	const auto is = [](Stage stage, Duration t_max, int restarts, double rho_fail, std::optional<double> rho_pass,
					   double d_fail, std::optional<double> d_pass) {
		const auto &rule = stage_rule(stage);
		BOOST_TEST((rule.t_max == t_max));
		BOOST_TEST(rule.restarts() == restarts);
		BOOST_TEST(rule.rho_fail == rho_fail);
		BOOST_TEST((rule.rho_pass == rho_pass));
		BOOST_TEST(rule.d_fail == d_fail);
		BOOST_TEST((rule.d_pass == d_pass));
		BOOST_TEST(rule.rho_severe == 3);
		BOOST_TEST(rule.d_severe == 1.5);
	};
	is(Stage::canary_1, 60min, 12, 1.25, 3, 1.10, 1.50);
	is(Stage::canary_10, 4h, 48, 1.25, 2, 1.10, 1.25);
	is(Stage::canary_50, 24h, 288, 1.10, 1.5, 1.10, 1.25);
	is(Stage::full, 24h, 288, 1.5, std::nullopt, 1.25, std::nullopt);
	CHECK_NEAR(ln_fail, 6.551080335043404);
	for (const auto &rule : comparison_rules()) {
		BOOST_TEST((comparison_rules()[static_cast<size_t>(rule.comparison)].name == rule.name));
		BOOST_TEST((find_metric(rule.metric) != nullptr));
		const auto &checks = default_checks();
		const auto found =
			std::find_if(checks.begin(), checks.end(), [&](const auto &check) { return check.name == rule.check; });
		BOOST_REQUIRE(found != checks.end());
		BOOST_TEST(found->metric == rule.metric);
		// A storm is never less than what the metric's own limit already forbids.
		for (const auto &check : checks)
			if (check.metric == rule.metric && check.judge == Judge::limit && rule.statistic == Statistic::rate)
				CHECK_NEAR(rule.spike_floor * storm_factor, *check.limit);
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
