\echo Use "ALTER EXTENSION chat_v11 UPDATE TO '0.5'" to load this file. \quit

-- 0.4 to 0.5: incidents, preflight, recovery limits.

-- What is there already keeps the rights that it has.
SELECT pg_catalog.set_config('chat_v11_update.members', (SELECT pg_catalog.array_agg(d.objid)::text
	FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = 'chat_v11'
	AND d.deptype = 'e'), true);

-- Limits of recovery.
-- When each dialog had its last full state, in two tables that take turns and are emptied: no row is ever deleted one by
-- one.  Not in a dump: after a restore every dialog may have one.  A row is updated in place, within its page.
CREATE TABLE chat_v11.full_state_0 (
	dialog uuid NOT NULL PRIMARY KEY,
	admitted_at timestamptz NOT NULL
) USING heap WITH (fillfactor = 90);
CREATE TABLE chat_v11.full_state_1 (
	dialog uuid NOT NULL PRIMARY KEY,
	admitted_at timestamptz NOT NULL
) USING heap WITH (fillfactor = 90);

-- A subscriber has admissions of its own: rows that a publication of all tables brings are passed over.
CREATE FUNCTION chat_v11.keep_own() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_keep_own' LANGUAGE C;
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.full_state_0
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.full_state_0
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.full_state_1
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.full_state_1
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.full_state_0 ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.full_state_0 ENABLE ALWAYS TRIGGER "10_refuse_truncate";
ALTER TABLE chat_v11.full_state_1 ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.full_state_1 ENABLE ALWAYS TRIGGER "10_refuse_truncate";

-- No query of their own, so neither a search_path nor their owner's rights.
CREATE FUNCTION chat_v11.admit_full_state(p_dialog uuid, p_actor uuid) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_admit_full_state' LANGUAGE C VOLATILE;
CREATE FUNCTION chat_v11.admit_resync(p_stream text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_admit_resync' LANGUAGE C VOLATILE;
CREATE FUNCTION chat_v11.admit_resync(p_stream text, p_actor uuid, p_behind float8 DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_admit_resync' LANGUAGE C VOLATILE;
-- STABLE, because base and cap are settings: a plan or an index would keep what an IMMUTABLE one said of the old ones.
CREATE FUNCTION chat_v11.resync_backoff_ms(p_attempt integer, p_key text) RETURNS integer
	AS 'MODULE_PATHNAME', 'chat_v11_resync_backoff_ms' LANGUAGE C STABLE;

CREATE FUNCTION chat_v11.recovery_policy() RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_recovery_policy' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Incidents: declared by people, escalated also by the guard.  An open P0 or P1 turns check `incident`, so whoever
-- opens one keeps promotions out until it is committed; kills never wait for it.  Notes take no lock: a scribe never
-- waits.

CREATE TABLE chat_v11.incident (
	id bigint NOT NULL PRIMARY KEY CHECK (id > 0),
	severity text NOT NULL CHECK (severity IN ('P0', 'P1', 'P2')),
	opened_as text NOT NULL CHECK (opened_as IN ('P0', 'P1', 'P2')),
	title text NOT NULL,
	ic text NOT NULL,
	opened_at timestamptz NOT NULL,
	opened_by text NOT NULL,
	escalated_at timestamptz,
	closed_at timestamptz,
	closed_by text,
	mock_clock boolean NOT NULL
);

-- The timeline, append-only.  Without a key of its own: two scribes at once need not wait for each other, and `n` orders
-- what one moment brought.
CREATE TABLE chat_v11.incident_note (
	incident bigint NOT NULL,
	at timestamptz NOT NULL,
	n integer NOT NULL,
	kind text NOT NULL CHECK (kind IN ('note', 'fact', 'decision', 'action', 'check', 'opened', 'escalated', 'closed')),
	author text NOT NULL,
	text text NOT NULL,
	data jsonb
);
CREATE INDEX incident_note_incident ON chat_v11.incident_note (incident, at, n);
ALTER TABLE chat_v11.incident_note REPLICA IDENTITY FULL;

CREATE TABLE chat_v11.action_item (
	id bigint NOT NULL PRIMARY KEY CHECK (id > 0),
	incident bigint,
	text text NOT NULL,
	owner text,
	due date,
	created_at timestamptz NOT NULL,
	created_by text NOT NULL,
	closed_at timestamptz,
	closed_by text,
	resolution text CHECK (resolution IN ('closed', 'accepted')),
	closing_text text,
	CHECK ((closed_at IS NULL) = (resolution IS NULL))
);

SELECT pg_catalog.pg_extension_config_dump('chat_v11.incident', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.incident_note', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.action_item', '');

-- Written by the functions below and by a restore.
CREATE FUNCTION chat_v11.incident_guard() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_incident_guard' LANGUAGE C;
CREATE TRIGGER "05_incident_guard" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.incident
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.incident_guard();
CREATE TRIGGER "05_incident_guard" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.incident_note
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.incident_guard();
CREATE TRIGGER "05_incident_guard" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.action_item
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.incident_guard();
ALTER TABLE chat_v11.incident ENABLE ALWAYS TRIGGER "05_incident_guard";
ALTER TABLE chat_v11.incident_note ENABLE ALWAYS TRIGGER "05_incident_guard";
ALTER TABLE chat_v11.action_item ENABLE ALWAYS TRIGGER "05_incident_guard";
-- What a subscription brings is passed over: two servers have an incident 1 each.  Refusing the other's would stop the
-- subscription, and the next kill with it; changing this one's by it would be worse.
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.incident
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.incident_note
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.action_item
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.incident ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.incident_note ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.action_item ENABLE ALWAYS TRIGGER "10_keep_own";

CREATE FUNCTION chat_v11.open_incident(p_severity text, p_title text, p_ic text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_open_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.escalate_incident(p_incident bigint, p_severity text, p_text text DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_escalate_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.note_incident(p_incident bigint, p_text text, p_kind text DEFAULT 'note') RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'chat_v11_note_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.close_incident(p_incident bigint, p_text text) RETURNS interval
	AS 'MODULE_PATHNAME', 'chat_v11_close_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.hand_over_incident(p_incident bigint, p_ic text) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_hand_over_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.incidents()
	RETURNS TABLE (incident bigint, severity text, title text, ic text, opened_at timestamptz, opened_by text,
		lasts interval, last_decision_at timestamptz, decision_due_at timestamptz, decision_overdue interval)
	AS 'MODULE_PATHNAME', 'chat_v11_incidents' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.checklist(p_incident bigint)
	RETURNS TABLE (n integer, point text, done boolean, remark text, decision_overdue interval)
	AS 'MODULE_PATHNAME', 'chat_v11_checklist' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.postmortem(p_incident bigint) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_postmortem' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.add_action_item(p_text text, p_owner text DEFAULT NULL, p_due date DEFAULT NULL,
	p_incident bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_add_action_item' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.assign_action_item(p_item bigint, p_owner text, p_due date) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_assign_action_item' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.close_action_item(p_item bigint, p_resolution text DEFAULT 'closed', p_text text DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_close_action_item' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.completion() RETURNS TABLE (criterion text, met boolean, why text)
	AS 'MODULE_PATHNAME', 'chat_v11_completion' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- The playbook forbids risky DDL while a P0 is open.  It reads without rights of its own, and fails open.
CREATE FUNCTION chat_v11.judge_ddl(p_tag text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_judge_ddl' LANGUAGE C VOLATILE;
-- In a language that is there when the library is not, or is an older one: nobody's DDL may fail for that.
CREATE FUNCTION chat_v11.ddl_freeze() RETURNS event_trigger LANGUAGE plpgsql
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp AS $$
BEGIN
	PERFORM chat_v11.judge_ddl(tg_tag);
EXCEPTION
	WHEN insufficient_privilege THEN
		IF sqlerrm LIKE 'ERR_FORBIDDEN:%' THEN
			RAISE;
		END IF;
	WHEN OTHERS THEN
		NULL;
END
$$;
CREATE EVENT TRIGGER chat_v11_ddl_freeze ON ddl_command_start EXECUTE FUNCTION chat_v11.ddl_freeze();

-- Settings that 0.4 had not.
INSERT INTO chat_v11.setting SELECT d.name, d.value FROM chat_v11.default_setting() d
	WHERE d.name NOT IN (SELECT s.name FROM chat_v11.setting s);

-- Preflight, the roster, and the records of a decision.

CREATE TABLE chat_v11.oncall (
	role text NOT NULL PRIMARY KEY CHECK (role IN ('IC', 'Backend', 'SRE', 'Frontend', 'Scribe')),
	person text,
	since timestamptz NOT NULL,
	assigned_by text NOT NULL,
	history_id bigint REFERENCES chat_v11.rollout_history (id)
);
CREATE TRIGGER "10_serialize" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.oncall
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_guard" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.oncall
	FOR EACH ROW EXECUTE FUNCTION chat_v11.config_guard();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.oncall
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.oncall ENABLE ALWAYS TRIGGER "10_serialize";
ALTER TABLE chat_v11.oncall ENABLE ALWAYS TRIGGER "20_guard";
ALTER TABLE chat_v11.oncall ENABLE ALWAYS TRIGGER "10_refuse_truncate";
SELECT pg_catalog.pg_extension_config_dump('chat_v11.oncall', '');

CREATE FUNCTION chat_v11.assign_oncall(p_role text, p_person text) RETURNS chat_v11.oncall
	AS 'MODULE_PATHNAME', 'chat_v11_assign_oncall' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.preflight(p_target_stage text DEFAULT NULL) RETURNS TABLE (name text, ok boolean, detail text,
		what_to_do text)
	AS 'MODULE_PATHNAME', 'chat_v11_preflight' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.assert_gate(p_target_stage text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_assert_gate' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.go_no_go(p_target_stage text DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_go_no_go' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp
	SET intervalstyle = 'postgres' SET datestyle = 'ISO' SET timezone = 'UTC' SET extra_float_digits = 1;

CREATE FUNCTION chat_v11.decision_log(p_format text DEFAULT 'markdown') RETURNS SETOF text
	AS 'MODULE_PATHNAME', 'chat_v11_decision_log' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- What else each server has of its own: rows that a publication of all tables brings are passed over.  The fold would
-- go on from another server's cursor, the guard from another guard's word, and one key on both would stop the
-- subscription, and the next kill with it.  Only where changes are replayed, so that the fold does not pay for it.
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.write_0
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_0 ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.write_1
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_1 ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.write_2
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_2 ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.pending_write
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.pending_write ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.fold_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.fold_state ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.gate_log
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.gate_log ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.guard_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.guard_state ENABLE REPLICA TRIGGER "10_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.consumer
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.consumer ENABLE REPLICA TRIGGER "10_keep_own";
-- Node 0 is this database, so a row of it that comes from elsewhere is of another node 0.
CREATE TRIGGER "10_keep_own" BEFORE INSERT ON chat_v11.metric_bucket
	FOR EACH ROW WHEN (NEW.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "15_keep_own" BEFORE UPDATE OR DELETE ON chat_v11.metric_bucket
	FOR EACH ROW WHEN (OLD.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.metric_bucket ENABLE REPLICA TRIGGER "10_keep_own";
ALTER TABLE chat_v11.metric_bucket ENABLE REPLICA TRIGGER "15_keep_own";
CREATE TRIGGER "10_keep_own" BEFORE INSERT ON chat_v11.write_bucket
	FOR EACH ROW WHEN (NEW.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "15_keep_own" BEFORE UPDATE OR DELETE ON chat_v11.write_bucket
	FOR EACH ROW WHEN (OLD.node_id = 0) EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.write_bucket ENABLE REPLICA TRIGGER "10_keep_own";
ALTER TABLE chat_v11.write_bucket ENABLE REPLICA TRIGGER "15_keep_own";

-- Rights: none on what is new, but those of the levels.
SELECT chat_v11.revoke_everything(pg_catalog.current_setting('chat_v11_update.members')::pg_catalog.oid[]);
SELECT chat_v11.grant_access(a.grantee::pg_catalog.regrole, l.level)
FROM (VALUES
	('reader', 'public.chat_get_v11_rollout_state()'),
	('reporter', 'chat_v11.record(text, text, uuid, uuid, float8, timestamptz)'),
	('operator', 'public.chat_set_v11_rollout_state(text, boolean, text, text, bigint)'),
	('admin', 'chat_v11.set_check(text, float8, boolean, text, bigint, text)')
) l(level, marker)
JOIN pg_catalog.pg_proc p ON p.oid = l.marker::pg_catalog.regprocedure
CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
WHERE a.grantee <> 0 AND a.grantee <> p.proowner;

-- What each thing is for.
COMMENT ON FUNCTION chat_v11.admit_full_state(uuid, uuid) IS
	'at most one full state in full_state_interval and dialog, else ERR_RESYNC_THROTTLED; waits for no other admission';
COMMENT ON FUNCTION chat_v11.admit_resync(text) IS
	'one resync of a stream at a time, to the end of the transaction, else ERR_RESYNC_THROTTLED; never waits';
COMMENT ON FUNCTION chat_v11.admit_resync(text, uuid, float8) IS
	'the same, with who asks and how far behind, for the metrics and resync_report()';
COMMENT ON FUNCTION chat_v11.resync_backoff_ms(integer, text) IS
	'milliseconds to wait before attempt 1, 2, ...; the same for the same key and attempt';
COMMENT ON FUNCTION chat_v11.recovery_policy() IS 'the numbers that clients follow, and their version';
COMMENT ON FUNCTION chat_v11.keep_own() IS 'trigger: passes over the rows that a subscription brings';
COMMENT ON TABLE chat_v11.full_state_0 IS
	'admissions by chat_v11.admit_full_state(), with full_state_1 in turns; emptied by the guard and fold(), ERR_APPEND_ONLY for TRUNCATE; not dumped';
COMMENT ON COLUMN chat_v11.full_state_0.dialog IS 'which dialog';
COMMENT ON COLUMN chat_v11.full_state_0.admitted_at IS 'by the rule clock';
COMMENT ON TABLE chat_v11.full_state_1 IS 'as chat_v11.full_state_0';
COMMENT ON COLUMN chat_v11.full_state_1.dialog IS 'as in chat_v11.full_state_0';
COMMENT ON COLUMN chat_v11.full_state_1.admitted_at IS 'as in chat_v11.full_state_0';
COMMENT ON FUNCTION chat_v11.open_incident(text, text, text) IS
	'declares an incident, P0, P1 or P2, and takes the playbook''s slice into its timeline; its number. A P0 kills at once: '
	'if the incident cannot be written down the kill stands, with a WARNING, and the answer is null. An open P0 or P1 '
	'closes promotions and resumes';
COMMENT ON FUNCTION chat_v11.escalate_incident(bigint, text, text) IS
	'makes it more severe, to P1 or P0; to P0 it kills, as open_incident() does; the new severity';
COMMENT ON FUNCTION chat_v11.note_incident(bigint, text, text) IS
	'a line of the timeline: note, fact, decision (with the gates of the moment), action, or check:5, :6, :9, :10 for a point '
	'of the checklist that the database cannot know; its time';
COMMENT ON FUNCTION chat_v11.close_incident(bigint, text) IS
	'ends it; how long it lasted. ERR_GATE_CLOSED for a P0 before its exit criteria hold, and for a P1 while a P0 or P1 check '
	'fails: DETAIL says what is missing, HINT when it can be over';
COMMENT ON FUNCTION chat_v11.hand_over_incident(bigint, text) IS 'another IC leads it from now on, which its timeline tells; who';
COMMENT ON FUNCTION chat_v11.incidents() IS 'those that are open, and since when the IC''s decision is overdue';
COMMENT ON FUNCTION chat_v11.checklist(bigint) IS
	'the ten points of the playbook, those that the database knows ticked, and the others by note_incident()';
COMMENT ON FUNCTION chat_v11.postmortem(bigint) IS
	'an incident as Markdown, UTC: timeline, figures around it, decisions and on what, and the sections that people fill in';
COMMENT ON FUNCTION chat_v11.completion() IS 'section 10 of the rollout''s runbook: each criterion, whether it is met, and why';
COMMENT ON FUNCTION chat_v11.add_action_item(text, text, date, bigint) IS
	'something to be done, by whom and until when, from an incident or from none; its number';
COMMENT ON FUNCTION chat_v11.assign_action_item(bigint, text, date) IS 'gives it an owner and a date';
COMMENT ON FUNCTION chat_v11.close_action_item(bigint, text, text) IS
	'closed: it is done; accepted: it stays undone, and why';
COMMENT ON FUNCTION chat_v11.incident_guard() IS
	'trigger: raises ERR_APPEND_ONLY but for what the extension''s functions write, a restore and a subscription';
COMMENT ON FUNCTION chat_v11.ddl_freeze() IS 'event trigger: asks judge_ddl(), and lets pass what that cannot judge';
COMMENT ON FUNCTION chat_v11.judge_ddl(text) IS
	'warns of DDL that the client sent while a P0 is open, or refuses it with ERR_FORBIDDEN, by chat_v11.ddl_freeze; superusers '
	'and temporary objects pass';
COMMENT ON EVENT TRIGGER chat_v11_ddl_freeze IS 'DDL while a P0 incident is open: setting chat_v11.ddl_freeze of the server';
COMMENT ON TABLE chat_v11.incident IS 'incidents; written by open_incident(), escalate_incident(), close_incident() and the guard; ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.incident.id IS '1, 2, 3, ...';
COMMENT ON COLUMN chat_v11.incident.severity IS 'P0, P1 or P2; it goes up only';
COMMENT ON COLUMN chat_v11.incident.opened_as IS 'severity at first';
COMMENT ON COLUMN chat_v11.incident.title IS 'what is seen, one line';
COMMENT ON COLUMN chat_v11.incident.ic IS 'incident commander: who leads';
COMMENT ON COLUMN chat_v11.incident.opened_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.incident.opened_by IS 'sub of the JWT claims, else the session role; it annotates';
COMMENT ON COLUMN chat_v11.incident.escalated_at IS 'last time that its severity went up, or null';
COMMENT ON COLUMN chat_v11.incident.closed_at IS 'null while it is open';
COMMENT ON COLUMN chat_v11.incident.closed_by IS 'as opened_by';
COMMENT ON COLUMN chat_v11.incident.mock_clock IS 'opened under chat_v11.mock_now: a drill';
COMMENT ON TABLE chat_v11.incident_note IS 'timelines of the incidents, append-only; written by note_incident(); ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.incident_note.incident IS 'which';
COMMENT ON COLUMN chat_v11.incident_note.at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.incident_note.n IS 'order among those of one moment';
COMMENT ON COLUMN chat_v11.incident_note.kind IS 'note, fact, decision, action, check; opened, escalated, closed';
COMMENT ON COLUMN chat_v11.incident_note.author IS 'sub of the JWT claims, else the session role, or chat_v11 guard';
COMMENT ON COLUMN chat_v11.incident_note.text IS 'at most 4 kB';
COMMENT ON COLUMN chat_v11.incident_note.data IS
	'opened: gates, state and the last 50 rows of the log; decision: what the gates said; check: point; escalated: from, to; '
	'closed: gates';
COMMENT ON TABLE chat_v11.action_item IS 'what is to be done after incidents and the rollout; ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.action_item.id IS '1, 2, 3, ...';
COMMENT ON COLUMN chat_v11.action_item.incident IS 'from which, or null';
COMMENT ON COLUMN chat_v11.action_item.text IS 'what, at most 4 kB';
COMMENT ON COLUMN chat_v11.action_item.owner IS 'who, or null';
COMMENT ON COLUMN chat_v11.action_item.due IS 'until when, or null';
COMMENT ON COLUMN chat_v11.action_item.created_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.action_item.created_by IS 'session role';
COMMENT ON COLUMN chat_v11.action_item.closed_at IS 'null while it is open';
COMMENT ON COLUMN chat_v11.action_item.closed_by IS 'session role';
COMMENT ON COLUMN chat_v11.action_item.resolution IS 'closed or accepted, or null';
COMMENT ON COLUMN chat_v11.action_item.closing_text IS 'how, or why it stays undone';
COMMENT ON FUNCTION chat_v11.handover() IS
	'for the next person on call, Markdown, UTC: state, last three rows of the gate log, gates, incidents, guard, next action';

COMMENT ON FUNCTION chat_v11.assign_oncall(text, text) IS
	'(operator) puts somebody on call, null for nobody: IC, Backend, SRE, Frontend, Scribe; logged; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.preflight(text) IS
	'(operator) one row a precondition of a start: what holds, what does not, what to do; with a self-test of the P0 gate';
COMMENT ON FUNCTION chat_v11.assert_gate(text) IS
	'(reader) raises what a promotion to that stage would be refused with now, and changes nothing: a gate for CI';
COMMENT ON FUNCTION chat_v11.go_no_go(text) IS '(reader) Markdown: the record of one decision, filled in';
COMMENT ON FUNCTION chat_v11.decision_log(text) IS
	'(reader) the whole decision log, a line a row, as markdown, csv or jsonl; ERR_INVALID_ARGUMENT';
COMMENT ON TABLE chat_v11.oncall IS 'who is on call, by role; change it by assign_oncall()';
COMMENT ON COLUMN chat_v11.oncall.role IS 'IC, Backend, SRE, Frontend or Scribe; fixed';
COMMENT ON COLUMN chat_v11.oncall.person IS 'a name, at most 256 bytes; null for nobody';
COMMENT ON COLUMN chat_v11.oncall.since IS 'since when, by the rule clock';
COMMENT ON COLUMN chat_v11.oncall.assigned_by IS 'session role that did it';
COMMENT ON COLUMN chat_v11.oncall.history_id IS 'row of the log that made this content';
