#pragma once

// Resync requests and what became of them: how far behind served and refused ones were, and how many asked from 0, so
// that a retention that is too short and a client that sends a wrong since_event_seq are told apart.
//
// A request's value is head_event_seq - since_event_seq: how far behind it was.  An answer's value, where given, is
// head_event_seq itself.  A request asked from 0 where the first is not less than the second.

#include "core/event.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace chat_v11 {

// A full state does not depend on retention, so it must not make served requests look as if they had been far behind.
enum class ResyncOutcome { served, full_state, range_unavailable, throttled };
inline constexpr size_t resync_outcome_count = 4;
std::string_view name(ResyncOutcome outcome);

// An answer belongs to a request that is no older than this.
inline constexpr Duration resync_answer_window = std::chrono::seconds(60);

struct ResyncEvent {
	Time at;
	Kind kind; // resync_request, resync_range_unavailable, resync_throttled or full_state
	std::optional<std::string> actor;
	std::optional<double> value;
};

// Requests of one cohort that ended in one way.
struct ResyncFigures {
	std::int64_t requests = 0;
	std::vector<double> behind;       // of those whose value is known
	std::int64_t from_zero = 0;       // of from_zero_of
	std::int64_t from_zero_of = 0;    // those of which both values are known
	std::int64_t without_request = 0; // refusals that no request fits
	std::int64_t by_time_alone = 0;   // requests that have neither subject nor actor
};
using ResyncTotals = std::array<std::array<ResyncFigures, resync_outcome_count>, cohort_count>;

// Pairs the events of one subject after another.  Each answer goes to the latest request before it that has none yet,
// at most resync_answer_window old, and of the same actor where both have one.  Memory: the requests of one such
// window.
class ResyncPairing {
public:
	// Requests in (from, to] are counted; events around them are fed too, so that those at the edges find their
	// answers.
	ResyncPairing(Time from, Time to) : from_(from), to_(to) {}

	void begin_subject(Cohort cohort, bool by_time_alone);
	void feed(const ResyncEvent &event); // in the order of time, requests before answers of the same moment
	ResyncTotals finish();

private:
	bool
	counts(Time at) const {
		return at > from_ && at <= to_;
	}
	void close_before(Time at);
	void close(const ResyncEvent &request, ResyncOutcome outcome, std::optional<double> head);

	Time from_, to_;
	Cohort cohort_ = Cohort::v10;
	bool by_time_alone_ = false;
	std::deque<ResyncEvent> open_; // requests without an answer so far, by time
	ResyncTotals totals_;
};

struct ResyncRow {
	Cohort cohort;
	ResyncOutcome outcome;
	std::int64_t requests;
	std::optional<double> share; // of all requests of the cohort
	std::optional<double> p50, p95, p99, max;
	std::int64_t behind_unknown;
	std::int64_t from_zero, from_zero_of;
	std::optional<double> from_zero_share;
	std::int64_t without_request;
	std::optional<std::string> remark;
};

// v11 first; always one row for each cohort and outcome.
std::vector<ResyncRow> resync_rows(ResyncTotals totals);

} // namespace chat_v11
