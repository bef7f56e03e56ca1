#pragma once

// From raw events to the buckets of the canary analysis: which events are exposures, which are bad, whose they are, and
// which ACK belongs to which receipt.

#include "core/analysis_row.hpp"
#include "core/analysis_units.hpp"
#include "core/cohort.hpp"

namespace chat_v11::analysis {

// Repeated ACKs are known as such for so long before a bucket; events may be stored this much later than they happened
// before a bucket's begin, and still be looked at for its sake.
inline constexpr Duration look_back = std::chrono::seconds(60);
inline constexpr Duration ack_look_back = std::chrono::seconds(30);
// Memory that the events of one reading may take.
inline constexpr std::size_t collect_bytes = 64u << 20;

// Of either cohort's actors of a bucket so many are compared with their hash, which costs a microsecond each.
inline constexpr std::size_t most_placed = 1000;

// What a bucket is finished with.
struct Finish {
	bool counts = false;                              // evidence, see Run::counts()
	std::array<bool, comparison_count> passed_over{}; // many events come late, see core/analysis_late.hpp
	bool canary_too = true;  // false while killed: what stragglers of the canary do is no evidence
	unsigned percent = 0;    // of the stage, and ...
	Bucketing bucketing{};   // ... how ids are hashed: for actors in the wrong cohort
	std::size_t max_units{}; // of a comparison
	std::array<std::optional<double>, comparison_count> tau{};          // that slices are counted with
	std::uint8_t no_room = 0;                                           // as the run's last row had it
	const std::array<Postponed, comparison_count> *postponed = nullptr; // of the row before, where it counts alike
};

// What the bad events of a rate are.
Kind bad_kind_of(Comparison comparison);

class Collector {
public:
	// Buckets from `first` on.
	Collector(Time first, std::size_t buckets, std::size_t budget = collect_bytes);

	// In any order.
	void add(const RawEvent &event);
	// More events than there is memory for: nothing that was collected can be used.
	bool
	over_budget() const {
		return used_ > budget_;
	}
	// After the last event.
	void pair();
	// No event of any kind in the 30 s up to the bucket's end: the telemetry stood still, which is another thing than a
	// quiet time.
	bool is_silent(std::size_t bucket) const;
	// Buckets ascending.
	BucketRow finish(std::size_t bucket, const Finish &finish, UnitMemory &units);

private:
	struct Item { // an ACK or a receipt
		Uuid subject;
		Time at;
		double value;
		Kind kind;
		Cohort cohort;
		bool has_value;
		std::uint8_t slice;
	};
	struct Duration64 { // one duration: which slice, which bin
		std::uint8_t slice;
		std::uint16_t bin;
	};
	struct BadUnit {
		std::uint64_t hash; // 0: cannot be told apart
		Cohort cohort;
	};
	struct Actor {
		Uuid uuid;
		Cohort cohort;
	};
	struct Open {
		std::array<std::array<std::int64_t, kind_count>, cohort_count> count{};
		std::array<std::vector<BadUnit>, comparison_count> bad;
		std::array<std::array<std::vector<Duration64>, cohort_count>, comparison_count> durations;
		std::vector<Actor> actors;
		Time newest = Time::min();
	};
	std::optional<std::size_t> bucket_of_event(Time at) const;
	template <typename T>
	void
	keep(std::vector<T> &list, T item) {
		used_ += sizeof item;
		if (!over_budget())
			list.push_back(std::move(item));
	}
	LatencyBucket latency(const Open &open, const Finish &finish, Comparison comparison) const;
	static bool is_compared(const Open &open, Comparison comparison, const Counts &exposures, const Finish &finish,
							const UnitMemory &units);
	static void count_actors(const Open &open, const Finish &finish, UnitMemory &units, Bucket &bucket);

	Time first_;
	std::vector<Open> buckets_;
	std::size_t budget_;
	std::size_t used_ = 0;
	std::vector<Item> items_;
	Time newest_before_ = Time::min(); // of those before the first bucket
};

} // namespace chat_v11::analysis
