#include "pg/settings.hpp"

#include "pg/boundary.hpp"
#include "pg/datum.hpp"
#include "pg/fault.hpp"

namespace chat_v11::pg {

namespace {

char *mock_now_text = nullptr;
bool mocked = false;
TimestampTz mocked_at = 0;
int bucket_retention_s = 30 * 86400;
int kill_gate_timeout = 1000;
char *fault_text = nullptr;

// A moment, read once when it is set: "now" then stands still, as a mocked clock does.
bool
check_mock_now(char **newval, void **extra, GucSource) {
	if (!*newval || !**newval)
		return true;
	TimestampTz at = 0;
	auto parse = [&] {
		at = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(*newval),
													 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	};
	// The parser raises; a check hook answers.
	if (!detail::completes(parse)) {
		FlushErrorState();
		GUC_check_errdetail("It must be a timestamp with time zone, or empty for the real clock.");
		return false;
	}
	if (TIMESTAMP_NOT_FINITE(at)) {
		GUC_check_errdetail("It must be finite.");
		return false;
	}
#if PG_VERSION_NUM >= 160000
	auto *copy = static_cast<TimestampTz *>(guc_malloc(LOG, sizeof(TimestampTz)));
#else
	auto *copy = static_cast<TimestampTz *>(malloc(sizeof(TimestampTz)));
#endif
	if (!copy)
		return false;
	*copy = at;
	*extra = copy;
	return true;
}

void
assign_mock_now(const char *, void *extra) {
	mocked = extra != nullptr;
	mocked_at = mocked ? *static_cast<TimestampTz *>(extra) : 0;
}

} // namespace

void
define_settings() {
	DefineCustomStringVariable("chat_v11.mock_now", "Lets the rule clock stand at this moment.",
							   "For tests and drills; empty for the real clock.  Everything written under it says so.",
							   &mock_now_text, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, check_mock_now, assign_mock_now,
							   nullptr);
	DefineCustomIntVariable("chat_v11.bucket_retention", "How long telemetry counts.",
							"Older events are refused on the way in, and may be deleted.", &bucket_retention_s,
							30 * 86400, 86400, INT_MAX, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("chat_v11.kill_gate_timeout",
							"Longest time that a kill spends on reading the gates it logs.",
							"After that the kill goes on and logs the gates as unavailable.", &kill_gate_timeout, 1000,
							10, 60000, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomStringVariable("chat_v11.fault", "Test aid: makes the n-th crossing into the server go wrong.",
							   "KIND:N with KIND exception, bad_alloc, error or cancel; empty for none.", &fault_text,
							   "", PGC_SUSET, GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL, check_fault, assign_fault, nullptr);
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved("chat_v11");
#else
	EmitWarningsOnPlaceholders("chat_v11");
#endif
}

std::optional<Time>
mock_now() {
	return mocked ? std::optional(time_from_pg(mocked_at)) : std::nullopt;
}

Duration
bucket_retention() {
	return std::chrono::seconds(bucket_retention_s);
}

int
kill_gate_timeout_ms() {
	return kill_gate_timeout;
}

} // namespace chat_v11::pg
