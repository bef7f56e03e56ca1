#pragma once

// Settings of the server's own kind, all prefixed chat_v11.  What turns a gate is not here but in tables, where each
// change is logged.

#include "core/time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace chat_v11::pg {

void define_settings();

// chat_v11.mock_now, superuser only: the rule clock stands at that moment; nothing where it runs.
std::optional<Time> mock_now();

// chat_v11.bucket_retention: how old an event may be when it is reported, and how long buckets are kept.
Duration bucket_retention();

// chat_v11.raw_retention: how long the events themselves are kept, at least.
Duration raw_retention();

// chat_v11.write_retention: how long an answered write's key is remembered, at least.
Duration write_retention();

// chat_v11.analysis_units: how many units of one comparison and stage are told apart.
std::size_t analysis_units();

// Whether a superuser's session is set up as every pg_dump script sets up the one that restores it.  What a dump
// carries was checked when it came in, under the clock of then.
bool is_restoring();

// chat_v11.kill_gate_timeout: how long a kill may spend on reading the gates that it logs.
int kill_gate_timeout_ms();
// chat_v11.gate_timeout: how long what the gates may refuse reads the telemetry, under the lock that a kill needs.
int gate_timeout_ms();

// chat_v11.ddl_freeze: what becomes of DDL while a P0 incident is open.
enum class DdlFreeze { off, warn, refuse };
DdlFreeze ddl_freeze();

// chat_v11.guard_interval, and chat_v11.guard_databases in the server's encoding.
Duration guard_interval();
std::vector<std::string> guard_databases();

} // namespace chat_v11::pg
