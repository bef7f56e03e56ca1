#include "pg/ring_reader.hpp"

#include "pg/datum.hpp"

#include <cstring>

namespace chat_v11::pg {

void
read_event(const HeapTupleHeaderData *tuple, RawEvent &event) {
	const auto *data = reinterpret_cast<const char *>(tuple) + tuple->t_hoff;
	const bool has_nulls = tuple->t_infomask & HEAP_HASNULL;
	const auto is_there = [&](int column) { return !has_nulls || !att_isnull(column, tuple->t_bits); };
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
	if (event.has_value)
		std::memcpy(&event.value, data + MAXALIGN(offset), sizeof event.value);
}

} // namespace chat_v11::pg
