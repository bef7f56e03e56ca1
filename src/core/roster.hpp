#pragma once

// Who is on call, by role.

#include "core/time.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace chat_v11 {

inline constexpr std::array<std::string_view, 5> oncall_roles = {"IC", "Backend", "SRE", "Frontend", "Scribe"};

// A rollout is not started without these; a scribe is needed by an incident only.
inline constexpr size_t needed_roles = 4;

struct Duty {
	std::string role;
	std::optional<std::string> person; // nobody, if nothing
	std::optional<Time> since;
};

// The role as the table has it, whatever case it was typed in.  Throws ERR_INVALID_ARGUMENT.
std::string_view parse_role(std::string_view text);

// Throws ERR_INVALID_ARGUMENT for a name that is empty, longer than 256 bytes, or more than one line.
void validate_person(const std::string &person);

} // namespace chat_v11
