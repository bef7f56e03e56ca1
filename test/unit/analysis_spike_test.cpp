// Bursts: when they begin, whose they are, and when they are over.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_spike)

// 1,000 exposures of the canary in a bucket, 9,000 of control, whose rate is 1 %.
struct Burst {
	double canary, control; // rates
	double units;
};

RateBucket
bucket_of(const Burst &burst) {
	RateBucket bucket;
	bucket.counts = {0, 1000, 0, 9000};
	bucket.raw = {std::round(1000 * burst.canary), std::round(9000 * burst.control), burst.units};
	return bucket;
}

class Watch {
public:
	void
	feed(std::int64_t count, const Burst &burst) {
		for (std::int64_t i = 0; i < count; ++i)
			watch.advance(next++, bucket_of(burst));
	}
	SpikeWatch watch{0.001};
	std::int64_t next = -390;
};

constexpr Burst calm{0.01, 0.01, 5};

struct BurstCase {
	const char *what;
	Burst burst;
	SpikeLevel level;
};

std::ostream &
operator<<(std::ostream &out, const BurstCase &c) {
	return out << c.what;
}

// The base is 1 %.
const std::vector<BurstCase> burst_cases = {
	{"calm", calm, SpikeLevel::none},
	{"five times", {0.05, 0.01, 20}, SpikeLevel::spike},
	{"just below", {0.049, 0.01, 20}, SpikeLevel::none},
	{"one unit short", {0.05, 0.01, 19}, SpikeLevel::none},
	{"both cohorts", {0.05, 0.05, 20}, SpikeLevel::spike},
	{"control alone", {0.01, 0.5, 20}, SpikeLevel::none},
	{"ten times, few units", {0.10, 0.01, 49}, SpikeLevel::spike},
	{"ten times in the canary", {0.10, 0.01, 50}, SpikeLevel::storm_in_canary},
	{"ten times in both", {0.10, 0.10, 50}, SpikeLevel::storm},
	{"three times control", {0.12, 0.04, 50}, SpikeLevel::storm_in_canary},
	{"less than three times", {0.119, 0.04, 50}, SpikeLevel::storm},
	{"control has none at all", {0.10, 0, 50}, SpikeLevel::storm_in_canary},
};

BOOST_DATA_TEST_CASE(bursts_of_five_minutes, bdata::make(burst_cases), c) {
	Watch w;
	w.feed(390, calm);
	w.feed(30, c.burst);
	BOOST_TEST(name(w.watch.level()) == name(c.level));
	BOOST_TEST(w.watch.base().value() == 0.01); // the last 5 min are not part of it
}

BOOST_AUTO_TEST_CASE(all_of_the_five_minutes_count) {
	Watch w;
	w.feed(390, calm);
	w.feed(29, {0.05, 0.01, 20});
	BOOST_TEST(name(w.watch.level()) == "none");
	w.feed(1, {0.05, 0.01, 20});
	BOOST_TEST(name(w.watch.level()) == "spike");
}

BOOST_AUTO_TEST_CASE(a_minute_is_not_enough_and_neither_is_what_is_over) {
	Watch w;
	w.feed(390, calm);
	w.feed(6, {0.2, 0.01, 30}); // 60 s at 20 times, 300 s at 4.8
	BOOST_TEST(w.watch.rate_60s().value() == 0.2);
	BOOST_TEST(w.watch.level() == SpikeLevel::none);
	w.feed(6, calm);
	w.feed(1, {0.9, 0.01, 30});
	BOOST_TEST(w.watch.rate_300s().value() > 0.05);
	BOOST_TEST(w.watch.level() == SpikeLevel::spike);
}

BOOST_AUTO_TEST_CASE(it_clears_after_ten_minutes_below_twice_the_base) {
	Watch w;
	w.feed(390, calm);
	w.feed(30, {0.10, 0.01, 60});
	BOOST_TEST(w.watch.level() == SpikeLevel::storm_in_canary);
	const auto since = w.watch.state().since;
	// The five minutes are not below 2 % before the last bucket of the burst has left them.
	w.feed(29 + 59, {0.0189, 0.01, 5});
	BOOST_TEST(w.watch.level() == SpikeLevel::storm_in_canary);
	BOOST_TEST(w.watch.state().since == since);
	Watch relapse = w;
	w.feed(1, {0.0189, 0.01, 5});
	BOOST_TEST(w.watch.level() == SpikeLevel::none);
	relapse.feed(1, {0.07, 0.01, 5}); // five minutes of 2.06 %
	relapse.feed(29 + 59, {0.0189, 0.01, 5});
	BOOST_TEST(relapse.watch.level() == SpikeLevel::storm_in_canary);
	relapse.feed(2, {0.0189, 0.01, 5});
	BOOST_TEST(relapse.watch.level() == SpikeLevel::none);
}

// Of a rare exposure a minute seldom has any, and for hours there may be none at all.
BOOST_AUTO_TEST_CASE(a_burst_on_a_rare_exposure_clears) {
	for (const int every : {20, 1000}) {
		Watch w;
		w.feed(390, calm);
		w.feed(30, {0.10, 0.01, 60});
		BOOST_TEST(w.watch.level() == SpikeLevel::storm_in_canary);
		int passed = 0;
		for (; passed < 200 && w.watch.level() != SpikeLevel::none; ++passed)
			w.watch.advance(w.next++, {{0, passed % every == every - 1 ? 1.0 : 0.0, 0, 9000}, {0, 90, 0}});
		BOOST_TEST(passed == 29 + 60);
		BOOST_TEST(!w.watch.rate_60s().has_value());
	}
	// A bad event without any exposure is no calm.
	Watch w;
	w.feed(390, calm);
	w.feed(30, {0.10, 0.01, 60});
	for (int i = 0; i < 200; ++i)
		w.watch.advance(w.next++, {{0, 0, 0, 9000}, {i % 29 ? 0.0 : 1.0, 90, 1}});
	BOOST_TEST(w.watch.level() == SpikeLevel::storm_in_canary);
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_not_calm) {
	Watch w;
	w.feed(390, calm);
	w.feed(30, {0.10, 0.01, 60});
	for (int i = 0; i < 20; ++i) {
		w.feed(40, calm);
		++w.next;
	}
	BOOST_TEST(w.watch.level() == SpikeLevel::storm_in_canary);
	w.feed(60, calm);
	BOOST_TEST(w.watch.level() == SpikeLevel::none);
}

// A storm ends the time of the build that made it: after the kill there is nobody, then another build.
BOOST_AUTO_TEST_CASE(a_kill_ends_a_burst_and_what_was_before_it) {
	Watch w;
	w.feed(390, calm);
	w.feed(30, {0.9, 0.01, 60});
	BOOST_TEST(w.watch.level() == SpikeLevel::storm_in_canary);
	Watch killed = w;
	killed.watch.learn(killed.next++, {{0, 0, 0, 9000}, {0, 90, 60}});
	BOOST_TEST(killed.watch.level() == SpikeLevel::none);
	BOOST_TEST(!killed.watch.rate_300s().has_value());
	BOOST_TEST(killed.watch.base().value() == 0.01);
	// Back after ten seconds: the five minutes hold what came since, though units are still counted over 300 s.
	killed.feed(60, {0.01, 0.01, 60});
	BOOST_TEST(killed.watch.level() == SpikeLevel::none);
	BOOST_TEST(killed.watch.rate_300s().value() == 0.01);
}

// Before the evidence the canary is another stage's: no burst is carried over, and it takes a minute to make one.
BOOST_AUTO_TEST_CASE(before_the_evidence_only_the_base_is_learnt) {
	Watch w;
	for (int i = 0; i < 390; ++i)
		w.watch.learn(w.next++, bucket_of({0.9, 0.01, 60}));
	BOOST_TEST(w.watch.level() == SpikeLevel::none);
	BOOST_TEST(w.watch.base().value() == 0.01);
	Watch gap = w;
	w.feed(5, {0.9, 0.01, 60});
	BOOST_TEST(w.watch.level() == SpikeLevel::none);
	w.feed(1, {0.9, 0.01, 60});
	BOOST_TEST(w.watch.level() == SpikeLevel::storm_in_canary);
	gap.next += 10; // missing buckets are no evidence
	gap.feed(5, {0.9, 0.01, 60});
	BOOST_TEST(gap.watch.level() == SpikeLevel::none);
}

// The canary has nearly all of its exposures in the last minute, since it has just been promoted.
BOOST_AUTO_TEST_CASE(a_shared_burst_after_a_promotion_is_no_storm_of_the_canary) {
	const auto promoted = [](double canary, double control) {
		Watch w;
		w.feed(390, calm);
		for (int i = 0; i < 30; ++i) {
			const double n = i < 24 ? 10 : 1000;
			const double x = i < 24 ? 0 : std::round(n * canary), y = i < 24 ? 90 : std::round(9000 * control);
			w.watch.advance(w.next++, {{0, n, 0, 9000}, {x, y, 60}});
		}
		return w.watch;
	};
	BOOST_TEST(name(promoted(0.5, 0.5).level()) == "storm");
	BOOST_TEST(name(promoted(0.5, 0.17).level()) == "storm");
	BOOST_TEST(name(promoted(0.5, 0.16).level()) == "storm in the canary");
	CHECK_NEAR(promoted(0.5, 0.5).control_300s().value(), (6000 * 0.5 + 240 * 0.01) / 6240);
	// Where control has no exposures at these moments, nothing is known of it.
	Watch alone;
	alone.feed(390, calm);
	for (int i = 0; i < 30; ++i)
		alone.watch.advance(alone.next++, {{0, i % 2 ? 1000.0 : 0, 0, i % 2 ? 0.0 : 9000}, {i % 2 ? 500.0 : 0, 0, 60}});
	BOOST_TEST(name(alone.watch.level()) == "storm");
	BOOST_TEST(!alone.watch.control_300s().has_value());
}

BOOST_AUTO_TEST_CASE(control_that_is_better_than_the_floor_is_the_floor) {
	Watch w;
	w.feed(390, {0, 0, 0});
	BOOST_TEST(w.watch.base().value() == 0.001);
	w.feed(30, {0.005, 0, 20});
	BOOST_TEST(w.watch.level() == SpikeLevel::spike);
}

BOOST_AUTO_TEST_CASE(without_control_no_storm_is_the_canarys_own) {
	Watch w;
	w.feed(390, calm);
	for (int i = 0; i < 60; ++i)
		w.watch.advance(w.next++, {{0, 1000, 0, 0}, {i < 30 ? 10.0 : 500.0, 0, 60}});
	BOOST_TEST(name(w.watch.level()) == "storm");
	// Nor is there any where nobody knows what is usual.
	SpikeWatch fresh(0.001);
	for (std::int64_t i = 0; i < 30; ++i)
		fresh.advance(i, bucket_of({0.5, 0.01, 60}));
	BOOST_TEST(!fresh.base().has_value());
	BOOST_TEST(name(fresh.level()) == "none");
	fresh.advance(30, bucket_of({0.5, 0.01, 60}));
	BOOST_TEST(name(fresh.level()) == "storm in the canary");
	// At `full` there is no control, and the least base is what it did before.
	SpikeWatch alone(0.01, true);
	for (std::int64_t i = 0; i < 30; ++i)
		alone.advance(i, {{0, 1000, 0, 0}, {50, 0, 20}});
	BOOST_TEST(name(alone.level()) == "spike");
}

// Windows are sums that are carried along; they must be what one gets by adding up anew.
BOOST_AUTO_TEST_CASE(windows_are_what_they_say_also_across_gaps) {
	std::mt19937_64 random(3);
	std::map<std::int64_t, RateBucket> all;
	SpikeWatch watch(0.001);
	std::int64_t number = -100;
	for (int i = 0; i < 2000; ++i) {
		number += random() % 20 ? 1 : static_cast<std::int64_t>(random() % 50);
		if (i == 1500)
			number += 100'000;
		if (all.contains(number))
			continue;
		const auto count = [&](std::uint64_t most) { return static_cast<double>(random() % most); };
		RateBucket bucket{{0, count(10'000'000'000'000), 0, count(1000)}, {count(300), count(100), count(80)}};
		all[number] = bucket;
		watch.advance(number, bucket);
		double bad = 0, exposed = 0, base_bad = 0, base_exposed = 0;
		for (auto ago = 0; ago < 390; ++ago) {
			const auto found = all.find(number - ago);
			if (found == all.end())
				continue;
			if (ago < 30) {
				bad += found->second.raw.canary;
				exposed += found->second.counts.n;
			} else {
				base_bad += found->second.raw.control;
				base_exposed += found->second.counts.m;
			}
		}
		BOOST_REQUIRE(watch.state().five_minutes.canary_bad == bad);
		BOOST_REQUIRE(watch.state().five_minutes.canary == exposed);
		BOOST_REQUIRE(watch.state().base.control_bad == base_bad);
		BOOST_REQUIRE(watch.state().base.control == base_exposed);
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
