#include "pg/analysis.hpp"

#include "pg/analysis_store.hpp"
#include "pg/settings.hpp"

namespace chat_v11::pg {

using namespace analysis;
using namespace std::chrono_literals;

namespace {

// A row of the log does not change, nor do those before it.
std::optional<Run>
run_of_state(Spi &spi, const State &state, bool past) {
	struct Known {
		std::int64_t history_id;
		std::int64_t version;
		std::optional<Time> updated_at;
		std::optional<Run> run;
	};
	static std::optional<Known> known;
	if (past)
		return find_run(spi, state.history_id);
	// A change that was taken back leaves its number to the next one.
	if (!known || known->history_id != state.history_id || known->version != state.version ||
		known->updated_at != state.updated_at) {
		known.reset();
		known = Known{state.history_id, state.version, state.updated_at, find_run(spi, state.history_id)};
	}
	return known->run;
}

std::optional<Time>
newest_event(const GateInput &input) {
	std::optional<Time> newest;
	if (input.telemetry)
		for (const auto &at : input.telemetry->last_seen)
			if (at && (!newest || *at > *newest))
				newest = at;
	return newest;
}

// The newest bucket of all, which a clock that was set back has not reached yet.
bool
stands_before_newest(Spi &spi, Time now) {
	const auto rows = spi.query("SELECT b.closed_at FROM chat_v11.analysis_bucket b ORDER BY b.at DESC LIMIT 1");
	return !rows.empty() && *rows.time(0, 1) > now + event_max_ahead;
}

} // namespace

void
read_analysis(Spi &spi, GateInput &input) {
	input.analysis.reset();
	input.analysis_error.clear();
	input.analysis_outdated = false;
	if (!input.state.exists)
		return;
	const auto tables = lock_analysis_tables(AccessShareLock);
	input.analysis_outdated = tables.outdated;
	input.analysis_error = tables.trouble;
	if (!tables.trouble.empty())
		return;
	IndexPlans plans;
	const bool past = now() - input.now > 1s;
	if (const auto run = run_of_state(spi, input.state, past)) {
		const auto &reading =
			read_stage(spi, *run, input.analysis_rule.value_or(stage_rule(run->stage)), input.now, past);
		// Between two closings of the fold, and while it stands still, everything is as of the last bucket.
		auto as_of = input.now;
		if (reading.newest)
			as_of = std::min(as_of, *reading.newest + 2 * bucket_length + settle_time - Duration(1));
		const auto event = newest_event(input);
		auto answer = reading.analysis.evaluate(as_of, event ? std::optional(*event - (input.now - as_of)) : event);
		spoil_of_run(reading, answer);
		if (!past && stands_before_newest(spi, input.now))
			spoil(answer, "the clock stands before the newest bucket");
		else if (staleness(event, input.now).empty()) {
			const auto due = closed_after(input.settings.report_grace) + bucket_length;
			if (reading.newest && input.now - *reading.newest - due > input.settings.max_data_age)
				spoil(answer, "events come, but no bucket was closed since " + format_utc(*reading.newest) +
								  ": nobody folds, or the fold's log lines say what fails");
		}
		input.analysis = std::move(answer);
	}
	plans.end();
}

std::vector<AnalysisPoint>
analysis_path(Spi &spi, const State &state, Time now, Comparison comparison) {
	std::vector<AnalysisPoint> path;
	if (!state.exists)
		return path;
	IndexPlans plans;
	if (const auto run = find_run(spi, state.history_id)) {
		auto reading = begin_reading(spi, *run, stage_rule(run->stage), now, false);
		Counts before;
		const auto index = static_cast<std::size_t>(comparison);
		each_bucket(spi, run->evidence_from - warm_up, now, [&](std::int64_t run_of_row, BucketRow &&row) {
			check_for_interrupts();
			const auto at = row.bucket.begin;
			feed(reading, run_of_row, std::move(row));
			if (at < run->evidence_from || run_of_row != run->id)
				return true;
			auto answer = reading.analysis.evaluate_path();
			spoil_of_run(reading, answer);
			const auto &one = answer.comparisons[index];
			path.push_back(
				{at,
				 {one.totals.x - before.x, one.totals.n - before.n, one.totals.y - before.y, one.totals.m - before.m},
				 one.ln_fail_now,
				 one.ln_pass_now,
				 one.outcome});
			before = one.totals;
			return true;
		});
	}
	plans.end();
	return path;
}

} // namespace chat_v11::pg
