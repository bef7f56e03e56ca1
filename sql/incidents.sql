-- Incidents: what each severity stops, when it may be closed, who may do what, and that a P0 kills whatever else is broken.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
CREATE ROLE regress_oncall;
CREATE ROLE regress_reader;
CREATE ROLE regress_reporter;
SELECT count(chat_v11.grant_access(('regress_' || r)::regrole, l)) AS granted FROM (VALUES ('oncall', 'operator'), ('reader', 'reader'), ('reporter', 'reporter')) g(r, l);
GRANT USAGE ON SCHEMA fixture TO PUBLIC;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION fixture.check_of(p_at timestamptz DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT status || ' | ' || reason || coalesce(' | ' || what_to_do, '') FROM (
		SELECT * FROM chat_v11.explain_gates() WHERE p_at IS NULL UNION ALL SELECT * FROM chat_v11.explain_gates(p_at) WHERE p_at IS NOT NULL) g
	WHERE check_name = 'incident'
$$;
CREATE FUNCTION fixture.state() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT stage || CASE WHEN kill_switch THEN ' killed v' ELSE ' live v' END || version FROM chat_v11.rollout_state), 'none')
$$;
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT count(chat_v11.attest('telemetry:' || k, 'shown by the test', true)) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT count(*) FROM chat_v11.set_policy('canary_1', p_quiet_period => '0', p_note => 'the test has no guard');
SELECT fixture.ask('canary_1', false);
SET chat_v11.mock_now = '2026-03-01 15:00+00';
SELECT fixture.healthy('2026-03-01 11:30+00', '2026-03-01 15:00+00', 840, 83160);
-- Operators may not set the clock.
CREATE PROCEDURE fixture.at(p_at timestamptz) LANGUAGE sql SECURITY DEFINER AS $$
	SELECT set_config('chat_v11.mock_now', p_at::text, false)
$$;
\set ECHO all
-- A P2 stops nothing, and is closed at any time.
CALL fixture.at('2026-03-01 12:40+00');
SET SESSION AUTHORIZATION regress_oncall;
SELECT chat_v11.open_incident('P2', 'one old client cannot log in');
SELECT fixture.check_of();
SELECT chat_v11.close_incident(1, 'the client was updated');
SELECT fixture.attempt($$SELECT chat_v11.close_incident(1, 'again')$$);
-- A P1 closes promotions, and not the way down.
SELECT chat_v11.open_incident('p1', E' resyncs are refused,\n| many ', 'ic');
SELECT fixture.check_of();
SELECT fixture.ask('canary_10', false);
SELECT next_step FROM public.chat_get_v11_rollout_state();
SELECT fixture.state();
-- The slice is in the first note.
SELECT n.kind, n.author, n.text, n.data->'gates'->>'decision' AS decision, n.data->'state'->>'stage' AS stage, jsonb_array_length(n.data->'history') AS history,
	n.data->'history'->0->>'transition' AS newest, n.data->'history'->0 ? 'gates' AS gates FROM chat_v11.incident_note n WHERE incident = 2;
-- The IC owes a decision every ten minutes.
CALL fixture.at('2026-03-01 12:50+00');
SELECT incident, severity, title, ic, opened_by, lasts, last_decision_at, decision_due_at, decision_overdue FROM chat_v11.incidents();
CALL fixture.at('2026-03-01 12:51:30+00');
SELECT decision_overdue FROM chat_v11.incidents();
SELECT DISTINCT decision_overdue FROM chat_v11.checklist(2);
SELECT chat_v11.note_incident(2, 'no promotion; look at since_event_seq first', 'decision');
SELECT decision_due_at, decision_overdue FROM chat_v11.incidents();
SELECT kind, data FROM chat_v11.incident_note WHERE kind = 'decision';
SELECT count(*) FROM chat_v11.checklist(2) WHERE decision_overdue IS NOT NULL;
-- What a note may be.
SELECT fixture.attempt($$SELECT chat_v11.note_incident(2, 'x', 'opened')$$);
SELECT fixture.attempt($$SELECT chat_v11.note_incident(2, 'x', 'check:7')$$);
SELECT fixture.attempt($$SELECT chat_v11.note_incident(2, ' ', 'note')$$);
SELECT fixture.attempt($$SELECT chat_v11.note_incident(7, 'x')$$);
SELECT fixture.attempt($$SELECT chat_v11.note_incident(NULL, 'x')$$);
SELECT fixture.attempt($$SELECT chat_v11.note_incident(2, repeat('x', 4097))$$);
SELECT fixture.attempt($$SELECT chat_v11.open_incident('P5', 'x')$$);
SELECT fixture.attempt($$SELECT chat_v11.open_incident('P1', NULL)$$);
-- A P1 stays open while a check fails.
RESET SESSION AUTHORIZATION;
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject) SELECT timestamptz '2026-03-01 12:51+00' + i * interval '1 s', 'write_rejected', 'v11', md5(i::text)::uuid, md5('r' || i)::uuid FROM generate_series(1, 10) i;
SET SESSION AUTHORIZATION regress_oncall;
SELECT fixture.attempt($$SELECT chat_v11.close_incident(2, 'it is over')$$);
-- It goes up, never down, and to P0 it kills.
SELECT fixture.attempt($$SELECT chat_v11.escalate_incident(2, 'P2')$$);
SELECT fixture.attempt($$SELECT chat_v11.escalate_incident(9, 'P0')$$);
SELECT fixture.state();
CALL fixture.at('2026-03-01 12:55+00');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_oncall;
SELECT chat_v11.escalate_incident(2, 'P0', 'messages are lost');
SELECT fixture.state();
SELECT severity, opened_as, escalated_at FROM chat_v11.incident WHERE id = 2;
SELECT transition, note, approved_by, changed_by FROM public.chat_get_v11_rollout_history(1);
SELECT kind, text, data FROM chat_v11.incident_note WHERE kind = 'escalated';
SELECT fixture.attempt($$SELECT chat_v11.escalate_incident(2, 'P0')$$);
-- The gates as of then.
SELECT fixture.check_of('2026-03-01 12:39:59+00');
SELECT fixture.check_of('2026-03-01 12:54:59+00');
SELECT fixture.check_of('2026-03-01 12:55+00');
-- A P0 before its time, and after it; the resume waits for it.
CALL fixture.at('2026-03-01 13:24:59.999999+00');
SELECT fixture.attempt($$SELECT chat_v11.close_incident(2, 'it is over')$$);
CALL fixture.at('2026-03-01 13:25+00');
SELECT fixture.ask('canary_1', false);
SELECT n, point, done, remark FROM chat_v11.checklist(2);
SELECT chat_v11.close_incident(2, 'the server was told to keep events for longer');
SELECT fixture.check_of();
SELECT fixture.ask('canary_1', false);
SELECT severity, opened_at, closed_at, closed_by FROM chat_v11.incident WHERE id = 2;
SELECT fixture.attempt($$SELECT chat_v11.escalate_incident(2, 'P0')$$);
SELECT fixture.check_of('2026-03-01 13:24:59+00');
-- Later notes are taken.
SELECT chat_v11.note_incident(2, 'wiki/2', 'check:9');
RESET SESSION AUTHORIZATION;

-- Two P0 at once, each kept from closing by the breach alone, not by each other.
CALL fixture.at('2026-03-01 13:40+00');
SELECT fixture.event('timeline_duplicate', '2026-03-01 13:39:30+00');
SELECT chat_v11.open_incident('P0', 'messages come twice', 'ic');
SELECT chat_v11.open_incident('P0', NULL);
SELECT id, severity, title, ic = session_user AS ic FROM chat_v11.incident WHERE id > 2;
-- The second found it killed already.
SELECT transition, note FROM public.chat_get_v11_rollout_history(2);
CALL fixture.at('2026-03-01 14:00+00');
SELECT fixture.attempt($$SELECT chat_v11.close_incident(3, 'it is over')$$);
CALL fixture.at('2026-03-01 14:10+00');
SELECT chat_v11.close_incident(3, 'it is over');
SELECT chat_v11.close_incident(4, 'it is over');

-- The guard makes an open P1 a P0 when a check that kills fails, in the transaction of its kill.
SELECT fixture.ask('canary_1', false);
SELECT chat_v11.open_incident('P1', 'recovery is slow', 'ic');
SELECT chat_v11.open_incident('P2', 'a typo', 'ic');
CALL fixture.at('2026-03-01 14:20+00');
SELECT action, remark FROM chat_v11.guard_tick();
SELECT severity FROM chat_v11.incident WHERE id = 5;
SELECT fixture.event('read_rollback', '2026-03-01 14:19:50+00');
SELECT action, remark FROM chat_v11.guard_tick();
SELECT id, severity, opened_as, escalated_at FROM chat_v11.incident WHERE id > 4;
SELECT author, text FROM chat_v11.incident_note WHERE incident = 5 AND kind = 'escalated';
-- Also while there is nothing left to kill.
SELECT chat_v11.open_incident('P1', 'another team noticed', 'lead');
SELECT action, remark FROM chat_v11.guard_tick();
SELECT severity FROM chat_v11.incident WHERE id = 7;
SELECT chat_v11.guard_tick() IS NOT NULL;
SELECT count(*) FROM chat_v11.incident_note WHERE kind = 'escalated';

-- Whatever becomes of the tables, a P0 kills, and so does the guard.
CALL fixture.at('2026-03-01 14:50+00');
SELECT chat_v11.close_incident(i, 'over') FROM generate_series(5, 7) i;
SELECT fixture.ask('canary_1', false);
SET client_min_messages = warning;
CALL fixture.at('2026-03-01 14:51+00');
ALTER TABLE chat_v11.incident ADD CONSTRAINT nothing CHECK (id < 8) NOT VALID;
SELECT chat_v11.open_incident('P0', 'the table takes nothing', 'ic');
SELECT fixture.state(), (SELECT count(*) FROM chat_v11.incident);
ALTER TABLE chat_v11.incident DROP CONSTRAINT nothing;
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_1', false, 'the test goes on from here, live', 'lead')$$);
ALTER TABLE chat_v11.incident RENAME TO incident_gone;
SELECT fixture.check_of();
SELECT fixture.ask('canary_1', false);
SELECT chat_v11.open_incident('P0', E'\x01', NULL);
SELECT fixture.state();
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_1', false, 'the test goes on from here, live', 'lead')$$);
SELECT chat_v11.escalate_incident(1, 'P0', 'which one?');
SELECT fixture.state();
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_1', false, 'the test goes on from here, live', 'lead')$$);
SELECT fixture.event('timeline_duplicate', '2026-03-01 14:50:50+00');
SELECT action, remark FROM chat_v11.guard_tick();
SELECT fixture.state();
ALTER TABLE chat_v11.incident_gone RENAME TO incident;
-- The table alone works: no gate log, no telemetry, no settings.
CALL fixture.at('2026-03-01 15:30+00');
SET client_min_messages = error;
SELECT fixture.ask('canary_1', false);
ALTER TABLE chat_v11.gate_log RENAME TO gone_1;
ALTER TABLE chat_v11.metric_bucket RENAME TO gone_2;
ALTER TABLE chat_v11.setting RENAME TO gone_3;
SELECT chat_v11.open_incident('P0', 'all is broken', 'ic');
SELECT fixture.state();
ALTER TABLE chat_v11.gone_1 RENAME TO gate_log;
ALTER TABLE chat_v11.gone_2 RENAME TO metric_bucket;
ALTER TABLE chat_v11.gone_3 RENAME TO setting;
SELECT left(data->>'gates', 16) AS gates, jsonb_array_length(data->'history') AS history FROM chat_v11.incident_note WHERE incident = 8;
-- In a SERIALIZABLE transaction it kills, and writes nothing that could undo that.
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_1', false, 'the test goes on from here, live', 'lead')$$);
SET client_min_messages = warning;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT chat_v11.open_incident('P0', 'serial', 'ic');
COMMIT;
SELECT fixture.state(), (SELECT max(id) FROM chat_v11.incident);
SET client_min_messages = error;

-- Nobody writes by hand, not even a superuser.
SELECT fixture.attempt($$INSERT INTO chat_v11.incident SELECT 99, severity, opened_as, title, ic, opened_at, opened_by, NULL, NULL, NULL, true FROM chat_v11.incident WHERE id = 1$$);
SELECT fixture.attempt($$UPDATE chat_v11.incident SET closed_at = now()$$);
SELECT fixture.attempt($$DELETE FROM chat_v11.incident$$);
SELECT fixture.attempt($$TRUNCATE chat_v11.incident$$);
SELECT fixture.attempt($$INSERT INTO chat_v11.incident_note SELECT * FROM chat_v11.incident_note$$);
SELECT fixture.attempt($$UPDATE chat_v11.incident_note SET text = 'nothing happened'$$);
SELECT fixture.attempt($$DELETE FROM chat_v11.incident_note$$);
SELECT fixture.attempt($$INSERT INTO chat_v11.action_item (id, text, created_at, created_by) VALUES (1, 'x', now(), 'x')$$);
-- Who may what.
SET SESSION AUTHORIZATION regress_reader;
SELECT count(*) FROM chat_v11.incidents();
SELECT count(*) FROM chat_v11.checklist(2);
SELECT length(chat_v11.postmortem(2)) > 1000;
SELECT count(*) FROM chat_v11.completion();
SELECT count(*) > 10 FROM chat_v11.incident_note;
SELECT fixture.attempt($$SELECT chat_v11.open_incident('P0', 'x')$$);
SELECT fixture.attempt($$SELECT chat_v11.note_incident(2, 'x')$$);
SELECT fixture.attempt($$SELECT chat_v11.close_incident(8, 'x')$$);
SELECT fixture.attempt($$SELECT chat_v11.escalate_incident(8, 'P0')$$);
SELECT fixture.attempt($$SELECT chat_v11.add_action_item('x')$$);
SET SESSION AUTHORIZATION regress_reporter;
SELECT fixture.attempt($$SELECT * FROM chat_v11.incidents()$$);
RESET SESSION AUTHORIZATION;

-- DDL while a P0 is open.
GRANT CREATE ON SCHEMA fixture TO regress_oncall;
SET client_min_messages = warning;
SET SESSION AUTHORIZATION regress_oncall;
CREATE TABLE fixture.t (id int);
CREATE TEMP TABLE t (id int);
CREATE INDEX ON t (id);
CREATE TEMP VIEW v AS SELECT 1;
ALTER TABLE t ADD more int;
DROP TABLE t;
COMMENT ON TABLE fixture.t IS 'harmless';
RESET SESSION AUTHORIZATION;
SET chat_v11.ddl_freeze = 'maybe';
SET chat_v11.ddl_freeze = 'refuse';
SET SESSION AUTHORIZATION regress_oncall;
SET chat_v11.ddl_freeze = 'off';
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
ALTER TABLE fixture.t ADD more int;
\set VERBOSITY default
DROP TABLE fixture.t;
CREATE TABLE fixture.t2 (id int);
CREATE TEMP TABLE t (id int);
CREATE TEMP TABLE t2 AS SELECT 1 AS id;
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- A temporary table of that name makes it no temporary one.
CREATE TABLE public.t (id int);
DROP TABLE t, fixture.t;
DROP TABLE t, t2;
-- What a function does is not to be had.
DO $$BEGIN CREATE TEMP TABLE of_a_function (id int); END$$;
RESET SESSION AUTHORIZATION;
ALTER TABLE fixture.t ADD by_superuser int;
-- It fails open.
ALTER TABLE chat_v11.incident RENAME TO incident_gone;
SET SESSION AUTHORIZATION regress_oncall;
ALTER TABLE fixture.t ADD more int;
RESET SESSION AUTHORIZATION;
ALTER TABLE chat_v11.incident_gone RENAME severity TO severities;
ALTER TABLE chat_v11.incident_gone RENAME TO incident;
SET SESSION AUTHORIZATION regress_oncall;
ALTER TABLE fixture.t ADD more_so int;
RESET SESSION AUTHORIZATION;
ALTER TABLE chat_v11.incident RENAME severities TO severity;
ALTER FUNCTION chat_v11.judge_ddl(text) RENAME TO judge_gone;
SET SESSION AUTHORIZATION regress_oncall;
ALTER TABLE fixture.t ADD without_library int;
RESET SESSION AUTHORIZATION;
ALTER FUNCTION chat_v11.judge_gone(text) RENAME TO judge_ddl;
SET SESSION AUTHORIZATION regress_oncall;
ALTER TABLE fixture.t ADD again int;
RESET SESSION AUTHORIZATION;
SET chat_v11.ddl_freeze = 'off';
SET SESSION AUTHORIZATION regress_oncall;
DROP TABLE fixture.t;
RESET SESSION AUTHORIZATION;
RESET chat_v11.ddl_freeze;
\pset tuples_only off
\pset format aligned
\set ECHO none
DROP OWNED BY regress_oncall, regress_reader, regress_reporter;
DROP ROLE regress_oncall, regress_reader, regress_reporter;
\set ECHO all
\i :done
