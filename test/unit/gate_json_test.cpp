// The gate answer as the decision log keeps it, and other limits as what_if() takes them.

#include "core/gate_json.hpp"

#include "fixture.hpp"

#include <nlohmann/json.hpp>

namespace chat_v11::test {

using Json = nlohmann::json;

BOOST_AUTO_TEST_SUITE(gate_json)

Json
json_of(const GateInput &input, const std::vector<std::string> &unmet = {}) {
	return Json::parse(to_json(evaluate(input), input.settings, unmet)); // throws where it is no JSON
}

BOOST_AUTO_TEST_CASE(it_holds_the_gate_row_and_every_check) {
	auto input = green();
	report(input, Kind::write_rejected, 1min, 100'000);
	const auto answer = evaluate(input);
	const auto json = json_of(input);
	BOOST_TEST(json["decision"] == "HOLD");
	BOOST_TEST(json["p0_ok"] == true);
	BOOST_TEST(json["p1_ok"] == false);
	BOOST_TEST(json["rollout_ok"] == false);
	BOOST_TEST(json["stage"] == "canary_10");
	BOOST_TEST(json["kill_switch"] == false);
	BOOST_TEST(json["evaluated_at"] == "2026-03-01T12:00:00.000000Z");
	BOOST_TEST(json["window_start"] == "2026-03-01T11:30:00.000000Z");
	BOOST_TEST(json["mock_clock"] == false);
	BOOST_TEST(json["reasons"].size() == answer.reasons.size());
	BOOST_TEST(json["metrics"].size() == metric_rules().size());
	BOOST_TEST(json["settings"]["p0_clear_window_s"] == 1800);
	BOOST_TEST(json["settings"]["preflight"] == "warn");
	BOOST_TEST_REQUIRE(json["checks"].size() == input.checks.size());
	const auto &check = json["checks"]["write_reject_rate"];
	BOOST_TEST(check["gate"] == "P1");
	BOOST_TEST(check["status"] == "fail");
	BOOST_TEST(check["limit"] == 0.01);
	BOOST_TEST(check["numerator"] == 100'000);
	BOOST_TEST(check["denominator"] == 100'000 + 15 * per_minute);
	BOOST_TEST(check["control"] == 0.0);
	BOOST_TEST(check["data_age_s"] == 10.0);
	BOOST_TEST(check["on_fail"] == "hold");
	BOOST_TEST(check["enabled"] == true);
	// Disabled checks are shown as such, never silently absent.
	BOOST_TEST(json["checks"]["write_receipt_trend"]["enabled"] == true);
}

BOOST_DATA_TEST_CASE(it_is_valid_in_every_situation, bdata::make({0, 1, 2, 3, 4}), situation) {
	auto input = situation == 0   ? green()
				 : situation == 1 ? not_started()
				 : situation == 2 ? calm_after_kill(1min)
								  : green(Stage::full);
	if (situation == 3)
		input.telemetry.reset();
	if (situation == 4) {
		input.telemetry->last_seen.fill(std::nullopt);
		input.telemetry->newest.fill(std::nullopt);
	}
	const auto json = json_of(input);
	BOOST_TEST(json.contains("telemetry_error") == false); // an error that gives no reason is none to show
	BOOST_TEST(json["checks"].size() == input.checks.size());
}

// Words of others go in: an error message, a note.  Quotes, control characters and broken UTF-8 must not break it.
BOOST_DATA_TEST_CASE(it_survives_any_text,
					 bdata::make({"plain", "\"quoted\"", "back\\slash", "line\nfeed\t\x01", "\xff\xfe"}), text) {
	auto input = green();
	input.telemetry.reset();
	input.telemetry_error = text;
	BOOST_TEST(json_of(input, {text})["unmet_preconditions"].size() == 1u);
	BOOST_TEST(Json::parse(unavailable_json(text)).contains("unavailable"));
	if (std::string_view(text) != "\xff\xfe")
		BOOST_TEST(Json::parse(unavailable_json(text))["unavailable"] == text);
}

// JSON knows no NaN: a figure that is none must come out as null and not as a word.
BOOST_AUTO_TEST_CASE(what_is_no_number_is_null) {
	auto input = green();
	input.telemetry->percentiles[1].receipt_p95_ms = std::numeric_limits<double>::quiet_NaN();
	input.telemetry->percentiles[1].recovery_p95_ms = std::numeric_limits<double>::infinity();
	const auto json = json_of(input);
	BOOST_TEST(json["metrics"]["write_receipt_p95_ms"].is_null());
	BOOST_TEST(json["metrics"]["recovery_p95_ms"].is_null());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(overrides)

BOOST_AUTO_TEST_CASE(a_number_is_a_limit) {
	auto input = green();
	apply_overrides(input, R"({"write_reject_rate": 0.02})");
	BOOST_TEST(*check_in(input, "write_reject_rate").limit == 0.02);
}

BOOST_AUTO_TEST_CASE(each_field_of_a_check_can_be_given) {
	auto input = green();
	apply_overrides(
		input, R"({"write_reject_rate": {"limit": 0.5, "min_samples": 7, "enabled": false, "on_fail": "advise"}})");
	const auto &check = check_in(input, "write_reject_rate");
	BOOST_TEST(*check.limit == 0.5);
	BOOST_TEST(check.min_samples == 7);
	BOOST_TEST(!check.enabled);
	BOOST_TEST(check.on_fail == OnFail::advise);
}

BOOST_AUTO_TEST_CASE(policy_and_settings_can_be_given) {
	auto input = green();
	apply_overrides(input,
					R"({"stage_policy": {"canary_10": {"min_duration_s": 60, "min_samples": 5, "quiet_period_s": 0}},
							   "settings": {"p0_clear_window_s": 3600, "report_grace_s": 0.5}})");
	const auto &policy = policy_of(input.policies, Stage::canary_10);
	BOOST_CHECK(policy.min_duration == 1min);
	BOOST_TEST(policy.min_samples == 5);
	BOOST_CHECK(policy.quiet_period == 0s);
	BOOST_CHECK(input.settings.p0_clear_window == 1h);
	BOOST_CHECK(input.settings.report_grace == 500ms);
	BOOST_CHECK(policy_of(input.policies, Stage::canary_1).min_duration == 30min);
}

BOOST_AUTO_TEST_CASE(other_limits_give_another_answer) {
	auto input = green();
	report(input, Kind::write_rejected, 40min, 1000); // out of the window of 15 min, inside one of an hour
	BOOST_TEST(evaluate(input).p1_ok);
	apply_overrides(input, R"({"settings": {"metric_window_s": 3600}})");
	BOOST_TEST(!evaluate(input).p1_ok);
	apply_overrides(input, R"({"write_reject_rate": 0.05})");
	BOOST_TEST(evaluate(input).p1_ok);
	apply_overrides(input, "{}");
	BOOST_TEST(evaluate(input).p1_ok);
}

BOOST_AUTO_TEST_CASE(other_margins_are_those_of_the_stage_but_for_what_is_named) {
	auto input = green(Stage::canary_50);
	apply_overrides(input, R"({"analysis": {"rho_fail": 1.5, "d_pass": null}})");
	BOOST_REQUIRE(input.analysis_rule);
	const auto &usual = analysis::stage_rule(Stage::canary_50);
	BOOST_TEST(input.analysis_rule->rho_fail == 1.5);
	BOOST_TEST(!input.analysis_rule->d_pass.has_value());
	BOOST_TEST(*input.analysis_rule->rho_pass == *usual.rho_pass);
	BOOST_TEST(input.analysis_rule->d_fail == usual.d_fail);
	apply_overrides(
		input,
		R"({"analysis": {"rho_pass": 4, "rho_severe": 5, "d_fail": 1.2, "d_pass": 2, "d_severe": 3, "t_max_s": 60}})");
	const auto &rule = *input.analysis_rule;
	BOOST_TEST(rule.rho_fail == 1.5);
	BOOST_TEST(*rule.rho_pass == 4);
	BOOST_TEST(rule.rho_severe == 5);
	BOOST_TEST(rule.d_fail == 1.2);
	BOOST_TEST(*rule.d_pass == 2);
	BOOST_TEST(rule.d_severe == 3);
	BOOST_CHECK(rule.t_max == 1min);
	// Nothing of it is kept by the table of limits.
	apply_overrides(input, R"({"write_receipt_compare": {"enabled": false}})");
	BOOST_TEST(!check_in(input, "write_receipt_compare").enabled);
}

const std::vector<const char *> unknown = {
	"",
	"null",
	"[]",
	"5",
	"\"write_reject_rate\"",
	"{",
	R"({"write_reject_rate": 0.02} x)",
	R"({"write_rejects": 0.02})",
	R"({"write_reject_rate": "0.02"})",
	R"({"write_reject_rate": null})",
	R"({"write_reject_rate": true})",
	R"({"write_reject_rate": [0.02]})",
	R"({"write_reject_rate": -0.1})",
	R"({"write_reject_rate": 1.1})",
	R"({"write_reject_rate": 1e999})",
	R"({"write_reject_rate": {"limits": 0.02}})",
	R"({"write_reject_rate": {"limit": null}})",
	R"({"write_reject_rate": {"limit": "0.02"}})",
	R"({"write_reject_rate": {"min_samples": -1}})",
	R"({"write_reject_rate": {"min_samples": 1.5}})",
	R"({"write_reject_rate": {"min_samples": 18446744073709551615}})",
	R"({"write_reject_rate": {"enabled": 1}})",
	R"({"write_reject_rate": {"on_fail": "panic"}})",
	R"({"write_reject_rate": {"on_fail": null}})",
	R"({"write_receipt_compare": 1.5})",
	R"({"analysis": 5})",
	R"({"analysis": {"rho": 1.5}})",
	R"({"analysis": {"rho_fail": "1.5"}})",
	R"({"analysis": {"rho_fail": null}})",
	R"({"analysis": {"rho_fail": 0.9}})",
	R"({"analysis": {"rho_pass": 1001}})",
	R"({"analysis": {"d_severe": -1}})",
	R"({"analysis": {"t_max_s": 0}})",
	R"({"cohort_share": 0.5})",
	R"({"dwell": 60})",
	R"({"settings": 5})",
	R"({"settings": {"p0_clear_window": 60}})",
	R"({"settings": {"no_such_window_s": 60}})",
	R"({"settings": {"preflight_s": 60}})",
	R"({"settings": {"p0_clear_window_s": "60"}})",
	R"({"settings": {"p0_clear_window_s": 90}})",
	R"({"settings": {"p0_clear_window_s": 0}})",
	R"({"settings": {"p0_clear_window_s": -60}})",
	R"({"settings": {"p0_clear_window_s": 1e18}})",
	R"({"settings": {"_s": 60}})",
	R"({"stage_policy": 5})",
	R"({"stage_policy": {"canary_2": {"min_samples": 5}}})",
	R"({"stage_policy": {"canary_1": 5}})",
	R"({"stage_policy": {"canary_1": {"percent": 100}}})",
	R"({"stage_policy": {"canary_1": {"min_duration_s": -1}}})",
	R"({"stage_policy": {"canary_1": {"min_duration_s": "1 hour"}}})",
	R"({"stage_policy": {"canary_1": {"min_samples": -5}}})",
	"{\"write_reject_rate\": \"\xff\"}",
	// What the tables themselves would refuse; a quiet period of years would also ask for millions of slices.
	R"({"stage_policy": {"canary_1": {"quiet_period_s": 1e9}}})",
	R"({"stage_policy": {"canary_1": {"min_duration_s": 1e9}}})",
	R"({"killed": 1e300})",
};

BOOST_DATA_TEST_CASE(what_it_does_not_know_is_refused, bdata::make(unknown), text) {
	auto input = green();
	const auto refusal = refusal_of([&] { apply_overrides(input, text); });
	BOOST_TEST(refusal.token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(refusal.sqlstate() == "22023");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
