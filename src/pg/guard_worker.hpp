#pragma once

// The guard's process, and the launcher that keeps one running in each database of chat_v11.guard_databases.

#include "pg/spi.hpp"

namespace chat_v11::pg {

// With shared_preload_libraries: registers the launcher.
void register_launcher();

// Starts a guard for this database, until the next restart of the server; its process.  It comes back after a crash.
int start_guard_process();

struct GuardReport {
	std::string state; // guarding, idle, standby, waiting, stopped, dead, ticking, none
	bool running = false;
	std::optional<int> pid;
	std::optional<Time> last_round;
	std::optional<double> round_ms;
	std::optional<std::int64_t> rounds;
	int failures = 0; // in a row
	std::optional<std::string> last_error;
	std::optional<Time> last_error_at;
	std::string remark;
};
GuardReport guard_report();

} // namespace chat_v11::pg
