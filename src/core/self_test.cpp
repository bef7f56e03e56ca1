#include "core/self_test.hpp"

#include "core/event.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace chat_v11 {

namespace {

struct Recipe {
	std::string_view metric;
	Kind kind;
	bool adds_to_denominator;
};

constexpr std::int64_t spare_events = 10;

// An ACK alone is a missing receipt, once it is mature.
constexpr std::array recipes = {
	Recipe{"ack_without_receipt_10s_rate", Kind::write_ack, true},
	Recipe{"timeline_duplicate_detected_rate", Kind::timeline_duplicate, true},
	Recipe{"read_rollback_detected_rate", Kind::read_rollback, true},
	Recipe{"send_stall_rate", Kind::send_stall, false},
};

} // namespace

SyntheticBreach
synthetic_breach(const Check &check, const Figure &before, Time now, const Settings &settings) {
	const auto recipe =
		std::find_if(recipes.begin(), recipes.end(), [&](const Recipe &each) { return each.metric == check.metric; });
	if (recipe == recipes.end())
		return {{}, now, 0, "no event is known that breaks " + check.metric};
	// Within the second that has just ended, or what has been mature for a second.
	SyntheticBreach breach{recipe->kind, now - std::chrono::seconds(1), 0, {}};
	if (recipe->kind == Kind::write_ack)
		breach.at -= judged_after(settings.report_grace);

	const double limit = check.limit.value_or(1);
	if (limit >= 1) {
		breach.impossible = "its limit is 1, and no rate is above that";
		return breach;
	}
	// (a + n) / (d + n) > limit; or where the events are no part of the denominator, (a + n) / d > limit.
	const auto a = static_cast<double>(before.numerator);
	const auto d = static_cast<double>(before.denominator);
	const double enough = std::floor((limit * d - a) / (recipe->adds_to_denominator ? 1 - limit : 1)) + 1;
	auto events = std::max<std::int64_t>(static_cast<std::int64_t>(std::max(enough, 1.0)),
										 std::max<std::int64_t>(check.min_samples, 1) - before.denominator);
	if (recipe->kind == Kind::send_stall)
		events = std::max(events, stall_min_actors);
	// Live traffic goes on between this figure and the look at the gates; where one event is a breach it does not
	// matter.
	if (limit > 0)
		events += events / 10 + spare_events;
	if (events > most_synthetic_events)
		breach.impossible = "it would take " + std::to_string(events) + " events";
	else
		breach.events = events;
	return breach;
}

SelfTestResult
judge_self_test(const Check &check, const Figure &before, const GateAnswer &after) {
	const auto *result = after.find(check.name);
	if (!after.telemetry_error.empty())
		return {check.name, "telemetry cannot be read: " + after.telemetry_error};
	if (!result || result->figure.numerator <= before.numerator)
		return {check.name, "the synthetic breach was not counted"};
	if (result->status != Status::fail)
		return {check.name, "it stays " + std::string(name(result->status)) + ": " + result->reason};
	if (after.p0_ok || after.decision != Decision::rollback)
		return {check.name, "it fails, and the gates say " + std::string(name(after.decision))};
	return {check.name, {}};
}

} // namespace chat_v11
