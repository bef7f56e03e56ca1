// How moments and spans are shown: people paste them, and the decision log hashes them.

#include "core/time.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(time_text)

struct MomentCase {
	Time at;
	const char *utc;
	const char *iso;
};

std::ostream &
operator<<(std::ostream &out, const MomentCase &c) {
	return out << c.iso;
}

constexpr Time epoch{};

const std::vector<MomentCase> moments = {
	{noon, "2026-03-01 12:00:00 UTC", "2026-03-01T12:00:00.000000Z"},
	{noon + 1us, "2026-03-01 12:00:00.000001 UTC", "2026-03-01T12:00:00.000001Z"},
	{noon - 1us, "2026-03-01 11:59:59.999999 UTC", "2026-03-01T11:59:59.999999Z"},
	{noon + 500ms, "2026-03-01 12:00:00.500000 UTC", "2026-03-01T12:00:00.500000Z"},
	{noon + 12h, "2026-03-02 00:00:00 UTC", "2026-03-02T00:00:00.000000Z"},
	{noon - 24h, "2026-02-28 12:00:00 UTC", "2026-02-28T12:00:00.000000Z"}, // 2026 is no leap year
	{epoch, "1970-01-01 00:00:00 UTC", "1970-01-01T00:00:00.000000Z"},
	{epoch - 1us, "1969-12-31 23:59:59.999999 UTC", "1969-12-31T23:59:59.999999Z"}, // rounds down, not to zero
};

BOOST_DATA_TEST_CASE(a_moment_is_shown_in_utc, bdata::make(moments), c) {
	BOOST_TEST(format_utc(c.at) == c.utc);
	BOOST_TEST(format_iso(c.at) == c.iso);
}

BOOST_DATA_TEST_CASE(what_was_written_is_read_back, bdata::make(moments), c) {
	BOOST_CHECK(parse_iso(c.iso) == c.at);
}

BOOST_DATA_TEST_CASE(
	nothing_else_is_read,
	bdata::make({"", "2026-03-01", "2026-03-01T12:00:00Z", "2026-03-01 12:00:00.000000Z", "2026-03-01T12:00:00.000000+",
				 "2026-03-01T12:00:00.000000Z ", "2026-02-29T12:00:00.000000Z", "2026-13-01T12:00:00.000000Z",
				 "2026-00-01T12:00:00.000000Z", "2026-03-00T12:00:00.000000Z", "2026-03-01T24:00:00.000000Z",
				 "2026-03-01T12:60:00.000000Z", "2026-03-01T12:00:60.000000Z", "-026-03-01T12:00:00.000000Z",
				 "2026-03-01T12:00:00.00000xZ"}),
	text) {
	BOOST_CHECK(!parse_iso(text));
}

// Whole seconds for people: a begin no later than it was, an end no earlier.
BOOST_AUTO_TEST_CASE(seconds_are_rounded_away_from_what_lies_between) {
	for (const auto at : {noon, epoch, epoch - 1h}) {
		BOOST_CHECK(floor_second(at) == at);
		BOOST_CHECK(ceil_second(at) == at);
		BOOST_CHECK(floor_second(at + instant) == at);
		BOOST_CHECK(ceil_second(at + instant) == at + 1s);
		BOOST_CHECK(floor_second(at - instant) == at - 1s);
		BOOST_CHECK(ceil_second(at - instant) == at);
	}
}

struct SpanCase {
	Duration span;
	const char *text;
};

std::ostream &
operator<<(std::ostream &out, const SpanCase &c) {
	return out << c.text;
}

const std::vector<SpanCase> spans = {
	{0s, "0 s"},
	{1us, "1 us"},
	{450ms, "450 ms"},
	{1500us, "1 ms 500 us"},
	{29min + 59s, "29 min 59 s"},
	{12h, "12 h"},
	{12h + 1s, "12 h 1 s"}, // zeros between do not count as shown
	{24h, "1 d"},
	{25h + 2min + 3s, "1 d 1 h"}, // two units are enough for people
	{-90s, "-1 min 30 s"},
	{Duration::max(), "106751991 d 4 h"},
	{Duration::min(), "-106751991 d 4 h"}, // its positive twin does not exist
};

BOOST_DATA_TEST_CASE(a_span_is_shown_in_its_two_largest_units, bdata::make(spans), c) {
	BOOST_TEST(format_duration(c.span) == c.text);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
