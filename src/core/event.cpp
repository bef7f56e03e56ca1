#include "core/event.hpp"

#include "core/refusal.hpp"

#include <algorithm>
#include <cmath>

namespace chat_v11 {

namespace {

template <typename T, size_t N>
T
parse_name(const std::array<std::string_view, N> &names, std::string_view text, const char *what) {
	const auto found = std::find(names.begin(), names.end(), text);
	if (found != names.end())
		return static_cast<T>(found - names.begin());
	std::string known;
	for (const auto each : names)
		known += (known.empty() ? "" : ", ") + std::string(each);
	throw invalid_argument(std::string("unknown ") + what + " \"" + std::string(text) + "\"", {},
						   std::string("It is one of: ") + known + ".");
}

// Kinds that mean nothing without the key that pairs them.
bool
needs_subject(Kind kind) {
	return kind == Kind::write_ack || kind == Kind::write_receipt || kind == Kind::write_ledgered ||
		   kind == Kind::write_stored;
}

} // namespace

Kind
parse_kind(std::string_view text) {
	return parse_name<Kind>(kind_names, text, "event kind");
}

Cohort
parse_cohort(std::string_view text) {
	return parse_name<Cohort>(cohort_names, text, "cohort");
}

std::array<char, 36>
to_text(const Uuid &uuid) {
	static constexpr char digits[] = "0123456789abcdef";
	std::array<char, 36> text{};
	size_t at = 0;
	for (size_t i = 0; i < uuid.size(); ++i) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		text[at++] = digits[uuid[i] >> 4];
		text[at++] = digits[uuid[i] & 15];
	}
	return text;
}

std::optional<EventError>
check_event(const EventFields &event, Time now, Duration retention) {
	if (!event.kind)
		return EventError{"kind", "kind is missing", {}};
	if (!event.cohort && !event.has_actor)
		return EventError{"cohort", "cohort is missing, and there is no actor to work it out from",
						  "It is v11 (canary) or v10 (control); an event with an actor may leave it out."};
	if (event.at_infinite)
		return EventError{"at", "at is infinite", {}};
	if (!event.at)
		return EventError{"at", "at is missing", "Leave the column out to have the present time."};
	if (*event.at > now + event_max_ahead)
		return EventError{"at", "at lies in the future: " + format_utc(*event.at) + ", and it is " + format_utc(now),
						  "At most 5 s ahead are taken; check the clock of the machine that reports.", true};
	if (*event.at < now - retention)
		return EventError{"at", "at is older than what is kept: " + format_utc(*event.at),
						  "Events of the last " + format_duration(retention) + " are taken.", true};
	if (!event.has_subject && needs_subject(*event.kind))
		return EventError{"subject", "subject is missing, and a " + std::string(name(*event.kind)) + " is paired by it",
						  "Give the write's own uuid, or chat_v11.write_key(actor, device, client_write_seq)."};
	if (event.value && !(std::isfinite(*event.value) && *event.value >= 0 && *event.value <= event_max_value))
		return EventError{"value", "value must be finite and from 0 to 1e9", "Durations are in milliseconds."};
	return std::nullopt;
}

} // namespace chat_v11
