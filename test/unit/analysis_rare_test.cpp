// "Too rare to matter", the second way to PASS of rates: vectors, and what is not rare.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_rare)

struct RareCase {
	const char *what;
	std::vector<std::pair<double, double>> buckets; // (x, n)
	double q, ln_e;
};

std::ostream &
operator<<(std::ostream &out, const RareCase &c) {
	return out << c.what;
}

const std::vector<RareCase> vectors = {
	{"nothing at all", {}, 0.001, 0},
	{"none of 5000", {{0, 5000}}, 0.001, 3.4786571138787017},
	{"the canary of B2", {{1, 98}, {0, 110}, {4, 95}, {7, 1010}, {9, 990}, {15, 1005}}, 0.005, -4.7584606879454325},
	{"none of a million", {{0, 1'000'000}}, 0.01, 8746.8219461696517},
	{"exactly so many", {{10, 1000}}, 0.01, -1.6738271936652971},
	{"fewer, and then none", {{2, 900}, {0, 400}}, 0.005, 1.8043460319624074},
	{"huge", {{1e9, 1e12}}, 0.005, 2389893677.112113},
};

BOOST_DATA_TEST_CASE(vectors_of_our_own, bdata::make(vectors), c) {
	EProcess process({1, Direction::pass});
	for (const auto &[x, n] : c.buckets)
		process.add_against(x, n, c.q);
	CHECK_NEAR(process.ln_e(), c.ln_e);
}

BOOST_AUTO_TEST_CASE(it_takes_four_and_a_half_expected_ones_of_which_none_comes) {
	for (const auto &[q, n] : {std::pair{0.001, 4362.0}, {0.005, 873.0}, {0.01, 437.0}}) {
		EProcess enough({1, Direction::pass}), one_less({1, Direction::pass});
		enough.add_against(0, n, q);
		one_less.add_against(0, n - 1, q);
		BOOST_TEST(enough.ln_e() >= ln_pass);
		BOOST_TEST(one_less.ln_e() < ln_pass);
	}
}

BOOST_AUTO_TEST_CASE(exposures_needed_are_enough_and_not_too_many) {
	for (const double rate : {0.0, 0.0001, 0.0003}) {
		EProcess process({1, Direction::pass});
		process.add_against(1, 500, 0.001);
		const auto needed = process.exposures_needed(ln_pass, rate, 0.001);
		BOOST_REQUIRE(needed.has_value());
		auto fewer = process;
		process.add_against(*needed * rate, *needed, 0.001);
		fewer.add_against(*needed * rate * 0.99, *needed * 0.99, 0.001);
		BOOST_TEST(process.ln_e() >= ln_pass);
		BOOST_TEST(fewer.ln_e() < ln_pass);
		BOOST_TEST(*process.exposures_needed(ln_pass, rate, 0.001) == 0);
	}
	BOOST_TEST(!EProcess({1, Direction::pass}).exposures_needed(ln_pass, 0.001, 0.001).has_value());
}

constexpr auto rejects = Comparison::write_rejects;

ComparisonTest
test_of(Stage stage, double x, double n, double y, double m, double raw, std::int64_t buckets,
		Comparison comparison = rejects) {
	ComparisonTest check({comparison, stage, stage_rule(stage)});
	for (std::int64_t number = 0; number < buckets; ++number) {
		Bucket bucket;
		bucket.rates[static_cast<std::size_t>(comparison)] = {{x, n, y, m}, {raw, y, 0}};
		check.advance(number, bucket, true);
	}
	return check;
}

BOOST_AUTO_TEST_CASE(a_quiet_metric_passes) {
	const auto early = test_of(Stage::canary_1, 0, 100, 0, 9900, 0, 43).answer();
	BOOST_TEST(early.outcome == Outcome::wait);
	BOOST_TEST(!early.too_rare);
	BOOST_TEST(early.events_needed.has_value());
	BOOST_TEST(!early.time_needed.has_value()); // none ever came
	BOOST_TEST(*early.exposures_needed == 62);
	BOOST_CHECK(*early.rare_time_needed == 1min);
	const auto late = test_of(Stage::canary_1, 0, 100, 0, 9900, 0, 44).answer();
	BOOST_TEST(late.outcome == Outcome::pass);
	BOOST_TEST(late.too_rare);
	BOOST_TEST(late.ln_pass_now < ln_pass);
}

// Ten units have all the trouble there is: their ten bad units stand still, their bad events do not.
BOOST_AUTO_TEST_CASE(few_units_with_much_trouble_are_not_rare) {
	ComparisonTest check({rejects, Stage::canary_1, stage_rule(Stage::canary_1)});
	for (std::int64_t number = 0; number < 360; ++number) {
		Bucket bucket;
		bucket.rates[1] = {{number == 0 ? 10.0 : 0.0, 100, 0, 9900}, {50, 0, 10}};
		check.advance(number, bucket, true);
	}
	const auto answer = check.answer();
	BOOST_TEST(answer.ln_rare_now >= ln_pass);
	BOOST_TEST(!answer.too_rare);
	BOOST_TEST((answer.outcome != Outcome::pass));
	BOOST_TEST(!answer.exposures_needed.has_value());
}

BOOST_AUTO_TEST_CASE(a_rate_at_the_mark_is_not_rare) {
	// One of 1,000 in both: 0.1 % is exactly a tenth of the limit.
	const auto answer = test_of(Stage::canary_1, 1, 1000, 0, 99000, 1, 360).answer();
	BOOST_TEST(answer.ln_rare_now < 0);
	BOOST_TEST(!answer.too_rare);
}

BOOST_AUTO_TEST_CASE(nothing_is_said_without_control) {
	const auto answer = test_of(Stage::canary_50, 0, 10, 0, 0, 0, 3000).answer();
	BOOST_TEST(!answer.too_rare);
	BOOST_TEST((answer.outcome != Outcome::pass));
}

BOOST_AUTO_TEST_CASE(neither_full_nor_durations_have_it) {
	BOOST_TEST(test_of(Stage::full, 0, 1000, 0, 0, 0, 360).answer().ln_rare_now == 0);
	BOOST_TEST(test_of(Stage::canary_1, 0, 100, 0, 9900, 0, 360, Comparison::slow_receipts).answer().ln_rare_now == 0);
}

// Once most of them were counted, x stands still whatever happens to them: the events as they come have to agree.
BOOST_AUTO_TEST_CASE(who_was_counted_before_is_not_seen) {
	// `events`: how many times control's rate of bad events the canary has in the last `minutes`.
	const auto look_after = [](const Repeats &repeats, double rate, double events, std::int64_t minutes) {
		StageAnalysis analysis(setup_at(Stage::canary_10));
		Traffic traffic({Stage::canary_10, 10'000, rate, 1});
		run(analysis, traffic, -390, 720, [&](std::int64_t number, Bucket &bucket) {
			auto &each = bucket.rates[2];
			each.repeats = repeats;
			// Where no new unit has it at all, PASS comes by "too rare", and events are rare too.
			const double usual = rate > 0 ? rate : 0.004;
			each.raw.control = std::round(each.counts.m * usual);
			each.raw.canary = std::round(each.counts.n * usual * (number >= 720 - 6 * minutes ? events : 1));
			return true;
		});
		return look(analysis, 720);
	};
	const auto passes = [](const StageAnswer &answer) { return name(answer.comparisons[2].outcome) == "PASS"; };
	const auto blind = look_after({5, 3, 0, 0}, 0.01, 4, 5);
	BOOST_TEST(name(blind.comparisons[2].outcome) == "WAIT");
	BOOST_TEST(name(blind.comparisons[1].outcome) == "PASS");
	BOOST_TEST(contains(reason_text(blind, blind.comparisons[2]),
						"; most users who have it now were counted before, and the canary has 4 times as many bad "
						"events as control foresees"));
	BOOST_TEST(name(blind.decision) == "HOLD");
	for (const double rate : {0.01, 0.0}) {
		// Only if more than half of 5 or more, in either cohort, were counted before, 3 of them in the canary ...
		BOOST_TEST(!passes(look_after({5, 3, 0, 0}, rate, 4.5, 5)));
		BOOST_TEST(!passes(look_after({3, 0, 50, 26}, rate, 4.5, 5)));
		BOOST_TEST(passes(look_after({6, 3, 0, 0}, rate, 4.5, 5)));
		BOOST_TEST(passes(look_after({4, 4, 4, 4}, rate, 4.5, 5)));
		BOOST_TEST(passes(look_after({2, 2, 50, 50}, rate, 4.5, 5)));
		BOOST_TEST(passes(look_after({50, 1, 50, 25}, rate, 4.5, 5)));
		// ... and their events are rho_pass times as many, and more than chance: a usual trouble that goes on holds
		// nobody.
		BOOST_TEST(passes(look_after({50, 50, 50, 50}, rate, 1, 5)));
		BOOST_TEST(passes(look_after({50, 50, 50, 50}, rate, 2.5, 5))); // 2*(1+2/sqrt(50)) = 2.57
		BOOST_TEST(!passes(look_after({50, 50, 50, 50}, rate, 2.75, 5)));
		BOOST_TEST(passes(look_after({16, 16, 50, 50}, rate, 2.75, 5))); // 3
		BOOST_TEST(!passes(look_after({16, 16, 50, 50}, rate, 3.25, 5)));
		// It has gone on for long, and the last 5 minutes are calm.
		BOOST_TEST(!passes(look_after({50, 50, 50, 50}, rate, 2.75, 65)));
	}
	// Where control has none.
	StageAnalysis none(setup_at(Stage::canary_10));
	Traffic traffic({Stage::canary_10, 10'000, 0.01, 1});
	run(none, traffic, -390, 720, [](std::int64_t, Bucket &bucket) {
		bucket.rates[2].repeats = {20, 20, 0, 0};
		bucket.rates[2].raw = {1, 0, 1};
		return true;
	});
	const auto alone = look(none, 720);
	BOOST_TEST(contains(reason_text(alone, alone.comparisons[2]),
						"; most users who have it now were counted before, and the canary has bad events where control "
						"foresees none"));
	// FAIL stands.
	StageAnalysis bad(setup_at(Stage::canary_10));
	Traffic worse({Stage::canary_10, 10'000, 0.01, 4});
	run(bad, worse, -390, 360, [](std::int64_t number, Bucket &bucket) {
		bucket.rates[2].repeats = number > 60 ? Repeats{50, 50, 50, 50} : Repeats{};
		return true;
	});
	BOOST_TEST(name(look(bad, 360).comparisons[2].outcome) == "FAIL");
}

// As it beats every PASS.
BOOST_AUTO_TEST_CASE(a_fail_beats_it) {
	ComparisonTest check({rejects, Stage::canary_1, stage_rule(Stage::canary_1)});
	const auto feed = [&](std::int64_t first, std::int64_t last, double x) {
		for (auto number = first; number < last; ++number) {
			Bucket bucket;
			bucket.rates[1] = {{x, 100, 0, 9900}, {x, 0, 0}};
			check.advance(number, bucket, true);
		}
	};
	feed(0, 5, 2);
	BOOST_TEST(check.answer().outcome == Outcome::fail);
	feed(5, 2000, 0);
	BOOST_TEST(check.answer().too_rare);
	BOOST_TEST(check.answer().outcome == Outcome::fail);
}

// Hours that went well make the totals look well; what was found is shown as it was found.
BOOST_AUTO_TEST_CASE(a_late_fail_shows_the_minutes_in_which_it_was_found) {
	ComparisonTest check({rejects, Stage::canary_10, stage_rule(Stage::canary_10)});
	for (std::int64_t number = 0; !check.answer().failed_at && number < 720; ++number) {
		Bucket bucket;
		bucket.rates[1] = {{number < 360 ? 1.0 : 5.0, 1000, 10, 9000}, {1, 10, 0}};
		check.advance(number, bucket, true);
	}
	const auto answer = check.answer();
	BOOST_REQUIRE(answer.failed_at.has_value());
	BOOST_TEST(*answer.ratio < 1.1);
	BOOST_TEST(answer.at_fail.n == 30'000);
	BOOST_TEST(answer.at_fail.m == 270'000);
	BOOST_TEST(answer.at_fail.y == 300);
	BOOST_TEST(answer.at_fail.x == 30 + 4 * (*answer.failed_at - 359));
}

BOOST_AUTO_TEST_CASE(a_state_goes_on_as_it_was) {
	const auto whole = test_of(Stage::canary_10, 1, 3000, 2, 9000, 2, 60);
	auto again = ComparisonTest(whole.setup(), test_of(Stage::canary_10, 1, 3000, 2, 9000, 2, 30).state());
	for (std::int64_t number = 30; number < 60; ++number) {
		Bucket bucket;
		bucket.rates[1] = {{1, 3000, 2, 9000}, {2, 2, 0}};
		again.advance(number, bucket, true);
	}
	BOOST_TEST((again.state() == whole.state()));
	BOOST_TEST(again.answer().ln_rare_now == whole.answer().ln_rare_now);
}

BOOST_AUTO_TEST_CASE(sentences) {
	StageAnswer stage;
	stage.stage = Stage::canary_1;
	stage.rule = stage_rule(Stage::canary_1);
	BOOST_TEST(reason_text(stage, test_of(Stage::canary_1, 0, 100, 0, 9900, 0, 43).answer()) ==
			   "WAIT write_rejects: canary 0 of 4,300, control 0 of 425,700; no ratio yet, allowed 1.25x; FAIL needs "
			   "1/700; PASS needs about 62 more exposures of the canary with as few bad ones, 1 min at this rate");
	BOOST_TEST(reason_text(stage, test_of(Stage::canary_1, 0, 100, 0, 9900, 0, 60).answer()) ==
			   "PASS write_rejects: canary 0 of 6,000, control 0 of 594,000; no ratio yet, allowed 1.25x; too rare to "
			   "matter: below 0.1 % with 95 %");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
