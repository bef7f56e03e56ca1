// Every P0 and P1 check: at its limit and just above, with too few samples, stale, unreadable, disabled, advisory.

#include "core/checks.hpp"

#include "fixture.hpp"

#include <cmath>
#include <limits>
#include <random>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(metric_checks)

// Puts exactly these counts behind a check, all of them in the newest minute.
void
set_counts(GateInput &input, std::string_view check, std::int64_t numerator, std::int64_t denominator) {
	slices_of(input).assign(slice_count, {});
	auto &totals = slices_of(input)[0];
	if (check == "ack_without_receipt_10s_rate") {
		totals.missing = numerator;
		totals.mature = denominator;
	} else if (check == "timeline_duplicate_detected_rate") {
		totals.of(Kind::timeline_duplicate) = numerator;
		totals.of(Kind::timeline_delivered) = denominator - numerator;
	} else if (check == "read_rollback_detected_rate") {
		totals.of(Kind::read_rollback) = numerator;
		totals.of(Kind::read_cursor) = denominator - numerator;
	} else if (check == "send_stall_rate") {
		totals.of(Kind::send_stall) = numerator;
		totals.of(Kind::write_started) = denominator;
		totals.anonymous_stalls = numerator; // each by somebody else
	} else if (check == "write_receipt_p95_ms") {
		totals.slow = numerator;
		totals.mature = denominator;
		input.telemetry->percentiles[static_cast<size_t>(Cohort::v11)].receipt_p95_ms = 2000;
	} else if (check == "write_reject_rate") {
		totals.of(Kind::write_rejected) = numerator;
		totals.of(Kind::write_ack) = denominator - numerator;
	} else if (check == "forced_resync_rate") {
		totals.of(Kind::forced_resync) = numerator;
		totals.of(Kind::session_active) = denominator;
	} else if (check == "full_state_rate") {
		totals.of(Kind::full_state) = numerator;
		totals.of(Kind::session_active) = denominator;
	} else if (check == "err_resync_range_unavailable_rate") {
		totals.of(Kind::resync_range_unavailable) = numerator;
		totals.of(Kind::resync_request) = denominator;
	} else if (check == "err_resync_throttled_rate") {
		totals.of(Kind::resync_throttled) = numerator;
		totals.of(Kind::resync_request) = denominator;
	} else if (check == "pending_forever_count") {
		totals.of(Kind::pending_forever) = numerator;
	} else {
		BOOST_FAIL("no counts are known for " << check);
	}
}

struct CountCase {
	const char *check;
	std::int64_t numerator;
	std::int64_t denominator;
	Status status;
};

std::ostream &
operator<<(std::ostream &out, const CountCase &c) {
	return out << c.check << " " << c.numerator << "/" << c.denominator;
}

const std::vector<CountCase> counts = {
	// A limit of 0: one event is enough, however many others there are and however few.
	{"ack_without_receipt_10s_rate", 0, 1, Status::pass},
	{"ack_without_receipt_10s_rate", 0, 1'000'000, Status::pass},
	{"ack_without_receipt_10s_rate", 1, 1'000'000, Status::fail},
	{"ack_without_receipt_10s_rate", 1, 1, Status::fail},
	{"ack_without_receipt_10s_rate", 0, 0, Status::no_data},
	{"timeline_duplicate_detected_rate", 0, 1, Status::pass},
	{"timeline_duplicate_detected_rate", 1, 1'000'000, Status::fail},
	{"timeline_duplicate_detected_rate", 1, 1, Status::fail},
	{"timeline_duplicate_detected_rate", 0, 0, Status::no_data},
	{"read_rollback_detected_rate", 0, 1, Status::pass},
	{"read_rollback_detected_rate", 1, 1'000'000, Status::fail},
	{"read_rollback_detected_rate", 1, 1, Status::fail},
	{"read_rollback_detected_rate", 0, 0, Status::no_data},
	// 5 % is still well.
	{"send_stall_rate", 5, 100, Status::pass},
	{"send_stall_rate", 50, 1000, Status::pass},
	{"send_stall_rate", 51, 1000, Status::fail},
	{"send_stall_rate", 3, 0, Status::fail}, // a lost write_started hides nothing
	{"send_stall_rate", 0, 0, Status::no_data},
	// Fewer than 20 samples are no rate, neither way.
	{"write_reject_rate", 1, 100, Status::pass},
	{"write_reject_rate", 100, 10'000, Status::pass},
	{"write_reject_rate", 101, 10'000, Status::fail},
	{"write_reject_rate", 0, 20, Status::pass},
	{"write_reject_rate", 1, 20, Status::fail},
	{"write_reject_rate", 19, 19, Status::no_data},
	{"write_reject_rate", 0, 19, Status::no_data},
	{"write_reject_rate", 0, 0, Status::no_data},
	{"forced_resync_rate", 50, 1000, Status::pass},
	{"forced_resync_rate", 51, 1000, Status::fail},
	{"forced_resync_rate", 1, 20, Status::pass},
	{"forced_resync_rate", 2, 20, Status::fail},
	{"forced_resync_rate", 19, 19, Status::no_data},
	{"forced_resync_rate", 5, 0, Status::no_data},
	{"full_state_rate", 50, 1000, Status::pass},
	{"full_state_rate", 51, 1000, Status::fail},
	{"full_state_rate", 19, 19, Status::no_data},
	{"full_state_rate", 5, 0, Status::no_data},
	// Rightly rare: none in the window is well; refusals without a single request are not understood.
	{"err_resync_range_unavailable_rate", 0, 0, Status::pass},
	{"err_resync_range_unavailable_rate", 50, 1000, Status::pass},
	{"err_resync_range_unavailable_rate", 51, 1000, Status::fail},
	{"err_resync_range_unavailable_rate", 1, 1, Status::fail},
	{"err_resync_range_unavailable_rate", 3, 0, Status::no_data},
	{"err_resync_throttled_rate", 0, 0, Status::pass},
	{"err_resync_throttled_rate", 100, 1000, Status::pass},
	{"err_resync_throttled_rate", 101, 1000, Status::fail},
	{"err_resync_throttled_rate", 3, 0, Status::no_data},
	{"pending_forever_count", 0, 0, Status::pass},
	{"pending_forever_count", 1, 0, Status::fail},
	// Nearest rank: of 100 values the 95th decides, so five may be slow; of 20 the 19th, so one may.
	{"write_receipt_p95_ms", 5, 100, Status::pass},
	{"write_receipt_p95_ms", 6, 100, Status::fail},
	{"write_receipt_p95_ms", 1, 20, Status::pass},
	{"write_receipt_p95_ms", 2, 20, Status::fail},
	{"write_receipt_p95_ms", 1, 21, Status::pass},
	{"write_receipt_p95_ms", 2, 21, Status::fail},
	{"write_receipt_p95_ms", 19, 19, Status::no_data},
	{"write_receipt_p95_ms", 0, 0, Status::no_data},
};

BOOST_DATA_TEST_CASE(a_check_fails_just_above_its_limit, bdata::make(counts), c) {
	auto input = green();
	set_counts(input, c.check, c.numerator, c.denominator);
	const auto result = result_of(input, c.check);
	BOOST_TEST(result.status == c.status);
	BOOST_TEST(contains(result.reason, c.check));
	// Whatever is not well stops a promotion, and says so in the answer.
	const auto answer = evaluate(input);
	if (c.status != Status::pass) {
		BOOST_TEST(!answer.green());
		BOOST_TEST(std::any_of(answer.reasons.begin(), answer.reasons.end(),
							   [&](const std::string &reason) { return contains(reason, result.reason); }));
	}
	// Only a failure is red.
	if (c.status == Status::no_data)
		BOOST_TEST((answer.p0_ok || result.check.gate != Gate::p0));
}

struct LimitCheck {
	const char *check;
	Gate gate;
	Kind fresh_kind;
	bool zero_ok;
};

std::ostream &
operator<<(std::ostream &out, const LimitCheck &c) {
	return out << c.check;
}

const std::vector<LimitCheck> limit_checks = {
	{"ack_without_receipt_10s_rate", Gate::p0, Kind::write_ack, false},
	{"timeline_duplicate_detected_rate", Gate::p0, Kind::timeline_delivered, false},
	{"read_rollback_detected_rate", Gate::p0, Kind::read_cursor, false},
	{"send_stall_rate", Gate::p0, Kind::write_started, false},
	{"write_receipt_p95_ms", Gate::p1, Kind::write_ack, false},
	{"write_reject_rate", Gate::p1, Kind::write_ack, false},
	{"forced_resync_rate", Gate::p1, Kind::session_active, false},
	{"full_state_rate", Gate::p1, Kind::session_active, false},
	{"err_resync_range_unavailable_rate", Gate::p1, Kind::resync_request, true},
	{"err_resync_throttled_rate", Gate::p1, Kind::resync_request, true},
	{"pending_forever_count", Gate::p1, Kind::pending_forever, true},
};

constexpr std::int64_t plenty = 1000; // every sample fails

BOOST_DATA_TEST_CASE(stale_telemetry_is_unknown, bdata::make(limit_checks), c) {
	auto input = green();
	// Its own kind may be rare, so the canary's telemetry as a whole is asked.
	auto &seen = c.zero_ok ? input.telemetry->newest[static_cast<size_t>(Cohort::v11)]
						   : input.telemetry->last_seen[static_cast<size_t>(c.fresh_kind)];
	seen = noon - 2min;
	BOOST_TEST(status_of(input, c.check) == Status::pass);
	seen = noon - 2min - instant;
	BOOST_TEST(status_of(input, c.check) == Status::no_data);
	BOOST_TEST(contains(result_of(input, c.check).reason, "stale"));
	BOOST_TEST(!evaluate(input).green());
	input.settings.max_data_age = 3min;
	BOOST_TEST(status_of(input, c.check) == Status::pass);
}

BOOST_DATA_TEST_CASE(a_kind_that_never_came_is_unknown, bdata::make(limit_checks), c) {
	auto input = green();
	input.telemetry->last_seen[static_cast<size_t>(c.fresh_kind)].reset();
	BOOST_TEST(status_of(input, c.check) == Status::no_data);
}

// The control cannot vouch for a canary that fell silent.
BOOST_DATA_TEST_CASE(a_silent_canary_is_unknown, bdata::make(limit_checks), c) {
	auto input = green();
	input.telemetry->newest[static_cast<size_t>(Cohort::v11)] = noon - 2min - instant;
	BOOST_TEST(status_of(input, c.check) == Status::no_data);
	BOOST_TEST(!evaluate(input).green());
	input.telemetry->newest[static_cast<size_t>(Cohort::v11)].reset();
	BOOST_TEST(status_of(input, c.check) == Status::no_data);
	input = green();
	input.telemetry->newest[static_cast<size_t>(Cohort::v10)].reset(); // as at full
	BOOST_TEST(status_of(input, c.check) == Status::pass);
}

// Time does not heal what was seen: a reporter that dies after a breach must not turn it into "unknown".
BOOST_DATA_TEST_CASE(a_known_failure_stays_red_when_telemetry_goes_stale, bdata::make(limit_checks), c) {
	auto input = green();
	set_counts(input, c.check, plenty, plenty);
	input.telemetry->last_seen.fill(noon - 20min);
	input.telemetry->newest.fill(noon - 20min);
	BOOST_TEST(status_of(input, c.check) == Status::fail);
}

BOOST_DATA_TEST_CASE(unreadable_telemetry_is_unknown_and_says_why, bdata::make(limit_checks), c) {
	auto input = green();
	input.telemetry.reset();
	input.telemetry_error = "disk full";
	const auto result = result_of(input, c.check);
	BOOST_TEST(result.status == Status::no_data);
	BOOST_TEST(contains(result.reason, "disk full"));
	const auto answer = evaluate(input);
	BOOST_TEST(answer.decision == Decision::hold);
	BOOST_TEST(answer.p0_ok);    // unknown is not red by itself ...
	BOOST_TEST(!answer.green()); // ... and never green
	BOOST_TEST(answer.telemetry_error == "disk full");
}

BOOST_DATA_TEST_CASE(a_disabled_check_is_shown_and_counts_nowhere, bdata::make(limit_checks), c) {
	auto input = green();
	set_counts(input, c.check, plenty, plenty);
	for (auto &check : input.checks)
		check.enabled = check.gate == Gate::rollout && check.name != "evidence" && check.name != "quiet";
	const auto answer = evaluate(input);
	const auto *result = answer.find(c.check);
	BOOST_REQUIRE(result != nullptr);
	BOOST_TEST(!result->check.enabled);
	BOOST_TEST(contains(result->reason, "not enabled"));
	BOOST_TEST(answer.green());
	BOOST_TEST(answer.reasons.empty());
	const auto disabled = answer.disabled();
	BOOST_TEST(std::count(disabled.begin(), disabled.end(), c.check) == 1);
}

BOOST_DATA_TEST_CASE(an_advisory_check_is_shown_as_failed_and_counts_nowhere, bdata::make(limit_checks), c) {
	auto input = green();
	input.checks = {check_in(input, c.check), check_in(input, "quiet"), check_in(input, "evidence")};
	input.checks[0].on_fail = OnFail::advise;
	set_counts(input, c.check, plenty, plenty);
	const auto answer = evaluate(input);
	BOOST_TEST(answer.find(c.check)->status == Status::fail);
	BOOST_TEST(answer.green());
	BOOST_TEST(answer.p0_breach == "");
}

BOOST_DATA_TEST_CASE(a_failure_is_red_in_its_own_gate_alone, bdata::make(limit_checks), c) {
	auto input = green();
	input.checks = {check_in(input, c.check)};
	set_counts(input, c.check, plenty, plenty);
	const auto answer = evaluate(input);
	BOOST_TEST(answer.p0_ok == (c.gate != Gate::p0));
	BOOST_TEST(answer.p1_ok == (c.gate != Gate::p1));
	BOOST_TEST(answer.rollout_ok);
	BOOST_TEST(answer.decision == (c.gate == Gate::p0 ? Decision::rollback : Decision::hold));
}

// The control's own trouble is no reason to stop the canary, and its health none to go on.
BOOST_DATA_TEST_CASE(only_the_canary_is_judged, bdata::make(limit_checks), c) {
	auto input = green();
	set_counts(input, c.check, plenty, plenty);
	std::swap(input.telemetry->slices[0], input.telemetry->slices[1]);
	const auto result = result_of(input, c.check);
	BOOST_TEST(result.status == Status::pass);
	BOOST_CHECK(result.control_value.has_value());
}

// Nothing in the window, and telemetry as a whole is fresh: what remains is whether the kind is reported at all.
struct WiredCase {
	std::optional<Duration> seen_ago;
	bool attested;
	Status status;
};

std::ostream &
operator<<(std::ostream &out, const WiredCase &c) {
	return out << (c.seen_ago ? format_duration(*c.seen_ago) : "never") << (c.attested ? ", attested" : "");
}

const std::vector<WiredCase> wired_cases = {
	{1h, false, Status::pass},
	{168h, false, Status::pass},
	{168h + instant, false, Status::no_data},
	{std::nullopt, false, Status::no_data},
	{168h + instant, true, Status::pass},
	{std::nullopt, true, Status::pass},
};

BOOST_DATA_TEST_CASE(a_rare_kind_passes_when_it_is_known_to_be_wired, bdata::make(wired_cases), c) {
	for (const auto &each : limit_checks) {
		if (!each.zero_ok)
			continue;
		auto input = green();
		const auto kind = static_cast<size_t>(each.fresh_kind);
		silence(input, each.fresh_kind, c.seen_ago ? std::optional<Time>(noon - *c.seen_ago) : std::nullopt);
		input.wired[kind] = c.attested;
		const auto result = result_of(input, each.check);
		BOOST_TEST_CONTEXT(each.check) {
			BOOST_TEST(result.status == c.status);
			if (c.status == Status::no_data)
				BOOST_TEST(contains(result.what_to_do, "attest('telemetry:" + std::string(name(each.fresh_kind))));
		}
	}
}

BOOST_AUTO_TEST_CASE(being_wired_does_not_help_where_all_telemetry_is_stale) {
	auto input = green();
	input.wired.fill(true);
	input.telemetry->last_seen.fill(noon - 3min);
	input.telemetry->newest.fill(noon - 3min);
	for (const auto &each : limit_checks)
		BOOST_TEST(status_of(input, each.check) == Status::no_data);
}

BOOST_AUTO_TEST_CASE(a_kind_that_is_not_rare_is_not_excused_by_attestation) {
	auto input = green();
	input.wired.fill(true);
	silence(input, Kind::read_cursor, noon - 10s);
	BOOST_TEST(status_of(input, "read_rollback_detected_rate") == Status::no_data);
}

BOOST_AUTO_TEST_CASE(a_rare_check_with_nothing_says_so) {
	auto input = green();
	silence(input, Kind::resync_request, noon - 1h);
	BOOST_TEST(contains(result_of(input, "err_resync_throttled_rate").reason, "none in the window"));
}

struct StallCase {
	std::int64_t stalls;
	int actors;
	std::int64_t anonymous;
	Status status;
};

std::ostream &
operator<<(std::ostream &out, const StallCase &c) {
	return out << c.stalls << " stalls, " << c.actors << " actors, " << c.anonymous << " anonymous";
}

const std::vector<StallCase> stalls = {
	{3000, 1, 0, Status::pass}, // one user with many stuck sends is no mass stall
	{3000, 2, 0, Status::pass}, {3000, 3, 0, Status::fail},
	{3000, 2, 1, Status::fail}, // somebody unnamed may be anybody
	{3000, 0, 3, Status::fail}, {3000, 0, 2, Status::pass},
	{250, 3, 0, Status::pass}, // 5 % of five minutes' sends
	{251, 3, 0, Status::fail},
};

BOOST_DATA_TEST_CASE(a_mass_stall_takes_three_actors_and_five_percent, bdata::make(stalls), c) {
	auto input = green();
	report_stalls(input, 30s, c.stalls, c.actors, c.anonymous);
	BOOST_TEST(status_of(input, "send_stall_rate") == c.status);
}

// The same three people in every minute are three, not fifteen; one each minute adds up.
BOOST_AUTO_TEST_CASE(stalled_actors_are_counted_over_the_whole_window) {
	auto input = green();
	for (int minute = 0; minute < 5; ++minute)
		report_stalls(input, std::chrono::minutes(minute), per_minute, 2);
	BOOST_TEST(status_of(input, "send_stall_rate") == Status::pass);
	slices_of(input)[4].stall_actors.insert("somebody else");
	BOOST_TEST(status_of(input, "send_stall_rate") == Status::fail);
}

struct WindowCase {
	const char *check;
	Duration window;
};

std::ostream &
operator<<(std::ostream &out, const WindowCase &c) {
	return out << c.check;
}

const std::vector<WindowCase> windows = {
	{"ack_without_receipt_10s_rate", 30min},
	{"timeline_duplicate_detected_rate", 30min},
	{"read_rollback_detected_rate", 30min},
	{"send_stall_rate", 5min},
	{"write_receipt_p95_ms", 15min},
	{"write_reject_rate", 15min},
	{"forced_resync_rate", 15min},
	{"full_state_rate", 15min},
	{"err_resync_range_unavailable_rate", 15min},
	{"err_resync_throttled_rate", 15min},
	{"pending_forever_count", 15min},
};

// Half-open: what happened exactly one window ago has left it.
BOOST_DATA_TEST_CASE(a_failure_leaves_with_its_window, bdata::make(windows), c) {
	for (const auto &[age, status] : {std::pair<Duration, Status>{0s, Status::fail},
									  {c.window - instant, Status::fail},
									  {c.window, Status::pass}}) {
		auto input = green();
		GateInput spoilt = input;
		set_counts(spoilt, c.check, 1'000'000, 1'000'000);
		slices_of(input)[slice_of(age)] += slices_of(spoilt)[0];
		BOOST_TEST_CONTEXT(format_duration(age))
		BOOST_TEST(status_of(input, c.check) == status);
	}
}

// A percentile cannot be summed from slices, so the check counts slow writes; both must say the same.
BOOST_AUTO_TEST_CASE(p95_by_counting_equals_p95_by_sorting) {
	std::mt19937 random(2026);
	const int limit = 2000;
	int failures = 0;
	const int rounds = 3000;
	for (int round = 0; round < rounds; ++round) {
		const auto n = 20 + static_cast<int>(random() % 400);
		// Few distinct values around the limit, so that ties and the edge itself are common.
		const int slow_in_thousand = static_cast<int>(random() % 120);
		std::vector<int> durations;
		for (int i = 0; i < n; ++i)
			durations.push_back(static_cast<int>(random() % 1000) < slow_in_thousand
									? limit + 1 + static_cast<int>(random() % 3)
									: limit - static_cast<int>(random() % 3));
		const auto slow = std::count_if(durations.begin(), durations.end(), [&](int ms) { return ms > limit; });
		std::sort(durations.begin(), durations.end());
		// Nearest rank: the smallest value that at least 95 % of all values do not exceed.
		int rank = 1;
		while (rank * 20 < n * 19)
			++rank;
		const bool exceeds = durations[static_cast<size_t>(rank - 1)] > limit;
		failures += exceeds;
		auto input = green();
		set_counts(input, "write_receipt_p95_ms", slow, n);
		BOOST_REQUIRE_MESSAGE(status_of(input, "write_receipt_p95_ms") == (exceeds ? Status::fail : Status::pass),
							  slow << " slow of " << n);
	}
	// The data reach both answers, or the loop would prove nothing.
	BOOST_TEST(failures > rounds / 10);
	BOOST_TEST(failures < rounds * 9 / 10);
}

BOOST_AUTO_TEST_CASE(a_failure_names_value_counts_and_limit) {
	auto input = green();
	set_counts(input, "write_reject_rate", 3, 100);
	const auto result = result_of(input, "write_reject_rate");
	for (const auto *part : {"write_reject_rate", "0.03", "3 of 100", "limit 0.01"})
		BOOST_TEST(contains(result.reason, part));
	BOOST_TEST(*result.limit == 0.01);
	BOOST_TEST(*result.figure.value == 0.03);
	BOOST_TEST(!result.what_to_do.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(check_rows)

struct DefaultCase {
	const char *check;
	Gate gate;
	Judge judge;
	std::optional<double> limit;
	OnFail on_fail;
	bool enabled;
	bool zero_ok;
};

std::ostream &
operator<<(std::ostream &out, const DefaultCase &c) {
	return out << c.check;
}

constexpr std::optional<double> none;

const std::vector<DefaultCase> defaults = {
	{"ack_without_receipt_10s_rate", Gate::p0, Judge::limit, 0, OnFail::kill, true, false},
	{"timeline_duplicate_detected_rate", Gate::p0, Judge::limit, 0, OnFail::kill, true, false},
	{"read_rollback_detected_rate", Gate::p0, Judge::limit, 0, OnFail::kill, true, false},
	{"send_stall_rate", Gate::p0, Judge::limit, 0.05, OnFail::kill, true, false},
	{"write_receipt_p95_ms", Gate::p1, Judge::limit, 2000, OnFail::hold, true, false},
	{"write_reject_rate", Gate::p1, Judge::limit, 0.01, OnFail::hold, true, false},
	{"forced_resync_rate", Gate::p1, Judge::limit, 0.05, OnFail::hold, true, false},
	{"full_state_rate", Gate::p1, Judge::limit, 0.05, OnFail::hold, true, false},
	{"err_resync_range_unavailable_rate", Gate::p1, Judge::limit, 0.05, OnFail::hold, true, true},
	{"err_resync_throttled_rate", Gate::p1, Judge::limit, 0.10, OnFail::hold, true, true},
	{"pending_forever_count", Gate::p1, Judge::limit, 0, OnFail::hold, true, true},
	{"write_receipt_compare", Gate::p1, Judge::compare, none, OnFail::hold, true, false},
	{"write_reject_compare", Gate::p1, Judge::compare, none, OnFail::hold, true, false},
	{"forced_resync_compare", Gate::p1, Judge::compare, none, OnFail::hold, true, false},
	{"full_state_compare", Gate::p1, Judge::compare, none, OnFail::hold, true, false},
	{"err_resync_range_unavailable_baseline", Gate::p1, Judge::baseline, none, OnFail::hold, true, true},
	{"err_resync_throttled_baseline", Gate::p1, Judge::baseline, none, OnFail::hold, true, true},
	{"recovery_p95_ms", Gate::p1, Judge::compare, none, OnFail::hold, true, true},
	{"write_receipt_trend", Gate::p1, Judge::trend, none, OnFail::hold, true, false},
	{"dwell", Gate::rollout, Judge::limit, none, OnFail::hold, true, false},
	{"quiet", Gate::rollout, Judge::limit, none, OnFail::hold, true, false},
	{"evidence", Gate::rollout, Judge::limit, none, OnFail::hold, true, false},
	{"cohort_share", Gate::rollout, Judge::limit, 2, OnFail::hold, true, false},
	{"incident", Gate::rollout, Judge::limit, none, OnFail::hold, true, false},
	{"killed", Gate::rollout, Judge::limit, 1800, OnFail::hold, true, false},
};

BOOST_DATA_TEST_CASE(defaults_are_those_of_the_reference, bdata::make(defaults), c) {
	auto input = green();
	const auto &check = check_in(input, c.check);
	BOOST_TEST(check.gate == c.gate);
	BOOST_TEST(check.judge == c.judge);
	BOOST_CHECK(check.limit == c.limit);
	BOOST_TEST(check.on_fail == c.on_fail);
	BOOST_TEST(check.enabled == c.enabled);
	BOOST_TEST(check.zero_ok == c.zero_ok);
}

BOOST_AUTO_TEST_CASE(every_default_is_valid_and_named_once) {
	std::set<std::string> names;
	for (const auto &check : default_checks()) {
		BOOST_CHECK_NO_THROW(validate_check(check));
		BOOST_TEST(names.insert(check.name).second);
		if (check.gate != Gate::rollout)
			BOOST_TEST((find_metric(check.metric) != nullptr));
	}
}

struct RowCase {
	const char *what;
	const char *check;
	void (*spoil)(Check &);
	bool accepted;
};

std::ostream &
operator<<(std::ostream &out, const RowCase &c) {
	return out << c.what;
}

const std::vector<RowCase> rows = {
	{"as it is", "send_stall_rate", [](Check &) {}, true},
	{"limit 0", "send_stall_rate", [](Check &c) { c.limit = 0; }, true},
	{"limit 1", "send_stall_rate", [](Check &c) { c.limit = 1; }, true},
	{"limit above 1", "send_stall_rate", [](Check &c) { c.limit = 1.0000001; }, false},
	{"limit 5 for 5 %", "write_reject_rate", [](Check &c) { c.limit = 5; }, false},
	{"negative", "send_stall_rate", [](Check &c) { c.limit = -0.01; }, false},
	{"NaN", "send_stall_rate", [](Check &c) { c.limit = std::nan(""); }, false},
	{"infinite", "write_receipt_p95_ms", [](Check &c) { c.limit = std::numeric_limits<double>::infinity(); }, false},
	{"milliseconds above 1", "write_receipt_p95_ms", [](Check &c) { c.limit = 5000; }, true},
	{"null limit", "write_reject_rate", [](Check &c) { c.limit.reset(); }, false},
	{"null limit, switched off", "write_reject_rate",
	 [](Check &c) {
		 c.limit.reset();
		 c.enabled = false;
	 },
	 false},
	{"null limit where policy holds it", "dwell", [](Check &c) { c.limit.reset(); }, true},
	{"a limit beside the policy's", "dwell", [](Check &c) { c.limit = 60; }, false},
	{"factor below 1", "cohort_share", [](Check &c) { c.limit = 0.5; }, false},
	{"factor 1", "cohort_share", [](Check &c) { c.limit = 1; }, true},
	{"negative samples", "write_reject_rate", [](Check &c) { c.min_samples = -1; }, false},
	{"no samples", "write_reject_rate", [](Check &c) { c.min_samples = 0; }, true},
	{"comparison switched off", "write_receipt_compare", [](Check &c) { c.enabled = false; }, true},
	{"comparison with a limit", "write_receipt_compare", [](Check &c) { c.limit = 1.5; }, false},
	{"trend with a limit", "write_receipt_trend", [](Check &c) { c.limit = 0; }, false},
	{"comparison that steps back", "write_receipt_compare", [](Check &c) { c.on_fail = OnFail::rollback; }, true},
	{"a wait of a year", "killed", [](Check &c) { c.limit = 365 * 86400.0; }, true},
	// Seconds become microseconds in 64 bits: beyond them a wait would turn into a past.
	{"a wait beyond the clock", "killed", [](Check &c) { c.limit = 1e15; }, false},
};

BOOST_DATA_TEST_CASE(a_row_that_cannot_be_used_is_refused, bdata::make(rows), c) {
	auto input = green();
	auto check = check_in(input, c.check);
	c.spoil(check);
	const auto refusal = refusal_of([&] { validate_check(check); });
	BOOST_TEST(refusal.token() == (c.accepted ? "ACCEPTED" : "ERR_INVALID_ARGUMENT"));
}

BOOST_AUTO_TEST_CASE(words_are_read_as_they_are_shown) {
	for (const auto gate : {Gate::p0, Gate::p1, Gate::rollout})
		BOOST_TEST(parse_gate(name(gate)) == gate);
	for (const auto judge : {Judge::limit, Judge::baseline, Judge::compare, Judge::trend})
		BOOST_TEST(parse_judge(name(judge)) == judge);
	for (const auto on_fail : {OnFail::kill, OnFail::rollback, OnFail::hold, OnFail::advise})
		BOOST_TEST(parse_on_fail(name(on_fail)) == on_fail);
	BOOST_TEST(name(Gate::p0) == "P0");
	for (const auto *text : {"", "p0", "Kill", "limits"}) {
		BOOST_TEST(refusal_of([&] { parse_gate(text); }).token() == "ERR_INVALID_ARGUMENT");
		BOOST_TEST(refusal_of([&] { parse_judge(text); }).token() == "ERR_INVALID_ARGUMENT");
		BOOST_TEST(refusal_of([&] { parse_on_fail(text); }).token() == "ERR_INVALID_ARGUMENT");
	}
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
