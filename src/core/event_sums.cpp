#include "core/event_sums.hpp"

#include "core/gates.hpp"
#include "core/varint.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

std::uint64_t
key_of(std::int64_t minute, size_t slot) {
	return static_cast<std::uint64_t>(minute) * 64 + slot;
}

} // namespace

Cells
EventBucket::cells() const {
	Cells cells = detail;
	for (std::uint32_t second = 0; second < seconds.size(); ++second)
		if (seconds[second])
			cells.add(second, field::count, seconds[second]);
	return cells;
}

void
add_actor(std::vector<ActorAt> &actors, const ActorAt &actor) {
	std::int64_t known = 0;
	for (const auto &other : actors)
		if (other.second == actor.second) {
			if (other.actor == actor.actor)
				return;
			++known;
		}
	if (known < stall_min_actors)
		actors.push_back(actor);
}

std::string
encode(const std::vector<ActorAt> &actors) {
	ByteWriter out;
	for (const auto &actor : actors) {
		out.byte(actor.second);
		out.raw(actor.actor.data(), actor.actor.size());
	}
	return out.take();
}

std::vector<ActorAt>
decode_actors(std::string_view bytes) {
	std::vector<ActorAt> actors;
	ByteReader in(bytes);
	while (!in.done()) {
		auto &actor = actors.emplace_back();
		actor.second = in.byte();
		if (actor.second >= 60)
			throw CorruptBytes("a stall's second is none");
		const auto raw = in.raw(actor.actor.size());
		std::copy(raw.begin(), raw.end(), reinterpret_cast<char *>(actor.actor.data()));
	}
	return actors;
}

EventBucket &
EventSums::bucket(std::int64_t minute, Cohort cohort, Kind kind) {
	const auto slot = static_cast<size_t>(kind) * cohort_count + static_cast<size_t>(cohort);
	auto *&last = last_[slot];
	if (last && last->minute == minute)
		return *last;
	auto &known = by_key_[key_of(minute, slot)];
	if (!known) {
		known = &buckets_.emplace_back();
		known->minute = minute;
		known->cohort = cohort;
		known->kind = kind;
	}
	last = known;
	return *last;
}

void
EventSums::add(const RawEvent &event) {
	++events_;
	const auto second = event_second(event.at);
	const auto minute = minute_of(second);
	const auto within = static_cast<std::uint32_t>(second - minute * 60);
	auto &sums = bucket(minute, event.cohort, event.kind);
	++sums.count;
	++sums.seconds[within];
	sums.newest = std::max(sums.newest, event.at);
	if (event.has_value) {
		sums.sum += event.value;
		sums.values.add(event.value);
		if (has_percentiles(event.kind))
			sums.detail.add(within, field::first_bin + static_cast<std::uint32_t>(Histogram::bin_of(event.value)), 1);
	}
	if (event.kind == Kind::send_stall) {
		if (event.has_actor)
			add_actor(sums.actors, {static_cast<std::uint8_t>(within), event.actor});
		else
			sums.detail.add(within, field::anonymous, 1);
	}
	if ((event.kind == Kind::write_ack || event.kind == Kind::write_receipt) && event.has_subject)
		items_.push_back(event);
}

void
EventSums::sort_items() {
	std::sort(items_.begin(), items_.end(), [](const RawEvent &a, const RawEvent &b) { return a.subject < b.subject; });
}

void
EventSums::add_to(WriteState &state, const RawEvent &item) {
	if (item.kind == Kind::write_ack)
		state.add(Ack{item.at, item.cohort, item.has_actor ? std::optional(item.actor) : std::nullopt});
	else
		state.add(Receipt{item.at, item.has_value ? std::optional(item.value) : std::nullopt, item.cohort});
}

void
EventSums::clear_buckets() {
	buckets_.clear();
	by_key_.clear();
	last_.fill(nullptr);
}

} // namespace chat_v11
