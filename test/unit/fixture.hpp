#pragma once

// A rollout in good health, to be spoilt by one thing at a time, and the words that tests share.

#include "core/gate_checks.hpp"
#include "core/gates.hpp"
#include "core/refusal.hpp"
#include "core/transition.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace chat_v11 {

// Boost.Test prints what it compares; it finds these by their namespace.
template <typename T>
concept Named = std::is_enum_v<T> && requires(T value) {
	{ name(value) } -> std::convertible_to<std::string_view>;
};

template <Named T>
std::ostream &
operator<<(std::ostream &out, T value) {
	return out << name(value);
}

} // namespace chat_v11

namespace chat_v11::test {

namespace bdata = boost::unit_test::data;
using namespace std::chrono_literals;

inline constexpr Duration instant = 1us; // the smallest step of the clock
inline constexpr Time noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + 12h;

// Traffic of every minute and cohort in green().
inline constexpr std::int64_t per_minute = 1000;

inline State
live(Stage stage, Time entered_at) {
	State state;
	state.exists = true;
	state.stage = stage;
	state.kill_switch = false;
	state.version = 7;
	state.started_at = noon - 48h;
	state.entered_at = entered_at;
	state.updated_at = entered_at;
	state.updated_by = "oncall";
	state.note = "as planned";
	return state;
}

inline State
killed(Time entered_at) {
	auto state = live(Stage::canary_1, entered_at);
	state.kill_switch = true;
	return state;
}

inline size_t
slice_of(Duration age) {
	return static_cast<size_t>(age / slice_length);
}

inline std::vector<Totals> &
slices_of(GateInput &input, Cohort cohort = Cohort::v11) {
	return input.telemetry->slices[static_cast<size_t>(cohort)];
}

// Events that happened `age` before now, as the reader of telemetry would have put them into a slice.
inline void
report(GateInput &input, Kind kind, Duration age, std::int64_t n = 1, Cohort cohort = Cohort::v11) {
	auto &slices = slices_of(input, cohort);
	if (slice_of(age) < slices.size())
		slices[slice_of(age)].of(kind) += n;
	auto &seen = input.telemetry->last_seen[static_cast<size_t>(kind)];
	seen = std::max(seen.value_or(input.now - age), input.now - age);
	auto &newest = input.telemetry->newest[static_cast<size_t>(cohort)];
	newest = std::max(newest.value_or(input.now - age), input.now - age);
}

// Writes that became mature `age` before now and have no receipt.
inline void
report_missing(GateInput &input, Duration age, std::int64_t n = 1) {
	auto &slices = slices_of(input);
	if (slice_of(age) >= slices.size())
		return;
	slices[slice_of(age)].mature += n;
	slices[slice_of(age)].missing += n;
}

inline void
report_stalls(GateInput &input, Duration age, std::int64_t stalls, int actors, std::int64_t anonymous = 0) {
	report(input, Kind::send_stall, age, stalls);
	auto &slice = slices_of(input)[slice_of(age)];
	for (int i = 0; i < actors; ++i)
		slice.stall_actors.insert("actor " + std::to_string(i));
	slice.anonymous_stalls += anonymous;
}

// As if nothing at all had come for so long, of whatever kind and cohort.
inline void
go_stale(GateInput &input, Duration age) {
	input.telemetry->last_seen.fill(input.now - age);
	input.telemetry->newest.fill(input.now - age);
}

// Takes one kind out of the canary's traffic.
inline void
silence(GateInput &input, Kind kind, std::optional<Time> last_seen) {
	for (auto &slice : slices_of(input))
		slice.of(kind) = 0;
	input.telemetry->last_seen[static_cast<size_t>(kind)] = last_seen;
}

inline Totals
healthy_minute() {
	Totals totals;
	for (const auto kind : {Kind::write_started, Kind::write_ack, Kind::write_receipt, Kind::timeline_delivered,
							Kind::read_cursor, Kind::session_active})
		totals.of(kind) = per_minute;
	totals.of(Kind::resync_request) = 10;
	totals.of(Kind::recovery_done) = 10;
	totals.mature = per_minute;
	return totals;
}

// Telemetry long enough for any test here, so that a window never ends for want of slices.
inline constexpr size_t slice_count = 300;

// What a guard that was at work over the last `span` has logged, a green row a minute, the newest just now.
inline std::vector<GateLogSample>
watched(Duration span) {
	std::vector<GateLogSample> rows;
	for (Duration ago = std::chrono::ceil<std::chrono::minutes>(span) + 1min; ago >= 0s; ago -= 1min)
		rows.push_back({noon - ago, true, true, true});
	return rows;
}

// The guard's row of so long ago turns red.
inline void
log_failure(GateInput &input, Duration ago, const std::string &check = "pending_forever_count", Gate gate = Gate::p1) {
	for (auto &row : input.gate_log)
		if (row.at == noon - ago) {
			(gate == Gate::p0 ? row.p0_ok : row.p1_ok) = false;
			row.failing.push_back(check);
		}
}

// Every comparison passes, and nothing bursts or drifts.
inline analysis::StageAnswer
as_good_as_control(Stage stage) {
	using namespace analysis;
	StageAnswer answer;
	answer.stage = stage;
	answer.evidence_from = noon - 30min;
	answer.evidence_until = noon - 20s;
	answer.rule = stage_rule(stage);
	for (const auto &rule : comparison_rules()) {
		ComparisonAnswer check;
		check.comparison = rule.comparison;
		check.outcome = Outcome::pass;
		check.totals = {10, 1000, 100, 9000};
		check.ratio = 0.9;
		answer.comparisons.push_back(check);
		if (rule.statistic == Statistic::rate)
			answer.spikes.push_back({rule.comparison, SpikeLevel::none, {}, 0.01, 0.01, 0.01, 0.01, 3});
	}
	answer.trend_applies = stage == Stage::canary_50;
	answer.trend_known = true;
	decide(answer);
	return answer;
}

// Live at a stage for exactly its minimum time, with exactly its minimum of samples: everything passes, just.
inline GateInput
green(Stage stage = Stage::canary_10) {
	GateInput input;
	input.now = noon;
	input.policies = default_policy();
	input.checks = default_checks();
	const auto &policy = policy_of(input.policies, stage);
	input.state = live(stage, noon - policy.min_duration);

	auto &telemetry = input.telemetry.emplace();
	for (auto &cohort : telemetry.slices)
		cohort.assign(slice_count, healthy_minute());
	for (auto &percentiles : telemetry.percentiles)
		percentiles = {300.0, 900.0};
	telemetry.mature_since_entry = policy.min_samples;
	telemetry.acks_since_entry[static_cast<size_t>(Cohort::v11)] = policy.percent * 1000;
	telemetry.acks_since_entry[static_cast<size_t>(Cohort::v10)] = (100 - policy.percent) * 1000;
	telemetry.last_seen.fill(noon - 10s);
	telemetry.newest.fill(noon - 10s);
	telemetry.last_seen[static_cast<size_t>(Kind::pending_forever)] = noon - 24h;
	input.gate_log = watched(policy.quiet_period);
	input.guard = {true, noon};
	input.analysis = as_good_as_control(stage);
	return input;
}

// Killed for exactly as long as a resume asks for; the canary has been silent since, control goes on.
inline GateInput
calm_after_kill(Duration since_kill = 30min) {
	auto input = green(Stage::canary_1);
	input.state = killed(noon - since_kill);
	slices_of(input).assign(slice_count, {});
	input.telemetry->percentiles[static_cast<size_t>(Cohort::v11)] = {};
	input.telemetry->newest[static_cast<size_t>(Cohort::v11)].reset();
	return input;
}

inline GateInput
not_started() {
	auto input = calm_after_kill();
	input.state = {};
	return input;
}

inline Check &
check_in(GateInput &input, std::string_view check) {
	const auto found =
		std::find_if(input.checks.begin(), input.checks.end(), [&](const Check &each) { return each.name == check; });
	BOOST_REQUIRE(found != input.checks.end());
	return *found;
}

inline CheckResult
result_of(const GateInput &input, std::string_view check) {
	const auto answer = evaluate(input);
	const auto *found = answer.find(check);
	BOOST_REQUIRE(found != nullptr);
	return *found;
}

inline Status
status_of(const GateInput &input, std::string_view check) {
	return result_of(input, check).status;
}

// What a call was refused with; the token ACCEPTED where it was not.
template <typename Call>
Refusal
refusal_of(Call &&call) {
	try {
		call();
	} catch (const Refusal &refusal) {
		return refusal;
	}
	return {"ACCEPTED", "00000", "", "", ""};
}

inline Request
ask(std::string_view stage, bool kill) {
	Request request;
	request.stage = std::string(stage);
	request.kill_switch = kill;
	request.note = "a note";
	request.caller = "oncall";
	return request;
}

inline Request
ask_forced(std::string_view stage) {
	auto request = ask(stage, false);
	request.forced = true;
	request.note = "telemetry vendor is down, checked by hand";
	request.approved_by = "lead";
	return request;
}

// The whole way of a request: the table, then the gates as they are now.
inline Accepted
apply(const GateInput &input, const Request &request) {
	const auto classified = classify(input.state, request, input.state.exists);
	const auto answer = evaluate(input);
	return decide(input.state, request, classified, &answer, unmet(gate_preconditions(input, answer)),
				  input.settings.preflight, input.now);
}

inline Refusal
refused(const GateInput &input, const Request &request) {
	return refusal_of([&] { apply(input, request); });
}

inline bool
contains(std::string_view text, std::string_view part) {
	return text.find(part) != std::string_view::npos;
}

} // namespace chat_v11::test
