#include "event.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <system_error>

namespace traffic {

namespace {

constexpr size_t longest_line = 256;

char *
put(char *to, std::string_view text) {
	return std::copy(text.begin(), text.end(), to);
}

char *
put_digits(char *to, std::int64_t value, int length) {
	for (int i = length; i-- > 0; value /= 10)
		to[i] = static_cast<char>('0' + value % 10);
	return to + length;
}

std::string
format_second(Micros at) {
	using namespace std::chrono;
	const sys_seconds time{seconds(at / second)};
	const auto day = floor<days>(time);
	const year_month_day date(day);
	const hh_mm_ss clock(time - day);
	char text[20];
	auto *to = put_digits(text, static_cast<int>(date.year()), 4);
	*to++ = '-';
	to = put_digits(to, static_cast<unsigned>(date.month()), 2);
	*to++ = '-';
	to = put_digits(to, static_cast<unsigned>(date.day()), 2);
	*to++ = ' ';
	to = put_digits(to, clock.hours().count(), 2);
	*to++ = ':';
	to = put_digits(to, clock.minutes().count(), 2);
	*to++ = ':';
	to = put_digits(to, clock.seconds().count(), 2);
	*to++ = '.';
	return {text, to};
}

} // namespace

Writer::Writer(const Users &all_users, std::FILE *output) : users(all_users), file(output), buffer(1 << 18) {}

void
Writer::write(const Event &event) {
	if (buffer.size() - used < longest_line)
		flush();
	// Formatting a date costs more than the rest of the line, and many events share a second.
	if (event.at / second != shown_second) {
		shown_second = event.at / second;
		prefix = format_second(event.at);
	}
	auto *to = put(buffer.data() + used, prefix);
	to = put_digits(to, event.at % second, 6);
	to = put(to, "+00\t");
	to = put(to, kind_names[static_cast<size_t>(event.kind)]);
	to = put(to, users.is_v11(event.actor) ? "\tv11\t" : "\tv10\t");
	to = put(to, {users.id(event.actor), uuid_length});
	*to++ = '\t';
	if (event.subject == Subject{})
		to = put(to, "\\N");
	else {
		format_uuid(event.subject.high, event.subject.low, to);
		to += uuid_length;
	}
	*to++ = '\t';
	if (event.value == no_value)
		to = put(to, "\\N");
	else {
		to = std::to_chars(to, to + 24, event.value / 1000).ptr;
		if (event.value % 1000 != 0) {
			*to++ = '.';
			to = put_digits(to, event.value % 1000, 3);
		}
	}
	*to++ = '\n';
	used = static_cast<size_t>(to - buffer.data());
}

void
Writer::flush() {
	const bool ok = std::fwrite(buffer.data(), 1, used, file) == used && std::fflush(file) == 0;
	used = 0;
	if (!ok)
		throw std::system_error(errno, std::generic_category(), "cannot write");
}

} // namespace traffic
