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

std::string
format_duration(Duration span) {
	if (span < Duration::zero())
		return "-" + format_duration(-span);
	struct Unit {
		std::int64_t micros;
		const char *name;
	};
	static constexpr Unit units[] = {{86'400'000'000, "d"}, {3'600'000'000, "h"}, {60'000'000, "min"},
									 {1'000'000, "s"},      {1'000, "ms"},        {1, "us"}};
	auto left = span.count();
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
	return shown ? text : "0 s";
}

} // namespace chat_v11
