#include "core/analysis_late.hpp"

#include "core/analysis_collect.hpp"

#include <utility>

namespace chat_v11::analysis {

namespace {

constexpr auto minute_length = std::chrono::minutes(1);
constexpr auto canary = static_cast<std::size_t>(Cohort::v11);
constexpr auto control = static_cast<std::size_t>(Cohort::v10);

std::int64_t
whole(double count) {
	return static_cast<std::int64_t>(count);
}

double
share_of(const Late &late) {
	return static_cast<double>(late.late) / static_cast<double>(late.all);
}

} // namespace

void
CountedMinutes::add(const BucketRow &row) {
	const Time minute = std::chrono::floor<std::chrono::minutes>(row.bucket.begin);
	const auto before = std::exchange(waiting_, row.postponed);
	if (!row.counts)
		waiting_ = {}; // what is no evidence hands nothing on to what is
	if (!row.counts || row.too_many)
		return;
	while (!minutes_.empty() && minutes_.front().begin < needed_from(minute))
		minutes_.pop_front();
	if (minutes_.empty() || minutes_.back().begin != minute)
		minutes_.push_back({minute});
	KindCounts here{};
	for (const auto &rule : comparison_rules()) {
		if (rule.statistic != Statistic::rate)
			continue;
		// Counts that wait for another bucket happened in this one.  So two comparisons with the same exposure agree.
		const auto i = static_cast<std::size_t>(rule.comparison);
		const auto counted = [&](auto of) {
			return whole(of(row.bucket.rates[i]) + of(row.postponed[i].sums) - of(before[i].sums));
		};
		const auto bad = static_cast<std::size_t>(bad_kind_of(rule.comparison));
		const auto exposure = static_cast<std::size_t>(rule.exposure);
		here[canary][bad] = counted([](const RateBucket &rates) { return rates.raw.canary; });
		here[control][bad] = counted([](const RateBucket &rates) { return rates.raw.control; });
		here[canary][exposure] = counted([](const RateBucket &rates) { return rates.counts.n; });
		here[control][exposure] = counted([](const RateBucket &rates) { return rates.counts.m; });
	}
	auto &into = minutes_.back();
	++into.buckets;
	for (std::size_t cohort = 0; cohort < cohort_count; ++cohort)
		for (std::size_t kind = 0; kind < kind_count; ++kind)
			into.counted[cohort][kind] += here[cohort][kind];
}

CountedMinutes::Window
CountedMinutes::window(Time minute, Duration length) const {
	const auto until = minute - late_after;
	Window window;
	for (const auto &each : minutes_) {
		if (each.buckets != minute_length / bucket_length || each.begin > until || each.begin <= until - length)
			continue;
		window.minutes.push_back(each.begin);
		for (std::size_t cohort = 0; cohort < cohort_count; ++cohort)
			for (std::size_t kind = 0; kind < kind_count; ++kind)
				window.counted[cohort][kind] += each.counted[cohort][kind];
	}
	return window;
}

Time
CountedMinutes::needed_from(Time minute) {
	return minute - late_after - late_window;
}

std::optional<Late>
find_late(const CountedMinutes::Window &window, const KindCounts &folded, double share, bool at_full) {
	std::optional<Late> worst;
	if (window.minutes.empty())
		return worst;
	const auto look = [&](Kind kind, Cohort cohort) {
		const auto row = static_cast<std::size_t>(cohort), column = static_cast<std::size_t>(kind);
		const auto all = folded[row][column];
		const Late found{kind,
						 cohort,
						 all - window.counted[row][column],
						 all,
						 std::ssize(window.minutes),
						 window.minutes.front() - minute_length,
						 late_buckets};
		if (found.late >= late_min && share_of(found) > share && (!worst || share_of(found) > share_of(*worst)))
			worst = found;
	};
	for (const auto &rule : comparison_rules()) {
		if (rule.statistic != Statistic::rate)
			continue;
		for (const auto kind : {bad_kind_of(rule.comparison), rule.exposure})
			for (const auto cohort : {Cohort::v11, Cohort::v10})
				if (!at_full || cohort == Cohort::v11)
					look(kind, cohort);
	}
	return worst;
}

std::optional<Late>
worse_of(const std::optional<Late> &a, const std::optional<Late> &b) {
	if (!a || !b)
		return a ? a : b;
	auto worse = share_of(*b) > share_of(*a) ? *b : *a;
	worse.since = std::min(a->since, b->since);
	return worse;
}

} // namespace chat_v11::analysis
