#include "core/analysis_eprocess.hpp"

#include <algorithm>
#include <numbers>

namespace chat_v11::analysis {

namespace {

constexpr double ln2 = std::numbers::ln2;
const double ln_alternatives = std::log(static_cast<double>(alternative_count));

// log1p takes twice the time of log, and is needed only where 1 + z would lose digits of z.
double
ln_1_plus(double z) {
	return std::abs(z) < 1.0 / 64 ? std::log1p(z) : std::log(1 + z);
}

} // namespace

double
logaddexp(double a, double b) {
	return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

EProcess::EProcess(const EProcessRule &rule) : rule_(rule) {
	const int d = static_cast<int>(rule.direction);
	for (int j = 1; j <= alternative_count; ++j) {
		const auto i = static_cast<std::size_t>(j - 1);
		ln_ratio_[i] = d * j * ln2 / 8;
		excess_[i] = rule.rho0 * (std::exp2(d * j / 8.0) - 1);
	}
	const double first = rule.restarts > 0 ? -ln2 : 0;
	state_.s.fill(first);
	state_.max_ln_e = first;
}

void
EProcess::pass_marks(std::int64_t marks) {
	for (; state_.restarts < rule_.restarts && state_.restarts < marks; ++state_.restarts) {
		const double weight = -std::log(2.0 * rule_.restarts);
		for (double &s : state_.s)
			s = logaddexp(s, weight);
	}
}

void
EProcess::add(const Counts &counts, double phi) {
	if (counts.n == 0 || counts.m == 0)
		return;
	const double both = counts.x + counts.y;
	if (both == 0)
		return;
	// log1p(rho_j*e) - log1p(rho0*e) as one logarithm, which keeps its digits where e is huge or tiny.
	const double e = counts.n / counts.m;
	const double scale = e / (1 + rule_.rho0 * e);
	const double x = counts.x / phi, weight = both / phi;
	for (std::size_t i = 0; i < state_.s.size(); ++i)
		state_.s[i] += x * ln_ratio_[i] - weight * ln_1_plus(excess_[i] * scale);
}

void
EProcess::add_against(double k, double n, double q, double phi) {
	for (std::size_t i = 0; i < state_.s.size(); ++i)
		state_.s[i] += (k * ln_ratio_[i] - n * q * excess_[i]) / phi;
}

void
EProcess::observe() {
	// lnE is a mean of its parts in the logarithm, so it exceeds none that is above them all.
	if (*std::max_element(state_.s.begin(), state_.s.end()) > state_.max_ln_e)
		state_.max_ln_e = std::max(state_.max_ln_e, ln_e());
}

double
EProcess::ln_e() const {
	return logsumexp(state_.s) - ln_alternatives;
}

// lnE is at least s_j - ln 24 for each j, so the alternative that gets there first bounds the number.
std::optional<double>
EProcess::events_needed(double target, double rho, double e, double phi) const {
	if (ln_e() >= target)
		return 0;
	const double share = rho * e / (1 + rho * e); // the chance of a bad event to be the canary's
	std::optional<double> least;
	for (std::size_t i = 0; i < state_.s.size(); ++i) {
		const double gain = (share * ln_ratio_[i] - std::log1p(excess_[i] * e / (1 + rule_.rho0 * e))) /
							phi; // of one event, on average
		if (!(gain > 1e-9))
			continue;
		const double events = std::max(1.0, std::ceil((target + ln_alternatives - state_.s[i]) / gain));
		least = std::min(least.value_or(events), events);
	}
	return least;
}

std::optional<double>
EProcess::exposures_needed(double target, double rate, double q) const {
	if (ln_e() >= target)
		return 0;
	std::optional<double> least;
	for (std::size_t i = 0; i < state_.s.size(); ++i) {
		const double gain = rate * ln_ratio_[i] - q * excess_[i]; // of one exposure, on average
		if (!(gain > 1e-12))
			continue;
		const double exposures = std::max(1.0, std::ceil((target + ln_alternatives - state_.s[i]) / gain));
		least = std::min(least.value_or(exposures), exposures);
	}
	if (!least)
		return std::nullopt;
	// One alternative alone gets there; all of them together sooner, by half near the end.  Each s_j moves on a line,
	// so lnE is convex, and crosses the target once.
	double below = 0, enough = *least;
	while (enough - below > std::max(1.0, 1e-3 * enough)) {
		const double middle = std::floor((below + enough) / 2);
		auto s = state_.s;
		for (std::size_t i = 0; i < s.size(); ++i)
			s[i] += middle * (rate * ln_ratio_[i] - q * excess_[i]);
		(logsumexp(s) - ln_alternatives >= target ? enough : below) = middle;
	}
	return enough;
}

} // namespace chat_v11::analysis
