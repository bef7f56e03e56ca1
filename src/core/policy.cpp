#include "core/policy.hpp"

#include "core/refusal.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace chat_v11 {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view preflight_name = "preflight";
constexpr std::array<std::string_view, 2> preflight_words = {"warn", "enforce"}; // as Preflight has them

SettingRule
of_recovery(std::string_view name, std::string_view default_value, Duration Settings::*span, Duration least,
			Duration most, std::string_view meaning) {
	return {name, default_value, span, least, most, 1ms, meaning, {}, SettingUse::recovery};
}

} // namespace

const std::vector<StagePolicy> &
default_policy() {
	const auto percent = [](Stage stage) { return static_cast<int>(percent_of(stage)); };
	static const std::vector<StagePolicy> policy = {
		{Stage::canary_1, percent(Stage::canary_1), 30min, 60min, 100, 15min},
		{Stage::canary_10, percent(Stage::canary_10), 2h, 4h, 1'000, 30min},
		{Stage::canary_50, percent(Stage::canary_50), 12h, 24h, 5'000, 2h},
		{Stage::full, percent(Stage::full), 24h, std::nullopt, 0, 0min},
	};
	return policy;
}

const StagePolicy &
policy_of(const std::vector<StagePolicy> &policies, Stage stage) {
	for (const auto &policy : policies)
		if (policy.stage == stage)
			return policy;
	throw std::runtime_error("chat_v11.stage_policy has no row for stage " + std::string(name(stage)));
}

void
validate_policy(const StagePolicy &policy) {
	const std::string subject = " of stage " + std::string(name(policy.stage));
	const auto within = [](Duration span, Duration most) { return span >= Duration::zero() && span <= most; };
	if (!within(policy.min_duration, std::chrono::days(366)))
		throw invalid_argument("min_duration" + subject + " must be 0 to 1 year");
	if (policy.max_duration &&
		(*policy.max_duration < policy.min_duration || !within(*policy.max_duration, std::chrono::days(3660))))
		throw invalid_argument("max_duration" + subject + " must be min_duration to 10 years");
	if (policy.min_samples < 0)
		throw invalid_argument("min_samples" + subject + " must be 0 or more");
	if (!within(policy.quiet_period, std::chrono::days(1)))
		throw invalid_argument("quiet_period" + subject + " must be 0 to 1 day");
}

const std::vector<SettingRule> &
setting_rules() {
	static const std::vector<SettingRule> rules = {
		{"metric_window", "00:15:00", &Settings::metric_window, 1min, 6h, 1min,
		 "trailing window of the P1 checks, a whole number of minutes"},
		{"p0_clear_window", "00:30:00", &Settings::p0_clear_window, 1min, 24h, 1min,
		 "trailing window of the P0 checks: how long one breach stays red; a whole number of minutes"},
		{"stall_window", "00:05:00", &Settings::stall_window, 1min, 1h, 1min,
		 "trailing window of send_stall_rate, a whole number of minutes"},
		{"report_grace", "00:00:02", &Settings::report_grace, 0s, 10min, 1us,
		 "how long after its 10 s a write still waits for the report of a receipt that happened in time, in whole "
		 "seconds"},
		{"max_data_age", "00:02:00", &Settings::max_data_age, 1s, 24h, 1us,
		 "telemetry older than this counts as no data"},
		{"decision_interval", "00:10:00", &Settings::decision_interval, 1min, 24h, 1us,
		 "how often the IC of an open incident owes a decision"},
		{preflight_name,
		 "warn",
		 nullptr,
		 0s,
		 0s,
		 1us,
		 "unmet preconditions at start: warn or enforce",
		 {preflight_words.begin(), preflight_words.end()}},
		{"bucketing",
		 name(Settings{}.bucketing),
		 nullptr,
		 0s,
		 0s,
		 1us,
		 "how a user's id is hashed into the cohort: flagd-v2, unleash or fnv1a; frozen at the first start",
		 {bucketing_names.begin(), bucketing_names.end()}},
		of_recovery("full_state_interval", "00:01:00", &Settings::full_state_interval, 1s, 1h,
					"at most one full state in this time and dialog"),
		of_recovery("resync_backoff_base", "00:00:01", &Settings::resync_backoff_base, 10ms, 10min,
					"pause before the first repeated resync; each further one doubles it"),
		of_recovery("resync_backoff_cap", "00:01:00", &Settings::resync_backoff_cap, 10ms, 1h,
					"longest pause between two resyncs"),
		of_recovery("status_write_after_min", "00:00:03", &Settings::status_write_after_min, 0s, 10min,
					"a client asks status_write about an unanswered write no sooner than this"),
		of_recovery("status_write_after_max", "00:00:05", &Settings::status_write_after_max, 0s, 10min,
					"a client asks status_write about an unanswered write no later than this"),
	};
	return rules;
}

const SettingRule *
find_setting(std::string_view name) {
	const auto &rules = setting_rules();
	const auto found =
		std::find_if(rules.begin(), rules.end(), [&](const SettingRule &rule) { return rule.name == name; });
	return found == rules.end() ? nullptr : &*found;
}

const SettingRule &
setting_rule(std::string_view name) {
	if (const auto *rule = find_setting(name))
		return *rule;
	std::string known;
	for (const auto &rule : setting_rules())
		known += (known.empty() ? "" : ", ") + std::string(rule.name);
	throw invalid_argument("unknown setting \"" + std::string(name) + "\"", "Settings are: " + known + ".",
						   "select * from chat_v11.setting;");
}

std::vector<std::string>
span_setting_names() {
	std::vector<std::string> names;
	for (const auto &rule : setting_rules())
		if (rule.span)
			names.emplace_back(rule.name);
	return names;
}

void
apply_setting(Settings &settings, const SettingRule &rule, std::string_view text, std::optional<Duration> span) {
	const std::string subject = "setting " + std::string(rule.name);
	if (!rule.span) {
		const auto word = std::find(rule.words.begin(), rule.words.end(), text);
		if (word == rule.words.end()) {
			std::string known;
			for (const auto each : rule.words)
				known += (known.empty() ? "" : each == rule.words.back() ? " or " : ", ") + std::string(each);
			throw invalid_argument(subject + " is " + known + ", not \"" + std::string(text) + "\"");
		}
		const auto index = word - rule.words.begin();
		if (rule.name == preflight_name)
			settings.preflight = static_cast<Preflight>(index);
		else
			settings.bucketing = static_cast<Bucketing>(index);
		return;
	}
	if (!span || *span < rule.least || *span > rule.most)
		throw invalid_argument(subject + " is out of range",
							   "It may be " + format_duration(rule.least) + " to " + format_duration(rule.most) + ".");
	if (*span % rule.multiple_of != Duration::zero())
		throw invalid_argument(subject + " must be a multiple of " + format_duration(rule.multiple_of));
	settings.*rule.span = *span;
}

std::string_view
setting_word(const Settings &settings, const SettingRule &rule) {
	if (rule.name == preflight_name)
		return preflight_words[static_cast<size_t>(settings.preflight)];
	return name(settings.bucketing);
}

} // namespace chat_v11
