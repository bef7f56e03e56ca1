#include "pg/trigger.hpp"

#include "pg/on_commit.hpp"

#include <set>

extern "C" {
#include "replication/logicalworker.h"
#include "utils/datum.h"
}

namespace chat_v11::pg {

TriggerCall::TriggerCall(FunctionCallInfo fcinfo)
	: data_(reinterpret_cast<TriggerData *>(fcinfo->context)), depth_(DatumGetInt32(pg_trigger_depth(fcinfo))) {
	if (!CALLED_AS_TRIGGER(fcinfo))
		call([] {
			ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
							errmsg("function must be called as a trigger")));
		});
}

const char *
TriggerCall::operation() const {
	return is_insert() ? "INSERT" : is_update() ? "UPDATE" : is_delete() ? "DELETE" : "TRUNCATE";
}

bool
TriggerCall::is_applied() const {
	return IsLogicalWorker() && depth_ == 1;
}

bool
TriggerCall::has(const char *column) const {
	return call([&] { return SPI_fnumber(data_->tg_relation->rd_att, column) > 0; });
}

int
TriggerCall::number_of(const char *column) const {
	return call([&] {
		const int number = SPI_fnumber(data_->tg_relation->rd_att, column);
		if (number <= 0)
			elog(ERROR, "table %s has no column %s", RelationGetRelationName(data_->tg_relation), column);
		return number;
	});
}

std::optional<Datum>
TriggerCall::value(HeapTuple row, const char *column) const {
	bool is_null = true;
	const int number = number_of(column);
	const Datum datum = call([&] { return heap_getattr(row, number, data_->tg_relation->rd_att, &is_null); });
	return is_null ? std::nullopt : std::optional(datum);
}

std::optional<bool>
TriggerCall::boolean(HeapTuple row, const char *column) const {
	const auto datum = value(row, column);
	return datum ? std::optional(DatumGetBool(*datum)) : std::nullopt;
}

std::optional<std::int64_t>
TriggerCall::bigint(HeapTuple row, const char *column) const {
	const auto datum = value(row, column);
	return datum ? std::optional<std::int64_t>(DatumGetInt64(*datum)) : std::nullopt;
}

std::optional<Time>
TriggerCall::time(HeapTuple row, const char *column) const {
	const auto datum = value(row, column);
	return datum ? std::optional(time_from_pg(DatumGetTimestampTz(*datum))) : std::nullopt;
}

std::optional<std::string>
TriggerCall::text(HeapTuple row, const char *column) const {
	const auto datum = value(row, column);
	if (!datum)
		return std::nullopt;
	const auto *t = call([&] { return reinterpret_cast<struct varlena *>(PG_DETOAST_DATUM_PACKED(*datum)); });
	return to_utf8_lenient({VARDATA_ANY(t), static_cast<size_t>(VARSIZE_ANY_EXHDR(t))});
}

std::optional<std::string>
TriggerCall::bytes(HeapTuple row, const char *column) const {
	const auto datum = value(row, column);
	if (!datum)
		return std::nullopt;
	const auto *b = call([&] { return DatumGetByteaPP(*datum); });
	return std::string(VARDATA_ANY(b), static_cast<size_t>(VARSIZE_ANY_EXHDR(b)));
}

std::optional<std::string>
TriggerCall::output(HeapTuple row, const char *column) const {
	const int number = number_of(column);
	const char *text = call([&] { return SPI_getvalue(row, data_->tg_relation->rd_att, number); });
	return text ? std::optional(to_utf8_lenient(text)) : std::nullopt;
}

bool
TriggerCall::differs(const char *column) const {
	const auto before = value(old_row(), column);
	const auto after = value(new_row(), column);
	if (before.has_value() != after.has_value())
		return true;
	if (!before)
		return false;
	const auto *attribute = TupleDescAttr(data_->tg_relation->rd_att, number_of(column) - 1);
	return !call([&] {
		Datum a = *before;
		Datum b = *after;
		if (attribute->attlen == -1) {
			a = PointerGetDatum(PG_DETOAST_DATUM(a));
			b = PointerGetDatum(PG_DETOAST_DATUM(b));
		}
		return datumIsEqual(a, b, attribute->attbyval, attribute->attlen);
	});
}

Datum
TriggerCall::as_datum(HeapTuple row) const {
	return call([&] { return heap_copy_tuple_as_datum(row, data_->tg_relation->rd_att); });
}

Oid
TriggerCall::row_type() const {
	return data_->tg_relation->rd_rel->reltype;
}

TriggerCall::Replacement::Replacement(const TriggerCall &trigger) : trigger_(trigger) {}

void
TriggerCall::Replacement::set(const char *column, Datum value) {
	columns_.push_back(trigger_.number_of(column));
	values_.push_back(value);
	nulls_.push_back(0);
}

void
TriggerCall::Replacement::set_null(const char *column) {
	columns_.push_back(trigger_.number_of(column));
	values_.push_back(Datum{});
	nulls_.push_back(1);
}

HeapTuple
TriggerCall::Replacement::apply() const {
	return call([&] {
		return heap_modify_tuple_by_cols(trigger_.new_row(), trigger_.data_->tg_relation->rd_att,
										 static_cast<int>(columns_.size()), const_cast<int *>(columns_.data()),
										 const_cast<Datum *>(values_.data()),
										 reinterpret_cast<bool *>(const_cast<char *>(nulls_.data())));
	});
}

Datum
pass_over(const TriggerCall &trigger) {
	static std::set<std::string> told;
	if (told.insert(trigger.table()).second)
		log_now("chat_v11: rows of chat_v11." + trigger.table() +
				" that come by subscription are passed over, this server has its own");
	return PointerGetDatum(nullptr);
}

} // namespace chat_v11::pg
