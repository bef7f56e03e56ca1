#include "core/analysis_ratio.hpp"

#include <algorithm>
#include <numbers>

namespace chat_v11::analysis {

namespace {

constexpr double step = std::numbers::ln2 / 16;
constexpr int neighbours = 8;
constexpr int before = 3; // of them, those before the node below

double
softplus(double t) {
	return std::max(t, 0.0) + std::log1p(std::exp(-std::abs(t)));
}

double
rho_at(int index) {
	return std::exp2((index - RatioSet::outermost) / 16.0);
}

} // namespace

void
RatioSet::make_room(std::int64_t first, std::int64_t last) {
	auto &weights = state_.weights;
	if (weights.empty()) {
		state_.first = first;
		weights.resize(static_cast<std::size_t>(last - first + 1));
		return;
	}
	if (first < state_.first) {
		weights.insert(weights.begin(), static_cast<std::size_t>(state_.first - first), 0.0);
		state_.first = first;
	}
	const auto size_needed = static_cast<std::size_t>(last - state_.first + 1);
	if (weights.size() < size_needed)
		weights.resize(size_needed);
}

void
RatioSet::add(const Counts &counts, double phi) {
	const double both = counts.x + counts.y;
	if (counts.n == 0 || counts.m == 0 || both == 0)
		return;
	const double at = 16 * std::log2(counts.n / counts.m);
	const double below = std::floor(at);
	const double f = at - below;
	const auto first = static_cast<std::int64_t>(below) - before;
	make_room(first, first + neighbours - 1);
	double *const weights = state_.weights.data() + (first - state_.first);
	for (int i = 0; i < neighbours; ++i) {
		double weight = both / phi;
		for (int other = 0; other < neighbours; ++other)
			if (other != i)
				weight *= (f - (other - before)) / (i - other);
		weights[i] += weight;
	}
	state_.x += counts.x / phi;
}

void
RatioSet::add_against(double k, double n, double q, double phi) {
	state_.x += k / phi;
	state_.expected += n * q / phi;
}

std::array<double, RatioSet::size>
RatioSet::log_likelihood() const {
	const auto &weights = state_.weights;
	std::vector<double> table(weights.size() + size);
	for (std::size_t i = 0; i < table.size(); ++i)
		table[i] = softplus(static_cast<double>(state_.first + static_cast<std::int64_t>(i) - outermost) * step);
	std::array<double, size> l{};
	for (int i = 0; i < size; ++i) {
		l[static_cast<std::size_t>(i)] = state_.x * (i - outermost) * step - state_.expected * (rho_at(i) - 1);
		for (std::size_t node = 0; node < weights.size(); ++node)
			l[static_cast<std::size_t>(i)] -= weights[node] * table[node + static_cast<std::size_t>(i)];
	}
	return l;
}

RatioSet::Interval
RatioSet::interval(double alpha) const {
	const auto l = log_likelihood();
	const double mean = logsumexp(l) - std::log(static_cast<double>(size));
	// l is concave in ln(rho), so what is kept has no holes; the largest l is never below the mean, so it is not empty.
	int first = size, last = -1;
	for (int i = 0; i < size; ++i)
		if (mean - l[static_cast<std::size_t>(i)] < -std::log(alpha)) {
			first = std::min(first, i);
			last = i;
		}
	Interval interval;
	if (first > 0)
		interval.low = rho_at(first - 1);
	if (last < size - 1)
		interval.high = rho_at(last + 1);
	return interval;
}

} // namespace chat_v11::analysis
