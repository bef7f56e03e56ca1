// p95 compared by counts above edges that were fixed beforehand.

#include "analysis_fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(analysis_slow_share)

const std::vector<double> spec_edges = {200, 220, 240, 260, 280, 300, 320, 340, 360, 380, 400, 420, 440, 460, 480, 500};

// Counts by bin, the last one above all edges.
Histogram
from_bins(const std::vector<std::int64_t> &counts) {
	Histogram histogram;
	for (size_t i = 0; i < counts.size(); ++i)
		histogram.add(i < spec_edges.size() ? spec_edges[i] : 501, counts[i]);
	return histogram;
}

const Histogram spec_control =
	from_bins({80000, 6000, 3500, 2500, 2000, 1500, 1100, 900, 700, 500, 400, 300, 200, 150, 100, 50, 100});
const Histogram spec_canary = from_bins({700, 70, 50, 40, 35, 28, 22, 18, 12, 8, 6, 4, 3, 2, 1, 0, 1});

StageRule
rule_with(double d_fail, double d_pass) {
	auto rule = stage_rule(Stage::canary_10);
	rule.d_fail = d_fail;
	rule.d_pass = d_pass;
	return rule;
}

// Spec V14: the thresholds on the specification's own edges, the counts by the histogram of the product.
BOOST_AUTO_TEST_CASE(vector_14) {
	BinSums past;
	past.add(spec_control);
	const double tau = Histogram::upper(past.p95_bin().value());
	BOOST_TEST(tau == 300);
	const auto thresholds = thresholds_at(spec_edges, tau, rule_with(1.10, 1.25));
	BOOST_TEST(thresholds.fail.value() == 340);
	BOOST_TEST(thresholds.pass.value() == 360);
	BOOST_TEST(thresholds.severe.value() == 460); // 1.5 * 300 is no edge of these
	BOOST_TEST(spec_canary.exceeding(340) == 37);
	BOOST_TEST(spec_canary.exceeding(360) == 25);
	BOOST_TEST(spec_control.exceeding(tau) == 4500);
	BOOST_TEST(spec_canary.count() == 1000);
	BOOST_TEST(spec_control.count() == 100000);
}

BOOST_AUTO_TEST_CASE(a_product_that_is_an_edge_but_for_rounding_is_that_edge) {
	const std::span<const double> edges = histogram_layout::upper_edges;
	BOOST_REQUIRE(1.10 * 700 > 770);
	BOOST_TEST(edge_at_least(edges, 1.10 * 700).value() == 770);
	BOOST_TEST(edge_at_most(edges, 1.25 * 304).value() == 380);
	for (const double tau : edges)
		for (const double factor : {1.1, 1.25, 1.5}) {
			const double exact = std::round(tau * factor * 1e6) / 1e6;
			if (exact < 0.1 || exact > 1e6 || std::abs(exact - tau * factor) > 1e-9 * exact)
				continue;
			if (const auto above = edge_at_least(edges, tau * factor)) {
				BOOST_REQUIRE(*above >= exact * (1 - 1e-11));
				BOOST_REQUIRE((!Histogram::is_edge(exact) || *above == exact));
			}
			if (const auto below = edge_at_most(edges, tau * factor)) {
				BOOST_REQUIRE(*below <= exact * (1 + 1e-11));
				BOOST_REQUIRE((!Histogram::is_edge(exact) || *below == exact));
			}
		}
	BOOST_TEST(!edge_at_least(edges, 1.1e9).has_value());
	BOOST_TEST(!edge_at_most(edges, 0.001).has_value());
}

BOOST_AUTO_TEST_CASE(the_threshold_is_the_nearest_rank) {
	BinSums sums;
	BOOST_TEST(!sums.p95_bin().has_value());
	Histogram histogram;
	histogram.add(100, 95);
	histogram.add(200, 5);
	sums.add(histogram);
	BOOST_TEST(Histogram::upper(*sums.p95_bin()) == 100);
	Histogram one;
	one.add(200);
	sums.add(one); // 95 of 101 are less than 95 %
	BOOST_TEST(Histogram::upper(*sums.p95_bin()) == 200);
}

// What a state is stored as, and made from again.
BOOST_AUTO_TEST_CASE(sums_of_bins_are_histograms) {
	std::mt19937_64 random(4);
	BinSums sums;
	Histogram all;
	for (int i = 0; i < 20; ++i) {
		const auto one = random_histogram(random, 30);
		sums.add(one);
		all += one;
	}
	BOOST_TEST(sums.histogram() == all);
	BinSums again;
	again.add(sums.histogram());
	BOOST_TEST((again == sums));
	BOOST_TEST(BinSums().histogram().empty());
}

Histogram
all_at(double ms, std::int64_t n) {
	Histogram histogram;
	histogram.add(ms, n);
	return histogram;
}

// Half of control is at `ms`, half at half of that, so that tau is `ms` and slices tell something.
LatencyBucket
bucket_at(const SlowShare &slow, std::int64_t number, double ms, double canary_ms) {
	LatencyBucket bucket;
	bucket.control = all_at(ms, 500);
	bucket.control += all_at(ms / 2, 500);
	bucket.canary = all_at(canary_ms, 100);
	if (const auto tau = slow.tau(number)) {
		bucket.slices_tau = *tau;
		for (size_t s = 0; s < analysis::slice_count; ++s)
			bucket.slices.push_back({16, 1});
	}
	return bucket;
}

BOOST_AUTO_TEST_CASE(threshold_and_dispersion_are_fixed_before_the_data_that_they_judge) {
	SlowShare slow(stage_rule(Stage::canary_10));
	const auto feed = [&](std::int64_t number, double ms, double canary_ms) {
		return slow.advance(number, bucket_at(slow, number, ms, canary_ms));
	};
	// 10 minutes before the evidence nothing is known; then tau, and 5 minutes later what slices had above it.
	for (std::int64_t number = -60; number < -30; ++number)
		BOOST_TEST(!feed(number, 200, 100).has_value());
	for (std::int64_t number = -30; number < 0; ++number) {
		BOOST_TEST(slow.tau(number).value() == 200);
		BOOST_TEST(!feed(number, 200, 100).has_value());
	}
	for (std::int64_t number = 0; number < 30; ++number) {
		// Control itself grows slower at once; the threshold does not move before the mark.
		const auto counts = feed(number, 400, 221);
		BOOST_REQUIRE(counts.has_value());
		BOOST_TEST(slow.state().thresholds->tau == 200);
		BOOST_TEST(counts->phi == 1.0);
		BOOST_TEST(counts->fail.value() == (Counts{100, 100, 500, 1000})); // above 220
		BOOST_TEST(counts->pass.value() == (Counts{0, 100, 500, 1000}));   // above 250
		BOOST_TEST(counts->severe.value() == (Counts{0, 100, 500, 1000})); // above 300
	}
	feed(30, 400, 221);
	BOOST_TEST(slow.state().thresholds->tau == 400);
	// A quarter of an hour later only the new level is left, whatever gap lay between.
	for (std::int64_t number = 31; number < 150; ++number)
		feed(number, 600, 221);
	BOOST_TEST(slow.state().thresholds->tau == 600);
	feed(100'000, 600, 221);
	BOOST_TEST(!slow.state().thresholds.has_value());
	BOOST_TEST(slow.state().phi.has_value());
}

BOOST_AUTO_TEST_CASE(slices_counted_with_another_threshold_are_not_used) {
	SlowShare slow(stage_rule(Stage::canary_10));
	for (std::int64_t number = -90; number < 0; ++number) {
		auto bucket = bucket_at(slow, number, 200, 100);
		bucket.slices_tau *= 1.02;
		slow.advance(number, bucket);
	}
	BOOST_TEST(!slow.advance(0, bucket_at(slow, 0, 200, 100)).has_value());
	BOOST_TEST(!slow.state().phi.has_value());
}

BOOST_AUTO_TEST_CASE(an_estimate_that_cannot_be_made_leaves_the_last_one) {
	SlowShare slow(stage_rule(Stage::canary_10));
	for (std::int64_t number = -90; number < 300; ++number) {
		auto bucket = bucket_at(slow, number, 200, 100);
		for (size_t s = 0; s < bucket.slices.size(); ++s)
			bucket.slices[s].k = s < 4 ? 16 : 0; // four users have all of it
		if (number >= 0)
			bucket.slices.clear();
		slow.advance(number, bucket);
	}
	// 4 of 64 slices have all: X2 = 64 * 480 = 30,720, since the variance within slices is 0.
	CHECK_NEAR(slow.state().phi.value(), 30'720 / 49.1105);
}

// Forty durations of control in a period, two of them above tau, from forty of 64 slices: it takes 15 periods until
// thirty are above, and then as long again until the next estimate.
BOOST_AUTO_TEST_CASE(with_little_traffic_dispersion_takes_several_periods) {
	SlowShare slow(stage_rule(Stage::canary_10));
	std::int64_t number = 0;
	const auto period = [&](std::size_t shift, double bad) {
		for (int i = 0; i < mark_buckets; ++i, ++number) {
			LatencyBucket bucket;
			if (i == 7)
				bucket.control = all_at(200, 40);
			if (const auto tau = slow.tau(number); tau && i == 7) {
				bucket.slices_tau = *tau;
				bucket.slices.resize(analysis::slice_count);
				for (std::size_t s = 0; s < 40; ++s)
					bucket.slices[(s + shift) % 64] = {1, static_cast<double>(s) < bad ? 1.0 : 0.0};
			}
			slow.advance(number, bucket);
		}
	};
	period(0, 0);
	for (std::size_t i = 0; i < 15; ++i) {
		BOOST_TEST(!slow.state().phi.has_value());
		BOOST_TEST(so_far(slow.state().slices).bad == 2.0 * static_cast<double>(i));
		period(11 * i, 2);
	}
	slow.advance(number++, {}); // the mark
	BOOST_REQUIRE(slow.state().phi.has_value());
	BOOST_TEST(*slow.state().phi < 2);
	BOOST_TEST(slow.state().slices.empty());
}

BOOST_AUTO_TEST_CASE(at_full_nothing_moves) {
	SlowShare slow(stage_rule(Stage::full));
	slow.freeze(200, 1.7);
	for (std::int64_t number = 0; number < 200; ++number) {
		LatencyBucket bucket;
		bucket.canary = all_at(251, 40);
		bucket.canary += all_at(249, 60);
		const auto counts = slow.advance(number, bucket);
		BOOST_REQUIRE(counts.has_value());
		BOOST_TEST(counts->fail.value() == (Counts{40, 100, 0, 0}));
		BOOST_TEST(!counts->pass.has_value());
		BOOST_TEST(counts->phi == 1.7);
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
