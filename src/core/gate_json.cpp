#include "core/gate_json.hpp"

#include "core/refusal.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace chat_v11 {

namespace {

using Json = nlohmann::ordered_json;

double
seconds(Duration span) {
	return std::chrono::duration<double>(span).count();
}

template <typename T>
Json
maybe(const std::optional<T> &value) {
	return value ? Json(*value) : Json(nullptr);
}

std::string
dump(const Json &json) {
	return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json
check_json(const CheckResult &result) {
	Json json;
	json["gate"] = name(result.check.gate);
	json["status"] = name(result.status);
	json["enabled"] = result.check.enabled;
	json["value"] = maybe(result.figure.value);
	json["limit"] = maybe(result.limit);
	json["numerator"] = result.figure.numerator;
	json["denominator"] = result.figure.denominator;
	json["control"] = maybe(result.control_value);
	json["data_age_s"] = result.data_age ? Json(seconds(*result.data_age)) : Json(nullptr);
	json["on_fail"] = name(result.check.on_fail);
	json["reason"] = result.reason;
	return json;
}

[[noreturn]] void
bad_override(const std::string &path, const std::string &why) {
	throw invalid_argument("override " + path + " " + why, {},
						   R"(Example: select * from chat_v11.what_if('{"write_reject_rate": {"limit": 0.02}}');)");
}

double
number_at(const Json &value, const std::string &path) {
	if (!value.is_number())
		bad_override(path, "must be a number");
	return value.get<double>();
}

Duration
seconds_at(const Json &value, const std::string &path) {
	const auto span = number_at(value, path);
	if (!(span >= 0 && span <= 1e9))
		bad_override(path, "must be from 0 to 1e9 seconds");
	return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(span));
}

std::int64_t
samples_at(const Json &value, const std::string &path) {
	if (!value.is_number_integer() || value.get<std::int64_t>() < 0)
		bad_override(path, "must be a whole number, 0 or more");
	return value.get<std::int64_t>();
}

void
override_check(Check &check, const Json &value) {
	if (value.is_number()) {
		check.limit = value.get<double>();
	} else if (value.is_object()) {
		for (const auto &[key, each] : value.items()) {
			const auto path = check.name + "." + key;
			if (key == "limit")
				check.limit = number_at(each, path);
			else if (key == "min_samples")
				check.min_samples = samples_at(each, path);
			else if (key == "enabled" && each.is_boolean())
				check.enabled = each.get<bool>();
			else if (key == "on_fail" && each.is_string())
				check.on_fail = parse_on_fail(each.get<std::string>());
			else
				bad_override(path, "is not limit, min_samples, enabled (true or false) or on_fail (a word)");
		}
	} else {
		bad_override(check.name, "must be a number or an object");
	}
	validate_check(check);
}

void
override_policy(StagePolicy &policy, const Json &value, const std::string &path) {
	if (!value.is_object())
		bad_override(path, "must be an object");
	for (const auto &[key, each] : value.items()) {
		if (key == "min_duration_s")
			policy.min_duration = seconds_at(each, path + "." + key);
		else if (key == "quiet_period_s")
			policy.quiet_period = seconds_at(each, path + "." + key);
		else if (key == "min_samples")
			policy.min_samples = samples_at(each, path + "." + key);
		else
			bad_override(path + "." + key, "is not min_duration_s, quiet_period_s or min_samples");
	}
	// what_if() asks about the gates: a stage that may last longer than it should is no matter here
	policy.max_duration.reset();
	validate_policy(policy);
}

void
override_settings(Settings &settings, const Json &value) {
	if (!value.is_object())
		bad_override("settings", "must be an object");
	for (const auto &[key, each] : value.items()) {
		if (!key.ends_with("_s"))
			bad_override("settings." + key, "must be the name of a span followed by _s");
		const auto &rule = setting_rule(key.substr(0, key.size() - 2));
		if (!rule.span)
			bad_override("settings." + key, "is no span of time");
		if (rule.use != SettingUse::gates)
			bad_override("settings." + key, "turns no gate");
		apply_setting(settings, rule, {}, seconds_at(each, "settings." + key));
	}
}

// Margins of the present stage; what is not named stays as it is.
void
override_analysis(GateInput &input, const Json &value) {
	if (!value.is_object())
		bad_override("analysis", "must be an object");
	auto rule = input.analysis_rule.value_or(analysis::stage_rule(input.state.stage));
	for (const auto &[key, each] : value.items()) {
		const auto path = "analysis." + key;
		const auto maybe_number = [&] { return each.is_null() ? std::nullopt : std::optional(number_at(each, path)); };
		if (key == "rho_fail")
			rule.rho_fail = number_at(each, path);
		else if (key == "rho_pass")
			rule.rho_pass = maybe_number();
		else if (key == "rho_severe")
			rule.rho_severe = number_at(each, path);
		else if (key == "d_fail")
			rule.d_fail = number_at(each, path);
		else if (key == "d_pass")
			rule.d_pass = maybe_number();
		else if (key == "d_severe")
			rule.d_severe = number_at(each, path);
		else if (key == "t_max_s")
			rule.t_max = seconds_at(each, path);
		else
			bad_override(path, "is not rho_fail, rho_pass, rho_severe, d_fail, d_pass, d_severe or t_max_s");
	}
	analysis::validate(rule);
	input.analysis_rule = rule;
}

} // namespace

std::string
to_json(const GateAnswer &answer, const Settings &settings, const std::vector<std::string> &unmet) {
	Json json;
	json["decision"] = name(answer.decision);
	json["p0_ok"] = answer.p0_ok;
	json["p1_ok"] = answer.p1_ok;
	json["rollout_ok"] = answer.rollout_ok;
	json["reasons"] = answer.reasons;
	json["stage"] = name(answer.state.stage);
	json["kill_switch"] = answer.state.kill_switch;
	Json metrics = Json::object();
	const auto rules = metric_rules();
	for (size_t i = 0; i < rules.size() && i < answer.figures.size(); ++i)
		metrics[std::string(rules[i].name)] = maybe(answer.figures[i].value);
	json["metrics"] = std::move(metrics);
	json["mature_writes"] = answer.mature_writes;
	json["data_age_s"] = answer.data_age ? Json(seconds(*answer.data_age)) : Json(nullptr);
	json["window_start"] = format_iso(answer.window_start);
	json["evaluated_at"] = format_iso(answer.evaluated_at);
	json["mock_clock"] = answer.mock_clock;
	if (!answer.telemetry_error.empty())
		json["telemetry_error"] = answer.telemetry_error;
	if (!answer.gate_log_error.empty())
		json["gate_log_error"] = answer.gate_log_error;
	if (!answer.incident_error.empty())
		json["incident_error"] = answer.incident_error;
	if (!answer.analysis_error.empty())
		json["analysis_error"] = answer.analysis_error;
	if (!unmet.empty())
		json["unmet_preconditions"] = unmet;
	Json checks = Json::object();
	for (const auto &result : answer.checks)
		checks[result.check.name] = check_json(result);
	json["checks"] = std::move(checks);
	Json windows = Json::object();
	for (const auto &rule : setting_rules())
		if (rule.use != SettingUse::gates)
			continue;
		else if (rule.span)
			windows[std::string(rule.name) + "_s"] = seconds(settings.*rule.span);
		else
			windows[std::string(rule.name)] = setting_word(settings, rule);
	json["settings"] = std::move(windows);
	return dump(json);
}

std::string
unavailable_json(const std::string &reason) {
	return dump(Json{{"unavailable", reason}});
}

void
apply_overrides(GateInput &input, const std::string &text) {
	const auto json = Json::parse(text, nullptr, false);
	if (!json.is_object())
		throw invalid_argument("overrides must be a JSON object", {},
							   R"(Example: select * from chat_v11.what_if('{"write_reject_rate": {"limit": 0.02}}');)");
	for (const auto &[key, value] : json.items()) {
		const auto check =
			std::find_if(input.checks.begin(), input.checks.end(), [&](const Check &each) { return each.name == key; });
		if (check != input.checks.end()) {
			override_check(*check, value);
		} else if (key == "settings") {
			override_settings(input.settings, value);
		} else if (key == "analysis") {
			override_analysis(input, value);
		} else if (key == "stage_policy") {
			if (!value.is_object())
				bad_override("stage_policy", "must be an object");
			for (const auto &[stage, fields] : value.items()) {
				const auto policy = std::find_if(input.policies.begin(), input.policies.end(),
												 [&](const StagePolicy &each) { return name(each.stage) == stage; });
				if (policy == input.policies.end())
					bad_override("stage_policy." + stage, "names no stage");
				override_policy(*policy, fields, "stage_policy." + stage);
			}
		} else {
			bad_override(key, "names no check");
		}
	}
}

} // namespace chat_v11
