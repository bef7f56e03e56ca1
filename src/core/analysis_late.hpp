#pragma once

// Events that came after their bucket was closed.  Neither the counts of the analysis nor its memory of units have
// them, so while they are more than a few nobody knows how bad the canary is; buckets of that time are passed over by
// the comparisons that rest on them, and use up no units, or else the canary would look worse as soon as it reports in
// time again.
//
// Each minute the fold's counts, which have all that came since, are compared with what the buckets counted: those of
// the last hours, so that it does not matter how late something comes or how few of it come in one minute; and those of
// the last minutes and of the last minute, or else hours that went well would hide for long that much comes late now.
// All of a window is looked at again.  What was late once is outweighed in time by what is not, or leaves the window.

#include "core/analysis_row.hpp"

#include <deque>
#include <vector>

namespace chat_v11::analysis {

// A window is so long, and its last minute began late_after before the one that begins now; late are more than the
// share of a kind, and late_min at least.
struct LateLook {
	Duration length;
	double share;
	bool much; // enough to make a canary look much worse than it is
};
inline constexpr LateLook late_looks[] = {{std::chrono::hours(6), 0.05, false},
										  {std::chrono::minutes(10), 0.2, true},
										  {std::chrono::minutes(1), 1.0 / 3, true}};
inline constexpr Duration late_window = late_looks[0].length; // the longest
inline constexpr std::int64_t late_min = 20;
// What was found stands until the next look, in a minute; and over one more, should that come a little later.
inline constexpr std::int64_t late_buckets = std::chrono::minutes(2) / bucket_length;

// By cohort and kind.
using KindCounts = std::array<std::array<std::int64_t, kind_count>, cohort_count>;

// What the buckets of a run counted, minute by minute.  A minute of which a bucket is missing or no evidence is left
// out: the fold counts it as a whole.
class CountedMinutes {
public:
	// Ascending, all of one run; of the first one it is not known what waited before it.  Forgets what lies before
	// every window to come.
	void add(const BucketRow &row);

	struct Window {
		std::vector<Time> minutes;
		KindCounts counted{};
	};
	// What there is to look at when this minute begins: so long, and longer where it was looked at until then only.
	Window window(Time minute, Duration length = late_window, std::optional<Time> looked_until = {}) const;
	// Rows from here on are needed for it: some more than it has, for the counts that wait from one minute to the next.
	static Time needed_from(Time minute);

private:
	struct Minute {
		Time begin;
		int buckets = 0;
		KindCounts counted{};
	};
	std::deque<Minute> minutes_;
	std::array<Postponed, comparison_count> waiting_;
};

// What each comparison rests on.  `folded`: what the fold counted of the same minutes.  Of two kinds or cohorts the one
// of which the larger share came late.  Durations have no bad events; whether they are all there the exposures of those
// who have them tell.  At `full` nothing rests on control, whose stragglers are late by nature.
LateByComparison find_late(const CountedMinutes::Window &window, const KindCounts &folded, const LateLook &look,
						   bool at_full = false);
// What two looks found: the larger share, and the earlier time.
LateByComparison worse_of(const LateByComparison &a, const LateByComparison &b);

} // namespace chat_v11::analysis
