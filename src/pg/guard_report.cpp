// What is known of the guard from outside its process.

#include "core/guard.hpp"
#include "pg/guard_lock.hpp"
#include "pg/guard_round.hpp"
#include "pg/guard_worker.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"

#include <algorithm>

namespace chat_v11::pg {

namespace {

// A scheduler's calls count as a guard for this long; guard_tick() notes its calls once a minute.
constexpr auto tick_counts_for = std::chrono::minutes(2);
// A worker that says nothing for so long hangs, or waits for a lock.
constexpr auto round_may_take = std::chrono::seconds(10);

const char *const start_hint = "select chat_v11.start_guard();";

struct Kept {
	bool expected = false;
	std::optional<Time> stopped_at;
	std::string stopped_by;
	std::optional<std::string> last_error;
	std::optional<Time> last_error_at;
	std::optional<Time> last_tick;
};

Kept
load_kept(Spi &spi) {
	Kept kept;
	const auto rows =
		spi.query("SELECT g.expected, g.stopped_at, g.stopped_by, g.last_error, g.last_error_at, g.last_tick "
				  "FROM chat_v11.guard_state g");
	if (rows.empty())
		return kept;
	return {*rows.boolean(0, 1), rows.time(0, 2), rows.text(0, 3).value_or(""),
			rows.text(0, 4),     rows.time(0, 5), rows.time(0, 6)};
}

// A worker that runs: as it says itself, or how long it has been silent.
void
add_process(GuardReport &report, const GuardProcess &process, Time now) {
	report.running = true;
	report.pid = process.pid;
	const auto line = parse_guard_line(process.says);
	if (!line) {
		report.state = "starting";
		report.remark = "no round has ended yet";
		return;
	}
	report.state = line->state;
	report.remark = line->rest;
	report.last_round = line->ended;
	report.round_ms = line->milliseconds;
	report.rounds = line->rounds;
	report.failures = line->failures;
	if (process.is_in_round && process.since && now - *process.since > round_may_take) {
		report.state = "hanging";
		report.remark = "in one round since " + format_utc(floor_second(*process.since)) +
						": select pg_blocking_pids(" + std::to_string(process.pid) + ");";
	}
}

void
add_absence(GuardReport &report, const Kept &kept, Time now) {
	if (kept.stopped_at) {
		report.state = "stopped";
		report.remark =
			"by " + kept.stopped_by + " at " + format_utc(floor_second(*kept.stopped_at)) + ": " + start_hint;
	} else if (kept.last_tick && now - *kept.last_tick < tick_counts_for) {
		report.state = "ticking";
		report.running = true;
		report.last_round = kept.last_tick;
		report.remark = "a scheduler calls chat_v11.guard_tick(); told to the minute";
	} else if (kept.expected) {
		report.state = "dead";
		report.remark = std::string("it should run, and does not: ") + start_hint;
	} else {
		report.state = "none";
		report.remark = std::string("none was ever started: ") + start_hint;
	}
}

} // namespace

bool
GuardProcess::is_launched() const {
	const auto line = parse_guard_line(says);
	return line && line->state == "stopped";
}

std::string
find_lock_holder(Spi &spi) {
	const auto rows = spi.query_latest(
		"SELECT l.pid::text, a.backend_type, a.state FROM pg_catalog.pg_locks l "
		"LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE l.granted AND l.locktype = 'object' AND "
		"l.classid = 3079 AND l.objid = 0 AND l.objsubid = 3 AND l.database = "
		"(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())");
	if (rows.empty())
		return {};
	const auto pid = rows.text(0, 1);
	return pid ? "process " + *pid + ", " + rows.text(0, 2).value_or("?") + ", " + rows.text(0, 3).value_or("?")
			   : "a prepared transaction";
}

std::optional<GuardProcess>
find_guard() {
	return with_spi([](Spi &spi) -> std::optional<GuardProcess> {
		const auto rows = spi.query(
			"SELECT a.pid::bigint, l.pid IS NOT NULL, a.state = 'active', a.state_change, a.query "
			"FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_locks l ON l.pid = a.pid AND l.granted AND "
			"l.locktype = 'object' AND l.classid = 3079 AND l.objid = 0 AND l.objsubid = 3 "
			"WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'chat_v11 guard' "
			"ORDER BY l.pid IS NULL, a.backend_start LIMIT 1");
		if (rows.empty())
			return std::nullopt;
		return GuardProcess{static_cast<int>(*rows.bigint(0, 1)), rows.boolean(0, 2).value_or(false),
							rows.boolean(0, 3).value_or(false), rows.time(0, 4), rows.text(0, 5).value_or("")};
	});
}

GuardReport
guard_report() {
	const auto now = time_from_pg(GetCurrentTimestamp());
	const auto kept = with_spi(load_kept);
	GuardReport report;
	report.last_error = kept.last_error;
	report.last_error_at = kept.last_error_at;
	if (const auto process = find_guard())
		add_process(report, *process, now);
	else
		add_absence(report, kept, now);
	return report;
}

} // namespace chat_v11::pg
