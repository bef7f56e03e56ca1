// What is known of the guard from outside its process.

#include "core/guard.hpp"
#include "pg/guard_lock.hpp"
#include "pg/guard_state.hpp"
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
add_absence(GuardReport &report, const GuardState &kept, Time now) {
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

GuardReport
guard_report() {
	const auto now = real_now();
	const auto kept = with_spi(load_guard_state).value_or(GuardState{});
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
