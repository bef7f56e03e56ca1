#include "core/gates.hpp"

#include "core/gate_checks.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

std::vector<std::string>
collect_reasons(const GateAnswer &answer) {
	std::vector<std::string> reasons;
	const auto add = [&](auto &&wanted) {
		for (const auto gate : {Gate::p0, Gate::p1, Gate::rollout})
			for (const auto &result : answer.checks)
				if (result.check.gate == gate && result.check.enabled && wanted(result))
					reasons.push_back(std::string(name(gate)) + " " + result.reason);
	};
	const auto worst = [](const CheckResult &r) { return r.check.gate == Gate::p0 || r.severe; };
	add([&](const CheckResult &r) { return r.status == Status::fail && r.check.counts() && worst(r); });
	add([&](const CheckResult &r) { return r.status == Status::fail && r.check.counts() && !worst(r); });
	add([](const CheckResult &r) { return r.status == Status::no_data && r.blocks; });
	add([](const CheckResult &r) { return r.status == Status::fail && !r.check.counts(); });
	return reasons;
}

// Nobody is in the cohort, so nothing is expected to report: only failures count.
bool
silence_is_natural(const State &state) {
	return state.killed();
}

} // namespace

std::string_view
name(Status status) {
	constexpr std::string_view names[] = {"pass", "fail", "no_data"};
	return names[static_cast<size_t>(status)];
}

const CheckResult *
GateAnswer::find(std::string_view check) const {
	for (const auto &result : checks)
		if (result.check.name == check)
			return &result;
	return nullptr;
}

std::string
GateAnswer::first_reason() const {
	return reasons.empty() ? std::string() : reasons.front();
}

std::vector<std::string>
GateAnswer::disabled() const {
	std::vector<std::string> names;
	for (const auto &result : checks)
		if (!result.check.enabled)
			names.push_back(result.check.name);
	return names;
}

std::vector<std::string>
GateAnswer::failing() const {
	std::vector<std::string> names;
	for (const auto &result : checks)
		if (result.check.gate != Gate::rollout && result.check.counts() && result.status == Status::fail)
			names.push_back(result.check.name);
	return names;
}

std::int64_t
telemetry_minutes(const GateInput &input) {
	const auto &s = input.settings;
	const auto window = std::max({s.p0_clear_window, s.metric_window, s.stall_window});
	return minutes_of(window) + minutes_of(s.p0_clear_window) + 1;
}

GateAnswer
evaluate(const GateInput &input) {
	GateAnswer answer;
	answer.state = input.state;
	answer.evaluated_at = input.now;
	answer.mock_clock = input.mock_clock;
	answer.window_start = input.now - std::max(input.settings.p0_clear_window, input.settings.metric_window);
	answer.telemetry_error = input.telemetry ? "" : input.telemetry_error;
	answer.gate_log_error = input.gate_log_error;
	answer.incident_error = input.incident_error;
	answer.analysis_error = input.analysis_error;

	for (const auto &check : input.checks)
		if (check.gate != Gate::rollout)
			answer.checks.push_back(check_metric(input, check));
	const auto metrics = answer.checks;
	for (const auto &check : input.checks)
		if (check.gate == Gate::rollout)
			answer.checks.push_back(check_rollout(input, check, metrics));
	std::stable_sort(answer.checks.begin(), answer.checks.end(),
					 [](const CheckResult &a, const CheckResult &b) { return a.check.gate < b.check.gate; });

	answer.p0_ok = answer.p1_ok = answer.rollout_ok = true;
	bool blocked = false;
	bool severe = false;
	bool only_time = true;
	std::optional<Time> opens;
	for (auto &result : answer.checks) {
		if (!result.check.counts() || result.status == Status::pass)
			continue;
		const bool failed = result.status == Status::fail;
		result.blocks = failed || result.check.gate == Gate::rollout || !silence_is_natural(input.state);
		if (!result.blocks)
			continue;
		blocked = true;
		severe = severe || (failed && result.severe);
		if (result.check.gate == Gate::p0)
			answer.p0_ok = answer.p0_ok && !failed;
		else if (result.check.gate == Gate::p1)
			answer.p1_ok = answer.p1_ok && !failed;
		else
			answer.rollout_ok = false;
		only_time = only_time && result.clears_at;
		if (result.clears_at)
			opens = std::max(opens.value_or(*result.clears_at), *result.clears_at);
	}
	if (only_time)
		answer.earliest = opens;

	answer.p0_clear_window = input.settings.p0_clear_window;
	if (input.telemetry) {
		if (const auto breach = last_p0_breach(input, input.settings.p0_clear_window))
			answer.p0_breach = breach->check->name;
		if (const auto breach = last_p0_breach(input, input.settings.p0_clear_window, Checks::all))
			answer.incident_breach = breach->check->name;
	}

	if (!answer.p0_ok || severe)
		answer.decision = Decision::rollback;
	else if (blocked) // also by what is unknown while `evidence` is switched off
		answer.decision = Decision::hold;
	else
		answer.decision = Decision::proceed;

	const auto canary = static_cast<size_t>(Cohort::v11);
	for (const auto &rule : metric_rules()) {
		Figure figure;
		if (input.telemetry)
			figure = rule.of(window_totals(input.telemetry->slices[canary], 0,
										   minutes_of(window_length(rule.window, input.settings))),
							 input.telemetry->percentiles[canary]);
		answer.figures.push_back(figure);
	}
	answer.mature_writes = answer.figures.front().denominator;
	if (input.telemetry)
		answer.data_age = telemetry_age(input);
	answer.silent = !answer.data_age || *answer.data_age > input.settings.max_data_age;
	answer.reasons = collect_reasons(answer);
	return answer;
}

} // namespace chat_v11
