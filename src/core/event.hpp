#pragma once

// What the chat reports: kinds, cohorts, and the rules that one event must meet.

#include "core/time.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace chat_v11 {

// The number is what is stored: append only, never renumber.
enum class Kind : std::uint8_t {
	write_started,
	write_ack,
	write_rejected,
	write_ledgered,
	write_stored,
	write_receipt,
	pending_forever,
	send_stall,
	timeline_delivered,
	timeline_duplicate,
	read_cursor,
	read_rollback,
	session_active,
	forced_resync,
	resync_request,
	resync_range_unavailable,
	resync_throttled,
	full_state,
	recovery_done,
};
inline constexpr size_t kind_count = 19;

// v11 is the canary, v10 its control.
enum class Cohort : std::uint8_t { v10, v11 };
inline constexpr size_t cohort_count = 2;

inline constexpr std::array<std::string_view, kind_count> kind_names = {
	"write_started",      "write_ack",          "write_rejected",  "write_ledgered",
	"write_stored",       "write_receipt",      "pending_forever", "send_stall",
	"timeline_delivered", "timeline_duplicate", "read_cursor",     "read_rollback",
	"session_active",     "forced_resync",      "resync_request",  "resync_range_unavailable",
	"resync_throttled",   "full_state",         "recovery_done"};
inline constexpr std::array<std::string_view, cohort_count> cohort_names = {"v10", "v11"};

constexpr std::string_view
name(Kind kind) {
	return kind_names[static_cast<size_t>(kind)];
}

constexpr std::string_view
name(Cohort cohort) {
	return cohort_names[static_cast<size_t>(cohort)];
}

// Throw ERR_INVALID_ARGUMENT for a name that is none, listing those that there are.
Kind parse_kind(std::string_view text);
Cohort parse_cohort(std::string_view text);

using Uuid = std::array<std::uint8_t, 16>;

struct UuidHash {
	size_t
	operator()(const Uuid &uuid) const {
		// Some keys count upwards in either half; the product spreads them.
		std::uint64_t halves[2];
		std::memcpy(halves, uuid.data(), sizeof halves);
		return (halves[0] ^ (halves[1] * 0x9E3779B97F4A7C15u)) * 0x9E3779B97F4A7C15u;
	}
};

// As PostgreSQL writes it: 36 characters, lower case.
std::array<char, 36> to_text(const Uuid &uuid);

// One event as it is counted.
struct RawEvent {
	Time at{};
	Kind kind{};
	Cohort cohort{};
	bool has_actor = false;
	bool has_subject = false;
	bool has_value = false;
	Uuid actor{};
	Uuid subject{};
	double value = 0;
};

// Seconds and minutes since the epoch, negative before it.  Windows are open at their beginning and closed at their
// end, so an event at a whole second belongs to the second that ends there; a write, which counts when it becomes
// mature, one microsecond after a whole span of seconds, belongs to the one that begins there.
inline std::int64_t
event_second(Time at) {
	return std::chrono::floor<std::chrono::seconds>(at - Duration(1)).time_since_epoch().count();
}
inline std::int64_t
write_second(Time at) {
	return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}
inline std::int64_t
minute_of(std::int64_t second) {
	return second >= 0 ? second / 60 : -((59 - second) / 60);
}
inline std::uint32_t
second_of_minute(std::int64_t second) {
	return static_cast<std::uint32_t>(second - minute_of(second) * 60);
}
inline Time
second_start(std::int64_t second) {
	return Time(std::chrono::seconds(second));
}
inline Time
minute_start(std::int64_t minute) {
	return Time(std::chrono::minutes(minute));
}

// One event as far as its rules go; a null column is an empty optional.
struct EventFields {
	std::optional<Time> at; // -infinity and infinity are given as `at_infinite`
	bool at_infinite = false;
	std::optional<Kind> kind;
	std::optional<Cohort> cohort; // may be missing where there is an actor to work it out from
	bool has_actor = false;
	bool has_subject = false;
	std::optional<double> value; // milliseconds for durations
};

struct EventError {
	std::string_view field;
	std::string sentence; // begins with the field's name
	std::string hint;
	bool by_clock = false; // only the time of day speaks against it
};

// The first rule that the event breaks, or nothing.  `now` is the rule clock, `retention` how far back events count.
std::optional<EventError> check_event(const EventFields &event, Time now, Duration retention);

inline constexpr Duration event_max_ahead = std::chrono::seconds(5);
inline constexpr double event_max_value = 1e9;

// A write is answered in time when its receipt happened no later than this after its first ACK.
inline constexpr Duration receipt_limit = std::chrono::seconds(10);

// From the first ACK to the first moment at which the write is mature, that is, older than limit and grace together.
// A write belongs to that moment in every window, so a breach stays visible for exactly the window's length.
// The grace counts in whole seconds, rounded up, because writes are bucketed by the second of their ACK.
constexpr std::chrono::seconds
judged_after(Duration report_grace) {
	return std::chrono::ceil<std::chrono::seconds>(receipt_limit + report_grace);
}
constexpr Duration
maturity_delay(Duration report_grace) {
	return judged_after(report_grace) + Duration(1);
}

} // namespace chat_v11
