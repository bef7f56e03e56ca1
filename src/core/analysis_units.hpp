#pragma once

// Which units were seen in a run: each bad one counts once a comparison, each actor once.
//
// A unit is kept as a hash of 8 bytes.  Among a million of them the chance that any two share one is below 1 in 10
// million, and all that it does is that one bad unit is not counted.  What is new in a bucket is stored with it, so the
// memory is the sum of its rows, whoever reads them.
// Costs: 8 bytes a unit in the table, 16 to 32 in the memory of the process that folds.

#include "core/analysis_bucket.hpp"

#include <deque>
#include <string>
#include <vector>

namespace chat_v11::analysis {

// Stable: it is stored.  Different salts give hashes that have nothing to do with each other, nor with the cohort's.
std::uint64_t unit_hash(const Uuid &unit, std::uint64_t salt);

// In 0..63: for the dispersion.
std::uint8_t slice_of(const Uuid &unit);

// Open addressing, at most half full.
class HashSet {
public:
	bool contains(std::uint64_t hash) const;
	// Whether it is new.
	bool insert(std::uint64_t hash);
	std::size_t
	size() const {
		return size_;
	}
	std::size_t
	bytes() const {
		return slots_.size() * sizeof(std::uint64_t);
	}

private:
	std::size_t place_of(std::uint64_t hash) const;
	std::vector<std::uint64_t> slots_; // 0: free
	std::size_t size_ = 0;
};

// The first actors are as good a sample of who is in which cohort as all are.
inline constexpr std::size_t most_actors = 131'072;
// Of either cohort's bad units of a bucket so many are kept, which is all that a storm asks for, and enough of a sample
// to tell whether most were counted before.
inline constexpr std::size_t most_recent_units = 50;

// What one bucket adds; by Comparison.
struct NewUnits {
	std::array<std::vector<std::uint64_t>, comparison_count> bad;
	std::array<std::vector<std::uint64_t>, comparison_count> recent;         // the canary's, new or not
	std::array<std::vector<std::uint64_t>, comparison_count> recent_control; // control's, likewise
	std::vector<std::uint64_t> actors;

	bool empty() const;
};
// Stored form; decode throws CorruptBytes.
std::string encode(const NewUnits &units);
NewUnits decode_units(std::string_view bytes);

class UnitMemory {
public:
	// Takes in what a bucket has stored.  Buckets ascending.
	void add(Time bucket_begin, const NewUnits &units);

	// Opens a bucket that is being closed; what is new in it goes to added().
	void open(Time bucket_begin);
	enum class Seen { first, again, no_room };
	// `limit`: how many units of this comparison there is room for.
	Seen bad_unit(Comparison comparison, std::uint64_t hash, std::size_t limit);
	// Never of 0, which cannot be told apart.
	bool is_known(Comparison comparison, std::uint64_t hash) const;
	void recent_unit(Comparison comparison, Cohort cohort, std::uint64_t hash);
	// Whether the actor was not seen before; never once most_actors are known.
	bool first_seen(std::uint64_t hash);
	// Distinct units among the canary's bad ones of the 300 s that end with the open bucket, at most most_recent_units
	// for sure.
	double recent_units(Comparison comparison) const;
	// Of the same 300 s.
	Repeats repeats(Comparison comparison) const;
	const NewUnits &
	added() const {
		return added_;
	}
	std::size_t bytes() const;
	std::size_t
	count(Comparison comparison) const {
		return bad_[static_cast<std::size_t>(comparison)].size();
	}

private:
	struct Recent {
		Time at{};
		NewUnits units; // without the actors
	};
	using Lists = std::array<std::vector<std::uint64_t>, comparison_count>;
	HashSet distinct(Lists NewUnits::*lists, Comparison comparison) const;
	void forget_before(Time bucket_begin);

	std::array<HashSet, comparison_count> bad_;
	HashSet actors_;
	std::deque<Recent> recent_; // by time
	NewUnits added_;
};

} // namespace chat_v11::analysis
