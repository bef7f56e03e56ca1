#include "core/time.hpp"

#include <cstdio>

namespace chat_v11 {

namespace {

struct Fields {
	std::chrono::year_month_day date;
	std::chrono::hh_mm_ss<Duration> clock;
};

Fields
split(Time at) {
	const auto day = std::chrono::floor<std::chrono::days>(at);
	return {std::chrono::year_month_day(day), std::chrono::hh_mm_ss<Duration>(at - day)};
}

std::string
format_fields(const Fields &f, char separator, bool micros) {
	char text[64];
	int used = std::snprintf(text, sizeof text, "%04d-%02u-%02u%c%02d:%02d:%02d", static_cast<int>(f.date.year()),
							 static_cast<unsigned>(f.date.month()), static_cast<unsigned>(f.date.day()), separator,
							 static_cast<int>(f.clock.hours().count()), static_cast<int>(f.clock.minutes().count()),
							 static_cast<int>(f.clock.seconds().count()));
	if (micros)
		used += std::snprintf(text + used, sizeof text - static_cast<size_t>(used), ".%06d",
							  static_cast<int>(f.clock.subseconds().count()));
	return {text, static_cast<size_t>(used)};
}

} // namespace

std::string
format_utc(Time at) {
	const auto fields = split(at);
	return format_fields(fields, ' ', fields.clock.subseconds().count() != 0) + " UTC";
}

std::string
format_iso(Time at) {
	return format_fields(split(at), 'T', true) + "Z";
}

std::optional<Time>
parse_iso(std::string_view text) {
	static constexpr std::string_view shape = "0000-00-00T00:00:00.000000Z";
	if (text.size() != shape.size())
		return std::nullopt;
	for (size_t i = 0; i < shape.size(); ++i)
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return std::nullopt;
	const auto number = [&](size_t at, size_t digits) {
		int value = 0;
		for (const char digit : text.substr(at, digits))
			value = value * 10 + (digit - '0');
		return value;
	};
	const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
										   std::chrono::month(static_cast<unsigned>(number(5, 2))),
										   std::chrono::day(static_cast<unsigned>(number(8, 2))));
	if (!date.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 59)
		return std::nullopt;
	return Time(std::chrono::sys_days(date)) + std::chrono::hours(number(11, 2)) + std::chrono::minutes(number(14, 2)) +
		   std::chrono::seconds(number(17, 2)) + Duration(number(20, 6));
}

std::string
format_duration(Duration span) {
	struct Unit {
		std::uint64_t micros;
		const char *name;
	};
	static constexpr Unit units[] = {{86'400'000'000, "d"}, {3'600'000'000, "h"}, {60'000'000, "min"},
									 {1'000'000, "s"},      {1'000, "ms"},        {1, "us"}};
	// Unsigned, because the most negative span has no positive twin.
	auto left = static_cast<std::uint64_t>(span.count());
	const bool negative = span < Duration::zero();
	if (negative)
		left = 0 - left;
	std::string text;
	int shown = 0;
	for (const auto &unit : units) {
		const auto n = left / unit.micros;
		left %= unit.micros;
		if (n == 0)
			continue;
		text += (shown ? " " : "") + std::to_string(n) + " " + unit.name;
		if (++shown == 2)
			break;
	}
	return shown ? (negative ? "-" : "") + text : "0 s";
}

} // namespace chat_v11
