#pragma once

// What clients of flag systems are told of the release: documents from which flagd and Unleash decide by themselves,
// and the answer of the OpenFeature Remote Evaluation Protocol (OFREP), for which the database decides.  All of it is
// JSON in UTF-8.
//
// A client that gets no answer, or an error, takes the default of whoever asked it, and that may be "on".  So a killed
// release is not a flag that is switched off or left out, but one that says "off".

#include "core/cohort.hpp"

#include <string>
#include <string_view>

namespace chat_v11 {

// A flagd flag definition: https://flagd.dev/reference/flag-definitions/.
std::string flagd_document(const Release &release);

// What an Unleash server answers at /client/features.
std::string unleash_document(const Release &release);

// What the body of a request holds: {"context": {"targetingKey": "..."}}.  What is absent and what is null are one.
struct OfrepRequest {
	enum class Form { sound, no_object, no_object_as_context, no_string_as_key };
	Form form = Form::sound;
	std::string_view targeting_key; // UTF-8; empty where there is none
};

struct OfrepAnswer {
	int http_status = 200; // or 400
	std::string body;
};

OfrepAnswer ofrep_answer(const Release &release, const OfrepRequest &request);

} // namespace chat_v11
