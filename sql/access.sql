-- Rights by level, and nothing for everybody.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE ROLE regress_nobody; CREATE ROLE regress_reader; CREATE ROLE regress_reporter; CREATE ROLE regress_operator; CREATE ROLE regress_admin;
SELECT chat_v11.grant_access('regress_reader', 'reader'), chat_v11.grant_access('regress_reporter', 'reporter'), chat_v11.grant_access('regress_operator', 'operator'), chat_v11.grant_access('regress_admin', 'admin');
SELECT fixture.attempt($$SELECT chat_v11.grant_access('regress_reader', 'king')$$);
SELECT fixture.attempt($$SELECT chat_v11.grant_access('-', 'reader')$$);
CREATE TABLE fixture.call (n int, what text, sql text);
INSERT INTO fixture.call VALUES (1, 'gates', 'SELECT * FROM public.chat_get_v11_release_gates()'), (2, 'state', 'SELECT * FROM public.chat_get_v11_rollout_state()'),
	(3, 'history', 'SELECT * FROM public.chat_get_v11_rollout_history(5)'), (4, 'explain', 'SELECT * FROM chat_v11.explain_gates()'), (5, 'verify', 'SELECT * FROM chat_v11.verify_history()'),
	(6, 'what_if', $$SELECT * FROM chat_v11.what_if('{}')$$), (7, 'metrics', $$SELECT * FROM chat_v11.metrics(now() - interval '1 h', now())$$), (8, 'missing', 'SELECT * FROM chat_v11.missing_receipts()'),
	(9, 'read log', 'SELECT * FROM chat_v11.history_export'), (10, 'read events', 'SELECT * FROM chat_v11.event'),
	(11, 'record', $$SELECT chat_v11.record('read_cursor', 'v11')$$), (12, 'batch', $$SELECT chat_v11.record_batch('[{"kind": "read_cursor", "cohort": "v11"}]')$$),
	(13, 'insert event', $$INSERT INTO chat_v11.event (kind, cohort) VALUES ('read_cursor', 'v11')$$),
	(14, 'set', $$SELECT * FROM public.chat_set_v11_rollout_state('canary_1', true, 'x')$$), (15, 'attest', $$SELECT chat_v11.attest('telemetry:full_state', 'x', true)$$),
	(16, 'set_check', $$SELECT chat_v11.set_check('write_reject_rate', 0.02)$$), (17, 'set_policy', $$SELECT chat_v11.set_policy('canary_1', p_min_samples => 99)$$), (18, 'set_setting', $$SELECT chat_v11.set_setting('report_grace', '2 s')$$),
	(19, 'force', $$SELECT chat_v11.force_rollout_state('canary_1', true, 'x', 'y')$$), (20, 'grant', $$SELECT chat_v11.grant_access('regress_nobody', 'admin')$$),
	(21, 'write state', $$UPDATE chat_v11.rollout_state SET kill_switch = true$$), (22, 'write check', $$UPDATE chat_v11.gate_check SET limit_value = 1$$), (23, 'mock clock', $$SET chat_v11.mock_now = '2026-03-01'$$), (24, 'fault', $$SET chat_v11.fault = 'error:1'$$),
	(25, 'trace', 'SELECT * FROM chat_v11.trace_write(gen_random_uuid())'), (26, 'resyncs', $$SELECT * FROM chat_v11.resync_report(now() - interval '1 h', now())$$),
	(27, 'series', $$SELECT * FROM chat_v11.metric_series('send_stall_rate', now() - interval '1 h', now(), '10 min')$$);
GRANT USAGE ON SCHEMA fixture TO PUBLIC; GRANT SELECT ON fixture.call TO PUBLIC;
\pset tuples_only off
\pset format aligned
CREATE TABLE fixture.right (who text, what text, n int, result text); GRANT INSERT ON fixture.right TO PUBLIC;
SET SESSION AUTHORIZATION regress_nobody; INSERT INTO fixture.right SELECT 'nobody', what, n, fixture.attempt(sql) FROM fixture.call ORDER BY n; RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_reader; INSERT INTO fixture.right SELECT 'reader', what, n, fixture.attempt(sql) FROM fixture.call ORDER BY n; RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_reporter; INSERT INTO fixture.right SELECT 'reporter', what, n, fixture.attempt(sql) FROM fixture.call ORDER BY n; RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_operator; INSERT INTO fixture.right SELECT 'operator', what, n, fixture.attempt(sql) FROM fixture.call ORDER BY n; RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_admin; INSERT INTO fixture.right SELECT 'admin', what, n, fixture.attempt(sql) FROM fixture.call ORDER BY n; RESET SESSION AUTHORIZATION;
SELECT n, what, max(result) FILTER (WHERE who = 'nobody') AS nobody, max(result) FILTER (WHERE who = 'reader') AS reader, max(result) FILTER (WHERE who = 'reporter') AS reporter,
	max(result) FILTER (WHERE who = 'operator') AS operator, max(result) FILTER (WHERE who = 'admin') AS admin
	FROM (SELECT who, what, n, CASE WHEN result = 'ok' THEN 'ok' ELSE split_part(result, ' ', 1) END AS result FROM fixture.right) r GROUP BY n, what ORDER BY n;
\pset format unaligned
\pset tuples_only on
-- Nothing is left to PUBLIC: no function, no table, no type.
SELECT p.oid::regprocedure FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'chat_v11') AND d.deptype = 'e' AND a.grantee = 0;
SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'chat_v11'::regnamespace AND a.grantee = 0;
-- Every SECURITY DEFINER function pins its search_path, pg_temp last.
SELECT p.oid::regprocedure FROM pg_proc p WHERE (p.pronamespace = 'chat_v11'::regnamespace OR p.proname LIKE 'chat\_%v11%') AND p.prosecdef
	AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%pg_temp');
-- Who did it: the role that logged in; a claim only annotates.
SET SESSION AUTHORIZATION regress_operator;
SET request.jwt.claims = '{"sub": "oncall"}';
SELECT kill_switch FROM public.chat_set_v11_rollout_state('canary_1', true, 'as oncall says');
SET request.jwt.claims = 'no json';
SELECT kill_switch FROM public.chat_set_v11_rollout_state('canary_1', true, 'as nobody says');
RESET SESSION AUTHORIZATION;
SELECT changed_by, approved_by FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 2;
-- A step of the ladder taken away takes those above it.
SELECT chat_v11.revoke_access('regress_admin', 'operator');
SELECT has_function_privilege('regress_admin', 'chat_v11.set_setting(text,text,text)', 'execute'), has_function_privilege('regress_admin', 'chat_v11.explain_gates()', 'execute');
-- What the levels share stays with whoever keeps the other; nothing at all is left in the end.
SELECT chat_v11.grant_access('regress_reporter', 'reader'), chat_v11.revoke_access('regress_reporter', 'reader');
SELECT has_function_privilege('regress_reporter', 'chat_v11.clock()', 'execute'), has_schema_privilege('regress_reporter', 'chat_v11', 'usage');
SELECT chat_v11.revoke_access('regress_admin', 'reader'), chat_v11.revoke_access('regress_reader', 'reader'), chat_v11.revoke_access('regress_operator', 'reader'), chat_v11.revoke_access('regress_reporter', 'reporter');
SELECT has_function_privilege('regress_reader', 'chat_v11.explain_gates()', 'execute'), has_table_privilege('regress_reporter', 'chat_v11.event', 'insert');
RESET request.jwt.claims;

DROP ROLE regress_nobody, regress_reader, regress_reporter, regress_operator, regress_admin;
\pset tuples_only off
\pset format aligned
\i :done
