// The decision log: its guard, and its verifier.

#include "core/refusal.hpp"
#include "pg/on_commit.hpp"
#include "pg/store.hpp"
#include "pg/trigger.hpp"

#include <cstring>

namespace chat_v11 {

namespace {

Digest
digest_of(const std::optional<std::string> &bytes) {
	Digest digest{};
	if (bytes)
		std::memcpy(digest.data(), bytes->data(), std::min(bytes->size(), digest.size()));
	return digest;
}

HistoryRow
inserted_row(const pg::TriggerCall &trigger) {
	const auto tuple = trigger.new_row();
	HistoryRow row;
	row.id = trigger.bigint(tuple, "id").value_or(0);
	row.changed_at = trigger.time(tuple, "changed_at").value_or(Time{});
	row.transition = trigger.text(tuple, "transition").value_or("");
	row.from_stage = trigger.text(tuple, "from_stage").value_or("");
	row.to_stage = trigger.text(tuple, "to_stage").value_or("");
	row.from_kill_switch = trigger.boolean(tuple, "from_kill_switch").value_or(true);
	row.to_kill_switch = trigger.boolean(tuple, "to_kill_switch").value_or(true);
	row.decision = trigger.text(tuple, "decision");
	row.approved_by = trigger.text(tuple, "approved_by").value_or("");
	row.changed_by = trigger.text(tuple, "changed_by").value_or("");
	row.note = trigger.text(tuple, "note");
	row.version = trigger.bigint(tuple, "version").value_or(0);
	row.overridden = trigger.boolean(tuple, "overridden").value_or(false);
	row.mock_clock = trigger.boolean(tuple, "mock_clock").value_or(false);
	row.gates = trigger.output(tuple, "gates");
	row.change = trigger.output(tuple, "change");
	row.prev_hash = digest_of(trigger.bytes(tuple, "prev_hash"));
	row.hash = digest_of(trigger.bytes(tuple, "hash"));
	return row;
}

// A dump writes rows in the order in which they lie, which need not be that of their ids: a row must match its own
// hash, and whichever neighbour is there already.
void
require_restorable(pg::Spi &spi, const HistoryRow &row) {
	const auto refuse = [&](const std::string &why) {
		throw append_only("chat_v11.rollout_history is written by changes of the rollout alone", why,
						  "select * from chat_v11.verify_history();");
	};
	if (!spi.query("SELECT FROM chat_v11.rollout_state").empty())
		refuse("A log is restored only where no state is yet.");
	const auto hash = pg::sha256(canonical_form(row));
	if (row.hash != hash)
		refuse("The hash of row " + std::to_string(row.id) + " does not match its content.");
	const auto neighbours = spi.query("SELECT h.id, h.hash, h.prev_hash FROM chat_v11.rollout_history h "
									  "WHERE h.id IN ($1 - 1, $1 + 1)",
									  pg::Params() << row.id);
	for (std::int64_t i = 0; i < neighbours.size(); ++i) {
		const bool before = *neighbours.bigint(i, 1) < row.id;
		if (before ? digest_of(neighbours.bytes(i, 2)) != row.prev_hash : digest_of(neighbours.bytes(i, 3)) != row.hash)
			refuse("Row " + std::to_string(row.id) + " does not chain to row " +
				   std::to_string(*neighbours.bigint(i, 1)) + ".");
	}
}

struct Misfit {
	std::optional<std::int64_t> id;
	std::string reason;
};

// Policy, checks, settings, attestations and the roster must be what the log, or else the installation, made them.
std::optional<Misfit>
config_misfit(pg::Spi &spi) {
	// An older version's SQL may still wait for its update: before 0.5 it has no roster, before 0.6 no comparison.
	const bool has_comparison = *spi.query("SELECT to_regclass('chat_v11.analysis_bucket') IS NOT NULL").boolean(0, 1);
	const bool has_roster = *spi.query("SELECT to_regclass('chat_v11.oncall') IS NOT NULL").boolean(0, 1);
	std::string sql = R"sql(
		WITH present(tab, key, content, history_id) AS (
			SELECT 'stage_policy', p.stage, to_jsonb(p) - 'history_id', p.history_id FROM chat_v11.stage_policy p
			UNION ALL SELECT 'gate_check', c.name, to_jsonb(c) - 'history_id', c.history_id FROM chat_v11.gate_check c
			UNION ALL SELECT 'setting', s.name, to_jsonb(s) - 'history_id', s.history_id FROM chat_v11.setting s
			UNION ALL SELECT 'attestation', a.what, to_jsonb(a) - 'history_id', a.history_id FROM chat_v11.attestation a
			/* roster */
		), installed(tab, key, content) AS (
			SELECT 'stage_policy', p.stage, to_jsonb(p) FROM chat_v11.default_stage_policy() p
			UNION ALL SELECT 'gate_check', c.name, to_jsonb(c) /* comparison */ FROM chat_v11.default_gate_check() c
			UNION ALL SELECT 'setting', s.name, to_jsonb(s) - 'meaning' FROM chat_v11.default_setting() s
		), logged(tab, key, content, id) AS (
			SELECT DISTINCT ON (h.change->>'table', h.change->>'key') h.change->>'table', h.change->>'key', h.change->'new', h.id
			FROM chat_v11.rollout_history h WHERE h.transition = 'config'
			ORDER BY h.change->>'table', h.change->>'key', h.id DESC
		)
		SELECT l.id, k.tab, k.key
		FROM (SELECT p.tab, p.key FROM present p UNION SELECT i.tab, i.key FROM installed i UNION SELECT l.tab, l.key FROM logged l) k
		LEFT JOIN present p USING (tab, key) LEFT JOIN installed i USING (tab, key) LEFT JOIN logged l USING (tab, key)
		WHERE p.content IS DISTINCT FROM coalesce(l.content, i.content) OR p.history_id IS DISTINCT FROM l.id
		ORDER BY l.id NULLS FIRST, k.tab, k.key LIMIT 1)sql";
	if (!has_comparison)
		sql.replace(
			sql.find("/* comparison */"), 16,
			"|| CASE WHEN c.judge = 'limit' THEN '{}' ELSE (SELECT jsonb_build_object('enabled', g.enabled, 'zero_ok', "
			"g.zero_ok) FROM chat_v11.gate_check g WHERE g.name = c.name) END");
	if (has_roster)
		sql.replace(
			sql.find("/* roster */"), 12,
			"UNION ALL SELECT 'oncall', o.role, to_jsonb(o) - 'history_id', o.history_id FROM chat_v11.oncall o");
	const auto rows = spi.query(sql.c_str());
	if (rows.empty())
		return std::nullopt;
	const auto id = rows.bigint(0, 1);
	return Misfit{id, "chat_v11." + *rows.text(0, 2) + " row \"" + *rows.text(0, 3) + "\" is not what " +
						  (id ? "this row of the log" : "the installation") +
						  " made it: it was changed without a log entry"};
}

std::optional<Misfit>
first_misfit(pg::Spi &spi) {
	ChainWalker walker;
	std::optional<Misfit> misfit;
	pg::walk_history(spi, [&](const HistoryRow &row) {
		if (auto reason = walker.feed(row, pg::sha256(canonical_form(row))))
			misfit = Misfit{row.id, *reason};
		return !misfit;
	});
	if (misfit)
		return misfit;
	const auto stored = pg::load_state(spi);
	if (const auto reason = walker.compare(stored.state))
		return Misfit{walker.last_id() ? std::optional(walker.last_id()) : std::nullopt, *reason};
	return config_misfit(spi);
}

} // namespace

// BEFORE ROW of the log: its own writer, or a dump that chains.
CHAT_V11_ENTRY(chat_v11_history_guard) {
	const pg::TriggerCall trigger(fcinfo);
	if (pg::appending_history())
		return PointerGetDatum(trigger.new_row());
	const auto row = inserted_row(trigger);
	if (trigger.is_applied()) {
		// Checked where it comes from, and by verify_history() here.  An entry of this server's own under the same id
		// stays: refusing the other would stop the subscription, and the next kill with it.
		const bool taken = pg::with_spi([&](pg::Spi &spi) {
			return !spi.query_latest("SELECT FROM chat_v11.rollout_history h WHERE h.id = $1", pg::Params() << row.id)
						.empty();
		});
		if (taken)
			pg::log_on_commit("chat_v11: row " + std::to_string(row.id) +
							  " of the log came by subscription, and this server has one of its own: not stored");
		return PointerGetDatum(taken ? nullptr : trigger.new_row());
	}
	pg::with_spi([&](pg::Spi &spi) { pg::with_latest_snapshot([&] { require_restorable(spi, row); }); });
	return PointerGetDatum(trigger.new_row());
}

CHAT_V11_ENTRY(chat_v11_verify_history) {
	const auto misfit = pg::with_spi([](pg::Spi &spi) { return first_misfit(spi); });
	pg::ResultSet results(fcinfo);
	if (misfit) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << misfit->id << misfit->reason;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
