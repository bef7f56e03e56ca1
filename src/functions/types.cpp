// Input, output and binary form of the two one-byte types: by name outside, by number inside.

#include "core/event.hpp"
#include "core/refusal.hpp"
#include "pg/datum.hpp"

namespace chat_v11 {

namespace {

template <typename T, T (*Parse)(std::string_view)>
Datum
read_name(FunctionCallInfo fcinfo) {
	const char *text = PG_GETARG_CSTRING(0);
	return CharGetDatum(static_cast<char>(Parse(pg::to_utf8(text))));
}

template <typename T, size_t Count>
T
checked(char stored) {
	const auto number = static_cast<unsigned char>(stored);
	if (number >= Count)
		throw invalid_argument("stored number " + std::to_string(number) + " names nothing");
	return static_cast<T>(number);
}

template <typename T, size_t Count>
Datum
write_name(FunctionCallInfo fcinfo) {
	const auto text = name(checked<T, Count>(PG_GETARG_CHAR(0)));
	return pg::call([&] { return CStringGetDatum(pnstrdup(text.data(), text.size())); });
}

// The binary form is the name too, so that it does not depend on the numbers.
template <typename T, T (*Parse)(std::string_view)>
Datum
receive_name(FunctionCallInfo fcinfo) {
	auto *buffer = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
	int size = 0;
	const char *text = pg::call([&] { return pq_getmsgtext(buffer, buffer->len - buffer->cursor, &size); });
	return CharGetDatum(static_cast<char>(Parse(pg::to_utf8({text, static_cast<size_t>(size)}))));
}

template <typename T, size_t Count>
Datum
send_name(FunctionCallInfo fcinfo) {
	const auto text = name(checked<T, Count>(PG_GETARG_CHAR(0)));
	return pg::call([&] {
		StringInfoData buffer;
		pq_begintypsend(&buffer);
		pq_sendtext(&buffer, text.data(), static_cast<int>(text.size()));
		return PointerGetDatum(pq_endtypsend(&buffer));
	});
}

} // namespace

CHAT_V11_ENTRY(chat_v11_event_kind_in) {
	return read_name<Kind, parse_kind>(fcinfo);
}
CHAT_V11_ENTRY(chat_v11_event_kind_out) {
	return write_name<Kind, kind_count>(fcinfo);
}
CHAT_V11_ENTRY(chat_v11_event_kind_recv) {
	return receive_name<Kind, parse_kind>(fcinfo);
}
CHAT_V11_ENTRY(chat_v11_event_kind_send) {
	return send_name<Kind, kind_count>(fcinfo);
}

CHAT_V11_ENTRY(chat_v11_cohort_in) {
	return read_name<Cohort, parse_cohort>(fcinfo);
}
CHAT_V11_ENTRY(chat_v11_cohort_out) {
	return write_name<Cohort, cohort_count>(fcinfo);
}
CHAT_V11_ENTRY(chat_v11_cohort_recv) {
	return receive_name<Cohort, parse_cohort>(fcinfo);
}
CHAT_V11_ENTRY(chat_v11_cohort_send) {
	return send_name<Cohort, cohort_count>(fcinfo);
}

} // namespace chat_v11
