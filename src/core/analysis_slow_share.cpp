#include "core/analysis_slow_share.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

// Products of edges and factors are off by a few units in the last place.
constexpr double rounding = 1e-12;

std::int64_t
period_of(std::int64_t number) {
	return number >= 0 ? number / mark_buckets : -((-number - 1) / mark_buckets) - 1;
}

std::span<const double>
edges() {
	return histogram_layout::upper_edges;
}

} // namespace

std::optional<double>
edge_at_least(std::span<const double> edges, double value) {
	const auto found = std::lower_bound(edges.begin(), edges.end(), value * (1 - rounding));
	return found == edges.end() ? std::nullopt : std::optional(*found);
}

std::optional<double>
edge_at_most(std::span<const double> edges, double value) {
	const auto found = std::upper_bound(edges.begin(), edges.end(), value * (1 + rounding));
	return found == edges.begin() ? std::nullopt : std::optional(*(found - 1));
}

Thresholds
thresholds_at(std::span<const double> edges, double tau, const StageRule &rule) {
	return {tau, edge_at_least(edges, rule.d_fail * tau), edge_at_least(edges, rule.d_severe * tau),
			rule.d_pass ? edge_at_most(edges, *rule.d_pass * tau) : std::nullopt};
}

void
SlowShare::freeze(double tau, double phi) {
	frozen_ = true;
	state_.thresholds = thresholds_at(edges(), tau, rule_);
	state_.phi = phi;
}

// The end of a period: what the next one is judged by.
void
SlowShare::mark() {
	// An estimate that cannot be made leaves the last one in force, and the next period is added: with little traffic
	// it takes several of them.
	const auto phi = so_far(state_.slices).enough() ? dispersion_bound(state_.slices) : std::nullopt;
	if (phi) {
		state_.phi = phi;
		state_.slices.clear();
	}
	std::rotate(state_.past.begin(), state_.past.end() - 1, state_.past.end());
	state_.past.front() = std::move(state_.current);
	state_.current.clear();
	BinSums all;
	for (const auto &period : state_.past)
		all.add(period);
	const auto bin = all.p95_bin();
	state_.thresholds = bin ? std::optional(thresholds_at(edges(), Histogram::upper(*bin), rule_)) : std::nullopt;
}

void
SlowShare::enter(std::int64_t period) {
	if (!frozen_ && state_.period) {
		// After a long gap the past is empty, however many periods it had.
		const auto passed = std::min<std::int64_t>(period - *state_.period, periods + 1);
		for (std::int64_t i = 0; i < passed; ++i)
			mark();
	}
	state_.period = period;
}

// One pass over either histogram: with the logarithms, this is most of what a bucket costs.
std::optional<SlowCounts>
SlowShare::advance(std::int64_t number, const LatencyBucket &bucket) {
	enter(period_of(number));
	// Bins above an edge hold exactly the values above it.
	const auto last_within = [](std::optional<double> edge) {
		return edge ? Histogram::bin_of(*edge) : Histogram::bin_count;
	};
	const auto &thresholds = state_.thresholds;
	const int tau = thresholds ? last_within(thresholds->tau) : Histogram::bin_count;
	const auto control_above =
		frozen_ ? bucket.control.exceeding(thresholds->tau) : state_.current.add(bucket.control, tau);
	if (!frozen_ && thresholds && bucket.slices_tau == thresholds->tau && bucket.slices.size() == slice_count) {
		state_.slices.resize(slice_count);
		for (std::size_t i = 0; i < slice_count; ++i) {
			state_.slices[i].n += bucket.slices[i].n;
			state_.slices[i].k += bucket.slices[i].k;
		}
	}
	if (!thresholds || !state_.phi)
		return std::nullopt;

	const int fail = last_within(thresholds->fail), severe = last_within(thresholds->severe),
			  pass = last_within(thresholds->pass);
	std::int64_t above_fail = 0, above_severe = 0, above_pass = 0;
	bucket.canary.for_each([&](int bin, std::int64_t n) {
		above_fail += bin > fail ? n : 0;
		above_severe += bin > severe ? n : 0;
		above_pass += bin > pass ? n : 0;
	});
	Counts counts;
	counts.n = static_cast<double>(bucket.canary.count());
	counts.m = static_cast<double>(bucket.control.count());
	counts.y = static_cast<double>(control_above);
	const auto with = [&](std::optional<double> edge, std::int64_t above) {
		counts.x = static_cast<double>(above);
		return edge ? std::optional(counts) : std::nullopt;
	};
	return SlowCounts{with(thresholds->fail, above_fail), with(thresholds->severe, above_severe),
					  with(thresholds->pass, above_pass), *state_.phi};
}

std::optional<double>
SlowShare::tau(std::int64_t number) const {
	auto then = *this;
	then.enter(period_of(number));
	return then.state_.thresholds ? std::optional(then.state_.thresholds->tau) : std::nullopt;
}

} // namespace chat_v11::analysis
