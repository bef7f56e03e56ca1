-- What turns a gate: validated, logged in the chain, seen by what_if() without being changed.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
SELECT fixture.attempt('SELECT chat_v11.set_check(' || a || ')') FROM (VALUES
	($$'write_reject_rate', 0.02, true, 'hold'$$), ($$'no_such_check', 0.02, true, 'hold'$$), ($$NULL, 0.02, true, 'hold'$$),
	($$'write_reject_rate', 'NaN', true, 'hold'$$), ($$'write_reject_rate', -1, true, 'hold'$$), ($$'write_reject_rate', 2, true, 'hold'$$),
	($$'write_reject_rate', 'Infinity', true, 'hold'$$), ($$'write_reject_rate', NULL, NULL, 'explode'$$), ($$'write_reject_rate', p_min_samples => -5$$),
	($$'write_reject_compare', NULL, true, 'hold'$$), ($$'recovery_p95_ms', 1000, false, 'hold'$$), ($$'forced_resync_rate', NULL, false, NULL$$),
	($$'full_state_rate', p_on_fail => 'advise', p_note => 'noisy at night'$$), ($$'full_state_rate'$$)) t(a);
SELECT fixture.attempt('SELECT chat_v11.set_policy(' || a || ')') FROM (VALUES
	($$'canary_1', p_min_duration => '20 min'$$), ($$'canary_2', '20 min'$$), ($$NULL, '20 min'$$), ($$'canary_1', '-1 min'$$), ($$'canary_1', '2 h'$$),
	($$'canary_1', '30 min', '90 min', 50, '10 min', 'shorter'$$), ($$'canary_1', p_min_samples => -1$$), ($$'canary_1', p_quiet_period => '8 days'$$)) t(a);
SELECT fixture.attempt('SELECT chat_v11.set_setting(' || a || ')') FROM (VALUES
	($$'p0_clear_window', '60 min'$$), ($$'p0_clear_window', '0'$$), ($$'p0_clear_window', '30 s'$$), ($$'p0_clear_window', '90 s'$$), ($$'p0_clear_window', 'long'$$),
	($$'preflight', 'maybe'$$), ($$'loophole', '1'$$), ($$'report_grace', '3 s', 'slow shipper'$$), ($$'report_grace', NULL$$)) t(a);
SELECT fixture.attempt('SELECT chat_v11.attest(' || a || ')') FROM (VALUES
	($$'telemetry:resync_request', 'dashboard', true$$), ($$'telemetry:nonsense', 'x', true$$), ($$'', 'x', true$$), ($$'telemetry:resync_request', NULL, true$$),
	($$'telemetry:resync_request', 'dashboard', false$$), ($$'telemetry:resync_request', 'x', NULL$$)) t(a);
-- By hand it is the same; several rows at once are logged one by one.
SELECT fixture.attempt($$UPDATE chat_v11.gate_check SET min_samples = 10 WHERE min_samples = 20 AND judge = 'limit'$$);
SELECT fixture.attempt($$UPDATE chat_v11.gate_check SET history_id = 1 WHERE name = 'write_reject_rate'$$);
SELECT id, change->>'table', change->>'key', note, (SELECT string_agg(k || ': ' || (change->'old'->>k) || ' -> ' || v, ', ' ORDER BY k) FROM jsonb_each_text(change->'new') n(k, v) WHERE (change->'old'->>k) IS DISTINCT FROM v) FROM chat_v11.rollout_history ORDER BY id;
SELECT * FROM chat_v11.verify_history();
-- A disabled check is shown as disabled, an advised one counts for nothing.
SELECT disabled_checks FROM public.chat_get_v11_release_gates();
SELECT status, enabled, reason FROM chat_v11.explain_gates() WHERE check_name = 'forced_resync_rate';
-- what_if: other limits, other policy, other windows; nothing changes.
SELECT fixture.ask('canary_1', false);
SELECT fixture.healthy('2026-03-01 11:00:00+00', '2026-03-01 12:00:00+00', 100, 0);
SELECT count(fixture.event('write_rejected', '2026-03-01 11:59:00+00')) FROM generate_series(1, 5);
SELECT status, value, limit_value, reason FROM chat_v11.explain_gates() WHERE check_name = 'write_reject_rate';
SELECT status, value, limit_value, reason FROM chat_v11.what_if('{"write_reject_rate": 0.5}') WHERE check_name = 'write_reject_rate';
SELECT status, enabled FROM chat_v11.what_if('{"write_reject_rate": {"enabled": false}}') WHERE check_name = 'write_reject_rate';
SELECT status, limit_value FROM chat_v11.what_if('{"stage_policy": {"canary_1": {"min_duration_s": 0}}, "settings": {"metric_window_s": 60}}') WHERE check_name = 'dwell';
SELECT fixture.attempt(format('SELECT * FROM chat_v11.what_if(%L)', a)) FROM (VALUES (NULL), ('[]'), ('{"x": 1}'), ('{"write_reject_rate": "a"}'), ('{"write_reject_rate": {"limit": -1}}'),
	('{"settings": {"p0_clear_window_s": 1}}'), ('{"stage_policy": {"canary_7": {}}}'), ('{"write_reject_rate": {"on_fail": "x"}}')) t(a);
SELECT limit_value FROM chat_v11.gate_check WHERE name = 'write_reject_rate';
-- The past, under the limits of then.
SET chat_v11.mock_now = '2026-03-01 12:30:00+00';
SELECT (chat_v11.set_check('write_reject_rate', 0.9)).limit_value;
SELECT status, limit_value FROM chat_v11.explain_gates() WHERE check_name = 'write_reject_rate';
SELECT status, limit_value, numerator, denominator FROM chat_v11.explain_gates('2026-03-01 12:00:00+00') WHERE check_name = 'write_reject_rate';
SELECT status, reason FROM chat_v11.explain_gates('2026-03-01 12:00:00+00') WHERE check_name = 'dwell';
SELECT reason FROM chat_v11.explain_gates('2026-03-01 11:00:00+00') WHERE check_name = 'dwell';
SELECT fixture.attempt(format('SELECT * FROM chat_v11.explain_gates(%L::timestamptz)', a)) FROM (VALUES (NULL), ('infinity'), ('2026-03-02')) t(a);
-- Changed behind the triggers' back: found.
BEGIN;
ALTER TABLE chat_v11.gate_check DISABLE TRIGGER ALL;
UPDATE chat_v11.gate_check SET limit_value = 1 WHERE name = 'write_receipt_p95_ms';
SELECT * FROM chat_v11.verify_history();
ROLLBACK;
BEGIN;
ALTER TABLE chat_v11.stage_policy DISABLE TRIGGER ALL;
DELETE FROM chat_v11.stage_policy WHERE stage = 'canary_50';
SELECT * FROM chat_v11.verify_history();
ROLLBACK;
-- A newer version's settings, in a session that has this one's library: nothing is asked of them.
BEGIN;
ALTER TABLE chat_v11.setting DISABLE TRIGGER ALL;
INSERT INTO chat_v11.setting (name, value) VALUES ('of_a_newer_version', 'whatever');
SELECT status, limit_value FROM chat_v11.explain_gates() WHERE check_name = 'write_reject_rate';
SELECT status, limit_value FROM chat_v11.explain_gates('2026-03-01 12:00:00+00') WHERE check_name = 'write_reject_rate';
ROLLBACK;
\pset tuples_only off
\pset format aligned
\i :done
