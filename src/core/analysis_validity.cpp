#include "core/analysis_validity.hpp"

#include "core/analysis_format.hpp"

#include <algorithm>
#include <bit>
#include <numbers>

namespace chat_v11::analysis {

namespace {

// lgamma(z) less its main part (z-1/2)*ln z - z + ln(2 pi)/2: Stirling's series where it is exact to the last digit.
double
stirling_rest(double z) {
	static const double half_ln_2pi = std::log(2 * std::numbers::pi) / 2;
	if (z < 16)
		return std::lgamma(z) - ((z - 0.5) * std::log(z) - z + half_ln_2pi);
	const double inverse = 1 / z, square = inverse * inverse;
	return inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square * (1.0 / 1680 - square / 1188))));
}

// (1+u)*ln(1+u) - u, for u > -1 and also -1.
double
divergence_part(double u) {
	return u <= -1 ? 1 : (1 + u) * std::log1p(u) - u;
}

} // namespace

// The main parts of the lgammas are as large as N ln N and cancel; so they are cancelled by hand.  What remains is
// (k+N) times the divergence of the estimated shares from t, halves of logarithms, and rests of Stirling's series.
double
ln_sample_ratio_factor(double canary, double control, double p, double k) {
	const double total = k + canary + control;
	double result = stirling_rest(k) - stirling_rest(total) + std::log(total / k) / 2;
	const auto part = [&](double share, double count) {
		const double prior = k * share;
		const double off = (count - (canary + control) * share) / (total * share);
		result += total * share * divergence_part(off);
		result -= std::log1p(count / prior) / 2;
		result += stirling_rest(prior + count) - stirling_rest(prior);
	};
	part(p, canary);
	part(1 - p, control);
	return result;
}

std::string
Placed::fault() const {
	const auto text = [](double misplaced, double of, const char *whose) {
		return format_count(misplaced) + " of " + format_count(of) + whose +
			   " actors of the last 5 min are not in the cohort that their id's hash gives";
	};
	const double misplaced = canary_misplaced + control_misplaced;
	if (misplaced >= misplaced_min && misplaced > misplaced_share * (canary + control))
		return text(misplaced, canary + control, "");
	if (canary_misplaced >= misplaced_min && canary_misplaced > misplaced_canary_share * canary)
		return text(canary_misplaced, canary, " of the canary's");
	return "";
}

bool
SampleRatio::place(std::int64_t number, const Placed &bucket) {
	const auto add = [&](const Placed &one, double sign) {
		state_.placed.canary += sign * one.canary;
		state_.placed.canary_misplaced += sign * one.canary_misplaced;
		state_.placed.control += sign * one.control;
		state_.placed.control_misplaced += sign * one.control_misplaced;
	};
	const auto step = state_.newest ? number - *state_.newest : recent_buckets;
	for (auto i = std::max(number - step, number - recent_buckets) + 1; i <= number; ++i) {
		auto &slot = state_.recent[static_cast<std::size_t>((i % recent_buckets + recent_buckets) % recent_buckets)];
		add(slot, -1);
		slot = i == number ? bucket : Placed{};
		add(slot, +1);
	}
	state_.newest = number;
	return !p_ || (bucket.fault().empty() && state_.placed.fault().empty());
}

void
SampleRatio::add(double canary, double control) {
	state_.canary += canary;
	state_.control += control;
	if (p_ && canary + control > 0)
		state_.max_ln_factor =
			std::max(state_.max_ln_factor, ln_sample_ratio_factor(state_.canary, state_.control, *p_));
}

double
SampleRatio::actors_needed() const {
	return p_ ? std::ceil(share_min_expected / std::min(*p_, 1 - *p_)) : 0;
}

std::string
SampleRatio::fault() const {
	if (!p_)
		return "";
	const double canary = state_.canary, control = state_.control, max_ln_factor = state_.max_ln_factor;
	const double actors = canary + control;
	auto seen = format_count(canary) + " of " + format_count(actors) + " actors are in the canary, its share is " +
				format_percent(*p_);
	if (auto labels = state_.placed.fault(); !labels.empty())
		return labels;
	if (max_ln_factor >= ln_sample_ratio)
		return seen + ": by chance with " + odds_text(max_ln_factor);
	const double odds = *p_ / (1 - *p_);
	if (enough() && (canary > share_factor * odds * control || share_factor * canary < odds * control))
		return seen;
	return "";
}

bool
Continuity::accept(std::int64_t number, bool aligned) {
	if (!aligned || (state_.newest && number <= *state_.newest)) {
		state_.disorder = state_.newest.value_or(number);
		return false;
	}
	if (!state_.newest) {
		state_.newest = number;
		return true;
	}
	const auto step = number - *state_.newest;
	if (step >= 32) {
		state_.bad = ~1U;
	} else {
		state_.bad <<= step;
		for (std::int64_t i = 1; i < step; ++i)
			state_.bad |= 1U << i;
	}
	state_.newest = number;
	return true;
}

void
Continuity::spoil() {
	state_.bad |= 1;
}

std::string
Continuity::fault(std::int64_t expected) const {
	if (!state_.newest)
		return "no bucket has come yet";
	if (expected < *state_.newest)
		return "the clock stands before the newest bucket";
	const auto since = expected - *state_.newest;
	if (state_.disorder && expected - *state_.disorder < recent_buckets)
		return "a bucket came twice, late or at an odd moment";
	std::int64_t missing = std::min<std::int64_t>(since, recent_buckets);
	if (since < recent_buckets)
		missing += std::popcount(state_.bad & ((std::uint64_t{1} << (recent_buckets - since)) - 1));
	if (missing == 0)
		return "";
	return std::to_string(missing) + " of the last " + std::to_string(recent_buckets) +
		   " buckets are missing or cannot be believed";
}

std::string
staleness(std::optional<Time> newest_event, Time now) {
	if (!newest_event)
		return "no telemetry was seen";
	const auto age = now - *newest_event;
	if (age > telemetry_max_age)
		return "the newest telemetry is " + format_duration(age) + " old, at most " +
			   format_duration(telemetry_max_age) + " counts";
	if (age < -telemetry_max_age)
		return "the newest telemetry is " + format_duration(-age) + " ahead of the clock";
	return "";
}

} // namespace chat_v11::analysis
