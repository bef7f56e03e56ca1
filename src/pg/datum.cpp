#include "pg/datum.hpp"

#include "core/refusal.hpp"
#include "pg/settings.hpp"

#include <algorithm>

namespace chat_v11::pg {

namespace {

std::string_view
view_of(const text *t) {
	return {VARDATA_ANY(t), static_cast<size_t>(VARSIZE_ANY_EXHDR(t))};
}

std::string_view
raw_text_arg(FunctionCallInfo fcinfo, int n) {
	return view_of(call([&] { return PG_GETARG_TEXT_PP(n); }));
}

bool
is_valid(std::string_view text, int encoding) {
	return pg_verify_mbstr(encoding, text.data(), static_cast<int>(text.size()), true);
}

// Every encoding that a server may have holds these as they are.
bool
is_ascii(std::string_view text) {
	return std::none_of(text.begin(), text.end(), [](char c) { return IS_HIGHBIT_SET(c); });
}

std::string
ascii_only(std::string text) {
	for (auto &c : text)
		if (IS_HIGHBIT_SET(c))
			c = '?';
	return text;
}

// Of the character that begins there; 1 for what begins none.
size_t
character_length(std::string_view utf8, size_t at) {
	const auto *bytes = reinterpret_cast<const unsigned char *>(utf8.data()) + at;
	const int length = pg_utf_mblen(bytes);
	const auto left = utf8.size() - at;
	return static_cast<size_t>(length) <= left && pg_utf8_islegal(bytes, length) ? static_cast<size_t>(length) : 1;
}

// In the server's encoding; nothing where that cannot hold it.
std::optional<std::string>
converted(const std::string &utf8) {
	try {
		const char *text = call([&] {
			return pg_any_to_server(pnstrdup(utf8.data(), utf8.size()), static_cast<int>(utf8.size()), PG_UTF8);
		});
		return text;
	} catch (const Error &e) {
		// The conversion took no resource that an abort would have to give back.
		if (ERRCODE_TO_CATEGORY(e.sqlstate()) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION))
			throw;
		return std::nullopt;
	}
}

} // namespace

Time
real_now() {
	return time_from_pg(GetCurrentTimestamp());
}

Time
now() {
	const auto mocked = mock_now();
	return mocked ? *mocked : real_now();
}

std::string
to_utf8(std::string_view server_text) {
	const int encoding = GetDatabaseEncoding();
	// A database without an encoding holds whatever bytes it was given.
	const int source = encoding == PG_SQL_ASCII ? PG_UTF8 : encoding;
	if (!is_valid(server_text, source))
		throw invalid_argument("text is not valid in its encoding", {}, "Send UTF-8, and set client_encoding to it.");
	if (source == PG_UTF8 || is_ascii(server_text))
		return std::string(server_text);
	try {
		const char *converted = call([&] {
			return pg_server_to_any(pnstrdup(server_text.data(), server_text.size()),
									static_cast<int>(server_text.size()), PG_UTF8);
		});
		return converted;
	} catch (const Error &e) {
		// A character that has none in Unicode; the conversion took no resource that an abort would have to give back.
		if (ERRCODE_TO_CATEGORY(e.sqlstate()) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION))
			throw;
		throw invalid_argument("text has a character that UTF-8 has not", ascii_only(e.what()));
	}
}

std::string
to_utf8_lenient(std::string_view server_text) {
	try {
		return to_utf8(server_text);
	} catch (const Refusal &) {
	} catch (const Error &) {
	}
	return ascii_only(std::string(server_text));
}

std::string
from_utf8(std::string utf8) {
	// No text of the server has a NUL, and JSON may bring one.
	std::replace(utf8.begin(), utf8.end(), '\0', '?');
	const int encoding = GetDatabaseEncoding();
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || is_ascii(utf8))
		return utf8;
	// Between the transactions of a worker nothing can be looked up, not even how to convert.
	if (!IsTransactionState())
		return ascii_only(std::move(utf8));
	if (auto whole = converted(utf8))
		return *std::move(whole);
	// Then only what the encoding cannot hold becomes a question mark.
	std::string text;
	for (size_t at = 0; at < utf8.size();) {
		const auto length = character_length(utf8, at);
		const auto character = utf8.substr(at, length);
		text += length == 1 && is_ascii(character) ? character : converted(character).value_or("?");
		at += length;
	}
	return text;
}

std::string
as_stored(const std::string &utf8) {
	return to_utf8_lenient(from_utf8(utf8));
}

std::optional<std::string>
text_arg(FunctionCallInfo fcinfo, int n) {
	if (PG_ARGISNULL(n))
		return std::nullopt;
	return to_utf8(raw_text_arg(fcinfo, n));
}

std::optional<std::string>
lenient_text_arg(FunctionCallInfo fcinfo, int n) {
	if (PG_ARGISNULL(n))
		return std::nullopt;
	return to_utf8_lenient(raw_text_arg(fcinfo, n));
}

Datum
text_datum(const std::string &utf8) {
	const auto server = from_utf8(utf8);
	return call(
		[&] { return PointerGetDatum(cstring_to_text_with_len(server.data(), static_cast<int>(server.size()))); });
}

Datum
jsonb_datum(const std::string &utf8_json) {
	const auto server = from_utf8(utf8_json);
	return call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(server.c_str())); });
}

Datum
interval_datum(Duration span) {
	return call([&] {
		auto *interval = static_cast<Interval *>(palloc0(sizeof(Interval)));
		interval->time = span.count();
		return IntervalPGetDatum(interval);
	});
}

Datum
bytea_datum(const void *bytes, size_t size) {
	return call([&] {
		auto *copy = static_cast<bytea *>(palloc(VARHDRSZ + size));
		SET_VARSIZE(copy, VARHDRSZ + size);
		memcpy(VARDATA(copy), bytes, size);
		return PointerGetDatum(copy);
	});
}

Datum
text_array_datum(const std::vector<std::string> &utf8) {
	std::vector<Datum> elements;
	elements.reserve(utf8.size());
	for (const auto &each : utf8)
		elements.push_back(text_datum(each));
	return call([&] {
		return PointerGetDatum(
			construct_array(elements.data(), static_cast<int>(elements.size()), TEXTOID, -1, false, TYPALIGN_INT));
	});
}

Datum
time_array_datum(const std::vector<Time> &times) {
	std::vector<Datum> elements;
	elements.reserve(times.size());
	for (const auto each : times)
		elements.push_back(time_datum(each));
	return call([&] {
		return PointerGetDatum(construct_array(elements.data(), static_cast<int>(elements.size()), TIMESTAMPTZOID,
											   sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	});
}

namespace {

TupleDesc
result_type(FunctionCallInfo fcinfo) {
	return call([&] {
		TupleDesc descriptor = nullptr;
		if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		return descriptor;
	});
}

} // namespace

int
result_columns(FunctionCallInfo fcinfo) {
	return result_type(fcinfo)->natts;
}

Datum
return_row(FunctionCallInfo fcinfo, Row &row) {
	const auto descriptor = result_type(fcinfo);
	return call(
		[&] { return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), row.values(), row.nulls())); });
}

ResultSet::ResultSet(FunctionCallInfo fcinfo) {
	call([&] {
		auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
		if (!result || !IsA(result, ReturnSetInfo) || !(result->allowedModes & SFRM_Materialize))
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("set-valued function called in context that cannot accept a set")));
		const MemoryContext old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
		TupleDesc descriptor = nullptr;
		Oid type = InvalidOid;
		const auto returned = get_call_result_type(fcinfo, &type, &descriptor);
		if (returned == TYPEFUNC_SCALAR) {
			descriptor = CreateTemplateTupleDesc(1);
			TupleDescInitEntry(descriptor, 1, "line", type, -1, 0);
		} else if (returned != TYPEFUNC_COMPOSITE) {
			elog(ERROR, "return type must be a row type or one value");
		}
		descriptor_ = CreateTupleDescCopy(descriptor);
		store_ = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
		result->returnMode = SFRM_Materialize;
		result->setResult = store_;
		result->setDesc = descriptor_;
		MemoryContextSwitchTo(old);
	});
}

void
ResultSet::put(Row &row) {
	check_for_interrupts();
	call([&] { tuplestore_putvalues(store_, descriptor_, row.values(), row.nulls()); });
}

} // namespace chat_v11::pg
