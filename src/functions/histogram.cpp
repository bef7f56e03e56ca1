// The type chat_v11.histogram and its aggregates.  A value is a varlena with the stored form
// (core/histogram_codec.cpp); while an aggregate runs, its state is one with core/histogram_state.hpp's form instead,
// changed in place.

#include "core/histogram_state.hpp"
#include "core/refusal.hpp"
#include "pg/datum.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

// As it lies in memory, perhaps with a short header; only compressed or moved out values are fetched.
std::string_view
bytes_of(Datum datum) {
	auto *value = reinterpret_cast<varlena *>(DatumGetPointer(datum));
	if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
		value = pg::call([&] { return pg_detoast_datum_packed(value); });
	return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

Histogram
histogram_arg(FunctionCallInfo fcinfo, int n) {
	return histogram_state::read(bytes_of(PG_GETARG_DATUM(n)));
}

Datum
histogram_datum(const Histogram &histogram) {
	const auto bytes = histogram.encode();
	return pg::bytea_datum(bytes.data(), bytes.size());
}

Datum
state_datum(const Histogram &histogram, BinRange range) {
	const auto size = VARHDRSZ + histogram_state::size_of(range);
	auto *state = static_cast<varlena *>(pg::call([&] { return palloc(size); }));
	SET_VARSIZE(state, size);
	histogram_state::write(VARDATA(state), range, histogram);
	return PointerGetDatum(state);
}

// Bins that a histogram which is not empty reaches over.
BinRange
reach(const Histogram &histogram) {
	int first = Histogram::bin_count;
	int last = 0;
	histogram.for_each([&](int bin, std::int64_t) {
		first = std::min(first, bin);
		last = std::max(last, bin);
	});
	return {first, last - first + 1};
}

// A state that may be changed in place: as first argument of a running aggregate it belongs to that.  Whoever calls a
// transition function by hand passes a value that belongs to somebody else.
struct OwnState {
	char *bytes = nullptr;
	BinRange range;
};

OwnState
own_state(FunctionCallInfo fcinfo, bool in_aggregate) {
	auto *value = reinterpret_cast<varlena *>(PG_GETARG_POINTER(0));
	if (!in_aggregate || VARATT_IS_EXTENDED(value))
		return {};
	const auto range = histogram_state::range_of({VARDATA(value), VARSIZE(value) - VARHDRSZ});
	return range ? OwnState{VARDATA(value), *range} : OwnState{};
}

// Does not raise, so it needs no pg::call, whose set-up would cost more than the rest of a transition.
bool
called_by_aggregate(FunctionCallInfo fcinfo) {
	return AggCheckCallContext(fcinfo, nullptr) != 0;
}

} // namespace

CHAT_V11_ENTRY(chat_v11_histogram_in) {
	return histogram_datum(Histogram::parse(PG_GETARG_CSTRING(0)));
}

CHAT_V11_ENTRY(chat_v11_histogram_out) {
	const auto text = histogram_arg(fcinfo, 0).to_text();
	return pg::call([&] { return CStringGetDatum(pnstrdup(text.data(), text.size())); });
}

CHAT_V11_ENTRY(chat_v11_histogram_recv) {
	auto *buffer = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
	const int size = buffer->len - buffer->cursor;
	const char *bytes = pg::call([&] { return pq_getmsgbytes(buffer, size); });
	return histogram_datum(Histogram::decode({bytes, static_cast<size_t>(size)}));
}

CHAT_V11_ENTRY(chat_v11_histogram_send) {
	return histogram_datum(histogram_arg(fcinfo, 0)); // a bytea is the same varlena
}

CHAT_V11_ENTRY(chat_v11_histogram_count) {
	PG_RETURN_INT64(histogram_arg(fcinfo, 0).count());
}

CHAT_V11_ENTRY(chat_v11_histogram_quantile) {
	const auto value = histogram_arg(fcinfo, 0).quantile(PG_GETARG_FLOAT8(1));
	if (!value)
		PG_RETURN_NULL();
	return pg::call([&] { return Float8GetDatum(*value); });
}

CHAT_V11_ENTRY(chat_v11_histogram_exceeding) {
	PG_RETURN_INT64(histogram_arg(fcinfo, 0).exceeding(PG_GETARG_FLOAT8(1)));
}

CHAT_V11_ENTRY(chat_v11_histogram_eq) {
	PG_RETURN_BOOL(histogram_arg(fcinfo, 0) == histogram_arg(fcinfo, 1));
}
CHAT_V11_ENTRY(chat_v11_histogram_ne) {
	PG_RETURN_BOOL(!(histogram_arg(fcinfo, 0) == histogram_arg(fcinfo, 1)));
}

// One value more.  Not STRICT: there is no state before the first value, and a null value changes nothing.
CHAT_V11_ENTRY(chat_v11_histogram_add) {
	if (PG_ARGISNULL(1)) {
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		return PG_GETARG_DATUM(0);
	}
	const double value = PG_GETARG_FLOAT8(1);
	const bool in_aggregate = called_by_aggregate(fcinfo);
	if (!PG_ARGISNULL(0) && value >= 0) {
		const int bin = Histogram::bin_of(value);
		if (const auto state = own_state(fcinfo, in_aggregate); state.range.contains(bin)) {
			histogram_state::add(state.bytes, state.range, bin);
			return PG_GETARG_DATUM(0);
		}
	}
	auto histogram = PG_ARGISNULL(0) ? Histogram() : histogram_arg(fcinfo, 0);
	histogram.add(value);
	if (!in_aggregate)
		return histogram_datum(histogram);
	const auto before = PG_ARGISNULL(0) ? OwnState{} : own_state(fcinfo, true);
	const auto reached = reach(histogram);
	return state_datum(histogram, before.range.widened(reached.first, reached.first + reached.size - 1));
}

// Transition and combine function of the aggregates, and the operator +.
CHAT_V11_ENTRY(chat_v11_histogram_merge) {
	const bool in_aggregate = called_by_aggregate(fcinfo);
	const auto other = histogram_arg(fcinfo, 1);
	const auto state = own_state(fcinfo, in_aggregate);
	if (in_aggregate && other.empty())
		return PG_GETARG_DATUM(0);
	const auto reached = reach(other);
	if (state.bytes && state.range.contains(reached.first) && state.range.contains(reached.first + reached.size - 1)) {
		histogram_state::add(state.bytes, state.range, other);
		return PG_GETARG_DATUM(0);
	}
	auto sum = histogram_arg(fcinfo, 0);
	sum += other;
	if (!in_aggregate)
		return histogram_datum(sum);
	const auto all = reach(sum);
	return state_datum(sum, state.range.widened(all.first, all.first + all.size - 1));
}

CHAT_V11_ENTRY(chat_v11_histogram_final) {
	return histogram_datum(histogram_arg(fcinfo, 0));
}

} // namespace chat_v11
