-- What the canary analysis finds, as the gates tell it, and what is done about it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set world :abs_srcdir /sql/include/two_cohorts.sql
\set done :abs_srcdir /sql/include/done.sql
\set comparisons on
\i :fixture
\i :world
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET extra_float_digits = 0;
SELECT chat_v11.attest('telemetry:pending_forever', 'test') \g /dev/null
CREATE VIEW fixture.compared AS
	SELECT check_name, status, round(value::numeric, 2) AS ratio, limit_value AS allowed, reason FROM chat_v11.explain_gates()
	WHERE check_name ~ 'compare|baseline|trend|^recovery' ORDER BY check_name COLLATE "C";
\set ECHO all
\set usual '{"all": {"rejects": 0.005, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.03}}'
\set slower '{"all": {"rejects": 0.005, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.03}, "v11": {"slower": 1.35}}'
\set much_slower '{"all": {"rejects": 0.005, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.03}, "v11": {"slower": 4}}'
-- They are enabled as installed, and nobody has to switch them on.
SELECT name, judge, enabled, on_fail, zero_ok FROM chat_v11.gate_check WHERE judge <> 'limit' ORDER BY ordinal;
SELECT count(*) AS rows_that_do_not_fit FROM chat_v11.verify_history();
-- Before the start nothing is compared, and nothing is kept from it.
SET chat_v11.mock_now = '2026-03-01 09:55:00+00';
SELECT count(*) AS checks, array_agg(DISTINCT status) AS status, min(reason) AS for_example FROM fixture.compared;
CALL world.go_on('5 min', :'usual');
SELECT world.enter_stage('canary_10');
-- At once: the evidence has not begun.
SELECT check_name, status, reason FROM fixture.compared;

-- As good as control, with something of everything.
CALL world.go_on('20 min', :'usual');
SELECT check_name, status, ratio, allowed, reason FROM fixture.compared;
SELECT rollout_decision, gate_p1_ok, (SELECT count(*) FROM unnest(reasons) r WHERE r ~ '^P1 (FAIL|WAIT|data)') AS of_comparisons FROM public.chat_get_v11_release_gates();

-- v1.1 becomes slow, and control does not: it is held, and people are told.
SELECT chat_v11.clock() AS before_it \gset
CALL world.go_on('4 min', :'slower');
SELECT check_name, status, ratio, allowed, reason FROM fixture.compared WHERE status <> 'pass';
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, split_part(reasons[1], ':', 1) AS first_reason FROM public.chat_get_v11_release_gates();
SELECT what_to_do FROM chat_v11.explain_gates() WHERE check_name = 'write_receipt_compare';
SELECT split_part(next_step, ':', 1) AS next_step FROM public.chat_get_v11_rollout_state();
SELECT left(fixture.ask('canary_50', false), 120);
-- It was fine before, and would be with other margins; asking changes nothing.
SELECT status, left(reason, 19) AS reason FROM chat_v11.explain_gates(:'before_it') WHERE check_name = 'write_receipt_compare';
SELECT status, left(reason, 19) AS reason FROM chat_v11.what_if('{"analysis": {"d_fail": 2, "d_pass": 3}}') WHERE check_name = 'write_receipt_compare';
SELECT status, left(reason, 19) AS reason FROM chat_v11.explain_gates() WHERE check_name = 'write_receipt_compare';
SELECT fixture.attempt($$SELECT * FROM chat_v11.what_if('{"analysis": {"rho": 2}}')$$);
-- The guard steps back for what is severe only, and only where it was told to.
SELECT chat_v11.set_check('write_receipt_compare', p_on_fail => 'rollback') \g /dev/null
SELECT decision, action FROM chat_v11.guard_tick();

-- Much slower.
SELECT chat_v11.set_check('write_receipt_compare', p_on_fail => 'hold') \g /dev/null
CALL world.go_on('6 min', :'much_slower');
SELECT check_name, status, regexp_replace(reason, '^.*; severe', '... severe') AS reason FROM fixture.compared WHERE status = 'fail';
SELECT rollout_decision, gate_p0_ok, gate_p1_ok FROM public.chat_get_v11_release_gates();
SELECT regexp_replace(next_step, ': canary .*severe', ': ... severe') AS next_step FROM public.chat_get_v11_rollout_state();
SELECT decision, action FROM chat_v11.guard_tick();
SELECT cause, decision, p1_ok, failing FROM chat_v11.gate_log ORDER BY at DESC LIMIT 1;
SELECT chat_v11.set_check('write_receipt_compare', p_on_fail => 'rollback') \g /dev/null
SELECT decision, action FROM chat_v11.guard_tick();
SELECT transition, from_stage, to_stage, to_kill_switch, decision, changed_by, left(note, 26) AS note FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
-- Another stage, other evidence: nothing of it is left.
SELECT DISTINCT status, regexp_replace(reason, '^.*; too early', '... too early') AS reason FROM fixture.compared WHERE check_name = 'write_receipt_compare';
-- While killed nothing is compared, and no resume waits for it.
SELECT fixture.ask('canary_1', true);
SELECT array_agg(DISTINCT status) AS status, min(reason) AS for_example FROM fixture.compared;
CALL world.go_on('31 min', '{}', false);
SELECT chat_v11.fold() > 0 AS folded;
SELECT fixture.ask('canary_1', false);

-- Cohorts swapped: nothing is said of either.
CALL world.go_on('10 min', '{"swapped": true, "all": {"rejects": 0.005}}');
SELECT DISTINCT status, regexp_replace(reason, '^data [a-z_ ]*: .* of', 'data ...: ... of') AS reason FROM fixture.compared WHERE status <> 'pass';
SELECT gate_p1_ok FROM public.chat_get_v11_release_gates();

-- Switched off, or advice.
SELECT chat_v11.set_check(name, p_on_fail => 'advise') FROM chat_v11.gate_check WHERE judge <> 'limit' \g /dev/null
SELECT count(*) FROM public.chat_get_v11_release_gates(), unnest(reasons) r WHERE r ~ '^P1 (FAIL|WAIT|data)';
SELECT fixture.attempt($$SELECT chat_v11.set_check('write_reject_compare', p_limit => 1.5)$$);
SELECT count(*) AS rows_that_do_not_fit FROM chat_v11.verify_history();
DROP SCHEMA world CASCADE;
\i :done
