#pragma once

// The rollout's present state, as one row holds it.

#include "core/cohort.hpp"
#include "core/time.hpp"

#include <optional>
#include <string>

namespace chat_v11 {

// A missing row reads as this default: killed, not started, so that nobody gets v1.1.
struct State {
	bool exists = false;
	Stage stage = Stage::canary_1;
	bool kill_switch = true;
	std::int64_t version = 0;       // +1 at every accepted change
	std::optional<Time> started_at; // first time that anybody went live
	std::optional<Time> entered_at; // since when this (stage, kill switch) stands; a hold restarts it
	std::optional<Time> updated_at;
	std::string updated_by;
	std::optional<std::string> note;
	bool overridden = false; // the present stage was reached by break-glass
	Bucketing bucketing = Bucketing::flagd_v2;
	std::int64_t history_id = 0; // the log's row that made this state

	bool
	live() const {
		return exists && !kill_switch;
	}
	bool
	killed() const {
		return exists && kill_switch;
	}
};

// "canary_10, live" or "canary_1, killed" or "not started".
inline std::string
describe(const State &state) {
	if (!state.exists)
		return "not started";
	return std::string(name(state.stage)) + (state.kill_switch ? ", killed" : ", live");
}

enum class Decision { proceed, hold, rollback };

constexpr std::string_view
name(Decision decision) {
	constexpr std::string_view names[] = {"PROCEED", "HOLD", "ROLLBACK"};
	return names[static_cast<size_t>(decision)];
}

inline std::optional<Decision>
parse_decision(std::string_view text) {
	for (const auto each : {Decision::proceed, Decision::hold, Decision::rollback})
		if (name(each) == text)
			return each;
	return std::nullopt;
}

} // namespace chat_v11
