// The checks that the canary analysis answers: FAIL is `fail`, PASS is `pass`, all else is `no_data`.

#include "core/analysis_run.hpp"
#include "core/gate_checks.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

using analysis::Comparison;
using analysis::Outcome;
using analysis::SpikeLevel;

struct Judged {
	Status status;
	std::string reason;
	std::string what_to_do = {};
};

const analysis::ComparisonRule *
find_comparison(const Check &check) {
	const auto &rules = analysis::comparison_rules();
	const auto found =
		std::find_if(rules.begin(), rules.end(), [&](const auto &rule) { return rule.check == check.name; });
	return found == rules.end() ? nullptr : &*found;
}

std::string
path_command(std::string_view metric) {
	return "select * from chat_v11.analysis('" + std::string(metric) + "');";
}

std::string
mend_data() {
	return "Mend the telemetry; docs/analysis.md tells what each fault may be. A kill still works.";
}

// What stays for the stage stays for good where nothing is below it, unless the build is another one.
std::string
begin_anew(const State &state) {
	if (state.stage != Stage::canary_1)
		return {};
	return " To begin the evidence anew with a mended build: kill, select chat_v11.attest('" +
		   std::string(analysis::new_build_attestation) + "', 'which build', true); and resume.";
}

std::string
roll_back(const State &state) {
	if (state.stage == Stage::canary_1)
		return "Nothing is below canary_1 but the kill: select * from public.chat_set_v11_rollout_state('canary_1', "
			   "true, 'much worse than control');";
	return "Step back: select * from public.chat_set_v11_rollout_state('canary_1', false, 'much worse than control');";
}

const analysis::SpikeAnswer *
spike_of(const analysis::StageAnswer &answer, Comparison comparison) {
	for (const auto &spike : answer.spikes)
		if (spike.comparison == comparison && spike.level != SpikeLevel::none)
			return &spike;
	return nullptr;
}

// What is rightly rare: nothing in the stage so far is no reason to wait, as long as it would be seen.
std::optional<std::string>
none_in_window(const GateInput &input, const Check &check, const analysis::ComparisonAnswer &answer) {
	if (!check.zero_ok || !input.telemetry || answer.totals.n > 0 || !input.analysis->evidence_until)
		return std::nullopt;
	const auto *rule = find_metric(check.metric);
	const auto age = telemetry_age(input);
	if (!rule || figure_of(input, *rule, Cohort::v11).denominator > 0 || !age || *age > input.settings.max_data_age ||
		!is_wired(input, analysis::rule_of(answer.comparison).exposure))
		return std::nullopt;
	return check.name + ": none in the window";
}

Judged
judge(const GateInput &input, const Check &check, const analysis::ComparisonAnswer &answer, bool &severe) {
	const auto &stage = *input.analysis;
	const auto *spike = stage.distrusted ? nullptr : spike_of(stage, answer.comparison);
	const bool failed = answer.outcome == Outcome::fail;
	const bool too_bad = rolls_back(stage, answer);
	severe = too_bad || (spike && rolls_back(stage, *spike));
	auto text = reason_text(stage, answer);
	if (spike && !failed)
		text = reason_text(stage, *spike);
	else if (spike && severe && !too_bad) // it is the storm that rolls back
		text = reason_text(stage, *spike) + "; and " + text;
	else if (spike)
		text += "; and a " + reason_text(stage, *spike);
	if (severe)
		return {Status::fail, text, roll_back(input.state) + (failed ? begin_anew(input.state) : "")};
	if (failed)
		return {Status::fail, text, step_back() + begin_anew(input.state)};
	if (spike)
		return {Status::fail, text,
				"Do not promote into it; it clears by itself. If only the canary has it: " +
					path_command(check.metric)};
	if (answer.outcome == Outcome::pass)
		return {Status::pass, text};
	if (answer.outcome == Outcome::data)
		// The data of now clears by itself; shares and units that were wrong stay.
		return {Status::no_data, text,
				mend_data() + (stage.distrusted || answer.fault_stays ? begin_anew(input.state) : "")};
	if (const auto none = none_in_window(input, check, answer))
		return {Status::pass, *none};
	if (!stage.too_early.empty())
		text += "; too early: " + stage.too_early;
	return {Status::no_data, text,
			"Wait for traffic of both cohorts; how it went so far: " + path_command(check.metric)};
}

void
show_figures(const analysis::StageAnswer &stage, const analysis::ComparisonAnswer &answer, CheckResult &result) {
	const auto &[x, n, y, m] = answer.totals;
	const auto whole = [](double count) { return static_cast<std::int64_t>(std::min(count, 9e18)); };
	const bool latency = analysis::rule_of(answer.comparison).statistic == analysis::Statistic::latency;
	result.figure = {answer.ratio, whole(x), whole(n)};
	result.limit = latency ? 1 : stage.rule.rho_fail;
	if (stage.stage == Stage::full)
		result.control_value = answer.q_base > 0 ? std::optional(answer.q_base) : std::nullopt;
	else if (m > 0)
		result.control_value = y / m;
}

// Drift is looked for where a stage is long enough to have any.
Judged
judge_trend(const analysis::StageAnswer &stage, std::string_view check_name, CheckResult &result) {
	if (!stage.trend_applies)
		return {Status::pass, "trend slow_receipts: judged at canary_50 only"};
	result.limit = std::expm1(analysis::trend_slope_a_day);
	if (stage.distrusted)
		return {Status::no_data, "data trend slow_receipts: " + stage.fault, mend_data()};
	if (const auto &look = stage.trend_risen ? stage.trend_risen : stage.trend_last) {
		result.figure = {std::expm1(look->trend.slope_a_day()), 0, look->trend.n};
	}
	const auto text = trend_text(stage);
	if (stage.trend_risen)
		return {Status::fail, text, step_back()};
	const auto &receipts = stage.comparisons.at(static_cast<std::size_t>(Comparison::slow_receipts));
	if (const auto &fault = stage.fault.empty() && receipts.outcome == Outcome::data ? receipts.fault : stage.fault;
		!fault.empty())
		return {Status::no_data, "data trend slow_receipts: " + fault, mend_data()};
	if (!stage.trend_known)
		return {Status::no_data, "WAIT " + text,
				!stage.trend_last
					? "It is looked at once an hour."
					: "It is looked at once an hour, and wants " + std::to_string(analysis::trend_min_durations) +
						  " durations of either cohort in half of the quarters, or in " +
						  std::to_string(analysis::trend_enough_windows) +
						  " of them. Where so many never come: select chat_v11.set_check('" + std::string(check_name) +
						  "', p_enabled => false, p_note => 'why');"};
	return {Status::pass, text};
}

Judged
judge(const GateInput &input, const Check &check, CheckResult &result) {
	if (!input.state.live())
		return {Status::pass, check.name + ": does not apply while nobody is in the cohort"};
	if (input.analysis_outdated)
		return {Status::no_data, check.name + " is unknown: what it rests on is not kept before the update to 0.6",
				"alter extension chat_v11 update;"};
	if (!input.analysis_error.empty())
		return {Status::no_data, check.name + " is unknown: the analysis cannot be read: " + input.analysis_error,
				"select * from chat_v11.explain_gates(); A kill still works."};
	if (!input.analysis)
		return {Status::no_data, check.name + " is unknown: there is no analysis of this stage yet",
				"Wait for traffic."};
	if (check.judge == Judge::trend)
		return judge_trend(*input.analysis, check.name, result);
	const auto *rule = find_comparison(check);
	const auto index = rule ? static_cast<std::size_t>(rule->comparison) : 0;
	if (!rule || index >= input.analysis->comparisons.size())
		return {Status::no_data, check.name + " is unknown: this version does not know the comparison"};
	const auto &answer = input.analysis->comparisons[index];
	show_figures(*input.analysis, answer, result);
	return judge(input, check, answer, result.severe);
}

} // namespace

CheckResult
check_comparison(const GateInput &input, const Check &check) {
	CheckResult result;
	result.check = check;
	const auto *rule = find_metric(check.metric);
	if (rule && input.telemetry)
		result.data_age = age_of(input, rule->fresh_kind);
	auto judged = judge(input, check, result);
	result.status = judged.status;
	result.reason = std::move(judged.reason);
	result.what_to_do = std::move(judged.what_to_do);
	return result;
}

} // namespace chat_v11
