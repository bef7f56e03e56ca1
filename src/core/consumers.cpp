#include "core/consumers.hpp"

#include "core/refusal.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

// Of UTF-8: those of ASCII, and U+0080 to U+009F.
bool
has_control(std::string_view text) {
	unsigned char before = 0;
	return std::any_of(text.begin(), text.end(), [&](char c) {
		const auto byte = static_cast<unsigned char>(c);
		const bool upper = before == 0xC2 && byte >= 0x80 && byte <= 0x9F;
		before = byte;
		return byte < 0x20 || byte == 0x7F || upper;
	});
}

} // namespace

void
validate_ack(std::string_view consumer, std::int64_t version, std::int64_t present) {
	if (consumer.empty() || consumer.size() > max_consumer_bytes)
		throw invalid_argument("the consumer's name must have 1 to " + std::to_string(max_consumer_bytes) + " bytes",
							   "It has " + std::to_string(consumer.size()) + ".",
							   "Name the process, so that it is the same after a restart: 'chat-backend-7'.");
	if (has_control(consumer))
		throw invalid_argument("the consumer's name has control characters", {},
							   "Name the process, so that it is the same after a restart: 'chat-backend-7'.");
	if (version < 0)
		throw invalid_argument("p_version must be 0 or more", "It is " + std::to_string(version) + ".",
							   "select version from public.chat_get_v11_rollout_state();");
	if (version > present)
		throw invalid_argument("version " + std::to_string(version) + " is ahead of the present one, " +
								   std::to_string(present),
							   "Only a version that was read here can be acknowledged here.",
							   "select version from public.chat_get_v11_rollout_state();");
}

bool
ack_is_news(const std::optional<Ack> &stored, std::int64_t version, Time now) {
	// A clock that was set back must not silence anybody.
	return !stored || stored->version != version || now - stored->seen_at >= ack_refresh || stored->seen_at > now;
}

} // namespace chat_v11
