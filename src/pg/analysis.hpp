#pragma once

// The canary analysis as it is read: from the rows that the fold wrote when it closed a bucket, which never change.  So
// an answer is a function of those rows, the rollout's history and the time, wherever and however often it is asked
// for.

#include "core/analysis_stage.hpp"
#include "core/gates.hpp"
#include "pg/spi.hpp"

namespace chat_v11::pg {

// Fills input.analysis (or analysis_error, or analysis_outdated) for input.state, input.now and input.analysis_rule,
// with the active snapshot.  Nothing where no stage was ever entered.  While killed: as it stood at the kill. Needs
// input.telemetry, whose newest event tells whether the data is fresh.
void read_analysis(Spi &spi, GateInput &input);

// One row of the path of the evidence: a bucket, as the answer stood with it.
struct AnalysisPoint {
	Time at{}; // the bucket's begin
	analysis::Counts counts;
	double ln_fail = 0, ln_pass = 0;
	analysis::Outcome outcome{};
};
std::vector<AnalysisPoint> analysis_path(Spi &spi, const State &state, Time now, analysis::Comparison comparison);

} // namespace chat_v11::pg
