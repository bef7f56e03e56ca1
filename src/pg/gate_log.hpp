#pragma once

// chat_v11.gate_log: what the gates said, a row a minute by the guard and one at each accepted change.

#include "core/gates.hpp"
#include "core/handover.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

struct GateLogEntry {
	Time at;
	std::int64_t version;
	Stage stage;
	bool kill_switch;
	bool mock_clock;
	std::string gates;      // JSON
	std::string_view cause; // "change" or "guard"
	// Nothing where the gates were not read.
	std::optional<Decision> decision = {};
	std::optional<bool> p0_ok = {};
	std::optional<bool> p1_ok = {};
	std::vector<std::string> failing = {};

	void set_verdict(const GateAnswer &answer);
};

void append_gate_log(Spi &spi, const GateLogEntry &entry);

// True while append_gate_log() inserts: the table's trigger lets that row in.
bool appending_gate_log();

// The newest row, of the guard's alone or of all; one in which nothing could be read passes for green.  Rows of a
// mocked clock are there for a mocked reader only.
std::optional<GateLogSample> newest_gate_log(Spi &spi, bool mock_clock, bool guard_only);

// What `quiet` and `evidence` ask of the log and of the guard, as of input.now; nothing is read where neither applies.
// Never waits for a lock: a log that is locked cannot be read.
void load_gate_log(Spi &spi, GateInput &input, bool past);

// For a hand-over: the newest rows, also those in which the gates were not read, and how the guard is.
std::vector<Snapshot> newest_snapshots(Spi &spi, bool mock_clock, Time now, std::int64_t count);
std::optional<GuardHealth> read_guard_health(Spi &spi, bool mock_clock, Time now);

// Deletes rows past chat_v11.bucket_retention, oldest first, 10,000 at most; how many.
std::int64_t drop_old_gate_log(Spi &spi, Time now);

} // namespace chat_v11::pg
