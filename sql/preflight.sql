-- What must hold before a start: told row by row, tested by a breach that leaves no trace, enforced where that was asked.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
CREATE ROLE regress_preflight;
SELECT chat_v11.grant_access('regress_preflight', 'operator');
CREATE ROLE regress_ci;
SELECT chat_v11.grant_access('regress_ci', 'reader');
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00+00';
-- As installed: files, calls and the gates themselves are in order, and nothing that people have to do was done.
SELECT name, ok, detail, what_to_do FROM chat_v11.preflight();
SELECT name FROM chat_v11.preflight('canary_10') WHERE detail LIKE '%canary_10%';
SELECT fixture.attempt($$SELECT * FROM chat_v11.preflight('canary_2')$$);

-- The roster: by any case of its role's name, logged, one row a role.
SELECT fixture.attempt('SELECT chat_v11.assign_oncall(' || a || ')') FROM (VALUES ($$'Owner', 'oncall'$$), ($$NULL, 'oncall'$$), ($$'IC', ''$$), ($$'IC', E'oncall\nlead'$$), ($$'IC', repeat('x', 257)$$)) t(a);
SELECT chat_v11.assign_oncall('ic', 'oncall');
SELECT chat_v11.assign_oncall('Scribe', NULL);
SET chat_v11.mock_now = '2026-03-01 12:01+00';
-- Who is assigned again has been there all the time; somebody else begins now.
SELECT chat_v11.assign_oncall('IC', 'oncall');
SELECT chat_v11.assign_oncall('IC', 'backend');
SELECT chat_v11.assign_oncall('IC', NULL);
SELECT fixture.attempt(a) FROM (VALUES ($$INSERT INTO chat_v11.oncall VALUES ('sre', 'lead')$$), ($$INSERT INTO chat_v11.oncall VALUES ('SRE', 'lead', '2020-01-01', 'nobody')$$),
	($$UPDATE chat_v11.oncall SET role = 'Backend' WHERE role = 'SRE'$$), ($$UPDATE chat_v11.oncall SET history_id = 1 WHERE role = 'SRE'$$), ($$DELETE FROM chat_v11.oncall$$), ($$TRUNCATE chat_v11.oncall$$)) t(a);
SELECT role, person, since, assigned_by, history_id FROM chat_v11.oncall ORDER BY history_id;
SELECT id, change->>'table', change->>'key', change->'old'->>'person', change->'new'->>'person' FROM chat_v11.rollout_history ORDER BY id;
SELECT * FROM chat_v11.verify_history();
BEGIN;
ALTER TABLE chat_v11.oncall DISABLE TRIGGER ALL;
UPDATE chat_v11.oncall SET person = 'somebody' WHERE role = 'SRE';
SELECT reason FROM chat_v11.verify_history();
ROLLBACK;

-- Enforced: a start is refused for the very rows that are not ok, and assert_gate() says the same but for its own row.
SELECT (chat_v11.set_setting('preflight', 'enforce')).value;
SELECT fixture.ask('canary_1', false);
SELECT fixture.attempt($$SELECT chat_v11.assert_gate('canary_1')$$) NOT LIKE '%ci_gate%' AS not_itself;
SELECT fixture.ready();
SELECT name FROM chat_v11.preflight() WHERE NOT ok;
SELECT fixture.healthy('2026-03-01 11:31+00', '2026-03-01 12:01+00', 0, 900);
SELECT count(fixture.event(k, '2026-03-01 12:00+00')) FROM unnest('{write_started,timeline_delivered,read_cursor,session_active}'::text[]) k;
SELECT count(chat_v11.attest('telemetry:' || k, 'shown by the test')) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT name, ok, detail FROM chat_v11.preflight() WHERE name NOT IN ('extension', 'library');
SELECT fixture.attempt($$SELECT chat_v11.assert_gate('canary_1')$$);
-- Who may not operate asks without the self-test, and so writes nothing.
CREATE FUNCTION fixture.asks(p_role text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', p_role);
	PERFORM chat_v11.assert_gate('canary_1');
	RETURN 'open';
EXCEPTION WHEN OTHERS THEN
	RETURN left(SQLERRM, 90);
END $$;
GRANT USAGE ON SCHEMA fixture TO regress_ci, regress_preflight;
BEGIN;
ALTER EXTENSION chat_v11 DROP FUNCTION chat_v11.record(text, text, uuid, uuid, float8, timestamptz);
ALTER FUNCTION chat_v11.record(text, text, uuid, uuid, float8, timestamptz) RENAME TO gone;
SELECT fixture.asks('regress_ci'), fixture.asks('regress_preflight');
ROLLBACK;
-- A red run of the CI gate, one that is too old, one for another stage.
BEGIN;
SELECT count(chat_v11.attest('ci:canary_1', 'run 8', false));
SELECT ok, detail FROM chat_v11.preflight() WHERE name = 'ci_gate';
SELECT fixture.ask('canary_1', false);
SELECT fixture.attempt($$SELECT chat_v11.assert_gate('canary_1')$$);
SELECT count(chat_v11.attest('ci:canary_1', 'run 9'));
SET LOCAL chat_v11.mock_now = '2026-03-02 12:01:00.000001+00';
SELECT ok, detail FROM chat_v11.preflight() WHERE name = 'ci_gate';
SELECT ok, detail FROM chat_v11.preflight('canary_10') WHERE name = 'ci_gate';
ROLLBACK;

-- The self-test leaves nothing: the figures, events, logs and the version are as they were, and nobody is notified.
LISTEN chat_v11;
CREATE VIEW fixture.seen AS SELECT (SELECT count(*) FROM chat_v11.event) AS events, (SELECT count(*) FROM chat_v11.rollout_history) AS history, (SELECT count(*) FROM chat_v11.gate_log) AS gate_log,
	(SELECT count(*) FROM chat_v11.rollout_state) AS state, (SELECT lag_events FROM chat_v11.fold_status()) AS tail, (SELECT md5(g::text) FROM public.chat_get_v11_release_gates() g) AS gates;
CREATE TABLE fixture.before AS SELECT * FROM fixture.seen;
SELECT ok FROM chat_v11.preflight() WHERE name = 'self_test';
UNLISTEN chat_v11;
SELECT count(*) AS changed FROM (SELECT * FROM fixture.before EXCEPT SELECT * FROM fixture.seen) x;
-- It follows the checks: limits, on and off, a breach that is there already; under any isolation.
BEGIN;
SELECT (chat_v11.set_check('timeline_duplicate_detected_rate', p_limit => 0.5, p_min_samples => 40)).limit_value;
SELECT (chat_v11.set_check('send_stall_rate', p_limit => 0.9)).limit_value;
SELECT fixture.event('read_rollback', '2026-03-01 12:00+00');
SELECT name, ok, detail FROM chat_v11.preflight() WHERE name IN ('gates', 'self_test');
SELECT (chat_v11.set_check('send_stall_rate', p_limit => 1)).limit_value;
SELECT ok, detail FROM chat_v11.preflight() WHERE name = 'self_test';
SELECT (chat_v11.set_check('send_stall_rate', p_enabled => false)).enabled;
SELECT ok, detail, what_to_do FROM chat_v11.preflight() WHERE name = 'self_test';
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT ok FROM chat_v11.preflight() WHERE name = 'self_test';
COMMIT;
BEGIN READ ONLY;
SELECT ok, detail FROM chat_v11.preflight() WHERE name = 'self_test';
ROLLBACK;
-- Not where events cannot come in: the way of the backends is the way of the test.
BEGIN;
ALTER EXTENSION chat_v11 DROP FUNCTION chat_v11.record(text, text, uuid, uuid, float8, timestamptz);
ALTER FUNCTION chat_v11.record(text, text, uuid, uuid, float8, timestamptz) RENAME TO gone;
SELECT ok, left(detail, 60) FROM chat_v11.preflight() WHERE name = 'self_test';
SELECT left(fixture.ask('canary_1', false), 100);
ROLLBACK;

-- The start, by a role that has the level; then each promotion as the function would say, and nothing done.
SET SESSION AUTHORIZATION regress_preflight;
SELECT count(*) FROM chat_v11.preflight() WHERE NOT ok;
SELECT stage, kill_switch, version FROM public.chat_set_v11_rollout_state('canary_1', false, 'start');
SELECT gates->'unmet_preconditions' FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_ci;
SELECT * FROM chat_v11.preflight();
\set VERBOSITY default
SELECT chat_v11.assert_gate('canary_1');
SELECT chat_v11.assert_gate('canary_10');
SELECT chat_v11.assert_gate('canary_50');
SELECT chat_v11.assert_gate('v11');
SELECT chat_v11.assert_gate(NULL);
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-01 12:31+00';
SELECT fixture.healthy('2026-03-01 12:01+00', '2026-03-01 12:31+00', 200, 19800);
SELECT fixture.guard('2026-03-01 12:02+00', '2026-03-01 12:31+00');
SET SESSION AUTHORIZATION regress_ci;
BEGIN READ ONLY;
SELECT chat_v11.assert_gate('canary_10');
ROLLBACK;
RESET SESSION AUTHORIZATION;
SELECT stage, version FROM public.chat_get_v11_rollout_state();
-- Enforced, a promotion needs a green run of the CI gate for its stage; break-glass needs none.
SELECT fixture.attempt($$SELECT public.chat_set_v11_rollout_state('canary_10', false)$$);
SELECT fixture.attempt($$UPDATE chat_v11.rollout_state SET stage = 'canary_10'$$);
BEGIN;
SELECT count(chat_v11.attest('ci:canary_10', 'run 10', false));
SELECT fixture.ask('canary_10', false);
SELECT count(chat_v11.attest('ci:canary_10', 'run 11'));
SELECT stage, version FROM public.chat_set_v11_rollout_state('canary_10', false);
SELECT gates->'unmet_preconditions' FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
ROLLBACK;
BEGIN;
SELECT stage, overridden FROM chat_v11.force_rollout_state('canary_10', false, 'the runner of the CI gate is down', 'name of the approver');
ROLLBACK;
BEGIN;
SELECT (chat_v11.set_setting('preflight', 'warn')).value;
SELECT stage, version FROM public.chat_set_v11_rollout_state('canary_10', false);
ROLLBACK;
SELECT fixture.ask('canary_1', true);
SELECT fixture.attempt($$SELECT chat_v11.assert_gate('canary_1')$$);
SELECT split_part(fixture.attempt($$SELECT chat_v11.assert_gate('canary_10')$$), E'\n', 1);
SELECT transition FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 2;
\pset tuples_only off
\pset format aligned
\set ECHO none
DROP OWNED BY regress_preflight, regress_ci;
DROP ROLE regress_preflight, regress_ci;
\set ECHO all
\i :done
