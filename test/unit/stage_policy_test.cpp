// Stages, their policy, and what an admin may set.

#include "core/policy.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(stage_policy)

BOOST_AUTO_TEST_CASE(stages_are_four_in_their_order) {
	const std::vector<std::string_view> names = {"canary_1", "canary_10", "canary_50", "full"};
	BOOST_REQUIRE(all_stages.size() == names.size());
	for (size_t i = 0; i < names.size(); ++i) {
		BOOST_TEST(name(all_stages[i]) == names[i]);
		BOOST_CHECK(parse_stage(names[i]) == all_stages[i]);
		BOOST_CHECK(next(all_stages[i]) ==
					(i + 1 < names.size() ? std::optional(all_stages[i + 1]) : std::optional<Stage>()));
	}
}

BOOST_DATA_TEST_CASE(no_other_word_is_a_stage,
					 bdata::make({"", "canary", "canary_100", "Canary_1", "FULL", "full ", " full", "canary_1\n"}),
					 text) {
	BOOST_CHECK(!parse_stage(text));
}

struct PolicyCase {
	Stage stage;
	int percent;
	Duration min_duration;
	std::optional<Duration> max_duration;
	std::int64_t min_samples;
	Duration quiet;
};

std::ostream &
operator<<(std::ostream &out, const PolicyCase &c) {
	return out << c.stage;
}

// The runbook's table; the watch of 24 h after full has no sample or quiet rule.
const std::vector<PolicyCase> runbook = {
	{Stage::canary_1, 1, 30min, 60min, 100, 15min},
	{Stage::canary_10, 10, 2h, 4h, 1000, 30min},
	{Stage::canary_50, 50, 12h, 24h, 5000, 2h},
	{Stage::full, 100, 24h, std::nullopt, 0, 0min},
};

BOOST_DATA_TEST_CASE(defaults_are_those_of_the_runbook, bdata::make(runbook), c) {
	const auto &policy = policy_of(default_policy(), c.stage);
	BOOST_TEST(policy.percent == c.percent);
	BOOST_CHECK(policy.min_duration == c.min_duration);
	BOOST_CHECK(policy.max_duration == c.max_duration);
	BOOST_TEST(policy.min_samples == c.min_samples);
	BOOST_CHECK(policy.quiet_period == c.quiet);
}

BOOST_AUTO_TEST_CASE(a_policy_that_is_missing_is_an_error_not_a_default) {
	BOOST_CHECK_THROW(policy_of({}, Stage::full), std::runtime_error);
}

struct PolicyRow {
	const char *what;
	void (*spoil)(StagePolicy &);
	bool accepted;
};

std::ostream &
operator<<(std::ostream &out, const PolicyRow &c) {
	return out << c.what;
}

const std::vector<PolicyRow> policy_rows = {
	{"as it is", [](StagePolicy &) {}, true},
	{"no dwell", [](StagePolicy &p) { p.min_duration = 0s; }, true},
	{"negative dwell", [](StagePolicy &p) { p.min_duration = -instant; }, false},
	{"dwell of centuries", [](StagePolicy &p) { p.min_duration = std::chrono::days(100'000); }, false},
	{"no maximum", [](StagePolicy &p) { p.max_duration.reset(); }, true},
	{"maximum at the minimum", [](StagePolicy &p) { p.max_duration = p.min_duration; }, true},
	{"maximum below the minimum", [](StagePolicy &p) { p.max_duration = p.min_duration - instant; }, false},
	{"no samples", [](StagePolicy &p) { p.min_samples = 0; }, true},
	{"negative samples", [](StagePolicy &p) { p.min_samples = -1; }, false},
	{"no quiet", [](StagePolicy &p) { p.quiet_period = 0s; }, true},
	{"negative quiet", [](StagePolicy &p) { p.quiet_period = -instant; }, false},
	{"quiet of a day", [](StagePolicy &p) { p.quiet_period = 24h; }, true},
	{"quiet beyond the slices", [](StagePolicy &p) { p.quiet_period = 24h + instant; }, false},
};

BOOST_DATA_TEST_CASE(a_policy_that_cannot_be_used_is_refused, bdata::make(policy_rows), c) {
	auto policy = default_policy()[1];
	c.spoil(policy);
	const auto refusal = refusal_of([&] { validate_policy(policy); });
	BOOST_TEST(refusal.token() == (c.accepted ? "ACCEPTED" : "ERR_INVALID_ARGUMENT"));
}

BOOST_AUTO_TEST_CASE(settings_have_the_specified_defaults) {
	const Settings settings;
	BOOST_CHECK(settings.metric_window == 15min);
	BOOST_CHECK(settings.p0_clear_window == 30min);
	BOOST_CHECK(settings.stall_window == 5min);
	BOOST_CHECK(settings.report_grace == 2s);
	BOOST_CHECK(settings.max_data_age == 2min);
	BOOST_CHECK(settings.preflight == Preflight::warn);
	BOOST_CHECK(settings.full_state_interval == 60s);
	BOOST_CHECK(settings.resync_backoff_base == 1s);
	BOOST_CHECK(settings.resync_backoff_cap == 60s);
	BOOST_CHECK(settings.status_write_after_min == 3s);
	BOOST_CHECK(settings.status_write_after_max == 5s);
	BOOST_CHECK(maturity_delay(settings.report_grace) == 12s + instant); // "older than", so one instant more
}

struct SettingCase {
	const char *setting;
	std::optional<Duration> span;
	bool accepted;
};

std::ostream &
operator<<(std::ostream &out, const SettingCase &c) {
	return out << c.setting << " " << (c.span ? format_duration(*c.span) : "null");
}

const std::vector<SettingCase> settings_cases = {
	{"p0_clear_window", 1min, true},
	{"p0_clear_window", 60min, true}, // "settable up to 60 min and beyond"
	{"p0_clear_window", 24h, true},
	{"p0_clear_window", 24h + 1min, false},
	{"p0_clear_window", 59s, false},
	{"p0_clear_window", 0s, false},
	{"p0_clear_window", -1min, false},
	{"p0_clear_window", 90s, false}, // figures are sums of whole minutes
	{"p0_clear_window", std::nullopt, false},
	{"metric_window", 6h, true},
	{"metric_window", 6h + 1min, false},
	{"metric_window", 1min + instant, false},
	{"stall_window", 5min, true},
	{"stall_window", 61min, false},
	{"report_grace", 0s, true},
	{"report_grace", instant, true},
	{"report_grace", 10min + instant, false},
	{"max_data_age", 1s, true},
	{"max_data_age", 1s - instant, false},
	{"full_state_interval", 1s, true},
	{"full_state_interval", 1h, true},
	{"full_state_interval", 999ms, false},
	{"full_state_interval", 1h + 1ms, false},
	{"full_state_interval", 1s + instant, false},
	{"resync_backoff_base", 10ms, true},
	{"resync_backoff_base", 9ms, false},
	{"resync_backoff_cap", 1h, true},
	{"resync_backoff_cap", 0s, false},
	{"status_write_after_min", 0s, true},
	{"status_write_after_max", 10min + 1ms, false},
};

BOOST_DATA_TEST_CASE(a_setting_keeps_to_its_range, bdata::make(settings_cases), c) {
	Settings settings;
	const auto &rule = setting_rule(c.setting);
	const auto before = settings.*rule.span;
	const auto refusal = refusal_of([&] { apply_setting(settings, rule, {}, c.span); });
	BOOST_TEST(refusal.token() == (c.accepted ? "ACCEPTED" : "ERR_INVALID_ARGUMENT"));
	BOOST_CHECK(settings.*rule.span == (c.accepted ? *c.span : before));
}

BOOST_AUTO_TEST_CASE(preflight_is_one_of_two_words) {
	Settings settings;
	const auto &rule = setting_rule("preflight");
	apply_setting(settings, rule, "enforce", {});
	BOOST_CHECK(settings.preflight == Preflight::enforce);
	for (const auto *word : {"", "Warn", "off", "enforce "})
		BOOST_TEST(refusal_of([&] { apply_setting(settings, rule, word, {}); }).token() == "ERR_INVALID_ARGUMENT");
	BOOST_CHECK(settings.preflight == Preflight::enforce);
	apply_setting(settings, rule, "warn", {});
	BOOST_CHECK(settings.preflight == Preflight::warn);
}

BOOST_AUTO_TEST_CASE(an_unknown_setting_is_refused_with_those_that_there_are) {
	const auto refusal = refusal_of([] { setting_rule("p0_clear"); });
	BOOST_TEST(refusal.token() == "ERR_INVALID_ARGUMENT");
	for (const auto &rule : setting_rules())
		BOOST_TEST(contains(refusal.detail(), rule.name));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
