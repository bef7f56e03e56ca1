-- Every row of the transition table and every refusal, through the function and by hand.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';

-- Nothing was started: only start and kill go.
SELECT s.stage, fixture.ask(s.stage, false) FROM (VALUES ('canary_10'), ('canary_50'), ('full'), ('canary_5'), (NULL)) s(stage);
SELECT fixture.ask('canary_1', NULL);
SELECT fixture.ask('canary_1', false);
-- Live at canary_1: hold; anything else is a skip, or waits for the gates.
SELECT s.stage, fixture.ask(s.stage, false) FROM (VALUES ('canary_50'), ('full'), ('canary_2'), ('')) s(stage);
SELECT fixture.ask('canary_1', false);
-- A stale version names who changed what and when.
SELECT fixture.attempt($$SELECT public.chat_set_v11_rollout_state('canary_1', false, 'x', NULL, 1)$$);
SELECT fixture.attempt($$SELECT public.chat_set_v11_rollout_state('canary_1', false, 'x', NULL, 2)$$);
-- Up by break-glass, down by rollback.
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'too short', 'lead')$$);
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', NULL)$$);
SELECT fixture.attempt(format($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', %L)$$, session_user)) LIKE '42501 ERR_FORBIDDEN: break-glass needs an approver who is not the caller%';
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_50', false, 'long enough to be a reason', 'lead')$$);
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', 'lead')$$);
SELECT fixture.ask('full', false);
SELECT overridden FROM public.chat_get_v11_rollout_state();
SELECT overridden FROM public.chat_get_v11_release_gates();
SELECT fixture.ask('canary_10', false);
SELECT overridden FROM public.chat_get_v11_rollout_state();
SELECT fixture.ask('canary_1', false);
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', 'lead')$$);
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_50', false, 'long enough to be a reason', 'lead')$$);
-- A step down other than to canary_1 is refused.
SELECT fixture.ask('canary_10', false);
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('full', false, 'long enough to be a reason', 'lead')$$);
SELECT s.stage, fixture.ask(s.stage, false) FROM (VALUES ('canary_10'), ('canary_50')) s(stage);
SELECT fixture.ask('full', false);
-- A kill is never refused: unknown stage, no stage, no note, stale version, a note without end.
SELECT fixture.ask('canary_99', true);
SELECT fixture.ask(NULL, true);
SELECT fixture.attempt($$SELECT public.chat_set_v11_rollout_state('full', true, repeat('x', 5000), repeat('y', 5000), -7)$$);
SELECT length(note), stage, kill_switch FROM public.chat_get_v11_rollout_state();
SELECT length(approved_by) FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
-- Killed: only re-kill goes, and resume in time.
SELECT s.stage, fixture.ask(s.stage, false) FROM (VALUES ('canary_1'), ('canary_10'), ('full'), ('canary_3')) s(stage);
SET chat_v11.mock_now = '2026-03-01 12:29:59.999999+00';
SELECT fixture.ask('canary_1', false);
-- A re-kill does not restart the clock.
SELECT fixture.ask('canary_1', true);
SET chat_v11.mock_now = '2026-03-01 12:30:00+00';
SELECT rollout_decision, reasons FROM public.chat_get_v11_release_gates();
SELECT next_step FROM public.chat_get_v11_rollout_state();
SELECT fixture.ask('canary_1', false);
SELECT fixture.attempt($$SELECT public.chat_set_v11_rollout_state('canary_1', false, repeat('x', 4097))$$);
SELECT * FROM fixture.log;

\pset tuples_only off
\pset format aligned
\i :done
