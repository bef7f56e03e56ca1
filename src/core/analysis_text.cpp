// The sentences of the canary analysis.

#include "core/analysis_format.hpp"
#include "core/analysis_verdict.hpp"

#include "core/metrics.hpp"

namespace chat_v11::analysis {

namespace {

bool
is_latency(Comparison comparison) {
	return rule_of(comparison).statistic == Statistic::latency;
}

// "canary 41 of 9,870, control 1,630 of 977,100"
std::string
counts_text(const StageAnswer &answer, const ComparisonAnswer &check) {
	const auto &[x, n, y, m] = check.totals;
	const bool latency = is_latency(check.comparison);
	const auto factor = format_ratio(answer.rule.d_fail);
	auto text = "canary " + format_count(x) + " of " + format_count(n);
	if (latency)
		text += " above " + factor + "x control's p95";
	if (answer.stage == Stage::full)
		return text + ", control at canary_50 had " + format_percent(check.q_base) + (latency ? "" : " at that age");
	text += ", control " + format_count(y) + " of " + format_count(m);
	return latency ? text + " above it" : text;
}

// "2.5x (95 %: 1.35 to 4.2), allowed 1.25x"
std::string
ratio_text(const StageAnswer &answer, const ComparisonAnswer &check) {
	const auto &[low, high] = check.interval;
	const auto sure = format_percent(1 - ratio_alpha);
	std::string text = check.ratio ? format_ratio(*check.ratio) + "x" : "no ratio yet";
	if (low && high)
		text += " (" + sure + ": " + format_ratio(*low) + " to " + format_ratio(*high) + ")";
	else if (low)
		text += " (" + sure + ": at least " + format_ratio(*low) + ")";
	else if (high)
		text += " (" + sure + ": at most " + format_ratio(*high) + ")";
	return text + ", allowed " + format_ratio(is_latency(check.comparison) ? 1 : answer.rule.rho_fail) + "x";
}

std::string
needs_text(const ComparisonAnswer &check) {
	if (check.ln_pass_now >= ln_pass || check.too_rare)
		return "PASS only waits for more actors";
	if (check.totals.n == 0 || check.totals.m == 0)
		return "PASS needs exposures of both cohorts";
	if (check.rare_time_needed && (!check.time_needed || *check.rare_time_needed < *check.time_needed))
		return "PASS needs about " + format_count(*check.exposures_needed) +
			   " more exposures of the canary with as few bad ones, " + format_duration(*check.rare_time_needed) +
			   " at this rate";
	if (!check.events_needed)
		return "as it is going, no number of events will be enough for PASS";
	auto text = "PASS needs about " + format_count(*check.events_needed) + " more bad events";
	if (check.time_needed)
		return text + ", " + format_duration(*check.time_needed) + " at this rate";
	return text + ", and hardly any come";
}

// ", after 5 min with canary 57 of 402, control 190 of 3,700: 2.8x"
std::string
when_found(const StageAnswer &answer, const Counts &counts) {
	const auto &[x, n, y, m] = counts;
	if (n == 0)
		return "";
	auto text = ", after " + format_duration(bucket_length * recent_buckets) + " with canary " + format_count(x) +
				" of " + format_count(n);
	if (answer.stage != Stage::full && m > 0)
		text += ", control " + format_count(y) + " of " + format_count(m);
	if (y > 0)
		text += ": " + format_ratio(x / n / (y / m)) + "x";
	return text;
}

} // namespace

std::string
reason_text(const StageAnswer &answer, const ComparisonAnswer &check) {
	auto text = std::string(name(check.outcome)) + " " + std::string(name(check.comparison)) + ": ";
	if (check.outcome == Outcome::data)
		return text + check.fault;
	if (check.not_compared)
		return text + "does not apply: control at canary_50 left nothing to compare with; the limits still hold";
	if (check.totals.n == 0 && (answer.stage == Stage::full || check.totals.m == 0))
		text += check.fault.empty() ? "no exposures yet" : check.fault;
	else
		text += counts_text(answer, check) + "; " + ratio_text(answer, check);
	if (const auto odds = odds_text(check.ln_fail_max); !odds.empty())
		text += "; a build within the allowance looks this bad at any moment with " + odds;
	switch (check.outcome) {
	case Outcome::fail:
		if (check.failed_at)
			text += "; found at " + format_utc(answer.evidence_from + (*check.failed_at + 1) * bucket_length) +
					when_found(answer, check.at_fail);
		if (check.severe)
			text += is_latency(check.comparison)
						? "; severe: also against " + format_ratio(answer.rule.d_severe) + "x control's p95"
						: "; severe: also against an allowance of " + format_ratio(answer.rule.rho_severe) + "x";
		if (check.complete == Complete::no)
			text += "; many of control's bad events or of the canary's exposures came late then or before, so it may "
					"be the telemetry";
		else if (check.severe && check.complete == Complete::unknown && check.severe_at)
			text += "; it rolls back as soon as it is known that not many events of then come late, within " +
					format_duration(late_after + late_margin) + " of " +
					format_utc(answer.evidence_from + (*check.severe_at + 1) * bucket_length);
		return text;
	case Outcome::wait:
		text += "; FAIL needs 1/" + std::to_string(fail_odds);
		if (check.hidden_ratio)
			return text + "; most users who have it now were counted before, and the canary has " +
				   (std::isinf(*check.hidden_ratio)
						? "bad events where control foresees none"
						: format_ratio(*check.hidden_ratio) + " times as many bad events as control foresees");
		return answer.stage == Stage::full ? text : text + "; " + needs_text(check);
	case Outcome::pass:
		if (answer.stage == Stage::full)
			return text + "; no sign of more, and nothing comes after this stage";
		if (check.too_rare && check.ln_pass_now < ln_pass)
			return text + "; too rare to matter: below " + format_percent(rule_of(check.comparison).spike_floor) +
				   " with " + format_percent(1 - pass_level);
		return text + "; " +
			   (is_latency(check.comparison) ? format_ratio(answer.rule.d_pass.value_or(1)) + "x control's p95"
											 : format_ratio(answer.rule.rho_pass.value_or(1)) + "x") +
			   " is excluded with " + format_percent(1 - pass_level);
	case Outcome::data: break;
	}
	return text;
}

std::string
reason_text(const StageAnswer &answer, const SpikeAnswer &spike) {
	const auto rate = [](std::optional<double> value) { return value ? format_percent(*value) : "unknown"; };
	auto text = std::string(name(spike.level)) + " " + std::string(name(spike.comparison)) + ": canary " +
				rate(spike.rate_60s) + " over 60 s, " + rate(spike.rate_300s) + " over 5 min from " +
				format_count(spike.units) + " units, base " + rate(spike.base) + ", control now " +
				rate(spike.control_300s);
	if (spike.since)
		text += "; since " + format_utc(*spike.since);
	text += "; clears after " + format_duration(bucket_length * spike_clear_buckets) + " below " +
			(spike.base ? format_percent(spike_clear_factor * *spike.base) : "twice the base");
	if (spike.level == SpikeLevel::storm_in_canary && answer.distrusted)
		text += "; the data cannot be trusted";
	else if (spike.level == SpikeLevel::storm_in_canary && !rolls_back(answer, spike) && answer.stage != Stage::full)
		text += answer.too_early.empty() ? "; whether it goes on is unknown" : "; too early to act on it";
	return text;
}

std::string
trend_text(const StageAnswer &answer) {
	if (!answer.trend_applies)
		return "";
	const auto &look = answer.trend_risen ? answer.trend_risen : answer.trend_last;
	if (!look)
		return "trend slow_receipts: the first look is in hour " + std::to_string(trend_first_hour);
	const auto hour = "in hour " + std::to_string(look->hour);
	if (!answer.trend_risen && !answer.trend_known)
		return "trend slow_receipts: only " + std::to_string(look->trend.n) + " quarters of an hour until hour " +
			   std::to_string(look->hour) + " had enough durations of both cohorts";
	return "trend slow_receipts: the canary's p95 against control's " +
		   std::string(answer.trend_risen ? "rises by " : "changes by ") +
		   format_percent(std::expm1(look->trend.slope_a_day())) + " a day " + hour + " (z " +
		   format_ratio(look->trend.z_used) + ", HOLD from " + format_ratio(trend_z) + " and " +
		   format_percent(std::expm1(trend_slope_a_day)) + " a day)";
}

} // namespace chat_v11::analysis
