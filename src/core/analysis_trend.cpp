#include "core/analysis_trend.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

constexpr auto windows_an_hour = hour_buckets / trend_window_buckets;

bool
enough(std::int64_t points, int hour) {
	return points >= trend_enough_windows || points * 2 >= hour * windows_an_hour;
}

// Var S = [N(N-1)(2N+5) - sum over ties of t(t-1)(2t+5)] / 18
double
variance_of_s(std::vector<double> values) {
	const auto part = [](double t) { return t * (t - 1) * (2 * t + 5); };
	std::sort(values.begin(), values.end());
	double sum = part(static_cast<double>(values.size()));
	for (auto at = values.begin(); at != values.end();) {
		const auto end = std::upper_bound(at, values.end(), *at);
		sum -= part(static_cast<double>(end - at));
		at = end;
	}
	return sum / 18;
}

double
median(std::vector<double> values) {
	const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
	std::nth_element(values.begin(), middle, values.end());
	if (values.size() % 2)
		return *middle;
	return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

double
lag_1_correlation(const std::vector<double> &values) {
	double sum = 0, largest = 0;
	for (const double value : values) {
		sum += value;
		largest = std::max(largest, std::abs(value));
	}
	const double mean = sum / static_cast<double>(values.size());
	double own = 0, neighbours = 0;
	for (std::size_t i = 0; i < values.size(); ++i) {
		own += (values[i] - mean) * (values[i] - mean);
		if (i)
			neighbours += (values[i] - mean) * (values[i - 1] - mean);
	}
	// On a straight line there is nothing left but rounding, whose neighbours resemble each other by chance.
	const double rounding = 1e-12 * largest;
	return own > rounding * rounding * static_cast<double>(values.size()) ? neighbours / own : 0;
}

} // namespace

Trend
trend_of(std::span<const TrendPoint> points) {
	Trend trend;
	trend.n = static_cast<std::int64_t>(points.size());
	if (trend.n < 2)
		return trend;
	std::vector<double> values, slopes;
	for (std::size_t j = 0; j < points.size(); ++j) {
		values.push_back(points[j].r);
		for (std::size_t i = 0; i < j; ++i) {
			const double rise = points[j].r - points[i].r;
			trend.s += (rise > 0) - (rise < 0);
			slopes.push_back(rise / static_cast<double>(points[j].window - points[i].window));
		}
	}
	trend.variance = variance_of_s(values);
	if (trend.variance > 0 && trend.s != 0)
		trend.z = (trend.s - (trend.s > 0 ? 1 : -1)) / std::sqrt(trend.variance);
	trend.slope = median(std::move(slopes));
	for (std::size_t i = 0; i < values.size(); ++i)
		values[i] -= trend.slope * static_cast<double>(points[i].window);
	trend.r1 = lag_1_correlation(values);
	// The estimate is too low in short series, by about (1 + 4*r1)/N.
	trend.r1_used = std::clamp(trend.r1 + (1 + 4 * trend.r1) / static_cast<double>(trend.n), 0.0, 0.9);
	trend.z_used = trend.z / std::sqrt((1 + trend.r1_used) / (1 - trend.r1_used));
	return trend;
}

void
TrendWatch::close_window() {
	if (std::min(state_.canary.total(), state_.control.total()) >= trend_min_durations) {
		const double canary = Histogram::middle(*state_.canary.p95_bin());
		const double control = Histogram::middle(*state_.control.p95_bin());
		// Bin 0 stands for 0, which has no logarithm.
		if (canary > 0 && control > 0)
			state_.points.push_back({state_.window, std::log(canary / control)});
	}
	state_.canary.clear();
	state_.control.clear();
}

void
TrendWatch::look(int hour) {
	const auto points = static_cast<std::int64_t>(state_.points.size());
	state_.last = Look{hour, {}};
	state_.last->trend.n = points;
	if (!enough(points, hour))
		return;
	++state_.looks;
	state_.last->trend = trend_of(state_.points);
	if (!state_.risen && state_.last->trend.rises())
		state_.risen = state_.last;
}

void
TrendWatch::reach(std::int64_t number) {
	const auto window = number / trend_window_buckets;
	if (!state_.first) {
		state_.first = state_.window = window;
		return;
	}
	// After the last look nothing is judged any more.
	if (state_.window >= window || state_.looks >= trend_most_looks)
		return;
	close_window();
	// A hole may have several hours' ends; there is nothing new to be seen at any but the first of them.
	const auto hours = [&](std::int64_t end) { return (end - *state_.first) / windows_an_hour; };
	const auto before = hours(state_.window), now = hours(window);
	state_.window = window;
	if (now > before && now >= trend_first_hour)
		look(static_cast<int>(now));
}

void
TrendWatch::advance(std::int64_t number, const LatencyBucket &bucket) {
	reach(number);
	if (state_.looks < trend_most_looks) {
		state_.canary.add(bucket.canary);
		state_.control.add(bucket.control);
	}
	// The window's last bucket closes it; none has to follow.
	reach(number + 1);
}

bool
TrendWatch::known() const {
	return state_.last && enough(state_.last->trend.n, state_.last->hour);
}

} // namespace chat_v11::analysis
