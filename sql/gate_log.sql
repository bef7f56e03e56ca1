-- The gate log: what a row says, who may write one, and what happens without the table.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT count(chat_v11.attest('telemetry:' || k, 'shown by the test', true)) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT fixture.ask('canary_1', false);
SELECT fixture.healthy('2026-03-01 11:30+00', '2026-03-01 12:00+00', 100, 9900);
SELECT fixture.event('timeline_duplicate', '2026-03-01 12:00+00');
SELECT fixture.event('pending_forever', '2026-03-01 12:00+00');
-- A check that counts nowhere is not among the failing ones.
SELECT count(*) FROM chat_v11.set_check('pending_forever_count', p_on_fail => 'advise');
SELECT fixture.ask('canary_1', false);
-- Not read: the columns say neither yes nor no.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT fixture.ask('canary_1', true);
COMMIT;
SELECT at, version, stage, kill_switch, decision, mock_clock, cause, p0_ok, p1_ok, failing FROM chat_v11.gate_log ORDER BY version;

-- Nobody adds a row: not the owner, not with triggers of replication, not by COPY.
SELECT fixture.attempt($$INSERT INTO chat_v11.gate_log VALUES (now(), 1, 'canary_1', false, 'PROCEED', false, '{}', 'guard', true, true, '{}')$$);
SET session_replication_role = replica;
SELECT fixture.attempt($$INSERT INTO chat_v11.gate_log VALUES (now(), 1, 'canary_1', false, 'PROCEED', false, '{}', 'guard', true, true, '{}')$$);
RESET session_replication_role;
\set VERBOSITY terse
COPY chat_v11.gate_log (at, version, stage, kill_switch, mock_clock, gates) FROM stdin;
2026-03-01 12:00:00+00	1	canary_1	f	t	{}
\.
\set VERBOSITY default
SELECT fixture.attempt($$UPDATE chat_v11.gate_log SET p1_ok = true$$);
SELECT fixture.attempt($$DELETE FROM chat_v11.gate_log$$);
SELECT count(*) FROM chat_v11.gate_log;
-- A session as pg_dump sets it up for a restore.
BEGIN;
SET LOCAL check_function_bodies = false; SET LOCAL row_security = off; SELECT pg_catalog.set_config('search_path', '', true);
INSERT INTO chat_v11.gate_log VALUES ('2026-03-01 11:00+00', 1, 'canary_1', false, 'PROCEED', true, '{}', 'guard', true, true, '{}');
SELECT count(*) FROM chat_v11.gate_log;
ROLLBACK;
-- What is no cause.
BEGIN;
SET LOCAL check_function_bodies = false; SET LOCAL row_security = off; SELECT pg_catalog.set_config('search_path', '', true);
SELECT fixture.attempt($$INSERT INTO chat_v11.gate_log VALUES ('2026-03-01 11:00+00', 1, 'canary_1', false, 'PROCEED', true, '{}', 'cron', true, true, '{}')$$) LIKE '%gate_log_cause_check%';
ROLLBACK;
-- Past the retention they may go.
SET chat_v11.mock_now = '2026-05-01 12:00+00';
SELECT fixture.attempt($$DELETE FROM chat_v11.gate_log WHERE version = 1$$);
SELECT count(*) FROM chat_v11.gate_log;
-- The large column goes out of line, however small it is: a look at a quiet period does not read it.
SELECT reloptions FROM pg_class WHERE oid = 'chat_v11.gate_log'::regclass;

-- An older version's table under this library: nothing is promoted, a kill is logged.
SET chat_v11.mock_now = '2026-03-01 13:00+00';
SELECT fixture.ask('canary_1', false);
ALTER TABLE chat_v11.gate_log DROP cause, DROP p0_ok, DROP p1_ok, DROP failing;
SELECT status, reason, what_to_do FROM chat_v11.explain_gates() WHERE check_name = 'quiet';
SELECT fixture.ask('canary_1', true);
SELECT version, stage, kill_switch, decision FROM chat_v11.gate_log ORDER BY version;
-- Without the table.
ALTER EXTENSION chat_v11 DROP TABLE chat_v11.gate_log;
DROP TABLE chat_v11.gate_log;
SET chat_v11.mock_now = '2026-03-01 14:00+00';
SELECT fixture.ask('canary_1', false);
SELECT status, reason, what_to_do FROM chat_v11.explain_gates() WHERE check_name = 'quiet';
SELECT fixture.ask('canary_1', true);
\pset tuples_only off
\pset format aligned
\i :done
