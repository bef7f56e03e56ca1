// The gates: one row for people, one row a check, the past, and what would be under other limits.

#include "core/refusal.hpp"
#include "pg/rollout.hpp"

namespace chat_v11 {

namespace {

State
present_state() {
	return pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi).state; });
}

Datum
check_rows(FunctionCallInfo fcinfo, const GateAnswer &answer) {
	pg::ResultSet results(fcinfo);
	for (const auto &result : answer.checks) {
		pg::Row row(results.columns());
		pg::RowWriter out(row);
		out << name(result.check.gate) << result.check.name << name(result.status) << result.check.enabled
			<< result.figure.value << result.limit << result.figure.numerator << result.figure.denominator
			<< result.control_value << result.data_age << name(result.check.on_fail) << result.reason;
		if (result.what_to_do.empty())
			out.null();
		else
			out << result.what_to_do;
		out << name(answer.decision);
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace

CHAT_V11_ENTRY(chat_v11_get_release_gates) {
	const auto gates = pg::evaluate_gates(present_state()).answer;
	pg::Row row(pg::result_columns(fcinfo));
	pg::RowWriter out(row);
	out << name(gates.decision) << gates.p0_ok << gates.p1_ok << gates.rollout_ok << gates.reasons
		<< name(gates.state.stage) << gates.state.kill_switch;
	constexpr size_t shown = 10; // the first ten metrics
	for (size_t i = 0; i < shown; ++i)
		out << gates.figures[i].value;
	out << gates.mature_writes << gates.data_age << gates.window_start << gates.evaluated_at << gates.mock_clock
		<< gates.state.overridden << gates.disabled();
	return pg::return_row(fcinfo, row);
}

CHAT_V11_ENTRY(chat_v11_explain_gates) {
	return check_rows(fcinfo, pg::evaluate_gates(present_state()).answer);
}

CHAT_V11_ENTRY(chat_v11_explain_gates_at) {
	if (PG_ARGISNULL(0))
		throw invalid_argument("p_at is null", {}, "select * from chat_v11.explain_gates();");
	const auto raw = PG_GETARG_TIMESTAMPTZ(0);
	if (TIMESTAMP_NOT_FINITE(raw))
		throw invalid_argument("p_at is infinite");
	const auto at = pg::time_from_pg(raw);
	if (at > pg::now())
		throw invalid_argument("p_at lies in the future", "It is " + format_utc(pg::now()) + ".",
							   "select * from chat_v11.explain_gates();");
	const auto state = pg::with_spi([&](pg::Spi &spi) { return pg::load_state_at(spi, at); });
	return check_rows(fcinfo, pg::evaluate_gates(state, at).answer);
}

CHAT_V11_ENTRY(chat_v11_what_if) {
	if (PG_ARGISNULL(0))
		throw invalid_argument("p_overrides is null", {}, "select * from chat_v11.explain_gates();");
	const char *json = pg::call([&] {
		auto *value = PG_GETARG_JSONB_P(0);
		return JsonbToCString(nullptr, &value->root, VARSIZE(value));
	});
	const auto overrides = pg::to_utf8(json);
	return check_rows(fcinfo, pg::evaluate_gates(present_state(), std::nullopt, &overrides).answer);
}

CHAT_V11_ENTRY(chat_v11_clock) {
	return pg::time_datum(pg::now());
}

} // namespace chat_v11
