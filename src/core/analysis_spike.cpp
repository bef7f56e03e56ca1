#include "core/analysis_spike.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

// In buckets: windows end with the newest one, but for the base, which leaves out the last 5 minutes.
constexpr std::int64_t minute_buckets = 6;
constexpr std::int64_t five_minute_buckets = 30;
constexpr std::int64_t base_gap = 30;

std::optional<double>
rate(double bad, double all) {
	return all > 0 ? std::optional(bad / all) : std::nullopt;
}

// Whole numbers, which a double adds and takes away exactly, so that windows never drift.
void
add(SpikeWatch::Slot &sum, const SpikeWatch::Slot &slot, double sign) {
	sum.canary_bad += sign * slot.canary_bad;
	sum.canary += sign * slot.canary;
	sum.control_bad += sign * slot.control_bad;
	sum.control += sign * slot.control;
}

} // namespace

std::string_view
name(SpikeLevel level) {
	constexpr std::string_view names[] = {"none", "spike", "storm", "storm in the canary"};
	return names[static_cast<std::size_t>(level)];
}

std::optional<double>
SpikeWatch::rate_60s() const {
	return rate(state_.minute.canary_bad, state_.minute.canary);
}

std::optional<double>
SpikeWatch::rate_300s() const {
	return rate(state_.five_minutes.canary_bad, state_.five_minutes.canary);
}

SpikeWatch::Slot &
SpikeWatch::at(std::int64_t ago) {
	const auto size = static_cast<std::int64_t>(ring_size);
	return state_.ring[static_cast<std::size_t>(((*state_.newest - ago) % size + size) % size)];
}

const SpikeWatch::Slot &
SpikeWatch::at(std::int64_t ago) const {
	return const_cast<SpikeWatch *>(this)->at(ago);
}

SpikeWatch::Paired
SpikeWatch::paired(std::int64_t buckets) const {
	Paired sum;
	for (std::int64_t ago = std::min(buckets, longest) - 1; ago >= 0 && state_.newest; --ago) {
		const auto &slot = at(ago);
		if (slot.canary <= 0 || slot.control <= 0)
			continue;
		sum.canary_bad += slot.canary_bad;
		sum.canary += slot.canary;
		sum.foreseen += slot.canary * slot.control_bad / slot.control;
	}
	return sum;
}

std::optional<double>
SpikeWatch::control_300s() const {
	const auto sum = paired(five_minute_buckets);
	return rate(sum.foreseen, sum.canary);
}

std::optional<double>
SpikeWatch::base() const {
	const auto control = rate(state_.base.control_bad, state_.base.control);
	if (!control && !alone_)
		return std::nullopt;
	return std::max(control.value_or(0), floor_);
}

void
SpikeWatch::shift(const Slot &slot, double units) {
	++*state_.newest;
	add(state_.base, at(static_cast<std::int64_t>(ring_size)), -1); // it has the new one's place
	add(state_.base, at(base_gap), +1);
	add(state_.minute, at(minute_buckets), -1);
	add(state_.five_minutes, at(five_minute_buckets), -1);
	at(0) = slot;
	add(state_.minute, slot, +1);
	add(state_.five_minutes, slot, +1);
	state_.units = units;
}

void
SpikeWatch::judge(bool is_there) {
	const auto minute = rate_60s(), five_minutes = rate_300s(), usual = base();
	const auto exceeds = [&](double factor, double units) {
		return state_.evidence >= minute_buckets && minute && five_minutes && usual && *minute >= factor * *usual &&
			   *five_minutes >= factor * *usual && state_.units >= units;
	};
	auto level = SpikeLevel::none;
	if (exceeds(storm_factor, storm_min_units)) {
		const auto both = paired(five_minute_buckets);
		level = both.canary_bad >= storm_min_units && both.canary_bad >= storm_over_control * both.foreseen
					? SpikeLevel::storm_in_canary
					: SpikeLevel::storm;
	} else if (exceeds(spike_factor, spike_min_units)) {
		level = SpikeLevel::spike;
	}
	if (level > SpikeLevel::none && state_.level == SpikeLevel::none)
		state_.since = *state_.newest;
	if (level == SpikeLevel::storm_in_canary && state_.level < level)
		state_.own_since = *state_.newest;
	state_.level = std::max(state_.level, level);
	// Where an exposure is a rare thing, five minutes without any and without a bad event are calm too.  A bucket that
	// is missing is not, it is unknown.
	const bool calm =
		five_minutes && usual ? *five_minutes < spike_clear_factor * *usual : state_.five_minutes.canary_bad == 0;
	state_.calm = is_there && calm ? state_.calm + 1 : 0;
	if (state_.calm >= spike_clear_buckets)
		state_.level = SpikeLevel::none;
}

// All buckets before this one are known.
void
SpikeWatch::reach(std::int64_t number) {
	if (!state_.newest) {
		state_.newest = number - 1;
		state_.ring.assign(ring_size, {});
	}
	// Beyond the ring all is empty already.
	if (number - *state_.newest > static_cast<std::int64_t>(ring_size) + 1) {
		state_.ring.assign(ring_size, {});
		state_.minute = state_.five_minutes = state_.base = {};
		state_.calm = state_.evidence = 0;
		state_.newest = number - 1;
	}
	while (*state_.newest < number - 1) {
		shift({}, 0);
		judge(false);
	}
}

void
SpikeWatch::advance(std::int64_t number, const RateBucket &bucket) {
	reach(number);
	shift({bucket.raw.canary, bucket.counts.n, bucket.raw.control, bucket.counts.m}, bucket.raw.canary_units);
	state_.evidence = std::min(state_.evidence + 1, minute_buckets);
	judge(true);
}

void
SpikeWatch::learn(std::int64_t number, const RateBucket &bucket) {
	reach(number);
	for (std::int64_t ago = 0; ago < five_minute_buckets; ++ago)
		at(ago).canary_bad = at(ago).canary = 0;
	for (auto *sum : {&state_.minute, &state_.five_minutes})
		sum->canary_bad = sum->canary = 0;
	state_.level = SpikeLevel::none;
	state_.since = state_.own_since = state_.calm = state_.evidence = 0;
	shift({0, 0, bucket.raw.control, bucket.counts.m}, 0);
}

} // namespace chat_v11::analysis
