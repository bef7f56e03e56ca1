// What must hold before a start, and whether a promotion would be taken now.

#include "pg/preflight.hpp"
#include "core/go_no_go.hpp"
#include "core/refusal.hpp"
#include "pg/on_commit.hpp"

namespace chat_v11 {

CHAT_V11_ENTRY(chat_v11_preflight) {
	const auto evaluation = pg::with_latest_snapshot([&] {
		const auto state = pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi).state; });
		return pg::evaluate_gates(state);
	});
	const auto rows = pg::preflight_rows(evaluation, target_stage(pg::text_arg(fcinfo, 0), evaluation.input.state),
										 pg::SelfTest::yes);
	pg::ResultSet results(fcinfo);
	for (const auto &precondition : rows) {
		pg::Row row(results.columns());
		pg::RowWriter out(row);
		out << precondition.name << precondition.ok << precondition.detail;
		if (precondition.what_to_do.empty())
			out.null();
		else
			out << precondition.what_to_do;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

// The very rules of a promotion, and none of its effects.
CHAT_V11_ENTRY(chat_v11_assert_gate) {
	const auto target = pg::text_arg(fcinfo, 0);
	if (!target)
		throw invalid_argument("p_target_stage is null", {}, "select chat_v11.assert_gate('canary_10');");
	const auto stored =
		pg::with_latest_snapshot([] { return pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi); }); });
	const auto classified = classify_promotion(stored.state, *target, stored.log_has_state);
	const auto evaluation = pg::with_latest_snapshot([&] { return pg::evaluate_gates(stored.state); });
	const auto self_test = pg::may_self_test() ? pg::SelfTest::yes : pg::SelfTest::no;
	auto missing = unmet(pg::binding_rows(evaluation, classified, self_test));
	// The run that asks here is the one that the row asks for.
	std::erase_if(missing, [](const Precondition &row) { return row.name == ci_row; });
	Request request;
	request.stage = *target;
	request.kill_switch = false;
	const auto preflight = evaluation.input.settings.preflight;
	(void)decide(stored.state, request, classified, &evaluation.answer, missing, preflight, pg::now());
	if (!missing.empty()) {
		pg::tell(WARNING, "preconditions of a start are not met", join(sentences(missing), "\n"),
				 "select * from chat_v11.preflight();");
	}
	pg::warn_if_mocked();
	PG_RETURN_VOID();
}

} // namespace chat_v11
