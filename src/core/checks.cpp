#include "core/checks.hpp"

#include "core/refusal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace chat_v11 {

namespace {

constexpr std::string_view gate_names[] = {"P0", "P1", "rollout"};
constexpr std::string_view judge_names[] = {"limit", "baseline", "compare", "trend"};
constexpr std::string_view on_fail_names[] = {"kill", "rollback", "hold", "advise"};

template <typename T>
T
parse_word(std::span<const std::string_view> words, std::string_view text, const char *what) {
	std::string known;
	for (size_t i = 0; i < words.size(); ++i) {
		if (words[i] == text)
			return static_cast<T>(i);
		known += (i ? ", " : "") + std::string(words[i]);
	}
	throw invalid_argument(std::string("unknown ") + what + " \"" + std::string(text) + "\"", {},
						   "It is one of: " + known + ".");
}

// Enough events that one mishap is not a rate.
constexpr std::int64_t rate_samples = 20;

Check
limit(Gate gate, const char *metric, double value, std::int64_t samples, bool zero_ok = false) {
	return {metric, gate, metric, Judge::limit, value, samples, true, gate == Gate::p0 ? OnFail::kill : OnFail::hold,
			zero_ok};
}

Check
comparison(const char *name, const char *metric, Judge judge, bool zero_ok = false) {
	return {name, Gate::p1, metric, judge, std::nullopt, rate_samples, true, OnFail::hold, zero_ok};
}

Check
rollout(const char *name, std::optional<double> value, std::int64_t samples = 0) {
	return {name, Gate::rollout, "", Judge::limit, value, samples, true, OnFail::hold, false};
}

} // namespace

std::string_view
name(Gate gate) {
	return gate_names[static_cast<size_t>(gate)];
}

std::string_view
name(Judge judge) {
	return judge_names[static_cast<size_t>(judge)];
}

std::string_view
name(OnFail on_fail) {
	return on_fail_names[static_cast<size_t>(on_fail)];
}

Gate
parse_gate(std::string_view text) {
	return parse_word<Gate>(gate_names, text, "gate");
}

Judge
parse_judge(std::string_view text) {
	return parse_word<Judge>(judge_names, text, "way to judge");
}

OnFail
parse_on_fail(std::string_view text) {
	return parse_word<OnFail>(on_fail_names, text, "on_fail");
}

const std::vector<Check> &
default_checks() {
	static const std::vector<Check> checks = {
		limit(Gate::p0, "ack_without_receipt_10s_rate", 0, 1),
		limit(Gate::p0, "timeline_duplicate_detected_rate", 0, 1),
		limit(Gate::p0, "read_rollback_detected_rate", 0, 1),
		limit(Gate::p0, "send_stall_rate", 0.05, 1),
		limit(Gate::p1, "write_receipt_p95_ms", 2000, rate_samples),
		limit(Gate::p1, "write_reject_rate", 0.01, rate_samples),
		limit(Gate::p1, "forced_resync_rate", 0.05, rate_samples),
		limit(Gate::p1, "full_state_rate", 0.05, rate_samples),
		limit(Gate::p1, "err_resync_range_unavailable_rate", 0.05, 1, true),
		limit(Gate::p1, "err_resync_throttled_rate", 0.10, 1, true),
		limit(Gate::p1, "pending_forever_count", 0, 1, true),
		comparison("write_receipt_compare", "write_receipt_p95_ms", Judge::compare),
		comparison("write_reject_compare", "write_reject_rate", Judge::compare),
		comparison("forced_resync_compare", "forced_resync_rate", Judge::compare),
		comparison("full_state_compare", "full_state_rate", Judge::compare),
		comparison("err_resync_range_unavailable_baseline", "err_resync_range_unavailable_rate", Judge::baseline, true),
		comparison("err_resync_throttled_baseline", "err_resync_throttled_rate", Judge::baseline, true),
		comparison("recovery_p95_ms", "recovery_p95_ms", Judge::compare, true),
		comparison("write_receipt_trend", "write_receipt_p95_ms", Judge::trend),
		rollout("dwell", std::nullopt),
		rollout("quiet", std::nullopt),
		rollout("evidence", std::nullopt),
		rollout("cohort_share", 2, 100),
		rollout("incident", std::nullopt),
		rollout("killed", 1800),
	};
	return checks;
}

void
validate_check(const Check &check) {
	const std::string subject = "limit of check " + check.name;
	if (check.limit && !(std::isfinite(*check.limit) && *check.limit >= 0))
		throw invalid_argument(subject + " must be a finite number, 0 or more");
	if (check.judge != Judge::limit && check.limit)
		throw invalid_argument(
			"check " + check.name + " has no limit of its own", "What is allowed beside control depends on the stage.",
			"Without: update chat_v11.gate_check set limit_value = null where name = '" + check.name +
				"'; other margins: select * from chat_v11.what_if('{\"analysis\": {\"rho_fail\": "
				"1.5}}');");
	const bool is_rate = check.metric.ends_with("_rate");
	if (is_rate && check.limit && *check.limit > 1)
		throw invalid_argument(subject + " is a fraction from 0 to 1", "5 % is 0.05.");
	if (check.name == "cohort_share" && check.limit && *check.limit < 1)
		throw invalid_argument(subject + " is a factor of 1 or more");
	if (check.name == "killed" && check.limit && *check.limit > max_wait_seconds)
		throw invalid_argument(subject + " is in seconds, a year at most", "1800 is half an hour.");
	if (check.min_samples < 0)
		throw invalid_argument("minimum samples of check " + check.name + " must be 0 or more");
	if (check.judge != Judge::limit)
		return;
	const auto &defaults = default_checks();
	const auto installed =
		std::find_if(defaults.begin(), defaults.end(), [&](const Check &each) { return each.name == check.name; });
	const bool has_limit = installed != defaults.end() && installed->limit;
	if (has_limit && !check.limit)
		throw invalid_argument(subject + " cannot be null", {}, "To switch a check off, set enabled to false.");
	if (!has_limit && check.limit)
		throw invalid_argument(
			"check " + check.name + " has no limit of its own", "It follows the stage's policy.",
			"select chat_v11.set_policy('canary_1', p_min_duration => '30 min', p_quiet_period => '15 min');");
}

double
slow_limit(const std::vector<Check> &checks) {
	for (const auto &check : checks)
		if (check.metric == "write_receipt_p95_ms" && check.judge == Judge::limit && check.limit)
			return *check.limit;
	return std::numeric_limits<double>::infinity();
}

} // namespace chat_v11
