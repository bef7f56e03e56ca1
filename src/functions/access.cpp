// Rights by level, handed out and taken back.

#include "core/refusal.hpp"
#include "pg/on_commit.hpp"
#include "pg/store.hpp"

#include <array>

namespace chat_v11 {

namespace {

enum class Level { reader, reporter, operator_, admin };
constexpr std::array<std::string_view, 4> level_names = {"reader", "reporter", "operator", "admin"};

struct Grant {
	Level level;
	const char *what; // as GRANT has it, up to TO
};

// Break-glass and the handing out of rights are in no level: GRANT EXECUTE gives them one by one.
constexpr Grant grants[] = {
	{Level::reader, "EXECUTE ON FUNCTION public.chat_get_v11_release_gates()"},
	{Level::reader, "EXECUTE ON FUNCTION public.chat_get_v11_rollout_state()"},
	{Level::reader, "EXECUTE ON FUNCTION public.chat_get_v11_rollout_history(integer)"},
	{Level::reader, "EXECUTE ON FUNCTION public.chat_is_v11_enabled(text)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.bucket(text)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.targeting_key(text)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.cohort_share(text[])"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.flagd_config()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.unleash_features()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.ofrep_evaluate(jsonb)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.explain_gates()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.explain_gates(timestamptz)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.what_if(jsonb)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.verify_history()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.handover()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.consumers()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.incidents()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.checklist(bigint)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.postmortem(bigint)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.completion()"},
	{Level::reader, "SELECT ON chat_v11.incident, chat_v11.incident_note, chat_v11.action_item"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.ack_version(text, bigint)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.metric_series(text, timestamptz, timestamptz, interval)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.analysis(text)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.trace_write(uuid)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.resync_report(timestamptz, timestamptz)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.metrics(timestamptz, timestamptz)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.missing_receipts(integer)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.fold_status()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.clock()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.count(chat_v11.histogram)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.quantile(chat_v11.histogram, float8)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.exceeding(chat_v11.histogram, float8)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.merge(chat_v11.histogram, chat_v11.histogram)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.histogram_agg(float8)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.histogram_agg(chat_v11.histogram)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.histogram_eq(chat_v11.histogram, chat_v11.histogram)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.histogram_ne(chat_v11.histogram, chat_v11.histogram)"},
	{Level::reader,
	 "SELECT ON chat_v11.rollout_state, chat_v11.rollout_history, chat_v11.history_export, "
	 "chat_v11.stage_policy, chat_v11.gate_check, chat_v11.setting, chat_v11.attestation, chat_v11.gate_log"},
	{Level::reader, "SELECT ON chat_v11.metric_bucket, chat_v11.write_bucket"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.guard_status()"},
	{Level::reader, "SELECT ON chat_v11.guard_state"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.assert_gate(text)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.go_no_go(text)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.decision_log(text)"},
	{Level::reader, "SELECT ON chat_v11.oncall"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.record(text, text, uuid, uuid, float8, timestamptz)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.record_batch(jsonb)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.write_key(uuid, text, bigint)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.ack_version(text, bigint)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.admit_full_state(uuid, uuid)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.admit_resync(text)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.admit_resync(text, uuid, float8)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.resync_backoff_ms(integer, text)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.recovery_policy()"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.resync_backoff_ms(integer, text)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.recovery_policy()"},
	{Level::reporter, "INSERT ON chat_v11.event"},
	// COPY and INSERT evaluate the table's check and default as their caller.
	{Level::reporter,
	 "EXECUTE ON FUNCTION chat_v11.check_event(timestamptz, chat_v11.event_kind, chat_v11.cohort, uuid, uuid, float8)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.clock()"},
	// A text that is cast as it comes, such as a prepared statement's parameter, is read with its caller's rights.
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.event_kind_in(cstring)"},
	{Level::reader, "EXECUTE ON FUNCTION chat_v11.cohort_in(cstring)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.event_kind_in(cstring)"},
	{Level::reporter, "EXECUTE ON FUNCTION chat_v11.cohort_in(cstring)"},
	{Level::operator_, "EXECUTE ON FUNCTION public.chat_set_v11_rollout_state(text, boolean, text, text, bigint)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.attest(text, text, boolean)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.open_incident(text, text, text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.escalate_incident(bigint, text, text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.note_incident(bigint, text, text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.close_incident(bigint, text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.hand_over_incident(bigint, text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.add_action_item(text, text, date, bigint)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.assign_action_item(bigint, text, date)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.close_action_item(bigint, text, text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.assign_oncall(text, text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.preflight(text)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.fold(bigint)"},
	{Level::operator_, "EXECUTE ON FUNCTION chat_v11.guard_tick()"},
	{Level::admin, "EXECUTE ON FUNCTION chat_v11.start_guard(boolean)"},
	{Level::admin, "EXECUTE ON FUNCTION chat_v11.stop_guard()"},
	{Level::admin, "EXECUTE ON FUNCTION chat_v11.set_check(text, float8, boolean, text, bigint, text)"},
	{Level::admin, "EXECUTE ON FUNCTION chat_v11.set_policy(text, interval, interval, bigint, interval, text)"},
	{Level::admin, "EXECUTE ON FUNCTION chat_v11.set_setting(text, text, text)"},
};

// An older version's SQL may still wait for its update while this library is loaded: what it has not is passed over.
bool
is_there(pg::Spi &spi, const Grant &grant) {
	const std::string what = grant.what;
	constexpr std::string_view function = "EXECUTE ON FUNCTION ";
	if (what.starts_with(function)) {
		// By its name: a type of its arguments may be missing too.
		const auto name = what.substr(function.size(), what.find('(') - function.size());
		return *spi.query(
					   "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace::pg_catalog.regnamespace "
					   "|| '.' || p.proname = $1)",
					   pg::Params() << name)
					.boolean(0, 1);
	}
	const auto table = what.find("chat_v11.");
	return *spi.query("SELECT pg_catalog.to_regclass($1) IS NOT NULL",
					  pg::Params() << what.substr(table, what.find(',', table) - table))
				.boolean(0, 1);
}

Level
parse_level(std::string_view text) {
	for (size_t i = 0; i < level_names.size(); ++i)
		if (level_names[i] == text)
			return static_cast<Level>(i);
	throw invalid_argument("unknown level \"" + std::string(text) + "\"",
						   "reader: gates, state, history. reporter: telemetry in. operator: reader, and set. admin: "
						   "operator, and policy.",
						   "Levels are reader, reporter, operator and admin.");
}

// reader < operator < admin is a ladder; reporter stands beside it.
bool
belongs(Level grant, Level asked, bool revoke) {
	if (grant == Level::reporter || asked == Level::reporter)
		return grant == asked;
	return revoke ? grant >= asked : grant <= asked;
}

Datum
change_access(FunctionCallInfo fcinfo, bool revoke) {
	const auto role = PG_GETARG_OID(0);
	const auto level_text = *pg::text_arg(fcinfo, 1);
	const auto level = parse_level(level_text);
	if (!OidIsValid(role))
		throw invalid_argument("role is none", {}, "Rights go to a role by its name, never to everybody.");
	const char *quoted = pg::call([&] { return quote_identifier(GetUserNameFromId(role, false)); });
	const std::string name = quoted;
	pg::with_spi([&](pg::Spi &spi) {
		const auto change = [&](Level asked, bool take) {
			for (const auto &grant : grants)
				if (belongs(grant.level, asked, take) && is_there(spi, grant))
					spi.utility((take ? "REVOKE " : "GRANT ") + std::string(grant.what) + (take ? " FROM " : " TO ") +
								name);
		};
		// Granted to the role itself, not to a group that it is in.
		const auto holds = [&](const char *function) {
			return pg::with_latest_snapshot([&] {
				return *spi.query("SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) a "
								  "WHERE p.oid = $2::regprocedure AND a.grantee = $1)",
								  pg::Params().add(OIDOID, ObjectIdGetDatum(role)) << function)
							.boolean(0, 1);
			});
		};
		change(level, revoke);
		if (!revoke) {
			spi.utility("GRANT USAGE ON SCHEMA chat_v11 TO " + name);
			return;
		}
		// What the ladder and the reporter share stays with whoever is still on the other.
		const bool reader = holds("public.chat_get_v11_rollout_state()");
		const bool reporter = holds("chat_v11.record(text,text,uuid,uuid,float8,timestamptz)");
		if (reader)
			change(Level::reader, false);
		if (reporter)
			change(Level::reporter, false);
		if (!reader && !reporter)
			spi.utility("REVOKE USAGE ON SCHEMA chat_v11 FROM " + name);
	});
	pg::log_on_commit("chat_v11: access: level " + level_text + (revoke ? " revoked from " : " granted to ") +
					  one_line(pg::to_utf8_lenient(name)) + " by " + one_line(pg::session_role()));
	PG_RETURN_VOID();
}

} // namespace

// At the end of the install script, and of an update for what is new: default privileges may have given the objects to
// anybody.
CHAT_V11_ENTRY(chat_v11_revoke_everything) {
	// 0.1 had no argument, and its script may be run with this library.
	const bool given = PG_NARGS() > 0 && !PG_ARGISNULL(0);
	const auto but =
		given ? PG_GETARG_DATUM(0) : pg::call([] { return PointerGetDatum(construct_empty_array(OIDOID)); });
	pg::with_spi([&](pg::Spi &spi) {
		std::vector<std::string> statements;
		const auto rows = spi.query(R"sql(
			SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE', o.what,
				CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
			FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid,
			LATERAL (
				SELECT 'FUNCTION ' || p.oid::regprocedure, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner FROM pg_proc p
				WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
				UNION ALL SELECT 'TABLE ' || c.oid::regclass, c.relacl, c.relowner FROM pg_class c
				WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'v', 'p', 'm')
				UNION ALL SELECT 'TYPE ' || t.oid::regtype, coalesce(t.typacl, acldefault('T', t.typowner)), t.typowner FROM pg_type t
				WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid
				UNION ALL SELECT 'SCHEMA ' || quote_ident(n.nspname), n.nspacl, n.nspowner FROM pg_namespace n
				WHERE d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
			) o(what, acl, owner), aclexplode(o.acl) a
			WHERE e.extname = 'chat_v11' AND d.deptype = 'e' AND a.grantee <> o.owner AND d.objid <> ALL ($1))sql",
									pg::Params().add(OIDARRAYOID, but));
		for (std::int64_t i = 0; i < rows.size(); ++i)
			statements.push_back(*rows.text(i, 1));
		for (const auto &statement : statements)
			spi.utility(statement);
	});
	PG_RETURN_VOID();
}

CHAT_V11_ENTRY(chat_v11_grant_access) {
	return change_access(fcinfo, false);
}
CHAT_V11_ENTRY(chat_v11_revoke_access) {
	return change_access(fcinfo, true);
}

} // namespace chat_v11
