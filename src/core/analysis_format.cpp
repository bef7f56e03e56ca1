#include "core/analysis_format.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numbers>

namespace chat_v11::analysis {

namespace {

std::string
print(const char *format, double value) {
	char text[64];
	std::snprintf(text, sizeof text, format, value);
	return text;
}

} // namespace

std::string
format_count(double count) {
	auto text = print("%.0f", count);
	for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
		text.insert(static_cast<std::size_t>(at), 1, ',');
	return text;
}

std::string
format_percent(double rate) {
	return print("%.3g", rate * 100) + " %";
}

std::string
format_ratio(double ratio) {
	auto text = print(ratio < 2 ? "%.2f" : ratio < 10 ? "%.1f" : "%.0f", ratio);
	if (text.find('.') != std::string::npos) {
		text.erase(text.find_last_not_of('0') + 1);
		if (text.back() == '.')
			text.pop_back();
	}
	return text;
}

std::string
odds_text(double x) {
	// Nothing beyond a million is more than "never"; e^x itself would soon be more than a double holds.
	constexpr double plain = 13.8155; // ln of a million
	if (x < std::numbers::ln2)
		return "";
	if (x <= plain)
		return "probability below 1/" + format_count(std::floor(std::exp(x)));
	return "probability below 1/10^" + format_count(std::floor(x / std::numbers::ln10));
}

} // namespace chat_v11::analysis
