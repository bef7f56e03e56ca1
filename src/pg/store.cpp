#include "pg/store.hpp"

#include "pg/lock.hpp"
#include "pg/on_commit.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

namespace chat_v11::pg {

namespace {

bool appending = false;

Oid
state_relation() {
	return call([] { return get_relname_relid("rollout_state", get_namespace_oid("chat_v11", false)); });
}

struct Holder {
	std::string who;       // "" where nobody holds it any more
	std::string statement; // its last one, for the waiting one's eyes only: it may be anything
	std::string hint;
};

// The rollout's lock, and beside it the one of those that open incidents.
constexpr uint16 rollout_part = 0;
constexpr uint16 freeze_part = 1;

Holder
find_holder(Oid relation, uint16 part) {
	return with_spi([&](Spi &spi) -> Holder {
		// A prepared transaction holds its locks without a process.  Who changes the row by hand has locked the table
		// too.
		const auto rows = with_latest_snapshot([&] {
			return spi.query("SELECT l.pid::text, a.usename::text, a.application_name, a.state, "
							 "(clock_timestamp() - a.xact_start)::text, "
							 "left(a.query, 100), (SELECT string_agg(quote_literal(p.gid), ', ') FROM "
							 "pg_catalog.pg_prepared_xacts p "
							 "WHERE p.database = pg_catalog.current_database()) "
							 "FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
							 "WHERE l.granted AND (l.locktype = 'object' AND l.classid = 1259 AND l.objid = $1 "
							 "AND l.objsubid = $2 OR $2 = 0 AND l.locktype = 'relation' AND l.relation = $1 "
							 "AND l.mode <> 'AccessShareLock') "
							 "AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d "
							 "WHERE d.datname = pg_catalog.current_database()) "
							 "AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() "
							 "ORDER BY l.locktype, a.xact_start LIMIT 1",
							 Params().add(OIDOID, ObjectIdGetDatum(relation)) << part);
		});
		if (rows.empty())
			return {};
		const auto pid = rows.text(0, 1);
		if (!pid)
			return {"A prepared transaction: " + rows.text(0, 7).value_or("?"), ".",
					"COMMIT PREPARED or ROLLBACK PREPARED it."};
		return {"Process " + *pid + ", role " + rows.text(0, 2).value_or("?") + ", application \"" +
					rows.text(0, 3).value_or("") + "\", " + rows.text(0, 4).value_or("?") + ", transaction open for " +
					rows.text(0, 5).value_or("?"),
				", last statement: " + one_line(rows.text(0, 6).value_or("?")) + ".",
				"If it hangs, and is no kill: select pg_terminate_backend(" + *pid + ");"};
	});
}

void
tell_who_holds(Oid relation, uint16 part, const char *what) {
	const auto holder = find_holder(relation, part);
	if (holder.who.empty())
		return;
	// The guard has nobody to tell but the server's log.
	tell(MyBackendType == B_BG_WORKER ? LOG : NOTICE, what, holder.who + holder.statement, holder.hint);
}

// Tells a caller who waits whom it waits for.
void
lock(Oid relation, uint16 part, LOCKMODE mode, const char *what) {
	const auto tag = part_of(relation, part);
	if (try_lock(tag, mode))
		return;
	tell_who_holds(relation, part, what);
	call([&] { (void)LockAcquire(&tag, mode, false, false); });
}

bool
has_rollout_lock(Oid relation) {
	return holds_lock(part_of(relation, rollout_part), ExclusiveLock);
}

std::string
who_holds(uint16 part) {
	const auto holder = find_holder(state_relation(), part);
	return holder.who.empty() ? "" : holder.who + ". " + holder.hint;
}

// Two that open incidents do not wait for each other, nor do two that promote: the rollout's lock orders those.
constexpr LOCKMODE freezing = ShareLock;
constexpr LOCKMODE promoting = RowExclusiveLock;

std::optional<Duration>
span_at(const Rows &rows, std::int64_t row, int column) {
	const auto micros = rows.bigint(row, column);
	return micros ? std::optional(Duration(*micros)) : std::nullopt;
}

std::vector<StagePolicy>
load_policies(Spi &spi) {
	const auto rows =
		spi.query("SELECT p.stage, p.percent::bigint, (extract(epoch FROM p.min_duration) * 1000000)::bigint, "
				  "(extract(epoch FROM p.max_duration) * 1000000)::bigint, p.min_samples, "
				  "(extract(epoch FROM p.quiet_period) * 1000000)::bigint FROM chat_v11.stage_policy p");
	std::vector<StagePolicy> policies;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		if (const auto stage = parse_stage(rows.text(i, 1).value_or("")))
			policies.push_back({*stage, static_cast<int>(*rows.bigint(i, 2)),
								span_at(rows, i, 3).value_or(Duration::zero()), span_at(rows, i, 4),
								rows.bigint(i, 5).value_or(0), span_at(rows, i, 6).value_or(Duration::zero())});
	return policies;
}

std::vector<Check>
load_checks(Spi &spi) {
	const auto rows = spi.query("SELECT c.name, c.gate, coalesce(c.metric, ''), c.judge, c.limit_value, c.min_samples, "
								"c.enabled, c.on_fail, c.zero_ok FROM chat_v11.gate_check c ORDER BY c.ordinal");
	std::vector<Check> checks;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		checks.push_back({*rows.text(i, 1), parse_gate(*rows.text(i, 2)), *rows.text(i, 3),
						  parse_judge(*rows.text(i, 4)), rows.number(i, 5), *rows.bigint(i, 6), *rows.boolean(i, 7),
						  parse_on_fail(*rows.text(i, 8)), *rows.boolean(i, 9)});
	return checks;
}

Settings
load_settings(Spi &spi) {
	const auto rows = spi.query("SELECT s.name, s.value, CASE WHEN s.name = ANY ($1) THEN "
								"(extract(epoch FROM s.value::interval) * 1000000)::bigint END FROM chat_v11.setting s",
								Params().add(TEXTARRAYOID, text_array_datum(span_setting_names())));
	Settings settings;
	for (std::int64_t i = 0; i < rows.size(); ++i)
		if (const auto *rule = find_setting(*rows.text(i, 1)))
			apply_setting(settings, *rule, *rows.text(i, 2), span_at(rows, i, 3));
	return settings;
}

// Undoes, newest first, what the log says was changed after `as_of`, in memory alone.
void
undo_changes(Spi &spi, GateInput &input, Time as_of) {
	const auto rows = spi.query(
		"SELECT h.change->>'table', h.change->>'key', (h.change->'old')::text, "
		"(extract(epoch FROM (h.change->'old'->>'min_duration')::interval) * 1000000)::bigint, "
		"(extract(epoch FROM (h.change->'old'->>'max_duration')::interval) * 1000000)::bigint, "
		"(extract(epoch FROM (h.change->'old'->>'quiet_period')::interval) * 1000000)::bigint, "
		"CASE WHEN h.change->>'table' = 'setting' AND h.change->>'key' = ANY ($2) THEN "
		"(extract(epoch FROM (h.change->'old'->>'value')::interval) * 1000000)::bigint END "
		"FROM chat_v11.rollout_history h WHERE h.transition = 'config' AND h.changed_at > $1 ORDER BY h.id DESC",
		(Params() << as_of).add(TEXTARRAYOID, text_array_datum(span_setting_names())));
	for (std::int64_t i = 0; i < rows.size(); ++i) {
		const auto table = rows.text(i, 1).value_or("");
		const auto key = rows.text(i, 2).value_or("");
		const auto old = nlohmann::json::parse(rows.text(i, 3).value_or("null"), nullptr, false);
		if (table == "stage_policy" && old.is_object()) {
			for (auto &policy : input.policies)
				if (name(policy.stage) == key) {
					policy.min_duration = span_at(rows, i, 4).value_or(Duration::zero());
					policy.max_duration = span_at(rows, i, 5);
					policy.quiet_period = span_at(rows, i, 6).value_or(Duration::zero());
					policy.min_samples = old.value("min_samples", policy.min_samples);
				}
		} else if (table == "gate_check" && old.is_object()) {
			for (auto &check : input.checks)
				if (check.name == key) {
					const auto limit = old.find("limit_value");
					check.limit =
						limit != old.end() && limit->is_number() ? std::optional(limit->get<double>()) : std::nullopt;
					check.min_samples = old.value("min_samples", check.min_samples);
					check.enabled = old.value("enabled", check.enabled);
					check.on_fail = parse_on_fail(old.value("on_fail", std::string(name(check.on_fail))));
				}
		} else if (table == "setting" && old.is_object()) {
			if (const auto *rule = find_setting(key))
				apply_setting(input.settings, *rule, old.value("value", std::string()), span_at(rows, i, 7));
		} else if (table == "attestation") {
			for (size_t kind = 0; kind < kind_count; ++kind)
				if (key == "telemetry:" + std::string(kind_names[kind]))
					input.wired[kind] = old.is_object() && old.value("ok", false);
		}
	}
}

Digest
digest_from(const std::string &bytes) {
	Digest digest{};
	std::memcpy(digest.data(), bytes.data(), std::min(bytes.size(), digest.size()));
	return digest;
}

HistoryRow
history_row(const Rows &rows, std::int64_t i) {
	HistoryRow row;
	row.id = *rows.bigint(i, 1);
	row.changed_at = *rows.time(i, 2);
	row.transition = *rows.text(i, 3);
	row.from_stage = *rows.text(i, 4);
	row.to_stage = *rows.text(i, 5);
	row.from_kill_switch = *rows.boolean(i, 6);
	row.to_kill_switch = *rows.boolean(i, 7);
	row.decision = rows.text(i, 8);
	row.approved_by = *rows.text(i, 9);
	row.changed_by = *rows.text(i, 10);
	row.note = rows.text(i, 11);
	row.version = *rows.bigint(i, 12);
	row.overridden = *rows.boolean(i, 13);
	row.mock_clock = *rows.boolean(i, 14);
	row.gates = rows.text(i, 15);
	row.change = rows.text(i, 16);
	row.prev_hash = digest_from(*rows.bytes(i, 17));
	row.hash = digest_from(*rows.bytes(i, 18));
	return row;
}

} // namespace

void
lock_rollout() {
	lock(state_relation(), rollout_part, ExclusiveLock, "waiting for another change of the rollout to finish");
}

std::string
who_holds_rollout() {
	return who_holds(rollout_part);
}

void
lock_freeze() {
	const auto relation = state_relation();
	if (!has_rollout_lock(relation))
		lock(relation, freeze_part, freezing, "waiting for a promotion or a resume to finish");
}

bool
lock_against_freeze() {
	return try_lock(part_of(state_relation(), freeze_part), promoting);
}

void
await_freeze() {
	const auto relation = state_relation();
	if (has_rollout_lock(relation))
		return;
	lock(relation, freeze_part, promoting, "waiting for an incident that is being opened");
	const auto tag = part_of(relation, freeze_part);
	call([&] { (void)LockRelease(&tag, promoting, false); });
}

std::string
who_freezes() {
	return who_holds(freeze_part);
}

StoredState
load_state(Spi &spi) {
	StoredState stored;
	const auto rows = spi.query("SELECT s.stage, s.kill_switch, s.version, s.started_at, s.entered_at, s.updated_at, "
								"s.updated_by, s.note, s.overridden, s.history_id, to_jsonb(s)->>'bucketing' "
								"FROM chat_v11.rollout_state s");
	if (!rows.empty()) {
		auto &state = stored.state;
		state.exists = true;
		state.stage = parse_stage(*rows.text(0, 1)).value_or(Stage::canary_1);
		state.kill_switch = *rows.boolean(0, 2);
		state.version = *rows.bigint(0, 3);
		state.started_at = rows.time(0, 4);
		state.entered_at = rows.time(0, 5);
		state.updated_at = rows.time(0, 6);
		state.updated_by = *rows.text(0, 7);
		state.note = rows.text(0, 8);
		state.overridden = *rows.boolean(0, 9);
		state.history_id = *rows.bigint(0, 10);
		// 0.2 had no column for it, and one algorithm.
		state.bucketing = parse_bucketing(rows.text(0, 11).value_or("")).value_or(Bucketing::flagd_v2);
		stored.log_has_state = true;
		return stored;
	}
	// A state row that was lost still counts in the version, so that no client sees one twice.
	const auto newest = spi.query("SELECT h.version, (SELECT min(l.changed_at) FROM chat_v11.rollout_history l "
								  "WHERE NOT l.to_kill_switch AND l.transition <> 'config') "
								  "FROM chat_v11.rollout_history h ORDER BY h.id DESC LIMIT 1");
	if (!newest.empty()) {
		stored.state.version = *newest.bigint(0, 1);
		stored.state.started_at = newest.time(0, 2);
		stored.log_has_state = stored.state.version > 0;
	}
	return stored;
}

State
load_state_at(Spi &spi, Time at) {
	State state;
	const auto rows = spi.query("SELECT h.to_stage, h.to_kill_switch, h.version, h.changed_at, h.changed_by, "
								"(SELECT e.changed_at FROM chat_v11.rollout_history e WHERE e.id <= h.id AND "
								"e.transition NOT IN ('re-kill', 'config') "
								"ORDER BY e.id DESC LIMIT 1), h.id FROM chat_v11.rollout_history h "
								"WHERE h.transition <> 'config' AND h.changed_at <= $1 ORDER BY h.id DESC LIMIT 1",
								Params() << at);
	if (rows.empty())
		return state;
	state.exists = true;
	state.stage = parse_stage(*rows.text(0, 1)).value_or(Stage::canary_1);
	state.kill_switch = *rows.boolean(0, 2);
	state.version = *rows.bigint(0, 3);
	state.updated_at = rows.time(0, 4);
	state.updated_by = *rows.text(0, 5);
	state.entered_at = rows.time(0, 6);
	state.history_id = *rows.bigint(0, 7);
	return state;
}

GateInput
load_gate_input(Spi &spi, const State &state, Time now, std::optional<Time> as_of) {
	GateInput input;
	input.now = now;
	input.state = state;
	input.policies = load_policies(spi);
	input.checks = load_checks(spi);
	input.settings = load_settings(spi);
	const auto rows = spi.query("SELECT a.what FROM chat_v11.attestation a WHERE a.ok");
	for (std::int64_t i = 0; i < rows.size(); ++i)
		for (size_t kind = 0; kind < kind_count; ++kind)
			if (*rows.text(i, 1) == "telemetry:" + std::string(kind_names[kind]))
				input.wired[kind] = true;
	if (as_of)
		undo_changes(spi, input, *as_of);
	return input;
}

Bucketing
chosen_bucketing(Spi &spi) {
	const auto rows = spi.query("SELECT s.value FROM chat_v11.setting s WHERE s.name = 'bucketing'");
	return parse_bucketing(rows.empty() ? "" : rows.text(0, 1).value_or("")).value_or(Bucketing::flagd_v2);
}

std::int64_t
next_history_id(Spi &spi) {
	const auto rows = spi.query("SELECT coalesce(max(h.id), 0) + 1 FROM chat_v11.rollout_history h");
	return *rows.bigint(0, 1);
}

void
append_history(Spi &spi, HistoryRow &row) {
	with_latest_snapshot([&] {
		const auto last = spi.query("SELECT h.id, h.hash FROM chat_v11.rollout_history h ORDER BY h.id DESC LIMIT 1");
		row.id = last.empty() ? 1 : *last.bigint(0, 1) + 1;
		if (!last.empty())
			row.prev_hash = digest_from(*last.bytes(0, 2));
		// jsonb has its own text form, and that is what can be hashed again later.
		const auto canonical = [&](std::optional<std::string> &json) {
			if (json)
				json = spi.query("SELECT ($1::jsonb)::text", Params() << *json).text(0, 1);
		};
		canonical(row.gates);
		canonical(row.change);
	});
	row.hash = sha256(canonical_form(row));
	struct Appending {
		Appending() { appending = true; }
		~Appending() { appending = false; }
	} const guard;
	Params params;
	params << row.id << row.changed_at << row.transition << row.from_stage << row.to_stage << row.from_kill_switch
		   << row.to_kill_switch;
	params.optional(row.decision, TEXTOID) << row.approved_by << row.changed_by;
	params.optional(row.note, TEXTOID) << row.version << row.overridden << row.mock_clock;
	params.optional(row.gates, TEXTOID).optional(row.change, TEXTOID);
	params.add(BYTEAOID, bytea_datum(row.prev_hash.data(), row.prev_hash.size()));
	params.add(BYTEAOID, bytea_datum(row.hash.data(), row.hash.size()));
	spi.execute(
		"INSERT INTO chat_v11.rollout_history VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
		"$15::jsonb, $16::jsonb, $17, $18)",
		std::move(params));
}

std::optional<HistoryRow>
newest_change(Spi &spi) {
	const auto rows = spi.query(
		"SELECT h.* FROM chat_v11.rollout_history h WHERE h.transition <> 'config' ORDER BY h.id DESC LIMIT 1");
	return rows.empty() ? std::nullopt : std::optional(history_row(rows, 0));
}

void
walk_history(Spi &spi, const std::function<bool(const HistoryRow &)> &f) {
	spi.for_each("SELECT h.* FROM chat_v11.rollout_history h ORDER BY h.id", {},
				 [&](const Rows &rows, std::int64_t i) { return f(history_row(rows, i)); });
}

Digest
sha256(const std::string &bytes) {
	const auto in = bytea_datum(bytes.data(), bytes.size());
	const auto *out = call([&] { return DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, in)); });
	return digest_from({VARDATA_ANY(out), static_cast<size_t>(VARSIZE_ANY_EXHDR(out))});
}

std::string
session_role() {
	const char *name = call([] { return GetUserNameFromId(GetSessionUserId(), false); });
	return to_utf8_lenient(name);
}

std::vector<std::string>
other_names() {
	const char *outer = call([] { return GetUserNameFromId(GetOuterUserId(), true); });
	return {outer ? to_utf8_lenient(outer) : "", claimed_name()};
}

std::string
claimed_name() {
	std::string claimed;
	const char *claims = call([] { return GetConfigOption("request.jwt.claims", true, false); });
	const char *sub = call([] { return GetConfigOption("request.jwt.claim.sub", true, false); });
	if (claims && *claims) {
		const auto json = nlohmann::json::parse(to_utf8_lenient(claims), nullptr, false);
		if (json.is_object() && json.contains("sub") && json["sub"].is_string())
			claimed = json["sub"].get<std::string>();
	}
	if (claimed.empty() && sub)
		claimed = to_utf8_lenient(sub);
	return as_stored(one_line(truncate_utf8(claimed, max_name_bytes)));
}

std::string
default_approver() {
	const auto claimed = claimed_name();
	return claimed.empty() ? session_role() : claimed;
}

bool
appending_history() {
	return appending;
}

} // namespace chat_v11::pg
