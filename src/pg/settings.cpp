#include "pg/settings.hpp"

#include "pg/boundary.hpp"
#include "pg/datum.hpp"
#include "pg/fault.hpp"
#include "pg/spi.hpp"

#include <algorithm>
#include <cstring>

extern "C" {
#include "utils/varlena.h"
}

namespace chat_v11::pg {

namespace {

char *mock_now_text = nullptr;
bool mocked = false;
TimestampTz mocked_at = 0;
int bucket_retention_s = 30 * 86400;
int raw_retention_s = 86400;
int write_retention_s = 2 * 86400;
int most_analysis_units = 1'000'000;
int kill_gate_timeout = 1000;
int gate_timeout = 2000;
int guard_interval_ms = 1000;
char *guard_databases_text = nullptr;
char *fault_text = nullptr;
int ddl_freeze_mode = static_cast<int>(DdlFreeze::warn);
const config_enum_entry ddl_freeze_modes[] = {{"off", static_cast<int>(DdlFreeze::off), false},
											  {"warn", static_cast<int>(DdlFreeze::warn), false},
											  {"refuse", static_cast<int>(DdlFreeze::refuse), false},
											  {nullptr, 0, false}};

void *
guc_allocate(size_t size) {
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

void
guc_release(void *pointer) {
#if PG_VERSION_NUM >= 160000
	guc_free(pointer);
#else
	free(pointer);
#endif
}

// Whatever PostgreSQL reads as a moment; false where it does not.
bool
read_moment(const char *text, TimestampTz &at) {
	if (const auto canonical = parse_iso(text)) {
		at = time_to_pg(*canonical);
		return true;
	}
	auto parse = [&] {
		at = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
													 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	};
	// The parser raises; a check hook answers.
	if (detail::completes(parse))
		return !TIMESTAMP_NOT_FINITE(at);
	FlushErrorState();
	return false;
}

// A moment, read once when it is set: "now" then stands still, as a mocked clock does.  The value becomes its canonical
// text, because a parallel worker reads it again before it knows any time zone, where PostgreSQL's own parser crashes.
bool
check_mock_now(char **newval, void **extra, GucSource) {
	if (!*newval || !**newval)
		return true;
	TimestampTz at = 0;
	if (!read_moment(*newval, at)) {
		GUC_check_errdetail("It must be a finite timestamp with time zone, or empty for the real clock.");
		return false;
	}
	char canonical[64];
	size_t size = 0;
	{
		const auto text = format_iso(time_from_pg(at));
		if (!parse_iso(text)) {
			GUC_check_errdetail("Its year must be 0 to 9999.");
			return false;
		}
		size = text.size();
		std::memcpy(canonical, text.c_str(), size + 1);
	}
	auto *value = static_cast<char *>(guc_allocate(size + 1));
	auto *moment = static_cast<TimestampTz *>(guc_allocate(sizeof(TimestampTz)));
	if (!value || !moment) {
		if (value)
			guc_release(value);
		if (moment)
			guc_release(moment);
		return false;
	}
	std::memcpy(value, canonical, size + 1);
	guc_release(*newval);
	*newval = value;
	*moment = at;
	*extra = moment;
	return true;
}

// Names as they are in pg_database, with commas between; in double quotes where a name has a comma or a blank.
bool
check_guard_databases(char **newval, void **, GucSource) {
	char *copy = pstrdup(*newval ? *newval : "");
	List *names = NIL;
	const bool is_list = SplitGUCList(copy, ',', &names);
	list_free(names);
	pfree(copy);
	if (!is_list)
		GUC_check_errdetail("It must be a list of databases, with commas between.");
	return is_list;
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
							"Older events are refused on the way in, and older buckets are deleted.",
							&bucket_retention_s, 30 * 86400, 86400, INT_MAX, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr,
							nullptr);
	DefineCustomIntVariable("chat_v11.raw_retention", "How long the events themselves are kept, at least.",
							"They are dropped a sixth of it at a time.", &raw_retention_s, 86400, 3600, 30 * 86400,
							PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("chat_v11.write_retention", "How long an answered write is remembered, at least.",
							"A repeated ACK that comes later than that counts as a new write.", &write_retention_s,
							2 * 86400, 86400, 90 * 86400, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
	DefineCustomIntVariable(
		"chat_v11.analysis_units", "How many units of one comparison and stage the canary analysis tells apart.",
		"At more of them the comparison has no verdict.  8 bytes each in the table, 16 to 32 in the "
		"memory of who folds.",
		&most_analysis_units, 1'000'000, 1000, 10'000'000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("chat_v11.kill_gate_timeout",
							"Longest time that a kill spends on reading the gates it logs.",
							"After that the kill goes on and logs the gates as unavailable.", &kill_gate_timeout, 1000,
							10, 60000, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("chat_v11.gate_timeout",
							"Longest time that a start, promotion or resume spends on reading the telemetry.",
							"A kill may have to wait for it. After that the telemetry counts as unreadable.",
							&gate_timeout, 2000, 100, 60000, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("chat_v11.guard_interval", "From one round of the guard to the next.", nullptr,
							&guard_interval_ms, 1000, 100, 60000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomStringVariable(
		"chat_v11.guard_databases", "Databases that have a guard from the server's start on.",
		"Needs chat_v11 in shared_preload_libraries; elsewhere chat_v11.start_guard() starts one.",
		&guard_databases_text, "", PGC_SIGHUP, GUC_LIST_INPUT, check_guard_databases, nullptr, nullptr);
	DefineCustomEnumVariable("chat_v11.ddl_freeze", "What becomes of DDL while a P0 incident is open.",
							 "Superusers, temporary objects, GRANT, REVOKE and COMMENT pass.", &ddl_freeze_mode,
							 static_cast<int>(DdlFreeze::warn), ddl_freeze_modes, PGC_SUSET, 0, nullptr, nullptr,
							 nullptr);
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

DdlFreeze
ddl_freeze() {
	return static_cast<DdlFreeze>(ddl_freeze_mode);
}

Duration
bucket_retention() {
	return std::chrono::seconds(bucket_retention_s);
}

Duration
raw_retention() {
	return std::chrono::seconds(raw_retention_s);
}

Duration
write_retention() {
	return std::chrono::seconds(write_retention_s);
}

Duration
guard_interval() {
	return std::chrono::milliseconds(guard_interval_ms);
}

std::vector<std::string>
guard_databases() {
	const ScratchMemory scratch;
	std::vector<std::string> databases;
	List *names = NIL;
	call([&] { (void)SplitGUCList(pstrdup(guard_databases_text ? guard_databases_text : ""), ',', &names); });
	for (int i = 0; i < list_length(names); ++i)
		databases.emplace_back(static_cast<const char *>(list_nth(names, i)));
	return databases;
}

bool
is_restoring() {
	return call([] {
		return superuser() && !check_function_bodies && !row_security && strcmp(namespace_search_path, "") == 0;
	});
}

std::size_t
analysis_units() {
	return static_cast<std::size_t>(most_analysis_units);
}

int
kill_gate_timeout_ms() {
	return kill_gate_timeout;
}

int
gate_timeout_ms() {
	return gate_timeout;
}

} // namespace chat_v11::pg
