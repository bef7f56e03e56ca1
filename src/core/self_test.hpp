#pragma once

// The self-test of the P0 gate: for each of its checks, the smallest lot of events that must turn it red.

#include "core/gates.hpp"

namespace chat_v11 {

// So many events of one kind, each of an actor and a subject of its own, all of cohort v11.
struct SyntheticBreach {
	Kind kind;
	Time at{};
	std::int64_t events = 0; // 0: none can be made, and why
	std::string impossible;
};

// More than that is no test any more, but load.
inline constexpr std::int64_t most_synthetic_events = 50'000;

// What breaks `check` now, on top of the figure that it has already.
SyntheticBreach synthetic_breach(const Check &check, const Figure &before, Time now, const Settings &settings);

struct SelfTestResult {
	std::string check;
	std::string failure; // "" where the check turned red
};

// Whether the breach was seen: the check fails and counts, and rests on more than it did before.
SelfTestResult judge_self_test(const Check &check, const Figure &before, const GateAnswer &after);

} // namespace chat_v11
