#include "core/text.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace chat_v11 {

namespace {

struct Character {
	char32_t code;
	size_t bytes;
};

// A byte that begins no character is one by itself, of no meaning.
Character
character_at(const std::string &text, size_t i) {
	const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
	const auto lead = byte(i);
	if (lead < 0x80)
		return {lead, 1};
	const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	char32_t code = lead & (0xFFu >> (bytes + 1));
	for (size_t k = 1; k < bytes; ++k) {
		if ((byte(i + k) & 0xC0) != 0x80)
			return {0xFFFD, 1};
		code = code << 6 | (byte(i + k) & 0x3F);
	}
	return {bytes == 1 ? 0xFFFD : code, bytes};
}

// Controls, and the line ends of Unicode.
bool
is_control(char32_t code) {
	return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
}

// What turns the direction of writing, has no width, or is a mark for programs.  U+200C and U+200D stay: words of some
// languages are spelt with them.
bool
is_unseen(char32_t code) {
	constexpr std::pair<char32_t, char32_t> ranges[] = {
		{0xAD, 0xAD},     {0x61C, 0x61C},   {0x180E, 0x180E}, {0x200B, 0x200B}, {0x200E, 0x200F},
		{0x202A, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};
	return std::ranges::any_of(ranges, [=](const auto &range) { return code >= range.first && code <= range.second; });
}

} // namespace

std::string
truncate_utf8(std::string text, size_t bytes) {
	if (text.size() <= bytes)
		return text;
	while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80)
		--bytes;
	text.resize(bytes);
	return text;
}

std::string
one_line(const std::string &text) {
	std::string out;
	for (size_t i = 0; i < text.size();) {
		const auto [code, bytes] = character_at(text, i);
		if (is_control(code))
			out += ' ';
		else if (!is_unseen(code))
			out.append(text, i, bytes);
		i += bytes;
	}
	return out;
}

std::string
markdown_text(const std::string &text) {
	std::string out;
	for (const char c : one_line(text)) {
		// A blank at the end of a line is a break.
		if (c == ' ') {
			if (!out.empty() && out.back() != ' ')
				out += ' ';
			continue;
		}
		if (std::string_view("\\`*[<|").find(c) != std::string_view::npos)
			out += '\\';
		out += c;
	}
	while (!out.empty() && out.back() == ' ')
		out.pop_back();
	return out;
}

std::string
join(const std::vector<std::string> &parts, const char *between) {
	std::string text;
	for (const auto &each : parts)
		text += (text.empty() ? "" : between) + each;
	return text;
}

std::vector<std::string>
lines_of(const std::string &text) {
	std::vector<std::string> lines;
	for (size_t begin = 0; begin < text.size();) {
		const auto end = std::min(text.find('\n', begin), text.size());
		lines.push_back(text.substr(begin, end - begin));
		begin = end + 1;
	}
	return lines;
}

} // namespace chat_v11
