#pragma once

// From buckets to windows: sums by slice, whatever second a window begins at.

#include "core/event_sums.hpp"
#include "core/metrics.hpp"

namespace chat_v11 {

// The seconds that a reading covers, cut into slices counted back from its end.  A reading begins and ends with whole
// seconds; one that ends now, in the middle of a second, has that second too.
struct SliceFrame {
	std::int64_t begin = 0;          // first second
	std::int64_t end = 0;            // the second that holds the reading's moment, or begins with it
	bool partial = false;            // the moment lies within that second
	std::int64_t slice_seconds = 60; // how long a slice is
	std::int64_t delay = 0;          // seconds by which writes count later than their ACK

	// Which slice; nothing outside the frame.  Slice 0 holds the newest, the partial second included.
	std::optional<std::size_t>
	slice_of(std::int64_t second) const {
		if (second < begin || !reaches(second))
			return std::nullopt;
		return second == end ? 0 : static_cast<std::size_t>((end - 1 - second) / slice_seconds);
	}
	// Whether the second lies before the reading's moment.
	bool
	reaches(std::int64_t second) const {
		return second < end || (second == end && partial);
	}
	// As slice_of(), for a write by the second of its ACK.
	std::optional<std::size_t>
	slice_of_write(std::int64_t second) const {
		return slice_of(second + delay);
	}
	bool
	holds_minute(std::int64_t minute) const {
		return minute * 60 >= begin && minute * 60 + 59 < end;
	}
	bool
	holds_minute_of_writes(std::int64_t minute) const {
		return minute * 60 + delay >= begin && minute * 60 + 59 + delay < end;
	}
};

// The frame of the `slices` minutes that end at `now`.
SliceFrame frame_of_minutes(Time now, std::int64_t slices, Duration report_grace);

// The frame of (from, to], one slice.  Both ends are taken down to a whole second; `to` is not where it is the moment
// that is `now`.
SliceFrame frame_of_span(Time from, Time to, Time now, Duration report_grace);

// When the newest event of these was, as seen at the end of the frame; a second's end where that lies before the
// newest.
std::optional<Time> newest_within(const SliceFrame &frame, Time newest, std::int64_t minute, Cells &cells, Time now);

// Adds one bucket's cells to the slices that they fall into.
void add_events(Slices &slices, const SliceFrame &frame, std::int64_t minute, Cohort cohort, Kind kind, Cells &cells,
				const std::vector<ActorAt> &actors);

// Where the count of slow writes is to come from: the bucket's own, made with the limit asked for, or its histogram.
enum class SlowFrom { field, bins };
void add_writes(Slices &slices, const SliceFrame &frame, std::int64_t minute, Cohort cohort, Cells &cells,
				SlowFrom slow_from, double slow_limit, Time now);

// Durations over one frame: what percentiles are taken of.
class Durations {
public:
	// Cells of writes: answered ones by their bins, unanswered ones by how long they wait.
	void add_writes(const SliceFrame &frame, std::int64_t minute, Cells &cells, Time now);
	// Cells of events with a value.
	void add_values(const SliceFrame &frame, std::int64_t minute, Cells &cells);
	void
	add(const Histogram &histogram) {
		histogram_ += histogram;
	}
	// Answered writes may be counted twice over and taken back, so bins are summed before they become a histogram.
	std::optional<double> p95();

private:
	Histogram histogram_;
	std::vector<std::int64_t> bins_ = std::vector<std::int64_t>(Histogram::bin_count);
	std::map<double, std::int64_t> waiting_;
};

} // namespace chat_v11
