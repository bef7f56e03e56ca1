// The label e-process: the specification's vectors, others, and numbers at the ends of what a double holds.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_eprocess)

struct LabelCase {
	const char *what;
	double rho0;
	Direction direction;
	double phi;
	std::vector<Counts> buckets;
	std::vector<double> ln_e; // after each bucket
};

std::ostream &
operator<<(std::ostream &out, const LabelCase &c) {
	return out << c.what;
}

using enum Direction;

const std::vector<LabelCase> label_cases = {
	{"spec V1, rho0 1", 1, fail, 1, {{12, 1000, 300, 99000}}, {6.3830333088553537}},
	{"spec V1, rho0 1.25", 1.25, fail, 1, {{12, 1000, 300, 99000}}, {4.4850866453788889}},
	{"spec V1, phi 2.5", 1, fail, 2.5, {{12, 1000, 300, 99000}}, {2.3647651132523580}},
	{"spec V2",
	 1.25,
	 fail,
	 1,
	 b2,
	 {-1.6783047094206655, -2.6349635754099157, -2.4041645980110777, -4.9949610761371239, -6.3933492713443483,
	  -7.2168234435537617}},
	{"up and down again",
	 1,
	 fail,
	 1,
	 {{12, 1000, 300, 99000}, {0, 100, 20, 9900}, {0, 100, 20, 9900}},
	 {6.3830333088553537, 5.8238691305074896, 5.3094541876879242}},
	{"share of a millionth, a thousand million bad, FAIL",
	 1.25,
	 fail,
	 1,
	 {{1000, 1e6, 1e9, 1e12}},
	 {-29.669287408579528}},
	{"share of a millionth, a thousand million bad, PASS", 3, pass, 1, {{1000, 1e6, 1e9, 1e12}}, {898.05125876414461}},
	{"spec V4", 3, pass, 1, {{0, 1000, 100, 99000}}, {1.9761796387599731}},
	{"spec V14, FAIL", 1, fail, 1, {{37, 1000, 4500, 100000}}, {-3.7276130286381312}},
	{"spec V14, PASS", 1, pass, 1, {{25, 1000, 4500, 100000}}, {3.8437266892555249}},
	{"spec V16, no events", 1, fail, 1, {{0, 1000, 0, 99000}}, {0}},
	{"spec V16, no control", 1, fail, 1, {{5, 1000, 0, 0}}, {0}},
	{"no canary", 1, fail, 1, {{0, 0, 5, 1000}}, {0}},
	{"spec V16, none bad in control", 1, fail, 1, {{5, 1000, 0, 99000}}, {7.9778682912801015}},
	{"severe",
	 3,
	 fail,
	 1,
	 b2,
	 {-2.6838588788526579, -3.8493673627745553, -4.118398785315494, -8.4131106676240373, -11.897123413564296,
	  -14.888717363495497}},
	{"PASS with dispersion",
	 1.5,
	 pass,
	 3.7,
	 b2,
	 {0.16157086773159132, 0.76140316292266479, 0.0794715995391306, 3.2699113391245628, 5.5505908447225698,
	  6.0218357739774609}},
	{"share of a millionth, FAIL", 1.25, fail, 1, {{5, 1e6, 900000, 1e12}}, {2.9311129446666582}},
	{"share of a millionth, PASS", 3, pass, 1, {{0, 1e6, 5e6, 1e12}}, {11.535032927044294}},
	{"e of 1e-12", 1, fail, 1, {{1, 1, 0, 1e12}}, {1.2568197043850357}},
	{"e of 1e12", 1, fail, 1, {{0, 1e12, 1, 1}}, {-0.90926523486063669}},
	{"e of 1e12, PASS", 2, pass, 1, {{0, 1e12, 1, 1}}, {1.2568197043868831}},
	{"all are bad, 1e12 each", 1, fail, 1, {{1e12, 1e12, 1e12, 1e12}}, {-1876182838.4148523}},
	{"far beyond 700", 1, fail, 1, {{1e12, 1e12, 0, 1e12}}, {575364144900.3838}},
	{"far below -1e6", 1, fail, 1, {{0, 1e12, 1e12, 1e12}}, {-44259790205.793035}},
};

BOOST_DATA_TEST_CASE(vectors, bdata::make(label_cases), c) {
	EProcess process({c.rho0, c.direction});
	double most = 0;
	for (size_t i = 0; i < c.buckets.size(); ++i) {
		process.add(c.buckets[i], c.phi);
		process.observe();
		CHECK_NEAR(process.ln_e(), c.ln_e[i]);
		most = std::max(most, process.ln_e());
		BOOST_TEST(process.max_ln_e() == most);
	}
}

// Spec V5 gives only the end.
BOOST_AUTO_TEST_CASE(vector_5) {
	EProcess process({2, pass});
	for (const auto &bucket : b2)
		process.add(bucket);
	CHECK_NEAR(process.ln_e(), 44.238052021649479);
}

BOOST_AUTO_TEST_CASE(dispersion_may_change_between_buckets) {
	EProcess process({1, fail});
	process.add({37, 1000, 4500, 100000}, 1.5);
	CHECK_NEAR(process.ln_e(), -3.2552717934204169);
	process.add({80, 1100, 4800, 101000}, 3.25);
	CHECK_NEAR(process.ln_e(), -2.2499459303325495);
}

// Mark i is passed before the bucket that begins i * 5 min after the evidence.
BOOST_AUTO_TEST_CASE(restarts_bring_in_weight_at_each_mark_and_no_more_often_than_planned) {
	const std::vector<Counts> pattern = {
		{0, 100, 200, 9900}, {3, 100, 190, 9900}, {2, 90, 210, 9910}, {5, 110, 180, 9890}};
	const auto path = [&](int restarts) {
		EProcess process({1.25, fail, restarts});
		std::vector<double> ln_e;
		for (size_t i = 0; i < 96; ++i) {
			process.pass_marks(static_cast<std::int64_t>(i) / mark_buckets);
			process.add(pattern[i % 4]);
			ln_e.push_back(process.ln_e());
		}
		BOOST_TEST(process.state().restarts == std::min(restarts, 3));
		return ln_e;
	};
	const auto twelve = path(12);
	CHECK_NEAR(twelve[0], -2.7594671508346981);
	CHECK_NEAR(twelve[29], -3.809375046069002);
	CHECK_NEAR(twelve[30], -3.444623637940227);
	CHECK_NEAR(twelve[60], -3.8328031879817175);
	CHECK_NEAR(twelve[95], -3.6251722710618666);
	const auto two = path(2);
	CHECK_NEAR(two[30], -2.4321575699319663);
	CHECK_NEAR(two[60], -2.8326492039661715);
	CHECK_NEAR(two[95], -3.2963627109877736);
}

BOOST_AUTO_TEST_CASE(all_weight_is_used_up_by_the_restarts) {
	EProcess process({1.25, fail, 12});
	CHECK_NEAR(process.ln_e(), std::log(0.5));
	process.pass_marks(6);
	CHECK_NEAR(process.ln_e(), std::log(0.75));
	process.pass_marks(12);
	CHECK_NEAR(process.ln_e(), 0);
	process.pass_marks(1'000'000);
	CHECK_NEAR(process.ln_e(), 0);
}

BOOST_AUTO_TEST_CASE(against_a_former_rate) {
	EProcess process({1.5, fail});
	const std::vector<std::pair<double, double>> buckets = {{3, 1000}, {0, 800}, {9, 1200}, {25, 1500}};
	const std::vector<double> ln_e = {-0.98474348715198429, -1.9660120056181737, -0.11322860088272355,
									  16.176277199643307};
	for (size_t i = 0; i < buckets.size(); ++i) {
		process.add_against(buckets[i].first, buckets[i].second, 0.0017);
		CHECK_NEAR(process.ln_e(), ln_e[i]);
	}
	EProcess dispersed({1, fail});
	dispersed.add_against(60, 1000, 0.05, 2);
	CHECK_NEAR(dispersed.ln_e(), -1.322923586565868);
	dispersed.add_against(70, 1200, 0.05, 2);
	CHECK_NEAR(dispersed.ln_e(), -1.2267493876877748);

	EProcess restarted({1.5, fail, 2});
	for (int i = 0; i < 61; ++i) {
		restarted.pass_marks(i / mark_buckets);
		restarted.add_against(2, 500, 0.001);
		if (i == 0)
			CHECK_NEAR(restarted.ln_e(), -0.32150954338700519);
		if (i == 29)
			CHECK_NEAR(restarted.ln_e(), 18.797663760032462);
		if (i == 30)
			CHECK_NEAR(restarted.ln_e(), 19.492882554296977);
	}
	CHECK_NEAR(restarted.ln_e(), 40.503533390534142);
}

// With counts that are exactly their expectation, at the smallest share, where a ratio is easiest to see.
BOOST_AUTO_TEST_CASE(nothing_below_1_045_times_the_allowance_is_ever_flagged) {
	for (const double rho0 : {1.0, 1.25, 3.0}) {
		const auto ln_e_at = [&](double over) {
			EProcess process({rho0, fail});
			for (int i = 0; i < 1000; ++i) {
				process.add({std::round(1e9 * rho0 * over), 1e10, 1e13 * 0.1, 1e13});
				process.observe();
			}
			return process.max_ln_e();
		};
		BOOST_TEST(ln_e_at(1.044) <= 0);
		BOOST_TEST(ln_e_at(1.046) > ln_fail);
	}
}

BOOST_AUTO_TEST_CASE(nothing_is_ever_infinite) {
	const double ends[] = {0, 1, 1e12, largest_count};
	for (const auto direction : {fail, pass})
		for (const double rho0 : {1.0, 1.25, 3.0, 1000.0}) {
			EProcess process({rho0, direction, direction == fail ? 288 : 0});
			EProcess former({rho0, direction});
			for (int round = 0; round < 100; ++round)
				for (const double n : ends)
					for (const double m : ends)
						for (const double x : ends)
							for (const double y : ends) {
								const Counts counts{x, n, y, m};
								if (!counts.valid())
									continue;
								process.pass_marks(round);
								process.add(counts);
								process.observe();
								former.add_against(x, n, 0.5);
								BOOST_REQUIRE(std::isfinite(process.ln_e()));
								BOOST_REQUIRE(std::isfinite(process.max_ln_e()));
								BOOST_REQUIRE(std::isfinite(former.ln_e()));
							}
			for (const double s : process.state().s)
				BOOST_REQUIRE(std::isfinite(s));
		}
}

BOOST_AUTO_TEST_CASE(logaddexp_does_not_overflow) {
	CHECK_NEAR(logaddexp(0, 0), std::log(2.0));
	CHECK_NEAR(logaddexp(1e15, 1e15), 1e15);
	BOOST_TEST(logaddexp(-1e15, 5) == 5);
	BOOST_TEST(logaddexp(5, -1e300) == 5);
}

// The forecast is what it takes: with so many events as it says, the threshold is reached, if they come as assumed.
BOOST_AUTO_TEST_CASE(events_needed_are_enough_and_not_twice_too_many) {
	for (const double e : {0.01, 0.1, 1.0})
		for (const double phi : {1.0, 2.0}) {
			EProcess process({2, pass});
			process.add({std::round(100 * e / (1 + e)), 1e6 * e, std::round(100 / (1 + e)), 1e6}, phi);
			const auto needed = process.events_needed(ln_pass, 1, e, phi);
			BOOST_REQUIRE(needed.has_value());
			auto half = process;
			// Fractions are no counts, but the sums do not mind.
			process.add({*needed * e / (1 + e), 1e6 * e, *needed / (1 + e), 1e6}, phi);
			BOOST_TEST(process.ln_e() >= ln_pass);
			half.add({*needed / 3 * e / (1 + e), 1e6 * e, *needed / 3 / (1 + e), 1e6}, phi);
			if (*needed > 0)
				BOOST_TEST(half.ln_e() < ln_pass);
			else
				BOOST_TEST(half.ln_e() >= ln_pass);
		}
	// What docs/analysis.md says of a canary that is as good as control.
	BOOST_TEST(*EProcess({3, pass}).events_needed(ln_pass, 1, 1.0 / 99) == 701);
	BOOST_TEST(*EProcess({2, pass}).events_needed(ln_pass, 1, 1.0 / 9) == 238);
	BOOST_TEST(*EProcess({1.5, pass}).events_needed(ln_pass, 1, 1) == 304);
	BOOST_TEST(!EProcess({2, pass}).events_needed(ln_pass, 2.5, 0.1).has_value());
	EProcess done({2, pass});
	done.add({0, 1000, 1000, 99000});
	BOOST_TEST(*done.events_needed(ln_pass, 1, 0.01) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
