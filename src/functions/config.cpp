// What turns a gate: policy, checks, settings, attestations; and the roster.  Every change is a row of the decision
// log.

#include "functions/config.hpp"
#include "core/recovery.hpp"
#include "core/refusal.hpp"
#include "core/roster.hpp"
#include "pg/on_commit.hpp"
#include "pg/rollout.hpp"
#include "pg/settings.hpp"
#include "pg/trigger.hpp"

namespace chat_v11 {

namespace {

// The note of the change that is being made, for the trigger that logs it.
std::optional<std::string> open_note;

class NoteScope {
public:
	explicit NoteScope(std::optional<std::string> note) {
		if (note && note->size() > max_note_bytes)
			throw invalid_argument("note is longer than 4 kB");
		open_note = std::move(note);
	}
	~NoteScope() { open_note.reset(); }
	NoteScope(const NoteScope &) = delete;
	NoteScope &operator=(const NoteScope &) = delete;
};

// True while a dump's row takes the place of one as installed.
bool restoring = false;

struct Table {
	std::string_view name;
	const char *key;
	std::vector<const char *> changeable;
	std::vector<const char *> fixed;
	const char *hint;
	// Rows come with use; each tells when it was changed, and by whom.
	const char *stamp_at = nullptr;
	const char *stamp_by = nullptr;

	bool
	grows() const {
		return stamp_at != nullptr;
	}
};

const Table &
table_of(const pg::TriggerCall &trigger) {
	static const std::vector<Table> tables = {
		{"stage_policy",
		 "stage",
		 {"min_duration", "max_duration", "min_samples", "quiet_period"},
		 {"stage", "percent"},
		 "select chat_v11.set_policy('canary_1', p_quiet_period => '20 min');"},
		{"gate_check",
		 "name",
		 {"limit_value", "min_samples", "enabled", "on_fail"},
		 {"name", "ordinal", "gate", "metric", "judge", "zero_ok"},
		 "select chat_v11.set_check('write_reject_rate', 0.02, true, 'hold');"},
		{"setting", "name", {"value"}, {"name"}, "select chat_v11.set_setting('p0_clear_window', '60 min');"},
		{"attestation",
		 "what",
		 {"ref", "ok", "attested_at", "attested_by"},
		 {"what"},
		 "select chat_v11.attest('telemetry:resync_request', 'where that was checked', true);",
		 "attested_at",
		 "attested_by"},
		{"oncall",
		 "role",
		 {"person", "since", "assigned_by"},
		 {"role"},
		 "select chat_v11.assign_oncall('IC', 'NAME');",
		 "since",
		 "assigned_by"},
	};
	const auto wanted = trigger.table();
	for (const auto &table : tables)
		if (table.name == wanted)
			return table;
	throw std::runtime_error("trigger on a table that it does not know: " + wanted);
}

std::optional<Duration>
span_value(pg::Spi &spi, const pg::TriggerCall &trigger, const char *column) {
	const auto value = trigger.value(trigger.new_row(), column);
	if (!value)
		return std::nullopt;
	try {
		const auto rows =
			spi.query("SELECT (extract(epoch FROM $1) * 1000000)::bigint", pg::Params().add(INTERVALOID, *value));
		return Duration(*rows.bigint(0, 1));
	} catch (const pg::Error &e) {
		if (ERRCODE_TO_CATEGORY(e.sqlstate()) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION))
			throw;
		throw invalid_argument(std::string(column) + " is out of range", pg::to_utf8_lenient(e.what()));
	}
}

Duration
parse_span(pg::Spi &spi, const SettingRule &rule, const std::string &text) {
	try {
		return Duration(*spi.query("SELECT (extract(epoch FROM $1::interval) * 1000000)::bigint", pg::Params() << text)
							 .bigint(0, 1));
	} catch (const pg::Error &e) {
		if (ERRCODE_TO_CATEGORY(e.sqlstate()) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION))
			throw;
		throw invalid_argument("setting " + std::string(rule.name) + " is an interval", pg::to_utf8_lenient(e.what()),
							   "For example: select chat_v11.set_setting('" + std::string(rule.name) + "', '" +
								   std::string(rule.default_value) + "');");
	}
}

// Another algorithm would move users in and out of the cohort in the middle of a rollout.
void
refuse_frozen_bucketing(pg::Spi &spi) {
	const auto first = spi.query("SELECT h.changed_at FROM chat_v11.rollout_history h WHERE NOT h.to_kill_switch "
								 "AND h.transition <> 'config' ORDER BY h.id LIMIT 1");
	if (!first.empty())
		throw invalid_transition("bucketing is frozen since the first start at " + format_utc(*first.time(0, 1)),
								 "Another algorithm would move users in and out of the cohort.",
								 "select bucketing from chat_v11.rollout_state;");
}

void
validate(pg::Spi &spi, const pg::TriggerCall &trigger, const Table &table) {
	const auto row = trigger.new_row();
	if (table.name == "gate_check") {
		Check check;
		check.name = *trigger.text(row, "name");
		check.gate = parse_gate(*trigger.text(row, "gate"));
		check.metric = trigger.text(row, "metric").value_or("");
		check.judge = parse_judge(*trigger.text(row, "judge"));
		const auto limit = trigger.value(row, "limit_value");
		check.limit = limit ? std::optional(DatumGetFloat8(*limit)) : std::nullopt;
		check.min_samples = trigger.bigint(row, "min_samples").value_or(-1);
		check.enabled = trigger.boolean(row, "enabled").value_or(false);
		check.on_fail = parse_on_fail(trigger.text(row, "on_fail").value_or(""));
		validate_check(check);
	} else if (table.name == "setting") {
		const auto &rule = setting_rule(*trigger.text(row, "name"));
		const auto text = trigger.text(row, "value").value_or("");
		std::optional<Duration> span;
		if (rule.span)
			span = parse_span(spi, rule, text);
		Settings settings;
		if (rule.use == SettingUse::recovery)
			settings = pg::load_gate_input(spi, State{}, pg::now()).settings;
		apply_setting(settings, rule, text, span);
		if (rule.use == SettingUse::recovery)
			validate_recovery(settings);
		if (rule.name == "bucketing")
			refuse_frozen_bucketing(spi);
	} else if (table.name == "stage_policy") {
		StagePolicy policy;
		policy.stage = *parse_stage(*trigger.text(row, "stage"));
		policy.min_duration = span_value(spi, trigger, "min_duration").value_or(Duration(-1));
		policy.max_duration = span_value(spi, trigger, "max_duration");
		policy.min_samples = trigger.bigint(row, "min_samples").value_or(-1);
		policy.quiet_period = span_value(spi, trigger, "quiet_period").value_or(Duration(-1));
		validate_policy(policy);
	} else if (table.name == "oncall") {
		if (const auto role = trigger.text(row, "role").value_or(""); parse_role(role) != role)
			throw invalid_argument("role \"" + role + "\" is written " + std::string(parse_role(role)), {}, table.hint);
		if (const auto person = trigger.text(row, "person"))
			validate_person(*person);
	} else {
		const auto what = trigger.text(row, "what").value_or("");
		if (what.empty() || what.size() > 256 || trigger.text(row, "ref").value_or("").size() > max_note_bytes)
			throw invalid_argument("what is empty or longer than 256 bytes, or ref is longer than 4 kB");
		if (what.starts_with("telemetry:"))
			(void)parse_kind(std::string_view(what).substr(10));
	}
}

// A dump's row must be what the log says that it became.
void
require_logged(pg::Spi &spi, const pg::TriggerCall &trigger, const Table &table, const std::string &key) {
	const auto row = trigger.new_row();
	const auto rows =
		spi.query("SELECT h.id, (to_jsonb($3) - 'history_id') = (h.change->'new') FROM chat_v11.rollout_history h "
				  "WHERE h.transition = 'config' AND h.change->>'table' = $1 AND h.change->>'key' = $2 ORDER BY h.id "
				  "DESC LIMIT 1",
				  (pg::Params() << table.name << key).add(trigger.row_type(), trigger.as_datum(row)));
	if (rows.empty() || rows.bigint(0, 1) != trigger.bigint(row, "history_id") || !rows.boolean(0, 2).value_or(false))
		throw append_only("a row of chat_v11." + std::string(table.name) + " is restored only as the log tells of it",
						  "The newest entry for \"" + key + "\" is another, or there is none.",
						  "select * from chat_v11.verify_history();");
}

// Takes the place of the row as installed; true if there was one.
bool
replace_installed(pg::Spi &spi, const pg::TriggerCall &trigger, const Table &table, const std::string &key) {
	struct Restoring {
		Restoring() { restoring = true; }
		~Restoring() { restoring = false; }
	} const guard;
	std::string set;
	for (const auto *column : table.changeable)
		set += std::string(column) + " = ($2)." + column + ", ";
	const auto sql = "UPDATE chat_v11." + std::string(table.name) + " SET " + set +
					 "history_id = ($2).history_id WHERE " + table.key + " = $1 AND history_id IS NULL";
	return spi.execute(sql.c_str(),
					   (pg::Params() << key).add(trigger.row_type(), trigger.as_datum(trigger.new_row()))) > 0;
}

bool
differs_anywhere(const pg::TriggerCall &trigger, const std::vector<const char *> &columns) {
	return std::any_of(columns.begin(), columns.end(), [&](const char *column) { return trigger.differs(column); });
}

// Writes the log's row of one changed row, and returns its id.  Done before the row itself is written: each row of a
// statement must know its own.
std::int64_t
log_change(const pg::TriggerCall &trigger, const Table &table, const std::string &key, HeapTuple changed) {
	HistoryRow row;
	pg::with_spi([&](pg::Spi &spi) {
		pg::with_latest_snapshot([&] {
			const auto state = pg::load_state(spi).state;
			const auto gates = pg::evaluate_within(state, pg::kill_gate_timeout_ms(), false);
			pg::Params params;
			params << table.name << key;
			params.add(trigger.row_type(), trigger.is_update() ? trigger.as_datum(trigger.old_row()) : Datum{},
					   !trigger.is_update());
			params.add(trigger.row_type(), trigger.as_datum(changed));
			row.change =
				spi.query("SELECT jsonb_build_object('table', $1, 'key', $2, 'old', to_jsonb($3) - 'history_id', "
						  "'new', to_jsonb($4) - 'history_id')::text",
						  std::move(params))
					.text(0, 1);
			row.from_stage = row.to_stage = name(state.stage);
			row.from_kill_switch = row.to_kill_switch = state.kill_switch;
			row.version = state.version;
			row.gates = pg::gates_json(gates, {});
		});
		row.changed_at = pg::now();
		row.transition = name(Transition::config);
		row.approved_by = pg::default_approver();
		row.changed_by = pg::session_role();
		row.note = open_note;
		row.mock_clock = pg::mock_now().has_value();
		pg::append_history(spi, row);
	});
	pg::log_on_commit("chat_v11: config: " + std::string(table.name) + " \"" + one_line(key) + "\" changed, row " +
					  std::to_string(row.id) + ", by " + one_line(row.changed_by) + ", hash " + to_hex(row.hash));
	pg::warn_if_mocked();
	return row.id;
}

// The row as it will be stored: stamped with whoever does it, and pointing at its entry in the log.
HeapTuple
logged_row(const pg::TriggerCall &trigger, const Table &table, const std::string &key) {
	pg::TriggerCall::Replacement row(trigger);
	if (table.grows()) {
		row.set(table.stamp_at, pg::time_datum(pg::now()));
		row.set(table.stamp_by, pg::text_datum(pg::session_role()));
	}
	row.set("history_id", Int64GetDatum(log_change(trigger, table, key, row.apply())));
	return row.apply();
}

HeapTuple
guard_update(const pg::TriggerCall &trigger, const Table &table, const std::string &key) {
	for (const auto *column : table.fixed)
		if (trigger.differs(column))
			throw append_only(std::string("column ") + column + " of chat_v11." + std::string(table.name) + " is fixed",
							  {}, table.hint);
	// An update's script may have changed what is fixed: then the log is to tell what became of the row.
	if (!differs_anywhere(trigger, table.changeable) && !creating_extension) {
		if (trigger.differs("history_id"))
			throw append_only("column history_id of chat_v11." + std::string(table.name) + " is not written by hand");
		return trigger.new_row();
	}
	pg::with_spi([&](pg::Spi &spi) { pg::with_latest_snapshot([&] { validate(spi, trigger, table); }); });
	return logged_row(trigger, table, key);
}

HeapTuple
guard_insert(const pg::TriggerCall &trigger, const Table &table, const std::string &key) {
	if (trigger.bigint(trigger.new_row(), "history_id")) {
		const bool replaced = pg::with_spi([&](pg::Spi &spi) {
			pg::with_latest_snapshot([&] { require_logged(spi, trigger, table, key); });
			return replace_installed(spi, trigger, table, key);
		});
		return replaced ? nullptr : trigger.new_row();
	}
	if (!table.grows())
		throw append_only("chat_v11." + std::string(table.name) + " takes no new rows", {}, table.hint);
	pg::with_spi([&](pg::Spi &spi) { pg::with_latest_snapshot([&] { validate(spi, trigger, table); }); });
	return logged_row(trigger, table, key);
}

std::optional<bool>
boolean_arg(FunctionCallInfo fcinfo, int n) {
	return PG_ARGISNULL(n) ? std::nullopt : std::optional<bool>(PG_GETARG_BOOL(n));
}

std::optional<std::int64_t>
bigint_arg(FunctionCallInfo fcinfo, int n) {
	return PG_ARGISNULL(n) ? std::nullopt : std::optional<std::int64_t>(PG_GETARG_INT64(n));
}

std::optional<double>
number_arg(FunctionCallInfo fcinfo, int n) {
	return PG_ARGISNULL(n) ? std::nullopt : std::optional<double>(PG_GETARG_FLOAT8(n));
}

std::string
required_text(FunctionCallInfo fcinfo, int n, const char *what) {
	auto text = pg::text_arg(fcinfo, n);
	if (!text)
		throw invalid_argument(std::string(what) + " is null");
	return std::move(*text);
}

} // namespace

Datum
write_and_return(const char *sql, pg::Params params, const Refusal &if_missing) {
	return pg::with_spi([&](pg::Spi &spi) {
		pg::lock_rollout();
		if (spi.execute(sql, std::move(params)) == 0)
			throw if_missing;
		return pg::call([] {
			bool is_null = false;
			const Datum row = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
			return SPI_datumTransfer(row, false, -1);
		});
	});
}

// BEFORE ROW of each of the tables.
CHAT_V11_ENTRY(chat_v11_config_guard) {
	const pg::TriggerCall trigger(fcinfo);
	// What is set at the publisher is set there; refusing it here would only stop the subscription, and the next kill
	// with it.
	if (trigger.is_applied())
		return pg::pass_over(trigger);
	const auto &table = table_of(trigger);
	if (trigger.is_delete())
		throw append_only("rows of chat_v11." + std::string(table.name) + " are not deleted", {}, table.hint);
	// Every backend reads them anew: pg/recovery.cpp.
	if (table.name == "setting") {
		const Relation relation = trigger.relation();
		pg::call([&] { CacheInvalidateRelcache(relation); });
	}
	// An update script that changes what an installation has says why, and then it is a change as any other.
	if (restoring || (creating_extension && !open_note))
		return PointerGetDatum(trigger.new_row());
	const auto key = trigger.text(trigger.new_row(), table.key).value_or("");
	return PointerGetDatum(trigger.is_update() ? guard_update(trigger, table, key) : guard_insert(trigger, table, key));
}

CHAT_V11_ENTRY(chat_v11_set_check) {
	const auto check = required_text(fcinfo, 0, "p_check");
	const NoteScope note(pg::text_arg(fcinfo, 5));
	pg::Params params;
	params << check;
	params.optional(number_arg(fcinfo, 1), FLOAT8OID).optional(boolean_arg(fcinfo, 2), BOOLOID);
	params.optional(pg::text_arg(fcinfo, 3), TEXTOID).optional(bigint_arg(fcinfo, 4), INT8OID);
	return write_and_return("UPDATE chat_v11.gate_check c SET limit_value = coalesce($2, c.limit_value), "
							"enabled = coalesce($3, c.enabled), on_fail = coalesce($4, c.on_fail), "
							"min_samples = coalesce($5, c.min_samples) WHERE c.name = $1 RETURNING c",
							std::move(params),
							invalid_argument("unknown check \"" + truncate_utf8(check, 64) + "\"", {},
											 "select name from chat_v11.gate_check order by ordinal;"));
}

CHAT_V11_ENTRY(chat_v11_set_policy) {
	const auto stage = required_text(fcinfo, 0, "p_stage");
	const NoteScope note(pg::text_arg(fcinfo, 5));
	pg::Params params;
	params << stage;
	for (const int n : {1, 2, 4})
		params.add(INTERVALOID, PG_ARGISNULL(n) ? Datum{} : PG_GETARG_DATUM(n), PG_ARGISNULL(n));
	params.optional(bigint_arg(fcinfo, 3), INT8OID);
	return write_and_return("UPDATE chat_v11.stage_policy p SET min_duration = coalesce($2, p.min_duration), "
							"max_duration = coalesce($3, p.max_duration), quiet_period = coalesce($4, p.quiet_period), "
							"min_samples = coalesce($5, p.min_samples) WHERE p.stage = $1 RETURNING p",
							std::move(params),
							invalid_argument("unknown stage \"" + truncate_utf8(stage, 64) + "\"",
											 "Stages are canary_1, canary_10, canary_50 and full."));
}

CHAT_V11_ENTRY(chat_v11_set_setting) {
	const auto setting = required_text(fcinfo, 0, "p_name");
	(void)setting_rule(setting);
	const auto value = required_text(fcinfo, 1, "p_value");
	const NoteScope note(pg::text_arg(fcinfo, 2));
	return write_and_return("UPDATE chat_v11.setting s SET value = $2 WHERE s.name = $1 RETURNING s",
							pg::Params() << setting << value,
							invalid_argument("setting \"" + setting + "\" has no row in chat_v11.setting"));
}

CHAT_V11_ENTRY(chat_v11_attest) {
	const auto what = required_text(fcinfo, 0, "p_what");
	const auto ref = required_text(fcinfo, 1, "p_ref");
	if (PG_ARGISNULL(2))
		throw invalid_argument("p_ok is null");
	const bool ok = PG_GETARG_BOOL(2);
	const bool known = pg::with_spi([&](pg::Spi &spi) {
		pg::lock_rollout();
		return pg::with_latest_snapshot([&] {
			return !spi.query("SELECT FROM chat_v11.attestation a WHERE a.what = $1", pg::Params() << what).empty();
		});
	});
	return write_and_return(known ? "UPDATE chat_v11.attestation a SET ref = $2, ok = $3, attested_at = $4, "
									"attested_by = $5 WHERE a.what = $1 "
									"RETURNING a"
								  : "INSERT INTO chat_v11.attestation AS a (what, ref, ok, attested_at, attested_by) "
									"VALUES ($1, $2, $3, $4, $5) "
									"RETURNING a",
							pg::Params() << what << ref << ok << pg::now() << pg::session_role(),
							invalid_argument("nothing was attested"));
}

// What a fresh installation holds.
CHAT_V11_ENTRY(chat_v11_default_stage_policy) {
	pg::ResultSet results(fcinfo);
	for (const auto &policy : default_policy()) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << name(policy.stage) << policy.percent << policy.min_duration << policy.max_duration
						   << policy.min_samples << policy.quiet_period;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

CHAT_V11_ENTRY(chat_v11_default_gate_check) {
	pg::ResultSet results(fcinfo);
	int ordinal = 0;
	for (const auto &check : default_checks()) {
		pg::Row row(results.columns());
		pg::RowWriter out(row);
		out << check.name << ++ordinal << name(check.gate);
		if (check.metric.empty())
			out.null();
		else
			out << check.metric;
		out << name(check.judge) << check.limit << check.min_samples << check.enabled << name(check.on_fail)
			<< check.zero_ok;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

CHAT_V11_ENTRY(chat_v11_default_setting) {
	pg::ResultSet results(fcinfo);
	for (const auto &rule : setting_rules()) {
		pg::Row row(results.columns());
		pg::RowWriter(row) << rule.name << rule.default_value << rule.meaning;
		results.put(row);
	}
	return static_cast<Datum>(0);
}

} // namespace chat_v11
