#pragma once
#include "core/gates.hpp"
#include "pg/rollout.hpp"
#include "pg/spi.hpp"
namespace chat_v11::pg {
struct GateLogEntry {};
struct Stub { std::optional<Decision> decision; };
inline std::optional<Stub> newest_gate_log(Spi &, bool, bool) { return std::nullopt; }
inline bool gate_log_due(Spi &, const GateAnswer &) { return false; }
inline void append_gate_log(Spi &, const GateLogEntry &) {}
inline GateLogEntry gate_log_entry(const Evaluation &) { return {}; }
inline std::int64_t drop_old_gate_log(Spi &, Time) { return 0; }
inline std::int64_t drop_silent_consumers(Spi &, Time) { return 0; }
}
