#pragma once

// Who gets v1.1: the hash of a user's id, and what share of all hashes a stage lets in.
//
// Ids are bytes of UTF-8, taken as they are: nothing is trimmed, folded or normalised.  Nothing here allocates, but
// for targeting_key().

#include "core/stage.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chat_v11 {

// How an id is hashed; frozen at the first start, because a change would move users in and out.
enum class Bucketing : std::uint8_t {
	flagd_v2, // OpenFeature flagd, `fractional` version 2
	unleash,  // Unleash, strategy flexibleRollout
	fnv1a,    // the chat's present web client
};
inline constexpr std::array<std::string_view, 3> bucketing_names = {"flagd-v2", "unleash", "fnv1a"};

constexpr std::string_view
name(Bucketing bucketing) {
	return bucketing_names[static_cast<size_t>(bucketing)];
}

// Exact, lower case; nothing for any other text.
constexpr std::optional<Bucketing>
parse_bucketing(std::string_view text) {
	for (size_t i = 0; i < bucketing_names.size(); ++i)
		if (bucketing_names[i] == text)
			return static_cast<Bucketing>(i);
	return std::nullopt;
}

// The name under which flag systems know the release.  It is part of what is hashed.
inline constexpr std::string_view flag_key = "chat_v11";

// MurmurHash3 x86_32 by Austin Appleby, fed piece by piece; blocks are read as little-endian whatever the machine.
class Murmur3 {
public:
	constexpr explicit Murmur3(std::uint32_t seed = 0) : hash_(seed) {}

	constexpr Murmur3 &
	feed(std::string_view bytes) {
		const char *at = bytes.data();
		size_t left = bytes.size();
		length_ += static_cast<std::uint32_t>(left);
		if (pending_count_ == 0)
			for (; left >= 4; at += 4, left -= 4)
				mix(load(at));
		else
			for (; left >= 4; at += 4, left -= 4) {
				const std::uint32_t word = load(at);
				mix(pending_ | word << (8 * pending_count_));
				pending_ = word >> (8 * (4 - pending_count_));
			}
		for (; left > 0; ++at, --left) {
			pending_ |= byte(at) << (8 * pending_count_);
			if (++pending_count_ == 4) {
				mix(pending_);
				pending_ = 0;
				pending_count_ = 0;
			}
		}
		return *this;
	}

	constexpr std::uint32_t
	finish() const {
		std::uint32_t h = hash_;
		if (pending_count_ > 0)
			h ^= scramble(pending_);
		h ^= length_;
		h ^= h >> 16;
		h *= 0x85EBCA6Bu;
		h ^= h >> 13;
		h *= 0xC2B2AE35u;
		h ^= h >> 16;
		return h;
	}

private:
	static constexpr std::uint32_t
	byte(const char *at) {
		return static_cast<unsigned char>(*at);
	}
	static constexpr std::uint32_t
	load(const char *at) {
		return byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
	}
	static constexpr std::uint32_t
	rotate(std::uint32_t x, int by) {
		return x << by | x >> (32 - by);
	}
	static constexpr std::uint32_t
	scramble(std::uint32_t k) {
		return rotate(k * 0xCC9E2D51u, 15) * 0x1B873593u;
	}
	constexpr void
	mix(std::uint32_t k) {
		hash_ = rotate(hash_ ^ scramble(k), 13) * 5 + 0xE6546B64u;
	}

	std::uint32_t hash_;
	std::uint32_t length_ = 0;
	std::uint32_t pending_ = 0; // the bytes of a block that is not whole yet
	unsigned pending_count_ = 0;
};

// FNV-1a of 32 bits by Fowler, Noll and Vo; `hash` goes on from an earlier piece.
constexpr std::uint32_t
fnv1a32(std::string_view bytes, std::uint32_t hash = 0x811C9DC5u) {
	for (const char each : bytes)
		hash = (hash ^ static_cast<unsigned char>(each)) * 0x01000193u;
	return hash;
}

// 0..9999: flagd's `fractional` in its shorthand form, which hashes the flag's key and the targeting key in one.
constexpr std::uint32_t
flagd_bucket(std::string_view id) {
	constexpr Murmur3 begun = Murmur3().feed(flag_key);
	const std::uint64_t hash = Murmur3(begun).feed(id).finish();
	return static_cast<std::uint32_t>(hash * 10'000 >> 32);
}

// 1..100: Unleash's normalized value of a stickiness in the group chat_v11.
constexpr std::uint32_t
unleash_number(std::string_view id) {
	constexpr Murmur3 begun = Murmur3().feed("chat_v11:");
	return Murmur3(begun).feed(id).finish() % 100 + 1;
}

// 0..99.
constexpr std::uint32_t
fnv1a_bucket(std::string_view id) {
	constexpr std::uint32_t begun = fnv1a32("chat-v11:");
	return fnv1a32(id, begun) % 100;
}

// Whether a release that `percent` (0..100) of all users have has this one.  Who is in at a percentage is in at every
// higher one.  Nobody has an empty id.
constexpr bool
in_cohort(Bucketing bucketing, unsigned percent, std::string_view id) {
	if (id.empty())
		return false;
	switch (bucketing) {
	case Bucketing::flagd_v2: return flagd_bucket(id) < percent * 100;
	case Bucketing::unleash: return unleash_number(id) <= percent;
	case Bucketing::fnv1a: return fnv1a_bucket(id) < percent;
	}
	return false;
}

// What the cohort follows from.  As it is here, nobody is in.
struct Release {
	Stage stage = Stage::canary_1;
	bool kill_switch = true;
	std::int64_t version = 0;
	Bucketing bucketing = Bucketing::flagd_v2;
	bool started = false; // anybody was ever live: the algorithm is frozen

	constexpr unsigned
	percent() const {
		return kill_switch ? 0 : percent_of(stage);
	}
	constexpr bool
	has(std::string_view id) const {
		return in_cohort(bucketing, percent(), id);
	}
};

// How many of some ids each stage lets in.
class ShareCount {
public:
	struct Share {
		std::int64_t ids = 0; // empty ones, which are nobody's, left out
		std::int64_t in_cohort = 0;
		std::optional<double> measured;        // 0..1; nothing without ids
		double target = 0;                     // 0..1
		std::optional<double> standard_errors; // (measured - target) / sqrt(target (1 - target) / ids); not at `full`
	};

	explicit ShareCount(Bucketing bucketing) : bucketing_(bucketing) {}
	void add(std::string_view id);
	Share at(Stage stage) const;

private:
	Bucketing bucketing_;
	std::int64_t ids_ = 0;
	std::array<std::int64_t, all_stages.size()> in_{};
};

// The id with each byte from 0x80 as %XX, upper case; ASCII as it is, `%` too.  Hashes that read UTF-16 units, as
// several JavaScript clients' do, agree with the database on such a key.
std::string targeting_key(std::string_view id);

} // namespace chat_v11
