#pragma once

// What an admin may turn: durations and samples of each stage, and the windows that every check looks through.

#include "core/cohort.hpp"
#include "core/time.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

struct StagePolicy {
	Stage stage;
	int percent;                          // of all users; fixed by the stage's name
	Duration min_duration;                // before the next promotion
	std::optional<Duration> max_duration; // a warning only ("overdue")
	std::int64_t min_samples;             // mature writes since entry
	Duration quiet_period;                // without a P0 or P1 failure before a promotion
};

// The defaults of the runbook, by stage.
const std::vector<StagePolicy> &default_policy();

const StagePolicy &policy_of(const std::vector<StagePolicy> &policies, Stage stage);

// Throws ERR_INVALID_ARGUMENT for a duration that is negative or beyond reason, or a maximum below the minimum.
void validate_policy(const StagePolicy &policy);

enum class Preflight { warn, enforce };

// Windows are whole minutes, because every figure is a sum of one-minute slices ending now.
struct Settings {
	Duration metric_window = std::chrono::minutes(15);
	Duration p0_clear_window = std::chrono::minutes(30);
	Duration stall_window = std::chrono::minutes(5);
	Duration report_grace = std::chrono::seconds(2);
	Duration max_data_age = std::chrono::minutes(2);
	Duration decision_interval = std::chrono::minutes(10); // how often an open incident asks its IC for a decision
	Preflight preflight = Preflight::warn;
	Bucketing bucketing = Bucketing::flagd_v2; // frozen once anybody was live; rollout_state has what is in force

	// Of recovery, not of the gates.
	Duration full_state_interval = std::chrono::seconds(60);
	Duration resync_backoff_base = std::chrono::seconds(1);
	Duration resync_backoff_cap = std::chrono::seconds(60);
	Duration status_write_after_min = std::chrono::seconds(3);
	Duration status_write_after_max = std::chrono::seconds(5);
};

// The gates' own are part of every answer that is logged; those that clients follow are told by recovery_policy().
enum class SettingUse { gates, recovery };

// How a setting is named, what it is by default, and what may be put there.
struct SettingRule {
	std::string_view name;
	std::string_view default_value; // an interval's text, or a word
	Duration Settings::*span;       // null for one that is a word
	Duration least;
	Duration most;
	Duration multiple_of;
	std::string_view meaning;
	std::vector<std::string_view> words = {}; // what a word may be
	SettingUse use = SettingUse::gates;
};

const std::vector<SettingRule> &setting_rules();

// Throws ERR_INVALID_ARGUMENT for a name that no rule has, with the names that there are.
const SettingRule &setting_rule(std::string_view name);
// Nothing for one that this version does not know: a newer one may have written its row.
const SettingRule *find_setting(std::string_view name);
std::vector<std::string> span_setting_names();

// Puts a value in its place; `span` is the parsed interval of a setting that is one.  Throws ERR_INVALID_ARGUMENT
// out of range.
void apply_setting(Settings &settings, const SettingRule &rule, std::string_view text, std::optional<Duration> span);

// The word that a setting without a span has.
std::string_view setting_word(const Settings &settings, const SettingRule &rule);

} // namespace chat_v11
