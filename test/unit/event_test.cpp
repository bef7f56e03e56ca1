// The rules of one event: what is refused, and exactly from where on.

#include "core/event.hpp"

#include "fixture.hpp"

#include <limits>

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(event_rules)

constexpr Duration retention = 720h;

EventFields
good_event() {
	EventFields event;
	event.at = noon;
	event.kind = Kind::write_ack;
	event.cohort = Cohort::v11;
	event.has_subject = true;
	return event;
}

std::string
broken_field(const EventFields &event) {
	const auto error = check_event(event, noon, retention);
	if (!error)
		return "";
	BOOST_TEST(error->sentence.starts_with(error->field)); // the caller shows the sentence alone
	return std::string(error->field);
}

struct AgeCase {
	Duration ahead;
	bool accepted;
};

std::ostream &
operator<<(std::ostream &out, const AgeCase &c) {
	return out << format_duration(c.ahead);
}

const std::vector<AgeCase> ages = {
	{0s, true},   {5s, true},         {5s + instant, false},         {24h, false},
	{-24h, true}, {-retention, true}, {-retention - instant, false},
};

BOOST_DATA_TEST_CASE(its_time_is_within_five_seconds_ahead_and_retention, bdata::make(ages), c) {
	auto event = good_event();
	event.at = noon + c.ahead;
	BOOST_TEST(broken_field(event) == (c.accepted ? "" : "at"));
}

// A restored dump has old events, and only their age speaks against them.
BOOST_AUTO_TEST_CASE(what_only_the_clock_refuses_is_told_apart) {
	for (const auto ahead : {Duration(5s + instant), -retention - instant}) {
		auto event = good_event();
		event.at = noon + ahead;
		BOOST_TEST(check_event(event, noon, retention)->by_clock);
	}
	auto event = good_event();
	event.at_infinite = true;
	BOOST_TEST(!check_event(event, noon, retention)->by_clock);
	event = good_event();
	event.value = -1;
	BOOST_TEST(!check_event(event, noon, retention)->by_clock);
}

struct ValueCase {
	double value;
	bool accepted;
};

std::ostream &
operator<<(std::ostream &out, const ValueCase &c) {
	return out << c.value;
}

const std::vector<ValueCase> values = {
	{0, true},
	{-0.0, true},
	{0.5, true},
	{1e9, true},
	{1e9 + 1, false},
	{-1, false},
	{-1e-9, false},
	{std::numeric_limits<double>::quiet_NaN(), false},
	{std::numeric_limits<double>::infinity(), false},
	{-std::numeric_limits<double>::infinity(), false},
	{std::numeric_limits<double>::denorm_min(), true},
};

BOOST_DATA_TEST_CASE(its_value_is_finite_and_from_0_to_1e9, bdata::make(values), c) {
	auto event = good_event();
	event.value = c.value;
	BOOST_TEST(broken_field(event) == (c.accepted ? "" : "value"));
}

BOOST_AUTO_TEST_CASE(what_must_be_there_is_asked_for_by_name) {
	auto event = good_event();
	event.kind.reset();
	BOOST_TEST(broken_field(event) == "kind");
	event = good_event();
	event.cohort.reset();
	BOOST_TEST(broken_field(event) == "cohort");
	event = good_event();
	event.at.reset();
	BOOST_TEST(broken_field(event) == "at");
	event = good_event();
	event.at_infinite = true;
	BOOST_TEST(broken_field(event) == "at");
}

// ACKs and receipts are paired by the write's key; every other kind is only counted.
BOOST_AUTO_TEST_CASE(only_the_links_of_a_write_need_a_subject) {
	for (size_t i = 0; i < kind_count; ++i) {
		auto event = good_event();
		event.kind = static_cast<Kind>(i);
		event.has_subject = false;
		const auto kind = name(*event.kind);
		const bool link =
			kind == "write_ack" || kind == "write_receipt" || kind == "write_ledgered" || kind == "write_stored";
		BOOST_TEST_CONTEXT(kind)
		BOOST_TEST(broken_field(event) == (link ? "subject" : ""));
	}
}

// Stored numbers: a kind that moved would turn old events into others.
BOOST_AUTO_TEST_CASE(kinds_keep_their_numbers_and_names) {
	const std::vector<std::string_view> expected = {
		"write_started",      "write_ack",          "write_rejected",  "write_ledgered",
		"write_stored",       "write_receipt",      "pending_forever", "send_stall",
		"timeline_delivered", "timeline_duplicate", "read_cursor",     "read_rollback",
		"session_active",     "forced_resync",      "resync_request",  "resync_range_unavailable",
		"resync_throttled",   "full_state",         "recovery_done"};
	BOOST_REQUIRE(expected.size() == kind_count);
	for (size_t i = 0; i < kind_count; ++i) {
		BOOST_TEST(kind_names[i] == expected[i]);
		BOOST_CHECK(parse_kind(expected[i]) == static_cast<Kind>(i));
	}
	BOOST_CHECK(parse_cohort("v10") == static_cast<Cohort>(0));
	BOOST_CHECK(parse_cohort("v11") == static_cast<Cohort>(1));
}

BOOST_DATA_TEST_CASE(an_unknown_name_is_refused, bdata::make({"", "ack", "WRITE_ACK", "write_ack ", "v12"}), text) {
	const auto kind = refusal_of([&] { parse_kind(text); });
	BOOST_TEST(kind.token() == "ERR_INVALID_ARGUMENT");
	BOOST_TEST(kind.sqlstate() == "22023");
	BOOST_TEST(contains(kind.hint(), "recovery_done"));
	BOOST_TEST(refusal_of([&] { parse_cohort(text); }).token() == "ERR_INVALID_ARGUMENT");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
