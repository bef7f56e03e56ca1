#include "core/gate_checks.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

struct Judged {
	Status status;
	std::string sentence;
	std::string what_to_do = {};
	std::optional<Time> clears_at = std::nullopt;
};

Judged
after(Time now, Time at, const std::string &passed, const std::string &waiting) {
	if (now >= at)
		return {Status::pass, passed};
	const auto shown = format_utc(ceil_second(at));
	return {Status::fail, waiting + " until " + shown + " (" + format_duration(at - now) + " to go)",
			"Wait until " + shown + ".", at};
}

const StagePolicy &
stage_policy(const GateInput &input) {
	return policy_of(input.policies, input.state.stage);
}

Judged
judge_dwell(const GateInput &input, CheckResult &result) {
	const auto &policy = stage_policy(input);
	const auto needed = std::chrono::duration<double>(policy.min_duration).count();
	result.limit = needed;
	result.figure.value = std::chrono::duration<double>(input.now - *input.state.entered_at).count();
	const auto stage = std::string(name(input.state.stage));
	return after(input.now, *input.state.entered_at + policy.min_duration,
				 stage + " has lasted its " + format_duration(policy.min_duration),
				 stage + " must last " + format_duration(policy.min_duration) + ", since " +
					 format_utc(floor_second(*input.state.entered_at)) + ":");
}

std::string
start_or_waive(const GateInput &input) {
	return "select chat_v11.start_guard(); or, where none is to run: select chat_v11.set_policy('" +
		   std::string(name(input.state.stage)) + "', p_quiet_period => '0', p_note => 'why');";
}

Judged
unreadable_log(const GateInput &input) {
	return {Status::no_data, "the gate log cannot be read: " + input.gate_log_error,
			input.gate_log_outdated ? "alter extension chat_v11 update;" : ""};
}

// From the gate log.  A failure is worse than a gap, and both are worse than what only time can heal.
Judged
judge_quiet(const GateInput &input, CheckResult &result, const std::vector<CheckResult> &metrics) {
	const auto period = stage_policy(input).quiet_period;
	result.limit = std::chrono::duration<double>(period).count();
	if (period == Duration::zero())
		return {Status::pass, "no quiet period is asked for"};
	const auto asked = format_duration(period);
	// The log may not know yet.
	for (const auto &metric : metrics)
		if (metric.check.counts() && metric.status == Status::fail)
			return {Status::fail, metric.check.name + " fails now, and " + asked + " of quiet are asked for",
					"Find the cause of " + metric.check.name + "."};
	if (!input.telemetry)
		return {Status::no_data, "telemetry cannot be read: " + input.telemetry_error};
	if (!input.gate_log_error.empty())
		return unreadable_log(input);

	const auto begin = input.now - period;
	const auto failure = last_logged_failure(input.gate_log, begin);
	const auto gap = last_unwatched(input.gate_log, std::max(begin, input.state.started_at.value_or(begin)), input.now);
	const bool unwatched = gap && gap->lasts;
	if (failure) {
		const auto told =
			failure->row.culprits() + " failed at " + format_utc(floor_second(failure->row.at)) + " by the gate log";
		if (!failure->ended)
			return {Status::fail, told + ", and no row since says that it is over",
					unwatched ? start_or_waive(input) : "Wait for the guard's next row."};
		return after(input.now, *failure->ended + period, "",
					 told + "; " + asked + " of quiet are reached if nothing fails");
	}
	if (unwatched)
		return {Status::no_data, "no guard has watched the gates since " + format_utc(floor_second(gap->from)),
				start_or_waive(input)};
	if (gap) {
		const auto clear = gap->to - gate_log_gap + period;
		return {Status::no_data,
				"no guard watched the gates from " + format_utc(floor_second(gap->from)) + " to " +
					format_utc(ceil_second(gap->to)) + ", and " + asked + " of quiet are asked for",
				"Wait until " + format_utc(ceil_second(clear)) + ".", clear};
	}
	return {Status::pass, "no P0 or P1 check failed within " + asked};
}

Judged
judge_evidence(const GateInput &input, CheckResult &result, const std::vector<CheckResult> &metrics) {
	const auto needed = stage_policy(input).min_samples;
	result.limit = static_cast<double>(needed);
	if (!input.telemetry)
		return {Status::no_data, "telemetry cannot be read: " + input.telemetry_error};
	const auto have = input.telemetry->mature_since_entry;
	result.figure = {static_cast<double>(have), have, needed};
	if (!input.gate_log_error.empty() && !input.gate_log_outdated)
		return unreadable_log(input);
	if (input.guard)
		if (const auto since =
				guard_silent_since(*input.guard, input.state.started_at, input.now, input.settings.max_data_age))
			return {Status::no_data,
					"the guard has been silent since " + format_utc(floor_second(*since)) + " (" +
						format_duration(input.now - *since) + ")",
					"select chat_v11.start_guard(); or, where none is to run: select chat_v11.stop_guard();"};
	if (have < needed)
		return {Status::no_data,
				std::to_string(have) + " of " + std::to_string(needed) + " mature writes since " +
					format_utc(floor_second(*input.state.entered_at)),
				"Wait for v1.1 traffic."};
	std::string missing;
	for (const auto &metric : metrics)
		if (metric.check.counts() && metric.status == Status::no_data)
			missing += (missing.empty() ? "" : ", ") + metric.check.name;
	if (!missing.empty())
		return {Status::no_data, "no usable data for " + missing, "select * from chat_v11.explain_gates();"};
	return {Status::pass, std::to_string(have) + " mature writes since entry, every check has data"};
}

Judged
judge_share(const GateInput &input, CheckResult &result) {
	if (!input.telemetry)
		return {Status::no_data, "telemetry cannot be read: " + input.telemetry_error};
	const auto canary = input.telemetry->acks_since_entry[static_cast<size_t>(Cohort::v11)];
	const auto all = canary + input.telemetry->acks_since_entry[static_cast<size_t>(Cohort::v10)];
	result.figure = {std::nullopt, canary, all};
	if (all < std::max<std::int64_t>(result.check.min_samples, 1))
		return {Status::no_data,
				"too few write_ack since entry: " + std::to_string(all) + " of " +
					std::to_string(result.check.min_samples),
				"Wait for traffic of both cohorts."};
	const auto share = static_cast<double>(canary) / static_cast<double>(all);
	const auto target = stage_policy(input).percent / 100.0;
	const auto factor = result.check.limit.value_or(2);
	result.figure.value = share;
	const auto text = format_number(share * 100) + " % of " + std::to_string(all) + " write_ack are v11, and " +
					  std::string(name(input.state.stage)) + " means " + format_number(target * 100) + " %";
	if (share > target * factor || share < target / factor)
		return {Status::fail, text, "Check how the backend asks who is in the cohort and how it labels events."};
	return {Status::pass, text};
}

// While killed: half an hour of calm, in which nothing that would kill again was seen.
Judged
judge_killed(const GateInput &input, CheckResult &result) {
	const auto seconds = std::min(result.check.limit.value_or(1800), max_wait_seconds);
	const auto wait = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
	const auto since = input.now - *input.state.entered_at;
	result.figure.value = std::chrono::duration<double>(since).count();
	// Silence is natural now, but what cannot be read is no silence.
	if (!input.telemetry)
		return {Status::no_data, "telemetry cannot be read: " + input.telemetry_error};
	if (const auto last = last_p0_breach(input, input.settings.p0_clear_window)) {
		auto clear = last->forgotten_at;
		if (clear)
			clear = std::max(*clear, *input.state.entered_at + wait);
		return {Status::fail,
				last->check->name + " was broken within " + format_duration(input.settings.p0_clear_window),
				"select * from chat_v11.explain_gates();", clear};
	}
	return after(input.now, *input.state.entered_at + wait, "killed " + format_duration(since) + " ago, and calm since",
				 "killed at " + format_utc(floor_second(*input.state.entered_at)) + ", and at least " +
					 format_duration(wait) + " must pass:");
}

// Whoever declared it ends it: the gates know no more than the figures.
Judged
judge_incident(const GateInput &input) {
	if (input.incidents_outdated)
		return {Status::pass, "incidents are not kept before the update to 0.5", "alter extension chat_v11 update;"};
	if (!input.incident_error.empty())
		return {Status::no_data, "the incidents cannot be read: " + input.incident_error};
	std::string open;
	const Incident *worst = nullptr;
	for (const auto &incident : input.incidents) {
		if (!freezes(incident.severity))
			continue;
		open += (open.empty() ? "" : "; ") + describe(incident);
		if (!worst || incident.severity < worst->severity)
			worst = &incident;
	}
	if (!worst)
		return {Status::pass, "no P0 or P1 incident is open"};
	const auto id = std::to_string(worst->id);
	return {Status::fail, open,
			"select * from chat_v11.checklist(" + id + "); and when it is over: " + close_command(*worst)};
}

Judged
judge(const GateInput &input, CheckResult &result, const std::vector<CheckResult> &metrics) {
	const auto &check = result.check.name;
	if (check == "incident")
		return judge_incident(input);
	if (check == "killed") {
		if (input.state.killed())
			return judge_killed(input, result);
		return {Status::pass, input.state.exists ? "not killed" : "nobody has killed or started anything"};
	}
	if (!input.state.exists)
		return {Status::no_data, "the rollout has not been started",
				"select * from public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');"};
	if (input.state.kill_switch)
		return {Status::pass, "does not apply while nobody is in the cohort"};
	if (check == "dwell")
		return judge_dwell(input, result);
	if (check == "quiet")
		return judge_quiet(input, result, metrics);
	if (check == "evidence")
		return judge_evidence(input, result, metrics);
	if (check == "cohort_share")
		return judge_share(input, result);
	return {Status::no_data, "this version does not know the check"};
}

} // namespace

CheckResult
check_rollout(const GateInput &input, const Check &check, const std::vector<CheckResult> &metrics) {
	CheckResult result;
	result.check = check;
	result.limit = check.limit;
	if (!check.enabled) {
		result.reason = check.name + ": not enabled";
		return result;
	}
	auto judged = judge(input, result, metrics);
	result.status = judged.status;
	result.reason = check.name + ": " + judged.sentence;
	result.what_to_do = std::move(judged.what_to_do);
	result.clears_at = judged.clears_at;
	return result;
}

} // namespace chat_v11
