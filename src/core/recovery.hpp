#pragma once

// Limits of recovery, so that clients that all lost their place at once do not bring down what they recover from.

#include "core/event.hpp"
#include "core/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chat_v11 {

// How long an actor still has to wait, or nothing where a full state is due.  `admitted` is when the dialog last had
// one.  A clock that was set back by more than the interval silences nobody: what lies that far ahead is not believed.
std::optional<Duration> full_state_wait(std::optional<Time> admitted, Time now, Duration interval);

// Admissions are remembered in two tables that take turns, a turn being this long: four intervals, 4 min at least, so
// that the one at rest has nothing that counts for three quarters of it, and can be emptied.
inline constexpr int admission_tables = 2;
constexpr Duration
admission_turn(Duration interval) {
	constexpr Duration least = std::chrono::minutes(4);
	return interval * 4 > least ? interval * 4 : least;
}
int admission_table(Time now, Duration interval); // the one that is written to

// Whether the other one may hold what counts for full_state_wait(): by the times of its rows it does not in the middle
// of a turn.  That is so for rows that were written with the interval in force; `interval_since` is when, as far as the
// caller knows, it came.  A clock that was set back across either is covered.
bool resting_may_count(Time now, Duration interval, Time interval_since);

// Seconds to tell a caller: whole ones, rounded up, so that who waits that long does not come too early.
std::int64_t seconds_to_wait(Duration wait);

// Milliseconds before attempt 1, 2, ...: base * 2^(attempt - 1), `cap` at most, less a jitter of up to a quarter of
// it, which is the same for the same key and attempt.  MurmurHash3 x86_32, seed 0, of "KEY:ATTEMPT" scales it:
// step - floor(floor(step / 4) * hash / 2^32), in milliseconds.  So steps never overlap, and none exceeds the cap.
inline constexpr int backoff_factor = 2;
inline constexpr int backoff_jitter_part = 4; // one part in so many
std::int32_t resync_backoff_ms(std::int64_t attempt, std::string_view key, Duration base, Duration cap);

// Throws ERR_INVALID_ARGUMENT where settings that belong together contradict each other.
void validate_recovery(const Settings &settings);

// What clients follow, as JSON.  `version` is the log's row that made it, 0 as installed.
std::string recovery_policy_json(const Settings &settings, std::int64_t version);

// A stream's name is any text of 1 to 1,000 bytes.  Throws ERR_INVALID_ARGUMENT for another.
void validate_stream(std::string_view stream);

// The uuid that a text is, in the form in which PostgreSQL writes it or without its hyphens, in either case.
std::optional<Uuid> parse_uuid(std::string_view text);

} // namespace chat_v11
