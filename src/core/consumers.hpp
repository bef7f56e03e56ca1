#pragma once

// Consumers of the state that say which version they run.

#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chat_v11 {

inline constexpr size_t max_consumer_bytes = 256;

// A poller says the same again and again; only so often is that written down.
inline constexpr Duration ack_refresh = std::chrono::seconds(30);

// Who has not been heard of for so long is no consumer any more.
inline constexpr Duration consumer_silence = std::chrono::hours(24);

struct Ack {
	std::int64_t version;
	Time seen_at;
};

// Throws ERR_INVALID_ARGUMENT for a name that is empty, too long or has control characters, and for a version below 0
// or above the present one.
void validate_ack(std::string_view consumer, std::int64_t version, std::int64_t present);

// Whether an acknowledgement says anything that the stored one does not.
bool ack_is_news(const std::optional<Ack> &stored, std::int64_t version, Time now);

} // namespace chat_v11
