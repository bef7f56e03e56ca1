#include "core/recovery.hpp"

#include "core/refusal.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace chat_v11 {

namespace {

constexpr size_t max_stream_bytes = 1000;

std::int64_t
milliseconds(Duration span) {
	return std::chrono::floor<std::chrono::milliseconds>(span).count();
}

int
hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	const char lower = static_cast<char>(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

} // namespace

std::optional<Duration>
full_state_wait(std::optional<Time> admitted, Time now, Duration interval) {
	if (!admitted || *admitted > now + interval || *admitted + interval <= now)
		return std::nullopt;
	return *admitted + interval - now;
}

int
admission_table(Time now, Duration interval) {
	const auto turn = admission_turn(interval).count();
	const auto since = now.time_since_epoch().count();
	const auto number = since >= 0 ? since / turn : -((turn - 1 - since) / turn);
	return static_cast<int>(number & 1);
}

bool
resting_may_count(Time now, Duration interval, Time interval_since) {
	// Who learned of a change a moment later still wrote by the old one.
	constexpr Duration learning = std::chrono::seconds(2);
	if (now < interval_since || now - interval_since < interval + learning)
		return true;
	// What counts is younger than an interval, or less than one ahead: of which turns is that?
	const int table = admission_table(now, interval);
	return admission_table(now - interval, interval) != table || admission_table(now + interval, interval) != table;
}

std::int64_t
seconds_to_wait(Duration wait) {
	return std::chrono::ceil<std::chrono::seconds>(wait).count();
}

std::int32_t
resync_backoff_ms(std::int64_t attempt, std::string_view key, Duration base, Duration cap) {
	if (attempt < 1)
		throw invalid_argument("p_attempt must be 1 or more", "It is " + std::to_string(attempt) + ".",
							   "select chat_v11.resync_backoff_ms(1, 'the stream');");
	const auto most = milliseconds(cap);
	auto step = std::min(milliseconds(base), most);
	for (std::int64_t i = 1; i < attempt && step < most; ++i)
		step = std::min(step * backoff_factor, most);
	const std::uint64_t hash = Murmur3().feed(key).feed(":").feed(std::to_string(attempt)).finish();
	const auto jitter = static_cast<std::uint64_t>(step / backoff_jitter_part) * hash >> 32;
	return static_cast<std::int32_t>(step - static_cast<std::int64_t>(jitter));
}

void
validate_recovery(const Settings &settings) {
	if (settings.resync_backoff_base > settings.resync_backoff_cap)
		throw invalid_argument("resync_backoff_base must not be longer than resync_backoff_cap",
							   format_duration(settings.resync_backoff_base) + " and " +
								   format_duration(settings.resync_backoff_cap) + ".",
							   "Change the other one first.");
	if (settings.status_write_after_min > settings.status_write_after_max)
		throw invalid_argument("status_write_after_min must not be longer than status_write_after_max",
							   format_duration(settings.status_write_after_min) + " and " +
								   format_duration(settings.status_write_after_max) + ".",
							   "Change the other one first.");
}

std::string
recovery_policy_json(const Settings &settings, std::int64_t version) {
	using Json = nlohmann::json;
	return Json{
		{"version", version},
		{"status_write",
		 {{"after_min_ms", milliseconds(settings.status_write_after_min)},
		  {"after_max_ms", milliseconds(settings.status_write_after_max)}}},
		{"on_unknown", "resync_stream"},
		{"on_range_unavailable", "full_state_dialog"},
		{"resync_stream",
		 {{"single_flight_per", "stream"},
		  {"backoff",
		   {{"base_ms", milliseconds(settings.resync_backoff_base)},
			{"factor", backoff_factor},
			{"cap_ms", milliseconds(settings.resync_backoff_cap)},
			{"jitter", 1.0 / backoff_jitter_part}}}}},
		{"full_state_dialog", {{"once_per", "dialog"}, {"interval_ms", milliseconds(settings.full_state_interval)}}},
		{"when_throttled", {{"error", "ERR_RESYNC_THROTTLED"}, {"sqlstate", "PT429"}, {"http_status", 429}}},
	}
		.dump();
}

void
validate_stream(std::string_view stream) {
	if (stream.empty() || stream.size() > max_stream_bytes)
		throw invalid_argument("the stream's name must have 1 to " + std::to_string(max_stream_bytes) + " bytes",
							   "It has " + std::to_string(stream.size()) + ".",
							   "select chat_v11.admit_resync('the stream');");
}

std::optional<Uuid>
parse_uuid(std::string_view text) {
	Uuid uuid{};
	size_t digits = 0;
	for (size_t i = 0; i < text.size(); ++i) {
		if (text[i] == '-') {
			if (text.size() != 36 || (i != 8 && i != 13 && i != 18 && i != 23))
				return std::nullopt;
			continue;
		}
		const int digit = hex_digit(text[i]);
		if (digit < 0 || digits == 2 * uuid.size())
			return std::nullopt;
		auto &byte = uuid[digits++ / 2];
		byte = static_cast<std::uint8_t>(byte << 4 | digit);
	}
	if (digits != 2 * uuid.size())
		return std::nullopt;
	return uuid;
}

} // namespace chat_v11
