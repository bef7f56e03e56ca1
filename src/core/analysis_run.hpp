#pragma once

// Which stretch of the rollout's history the evidence belongs to.
//
// A run is a stage from its first entry until another stage is entered.  Holds, kills and resumes within the stage do
// not begin a new one: that would be a new try at a false PASS.  A kill at canary_10 enters canary_1; its run begins
// with the resume, since nobody was in the cohort before.
// Nothing is below canary_1 to step back to.  There a resume after a kill begins a new run where somebody put on
// record, since the run began, that the build is another one: the log tells who, and counts the tries.

#include "core/analysis_policy.hpp"

#include <span>
#include <vector>

namespace chat_v11::analysis {

// A row of the decision log that is no change of configuration.
struct StageChange {
	std::int64_t id = 0;
	Stage stage{};
	bool killed = false;
	Time at{};
	std::int64_t new_build = 0; // the row by which a new build was on record then; 0 for none
	friend bool operator==(const StageChange &, const StageChange &) = default;
};

// What is attested for that.
inline constexpr std::string_view new_build_attestation = "analysis:new_build";
// With it the actors of the telemetry are not the ids by which users are put into cohorts.
inline constexpr std::string_view other_ids_attestation = "analysis:other_ids";

struct Run {
	std::int64_t id = 0; // of the row with which the stage was first live; later runs have larger ones
	Stage stage{};
	Time entered_at{};
	Time evidence_from{};
	std::vector<StageChange> changes; // by id
	friend bool operator==(const Run &, const Run &) = default;

	// Whether all of the bucket counts as evidence: it lies within the run, and for evidence_delay before it and until
	// its end the stage was live.  After a resume, users change sides for a while as they do after an entry.
	bool counts(Time bucket_begin) const;
	// Whether the stage was killed at some moment of the bucket, or so shortly before.
	bool killed_around(Time bucket_begin) const;
};

// `changes`: by id, all of the same stage, the last ones of the log.  Nothing where none of them was live.
std::optional<Run> run_of(std::span<const StageChange> changes);

// How long after its begin a bucket is closed: at least 25 s, and not before a report that comes in time has come.
constexpr Duration
closed_after(Duration report_grace) {
	return bucket_length + std::max<Duration>(settle_time, judged_after(report_grace));
}

// The begin of the bucket that a moment lies in.
Time bucket_of(Time at);

} // namespace chat_v11::analysis
