#pragma once

// Sums of events by minute, cohort and kind, on their way into the buckets, and the ACKs and receipts among them on
// their way to be paired.

#include "core/histogram.hpp"
#include "core/pairing.hpp"

#include <deque>
#include <map>
#include <unordered_map>

namespace chat_v11 {

// Whether windows need percentiles of this kind's values, hence its histogram by second.
constexpr bool
has_percentiles(Kind kind) {
	return kind == Kind::recovery_done;
}

struct ActorAt {
	std::uint8_t second;
	Uuid actor;
	auto operator<=>(const ActorAt &) const = default;
};

struct EventBucket {
	std::int64_t minute = 0;
	Cohort cohort{};
	Kind kind{};
	std::int64_t count = 0;
	double sum = 0; // of the values given
	Time newest = Time::min();
	std::array<std::uint32_t, 60> seconds{};
	Cells detail;                // anonymous stalls, bins by second
	Histogram values;            // of the values given
	std::vector<ActorAt> actors; // who reported stalls: some of them, see add_actor()

	// All of its cells, the counts by second among them.
	Cells cells() const;
};

// A few actors a second are enough to tell whether there are stall_min_actors of them: keeps that many different ones.
void add_actor(std::vector<ActorAt> &actors, const ActorAt &actor);

// Stored form of the actors; decode throws CorruptBytes.
std::string encode(const std::vector<ActorAt> &actors);
std::vector<ActorAt> decode_actors(std::string_view bytes);

class EventSums {
public:
	void add(const RawEvent &event);

	std::int64_t
	events() const {
		return events_;
	}
	const std::deque<EventBucket> &
	buckets() const {
		return buckets_;
	}
	// What was seen of writes since the last call, one for each key, ascending by key; f(key, state).
	template <typename F>
	void
	take_writes(F &&f) {
		sort_items();
		for (size_t i = 0; i < items_.size();) {
			const auto key = items_[i].subject;
			WriteState state;
			for (; i < items_.size() && items_[i].subject == key; ++i)
				add_to(state, items_[i]);
			f(key, state);
		}
		items_.clear();
	}
	size_t
	write_items() const {
		return items_.size();
	}
	void clear_buckets();

private:
	EventBucket &bucket(std::int64_t minute, Cohort cohort, Kind kind);
	void sort_items();
	static void add_to(WriteState &state, const RawEvent &item);

	std::int64_t events_ = 0;
	std::deque<EventBucket> buckets_; // which never moves its elements
	std::unordered_map<std::uint64_t, EventBucket *> by_key_;
	std::array<EventBucket *, cohort_count * kind_count> last_{};
	std::vector<RawEvent> items_;
};

} // namespace chat_v11
