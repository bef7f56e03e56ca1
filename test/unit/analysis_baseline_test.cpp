// What `full` is compared with.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_baseline)

constexpr std::int64_t minute = 6, hour = 360;
constexpr auto resyncs = static_cast<std::size_t>(Comparison::forced_resync);

BOOST_AUTO_TEST_CASE(ages_double) {
	const std::int64_t ends[] = {15 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 8 * hour, 16 * hour};
	BOOST_TEST(age_of(0) == 0u);
	for (std::size_t age = 0; age < std::size(ends); ++age) {
		BOOST_TEST(age_of(ends[age] - 1) == age);
		BOOST_TEST(age_of(ends[age]) == age + 1);
	}
	BOOST_TEST(age_of(1'000'000'000) == age_count - 1);
}

BOOST_AUTO_TEST_CASE(a_rate_takes_a_hundred_bad_events) {
	ControlByAge control;
	BOOST_TEST(!control.rates(0.005).has_value());
	control.ages[1] = {400, 10'000};
	control.ages[2] = {100, 10'000};
	control.ages[3] = {40, 10'000};
	const auto rates = control.rates(0.005).value();
	BOOST_TEST(rates[0] == 0.04); // not reached: what comes first
	BOOST_TEST(rates[1] == 0.04);
	BOOST_TEST(rates[2] == 0.01);          // 100 are enough
	BOOST_TEST(rates[3] == 140 / 20'000.); // with those before, whose rate is higher
	BOOST_TEST(rates[7] == rates[3]);      // not reached
	// Few in all: a standard error and one more; hardly any, the floor.
	ControlByAge few;
	few.ages[0] = {25, 10'000};
	BOOST_TEST(few.rates(0.005).value()[0] == 31 / 10'000.);
	few.ages[0] = {4, 10'000};
	BOOST_TEST(few.rates(0.005).value()[0] == 0.005);
	few.ages[0] = {4, 1'000};
	BOOST_TEST(few.rates(0.005).value()[0] == 0.007);
	few.ages[0] = {0, 1e9};
	BOOST_TEST(few.rates(0.005).value()[0] == 0.005);
	few.ages[0] = {1e9, 1e9};
	BOOST_TEST(few.rates(0.005).value()[0] < 1);
}

// Users who are often in trouble are counted first, so fewer and fewer units are new; raw events go on as ever.
void
sink(std::int64_t number, Bucket &bucket, double rate, double worse) {
	auto &rates = bucket.rates[resyncs];
	const double now = rate / (1 + static_cast<double>(std::max<std::int64_t>(number, 0)) / (hour / 4.0));
	rates.counts.x = std::round(rates.counts.n * now * worse);
	rates.counts.y = std::round(rates.counts.m * now);
	rates.raw = {std::round(rates.counts.n * rate * worse), std::round(rates.counts.m * rate), 100};
}

StageAnalysis
full_after(std::int64_t buckets, double rate, double worse, std::int64_t then) {
	StageAnalysis before(setup_at(Stage::canary_50));
	Traffic traffic({Stage::canary_50, 20'000, 0.01, 1});
	run(before, traffic, -390, buckets, [&](std::int64_t number, Bucket &bucket) {
		sink(number, bucket, rate, 1);
		return true;
	});
	auto setup = setup_at(Stage::full);
	setup.baselines = baselines_of(before);
	StageAnalysis full(setup);
	Course course{Stage::full, 20'000, 0.01, 1};
	course.share = 1;
	Traffic all(course);
	run(full, all, 0, then, [&](std::int64_t number, Bucket &bucket) {
		sink(number, bucket, rate, worse);
		return true;
	});
	return full;
}

BOOST_AUTO_TEST_CASE(a_long_canary_50_does_not_make_full_look_bad) {
	for (const std::int64_t hours : {1, 3, 24}) {
		const auto full = full_after(hours * hour, 0.03, 1, 2 * hour);
		const auto answer = look(full, 2 * hour);
		BOOST_TEST_CONTEXT(hours) {
			BOOST_TEST(name(answer.comparisons[resyncs].outcome) == "PASS");
			BOOST_TEST(answer.comparisons[resyncs].ratio.value() > 0.8);
			BOOST_TEST(answer.comparisons[resyncs].ratio.value() < 1.1);
			// Raw events go on as ever, and are no spike when the first hour is over.
			for (const auto &spike : answer.spikes)
				BOOST_TEST((spike.level == SpikeLevel::none));
		}
		BOOST_TEST(name(look(full_after(hours * hour, 0.03, 2, hour), hour).comparisons[resyncs].outcome) == "FAIL");
	}
}

// What was no evidence used up no units: the stage is not older for it.
BOOST_AUTO_TEST_CASE(a_stage_is_as_old_as_its_evidence) {
	auto baseline = flat_baseline(0.01);
	baseline.by_age[1] = 0.02;
	ComparisonTest check({Comparison::forced_resync, Stage::full, stage_rule(Stage::full), baseline});
	const auto feed = [&](std::int64_t first, std::int64_t last, bool late) {
		for (auto number = first; number < last; ++number) {
			Bucket bucket;
			bucket.rates[resyncs].counts = {0, 100, 0, 0};
			bucket.passed_over.fill(late);
			check.advance(number, bucket, true);
		}
	};
	feed(0, 90, false);
	BOOST_TEST(check.answer().q_base == 0.01, boost::test_tools::tolerance(1e-12));
	feed(90, 200, true);
	feed(5000, 5090, false); // and what lies between is missing
	BOOST_TEST(check.answer().q_base == 0.015, boost::test_tools::tolerance(1e-12));
	feed(5090, 5180, false);
	BOOST_TEST(check.answer().q_base == 0.04 / 3, boost::test_tools::tolerance(1e-12));

	// Likewise what is kept of control.
	ComparisonTest before({Comparison::forced_resync, Stage::canary_50, stage_rule(Stage::canary_50)});
	for (const std::int64_t number : {0, 5000, 5001}) {
		Bucket bucket;
		bucket.rates[resyncs].counts = {1, 100, 1, 100};
		before.advance(number, bucket, true);
	}
	BOOST_TEST(before.state().progress.control.ages[0].m == 300);
	// One cohort alone is not compared.
	for (std::int64_t number = 5002; number < 5102; ++number) {
		Bucket bucket;
		bucket.rates[resyncs].counts = {0, 0, 0, 1};
		before.advance(number, bucket, true);
	}
	BOOST_TEST(before.state().progress.age == 3);
}

// No bad event at all in control is no reason not to compare.
BOOST_AUTO_TEST_CASE(a_control_without_any_trouble_is_compared_with) {
	StageAnalysis before(setup_at(Stage::canary_50));
	Traffic traffic({Stage::canary_50, 20'000, 0, 1});
	run(before, traffic, -390, hour, as_it_is);
	auto setup = setup_at(Stage::full);
	setup.baselines = baselines_of(before);
	for (const auto &[rate, outcome] : {std::pair(0.003, "PASS"), std::pair(0.04, "FAIL")}) {
		StageAnalysis full(setup);
		Course course{Stage::full, 20'000, rate, 1};
		course.share = 1;
		Traffic all(course);
		run(full, all, 0, hour, as_it_is);
		BOOST_TEST(name(look(full, hour).comparisons[resyncs].outcome) == outcome);
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
