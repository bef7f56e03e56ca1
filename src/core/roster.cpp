#include "core/roster.hpp"

#include "core/refusal.hpp"
#include "core/text.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

constexpr size_t max_person_bytes = 256;

char
lower(char c) {
	return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool
same_word(std::string_view a, std::string_view b) {
	return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

} // namespace

std::string_view
parse_role(std::string_view text) {
	for (const auto role : oncall_roles)
		if (same_word(role, text))
			return role;
	throw invalid_argument("unknown role \"" + std::string(text.substr(0, 64)) + "\"", {},
						   "Roles are IC, Backend, SRE, Frontend and Scribe.");
}

void
validate_person(const std::string &person) {
	const auto seen = one_line(person);
	if (std::all_of(seen.begin(), seen.end(), [](char c) { return c == ' '; }))
		throw invalid_argument("person is empty", {}, "Give a name, or null for nobody.");
	if (person.size() > max_person_bytes)
		throw invalid_argument("person is longer than " + std::to_string(max_person_bytes) + " bytes");
	if (seen != person)
		throw invalid_argument("person has control characters, or such as are not seen", {},
							   "Give a name in one line.");
}

} // namespace chat_v11
