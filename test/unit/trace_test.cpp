// One write's chain: what is missing, and when that can be said.

#include "core/trace.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

namespace {

struct At {
	Kind kind;
	Duration after; // noon
	Cohort cohort = Cohort::v11;
};

TraceInput
input_of(const std::vector<At> &events, Duration now) {
	TraceInput input;
	input.subject = "00000000-0000-4000-8000-000000000001";
	for (const auto &event : events)
		input.events.push_back({noon + event.after, event.kind, event.cohort, {}, {}});
	input.now = noon + now;
	input.report_grace = 2s;
	return input;
}

void
reported(TraceInput &input, Cohort cohort, Kind kind, std::int64_t count) {
	input.others[static_cast<size_t>(cohort)][static_cast<size_t>(kind)] = {count, noon};
}

std::string
first_word(const TraceRow &row) {
	return row.remark->substr(0, row.remark->find_first_of(": "));
}

bool
says(const TraceRow &row, const char *words) {
	return row.remark->find(words) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(trace)

struct VerdictCase {
	const char *what;
	std::vector<At> events;
	Duration now;
	bool optional_links; // reported of others
	std::optional<Kind> missing;
	const char *word;
};

std::ostream &
operator<<(std::ostream &out, const VerdictCase &c) {
	return out << c.what;
}

using enum Kind;

const std::vector<VerdictCase> verdicts = {
	{"whole", {{write_ack, 0s}, {write_receipt, 1s}}, 60s, false, {}, "whole"},
	{"exactly 10 s", {{write_ack, 0s}, {write_receipt, 10s}}, 60s, false, {}, "whole"},
	{"a microsecond more", {{write_ack, 0s}, {write_receipt, 10s + 1us}}, 60s, false, {}, "late"},
	{"receipt first", {{write_receipt, 0s}, {write_ack, 20s}}, 60s, false, {}, "whole"},
	{"second ACK counts for nothing", {{write_ack, 0s}, {write_ack, 5s}, {write_receipt, 12s}}, 60s, false, {}, "late"},
	{"no receipt", {{write_ack, 0s}}, 60s, false, write_receipt, "missing"},
	{"no receipt, not yet mature", {{write_ack, 0s}}, 12s, false, write_receipt, "not"},
	{"no receipt, just mature", {{write_ack, 0s}}, 12s + 1us, false, write_receipt, "missing"},
	{"gap before the receipt", {{write_ack, 0s}, {write_receipt, 1s}}, 60s, true, write_ledgered, "missing"},
	{"gap, and the report may still come", {{write_ack, 0s}, {write_receipt, 1s}}, 5s, true, write_ledgered, "not"},
	{"stored is next", {{write_ack, 0s}, {write_ledgered, 1s}}, 60s, true, write_stored, "missing"},
	{"receipt is next",
	 {{write_ack, 0s}, {write_ledgered, 1s}, {write_stored, 2s}},
	 60s,
	 true,
	 write_receipt,
	 "missing"},
	{"others do not have it, so the next one is passed over",
	 {{write_ack, 0s}, {write_ledgered, 1s}, {write_receipt, 2s}},
	 60s,
	 false,
	 {},
	 "whole"},
	{"started only", {{write_started, 0s}}, 60s, false, write_ack, "missing"},
	{"just started", {{write_started, 0s}}, 12s, false, write_ack, "not"},
	{"rejected", {{write_started, 0s}, {write_rejected, 1s}}, 60s, false, {}, "rejected"},
	{"rejected, tried again",
	 {{write_started, 0s}, {write_rejected, 1s}, {write_started, 2s}},
	 60s,
	 false,
	 write_ack,
	 "missing"},
	{"rejected, then acknowledged",
	 {{write_rejected, 0s}, {write_ack, 1s}, {write_receipt, 2s}},
	 60s,
	 false,
	 {},
	 "whole"},
	{"receipt without ACK", {{write_started, 0s}, {write_receipt, 1s}}, 2s, false, write_ack, "missing"},
	{"a dialog's", {{timeline_delivered, 0s}, {read_cursor, 1s}}, 60s, false, {}, "no"},
	{"nothing", {}, 60s, false, {}, "unknown"},
};

BOOST_DATA_TEST_CASE(the_verdict_names_the_first_missing_link, bdata::make(verdicts), c) {
	auto input = input_of(c.events, c.now);
	if (c.optional_links)
		for (const auto kind : {write_ledgered, write_stored})
			reported(input, Cohort::v10, kind, 1);
	const auto rows = trace_write(input);
	BOOST_TEST(rows.size() == c.events.size() + 1);
	BOOST_TEST(!rows.back().at);
	BOOST_TEST((rows.back().kind == c.missing));
	BOOST_TEST(first_word(rows.back()) == c.word);
}

BOOST_AUTO_TEST_CASE(time_between_events_and_since_the_first_ack) {
	const auto rows = trace_write(input_of({{write_started, -1s}, {write_ack, 0s}, {write_ack, 3s}}, 60s));
	BOOST_TEST(!rows[0].since_previous);
	BOOST_TEST((rows[0].since_ack == -1s));
	BOOST_TEST((rows[1].since_previous == 1s));
	BOOST_TEST((rows[2].since_previous == 3s));
	BOOST_TEST((rows[2].since_ack == 3s));
	BOOST_TEST((rows[3].since_previous == 57s)); // waiting still
	BOOST_TEST((rows[3].since_ack == 60s));
}

BOOST_AUTO_TEST_CASE(what_others_have_tells_an_exception_from_a_fault_of_all) {
	auto input = input_of({{write_ack, 0s}}, 60s);
	BOOST_TEST(says(trace_write(input).back(), "are they reported at all?"));
	BOOST_TEST(says(trace_write(input).back(), "metric_series('receipt_without_ack_count'"));
	reported(input, Cohort::v10, write_receipt, 10);
	BOOST_TEST(says(trace_write(input).back(), "the path of v11, or its reports"));
	reported(input, Cohort::v11, write_ack, 100);
	reported(input, Cohort::v11, write_receipt, 90);
	BOOST_TEST(says(trace_write(input).back(), "100 write_ack and 90 write_receipt"));
	BOOST_TEST(says(trace_write(input).back(), "this one is an exception"));
	BOOST_TEST(says(trace_write(input).back(), "missing_receipts(500)"));
	reported(input, Cohort::v11, write_receipt, 89);
	BOOST_TEST(says(trace_write(input).back(), "this one is not alone"));
}

BOOST_AUTO_TEST_CASE(a_key_with_more_events_than_a_write_has_is_cut) {
	std::vector<At> events(trace_limit, {read_cursor, 0s});
	BOOST_TEST(first_word(trace_write(input_of(events, 60s)).back()) == "no");
	events.push_back({write_ack, 1s});
	const auto rows = trace_write(input_of(events, 60s));
	BOOST_TEST(rows.size() == static_cast<size_t>(trace_limit) + 1);
	BOOST_TEST(first_word(rows.back()) == "cut");
}

BOOST_AUTO_TEST_CASE(others_are_looked_at_around_the_first_ack) {
	BOOST_TEST(!trace_anchor({}));
	BOOST_TEST(
		(trace_anchor(input_of({{write_started, 0s}, {write_ack, 1s}, {write_ack, 2s}}, 0s).events) == noon + 1s));
	BOOST_TEST((trace_anchor(input_of({{write_started, 0s}, {write_receipt, 1s}}, 0s).events) == noon));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
