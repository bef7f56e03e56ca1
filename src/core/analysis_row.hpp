#pragma once

// One closed bucket as it is stored, once and for good.

#include "core/analysis_comparison.hpp"

#include <string>

namespace chat_v11::analysis {

// A bucket can have more bad events than exposures where exposures come rarely, such as heartbeats of a few sessions:
// the exposure lies in the bucket before.  Such counts wait for the next bucket, for a minute at most, in which every
// active session has one; what then still has more of them is told as it is, and is a fault of the data.  A bucket that
// is passed over gets none of it but the raw events, which are of about then; units are used up, so they wait on.
inline constexpr int most_postponed = 6;

struct Postponed {
	int buckets = 0; // that wait; 0 for none
	RateBucket sums;
};

// Buckets of the run that nobody could close any more.  What happened in them is not known, and what came after may
// look better only because of that: so for as long again as they were no PASS stands.
struct Hole {
	std::int64_t buckets = 0;
	std::int64_t left = 0; // so many buckets after this one
	friend bool operator==(const Hole &, const Hole &) = default;
};

// After so many buckets, of which `missed` could not be closed.
Hole carry(const Hole &before, std::int64_t buckets, std::int64_t missed);

// Events that came after their bucket was closed: counted by the fold, and by no bucket.  A few always do.  How they
// are found: see core/analysis_late.hpp.
struct Late {
	Kind kind{};
	Cohort cohort{};
	std::int64_t late = 0;
	std::int64_t all = 0;     // 0 for none
	std::int64_t minutes = 0; // in so many
	// Since then so many of control's bad events, or of the canary's exposures, are late that the canary may look much
	// worse than it is.
	std::optional<Time> worse_since = {};
	std::int64_t left = 0; // so many buckets after this one it is told, unless it was looked at again
	friend bool operator==(const Late &, const Late &) = default;
};
using LateByComparison = std::array<Late, comparison_count>;
LateByComparison carry(const LateByComparison &before, std::int64_t buckets);

struct BucketRow {
	Bucket bucket;
	bool counts = false; // evidence of its run; else x, y and who was first seen are 0
	// More events than one bucket can have: nothing is known of it but that it was there.
	bool too_many = false;
	std::uint8_t no_room = 0; // bit i: comparison i had a unit of which nobody knows whether it is new
	std::array<Postponed, comparison_count> postponed;
	Hole hole;
	LateByComparison late;
	std::optional<Time> looked_until; // up to here minutes of the run were looked at for late events
	// In the first row of a run at `full`.
	bool has_baselines = false;
	std::array<std::optional<Baseline>, comparison_count> baselines;
	// Of this row's content and of all rows before it: rows with the same one have the same history.
	std::uint64_t chain = 0;
};

// Puts together what waits from the row before and what the bucket counts; what the row is to have then.
void postpone(const Postponed &before, RateBucket &counts, Postponed &after, bool passed_over = false);

// Of these bytes after what that chain stands for.
std::uint64_t chain_of(std::string_view bytes, std::uint64_t before);

// Stored form.  Sets row.chain from that of the row before.
std::string encode(BucketRow &row, std::uint64_t chain_before);
// Throws CorruptBytes.
BucketRow decode_row(std::string_view bytes, Time begin);

} // namespace chat_v11::analysis
