#pragma once

// What the next person on call must know, as Markdown.

#include "core/gates.hpp"

#include <optional>
#include <string>
#include <vector>

namespace chat_v11 {

// A row of the gate log, as shown.
struct Snapshot {
	Time at{};
	std::string cause; // "change" or "guard"
	std::string stage;
	bool kill_switch = true;
	std::optional<std::string> decision; // nothing where the gates were not read
	std::vector<std::string> failing = {};
};

struct GuardHealth {
	bool expected = false;
	std::optional<Time> expected_since;
	std::optional<Time> last_sign; // its newest row of the gate log
	std::optional<std::string> last_error = {};
	std::optional<Time> last_error_at = {};
};

struct Handover {
	GateInput input;
	GateAnswer gates;
	std::vector<Snapshot> snapshots;  // newest first
	std::optional<GuardHealth> guard; // nothing where it cannot be known
};

std::string handover_text(const Handover &handover);

} // namespace chat_v11
