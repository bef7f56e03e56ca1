-- Attacks that a reviewer would try.
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
-- A claim is an annotation: whatever bytes it has, the chain holds and nothing is refused.
SET request.jwt.claims = '{"sub": "oncall\u0000x\nversion 9: forged"}';
SELECT fixture.ask('canary_1', false);
SELECT approved_by FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
SET request.jwt.claims = '{"sub": 7}';
SELECT fixture.ask('canary_1', false);
RESET request.jwt.claims;
SELECT * FROM chat_v11.verify_history();
-- Spans that no integer holds.
SELECT fixture.attempt($$SELECT chat_v11.set_check('killed', 1e14)$$);
SELECT fixture.attempt($$SELECT * FROM chat_v11.what_if('{"killed": 9223372036854}')$$);
SELECT fixture.attempt($$SELECT * FROM chat_v11.what_if('{"stage_policy": {"canary_1": {"quiet_period_s": 3e8}}}')$$);
SELECT fixture.attempt($$SELECT chat_v11.set_check('dwell', 5)$$);
SELECT fixture.attempt($$SELECT chat_v11.set_policy('canary_1', p_min_duration => '178000000 years')$$);
-- Unknown is never green, not even with the check switched off that says so.
SELECT fixture.attempt($$SELECT chat_v11.set_check('evidence', p_enabled => false), chat_v11.set_check('cohort_share', p_enabled => false)$$);
SELECT fixture.attempt($$SELECT chat_v11.set_policy('canary_1', p_min_duration => '0', p_quiet_period => '0')$$);
SELECT fixture.decision();
SELECT split_part(fixture.ask('canary_10', false), E'\n', 1);
-- State and policy in one statement would tear the log.
SELECT fixture.attempt($$WITH a AS (UPDATE chat_v11.setting SET value = '00:16:00' WHERE name = 'metric_window' RETURNING 1) UPDATE chat_v11.rollout_state SET note = 'cte'$$);
-- Break-glass in form only: blanks are no reason, and the caller by another name is still the caller.
SELECT fixture.attempt(format($$SELECT chat_v11.force_rollout_state('canary_1', false, %L, %L)$$, n, a)) LIKE pattern FROM (VALUES
	(repeat(' ', 30), 'lead', '22023%note of 20%'), ('a reason of sufficient length', ' ', '22023%needs an approver%'), ('a reason of sufficient length', ' ' || upper(session_user) || ' ', '42501%'),
	('a reason of sufficient length', 'lead', 'ok%')) v(n, a, pattern);
SET request.jwt.claims = '{"sub": "sre"}';
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_1', false, 'a hold needs two people too', 'Sre')$$);
RESET request.jwt.claims;
-- Break-glass cannot rule out a breach that it cannot read.
ALTER TABLE chat_v11.event RENAME TO hidden;
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'a reason of sufficient length', 'lead')$$);
ALTER TABLE chat_v11.hidden RENAME TO event;
-- A kill by upsert or MERGE works with and without a row.
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ('full', true) ON CONFLICT (singleton) DO UPDATE SET kill_switch = true, note = 'upsert'$$);
SELECT fixture.attempt($$MERGE INTO chat_v11.rollout_state s USING (VALUES (true)) v(k) ON s.singleton WHEN MATCHED THEN UPDATE SET kill_switch = v.k, note = 'merge' WHEN NOT MATCHED THEN INSERT (stage, kill_switch) VALUES ('canary_1', true)$$);
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ('canary_1', false) ON CONFLICT (singleton) DO UPDATE SET kill_switch = false$$);
-- A live canary that falls silent is unknown, however lively the control is.
SELECT fixture.ask('canary_1', true);
SET chat_v11.mock_now = '2026-03-01 12:31:00+00';
SELECT fixture.ask('canary_1', false);
SET chat_v11.mock_now = '2026-03-01 12:40:00+00';
SELECT fixture.healthy('2026-03-01 12:31:00+00', '2026-03-01 12:36:00+00', 300, 1), fixture.healthy('2026-03-01 12:31:00+00', '2026-03-01 12:40:00+00', 0, 300);
INSERT INTO chat_v11.event (at, kind, cohort) SELECT '2026-03-01 12:39:59+00', k::chat_v11.event_kind, 'v10' FROM unnest('{write_started,timeline_delivered,read_cursor,session_active}'::text[]) k;
UPDATE chat_v11.gate_check SET enabled = true WHERE name = 'evidence';
SELECT data_age FROM public.chat_get_v11_release_gates();
SELECT check_name, reason FROM chat_v11.explain_gates() WHERE check_name IN ('read_rollback_detected_rate', 'evidence');
SELECT * FROM fixture.log WHERE transition <> 'config';
SELECT * FROM chat_v11.verify_history();
-- Default privileges of the owner hand out nothing of a new installation.
\pset tuples_only off
\pset format aligned
\i :done
CREATE ROLE regress_anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO regress_anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO regress_anon;
CREATE EXTENSION chat_v11;
SELECT has_schema_privilege('regress_anon', 'chat_v11', 'usage') AS schema, has_table_privilege('regress_anon', 'chat_v11.rollout_state', 'update') AS tab,
	has_function_privilege('regress_anon', 'public.chat_set_v11_rollout_state(text,boolean,text,text,bigint)', 'execute') AS set,
	has_function_privilege('regress_anon', 'chat_v11.force_rollout_state(text,boolean,text,text)', 'execute') AS force,
	(SELECT count(*) FROM pg_proc p, aclexplode(p.proacl) a WHERE p.pronamespace = 'chat_v11'::regnamespace AND a.grantee NOT IN (p.proowner, 'pg_read_all_data'::regrole)) AS others;
DROP EXTENSION chat_v11;
DROP OWNED BY regress_anon;
DROP ROLE regress_anon;
