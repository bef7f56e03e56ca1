// Whether the data can be judged: shares of the cohorts, buckets that are missing, a clock that jumps.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_validity)

struct ShareCase {
	double canary, control, p, ln_factor;
};

std::ostream &
operator<<(std::ostream &out, const ShareCase &c) {
	return out << c.canary << " and " << c.control << " at " << c.p;
}

// The first two are spec V10.
const std::vector<ShareCase> share_cases = {
	{821588, 815482, 0.5, 8.7659722924104263}, {1050, 98950, 0.01, -0.090697705362574595},
	{100, 9900, 0.01, -0.34699029660370266},   {0, 1000, 0.01, 0.47311304224483541},
	{12345, 0, 0.5, 3608.8714205974301},       {3, 1e6, 1e-6, -2.9730903010946855},
	{40, 1e6, 1e-6, 102.62410821552652},       {5e11, 5e11 + 3e6, 0.5, -4.7103804219216058},
	{10, 99, 0.1, -0.0045801944617810257},     {0, 0, 0.3, 0},
};

BOOST_DATA_TEST_CASE(factors, bdata::make(share_cases), c) {
	CHECK_NEAR(ln_sample_ratio_factor(c.canary, c.control, c.p), c.ln_factor);
	if (c.p >= 0.01) // 1 - 1e-6 has not as many digits as 1e-6
		CHECK_NEAR(ln_sample_ratio_factor(c.control, c.canary, 1 - c.p), c.ln_factor);
}

BOOST_AUTO_TEST_CASE(a_factor_is_always_finite) {
	const double ends[] = {0, 1, 1e6, 1e12, 1e17};
	for (const double p : {1e-6, 0.01, 0.5, 0.99, 1 - 1e-6})
		for (const double a : ends)
			for (const double b : ends)
				BOOST_TEST(std::isfinite(ln_sample_ratio_factor(a, b, p)));
}

struct CohortCase {
	const char *what;
	double p;
	double canary, control;
	bool fault;
};

std::ostream &
operator<<(std::ostream &out, const CohortCase &c) {
	return out << c.what;
}

const std::vector<CohortCase> cohort_cases = {
	{"as it should be", 0.01, 100, 9900, false},
	{"swapped", 0.01, 9900, 100, true},
	{"three times too many", 0.01, 60, 1940, true},
	{"a third", 0.01, 7, 1993, true},
	{"a third, of too few to say so", 0.01, 6, 1893, false},
	{"three times too many at 10 %", 0.1, 60, 140, true},
	{"odds three times too high at 50 %", 0.5, 30, 10, true},
	{"a little too many, of very many", 0.5, 821588, 811482, true},
	{"none in the canary", 0.01, 0, 10000, true},
	{"none in control", 0.01, 10000, 0, true},
	{"nobody yet", 0.01, 0, 0, false},
};

BOOST_DATA_TEST_CASE(cohorts, bdata::make(cohort_cases), c) {
	SampleRatio ratio(c.p);
	ratio.add(c.canary, c.control);
	BOOST_TEST(ratio.fault().empty() == !c.fault, ratio.fault());
}

BOOST_AUTO_TEST_CASE(a_mismatch_stays_for_the_stage) {
	SampleRatio ratio(0.5);
	ratio.add(1000, 500);
	BOOST_TEST(!ratio.fault().empty());
	ratio.add(999'500, 1'000'000);
	BOOST_TEST(ln_sample_ratio_factor(1'000'500, 1'000'500, 0.5) < 0);
	BOOST_TEST(!ratio.fault().empty());
}

struct LabelCase {
	const char *what;
	Placed bucket;
	const char *fault; // its begin
};

std::ostream &
operator<<(std::ostream &out, const LabelCase &c) {
	return out << c.what;
}

// Thirty buckets, all alike.
const std::vector<LabelCase> label_cases = {
	{"as it should be", {100, 0, 100, 0}, ""},
	{"swapped", {100, 100, 100, 100}, "6,000 of 6,000 actors of the last 5 min"},
	{"a tenth follows an old flag", {100, 10, 100, 10}, ""},
	{"more than a tenth", {100, 10, 100, 11}, "630 of 6,000 actors of the last 5 min"},
	{"a small canary of whom half belong elsewhere", {10, 5, 1000, 5}, ""},
	{"a small canary of whom most belong elsewhere", {10, 6, 1000, 5}, "180 of 300 of the canary's actors"},
	{"nobody", {}, ""},
};

BOOST_DATA_TEST_CASE(labels, bdata::make(label_cases), c) {
	SampleRatio ratio(0.5);
	for (std::int64_t number = 0; number < 40; ++number)
		ratio.place(number, c.bucket);
	BOOST_TEST(ratio.fault().starts_with(c.fault), ratio.fault());
	BOOST_TEST(ratio.fault().empty() == std::string(c.fault).empty(), ratio.fault());
}

// A swap shows within seconds however long the stage has lasted, and for five minutes after it was mended.
BOOST_AUTO_TEST_CASE(labels_are_judged_by_the_last_five_minutes) {
	SampleRatio ratio(0.5);
	std::int64_t number = -5;
	for (; number < 1000; ++number)
		BOOST_REQUIRE(ratio.place(number, {50, 0, 50, 0}));
	BOOST_TEST(!ratio.place(number++, {50, 50, 50, 50})); // by itself, though 30 buckets are still good enough
	BOOST_TEST(ratio.fault() == "");
	for (; number < 1003; ++number)
		BOOST_TEST(!ratio.place(number, {50, 50, 50, 50}));
	BOOST_TEST(ratio.fault() == ""); // exactly a tenth
	BOOST_TEST(!ratio.place(number++, {50, 50, 50, 50}));
	BOOST_TEST(ratio.fault().starts_with("400 of 3,000 actors"), ratio.fault());
	for (; number < 1030; ++number)
		BOOST_REQUIRE(!ratio.place(number, {50, 0, 50, 0}));
	BOOST_TEST(ratio.place(number++, {50, 0, 50, 0})); // three of the four are left: a tenth
	BOOST_TEST(ratio.fault() == "");
	for (int i = 0; i < 4; ++i)
		ratio.place(number++, {50, 50, 50, 50});
	BOOST_TEST(ratio.fault() != "");
	BOOST_TEST(ratio.place(number + 29, {50, 0, 50, 0})); // missing buckets are empty ones
	BOOST_CHECK(ratio.state().placed == (Placed{50, 0, 50, 0}));
}

BOOST_AUTO_TEST_CASE(at_full_there_is_no_share) {
	SampleRatio ratio(std::nullopt);
	ratio.add(1000, 3);
	BOOST_TEST(ratio.place(0, {1000, 0, 3, 3}));
	BOOST_TEST(ratio.fault() == "");
	BOOST_TEST(ratio.enough());
}

BOOST_AUTO_TEST_CASE(one_missing_bucket_of_thirty_is_a_fault_for_thirty_buckets) {
	Continuity continuity;
	BOOST_TEST(!continuity.fault().empty());
	for (std::int64_t number = -100; number <= 0; ++number) {
		BOOST_TEST(continuity.accept(number, true));
		BOOST_TEST(continuity.fault() == "");
	}
	BOOST_TEST(continuity.accept(2, true));
	for (std::int64_t number = 3; number <= 60; ++number) {
		BOOST_TEST(continuity.fault().empty() == (number - 1 >= 31));
		BOOST_TEST(continuity.accept(number, true));
	}
	continuity.spoil();
	BOOST_TEST(continuity.fault() == "1 of the last 30 buckets are missing or cannot be believed");
	// As seen later, when others should have come.
	BOOST_TEST(continuity.fault(70) == "11 of the last 30 buckets are missing or cannot be believed");
	BOOST_TEST(continuity.fault(60 + 29) == "30 of the last 30 buckets are missing or cannot be believed");
	BOOST_TEST(continuity.fault(1'000'000) == "30 of the last 30 buckets are missing or cannot be believed");
	BOOST_TEST(continuity.fault(59) == "the clock stands before the newest bucket");
	BOOST_TEST(continuity.accept(5000, true));
	BOOST_TEST(continuity.fault() == "29 of the last 30 buckets are missing or cannot be believed");
}

BOOST_AUTO_TEST_CASE(a_bucket_twice_late_or_at_an_odd_moment_is_left_out_and_told_of) {
	Continuity continuity;
	for (std::int64_t number = 0; number <= 50; ++number)
		continuity.accept(number, true);
	for (const std::int64_t again : {50, 49, -7}) {
		auto spoilt = continuity;
		BOOST_TEST(!spoilt.accept(again, true));
		BOOST_TEST(spoilt.state().newest.value() == 50);
		BOOST_TEST(!spoilt.fault().empty());
		for (std::int64_t number = 51; number < 80; ++number)
			spoilt.accept(number, true);
		BOOST_TEST(!spoilt.fault().empty());
		spoilt.accept(80, true);
		BOOST_TEST(spoilt.fault() == "");
	}
	auto odd = continuity;
	BOOST_TEST(!odd.accept(51, false));
	BOOST_TEST(!odd.fault().empty());
}

BOOST_AUTO_TEST_CASE(telemetry_is_fresh_for_thirty_seconds) {
	BOOST_TEST(staleness(noon - 30s, noon) == "");
	BOOST_TEST(staleness(noon - 30s - instant, noon) != "");
	BOOST_TEST(staleness(std::nullopt, noon) == "no telemetry was seen");
	BOOST_TEST(staleness(noon + 5s, noon) == "");
	BOOST_TEST(staleness(noon + 10min, noon) == "the newest telemetry is 10 min ahead of the clock");
}

BOOST_AUTO_TEST_CASE(counts_that_are_none) {
	BOOST_TEST((Counts{0, 0, 0, 0}.valid()));
	BOOST_TEST((Counts{5, 5, 7, 7}.valid()));
	for (const double odd : {nan_value, inf, -inf, -1.0, 0.5, 1e14}) {
		BOOST_TEST(!is_count(odd));
		BOOST_TEST(!(Counts{odd, 10, 0, 10}.valid()));
		BOOST_TEST(!(Counts{0, odd, 0, 10}.valid()));
		BOOST_TEST(!(Counts{0, 10, odd, 10}.valid()));
		BOOST_TEST(!(Counts{0, 10, 0, odd}.valid()));
	}
	BOOST_TEST(!(Counts{6, 5, 0, 10}.valid()));
	BOOST_TEST(!(Counts{0, 5, 11, 10}.valid()));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
