// The path of the evidence of one comparison.

#include "pg/analysis.hpp"
#include "core/refusal.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"

namespace chat_v11 {

namespace {

// By the name of the comparison, of its check, or of its metric.
analysis::Comparison
comparison_arg(FunctionCallInfo fcinfo, int n) {
	const auto text = pg::text_arg(fcinfo, n);
	if (!text)
		throw invalid_argument("p_metric is null", {}, "select * from chat_v11.analysis('forced_resync');");
	std::string known;
	for (const auto &rule : analysis::comparison_rules()) {
		if (*text == rule.name || *text == rule.check || *text == rule.metric)
			return rule.comparison;
		known += (known.empty() ? "" : ", ") + std::string(rule.name);
	}
	throw invalid_argument("nothing compares \"" + truncate_utf8(*text, 64) + "\"", {},
						   "It is one of: " + known + "; or the name of its check or metric.");
}

} // namespace

CHAT_V11_ENTRY(chat_v11_analysis) {
	const auto comparison = comparison_arg(fcinfo, 0);
	const auto path = pg::with_spi(
		[&](pg::Spi &spi) { return pg::analysis_path(spi, pg::load_state(spi).state, pg::now(), comparison); });
	pg::ResultSet results(fcinfo);
	const auto count = [](double value) { return static_cast<std::int64_t>(value); };
	for (const auto &point : path) {
		pg::Row row(results.columns());
		pg::RowWriter out(row);
		out << point.at << count(point.counts.x) << count(point.counts.n) << count(point.counts.y)
			<< count(point.counts.m) << point.ln_fail << point.ln_pass << analysis::name(point.outcome);
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
