// The release for clients of flag systems.

#include "core/flag_documents.hpp"
#include "pg/release.hpp"
#include "pg/utf8_view.hpp"

namespace chat_v11 {

namespace {

// The value of a key, null like an absent one.  Raises PostgreSQL's errors.
const JsonbValue *
find(JsonbContainer *object, std::string_view key) {
	const auto *value = getKeyJsonValueFromContainer(object, key.data(), static_cast<int>(key.size()), nullptr);
	return value && value->type == jbvNull ? nullptr : value;
}

// Reads in place: a body may be large, and only one text in it matters.  Raises PostgreSQL's errors.
void
read_request(Jsonb *body, OfrepRequest &request) {
	if (!JB_ROOT_IS_OBJECT(body)) {
		request.form = OfrepRequest::Form::no_object;
		return;
	}
	const auto *context = find(&body->root, "context");
	if (!context)
		return;
	if (context->type != jbvBinary || !JsonContainerIsObject(context->val.binary.data)) {
		request.form = OfrepRequest::Form::no_object_as_context;
		return;
	}
	const auto *key = find(context->val.binary.data, "targetingKey");
	if (!key)
		return;
	if (key->type != jbvString) {
		request.form = OfrepRequest::Form::no_string_as_key;
		return;
	}
	request.targeting_key = {key->val.string.val, static_cast<size_t>(key->val.string.len)};
}

// Where an RPC gateway looks for the status of its response.
void
set_http_status(int status) {
	const auto text = std::to_string(status);
	const char *value = text.c_str();
	pg::call([&] {
		set_config_option("response.status", value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	});
}

} // namespace

CHAT_V11_ENTRY(chat_v11_flagd_config) {
	return pg::jsonb_datum(flagd_document(pg::release_to_show()));
}

CHAT_V11_ENTRY(chat_v11_unleash_features) {
	return pg::jsonb_datum(unleash_document(pg::release_to_show()));
}

CHAT_V11_ENTRY(chat_v11_ofrep_evaluate) {
	OfrepRequest request;
	request.form = OfrepRequest::Form::no_object;
	if (!PG_ARGISNULL(0)) {
		request.form = OfrepRequest::Form::sound;
		pg::call([&] { read_request(PG_GETARG_JSONB_P(0), request); });
	}
	const pg::Utf8View key(request.targeting_key);
	request.targeting_key = key.bytes();
	const auto answer = ofrep_answer(pg::current_release(), request);
	set_http_status(answer.http_status);
	return pg::jsonb_datum(answer.body);
}

} // namespace chat_v11
