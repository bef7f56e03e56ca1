#pragma once

// UTF-8 text, as it is put together for people.

#include <string>
#include <vector>

namespace chat_v11 {

// At most so many bytes, and no part of a character.
std::string truncate_utf8(std::string text, size_t bytes);

// Control characters and line ends become blanks, what is not seen or turns the direction of writing goes: what a
// caller typed can neither begin a line of its own nor look like something else.
std::string one_line(const std::string &text);

// One line of Markdown text: what somebody typed can neither begin a line of its own nor change the layout.
std::string markdown_text(const std::string &text);

std::string join(const std::vector<std::string> &parts, const char *between);
std::vector<std::string> lines_of(const std::string &text);

} // namespace chat_v11
