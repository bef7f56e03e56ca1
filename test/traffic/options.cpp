#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

namespace traffic {

const char *const help_text =
	R"(Usage: traffic --from TIME --to TIME [OPTION]...
Write chat telemetry, sorted by time, as text for
  COPY chat_v11.event (at, kind, cohort, actor, subject, value) FROM STDIN

Span and load
  --seed N                world to generate (1)
  --from TIME, --to TIME  span [from, to) in UTC: 2026-03-01, 2026-03-01T12:00:00, optional fraction and Z
  --share PERCENT         users in cohort v11, a whole number from 0 to 100 (1)
  --share-since TIME      the share is as high since then only: no healthy v11 errors for 15 min (long ago)
  --writes-per-hour N     accepted writes, mean over a day (7000)
  --flat                  no daily curve
  --users N               10 to 1000000 (20000)
  --sessions-per-write N  session-minutes for each write, 1 to 60 (4)
  --sparse-control K      cohort v10: every write_ack and write_rejected, of all else one in K (1)
  --paired-control        cohort v10: every write has its start and its receipt, whatever K

Incidents; in cohort v11, but for --slow-all
  --slow-canary PERCENT   whole span: latencies of v11 are so much of the usual ones, 100 to 1000 (100)
  --slow-all PERCENT      the same of both cohorts, on top (100)
  --wobble                whole span: 5 % of writes rejected, latencies six times as long
  --lose-receipts N       from the middle of the span, N writes without a receipt ever
  --late-receipts N       N further writes whose receipt comes 10.5 to 20 s after the ack
  --duplicates N          N messages seen twice in a timeline
  --read-rollbacks N      N read cursors that go back
  --stalls N              N users who see a send pending longer than 30 s
  --kill                  no v11 traffic at all, whatever the share

A write's events belong to the span in which it begins; they end at most 51 s after it.
Exit status: 0 done, 1 could not write, 2 bad command line.
)";

namespace {

std::uint64_t
parse_number(std::string_view name, std::string_view text, std::uint64_t least, std::uint64_t most) {
	std::uint64_t value = 0;
	const auto end = text.data() + text.size();
	const auto [rest, error] = std::from_chars(text.data(), end, value);
	if (error != std::errc() || rest != end || value < least || value > most)
		throw BadUsage(std::string(name) + " takes a whole number from " + std::to_string(least) + " to " +
					   std::to_string(most) + ", not \"" + std::string(text) + "\"");
	return value;
}

// Takes digits off the front of a text.
class Digits {
public:
	explicit Digits(std::string_view given) : text(given) {}

	std::optional<int>
	number(size_t length) {
		const auto digits = text.substr(0, length);
		if (digits.size() < length || !std::all_of(digits.begin(), digits.end(), is_digit))
			return std::nullopt;
		int value = 0;
		std::from_chars(digits.data(), digits.data() + digits.size(), value);
		text.remove_prefix(length);
		return value;
	}
	bool
	skip(std::string_view any_of) {
		if (text.empty() || any_of.find(text.front()) == std::string_view::npos)
			return false;
		text.remove_prefix(1);
		return true;
	}
	// What follows a point, in microseconds.
	std::optional<Micros>
	fraction() {
		Micros value = 0;
		Micros unit = second / 10;
		for (; !text.empty() && is_digit(text.front()) && unit > 0; unit /= 10) {
			value += (text.front() - '0') * unit;
			text.remove_prefix(1);
		}
		return unit == second / 10 ? std::nullopt : std::optional(value);
	}
	[[nodiscard]] bool
	at_end_or_utc() const {
		return text.empty() || text == "Z" || text == "+00" || text == "+00:00";
	}

private:
	static bool
	is_digit(char c) {
		return c >= '0' && c <= '9';
	}
	std::string_view text;
};

std::optional<Micros>
read_time(std::string_view text) {
	using namespace std::chrono;
	Digits digits(text);
	const auto y = digits.number(4);
	const auto m = y && digits.skip("-") ? digits.number(2) : std::nullopt;
	const auto d = m && digits.skip("-") ? digits.number(2) : std::nullopt;
	if (!d)
		return std::nullopt;
	const year_month_day date(year(*y), month(static_cast<unsigned>(*m)), day(static_cast<unsigned>(*d)));
	if (!date.ok() || *y < 2000 || *y > 2099)
		return std::nullopt;
	auto time = duration_cast<microseconds>(sys_days(date).time_since_epoch()).count();
	if (digits.skip("T ")) {
		const auto hour = digits.number(2);
		const auto minute = hour && digits.skip(":") ? digits.number(2) : std::nullopt;
		if (!minute || *hour > 23 || *minute > 59)
			return std::nullopt;
		time += (*hour * 60 + *minute) * minute_length;
		if (digits.skip(":")) {
			const auto seconds = digits.number(2);
			if (!seconds || *seconds > 59)
				return std::nullopt;
			time += *seconds * second;
			if (digits.skip(".")) {
				const auto fraction = digits.fraction();
				if (!fraction)
					return std::nullopt;
				time += *fraction;
			}
		}
	}
	return digits.at_end_or_utc() ? std::optional(time) : std::nullopt;
}

Micros
parse_time(std::string_view name, std::string_view text) {
	if (const auto time = read_time(text))
		return *time;
	throw BadUsage(std::string(name) + " takes a time in UTC like 2026-03-01T12:00:00, years 2000 to 2099, not \"" +
				   std::string(text) + "\"");
}

// The words of the command line, as names and values; "--name=value" and "--name value" are the same.
class Words {
public:
	Words(int given_count, char **given) : count(given_count), words(given) {}

	bool
	next() {
		if (++at >= count)
			return false;
		const std::string_view word = words[at];
		const auto equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
		name = word.substr(0, equals);
		has_attached = equals != std::string_view::npos;
		attached = has_attached ? word.substr(equals + 1) : std::string_view();
		return true;
	}
	std::string_view
	value() {
		if (std::exchange(has_attached, false))
			return attached;
		if (at + 1 >= count)
			throw BadUsage(std::string(name) + " needs a value");
		return words[++at];
	}
	// Whatever stands after the last equals sign must have been asked for.
	void
	done() const {
		if (has_attached)
			throw BadUsage(std::string(name) + " takes no value");
	}

	std::string_view name;

private:
	int count;
	char **words;
	int at = 0;
	bool has_attached = false;
	std::string_view attached;
};

struct NumberOption {
	std::string_view name;
	std::uint64_t Options::*field;
	std::uint64_t least, most;
};

constexpr NumberOption number_options[] = {
	{"--seed", &Options::seed, 0, UINT64_MAX},
	{"--share", &Options::share, 0, 100},
	{"--writes-per-hour", &Options::writes_per_hour, 1, 10'000'000},
	{"--users", &Options::users, 10, 1'000'000},
	{"--sessions-per-write", &Options::sessions_per_write, 1, 60},
	{"--sparse-control", &Options::sparse_control, 1, 1'000'000},
	{"--slow-canary", &Options::slow_canary, 100, 1000},
	{"--slow-all", &Options::slow_all, 100, 1000},
	{"--lose-receipts", &Options::lose_receipts, 0, 1'000'000},
	{"--late-receipts", &Options::late_receipts, 0, 1'000'000},
	{"--duplicates", &Options::duplicates, 0, 1'000'000},
	{"--read-rollbacks", &Options::read_rollbacks, 0, 1'000'000},
	{"--stalls", &Options::stalls, 0, 1'000'000},
};

struct TimeOption {
	std::string_view name;
	Micros Options::*field;
};

constexpr TimeOption time_options[] = {
	{"--from", &Options::from}, {"--to", &Options::to}, {"--share-since", &Options::share_since}};

} // namespace

std::uint64_t
Options::writes_harmed() const {
	return std::max({lose_receipts + late_receipts, duplicates, read_rollbacks});
}

Options
parse_options(int count, char **words) {
	Options options;
	bool kill = false;
	bool has_from = false, has_to = false;
	for (Words word(count, words); word.next(); word.done()) {
		const auto name = word.name;
		const auto number = std::find_if(std::begin(number_options), std::end(number_options),
										 [&](const NumberOption &each) { return each.name == name; });
		const auto time = std::find_if(std::begin(time_options), std::end(time_options),
									   [&](const TimeOption &each) { return each.name == name; });
		if (number != std::end(number_options))
			options.*(number->field) = parse_number(name, word.value(), number->least, number->most);
		else if (time != std::end(time_options))
			options.*(time->field) = parse_time(name, word.value());
		else if (name == "--flat")
			options.flat = true;
		else if (name == "--paired-control")
			options.paired_control = true;
		else if (name == "--wobble")
			options.wobble = true;
		else if (name == "--kill")
			kill = true;
		else if (name == "--help" || name == "-h")
			options.help = true;
		else
			throw BadUsage("unknown option " + std::string(name));
		has_from |= name == "--from";
		has_to |= name == "--to";
	}
	if (options.help)
		return options;
	if (!has_from || !has_to)
		throw BadUsage("--from and --to are needed");
	if (options.from >= options.to)
		throw BadUsage("--from must be earlier than --to");
	if (kill)
		options.share = 0;
	if (options.share == 0 &&
		(options.wobble || options.slow_canary > 100 || options.writes_harmed() + options.stalls > 0))
		throw BadUsage("an incident in cohort v11 needs v11 traffic: --share above 0 and no --kill");
	return options;
}

} // namespace traffic
