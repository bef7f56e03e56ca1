#pragma once

// From counts to metrics: the one place that holds each metric's numerator, denominator and window.
//
// Telemetry arrives as one-minute slices counted backwards from the moment that is judged, slice 0 being
// (now - 1 min, now].  A window of n minutes is the sum of slices 0..n-1, and the same window as it stood k minutes
// ago is the sum of slices k..k+n-1.

#include "core/event.hpp"
#include "core/policy.hpp"

#include <array>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

inline constexpr Duration slice_length = std::chrono::minutes(1);

// Sums over one cohort and one span of time.  They can be added, in any order.
struct Totals {
	std::array<std::int64_t, kind_count> count{}; // events by kind, by their own time
	std::int64_t mature = 0;                      // writes that became mature in the span
	std::int64_t missing = 0;                     // of them, those without a receipt in time
	std::int64_t slow = 0;              // of them, those whose write-to-receipt time exceeds the limit asked for
	std::set<std::string> stall_actors; // who reported stalls: a set capped by the reader
	std::int64_t orphan_receipts = 0;   // receipts of writes without any ACK: counted apart, they harm nothing
	std::int64_t anonymous_stalls = 0;  // stalls without an actor; each counts as somebody else

	std::int64_t
	of(Kind kind) const {
		return count[static_cast<size_t>(kind)];
	}
	std::int64_t &
	of(Kind kind) {
		return count[static_cast<size_t>(kind)];
	}
	std::int64_t
	distinct_stalled() const {
		return static_cast<std::int64_t>(stall_actors.size()) + anonymous_stalls;
	}
	Totals &operator+=(const Totals &other);
};

using Slices = std::array<std::vector<Totals>, cohort_count>; // [cohort][minutes ago]

// The sum of `minutes` slices that end `ago` minutes before now; slices beyond the last count as empty.
Totals window_totals(const std::vector<Totals> &slices, std::int64_t ago, std::int64_t minutes);

inline std::int64_t
minutes_of(Duration window) {
	return window / slice_length;
}

// One metric's figure.  A rate is null where its denominator is 0, never 0.
struct Figure {
	std::optional<double> value;
	std::int64_t numerator = 0;
	std::int64_t denominator = 0; // how many samples it rests on
};

// Percentiles cannot be added, so the reader of telemetry gives them for the windows that need one.
struct Percentiles {
	std::optional<double> receipt_p95_ms;
	std::optional<double> recovery_p95_ms;
};

enum class Window { p0, stall, metric };

struct MetricRule {
	std::string_view name;
	Window window;
	Kind fresh_kind; // the kind whose arrival shows that the metric's telemetry is alive
	Figure (*of)(const Totals &, const Percentiles &);
};

// All metrics, in the order of the reference; the first ten are columns of the gate answer.
std::span<const MetricRule> metric_rules();
const MetricRule *find_metric(std::string_view name);

Duration window_length(Window window, const Settings &settings);

} // namespace chat_v11
