#pragma once

// One write, read as the chain ACK -> ledger durable -> event durable -> receipt: its events in order, and the first
// link that is missing, in words for whoever is on call.

#include "core/event.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chat_v11 {

// The ledger and the store are optional links: they are missed only where somebody reports that kind, in either cohort,
// so near to the write.  Either cohort, because a canary whose ledger is never reached reports none at all.
inline constexpr Duration link_window = std::chrono::hours(1);

// No write has so many events; a dialog, whose uuid is a subject too, may.
inline constexpr std::int64_t trace_limit = 10'000;

struct TracedEvent {
	Time at;
	Kind kind;
	Cohort cohort;
	std::optional<std::string> actor;
	std::optional<double> value;
};

// What was reported of other writes within link_window.
struct Reports {
	std::int64_t count = 0;
	std::optional<Time> last;
};

struct TraceInput {
	std::string subject;
	std::vector<TracedEvent> events; // by time, ties in the order of the kinds; of more than trace_limit, one more
	std::array<std::array<Reports, kind_count>, cohort_count> others; // of write_ack and the links after it
	std::optional<Time> oldest, newest; // events of anybody that are stored; asked for only where this write has none
	Time now;
	Duration report_grace;
};

// One row of the answer.  The last one is the verdict: `at` is empty, and `kind` names the link that is missing, if
// any.
struct TraceRow {
	std::optional<Time> at;
	std::optional<Kind> kind;
	std::optional<Cohort> cohort;
	std::optional<std::string> actor;
	std::optional<double> value;
	std::optional<Duration> since_previous; // in the verdict: from the last event until now, while a link is missing
	std::optional<Duration> since_ack;      // from the first ACK; negative before it
	std::optional<std::string> remark;
};

// Around which moment others' reports matter: the first ACK, else the first event.
std::optional<Time> trace_anchor(const std::vector<TracedEvent> &events);

std::vector<TraceRow> trace_write(const TraceInput &input);

} // namespace chat_v11
