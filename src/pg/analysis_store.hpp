#pragma once

// The tables of the canary analysis, and the state of a stage as their rows give it.

#include "core/analysis_row.hpp"
#include "core/analysis_run.hpp"
#include "core/analysis_stage.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

// Why the tables cannot be used with such a lock, or "".  Does not wait for it.
struct AnalysisTables {
	bool outdated = false; // they wait for the update to 0.6
	std::string trouble;
};
AnalysisTables lock_analysis_tables(LOCKMODE mode);

// The run that a moment belongs to, by the log's rows up to it.
std::optional<analysis::Run> find_run(Spi &spi, Time at);
// The run that a row of the log belongs to, whatever the clock here says: it may stand behind the one that wrote it.
std::optional<analysis::Run> find_run(Spi &spi, std::int64_t last_row);

// A stage up to some bucket.
struct StageReading {
	analysis::Run run;
	analysis::StageRule rule;
	bool ids_are_hashed = true;
	std::optional<Time> newest;      // the last bucket that is closed, also where it could not be believed
	std::uint64_t chain = 0;         // of its row
	std::uint8_t no_room = 0;        // of the run's last row
	analysis::Hole hole;             // likewise
	analysis::LateByComparison late; // likewise
	bool has_baselines = false;
	analysis::StageAnalysis analysis;

	// Whether what it amounts to may be stored for others: with other margins or ids it is not what they ask for.
	bool
	is_usual() const {
		return ids_are_hashed && rule == analysis::stage_rule(run.stage);
	}
};

// Whether `row` of the table is fed to the analysis of the run; feeds it.
void feed(StageReading &reading, std::int64_t run_of_row, analysis::BucketRow row);

// What is wrong with the run as a whole, whatever its counts say.
void spoil_of_run(const StageReading &reading, analysis::StageAnswer &answer);

// A reading without any row yet.  `past`: see below.
StageReading begin_reading(Spi &spi, const analysis::Run &run, const analysis::StageRule &rule, Time now, bool past);

// With the active snapshot, the buckets that were closed by `now`.  This session goes on from where it was: `past`
// tells that `now` is not, and what is kept for the present should stay.
const StageReading &read_stage(Spi &spi, const analysis::Run &run, const analysis::StageRule &rule, Time now,
							   bool past);

// Calls f(run, row) for each such bucket from `from` on, by time, until it says false.
void each_bucket(Spi &spi, Time from, Time now,
				 const std::function<bool(std::int64_t run, analysis::BucketRow &&row)> &f);

} // namespace chat_v11::pg
