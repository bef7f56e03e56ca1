#pragma once

// A gate answer as JSON: what the decision log and the gate log keep.

#include "core/gates.hpp"

#include <string>

namespace chat_v11 {

// {"decision", "p0_ok", ..., "metrics": {...}, "checks": {name: {"status", "value", "limit", ...}}, "settings": {...}}
std::string to_json(const GateAnswer &answer, const Settings &settings, const std::vector<std::string> &unmet);

// {"unavailable": reason}: a kill that could not read its gates.
std::string unavailable_json(const std::string &reason);

// The same input under other limits: {"CHECK": 0.02, "CHECK": {"limit", "min_samples", "enabled", "on_fail"},
// "stage_policy": {"STAGE": {"min_duration_s", "min_samples", "quiet_period_s"}},
// "settings": {"p0_clear_window_s": 1800, ...},
// "analysis": {"rho_fail": 1.5, "rho_pass", "rho_severe", "d_fail", "d_pass", "d_severe", "t_max_s"}}, the margins of
// the present stage's comparisons, as StageRule has them; rho_pass and d_pass null: no PASS by that way.
// Throws ERR_INVALID_ARGUMENT for anything that it does not know.
void apply_overrides(GateInput &input, const std::string &json);

} // namespace chat_v11
