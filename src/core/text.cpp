#include "core/text.hpp"

#include <algorithm>
#include <string_view>

namespace chat_v11 {

namespace {

bool
is_control(char c) {
	return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
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
one_line(std::string text) {
	std::replace_if(text.begin(), text.end(), is_control, ' ');
	return text;
}

std::string
markdown_text(const std::string &text) {
	std::string out;
	for (const char c : text) {
		// A blank at the end of a line is a break.
		if (is_control(c) || c == ' ') {
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
