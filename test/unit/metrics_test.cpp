// From counts to metrics: numerators, denominators, windows.

#include "core/metrics.hpp"

#include "fixture.hpp"

#include <random>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(metric_figures)

Figure
figure_of(std::string_view metric, const Totals &totals, const Percentiles &percentiles = {}) {
	const auto *rule = find_metric(metric);
	BOOST_REQUIRE(rule != nullptr);
	return rule->of(totals, percentiles);
}

struct RateCase {
	const char *metric;
	std::vector<std::pair<Kind, int>> events;
	int numerator;
	int denominator;
};

std::ostream &
operator<<(std::ostream &out, const RateCase &c) {
	return out << c.metric << " " << c.numerator << "/" << c.denominator;
}

const std::vector<RateCase> rates = {
	{"timeline_duplicate_detected_rate", {{Kind::timeline_delivered, 97}, {Kind::timeline_duplicate, 3}}, 3, 100},
	// A duplicate without a first delivery in the window still is one.
	{"timeline_duplicate_detected_rate", {{Kind::timeline_duplicate, 1}}, 1, 1},
	{"read_rollback_detected_rate", {{Kind::read_cursor, 8}, {Kind::read_rollback, 2}}, 2, 10},
	{"send_stall_rate", {{Kind::write_started, 40}, {Kind::send_stall, 2}}, 2, 40},
	// The larger of the two, or a lost write_started would give a rate above 1.
	{"send_stall_rate", {{Kind::write_started, 2}, {Kind::send_stall, 5}}, 5, 5},
	{"write_reject_rate", {{Kind::write_ack, 99}, {Kind::write_rejected, 1}}, 1, 100},
	{"forced_resync_rate", {{Kind::session_active, 50}, {Kind::forced_resync, 4}}, 4, 50},
	{"full_state_rate", {{Kind::session_active, 50}, {Kind::full_state, 5}}, 5, 50},
	{"err_resync_range_unavailable_rate", {{Kind::resync_request, 20}, {Kind::resync_range_unavailable, 1}}, 1, 20},
	{"err_resync_throttled_rate", {{Kind::resync_request, 20}, {Kind::resync_throttled, 2}}, 2, 20},
	// A stray refusal without a request has no rate at all.
	{"err_resync_throttled_rate", {{Kind::resync_throttled, 2}}, 2, 0},
	{"forced_resync_rate", {{Kind::forced_resync, 2}}, 2, 0},
};

BOOST_DATA_TEST_CASE(a_rate_is_its_numerator_over_its_denominator, bdata::make(rates), c) {
	Totals totals;
	for (const auto &[kind, n] : c.events)
		totals.of(kind) = n;
	const auto figure = figure_of(c.metric, totals);
	BOOST_TEST(figure.numerator == c.numerator);
	BOOST_TEST(figure.denominator == c.denominator);
	BOOST_REQUIRE(figure.value.has_value() == (c.denominator > 0));
	if (figure.value)
		BOOST_TEST(*figure.value == static_cast<double>(c.numerator) / c.denominator);
}

BOOST_AUTO_TEST_CASE(missing_receipts_are_counted_against_mature_writes) {
	Totals totals;
	totals.of(Kind::write_ack) = 1000; // most of them not mature yet
	totals.mature = 200;
	totals.missing = 1;
	BOOST_TEST(*figure_of("ack_without_receipt_10s_rate", totals).value == 0.005);
}

BOOST_AUTO_TEST_CASE(without_a_denominator_every_rate_is_null_never_zero) {
	for (const auto &rule : metric_rules()) {
		if (rule.name.ends_with("_count"))
			continue; // none is 0
		BOOST_TEST_CONTEXT(rule.name)
		BOOST_CHECK(!rule.of(Totals{}, Percentiles{5.0, 5.0}).value);
	}
	BOOST_TEST(*figure_of("pending_forever_count", {}).value == 0.0);
}

// Counted apart, so that somebody can wonder; no check rests on it.
BOOST_AUTO_TEST_CASE(a_receipt_without_an_ack_harms_nothing) {
	Totals totals;
	totals.orphan_receipts = 3;
	BOOST_TEST(*figure_of("receipt_without_ack_count", totals).value == 3.0);
	for (const auto &check : default_checks())
		BOOST_TEST(check.metric != "receipt_without_ack_count");
	auto input = green();
	slices_of(input)[0].orphan_receipts = 1000;
	BOOST_TEST(evaluate(input).green());
}

BOOST_AUTO_TEST_CASE(percentiles_come_from_their_reader) {
	Totals totals;
	totals.mature = 40;
	totals.slow = 3;
	totals.of(Kind::recovery_done) = 4;
	const auto receipt = figure_of("write_receipt_p95_ms", totals, {1234.5, 900.0});
	BOOST_TEST(*receipt.value == 1234.5);
	BOOST_TEST(receipt.denominator == 40);
	const auto recovery = figure_of("recovery_p95_ms", totals, {1234.5, 900.0});
	BOOST_TEST(*recovery.value == 900.0);
	BOOST_TEST(recovery.denominator == 4);
}

// The order is that of the columns of the gate answer.
BOOST_AUTO_TEST_CASE(the_metrics_are_those_of_the_reference_in_its_order) {
	struct Row {
		std::string_view name;
		Window window;
	};
	const std::vector<Row> expected = {{"ack_without_receipt_10s_rate", Window::p0},
									   {"timeline_duplicate_detected_rate", Window::p0},
									   {"read_rollback_detected_rate", Window::p0},
									   {"send_stall_rate", Window::stall},
									   {"write_receipt_p95_ms", Window::metric},
									   {"write_reject_rate", Window::metric},
									   {"forced_resync_rate", Window::metric},
									   {"full_state_rate", Window::metric},
									   {"err_resync_range_unavailable_rate", Window::metric},
									   {"err_resync_throttled_rate", Window::metric},
									   {"recovery_p95_ms", Window::metric},
									   {"pending_forever_count", Window::metric},
									   {"receipt_without_ack_count", Window::p0}};
	const auto rules = metric_rules();
	BOOST_REQUIRE(rules.size() == expected.size());
	for (size_t i = 0; i < rules.size(); ++i) {
		BOOST_TEST(rules[i].name == expected[i].name);
		BOOST_TEST_CONTEXT(rules[i].name)
		BOOST_CHECK(rules[i].window == expected[i].window);
		BOOST_CHECK(find_metric(rules[i].name) == &rules[i]);
	}
	BOOST_CHECK(find_metric("ack_rate") == nullptr);
	BOOST_CHECK(find_metric("") == nullptr);
}

BOOST_AUTO_TEST_CASE(windows_have_the_lengths_of_the_settings) {
	Settings settings;
	settings.p0_clear_window = 60min;
	settings.metric_window = 20min;
	settings.stall_window = 3min;
	BOOST_CHECK(window_length(Window::p0, settings) == 60min);
	BOOST_CHECK(window_length(Window::metric, settings) == 20min);
	BOOST_CHECK(window_length(Window::stall, settings) == 3min);
}

BOOST_AUTO_TEST_CASE(a_window_is_the_sum_of_its_slices_and_no_others) {
	std::vector<Totals> slices(10);
	for (size_t i = 0; i < slices.size(); ++i)
		slices[i].of(Kind::write_ack) = std::int64_t(1) << i; // each slice shows in the sum by its own bit
	const auto sum = [&](std::int64_t ago, std::int64_t minutes) {
		return window_totals(slices, ago, minutes).of(Kind::write_ack);
	};
	BOOST_TEST(sum(0, 1) == 0b1);
	BOOST_TEST(sum(0, 3) == 0b111);
	BOOST_TEST(sum(2, 3) == 0b11100);
	BOOST_TEST(sum(8, 5) == 0b1100000000); // slices beyond the last are empty
	BOOST_TEST(sum(10, 5) == 0);
	BOOST_TEST(sum(1000, 5) == 0);
	BOOST_TEST(sum(3, 0) == 0);
}

BOOST_AUTO_TEST_CASE(sums_do_not_depend_on_the_order_and_count_an_actor_once) {
	std::mt19937 random(11);
	std::vector<Totals> parts(20);
	for (auto &part : parts) {
		for (auto &n : part.count)
			n = static_cast<std::int64_t>(random() % 100);
		part.mature = static_cast<std::int64_t>(random() % 100);
		part.missing = static_cast<std::int64_t>(random() % 10);
		part.slow = static_cast<std::int64_t>(random() % 10);
		part.stall_actors.insert("actor " + std::to_string(random() % 5));
		part.anonymous_stalls = static_cast<std::int64_t>(random() % 2);
	}
	Totals forwards;
	for (const auto &part : parts)
		forwards += part;
	std::shuffle(parts.begin(), parts.end(), random);
	Totals shuffled;
	for (const auto &part : parts)
		shuffled += part;
	BOOST_CHECK(forwards.count == shuffled.count);
	BOOST_TEST(forwards.mature == shuffled.mature);
	BOOST_TEST(forwards.missing == shuffled.missing);
	BOOST_TEST(forwards.slow == shuffled.slow);
	BOOST_TEST(forwards.distinct_stalled() == shuffled.distinct_stalled());
	BOOST_TEST(forwards.stall_actors.size() <= 5u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
