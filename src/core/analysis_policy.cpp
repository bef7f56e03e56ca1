#include "core/analysis_policy.hpp"

#include "core/refusal.hpp"

namespace chat_v11::analysis {

using namespace std::chrono_literals;

Time
evidence_begin(Time first_entered_at) {
	const auto earliest = first_entered_at + evidence_delay;
	const auto past = earliest.time_since_epoch() % bucket_length;
	return past == Duration::zero() ? earliest : earliest - past + (past > Duration::zero() ? bucket_length : 0s);
}

const std::array<ComparisonRule, comparison_count> &
comparison_rules() {
	using enum Comparison;
	static constexpr auto rate = Statistic::rate;
	static constexpr auto latency = Statistic::latency;
	static constexpr std::array<ComparisonRule, comparison_count> rules = {{
		{slow_receipts, "slow_receipts", "write_receipt_p95_ms", "write_receipt_compare", latency, Kind::write_ack, 0},
		{write_rejects, "write_rejects", "write_reject_rate", "write_reject_compare", rate, Kind::write_started, 0.001},
		{forced_resync, "forced_resync", "forced_resync_rate", "forced_resync_compare", rate, Kind::session_active,
		 0.005},
		{full_state, "full_state", "full_state_rate", "full_state_compare", rate, Kind::session_active, 0.005},
		{range_unavailable, "range_unavailable", "err_resync_range_unavailable_rate",
		 "err_resync_range_unavailable_baseline", rate, Kind::resync_request, 0.005},
		{throttled, "throttled", "err_resync_throttled_rate", "err_resync_throttled_baseline", rate,
		 Kind::resync_request, 0.01},
		{slow_recovery, "slow_recovery", "recovery_p95_ms", "recovery_p95_ms", latency, Kind::recovery_done, 0},
	}};
	return rules;
}

const StageRule &
stage_rule(Stage stage) {
	// At `full` the comparison is with what control did at canary_50, so more is allowed: the hours differ.
	static constexpr StageRule rules[] = {
		{60min, 1.25, 3.0, 3.0, 1.10, 1.50, 1.5},
		{4h, 1.25, 2.0, 3.0, 1.10, 1.25, 1.5},
		{24h, 1.10, 1.5, 3.0, 1.10, 1.25, 1.5},
		{24h, 1.5, std::nullopt, 3.0, 1.25, std::nullopt, 1.5},
	};
	return rules[static_cast<std::size_t>(stage)];
}

void
validate(const StageRule &rule) {
	const auto factor = [](double value, const char *what) {
		if (!(value >= 1 && value <= 1000))
			throw invalid_argument(std::string(what) + " must be a number from 1 to 1000");
	};
	factor(rule.rho_fail, "allowed ratio");
	factor(rule.rho_pass.value_or(1), "ratio to exclude");
	factor(rule.rho_severe, "severe ratio");
	factor(rule.d_fail, "allowed factor on p95");
	factor(rule.d_pass.value_or(1), "factor on p95 to exclude");
	factor(rule.d_severe, "severe factor on p95");
	if (rule.t_max <= 0s || rule.t_max > std::chrono::days(366))
		throw invalid_argument("time of the restarts must be above 0, a year at most");
}

std::optional<double>
canary_share(Stage stage) {
	if (stage == Stage::full)
		return std::nullopt;
	return percent_of(stage) / 100.0;
}

} // namespace chat_v11::analysis
