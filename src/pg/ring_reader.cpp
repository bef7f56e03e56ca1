#include "pg/ring_reader.hpp"

#include "core/varint.hpp"
#include "pg/datum.hpp"

#include <cstring>

namespace chat_v11::pg {

void
read_event(const HeapTupleHeaderData *tuple, size_t length, RawEvent &event) {
	const auto *data = reinterpret_cast<const char *>(tuple) + tuple->t_hoff;
	const bool has_nulls = tuple->t_infomask & HEAP_HASNULL;
	const auto is_there = [&](int column) { return !has_nulls || !att_isnull(column, tuple->t_bits); };
	if (length < tuple->t_hoff + size_t{10} || HeapTupleHeaderGetNatts(tuple) < event_columns || !is_there(0) ||
		!is_there(1) || !is_there(2) || static_cast<std::uint8_t>(data[8]) >= kind_count ||
		static_cast<std::uint8_t>(data[9]) >= cohort_count)
		throw CorruptBytes("a file of chat_v11.event has a row that is no event");
	TimestampTz at = 0;
	std::memcpy(&at, data, sizeof at);
	event.at = time_from_pg(at);
	event.kind = static_cast<Kind>(data[8]);
	event.cohort = static_cast<Cohort>(data[9]);
	size_t offset = 10;
	event.has_actor = is_there(3);
	if (event.has_actor) {
		std::memcpy(event.actor.data(), data + offset, event.actor.size());
		offset += event.actor.size();
	}
	event.has_subject = is_there(4);
	if (event.has_subject) {
		std::memcpy(event.subject.data(), data + offset, event.subject.size());
		offset += event.subject.size();
	}
	event.has_value = is_there(5);
	if (tuple->t_hoff + (event.has_value ? MAXALIGN(offset) + sizeof event.value : offset) > length)
		throw CorruptBytes("a file of chat_v11.event has a row that is too short");
	if (event.has_value)
		std::memcpy(&event.value, data + MAXALIGN(offset), sizeof event.value);
}

} // namespace chat_v11::pg
