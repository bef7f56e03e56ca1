-- Unknown is never green, and never by itself red.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
SELECT fixture.ask('canary_1', false);
SELECT fixture.decision();
SELECT check_name, status FROM chat_v11.explain_gates() WHERE enabled AND status <> 'no_data' ORDER BY check_name;
SELECT check_name, status FROM chat_v11.explain_gates() WHERE check_name = 'evidence' AND status = 'no_data' AND reason LIKE 'evidence: 0 of 100 mature writes since%';
SELECT split_part(fixture.ask('canary_10', false), E'\n', 1);
SELECT fixture.ask('canary_1', true);
SELECT fixture.decision();
-- Preconditions: a warning and a record, or a refusal where that was asked for.
SELECT split_part(u, ':', 1) FROM chat_v11.rollout_history, jsonb_array_elements_text(gates->'unmet_preconditions') u WHERE transition = 'start';
DROP EXTENSION chat_v11 CASCADE;
CREATE EXTENSION chat_v11;
SELECT fixture.ready();
SELECT (chat_v11.set_setting('preflight', 'enforce')).value;
SELECT fixture.ask('canary_1', false);
SELECT count(chat_v11.attest('telemetry:' || k, 'shown by the test', true)) FROM unnest('{write_started,write_ack,timeline_delivered,read_cursor,session_active,resync_request,recovery_done,pending_forever}'::text[]) k;
SELECT fixture.ask('canary_1', false);
-- Telemetry that cannot be read: nothing is green, a kill still works and says so in the log.
ALTER EXTENSION chat_v11 DROP TABLE chat_v11.event;
DROP TABLE chat_v11.event;
SELECT fixture.decision();
SELECT reasons[1] FROM public.chat_get_v11_release_gates();
SELECT stage, kill_switch, rollout_decision FROM public.chat_get_v11_rollout_state();
SELECT split_part(fixture.ask('canary_10', false), E'\n', 1);
SELECT fixture.ask('canary_1', false);
SELECT fixture.ask('canary_1', true);
-- A resume rests on what was seen, so it is refused as well.
SET chat_v11.mock_now = '2030-01-01';
SELECT split_part(fixture.ask('canary_1', false), E'\n', 1), split_part(fixture.ask('canary_1', false), E'\n', 2);
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
SELECT gates->>'telemetry_error' FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
ALTER TABLE chat_v11.stage_policy RENAME TO gone;
SELECT fixture.ask('canary_1', true);
SELECT gates FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
SELECT transition, to_kill_switch FROM chat_v11.rollout_history ORDER BY id;
DROP SCHEMA fixture CASCADE;
DROP EXTENSION chat_v11 CASCADE;
