#include "users.hpp"

#include "sampling.hpp"

#include <algorithm>
#include <bit>

namespace traffic {

void
format_uuid(std::uint64_t high, std::uint64_t low, char *text) {
	static constexpr auto pairs = [] {
		std::array<char, 512> all{};
		for (size_t byte = 0; byte < 256; ++byte) {
			all[2 * byte] = "0123456789abcdef"[byte >> 4];
			all[2 * byte + 1] = "0123456789abcdef"[byte & 15];
		}
		return all;
	}();
	high = (high & ~0xf000ULL) | 0x4000;
	low = (low & ~(3ULL << 62)) | (1ULL << 63);
	for (int byte = 0; byte < 16; ++byte) {
		if (byte == 4 || byte == 6 || byte == 8 || byte == 10)
			*text++ = '-';
		const auto bits = byte < 8 ? high >> (56 - 8 * byte) : low >> (120 - 8 * byte);
		*text++ = pairs[2 * (bits & 255)];
		*text++ = pairs[2 * (bits & 255) + 1];
	}
}

std::uint32_t
murmur3(std::string_view bytes) {
	const auto byte = [&](size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
	const auto scramble = [](std::uint32_t k) { return std::rotl(k * 0xcc9e2d51, 15) * 0x1b873593; };
	std::uint32_t h = 0;
	size_t i = 0;
	for (; i + 4 <= bytes.size(); i += 4) {
		h ^= scramble(byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24);
		h = std::rotl(h, 13) * 5 + 0xe6546b64;
	}
	std::uint32_t tail = 0;
	for (size_t left = bytes.size(); left > i; --left)
		tail = tail << 8 | byte(left - 1);
	h ^= scramble(tail);
	h ^= static_cast<std::uint32_t>(bytes.size());
	h = (h ^ (h >> 16)) * 0x85ebca6b;
	h = (h ^ (h >> 13)) * 0xc2b2ae35;
	return h ^ (h >> 16);
}

Users::Users(std::uint64_t seed, std::uint64_t count, std::uint64_t share) : first{} {
	struct User {
		std::uint32_t hash;
		std::array<char, uuid_length> id;
	};
	std::vector<User> users(count);
	for (std::uint64_t i = 0; i < count; ++i) {
		Random random(seed, Stream::user, i);
		auto &user = users[i];
		const auto high = random.next();
		format_uuid(high, random.next(), user.id.data());
		user.hash = murmur3("chat_v11" + std::string(user.id.data(), uuid_length));
	}
	std::sort(users.begin(), users.end(),
			  [](const User &a, const User &b) { return a.hash != b.hash ? a.hash < b.hash : a.id < b.id; });
	ids.reserve(count * uuid_length);
	hashes.reserve(count);
	for (const auto &user : users) {
		ids.append(user.id.data(), uuid_length);
		hashes.push_back(user.hash);
		canary += (static_cast<std::uint64_t>(user.hash) * 10'000) >> 32 < share * 100;
	}
	UserIndex next = 0;
	for (std::uint32_t upper = 0; upper <= 65536; ++upper) {
		while (next < hashes.size() && hashes[next] >> 16 < upper)
			++next;
		first[upper] = next;
	}
}

UserIndex
Users::at(std::uint32_t place) const {
	auto user = first[place >> 16];
	while (user < hashes.size() && hashes[user] < place)
		++user;
	// Above the last hash the last user serves: going round to the first would hand control's places to the canary.
	return std::min(user, static_cast<UserIndex>(hashes.size() - 1));
}

} // namespace traffic
