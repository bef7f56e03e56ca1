// One metric as a series of steps.

#include "core/series.hpp"
#include "functions/span.hpp"
#include "pg/rollout.hpp"
#include "pg/telemetry.hpp"

#include <algorithm>

namespace chat_v11 {

namespace {

constexpr const char *example =
	"select * from chat_v11.metric_series('write_receipt_p95_ms', now() - interval '1 hour', "
	"now(), '1 min');";

const MetricRule &
metric_arg(FunctionCallInfo fcinfo, int n) {
	const auto metric = pg::text_arg(fcinfo, n);
	if (!metric)
		throw invalid_argument("p_metric is null", {}, example);
	if (const auto *rule = find_metric(*metric))
		return *rule;
	std::string known;
	for (const auto &rule : metric_rules())
		known += (known.empty() ? "" : ", ") + std::string(rule.name);
	throw invalid_argument("unknown metric \"" + truncate_utf8(*metric, 64) + "\"", {}, "It is one of: " + known + ".");
}

// A month has no one length; a day counts 24 h here, as it does wherever the extension measures time.
Duration
step_arg(FunctionCallInfo fcinfo, int n) {
	constexpr std::int64_t microseconds_a_day = 86'400'000'000;
	if (PG_ARGISNULL(n))
		throw invalid_argument("p_step is null", {}, example);
	const auto *step = pg::call([&] { return PG_GETARG_INTERVAL_P(n); });
	std::int64_t micros = 0;
	if (step->month != 0 || __builtin_mul_overflow(std::int64_t{step->day}, microseconds_a_day, &micros) ||
		__builtin_add_overflow(micros, std::int64_t{step->time}, &micros))
		throw invalid_argument("p_step must be of days, hours, minutes and seconds", {}, example);
	if (micros < 1'000'000 || micros % 1'000'000 != 0)
		throw invalid_argument("p_step must be whole seconds, and at least 1 s",
							   "It is " + format_duration(Duration(micros)) + ".", example);
	return Duration(micros);
}

void
require_few(const Steps &steps, const MetricRule &rule) {
	constexpr auto most = series_row_limit / static_cast<std::int64_t>(cohort_count);
	if (steps.count() <= most)
		return;
	const auto fitting = format_duration(fitting_step(steps.to - steps.from, most));
	throw invalid_argument("p_step makes " + std::to_string(steps.count() * static_cast<std::int64_t>(cohort_count)) +
							   " rows, at most " + std::to_string(series_row_limit) + " are given",
						   "Each step is a row for each cohort.",
						   "select * from chat_v11.metric_series('" + std::string(rule.name) + "', '" +
							   format_iso(steps.from) + "', '" + format_iso(steps.to) + "', '" + fitting + "');");
}

} // namespace

CHAT_V11_ENTRY(chat_v11_metric_series) {
	const auto &rule = metric_arg(fcinfo, 0);
	const auto asked = span_arg(fcinfo, 1, example);
	const auto length = step_arg(fcinfo, 3);
	const auto input = pg::with_spi([](pg::Spi &spi) { return pg::load_gate_input(spi, State{}, pg::now()); });
	// Whole seconds, so that a step can be read from sums by the second; only now is known more exactly.
	const auto to = asked.to < input.now ? floor_second(asked.to) : input.now;
	const Steps steps{floor_second(asked.from), to, length};
	require_few(steps, rule);
	pg::ResultSet results(fcinfo);
	// What no bucket holds yet is read once for all steps.
	auto reader = pg::with_spi([&](pg::Spi &spi) { return pg::SpanReader(spi, input.now, input.settings); });
	for (std::int64_t i = 0; i < steps.count(); ++i) {
		// A connection for each step, so that what its queries returned is given back.
		const auto span = pg::with_spi([&](pg::Spi &spi) { return reader.read(spi, steps.begin(i), steps.end(i)); });
		for (const auto cohort : {Cohort::v11, Cohort::v10}) {
			const auto c = static_cast<size_t>(cohort);
			const auto figure = rule.of(span.totals[c], span.percentiles[c]);
			pg::Row row(results.columns());
			pg::RowWriter(row) << steps.end(i) << rule.name << name(cohort) << figure.value << figure.numerator
							   << figure.denominator;
			results.put(row);
		}
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
