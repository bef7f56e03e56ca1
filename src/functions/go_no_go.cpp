// The records of a decision: before it is made, and all of them.

#include "core/go_no_go.hpp"
#include "core/decision_log.hpp"
#include "pg/guard_worker.hpp"
#include "pg/preflight.hpp"

namespace chat_v11 {

namespace {

std::vector<Turned>
load_turned(pg::Spi &spi) {
	const auto rows = spi.query(R"sql(
		WITH present(tab, ord, key, content, history_id) AS (
			SELECT 'stage_policy', 1000 + p.percent, p.stage, to_jsonb(p) - 'history_id', p.history_id FROM chat_v11.stage_policy p
			UNION ALL SELECT 'gate_check', c.ordinal, c.name, to_jsonb(c) - 'history_id', c.history_id FROM chat_v11.gate_check c
			UNION ALL SELECT 'setting', 2000, s.name, to_jsonb(s) - 'history_id', s.history_id FROM chat_v11.setting s
		), installed(tab, key, content) AS (
			SELECT 'stage_policy', p.stage, to_jsonb(p) FROM chat_v11.default_stage_policy() p
			UNION ALL SELECT 'gate_check', c.name, to_jsonb(c) FROM chat_v11.default_gate_check() c
			UNION ALL SELECT 'setting', s.name, to_jsonb(s) - 'meaning' FROM chat_v11.default_setting() s
		)
		SELECT p.tab || ' ' || p.key, coalesce((SELECT string_agg(format('%s %s -> %s', n.key,
				coalesce(i.content->>n.key, 'null'), coalesce(n.value, 'null')), ', ' ORDER BY n.key)
			FROM jsonb_each_text(p.content) n WHERE i.content->>n.key IS DISTINCT FROM n.value), 'as installed again'),
			h.id, h.changed_at, h.changed_by, h.note
		FROM present p JOIN chat_v11.rollout_history h ON h.id = p.history_id LEFT JOIN installed i USING (tab, key)
		ORDER BY p.ord, p.key)sql");
	std::vector<Turned> turned;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		turned.push_back({*rows.text(i, 1), *rows.text(i, 2), *rows.bigint(i, 3), *rows.time(i, 4), *rows.text(i, 5),
						  rows.text(i, 6)});
	return turned;
}

std::vector<Attestation>
load_attestations(pg::Spi &spi) {
	const auto rows = spi.query("SELECT a.what, a.ok, a.attested_at, a.attested_by, a.ref FROM chat_v11.attestation a "
								"ORDER BY a.what");
	std::vector<Attestation> list;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		list.push_back({*rows.text(i, 1), {*rows.boolean(i, 2), *rows.time(i, 3), *rows.text(i, 4), *rows.text(i, 5)}});
	return list;
}

// What a promotion to the target would be refused with now.  Of a start's preconditions the self-test is left out: it
// writes, and this page is for a standby too.
void
judge(GoNoGo &facts, const pg::StoredState &stored, const pg::Evaluation &evaluation) {
	try {
		const auto classified = classify_promotion(stored.state, name(facts.target), stored.log_has_state);
		const auto &input = evaluation.input;
		auto rows = pg::binding_rows(evaluation, classified, pg::SelfTest::no);
		const auto missing = unmet(rows);
		if (classified.transition == Transition::start)
			facts.preconditions = std::move(rows);
		Request request;
		request.stage = std::string(name(facts.target));
		request.kill_switch = false;
		(void)decide(stored.state, request, classified, &evaluation.answer, missing, input.settings.preflight,
					 input.now);
	} catch (const Refusal &refusal) {
		facts.refusal = refusal;
	}
}

} // namespace

CHAT_V11_ENTRY(chat_v11_go_no_go) {
	const auto stored = pg::with_spi([](pg::Spi &spi) { return pg::load_state(spi); });
	GoNoGo facts;
	facts.target = target_stage(pg::text_arg(fcinfo, 0), stored.state);
	auto evaluation = pg::evaluate_gates(stored.state);
	judge(facts, stored, evaluation);
	const auto guard = pg::guard_report();
	facts.guard_state = guard.state;
	facts.guard_remark = guard.remark;
	pg::with_spi([&](pg::Spi &spi) {
		facts.turned = load_turned(spi);
		facts.attestations = load_attestations(spi);
		facts.roster = pg::load_roster(spi);
		facts.newest = pg::newest_change(spi);
		const auto misfit = spi.query("SELECT v.reason FROM chat_v11.verify_history() v");
		facts.log_misfit = misfit.empty() ? "" : misfit.text(0, 1).value_or("");
	});
	facts.input = std::move(evaluation.input);
	facts.gates = std::move(evaluation.answer);
	return pg::text_datum(go_no_go_text(facts));
}

CHAT_V11_ENTRY(chat_v11_decision_log) {
	const auto format = parse_log_format(pg::text_arg(fcinfo, 0).value_or("markdown"));
	pg::ResultSet results(fcinfo);
	const auto put = [&](const std::string &line) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << line;
		results.put(row);
	};
	for (const auto &line : decision_log_head(format))
		put(line);
	pg::with_spi([&](pg::Spi &spi) {
		pg::walk_history(spi, [&](const HistoryRow &row) {
			put(decision_log_row(format, row));
			return true;
		});
	});
	return static_cast<Datum>(0);
}

} // namespace chat_v11
