// The two hashes behind the cohort beside values that others have published.

#include "core/cohort.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(hashes)

using namespace std::string_literals;

namespace {

std::uint32_t
murmur3(std::string_view bytes, std::uint32_t seed = 0) {
	return Murmur3(seed).feed(bytes).finish();
}

} // namespace

struct HashCase {
	std::string bytes;
	std::uint32_t seed;
	std::uint32_t hash;
};

std::ostream &
operator<<(std::ostream &out, const HashCase &c) {
	return out << '"' << targeting_key(c.bytes) << "\", seed " << c.seed;
}

// Published by several implementers: Ian Boyd's vectors, and the examples of Wikipedia's article.
const std::vector<HashCase> murmur3_cases = {
	{"", 0, 0},
	{"", 1, 0x514E28B7},
	{"", 0xFFFFFFFF, 0x81F16F39},
	{"\xFF\xFF\xFF\xFF", 0, 0x76293B50},
	{"\x21\x43\x65\x87", 0, 0xF55B516B},
	{"\x21\x43\x65\x87", 0x5082EDEE, 0x2362F9DE},
	{"\x21\x43\x65", 0, 0x7E4A8634},
	{"\x21\x43", 0, 0xA0F7B07A},
	{"\x21", 0, 0x72661CF4},
	{"\0\0\0\0"s, 0, 0x2362F9DE},
	{"\0\0\0"s, 0, 0x85F0B427},
	{"\0\0"s, 0, 0x30F4C306},
	{"\0"s, 0, 0x514E28B7},
	{"a", 0x9747B28C, 0x7FA09EA6},
	{"aa", 0x9747B28C, 0x5D211726},
	{"aaa", 0x9747B28C, 0x283E0130},
	{"aaaa", 0x9747B28C, 0x5A97808A},
	{"ab", 0x9747B28C, 0x74875592},
	{"abc", 0x9747B28C, 0xC84A62DD},
	{"abcd", 0x9747B28C, 0xF0478627},
	{"abc", 0, 0xB3DD93FA},
	{"test", 0, 0xBA6BD213},
	{"test", 0x9747B28C, 0x704B81DC},
	{"hello", 0, 0x248BFA47},
	{"hello, world", 0, 0x149BBB7F},
	{"Hello, world!", 0, 0xC0363E43},
	{"Hello, world!", 0x9747B28C, 0x24884CBA},
	{"The quick brown fox jumps over the lazy dog", 0, 0x2E4FF723},
	{"The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 0, 0xEE925B90},
	{"ππππππππ", 0x9747B28C, 0xD58063C1},
	{std::string(256, 'a'), 0x9747B28C, 0x37405BDC},
};

BOOST_DATA_TEST_CASE(murmur3_is_as_published, bdata::make(murmur3_cases), c) {
	BOOST_TEST(murmur3(c.bytes, c.seed) == c.hash);
}

// SMHasher's own check of an implementation: keys 0, 1, 2 ... of each length up to 255, each with another seed.
BOOST_AUTO_TEST_CASE(murmur3_has_the_verification_value_of_smhasher) {
	std::string key;
	std::string hashes;
	for (unsigned length = 0; length < 256; ++length) {
		const auto hash = murmur3(key, 256 - length);
		for (int shift = 0; shift < 32; shift += 8)
			hashes += static_cast<char>(hash >> shift);
		key += static_cast<char>(length);
	}
	BOOST_TEST(murmur3(hashes) == 0xB0F57EE3);
}

struct TailCase {
	size_t length;
	std::array<std::uint32_t, 3> hashes;
};

std::ostream &
operator<<(std::ostream &out, const TailCase &c) {
	return out << c.length << " bytes";
}

constexpr std::array<std::uint32_t, 3> tail_seeds = {0, 1, 0x9747B28C};

// The bytes FF, FE, FD ..., all of which are negative as char; by another implementation, in Python.
const std::vector<TailCase> tail_cases = {
	{0, {0x00000000, 0x514E28B7, 0xEBB6C228}},  {1, {0xFD6CF10D, 0xD07CCF5C, 0x6B1DFAD6}},
	{2, {0x96C86850, 0x45E23593, 0x0870C360}},  {3, {0xD2BEF2DC, 0x5447ABA8, 0x3831DB5A}},
	{4, {0xF4127E6F, 0x977AED18, 0x1543AE6B}},  {5, {0x2ABF9CBB, 0xF6FE5A0E, 0xA64651EF}},
	{6, {0x519F29AB, 0xDF876A7F, 0x356150EC}},  {7, {0x611E6BB0, 0xF63266BA, 0x411D3F28}},
	{8, {0xF1682AF1, 0x75DECDD5, 0xDA18A910}},  {9, {0xEAFF85FE, 0x7FFA3E2F, 0x705049DB}},
	{10, {0xF71FDE4D, 0xC670901F, 0x966850F9}}, {11, {0xFAE67FAD, 0xDF7FE4C8, 0x03F0E3FE}},
	{12, {0x9D507372, 0x226811B5, 0xB6048379}}, {13, {0xCE58397E, 0xDB2F24D4, 0xAF3A4111}},
	{14, {0x43FC17EC, 0xA6689003, 0x7578B84B}}, {15, {0xDC6B2354, 0x6C98C649, 0xE2B6475E}},
	{16, {0xC101EC09, 0x3E9FB6F6, 0x7A11BD20}}, {17, {0x0F464757, 0xEC13A020, 0x9F9D78AE}},
};

BOOST_DATA_TEST_CASE(bytes_from_0x80_are_not_signed_in_blocks_and_tails, bdata::make(tail_cases), c) {
	std::string bytes;
	while (bytes.size() < c.length)
		bytes += static_cast<char>(0xFF - bytes.size());
	for (size_t i = 0; i < tail_seeds.size(); ++i)
		BOOST_TEST(murmur3(bytes, tail_seeds[i]) == c.hashes[i]);
}

BOOST_AUTO_TEST_CASE(pieces_hash_like_the_whole) {
	std::string bytes;
	for (size_t length = 0; length <= 24; ++length) {
		const auto whole = murmur3(bytes, 7);
		const std::string_view all = bytes;
		for (size_t first = 0; first <= length; ++first)
			for (size_t second = first; second <= length; ++second) {
				auto hash = Murmur3(7).feed(all.substr(0, first));
				hash.feed(all.substr(first, second - first)).feed(all.substr(second));
				BOOST_REQUIRE_EQUAL(hash.finish(), whole);
			}
		auto by_byte = Murmur3(7);
		for (const char each : bytes)
			by_byte.feed({&each, 1});
		BOOST_REQUIRE_EQUAL(by_byte.finish(), whole);
		bytes += static_cast<char>(0x9E * (length + 1));
	}
}

// From test_fnv.c by Landon Curt Noll.
const std::vector<HashCase> fnv1a_cases = {
	{"", 0, 0x811C9DC5},
	{"a", 0, 0xE40C292C},
	{"b", 0, 0xE70C2DE5},
	{"f", 0, 0xE30C2799},
	{"fo", 0, 0x6222E842},
	{"foo", 0, 0xA9F37ED7},
	{"foob", 0, 0x3F5076EF},
	{"fooba", 0, 0x39AAA18A},
	{"foobar", 0, 0xBF9CF968},
	{"chongo was here!\n", 0, 0xD49930D5},
	{"127.0.0.1", 0, 0x08A3D11E},
	{"\0"s, 0, 0x050C5D1F},
	{"\xFF\0\0\x01"s, 0, 0xC48FB86D},
};

BOOST_DATA_TEST_CASE(fnv1a_is_as_published, bdata::make(fnv1a_cases), c) {
	BOOST_TEST(fnv1a32(c.bytes) == c.hash);
	const std::string_view bytes = c.bytes;
	for (size_t first = 0; first <= bytes.size(); ++first)
		BOOST_TEST(fnv1a32(bytes.substr(first), fnv1a32(bytes.substr(0, first))) == c.hash);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
