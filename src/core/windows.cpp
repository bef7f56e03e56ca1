#include "core/windows.hpp"

#include <algorithm>
#include <cmath>

namespace chat_v11 {

namespace {

std::int64_t
floor_of(Time at) {
	return write_second(at);
}

// Known to 50 ms, that is to 0.5 % or better, because whoever is counted is mature; and so has waited at least as long
// as that takes, even if the middle of its tenth has not.
double
waited_ms(const SliceFrame &frame, Time now, std::int64_t second, std::uint32_t tenth) {
	const auto acked = second_start(second) + std::chrono::milliseconds(100 * tenth + 50);
	const Duration least = std::chrono::seconds(frame.delay) + Duration(1);
	return std::chrono::duration<double, std::milli>(std::max(least, now - acked)).count();
}

bool
is_open(std::uint32_t which) {
	return which >= field::open && which < field::open + 10;
}

Totals *
totals_at(Slices &slices, Cohort cohort, std::optional<std::size_t> slice) {
	if (!slice)
		return nullptr;
	auto &list = slices[static_cast<size_t>(cohort)];
	if (*slice >= list.size())
		list.resize(*slice + 1);
	return &list[*slice];
}

} // namespace

SliceFrame
frame_of_minutes(Time now, std::int64_t slices, Duration report_grace) {
	SliceFrame frame;
	frame.end = floor_of(now);
	frame.partial = now > second_start(frame.end);
	frame.begin = frame.end - slices * 60;
	frame.delay = judged_after(report_grace).count();
	return frame;
}

SliceFrame
frame_of_span(Time from, Time to, Time now, Duration report_grace) {
	SliceFrame frame;
	frame.begin = floor_of(from);
	frame.end = floor_of(to);
	frame.partial = to == now && now > second_start(frame.end);
	frame.slice_seconds = std::max<std::int64_t>(frame.end - frame.begin, 1);
	frame.delay = judged_after(report_grace).count();
	return frame;
}

std::optional<Time>
newest_within(const SliceFrame &frame, Time newest, std::int64_t minute, Cells &cells, Time now) {
	if (newest <= now)
		return newest;
	std::optional<Time> last;
	for (const auto &cell : cells.all())
		if (cell.field() == field::count && minute * 60 + cell.second() < frame.end)
			last = second_start(minute * 60 + cell.second() + 1);
	return last;
}

void
add_events(Slices &slices, const SliceFrame &frame, std::int64_t minute, Cohort cohort, Kind kind, Cells &cells,
		   const std::vector<ActorAt> &actors) {
	for (const auto &cell : cells.all()) {
		if (cell.field() > field::anonymous)
			continue;
		if (auto *totals = totals_at(slices, cohort, frame.slice_of(minute * 60 + cell.second()))) {
			if (cell.field() == field::count)
				totals->of(kind) += cell.count;
			else
				totals->anonymous_stalls += cell.count;
		}
	}
	for (const auto &actor : actors)
		if (auto *totals = totals_at(slices, cohort, frame.slice_of(minute * 60 + actor.second)))
			totals->stall_actors.emplace(reinterpret_cast<const char *>(actor.actor.data()), actor.actor.size());
}

void
add_writes(Slices &slices, const SliceFrame &frame, std::int64_t minute, Cohort cohort, Cells &cells,
		   SlowFrom slow_from, double slow_limit, Time now) {
	for (const auto &cell : cells.all()) {
		const auto second = minute * 60 + cell.second();
		const auto which = cell.field();
		if (which == field::orphans) {
			if (auto *totals = totals_at(slices, cohort, frame.slice_of(second)))
				totals->orphan_receipts += cell.count;
			continue;
		}
		auto *totals = totals_at(slices, cohort, frame.slice_of_write(second));
		if (!totals)
			continue;
		if (which == field::count) {
			totals->mature += cell.count;
			totals->missing += cell.count;
		} else if (which == field::in_time)
			totals->missing -= cell.count;
		else if (which == field::slow && slow_from == SlowFrom::field)
			totals->slow += cell.count;
		else if (is_open(which) && waited_ms(frame, now, second, which - field::open) > slow_limit)
			totals->slow += cell.count;
		else if (which >= field::first_bin && slow_from == SlowFrom::bins &&
				 bin_exceeds(static_cast<int>(which - field::first_bin), slow_limit))
			totals->slow += cell.count;
	}
}

void
Durations::add_writes(const SliceFrame &frame, std::int64_t minute, Cells &cells, Time now) {
	for (const auto &cell : cells.all()) {
		const auto second = minute * 60 + cell.second();
		const auto which = cell.field();
		if ((which < field::first_bin && !is_open(which)) || !frame.slice_of_write(second))
			continue;
		if (is_open(which))
			waiting_[waited_ms(frame, now, second, which - field::open)] += cell.count;
		else
			bins_.at(which - field::first_bin) += cell.count;
	}
}

void
Durations::add_values(const SliceFrame &frame, std::int64_t minute, Cells &cells) {
	for (const auto &cell : cells.all())
		if (cell.field() >= field::first_bin && frame.slice_of(minute * 60 + cell.second()))
			bins_.at(cell.field() - field::first_bin) += cell.count;
}

std::optional<double>
Durations::p95() {
	auto histogram = histogram_;
	for (int bin = 0; bin < Histogram::bin_count; ++bin)
		if (const auto count = bins_[static_cast<size_t>(bin)])
			histogram.add_bin(bin, count);
	// Waiting times do not become bins: what a bin is off would come on top of what a tenth is off.
	auto counts = waiting_;
	histogram.for_each([&](int bin, std::int64_t n) { counts[Histogram::middle(bin)] += n; });
	std::int64_t total = 0;
	for (const auto &[ms, n] : counts)
		total += n;
	auto left = Histogram::nearest_rank(0.95, total);
	for (const auto &[ms, n] : counts) {
		if (left <= n)
			return ms;
		left -= n;
	}
	return std::nullopt;
}

} // namespace chat_v11
