#include "core/gate_checks.hpp"

#include <algorithm>
#include <charconv>

namespace chat_v11 {

namespace {

// pending_forever is also a condition of resume, and then looks as far back as the P0 checks do.
Duration
check_window(const GateInput &input, const MetricRule &rule) {
	if (rule.fresh_kind == Kind::pending_forever && input.state.killed())
		return std::max(input.settings.p0_clear_window, input.settings.metric_window);
	return window_length(rule.window, input.settings);
}

// The 95th percentile by nearest rank exceeds a limit exactly when fewer than ceil(0.95 n) values do not.
bool
p95_exceeds(std::int64_t n, std::int64_t above) {
	return n - above < (95 * n + 99) / 100;
}

bool
breaks_limit(const Check &check, const Totals &totals, const Figure &figure) {
	if (figure.denominator < std::max<std::int64_t>(check.min_samples, 1) || !check.limit)
		return false;
	if (check.metric == "write_receipt_p95_ms")
		return p95_exceeds(figure.denominator, figure.numerator);
	if (check.metric == "send_stall_rate" && totals.distinct_stalled() < stall_min_actors)
		return false;
	return figure.value && *figure.value > *check.limit;
}

std::string
percent_text(double rate) {
	return format_number(rate * 100) + " %";
}

std::string
figure_text(const Check &check, const Figure &figure) {
	const auto counts = std::to_string(figure.numerator) + " of " + std::to_string(figure.denominator);
	if (check.metric == "write_receipt_p95_ms")
		return (figure.value ? format_number(*figure.value) : "unknown") + " ms (" + counts + " slower than " +
			   format_number(*check.limit) + " ms)";
	if (check.metric == "pending_forever_count")
		return std::to_string(figure.numerator);
	return format_number(*figure.value) + " (" + counts + ", " + percent_text(*figure.value) + ")";
}

std::string
remedy(const Check &check, bool killed) {
	if (check.metric == "ack_without_receipt_10s_rate")
		return "select * from chat_v11.missing_receipts();";
	if (check.gate == Gate::p0 && killed)
		return "Find the cause before you resume: select * from chat_v11.explain_gates();";
	if (check.gate == Gate::p0)
		return "select * from public.chat_set_v11_rollout_state('canary_1', true, 'hard stop: " + check.name + "');";
	return step_back();
}

// Why a check that does not fail still is not known to be good; nothing where it is.
std::optional<std::string>
doubt(const GateInput &input, const Check &check, const MetricRule &rule, const Figure &figure) {
	const auto stale = [&](std::optional<Duration> age) { return !age || *age > input.settings.max_data_age; };
	const auto stale_text = [&](std::optional<Duration> age) {
		return (age ? "the newest is " + format_duration(*age) + " old" : std::string("none was seen")) + ", at most " +
			   format_duration(input.settings.max_data_age) + " counts";
	};
	const auto kind = std::string(name(rule.fresh_kind));
	if (check.zero_ok) {
		if (const auto age = telemetry_age(input); stale(age))
			return "telemetry is stale: " + stale_text(age);
		if (!is_wired(input, rule.fresh_kind))
			return "no " + kind + " event was seen within 7 days, so it may not be reported at all";
		if (figure.denominator == 0 && figure.numerator > 0)
			return std::to_string(figure.numerator) + " events without a single " + kind;
		if (figure.value && check.limit && *figure.value > *check.limit)
			return "too few samples: " + std::to_string(figure.denominator) + " of " +
				   std::to_string(check.min_samples);
		return std::nullopt;
	}
	if (figure.denominator < std::max<std::int64_t>(check.min_samples, 1))
		return "too few samples: " + std::to_string(figure.denominator) + " of " +
			   std::to_string(std::max<std::int64_t>(check.min_samples, 1));
	if (const auto age = age_of(input, rule.fresh_kind); stale(age))
		return kind + " telemetry is stale: " + stale_text(age);
	// The kind may still come from the control while the canary has fallen silent.
	if (const auto age = telemetry_age(input); stale(age))
		return "the canary's telemetry is stale: " + stale_text(age);
	return std::nullopt;
}

Totals
window_of(const GateInput &input, const MetricRule &rule, Cohort cohort, std::int64_t ago) {
	return window_totals(input.telemetry->slices[static_cast<size_t>(cohort)], ago,
						 minutes_of(check_window(input, rule)));
}

} // namespace

std::string
format_number(double value) {
	char text[64];
	const auto result = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6);
	return {text, result.ptr};
}

bool
is_wired(const GateInput &input, Kind kind) {
	const auto seen = input.telemetry->last_seen[static_cast<size_t>(kind)];
	return input.wired[static_cast<size_t>(kind)] || (seen && input.now - *seen <= wired_window);
}

std::optional<Duration>
age_of(const GateInput &input, Kind kind) {
	const auto seen = input.telemetry->last_seen[static_cast<size_t>(kind)];
	return seen ? std::optional(std::max(input.now - *seen, Duration::zero())) : std::nullopt;
}

Figure
figure_of(const GateInput &input, const MetricRule &rule, Cohort cohort) {
	return rule.of(window_of(input, rule, cohort, 0), input.telemetry->percentiles[static_cast<size_t>(cohort)]);
}

std::string
step_back() {
	return "Do not promote; find the cause, or step back: select * from public.chat_set_v11_rollout_state('canary_1', "
		   "false, 'hold rollout for investigation');";
}

bool
failed_at(const GateInput &input, const Check &check, std::int64_t minutes_ago) {
	const auto *rule = find_metric(check.metric);
	if (!rule || check.judge != Judge::limit)
		return false;
	const auto totals = window_of(input, *rule, Cohort::v11, minutes_ago);
	return breaks_limit(check, totals, rule->of(totals, {}));
}

std::optional<Duration>
telemetry_age(const GateInput &input) {
	std::optional<Time> newest = input.telemetry->newest[static_cast<size_t>(Cohort::v11)];
	if (!input.state.live())
		for (const auto &seen : input.telemetry->last_seen)
			if (seen)
				newest = std::max(newest.value_or(*seen), *seen);
	return newest ? std::optional(std::max(input.now - *newest, Duration::zero())) : std::nullopt;
}

std::optional<Time>
breach_forgotten(const GateInput &input, const Check &check, Duration span) {
	const auto *rule = find_metric(check.metric);
	const auto &slices = input.telemetry->slices[static_cast<size_t>(Cohort::v11)];
	for (size_t ago = 0; rule && ago < slices.size(); ++ago)
		if (rule->of(slices[ago], {}).numerator > 0)
			return input.now - std::chrono::minutes(ago) + span;
	return std::nullopt;
}

std::optional<Breach>
last_p0_breach(const GateInput &input, Duration span, Checks which) {
	std::optional<Breach> last;
	for (const auto &check : input.checks) {
		const auto *rule = find_metric(check.metric);
		if ((which == Checks::counting && !check.counts()) || check.gate != Gate::p0 || !rule)
			continue;
		const auto marks = std::max<std::int64_t>(minutes_of(span - check_window(input, *rule)), 0) + 1;
		std::int64_t ago = 0;
		while (ago < marks && !failed_at(input, check, ago))
			++ago;
		if (ago == marks)
			continue;
		const Breach breach{&check, breach_forgotten(input, check, span)};
		if (!last || last->forgotten_at < breach.forgotten_at)
			last = breach;
	}
	return last;
}

CheckResult
check_metric(const GateInput &input, const Check &check) {
	CheckResult result;
	result.check = check;
	result.limit = check.limit;
	const auto unknown = [&](const std::string &why) {
		result.status = Status::no_data;
		result.reason = check.name + " is unknown: " + why;
		return result;
	};
	const auto *rule = find_metric(check.metric);
	if (!check.enabled || !rule) {
		result.reason = check.name + ": not enabled";
		return result;
	}
	if (check.judge != Judge::limit)
		return check_comparison(input, check);
	if (!input.telemetry) {
		result.what_to_do = "Mend the telemetry; a kill still works.";
		return unknown("telemetry cannot be read: " + input.telemetry_error);
	}

	const auto totals = window_of(input, *rule, Cohort::v11, 0);
	result.figure = rule->of(totals, input.telemetry->percentiles[static_cast<size_t>(Cohort::v11)]);
	result.control_value = figure_of(input, *rule, Cohort::v10).value;
	result.data_age = age_of(input, rule->fresh_kind);

	// A known breach stays red however old the telemetry is.
	if (breaks_limit(check, totals, result.figure)) {
		result.status = Status::fail;
		result.reason =
			check.name + " is " + figure_text(check, result.figure) + ", limit " + format_number(*check.limit);
		result.what_to_do = remedy(check, input.state.killed());
		// A live rollout with a red check is to be killed, not waited for.
		if (input.state.killed())
			result.clears_at = breach_forgotten(input, check, check_window(input, *rule));
		return result;
	}
	if (const auto why = doubt(input, check, *rule, result.figure)) {
		result.what_to_do =
			check.zero_ok
				? "If it is reported: select chat_v11.attest('telemetry:" + std::string(name(rule->fresh_kind)) +
					  "', 'where that was checked', true);"
				: "Wait for traffic, or mend the reporting of " + std::string(name(rule->fresh_kind)) + ".";
		return unknown(*why);
	}
	result.status = Status::pass;
	if (result.figure.denominator == 0)
		result.reason = check.name + ": none in the window";
	else
		result.reason =
			check.name + " is " + figure_text(check, result.figure) + ", limit " + format_number(*check.limit);
	if (check.metric == "send_stall_rate" && result.figure.value && *result.figure.value > *check.limit)
		result.reason += "; from fewer than " + std::to_string(stall_min_actors) + " actors, so no mass stall";
	return result;
}

} // namespace chat_v11
