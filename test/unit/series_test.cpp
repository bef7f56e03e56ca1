// A span cut into steps: no moment twice, none left out.

#include "core/series.hpp"

#include "fixture.hpp"

namespace chat_v11::test {

BOOST_AUTO_TEST_SUITE(series)

struct StepsCase {
	Duration span, length;
	std::int64_t count;
};

std::ostream &
operator<<(std::ostream &out, const StepsCase &c) {
	return out << format_duration(c.span) << " by " << format_duration(c.length);
}

const std::vector<StepsCase> cuts = {
	{1h, 1min, 60}, {1h + 1us, 1min, 61}, {1h - 1us, 1min, 60},  {1us, 24h, 1},
	{0s, 1s, 0},    {-1h, 1s, 0},         {50'000s, 1s, 50'000},
};

BOOST_DATA_TEST_CASE(steps_touch_and_end_where_the_span_ends, bdata::make(cuts), c) {
	const Steps steps{noon, noon + c.span, c.length};
	BOOST_TEST(steps.count() == c.count);
	for (std::int64_t i = 0; i < steps.count(); ++i) {
		BOOST_TEST((steps.begin(i) == (i ? steps.end(i - 1) : steps.from)));
		BOOST_TEST((steps.end(i) - steps.begin(i) <= c.length));
		BOOST_TEST((steps.end(i) > steps.begin(i)));
	}
	if (c.count)
		BOOST_TEST((steps.end(c.count - 1) == steps.to));
}

BOOST_AUTO_TEST_CASE(a_step_that_fits_is_round_and_the_shortest) {
	BOOST_TEST((fitting_step(50'000s, 50'000) == 1s));
	BOOST_TEST((fitting_step(50'000s + 1us, 50'000) == 2s));
	BOOST_TEST((fitting_step(24h, 100) == 15min));
	BOOST_TEST((fitting_step(24h * 30, 60) == 12h));
	BOOST_TEST((fitting_step(24h * 30, 59) == 24h));
	BOOST_TEST((fitting_step(24h * 3650, 1000) == 24h * 4));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_v11::test
