// What flag clients are told of the release, in every stage and kill state, whatever the algorithm.

#include "core/flag_documents.hpp"

#include "fixture.hpp"

#include <nlohmann/json.hpp>

namespace chat_v11::test {

using Json = nlohmann::json;
using Form = OfrepRequest::Form;

BOOST_AUTO_TEST_SUITE(flag_documents)

constexpr Release
live(Stage stage, Bucketing bucketing = Bucketing::flagd_v2) {
	return {stage, false, 17, bucketing};
}

constexpr Release
killed(Stage stage, Bucketing bucketing = Bucketing::flagd_v2) {
	return {stage, true, 18, bucketing};
}

struct Case {
	const char *name;
	Release release;
	unsigned percent;
	const char *reason;
};
std::ostream &
operator<<(std::ostream &out, const Case &each) {
	return out << each.name;
}
constexpr Case cases[] = {
	{"canary_1", live(Stage::canary_1), 1, "SPLIT"},
	{"canary_10", live(Stage::canary_10), 10, "SPLIT"},
	{"canary_50", live(Stage::canary_50), 50, "SPLIT"},
	{"full", live(Stage::full), 100, "STATIC"},
	{"canary_1, killed", killed(Stage::canary_1), 0, "STATIC"},
	{"canary_10, killed", killed(Stage::canary_10), 0, "STATIC"},
	{"canary_50, killed", killed(Stage::canary_50), 0, "STATIC"},
	{"full, killed", killed(Stage::full), 0, "STATIC"},
	{"not started", {}, 0, "STATIC"},
};

void
check_metadata(const Json &json, const Release &release) {
	BOOST_TEST(json["stage"] == std::string(name(release.stage)));
	BOOST_TEST(json["killed"] == release.kill_switch);
	BOOST_TEST(json["revision"] == release.version);
	BOOST_TEST(json["bucketing"] == std::string(name(release.bucketing)));
	for (const auto &value : json)
		BOOST_TEST(value.is_primitive());
}

BOOST_DATA_TEST_CASE(flagd_gets_the_share_and_off_for_everybody_else, bdata::make(cases), each) {
	const auto json = Json::parse(flagd_document(each.release));
	BOOST_TEST_REQUIRE(json["flags"].size() == 1u);
	const auto &flag = json["flags"]["chat_v11"];
	BOOST_TEST(flag["state"] == "ENABLED");
	BOOST_TEST(flag["variants"] == Json::parse(R"({"on": true, "off": false})"));
	BOOST_TEST(flag["defaultVariant"] == "off");
	const unsigned on = each.percent * 100;
	Json targeting = Json::object();
	if (!each.release.kill_switch)
		targeting["fractional"] = Json::array({Json::array({"on", on}), Json::array({"off", 10'000 - on})});
	BOOST_TEST(flag["targeting"] == targeting);
	check_metadata(flag["metadata"], each.release);
	BOOST_TEST(json["metadata"] == flag["metadata"]);
}

BOOST_DATA_TEST_CASE(unleash_gets_the_share_and_never_a_feature_without_a_strategy, bdata::make(cases), each) {
	const auto json = Json::parse(unleash_document(each.release));
	BOOST_TEST(json["version"] == 2);
	BOOST_TEST_REQUIRE(json["features"].size() == 1u);
	const auto &feature = json["features"][0];
	BOOST_TEST(feature["name"] == "chat_v11");
	BOOST_TEST(feature["enabled"] == !each.release.kill_switch);
	BOOST_TEST_REQUIRE(feature["strategies"].size() == 1u);
	const auto &strategy = feature["strategies"][0];
	BOOST_TEST(strategy["name"] == "flexibleRollout");
	const Json parameters{{"groupId", "chat_v11"}, {"rollout", std::to_string(each.percent)}, {"stickiness", "userId"}};
	BOOST_TEST(strategy["parameters"] == parameters);
	check_metadata(json["metadata"], each.release);
}

// Who hashes in another way is told so; who hashes as the release does is not.
BOOST_DATA_TEST_CASE(a_client_with_another_hash_is_warned,
					 bdata::make({Bucketing::flagd_v2, Bucketing::unleash, Bucketing::fnv1a}), bucketing) {
	for (const auto &release : {live(Stage::canary_10, bucketing), killed(Stage::full, bucketing)}) {
		const auto flagd = Json::parse(flagd_document(release));
		const auto unleash = Json::parse(unleash_document(release));
		BOOST_TEST(flagd["metadata"].contains("warning") == (bucketing != Bucketing::flagd_v2));
		BOOST_TEST(flagd["flags"]["chat_v11"]["metadata"].contains("warning") == (bucketing != Bucketing::flagd_v2));
		BOOST_TEST(unleash["metadata"].contains("warning") == (bucketing != Bucketing::unleash));
		check_metadata(flagd["metadata"], release);
		check_metadata(unleash["metadata"], release);
	}
	const auto warning = Json::parse(unleash_document(live(Stage::canary_1)))["metadata"]["warning"];
	BOOST_TEST(warning == "the release is bucketed by flagd-v2, this client by unleash: in canary stages its answers "
						  "differ from the database's");
}

// "Alice" is in the first 204 buckets of 10,000, "42" in the first 2079, "1" not in the first 8921.
BOOST_DATA_TEST_CASE(ofrep_answers_as_the_release_does, bdata::make(cases), each) {
	for (const auto *key : {"Alice", "42", "1", "m\xc3\xbcller"}) {
		const auto answer = ofrep_answer(each.release, {Form::sound, key});
		BOOST_TEST(answer.http_status == 200);
		const auto json = Json::parse(answer.body);
		const bool in_cohort = each.release.has(key);
		BOOST_TEST(json["key"] == "chat_v11");
		BOOST_TEST(json["value"] == in_cohort);
		BOOST_TEST(json["variant"] == (in_cohort ? "on" : "off"));
		BOOST_TEST(json["reason"] == each.reason);
		BOOST_TEST(!json.contains("errorCode"));
		check_metadata(json["metadata"], each.release);
	}
	const auto canary_50 = live(Stage::canary_50);
	BOOST_TEST(Json::parse(ofrep_answer(canary_50, {Form::sound, "42"}).body)["value"] == true);
	BOOST_TEST(Json::parse(ofrep_answer(canary_50, {Form::sound, "1"}).body)["value"] == false);
	// By the release's own algorithm: number 63 of 100 there, and bucket 2191 of 10,000 here.
	BOOST_TEST(Json::parse(ofrep_answer(canary_50, {Form::sound, "alice"}).body)["value"] == true);
	BOOST_TEST(
		Json::parse(ofrep_answer(live(Stage::canary_50, Bucketing::unleash), {Form::sound, "alice"}).body)["value"] ==
		false);
}

void
check_error(const Release &release, const OfrepRequest &request, const char *code) {
	const auto answer = ofrep_answer(release, request);
	BOOST_TEST(answer.http_status == 400);
	const auto json = Json::parse(answer.body);
	BOOST_TEST(json["key"] == "chat_v11");
	BOOST_TEST(json["errorCode"] == code);
	BOOST_TEST(json["errorDetails"].is_string());
	BOOST_TEST(!json.contains("value"));
}

struct BadRequest {
	OfrepRequest request;
	const char *code;
};

const std::vector<BadRequest> bad_requests = {
	{{Form::no_object_as_context, {}}, "INVALID_CONTEXT"},
	{{Form::no_string_as_key, {}}, "INVALID_CONTEXT"},
	{{Form::sound, {}}, "TARGETING_KEY_MISSING"},
};

// An error makes a client take its caller's default, which may be "on": not of a killed release.
BOOST_DATA_TEST_CASE(a_bad_context_is_an_error_only_while_live, bdata::make(cases), each) {
	check_error(each.release, {Form::no_object, {}}, "PARSE_ERROR");
	for (const auto &[request, code] : bad_requests) {
		if (!each.release.kill_switch) {
			check_error(each.release, request, code);
			continue;
		}
		const auto answer = ofrep_answer(each.release, request);
		BOOST_TEST(answer.http_status == 200);
		const auto json = Json::parse(answer.body);
		BOOST_TEST(json["value"] == false);
		BOOST_TEST(json["variant"] == "off");
		BOOST_TEST(json["reason"] == "STATIC");
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
