#pragma once

// Values across the boundary: PostgreSQL's Datum on one side, the core's types on the other.
// Texts of the core are UTF-8; the server may have another encoding.

#include "core/event.hpp"
#include "pg/boundary.hpp"

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11::pg {

// PostgreSQL counts from 2000-01-01.
inline constexpr auto pg_epoch = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);

inline Time
time_from_pg(TimestampTz at) {
	return Time(pg_epoch) + Duration(at);
}

inline TimestampTz
time_to_pg(Time at) {
	return (at - Time(pg_epoch)).count();
}

// The rule clock: chat_v11.mock_now where set, else the time of day.
Time now();
// The time of day, whatever is mocked.
Time real_now();

// Raises ERR_INVALID_ARGUMENT for bytes that are no text in the server's encoding.
std::string to_utf8(std::string_view server_text);
// Never fails: what is no text becomes '?'.
std::string to_utf8_lenient(std::string_view server_text);

// What the server's encoding cannot hold becomes '?': an annotation must not refuse the change that it annotates.
std::string from_utf8(std::string utf8);
// How a text will read once it was stored; what is hashed must be that.
std::string as_stored(const std::string &utf8);

// Arguments of a function, by position.
std::optional<std::string> text_arg(FunctionCallInfo fcinfo, int n);
std::optional<std::string> lenient_text_arg(FunctionCallInfo fcinfo, int n);

// Values on the way out; allocated in the current memory context.
Datum text_datum(const std::string &utf8);
Datum jsonb_datum(const std::string &utf8_json);
Datum interval_datum(Duration span);
Datum bytea_datum(const void *bytes, size_t size);
Datum text_array_datum(const std::vector<std::string> &utf8);
Datum time_array_datum(const std::vector<Time> &times);

inline Datum
time_datum(Time at) {
	return TimestampTzGetDatum(time_to_pg(at));
}

inline Uuid
uuid_from(Datum value) {
	Uuid uuid;
	std::memcpy(uuid.data(), DatumGetUUIDP(value)->data, uuid.size());
	return uuid;
}

// A row under construction: values by position, nulls where nothing is put.
class Row {
public:
	explicit Row(int columns)
		: values_(static_cast<size_t>(columns), Datum{}), nulls_(static_cast<size_t>(columns), 1) {}

	void
	put(int column, Datum value) {
		values_[static_cast<size_t>(column)] = value;
		nulls_[static_cast<size_t>(column)] = 0;
	}
	Datum *
	values() {
		return values_.data();
	}
	bool *
	nulls() {
		return reinterpret_cast<bool *>(nulls_.data());
	}
	int
	size() const {
		return static_cast<int>(values_.size());
	}

private:
	std::vector<Datum> values_;
	std::vector<char> nulls_; // bools that have an address
};

// Puts values one after another, as a function with many columns wants to.
class RowWriter {
public:
	explicit RowWriter(Row &row) : row_(row) {}
	RowWriter &
	operator<<(bool value) {
		return next(BoolGetDatum(value));
	}
	RowWriter &
	operator<<(int value) {
		return next(Int32GetDatum(value));
	}
	RowWriter &
	operator<<(std::int64_t value) {
		return next(Int64GetDatum(value));
	}
	RowWriter &
	operator<<(double value) {
		return next(call([&] { return Float8GetDatum(value); }));
	}
	// The uuid is not copied: it must live as long as the row.
	RowWriter &
	operator<<(const Uuid &value) {
		return next(PointerGetDatum(value.data()));
	}
	RowWriter &
	operator<<(Time value) {
		return next(time_datum(value));
	}
	RowWriter &
	operator<<(Duration value) {
		return next(interval_datum(value));
	}
	RowWriter &
	operator<<(const std::string &value) {
		return next(text_datum(value));
	}
	RowWriter &
	operator<<(std::string_view value) {
		return next(text_datum(std::string(value)));
	}
	RowWriter &
	operator<<(const char *value) {
		return next(text_datum(value));
	}
	RowWriter &
	operator<<(const std::vector<std::string> &value) {
		return next(text_array_datum(value));
	}
	RowWriter &
	datum(Datum value) {
		return next(value);
	}
	RowWriter &
	null() {
		++column_;
		return *this;
	}
	template <typename T>
	RowWriter &
	operator<<(const std::optional<T> &value) {
		return value ? *this << *value : null();
	}

private:
	RowWriter &
	next(Datum value) {
		row_.put(column_++, value);
		return *this;
	}
	Row &row_;
	int column_ = 0;
};

// The result of a function that returns one composite row.
Datum return_row(FunctionCallInfo fcinfo, Row &row);
int result_columns(FunctionCallInfo fcinfo);

// A set-returning function's result: rows go into a tuplestore.
class ResultSet {
public:
	explicit ResultSet(FunctionCallInfo fcinfo);
	int
	columns() const {
		return descriptor_->natts;
	}
	void put(Row &row);

private:
	Tuplestorestate *store_ = nullptr;
	TupleDesc descriptor_ = nullptr;
};

} // namespace chat_v11::pg
