// Which answer belongs to which request, and what the figures speak for.

#include "core/resync.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

namespace {

using enum Kind;
using Outcome = ResyncOutcome;

struct Fed {
	Kind kind;
	Duration after; // noon
	std::optional<double> value = {};
	std::optional<std::string> actor = {};
};

ResyncTotals
totals_of(const std::vector<Fed> &events, Duration from = -1h, Duration to = 1h) {
	ResyncPairing pairing(noon + from, noon + to);
	pairing.begin_subject(Cohort::v11, false);
	for (const auto &event : events)
		pairing.feed({noon + event.after, event.kind, event.actor, event.value});
	return pairing.finish();
}

const ResyncFigures &
canary(const ResyncTotals &totals, Outcome outcome) {
	return totals[static_cast<size_t>(Cohort::v11)][static_cast<size_t>(outcome)];
}

std::string
in_short(const ResyncTotals &totals) {
	std::string text;
	for (const auto outcome : {Outcome::served, Outcome::full_state, Outcome::range_unavailable, Outcome::throttled}) {
		const auto &f = canary(totals, outcome);
		text += std::to_string(f.requests) + (f.without_request ? "+" + std::to_string(f.without_request) : "") + " ";
	}
	return text;
}

void
fill(ResyncTotals &totals, Cohort cohort, Outcome outcome, int count, double behind, int from_zero, int from_zero_of) {
	auto &f = totals[static_cast<size_t>(cohort)][static_cast<size_t>(outcome)];
	f.requests = count;
	f.behind.assign(static_cast<size_t>(count), behind);
	f.from_zero = from_zero;
	f.from_zero_of = from_zero_of;
}

} // namespace

BOOST_AUTO_TEST_SUITE(resync)

struct PairingCase {
	const char *what;
	std::vector<Fed> events;
	const char *counts; // served, by full state, range unavailable, throttled; +N refusals without a request
};

std::ostream &
operator<<(std::ostream &out, const PairingCase &c) {
	return out << c.what;
}

const std::vector<PairingCase> pairings = {
	{"no answer is served", {{resync_request, 0s}}, "1 0 0 0 "},
	{"refused at once", {{resync_request, 0s}, {resync_range_unavailable, 0s}}, "0 0 1 0 "},
	{"after exactly 60 s", {{resync_request, 0s}, {resync_range_unavailable, 60s}}, "0 0 1 0 "},
	{"a microsecond more", {{resync_request, 0s}, {resync_range_unavailable, 60s + 1us}}, "1 0 0+1 0 "},
	{"the nearest before it", {{resync_request, 0s}, {resync_request, 1s}, {resync_throttled, 2s}}, "1 0 0 1 "},
	{"one answer each",
	 {{resync_request, 0s}, {resync_request, 1s}, {resync_throttled, 2s}, {resync_range_unavailable, 3s}},
	 "0 0 1 1 "},
	{"refused, then a full state",
	 {{resync_request, 0s}, {resync_range_unavailable, 1s}, {resync_request, 2s}, {full_state, 3s}},
	 "0 1 1 0 "},
	{"a full state that nobody asked for", {{full_state, 3s}}, "0 0 0 0 "},
	{"other actor", {{resync_request, 0s, {}, "a"}, {resync_throttled, 1s, {}, "b"}}, "1 0 0 0+1 "},
	{"actor of one side", {{resync_request, 0s, {}, "a"}, {resync_throttled, 1s}}, "0 0 0 1 "},
	{"past another actor's request",
	 {{resync_request, 0s, {}, "a"}, {resync_request, 1s, {}, "b"}, {resync_throttled, 2s, {}, "a"}},
	 "1 0 0 1 "},
};

BOOST_DATA_TEST_CASE(an_answer_finds_its_request, bdata::make(pairings), c) {
	BOOST_TEST(in_short(totals_of(c.events)) == c.counts);
}

BOOST_AUTO_TEST_CASE(a_request_counts_by_its_own_time) {
	const std::vector<Fed> events = {
		{resync_request, 0s}, {resync_throttled, 1s}, {resync_request, 10s}, {resync_throttled, 11s}};
	BOOST_TEST(in_short(totals_of(events, 0s, 10s)) == "0 0 0 1 ");
	BOOST_TEST(in_short(totals_of(events, -1us, 0s)) == "0 0 0 1 ");
	BOOST_TEST(in_short(totals_of(events, 500ms, 9s)) == "0 0 0 0 "); // its refusal alone is no riddle
	BOOST_TEST(in_short(totals_of({{resync_throttled, 10s}}, 0s, 10s)) == "0 0 0 0+1 ");
	BOOST_TEST(in_short(totals_of({{resync_throttled, 11s}}, 0s, 10s)) == "0 0 0 0 ");
	BOOST_TEST(in_short(totals_of({{resync_throttled, 0s}}, 0s, 10s)) == "0 0 0 0 ");
}

BOOST_AUTO_TEST_CASE(subjects_do_not_mix) {
	ResyncPairing pairing(noon - 1h, noon + 1h);
	pairing.begin_subject(Cohort::v11, false);
	pairing.feed({noon, resync_request, {}, {}});
	pairing.begin_subject(Cohort::v11, true);
	pairing.feed({noon + 1s, resync_throttled, {}, {}});
	const auto totals = pairing.finish();
	BOOST_TEST(in_short(totals) == "1 0 0 0+1 ");
	BOOST_TEST(canary(totals, Outcome::served).by_time_alone == 0);
}

BOOST_AUTO_TEST_CASE(from_zero_needs_both_values) {
	const auto totals = totals_of({{resync_request, 0s, 500.},
								   {resync_range_unavailable, 1s, 500.},
								   {resync_request, 2s, 499.},
								   {resync_range_unavailable, 3s, 500.},
								   {resync_request, 4s, 500.},
								   {resync_range_unavailable, 5s},
								   {resync_request, 6s},
								   {resync_range_unavailable, 7s, 500.}});
	const auto &refused = canary(totals, Outcome::range_unavailable);
	BOOST_TEST(refused.requests == 4);
	BOOST_TEST(refused.behind.size() == 3u);
	BOOST_TEST(refused.from_zero == 1);
	BOOST_TEST(refused.from_zero_of == 2);
}

BOOST_AUTO_TEST_CASE(quantiles_are_by_nearest_rank) {
	ResyncTotals totals;
	auto &served = totals[static_cast<size_t>(Cohort::v11)][0];
	served.requests = 200;
	for (int i = 199; i >= 1; --i)
		served.behind.push_back(i);
	const auto row = resync_rows(totals).front();
	BOOST_TEST(*row.p50 == 100);
	BOOST_TEST(*row.p95 == 190);
	BOOST_TEST(*row.p99 == 198);
	BOOST_TEST(*row.max == 199);
	BOOST_TEST(row.behind_unknown == 1);
	BOOST_TEST(*row.share == 1);
	BOOST_TEST(!row.from_zero_share);
}

struct RemarkCase {
	double refused_behind;
	int from_zero, from_zero_of;
	const char *words;
};

std::ostream &
operator<<(std::ostream &out, const RemarkCase &c) {
	return out << c.words;
}

const std::vector<RemarkCase> remarks = {
	{1000, 10, 20, "Most refused requests asked from 0 (10 of 20"},
	{1000, 9, 20,
	 "9 of 20 asked from 0. They were 1000 behind at the median, and nobody farther behind than 100 was served"},
	{1000, 0, 20, "None of 20 asked from 0."},
	{1000, 0, 0, "Whether they asked from 0 is unknown"},
	{101, 0, 20, "retention is shorter than clients stay away"},
	{100, 0, 20, "not retention"},
};

BOOST_DATA_TEST_CASE(the_remark_says_what_to_look_at, bdata::make(remarks), c) {
	ResyncTotals totals;
	fill(totals, Cohort::v11, Outcome::served, 80, 100, 0, 0);
	fill(totals, Cohort::v11, Outcome::range_unavailable, 20, c.refused_behind, c.from_zero, c.from_zero_of);
	// However far behind: it was given the whole state, and says nothing about retention.
	fill(totals, Cohort::v11, Outcome::full_state, 5, 1e6, 5, 5);
	const auto rows = resync_rows(totals);
	BOOST_TEST(rows.size() == cohort_count * resync_outcome_count);
	BOOST_TEST(rows[2].remark->find(c.words) != std::string::npos, *rows[2].remark);
	BOOST_TEST(rows[2].remark->find("v10") == std::string::npos); // nothing to compare with
}

BOOST_AUTO_TEST_CASE(control_is_compared_where_it_has_requests_enough) {
	ResyncTotals totals;
	fill(totals, Cohort::v11, Outcome::served, 80, 100, 0, 0);
	fill(totals, Cohort::v11, Outcome::range_unavailable, 20, 1000, 0, 20);
	fill(totals, Cohort::v10, Outcome::served, 19, 100, 0, 0);
	BOOST_TEST(resync_rows(totals)[2].remark->find("v10") == std::string::npos);
	fill(totals, Cohort::v10, Outcome::served, 20, 100, 0, 0);
	BOOST_TEST(resync_rows(totals)[2].remark->find("v10 is refused less (0 % against 20 %)") != std::string::npos);
	fill(totals, Cohort::v10, Outcome::served, 18, 100, 0, 0);
	fill(totals, Cohort::v10, Outcome::range_unavailable, 2, 1000, 0, 2);
	BOOST_TEST(resync_rows(totals)[2].remark->find("v10 is refused as well (10 % against 20 %)") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
