// Ids of any bytes.  The first byte says by which algorithm, the second where the id is cut into pieces, and the rest
// is the id.  Pieces must hash like the whole, as another way to write the same hash has it; whoever is in at a
// percentage is in at every higher one, and which is the lowest follows from the bucket.

#include "target.hpp"

#include "core/cohort.hpp"

#include <cstdlib>
#include <cstring>

namespace chat_v11::fuzz {

namespace {

// In or out at 50 %: accepted or refused.
Tally by_algorithm[bucketing_names.size()] = {{"cohort: flagd-v2"}, {"cohort: unleash"}, {"cohort: fnv1a"}};

void
require(bool condition) {
	if (!condition)
		std::abort();
}

// MurmurHash3 of the whole at once, its tail as a block with zeros behind it.
std::uint32_t
plain_murmur3(std::string_view bytes, std::uint32_t hash) {
	const auto rotate = [](std::uint32_t x, int by) { return x << by | x >> (32 - by); };
	for (size_t at = 0; at < bytes.size(); at += 4) {
		std::uint32_t block = 0;
		for (size_t i = 0; i < 4 && at + i < bytes.size(); ++i)
			block += std::uint32_t{static_cast<std::uint8_t>(bytes[at + i])} << (8 * i);
		hash ^= rotate(block * 0xCC9E2D51u, 15) * 0x1B873593u;
		if (bytes.size() - at >= 4)
			hash = rotate(hash, 13) * 5 + 0xE6546B64u;
	}
	hash ^= static_cast<std::uint32_t>(bytes.size());
	hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
	hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
	return hash ^ hash >> 16;
}

void
compare_pieces(std::string_view id, size_t piece) {
	const auto seed = static_cast<std::uint32_t>(piece * 0x9E3779B9u);
	Murmur3 murmur3(seed);
	std::uint32_t fnv1a = fnv1a32("");
	for (size_t at = 0; at < id.size(); at += piece) {
		murmur3.feed(id.substr(at, piece));
		fnv1a = fnv1a32(id.substr(at, piece), fnv1a);
	}
	require(murmur3.finish() == plain_murmur3(id, seed));
	require(fnv1a == fnv1a32(id));
}

// The lowest percentage at which the id is in.
unsigned
expected_first(Bucketing bucketing, const std::string &id) {
	switch (bucketing) {
	case Bucketing::flagd_v2:
		require(flagd_bucket(id) == std::uint64_t{plain_murmur3("chat_v11" + id, 0)} * 10'000 / 0x100000000u);
		require(flagd_bucket(id) < 10'000);
		return flagd_bucket(id) / 100 + 1;
	case Bucketing::unleash:
		require(unleash_number(id) == plain_murmur3("chat_v11:" + id, 0) % 100 + 1);
		return unleash_number(id);
	case Bucketing::fnv1a: require(fnv1a_bucket(id) == fnv1a32("chat-v11:" + id) % 100); return fnv1a_bucket(id) + 1;
	}
	std::abort();
}

void
compare_key(std::string_view id) {
	const auto key = targeting_key(id);
	require(key.size() >= id.size() && key.size() <= 3 * id.size());
	require(targeting_key(key) == key);
	for (size_t i = 0, at = 0; i < id.size(); ++i) {
		const auto byte = static_cast<unsigned char>(id[i]);
		require((byte < 0x80) == (key.at(at) == id[i]));
		if (byte >= 0x80)
			require(std::stoul(key.substr(at + 1, 2), nullptr, 16) == byte);
		at += byte < 0x80 ? 1 : 3;
	}
}

} // namespace

const std::span<Tally> tallies = by_algorithm;

std::string
seed(std::mt19937_64 &random) {
	std::string input;
	input += static_cast<char>(random());
	input += static_cast<char>(random());
	const auto length = random() % (random() % 16 == 0 ? 300 : 24);
	const bool any_byte = random() % 2;
	for (std::uint64_t i = 0; i < length; ++i)
		input += static_cast<char>(any_byte ? random() : ' ' + random() % 95);
	return input;
}

} // namespace chat_v11::fuzz

extern "C" int
LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	using namespace chat_v11;
	if (size < 2)
		return 0;
	const auto algorithm = data[0] % bucketing_names.size();
	const auto bucketing = static_cast<Bucketing>(algorithm);
	const std::string id(reinterpret_cast<const char *>(data) + 2, size - 2);

	fuzz::compare_pieces(id, 1 + data[1] % 32);
	fuzz::compare_key(id);
	const auto first = fuzz::expected_first(bucketing, id);
	fuzz::require(first >= 1 && first <= 100);
	for (unsigned percent = 0; percent <= 100; ++percent)
		fuzz::require(in_cohort(bucketing, percent, id) == (percent >= first && !id.empty()));
	auto &tally = fuzz::tallies[algorithm];
	++(in_cohort(bucketing, 50, id) ? tally.accepted : tally.refused);
	return 0;
}
