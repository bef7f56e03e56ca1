#include "core/guard.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace chat_v11 {

namespace {

using Json = nlohmann::ordered_json;

// Six bytes for each at worst, as \u00XX, leave room for the rest below PostgreSQL's 8,000.
constexpr size_t max_reason_bytes = 1000;

template <typename F>
std::string
failing(const GateAnswer &answer, F &&wanted) {
	std::string text;
	for (const auto &result : answer.checks)
		if (result.calls_for_act() && wanted(result.check))
			text += (text.empty() ? "" : "; ") + result.reason;
	return text;
}

std::string
failing(const GateAnswer &answer, OnFail on_fail) {
	return failing(answer, [&](const Check &check) { return check.on_fail == on_fail; });
}

Json
state_json(const State &state) {
	return {{"stage", name(state.stage)}, {"kill_switch", state.kill_switch}};
}

std::string
payload(const Json &json) {
	return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json
reason_json(std::string_view reason) {
	return reason.empty() ? Json(nullptr) : Json(truncate_utf8(std::string(reason), max_reason_bytes));
}

} // namespace

std::string
GuardAct::note() const {
	return truncate_utf8("guard: " + reason, max_note_bytes);
}

std::optional<GuardAct>
guard_act(const GateAnswer &answer) {
	if (!answer.state.live())
		return std::nullopt;
	if (const auto text = failing(answer, OnFail::kill); !text.empty())
		return GuardAct{true, text};
	if (const auto text = failing(answer, OnFail::rollback); !text.empty() && answer.state.stage != Stage::canary_1)
		return GuardAct{false, text};
	return std::nullopt;
}

std::string
p0_failures(const GateAnswer &answer) {
	return failing(answer, [](const Check &check) { return check.gate == Gate::p0; });
}

Duration
retry_after(int failures, Duration interval) {
	constexpr Duration longest = std::chrono::seconds(30);
	auto wait = interval;
	for (int i = 1; i < failures && wait < longest; ++i)
		wait *= 2;
	return std::min(wait, std::max(longest, interval));
}

std::string
format_guard_line(const GuardLine &line) {
	char figures[64];
	std::snprintf(figures, sizeof figures, "%lld failures %d ms %.1f", static_cast<long long>(line.rounds),
				  line.failures, line.milliseconds);
	return line.state + " round " + figures + " ended " + (line.ended ? format_iso(*line.ended) : "never") + ": " +
		   line.rest;
}

std::optional<GuardLine>
parse_guard_line(const std::string &text) {
	char state[16];
	char ended[32];
	long long rounds = 0;
	GuardLine line;
	int used = 0;
	if (std::sscanf(text.c_str(), "%15s round %lld failures %d ms %lf ended %27[^ ]%n", state, &rounds, &line.failures,
					&line.milliseconds, ended, &used) != 5)
		return std::nullopt;
	line.state = state;
	line.rounds = rounds;
	line.ended = parse_iso(ended);
	const auto rest = text.find(": ", static_cast<size_t>(used) > 0 ? static_cast<size_t>(used) - 1 : 0);
	if (rest != std::string::npos)
		line.rest = text.substr(rest + 2);
	return line;
}

std::string
state_notification(const State &before, const State &after, std::string_view transition,
				   std::optional<Decision> decision, std::string_view reason) {
	Json json;
	json["event"] = "state";
	json["version"] = after.version;
	json["from"] = state_json(before);
	json["to"] = state_json(after);
	json["transition"] = transition;
	json["decision"] = decision ? Json(name(*decision)) : Json(nullptr);
	json["reason"] = reason_json(reason);
	json["by"] = truncate_utf8(after.updated_by, max_name_bytes);
	json["at"] = after.updated_at ? Json(format_iso(*after.updated_at)) : Json(nullptr);
	return payload(json);
}

std::string
decision_notification(const State &state, std::optional<Decision> before, Decision after, std::string_view reason,
					  Time at) {
	Json json;
	json["event"] = "decision";
	json["version"] = state.version;
	json["from"] = before ? Json(name(*before)) : Json(nullptr);
	json["to"] = name(after);
	json["decision"] = name(after);
	json["reason"] = reason_json(reason);
	json["at"] = format_iso(at);
	return payload(json);
}

std::string
incident_notification(const Incident &incident, const State &state, std::string_view from, std::string_view to,
					  std::string_view by, Time at) {
	Json json;
	json["event"] = "incident";
	json["version"] = state.version;
	json["incident"] = incident.id;
	json["severity"] = name(incident.severity);
	json["from"] = from.empty() ? Json(nullptr) : Json(from);
	json["to"] = to;
	json["decision"] = nullptr;
	json["reason"] = reason_json(incident.title);
	json["by"] = truncate_utf8(std::string(by), max_name_bytes);
	json["at"] = format_iso(at);
	return payload(json);
}

} // namespace chat_v11
