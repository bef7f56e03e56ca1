#include "core/metrics.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

Figure
rate(std::int64_t numerator, std::int64_t denominator) {
	Figure figure{std::nullopt, numerator, denominator};
	if (denominator > 0)
		figure.value = static_cast<double>(numerator) / static_cast<double>(denominator);
	return figure;
}

using T = const Totals &;
using P = const Percentiles &;

constexpr MetricRule rules[] = {
	{"ack_without_receipt_10s_rate", Window::p0, Kind::write_ack, [](T t, P) { return rate(t.missing, t.mature); }},
	{"timeline_duplicate_detected_rate", Window::p0, Kind::timeline_delivered,
	 [](T t, P) {
		 const auto duplicates = t.of(Kind::timeline_duplicate);
		 return rate(duplicates, t.of(Kind::timeline_delivered) + duplicates);
	 }},
	{"read_rollback_detected_rate", Window::p0, Kind::read_cursor,
	 [](T t, P) {
		 const auto rollbacks = t.of(Kind::read_rollback);
		 return rate(rollbacks, t.of(Kind::read_cursor) + rollbacks);
	 }},
	{"send_stall_rate", Window::stall, Kind::write_started,
	 [](T t, P) {
		 const auto stalls = t.of(Kind::send_stall);
		 return rate(stalls, std::max(t.of(Kind::write_started), stalls));
	 }},
	{"write_receipt_p95_ms", Window::metric, Kind::write_ack,
	 [](T t, P p) {
		 return Figure{t.mature ? p.receipt_p95_ms : std::nullopt, t.slow, t.mature};
	 }},
	{"write_reject_rate", Window::metric, Kind::write_ack,
	 [](T t, P) {
		 const auto rejected = t.of(Kind::write_rejected);
		 return rate(rejected, t.of(Kind::write_ack) + rejected);
	 }},
	{"forced_resync_rate", Window::metric, Kind::session_active,
	 [](T t, P) { return rate(t.of(Kind::forced_resync), t.of(Kind::session_active)); }},
	{"full_state_rate", Window::metric, Kind::session_active,
	 [](T t, P) { return rate(t.of(Kind::full_state), t.of(Kind::session_active)); }},
	{"err_resync_range_unavailable_rate", Window::metric, Kind::resync_request,
	 [](T t, P) { return rate(t.of(Kind::resync_range_unavailable), t.of(Kind::resync_request)); }},
	{"err_resync_throttled_rate", Window::metric, Kind::resync_request,
	 [](T t, P) { return rate(t.of(Kind::resync_throttled), t.of(Kind::resync_request)); }},
	{"recovery_p95_ms", Window::metric, Kind::recovery_done,
	 [](T t, P p) {
		 const auto n = t.of(Kind::recovery_done);
		 return Figure{n ? p.recovery_p95_ms : std::nullopt, 0, n};
	 }},
	{"pending_forever_count", Window::metric, Kind::pending_forever,
	 [](T t, P) {
		 const auto n = t.of(Kind::pending_forever);
		 return Figure{static_cast<double>(n), n, n};
	 }},
	{"receipt_without_ack_count", Window::p0, Kind::write_receipt,
	 [](T t, P) {
		 return Figure{static_cast<double>(t.orphan_receipts), t.orphan_receipts, t.of(Kind::write_receipt)};
	 }},
};

} // namespace

Totals &
Totals::operator+=(const Totals &other) {
	for (size_t kind = 0; kind < kind_count; ++kind)
		count[kind] += other.count[kind];
	mature += other.mature;
	missing += other.missing;
	slow += other.slow;
	orphan_receipts += other.orphan_receipts;
	stall_actors.insert(other.stall_actors.begin(), other.stall_actors.end());
	anonymous_stalls += other.anonymous_stalls;
	return *this;
}

Totals
window_totals(const std::vector<Totals> &slices, std::int64_t ago, std::int64_t minutes) {
	Totals sum;
	const auto size = static_cast<std::int64_t>(slices.size());
	for (auto i = ago; i < std::min(ago + minutes, size); ++i)
		sum += slices[static_cast<size_t>(i)];
	return sum;
}

std::span<const MetricRule>
metric_rules() {
	return rules;
}

const MetricRule *
find_metric(std::string_view metric) {
	for (const auto &rule : rules)
		if (rule.name == metric)
			return &rule;
	return nullptr;
}

Duration
window_length(Window window, const Settings &settings) {
	switch (window) {
	case Window::p0: return settings.p0_clear_window;
	case Window::stall: return settings.stall_window;
	case Window::metric: return settings.metric_window;
	}
	return settings.metric_window;
}

} // namespace chat_v11
