// The words of a postmortem: moments, distances, figures, and what somebody typed.

#include "core/gate_checks.hpp"
#include "core/postmortem_parts.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <cstdio>

namespace chat_v11::postmortem {

namespace {

// "0.102145" as "0.102": for people three digits are enough, whole numbers keep theirs.
std::string
three_digits(double value) {
	char text[64];
	std::snprintf(text, sizeof text, value >= 1000 || value <= -1000 ? "%.0f" : "%.3g", value);
	return text;
}

} // namespace

std::string
at_second(Time at) {
	return format_utc(floor_second(at));
}

std::string
clock_of(Time at) {
	return at_second(at).substr(11, 8);
}

std::string
day_of(Time at) {
	return at_second(at).substr(0, 10);
}

std::string
at_beside(Time at, Time beside) {
	return day_of(at) == day_of(beside) ? clock_of(at) + " UTC" : at_second(at);
}

std::string
span(Time from, Time to) {
	return format_duration(floor_second(to) - floor_second(from));
}

std::string
distance(Time opened, Time at) {
	const auto seconds =
		std::chrono::duration_cast<std::chrono::seconds>(floor_second(at) - floor_second(opened)).count();
	const auto far = seconds < 0 ? -seconds : seconds;
	char text[48];
	std::snprintf(text, sizeof text, "%s%lld:%02lld:%02lld", seconds < 0 ? "-" : "+",
				  static_cast<long long>(far / 3600), static_cast<long long>(far / 60 % 60),
				  static_cast<long long>(far % 60));
	return text;
}

std::string
count_of(std::int64_t n, std::string_view one, std::string_view many) {
	return std::to_string(n) + " " + std::string(n == 1 ? one : many);
}

std::string
cell(const std::string &text, size_t most) {
	// First made visible: what is cut must not be what is not seen.
	auto seen = one_line(text);
	if (seen.size() <= most)
		return markdown_text(seen);
	return markdown_text(truncate_utf8(std::move(seen), most)) + cut_mark;
}

std::string
with_share(const std::string &state) {
	const auto stage = parse_stage(state.substr(0, state.find(',')));
	if (!stage || !state.ends_with(", live"))
		return state + ": nobody";
	return state + ": " + std::to_string(percent_of(*stage)) + " % of users";
}

std::string
because(const std::string &reasons) {
	std::vector<std::string> broken;
	std::vector<std::string> unknown;
	std::vector<std::string> others;
	bool incident = false;
	for (const auto &reason : lines_of(reasons)) {
		if (reason.starts_with("rollout incident: "))
			incident = true;
		else if (!reason.starts_with("P0 ") && !reason.starts_with("P1 "))
			others.push_back(reason);
		else if (reason.find(" is unknown: ") != std::string::npos || reason.starts_with("P1 WAIT ") ||
				 reason.starts_with("P1 data "))
			unknown.push_back(reason);
		else
			broken.push_back(reason);
	}
	// Without traffic nearly all are unknown, each for the same reason.
	if (unknown.size() > 2)
		unknown = {std::to_string(unknown.size()) + " checks of P0 and P1 are unknown"};
	if (!broken.empty() || !unknown.empty()) {
		broken.insert(broken.end(), unknown.begin(), unknown.end());
		return ": " + join(broken, "; ");
	}
	if (!others.empty())
		return ": " + join(others, "; ");
	return incident ? ", for nothing but the open incident" : "";
}

std::string
value_text(const std::string &metric, double value) {
	if (metric.ends_with("_rate"))
		return three_digits(value * 100) + " %";
	if (metric.ends_with("_ms"))
		return three_digits(value) + " ms";
	return format_number(value);
}

std::string
figure_text(const std::string &metric, const Figure &figure) {
	if (!figure.value)
		return "-";
	auto text = value_text(metric, *figure.value);
	if (metric.ends_with("_rate"))
		text += " (" + std::to_string(figure.numerator) + " of " + std::to_string(figure.denominator) + ")";
	else if (metric.ends_with("_ms"))
		text += " (of " + std::to_string(figure.denominator) + ")";
	return text;
}

} // namespace chat_v11::postmortem
