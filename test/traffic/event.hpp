#pragma once

// One event, and how it is written.

#include "options.hpp"
#include "users.hpp"

#include <array>
#include <compare>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace traffic {

enum class Kind : std::uint8_t {
	write_started,
	write_ack,
	write_rejected,
	write_receipt,
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

inline constexpr std::array<std::string_view, 16> kind_names = {
	"write_started",
	"write_ack",
	"write_rejected",
	"write_receipt",
	"send_stall",
	"timeline_delivered",
	"timeline_duplicate",
	"read_cursor",
	"read_rollback",
	"session_active",
	"forced_resync",
	"resync_request",
	"resync_range_unavailable",
	"resync_throttled",
	"full_state",
	"recovery_done",
};

struct Subject {
	std::uint64_t high = 0; // both 0: null
	std::uint64_t low = 0;
	auto operator<=>(const Subject &) const = default;
};

inline constexpr std::int64_t no_value = -1;

struct Event {
	Micros at;
	Kind kind;
	UserIndex actor; // gives the cohort, too
	Subject subject = {};
	std::int64_t value = no_value; // in thousandths
	// By time; the rest only makes the order the same everywhere.
	auto operator<=>(const Event &) const = default;
};

// Writes events as lines for COPY ... FROM STDIN.  Throws std::system_error where the file takes no more.
class Writer {
public:
	Writer(const Users &all_users, std::FILE *output);
	void write(const Event &event);
	void flush();

private:
	const Users &users;
	std::FILE *file;
	std::vector<char> buffer;
	size_t used = 0;
	Micros shown_second = -1; // what the prefix below is for
	std::string prefix;
};

} // namespace traffic
