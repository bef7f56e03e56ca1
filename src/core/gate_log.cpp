#include "core/gate_log.hpp"

#include <algorithm>

namespace chat_v11 {

std::string
GateLogSample::culprits() const {
	std::string text;
	for (const auto &check : failing)
		text += (text.empty() ? "" : ", ") + check;
	if (text.empty())
		text = p0_ok ? "a P1 check" : "a P0 check";
	return text;
}

bool
gate_log_due(Time now, bool p0_ok, bool p1_ok, const std::optional<GateLogSample> &newest_by_guard,
			 const std::optional<GateLogSample> &newest, Duration jitter) {
	if (!newest_by_guard || now - newest_by_guard->at >= gate_log_interval - jitter)
		return true;
	return newest && ((newest->p0_ok && !p0_ok) || (newest->p1_ok && !p1_ok));
}

bool
decision_row_due(Time now, Decision decision, const std::optional<GateLogSample> &newest) {
	constexpr Duration settled = std::chrono::seconds(10);
	if (!newest || !newest->decision || *newest->decision == decision)
		return false;
	return decision > *newest->decision || now - newest->at >= settled;
}

std::optional<LoggedFailure>
last_logged_failure(const std::vector<GateLogSample> &rows, Time begin) {
	const auto last = std::find_if(rows.rbegin(), rows.rend(), [](const GateLogSample &row) { return row.red(); });
	if (last == rows.rend())
		return std::nullopt;
	LoggedFailure failure{*last, std::nullopt};
	if (last != rows.rbegin())
		failure.ended = std::prev(last)->at;
	if (failure.ended && *failure.ended <= begin)
		return std::nullopt;
	return failure;
}

std::optional<Unwatched>
last_unwatched(const std::vector<GateLogSample> &rows, Time begin, Time now) {
	auto to = now;
	for (auto row = rows.rbegin();; ++row) {
		const bool none_left = row == rows.rend();
		const auto from = none_left ? begin : row->at;
		if (to - std::max(from, begin) > gate_log_gap)
			return Unwatched{from, to, row == rows.rbegin()};
		if (none_left || from <= begin)
			return std::nullopt;
		to = from;
	}
}

std::optional<Time>
newest_sign(std::optional<Time> row, std::optional<Time> expected_since, Time now) {
	if (row && expected_since && *expected_since > now)
		return row;
	return std::max(row, expected_since);
}

std::optional<Time>
guard_silent_since(const GuardSign &sign, std::optional<Time> started_at, Time now, Duration max_data_age) {
	if (!sign.expected || !sign.newest)
		return std::nullopt;
	const auto since = std::max(*sign.newest, started_at.value_or(*sign.newest));
	return now - since > std::max(max_data_age, gate_log_gap) ? std::optional(since) : std::nullopt;
}

} // namespace chat_v11
