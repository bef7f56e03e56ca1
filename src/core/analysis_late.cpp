#include "core/analysis_late.hpp"

#include "core/analysis_collect.hpp"

#include <algorithm>
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

Late
worse_of(const Late &a, const Late &b) {
	if (a.all == 0 || b.all == 0)
		return a.all == 0 ? b : a;
	auto worse = share_of(b) > share_of(a) ? b : a;
	if (a.worse_since && b.worse_since)
		worse.worse_since = std::min(a.worse_since, b.worse_since);
	else
		worse.worse_since = a.worse_since ? a.worse_since : b.worse_since;
	return worse;
}

// What buckets count of those who have durations, as the fold does.
Kind
counted_exposure(const ComparisonRule &rule) {
	switch (rule.comparison) {
	case Comparison::slow_receipts: return Kind::write_started;
	case Comparison::slow_recovery: return Kind::session_active;
	default: return rule.exposure;
	}
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
CountedMinutes::window(Time minute, Duration length, std::optional<Time> looked_until) const {
	const auto until = minute - late_after;
	if (looked_until)
		length = std::clamp(until + minute_length - *looked_until, length, late_window);
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

LateByComparison
find_late(const CountedMinutes::Window &window, const KindCounts &folded, const LateLook &look, bool at_full) {
	LateByComparison result{};
	if (window.minutes.empty())
		return result;
	const auto look_at = [&](const ComparisonRule &rule, Kind kind, Cohort cohort, bool looks_worse) {
		const auto row = static_cast<std::size_t>(cohort), column = static_cast<std::size_t>(kind);
		const auto all = folded[row][column];
		Late found{kind, cohort, all - window.counted[row][column], all, std::ssize(window.minutes), {}, late_buckets};
		if (found.late < late_min || share_of(found) <= look.share)
			return;
		// It may have begun within the minute before.
		if (looks_worse && look.much)
			found.worse_since = window.minutes.front() - minute_length;
		auto &worst = result[static_cast<std::size_t>(rule.comparison)];
		worst = worse_of(worst, found);
	};
	for (const auto &rule : comparison_rules())
		for (const auto cohort : {Cohort::v11, Cohort::v10}) {
			const bool is_rate = rule.statistic == Statistic::rate, is_canary = cohort == Cohort::v11;
			if (at_full && !is_canary)
				continue;
			if (is_rate)
				look_at(rule, bad_kind_of(rule.comparison), cohort, !is_canary);
			look_at(rule, counted_exposure(rule), cohort, is_rate && is_canary);
		}
	return result;
}

LateByComparison
worse_of(const LateByComparison &a, const LateByComparison &b) {
	LateByComparison worse;
	for (std::size_t i = 0; i < worse.size(); ++i)
		worse[i] = worse_of(a[i], b[i]);
	return worse;
}

} // namespace chat_v11::analysis
