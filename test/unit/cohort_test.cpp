// Who is in the cohort: buckets, who is in at which stage, shares, targeting keys.

#include "core/cohort.hpp"

#include "fixture.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <random>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(cohort)

using namespace std::string_literals;

constexpr std::array all_bucketings = {Bucketing::flagd_v2, Bucketing::unleash, Bucketing::fnv1a};

std::uint32_t
murmur3(std::string_view bytes) {
	return Murmur3().feed(bytes).finish();
}

// ---- Buckets, beside test/vectors/bucketing.json, which SQL reads too -----------------------------------------------

const nlohmann::json &
vectors() {
	static const auto read = [] {
		std::ifstream file(CHAT_V11_VECTORS);
		BOOST_REQUIRE_MESSAGE(file, "cannot open " CHAT_V11_VECTORS);
		return nlohmann::json::parse(file);
	}();
	return read;
}

BOOST_AUTO_TEST_CASE(buckets_are_those_of_the_vectors) {
	BOOST_TEST(vectors().at("rows").size() >= 23);
	for (const auto &row : vectors().at("rows")) {
		const auto id = row.at("id").get<std::string>();
		BOOST_TEST_CONTEXT("id " << id) {
			const auto hex = row.at("murmur3_hex").get<std::string>();
			BOOST_TEST(murmur3("chat_v11" + id) == std::stoul(hex, nullptr, 16));
			BOOST_TEST(flagd_bucket(id) == row.at("flagd_v2_bucket").get<unsigned>());
			BOOST_TEST(unleash_number(id) == row.at("unleash_1_100").get<unsigned>());
			BOOST_TEST(fnv1a_bucket(id) == row.at("fnv1a_bucket").get<unsigned>());
		}
	}
	BOOST_TEST(vectors().at("fnv1a_rows").size() >= 7);
	for (const auto &row : vectors().at("fnv1a_rows")) {
		const auto id = row.at("id").get<std::string>();
		BOOST_TEST_CONTEXT("id " << id) {
			BOOST_TEST(fnv1a32("chat-v11:" + id) == row.at("fnv1a32").get<std::uint32_t>());
			BOOST_TEST(fnv1a_bucket(id) == row.at("fnv1a_bucket").get<unsigned>());
		}
	}
}

BOOST_AUTO_TEST_CASE(who_is_in_at_each_percentage_follows_from_the_vectors) {
	for (const auto &row : vectors().at("rows")) {
		const auto id = row.at("id").get<std::string>();
		for (unsigned percent = 0; percent <= 100; ++percent)
			BOOST_TEST_CONTEXT("id " << id << " at " << percent << " %") {
				BOOST_REQUIRE_EQUAL(in_cohort(Bucketing::flagd_v2, percent, id),
									row.at("flagd_v2_bucket").get<unsigned>() < percent * 100);
				BOOST_REQUIRE_EQUAL(in_cohort(Bucketing::unleash, percent, id),
									row.at("unleash_1_100").get<unsigned>() <= percent);
				BOOST_REQUIRE_EQUAL(in_cohort(Bucketing::fnv1a, percent, id),
									row.at("fnv1a_bucket").get<unsigned>() < percent);
			}
	}
}

// Unleash publishes the normalized values of two stickinesses in groups of their own, 1 to 100.
BOOST_AUTO_TEST_CASE(unleash_separates_group_and_id_by_a_colon) {
	BOOST_TEST(murmur3("gr1:123") % 100 + 1 == 73);
	BOOST_TEST(murmur3("groupX:999") % 100 + 1 == 25);
	BOOST_TEST(unleash_number("123") == murmur3("chat_v11:123") % 100 + 1);
}

// Each changes the bucket: an id is bytes, and nothing is done to them.
BOOST_DATA_TEST_CASE(ids_are_not_trimmed_folded_or_normalized,
					 bdata::make({"alice ", " alice", "Alice", "ALICE", "alice\n", "alice\t", "аlice"}), id) {
	BOOST_TEST(flagd_bucket(id) != flagd_bucket("alice"));
	BOOST_TEST(fnv1a32(id) != fnv1a32("alice"));
}

BOOST_AUTO_TEST_CASE(names_of_algorithms) {
	const std::vector<std::string_view> names = {"flagd-v2", "unleash", "fnv1a"};
	BOOST_REQUIRE(names.size() == bucketing_names.size());
	for (size_t i = 0; i < names.size(); ++i) {
		BOOST_TEST(name(all_bucketings[i]) == names[i]);
		BOOST_CHECK(parse_bucketing(names[i]) == all_bucketings[i]);
	}
	for (const auto *other : {"", "flagd", "flagd-v1", "Unleash", "fnv1a ", "fnv1", "flagd_v2"})
		BOOST_CHECK(!parse_bucketing(other));
}

// ---- The release ----------------------------------------------------------------------------------------------------

// Of shapes that ids have: numbers in sequence, random UUIDs, mail addresses, random bytes of many lengths.
std::vector<std::string>
many_ids(size_t count) {
	std::mt19937_64 random(20260301);
	std::vector<std::string> ids;
	const auto hex = [&](int digits) {
		std::string text;
		for (; digits > 0; --digits)
			text += "0123456789abcdef"[random() % 16];
		return text;
	};
	while (ids.size() < count) {
		ids.push_back(std::to_string(ids.size()));
		ids.push_back(hex(8) + '-' + hex(4) + "-4" + hex(3) + "-8" + hex(3) + '-' + hex(12));
		ids.push_back("user" + std::to_string(ids.size()) + "@example.com");
		std::string bytes(1 + random() % 20, '\0');
		for (auto &each : bytes)
			each = static_cast<char>(random());
		// A byte or two alone would come again and again.
		ids.push_back(bytes + hex(8));
	}
	return ids;
}

BOOST_DATA_TEST_CASE(nobody_is_in_at_0_and_everybody_with_an_id_at_100, bdata::make(all_bucketings), bucketing) {
	for (const auto &id : many_ids(20'000)) {
		BOOST_REQUIRE(!in_cohort(bucketing, 0, id));
		BOOST_REQUIRE(in_cohort(bucketing, 100, id));
	}
	for (unsigned percent = 0; percent <= 100; ++percent)
		BOOST_TEST(!in_cohort(bucketing, percent, ""));
	// Which is no empty one.
	BOOST_TEST(in_cohort(bucketing, 100, std::string_view("\0", 1)));
	BOOST_TEST(in_cohort(bucketing, 100, " "));
}

BOOST_DATA_TEST_CASE(who_is_in_stays_in_at_every_higher_percentage, bdata::make(all_bucketings), bucketing) {
	for (const auto &id : many_ids(20'000)) {
		unsigned first = 1;
		while (!in_cohort(bucketing, first, id))
			++first;
		for (unsigned percent = first; percent <= 100; ++percent)
			BOOST_REQUIRE(in_cohort(bucketing, percent, id));
	}
}

BOOST_DATA_TEST_CASE(shares_are_within_four_standard_errors, bdata::make(all_bucketings), bucketing) {
	const auto ids = many_ids(400'000);
	ShareCount of_all(bucketing);
	std::array<ShareCount, 4> by_shape = {ShareCount(bucketing), ShareCount(bucketing), ShareCount(bucketing),
										  ShareCount(bucketing)};
	for (size_t i = 0; i < ids.size(); ++i) {
		of_all.add(ids[i]);
		by_shape[i % 4].add(ids[i]);
	}
	for (const auto stage : {Stage::canary_1, Stage::canary_10, Stage::canary_50}) {
		BOOST_TEST(std::abs(*of_all.at(stage).standard_errors) <= 4);
		for (size_t shape = 0; shape < by_shape.size(); ++shape)
			BOOST_TEST(std::abs(*by_shape[shape].at(stage).standard_errors) <= 4, name(stage) << ", shape " << shape);
	}
}

BOOST_AUTO_TEST_CASE(a_release_has_whom_its_stage_lets_in_and_nobody_when_killed) {
	BOOST_TEST(!Release{}.has("user-4317"));
	BOOST_TEST(Release{}.percent() == 0);
	struct Expected {
		Stage stage;
		const char *last_in;   // in by the last bucket of the stage
		const char *first_out; // out by the next one
	};
	for (const auto &[stage, last_in, first_out] :
		 {Expected{Stage::canary_1, "user-75", "user-18518"}, Expected{Stage::canary_10, "user-1364", "user-612"},
		  Expected{Stage::canary_50, "user-11278", "user-7072"}, Expected{Stage::full, "user-5716", ""}})
		BOOST_TEST_CONTEXT(stage) {
			const Release live{stage, false, 7, Bucketing::flagd_v2};
			BOOST_TEST(live.percent() == percent_of(stage));
			BOOST_TEST(live.has("user-4317"));
			BOOST_TEST(live.has(last_in));
			BOOST_TEST(!live.has(first_out));
			BOOST_TEST(!live.has(""));
			const Release killed{stage, true, 8, Bucketing::flagd_v2};
			BOOST_TEST(killed.percent() == 0);
			for (const auto *id : {"user-4317", last_in, first_out})
				BOOST_TEST(!killed.has(id));
		}
}

BOOST_AUTO_TEST_CASE(a_release_goes_by_its_own_algorithm) {
	// In the vectors: bucket 8921 of flagd, number 37 of Unleash, bucket 75 of FNV-1a.
	const auto has = [](Bucketing bucketing, Stage stage) { return Release{stage, false, 1, bucketing}.has("1"); };
	BOOST_TEST(!has(Bucketing::flagd_v2, Stage::canary_50));
	BOOST_TEST(has(Bucketing::unleash, Stage::canary_50));
	BOOST_TEST(!has(Bucketing::unleash, Stage::canary_10));
	BOOST_TEST(!has(Bucketing::fnv1a, Stage::canary_50));
	// 5000, 70 and 36.
	BOOST_TEST((Release{Stage::canary_50, false, 1, Bucketing::fnv1a}.has("user-7072")));
	BOOST_TEST(!(Release{Stage::canary_50, false, 1, Bucketing::unleash}.has("user-7072")));
}

// ---- Shares ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_share_of_nothing_is_nothing_and_no_nan) {
	for (const auto bucketing : all_bucketings)
		for (const auto stage : all_stages) {
			ShareCount counts(bucketing);
			counts.add("");
			const auto share = counts.at(stage);
			BOOST_TEST(share.ids == 0);
			BOOST_TEST(share.in_cohort == 0);
			BOOST_CHECK(!share.measured);
			BOOST_CHECK(!share.standard_errors);
			BOOST_TEST(share.target == percent_of(stage) / 100.0);
		}
}

BOOST_AUTO_TEST_CASE(shares_by_hand) {
	// Buckets 0, 99, 100, 9999, and the first one again: an id counts as often as it is given.
	ShareCount counts(Bucketing::flagd_v2);
	for (const auto *id : {"user-4317", "user-75", "user-18518", "", "user-5716", "user-4317"})
		counts.add(id);
	struct Expected {
		Stage stage;
		std::int64_t in_cohort;
		double measured;
		std::optional<double> standard_errors;
	};
	const Expected expected[] = {
		{Stage::canary_1, 3, 0.6, (0.6 - 0.01) / 0.04449719092257398}, // sqrt(0.01 * 0.99 / 5)
		{Stage::canary_10, 4, 0.8, (0.8 - 0.1) / 0.13416407864998739}, // sqrt(0.1 * 0.9 / 5)
		{Stage::canary_50, 4, 0.8, (0.8 - 0.5) / 0.22360679774997896}, // sqrt(0.5 * 0.5 / 5)
		{Stage::full, 5, 1, std::nullopt},                             // nothing else can come out
	};
	for (const auto &[stage, in_cohort, measured, standard_errors] : expected)
		BOOST_TEST_CONTEXT(stage) {
			const auto share = counts.at(stage);
			BOOST_TEST(share.ids == 5);
			BOOST_TEST(share.in_cohort == in_cohort);
			BOOST_REQUIRE(share.measured);
			BOOST_TEST(*share.measured == measured, boost::test_tools::tolerance(1e-12));
			BOOST_REQUIRE_EQUAL(share.standard_errors.has_value(), standard_errors.has_value());
			if (standard_errors)
				BOOST_TEST(*share.standard_errors == *standard_errors, boost::test_tools::tolerance(1e-12));
		}
}

BOOST_AUTO_TEST_CASE(a_share_below_its_target_has_negative_standard_errors) {
	ShareCount counts(Bucketing::flagd_v2);
	counts.add("user-5716");
	BOOST_TEST(*counts.at(Stage::canary_50).measured == 0);
	BOOST_TEST(*counts.at(Stage::canary_50).standard_errors == -1, boost::test_tools::tolerance(1e-12));
}

// ---- Targeting keys -------------------------------------------------------------------------------------------------

struct KeyCase {
	std::string id;
	std::string key;
};

std::ostream &
operator<<(std::ostream &out, const KeyCase &c) {
	return out << c.key;
}

const std::vector<KeyCase> key_cases = {
	{"", ""},
	{"alice", "alice"},
	{"100%", "100%"}, // so that a key of ASCII is the id itself
	{"%C3%A9", "%C3%A9"},
	{"a b+c/\"'\\\x01\x7F", "a b+c/\"'\\\x01\x7F"},
	{"\0"s, "\0"s},
	{"\xC2\x80", "%C2%80"},
	{"é", "%C3%A9"},
	{"e\xCC\x81", "e%CC%81"}, // the same to the eye
	{"ж", "%D0%B6"},
	{"日本語", "%E6%97%A5%E6%9C%AC%E8%AA%9E"},
	{"a😀b", "a%F0%9F%98%80b"},
	{"\xFF\xFE", "%FF%FE"},
};

BOOST_DATA_TEST_CASE(a_targeting_key_is_ascii, bdata::make(key_cases), c) {
	BOOST_TEST(targeting_key(c.id) == c.key);
	BOOST_TEST(targeting_key(c.key) == c.key);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
