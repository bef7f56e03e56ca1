#pragma once

// Reads what a preflight asks for, and does its self-test.

#include "core/preflight.hpp"
#include "pg/rollout.hpp"

namespace chat_v11::pg {

// All rows, with the newest snapshot.  Whatever cannot be read, or takes too long, is told by its row.  The self-test
// records its events as any backend does, in a subtransaction that is rolled back; without it nothing is written.
enum class SelfTest { yes, no };
std::vector<Precondition> preflight_rows(const Evaluation &evaluation, Stage target, SelfTest self_test);

// Whether who asks may call preflight(): readers write nothing, not even dead rows.
bool may_self_test();

// The one row that a promotion is refused for where `preflight` is `enforce`.
Precondition ci_gate(Stage target, Time now);

// Empty where the installation has no roster yet.
std::vector<Duty> load_roster(Spi &spi);

} // namespace chat_v11::pg
