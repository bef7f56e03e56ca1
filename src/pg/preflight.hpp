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

// Those that bind a change, met or not: of a start all; of a promotion, where `preflight` is `enforce`, the CI gate of
// its stage; of anything else none.
std::vector<Precondition> binding_rows(const Evaluation &evaluation, const Classified &change, SelfTest self_test);

// Empty where the installation has no roster yet.
std::vector<Duty> load_roster(Spi &spi);

} // namespace chat_v11::pg
