#pragma once

// Who writes, and in which cohort.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace traffic {

using UserIndex = std::uint32_t;

inline constexpr size_t uuid_length = 36;

// Writes the text form of a random (version 4) uuid made of these bits.
void format_uuid(std::uint64_t high, std::uint64_t low, char *text);

// The hash by which the rollout sorts users into buckets: MurmurHash3_x86_32 of 'chat_v11' || id with seed 0.  A user
// is in at a percentage when (hash * 10000) >> 32 is below a hundred times it, so the traffic's cohorts are those that
// chat_v11.bucket(id) gives.
std::uint32_t murmur3(std::string_view bytes);

// All users, in the order of their hashes: those in cohort v11 come first, at every share.
class Users {
public:
	Users(std::uint64_t seed, std::uint64_t count, std::uint64_t share);

	size_t
	count() const {
		return hashes.size();
	}
	size_t
	in_v11() const {
		return canary;
	}
	size_t
	in_v10() const {
		return hashes.size() - canary;
	}
	bool
	is_v11(UserIndex user) const {
		return user < canary;
	}
	const char *
	id(UserIndex user) const {
		return ids.data() + user * uuid_length;
	}

	// The user who owns a place of the hash range: the next one at or above it.  Gaps between hashes differ, so some
	// users are a few times as busy as others, yet each cohort has its share of any evenly spread places.
	UserIndex at(std::uint32_t place) const;

private:
	std::string ids;
	std::vector<std::uint32_t> hashes;
	size_t canary = 0;
	std::array<UserIndex, 65537> first; // by the upper half of a hash, where to start looking
};

} // namespace traffic
