#include "core/flag_documents.hpp"

#include <nlohmann/json.hpp>

namespace chat_v11 {

namespace {

using Json = nlohmann::ordered_json;

// The values are plain, as OpenFeature asks for.
Json
metadata(const Release &release) {
	Json json;
	json["stage"] = name(release.stage);
	json["killed"] = release.kill_switch;
	json["revision"] = release.version;
	json["bucketing"] = name(release.bucketing);
	return json;
}

// Of a document from which a client decides that hashes in its own way.
Json
metadata(const Release &release, Bucketing own) {
	auto json = metadata(release);
	if (release.bucketing != own)
		json["warning"] = "the release is bucketed by " + std::string(name(release.bucketing)) + ", this client by " +
						  std::string(name(own)) + ": in canary stages its answers differ from the database's";
	return json;
}

Json
ofrep_value(const Release &release, bool in_cohort) {
	const bool canary = !release.kill_switch && release.percent() < 100;
	Json json;
	json["key"] = flag_key;
	json["reason"] = canary ? "SPLIT" : "STATIC";
	json["variant"] = in_cohort ? "on" : "off";
	json["value"] = in_cohort;
	json["metadata"] = metadata(release);
	return json;
}

OfrepAnswer
ofrep_error(std::string_view code, std::string_view details) {
	Json json;
	json["key"] = flag_key;
	json["errorCode"] = code;
	json["errorDetails"] = details;
	return {400, json.dump()};
}

} // namespace

std::string
flagd_document(const Release &release) {
	// The shorthand, which hashes the flag's key and the targeting key, has no answer for an empty targeting key; nor
	// for none.  Then the default variant is the answer, so that it must be "off" at every stage.
	Json flag;
	flag["state"] = "ENABLED"; // "DISABLED" would yield the caller's default
	flag["variants"] = {{"on", true}, {"off", false}};
	flag["defaultVariant"] = "off";
	flag["targeting"] = Json::object();
	if (!release.kill_switch) {
		// "on" stands first, so that it has the buckets from 0 up, and whoever is in stays in.
		const unsigned on = release.percent() * 100;
		flag["targeting"]["fractional"] = Json::array({Json::array({"on", on}), Json::array({"off", 10'000 - on})});
	}
	// With the flag for who asks for it, and with the set for who shows the document.
	const auto described = metadata(release, Bucketing::flagd_v2);
	flag["metadata"] = described;
	Json document;
	document["$schema"] = "https://flagd.dev/schema/v0/flags.json";
	document["metadata"] = described;
	document["flags"][std::string(flag_key)] = std::move(flag);
	return document.dump();
}

std::string
unleash_document(const Release &release) {
	Json strategy;
	strategy["name"] = "flexibleRollout";
	strategy["parameters"] = {
		{"groupId", flag_key}, {"rollout", std::to_string(release.percent())}, {"stickiness", "userId"}};
	strategy["constraints"] = Json::array();
	strategy["variants"] = Json::array();
	Json feature;
	feature["name"] = flag_key;
	feature["type"] = "release";
	feature["project"] = "default";
	feature["enabled"] = !release.kill_switch;
	feature["stale"] = false;
	feature["impressionData"] = false;
	// Killed as well: an enabled feature without a strategy is on for everybody, so a list is never empty.
	feature["strategies"] = Json::array({std::move(strategy)});
	feature["variants"] = Json::array();
	Json document;
	document["version"] = 2;
	document["features"] = Json::array({std::move(feature)});
	document["metadata"] = metadata(release, Bucketing::unleash);
	return document.dump();
}

OfrepAnswer
ofrep_answer(const Release &release, const OfrepRequest &request) {
	if (request.form == OfrepRequest::Form::no_object)
		return ofrep_error("PARSE_ERROR", "the body is no JSON object");
	// A killed release answers whatever context it is asked with: after an error the client would take its caller's
	// default.
	if (release.kill_switch)
		return {200, ofrep_value(release, false).dump()};
	switch (request.form) {
	case OfrepRequest::Form::no_object:
	case OfrepRequest::Form::sound: break;
	case OfrepRequest::Form::no_object_as_context: return ofrep_error("INVALID_CONTEXT", "context is no object");
	case OfrepRequest::Form::no_string_as_key:
		return ofrep_error("INVALID_CONTEXT", "context.targetingKey is no string");
	}
	if (request.targeting_key.empty())
		return ofrep_error("TARGETING_KEY_MISSING", "context.targetingKey is absent, null or empty");
	return {200, ofrep_value(release, release.has(request.targeting_key)).dump()};
}

} // namespace chat_v11
