#pragma once

// The arguments p_from and p_to, as every function over a span of time takes them.

#include "core/refusal.hpp"
#include "pg/datum.hpp"

#include <algorithm>

namespace chat_v11 {

// (from, to]; `to` may lie in the future.
struct SpanArg {
	Time from, to;
};

// From arguments n and n + 1.  Throws ERR_INVALID_ARGUMENT, whose hint is `example`: a call as it should be.
inline SpanArg
span_arg(FunctionCallInfo fcinfo, int n, const std::string &example) {
	if (PG_ARGISNULL(n) || PG_ARGISNULL(n + 1))
		throw invalid_argument("p_from and p_to must not be null", {}, example);
	const auto from = PG_GETARG_TIMESTAMPTZ(n);
	const auto to = PG_GETARG_TIMESTAMPTZ(n + 1);
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(to) || from >= to)
		throw invalid_argument("p_from must be finite and before p_to", {}, example);
	// PostgreSQL knows moments that the core's clock does not reach; no event can lie there.
	constexpr TimestampTz least = -63'082'281'600'000'000; // year 1
	constexpr TimestampTz most = 252'455'616'000'000'000;  // year 10000
	return {pg::time_from_pg(std::clamp(from, least, most)), pg::time_from_pg(std::clamp(to, least, most))};
}

} // namespace chat_v11
