#include "core/analysis_collect.hpp"

#include "core/pairing.hpp"

#include <algorithm>

namespace chat_v11::analysis {

namespace {

constexpr auto canary = static_cast<std::size_t>(Cohort::v11);
constexpr auto control = static_cast<std::size_t>(Cohort::v10);
constexpr auto receipts = static_cast<std::size_t>(Comparison::slow_receipts);
constexpr auto recoveries = static_cast<std::size_t>(Comparison::slow_recovery);

// What the bad events of a comparison are; the exposures are those of its rule.
constexpr std::optional<Comparison>
bad_in(Kind kind) {
	switch (kind) {
	case Kind::write_rejected: return Comparison::write_rejects;
	case Kind::forced_resync: return Comparison::forced_resync;
	case Kind::full_state: return Comparison::full_state;
	case Kind::resync_range_unavailable: return Comparison::range_unavailable;
	case Kind::resync_throttled: return Comparison::throttled;
	default: return std::nullopt;
	}
}

// Refused requests for a resync repeat for their stream, all else for their actor.
bool
goes_by_subject(Comparison comparison) {
	return comparison == Comparison::range_unavailable || comparison == Comparison::throttled;
}

// Whoever does what both protocols do the same way; a request for a resync depends on which one it is.
constexpr bool
shows_actor(Kind kind) {
	return kind == Kind::write_started || kind == Kind::write_ack || kind == Kind::session_active;
}

// One unit in both cohorts is two: else what control saw first would hide the canary's.
std::uint64_t
salt_of(Comparison comparison, Cohort cohort) {
	return 2 * static_cast<std::uint64_t>(comparison) + static_cast<std::uint64_t>(cohort);
}

constexpr std::uint64_t actor_salt = 2 * comparison_count;

} // namespace

Collector::Collector(Time first, std::size_t buckets, std::size_t budget)
	: first_(first), buckets_(buckets), budget_(budget) {}

std::optional<std::size_t>
Collector::bucket_of_event(Time at) const {
	if (at < first_)
		return std::nullopt;
	const auto number = static_cast<std::size_t>((at - first_) / bucket_length);
	return number < buckets_.size() ? std::optional(number) : std::nullopt;
}

void
Collector::add(const RawEvent &event) {
	const auto end = first_ + static_cast<std::int64_t>(buckets_.size()) * bucket_length;
	if (event.at < first_)
		newest_before_ = std::max(newest_before_, event.at);
	const bool is_ack = event.kind == Kind::write_ack;
	if (event.has_subject &&
		((is_ack && event.at >= first_ - ack_look_back && event.at < end) ||
		 (event.kind == Kind::write_receipt && event.at >= first_ - ack_look_back && event.at <= end + receipt_limit)))
		keep(items_, Item{event.subject, event.at, event.value, event.kind, event.cohort, event.has_value,
						  slice_of(event.has_actor ? event.actor : event.subject)});
	const auto number = bucket_of_event(event.at);
	if (!number)
		return;
	auto &bucket = buckets_[*number];
	const auto cohort = static_cast<std::size_t>(event.cohort);
	bucket.newest = std::max(bucket.newest, event.at);
	++bucket.count[cohort][static_cast<std::size_t>(event.kind)];
	if (const auto comparison = bad_in(event.kind)) {
		const bool by_subject = goes_by_subject(*comparison) ? event.has_subject || !event.has_actor : !event.has_actor;
		const auto &unit = by_subject ? event.subject : event.actor;
		const bool known = event.has_actor || event.has_subject;
		keep(bucket.bad[static_cast<std::size_t>(*comparison)],
			 BadUnit{known ? unit_hash(unit, salt_of(*comparison, event.cohort)) : 0, event.cohort});
	}
	if (event.kind == Kind::recovery_done && event.has_value)
		keep(bucket.durations[recoveries][cohort],
			 Duration64{slice_of(event.has_actor ? event.actor : event.subject),
						static_cast<std::uint16_t>(Histogram::bin_of(event.value))});
	if (event.has_actor && shows_actor(event.kind))
		keep(bucket.actors, Actor{event.actor, event.cohort});
}

void
Collector::pair() {
	std::sort(items_.begin(), items_.end(), [](const Item &a, const Item &b) {
		return a.subject != b.subject ? a.subject < b.subject : a.at < b.at;
	});
	for (std::size_t i = 0; i < items_.size();) {
		WriteState write;
		std::uint8_t slice = 0;
		const auto &key = items_[i].subject;
		std::size_t next = i;
		for (; next < items_.size() && items_[next].subject == key; ++next) {
			const auto &item = items_[next];
			if (item.kind == Kind::write_receipt) {
				write.add(Receipt{item.at, item.has_value ? std::optional(item.value) : std::nullopt, item.cohort});
				continue;
			}
			const Ack ack{item.at, item.cohort, std::nullopt};
			if (!write.ack || ack.before(*write.ack))
				slice = item.slice;
			write.add(ack);
		}
		i = next;
		const auto number = write.ack ? bucket_of_event(write.ack->at) : std::nullopt;
		if (!number)
			continue;
		// How long one takes that was not answered in time nobody knows yet, nor does it matter.
		const int bin = write.in_time() ? Histogram::bin_of(write.duration_ms()) : Histogram::bin_count - 1;
		keep(buckets_[*number].durations[receipts][static_cast<std::size_t>(write.ack->cohort)],
			 Duration64{slice, static_cast<std::uint16_t>(bin)});
	}
	items_.clear();
	items_.shrink_to_fit();
}

bool
Collector::is_silent(std::size_t bucket) const {
	const auto end = first_ + static_cast<std::int64_t>(bucket + 1) * bucket_length;
	Time newest = newest_before_;
	for (std::size_t i = 0; i <= bucket; ++i)
		newest = std::max(newest, buckets_[i].newest);
	return newest < end - telemetry_max_age;
}

LatencyBucket
Collector::latency(const Open &open, const Finish &finish, Comparison comparison) const {
	const auto index = static_cast<std::size_t>(comparison);
	LatencyBucket result;
	if (finish.canary_too)
		for (const auto &each : open.durations[index][canary])
			result.canary.add_bin(each.bin, 1);
	for (const auto &each : open.durations[index][control])
		result.control.add_bin(each.bin, 1);
	const auto tau = finish.tau[index];
	if (!tau)
		return result;
	result.slices_tau = *tau;
	result.slices.resize(slice_count);
	const int bin = Histogram::bin_of(*tau);
	for (const auto &each : open.durations[index][control]) {
		auto &slice = result.slices[each.slice];
		++slice.n;
		slice.k += each.bin > bin ? 1 : 0;
	}
	return result;
}

void
Collector::count_actors(const Open &open, const Finish &finish, UnitMemory &units, Bucket &bucket) {
	std::array<HashSet, cohort_count> active;
	for (const auto &actor : open.actors) {
		const auto cohort = static_cast<std::size_t>(actor.cohort);
		const auto hash = unit_hash(actor.uuid, actor_salt);
		bucket.first_seen[cohort] += units.first_seen(hash) ? 1 : 0;
		if (active[cohort].size() >= most_placed || !active[cohort].insert(hash))
			continue;
		const auto text = to_text(actor.uuid);
		const bool belongs = in_cohort(finish.bucketing, finish.percent, {text.data(), text.size()});
		bucket.active[cohort] += 1;
		bucket.misplaced[cohort] += belongs != (actor.cohort == Cohort::v11) ? 1 : 0;
	}
}

// Whether the test will look at this bucket's counts, now or with the next one that has exposures.  One cohort alone is
// no evidence; would its units be taken for counted all the same, they were missing when the other cohort's telemetry
// is back, and that one would look worse.  Without exposures a unit makes a bucket wait only if it counts.
bool
Collector::is_compared(const Open &open, Comparison comparison, const Counts &exposures, const Finish &finish,
					   const UnitMemory &units) {
	if (finish.percent >= 100)
		return true;
	const auto &bad = open.bad[static_cast<std::size_t>(comparison)];
	const auto has = [&](Cohort cohort, double count) {
		return count > 0 || std::any_of(bad.begin(), bad.end(), [&](const auto &unit) {
				   return unit.cohort == cohort && !units.is_known(comparison, unit.hash);
			   });
	};
	return has(Cohort::v11, exposures.n) && has(Cohort::v10, exposures.m);
}

BucketRow
Collector::finish(std::size_t number, const Finish &finish, UnitMemory &units) {
	auto &open = buckets_[number];
	BucketRow row;
	row.bucket.begin = first_ + static_cast<std::int64_t>(number) * bucket_length;
	row.counts = finish.counts;
	row.no_room = finish.no_room;
	units.open(row.bucket.begin);
	for (const auto &rule : comparison_rules()) {
		const auto i = static_cast<std::size_t>(rule.comparison);
		if (rule.statistic == Statistic::latency) {
			row.bucket.latencies[i] = latency(open, finish, rule.comparison);
			continue;
		}
		auto &rates = row.bucket.rates[i];
		const auto exposure = static_cast<std::size_t>(rule.exposure);
		const auto bad = static_cast<std::size_t>(bad_kind_of(rule.comparison));
		rates.counts.n = finish.canary_too ? static_cast<double>(open.count[canary][exposure]) : 0;
		rates.counts.m = static_cast<double>(open.count[control][exposure]);
		rates.raw.canary = finish.canary_too ? static_cast<double>(open.count[canary][bad]) : 0;
		rates.raw.control = static_cast<double>(open.count[control][bad]);
		bool no_room = finish.no_room >> i & 1;
		const auto *before = finish.postponed ? &(*finish.postponed)[i] : nullptr;
		const bool counts =
			finish.counts && !finish.passed_over[i] &&
			(is_compared(open, rule.comparison, rates.counts, finish, units) || (before && before->buckets > 0));
		double x = 0, y = 0;
		for (const auto &unit : open.bad[i]) {
			const bool of_canary = unit.cohort == Cohort::v11;
			if (unit.hash != 0 && (of_canary ? finish.canary_too : finish.counts))
				units.recent_unit(rule.comparison, unit.cohort, unit.hash);
			if (!counts)
				continue;
			const auto seen =
				unit.hash == 0 ? UnitMemory::Seen::first : units.bad_unit(rule.comparison, unit.hash, finish.max_units);
			no_room = no_room || seen == UnitMemory::Seen::no_room;
			(of_canary ? x : y) += seen == UnitMemory::Seen::first ? 1 : 0;
		}
		rates.repeats = units.repeats(rule.comparison);
		rates.raw.canary_units = rates.repeats.canary;
		// Without bad events a bucket is no evidence, for or against.
		if (no_room)
			row.no_room = static_cast<std::uint8_t>(row.no_room | 1u << i);
		else
			rates.counts.x = x, rates.counts.y = y;
		postpone(before ? *before : Postponed{}, rates, row.postponed[i], finish.passed_over[i]);
	}
	if (finish.counts)
		count_actors(open, finish, units, row.bucket);
	const auto newest = open.newest; // which tells of silence in the buckets to come
	open = {};
	open.newest = newest;
	return row;
}

Kind
bad_kind_of(Comparison comparison) {
	for (std::size_t kind = 0; kind < kind_count; ++kind)
		if (bad_in(static_cast<Kind>(kind)) == comparison)
			return static_cast<Kind>(kind);
	return Kind::write_rejected; // of latencies, which have none
}

} // namespace chat_v11::analysis
