-- Each stage's dwell to the microsecond, and a whole rollout on green gates.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
SELECT fixture.attempt($$SELECT chat_v11.attest('telemetry:' || k, 'shown by the test', true) FROM unnest('{resync_request,pending_forever}'::text[]) k$$);
SELECT fixture.ask('canary_1', false);
SET chat_v11.mock_now = '2026-03-01 12:31:00+00';
SELECT fixture.healthy('2026-03-01 12:00:00+00', '2026-03-01 12:31:00+00', 150, 9850);
SELECT fixture.guard('2026-03-01 12:01+00', '2026-03-01 12:29+00');
-- With the same telemetry, only the time differs.
SET chat_v11.mock_now = '2026-03-01 12:29:59+00';
SELECT fixture.decision();
SELECT earliest_promote_at AT TIME ZONE 'UTC', overdue, next_step FROM public.chat_get_v11_rollout_state();
SELECT fixture.ask('canary_10', false);
SET chat_v11.mock_now = '2026-03-01 12:29:59.999999+00';
SELECT fixture.ask('canary_10', false) LIKE '%is refused%';
SET chat_v11.mock_now = '2026-03-01 12:30:00+00';
SELECT fixture.decision();
SELECT reasons FROM public.chat_get_v11_release_gates();
SELECT next_step FROM public.chat_get_v11_rollout_state();
SELECT fixture.ask('canary_10', false);

SET chat_v11.mock_now = '2026-03-01 14:31:00+00';
SELECT fixture.healthy('2026-03-01 12:31:00+00', '2026-03-01 14:31:00+00', 1200, 5800);
SELECT fixture.guard('2026-03-01 13:59+00', '2026-03-01 14:29+00');
SET chat_v11.mock_now = '2026-03-01 14:29:59+00';
SELECT fixture.ask('canary_50', false);
SET chat_v11.mock_now = '2026-03-01 14:30:00+00';
SELECT fixture.ask('canary_50', false);

SET chat_v11.mock_now = '2026-03-02 02:31:00+00';
SELECT fixture.healthy('2026-03-01 14:31:00+00', '2026-03-02 02:31:00+00', 6000, 6000);
SELECT fixture.guard('2026-03-02 00:29+00', '2026-03-02 02:29+00');
SET chat_v11.mock_now = '2026-03-02 02:29:59+00';
SELECT fixture.ask('full', false);
SET chat_v11.mock_now = '2026-03-02 02:30:00+00';
SELECT fixture.ask('full', false);
-- The watch at full: 24 h, and then nothing is left to do.
SET chat_v11.mock_now = '2026-03-02 02:40:00+00';
SELECT stage, rollout_percent, next_stage, earliest_promote_at, overdue FROM public.chat_get_v11_rollout_state();
SET chat_v11.mock_now = '2026-03-03 02:31:00+00';
SELECT fixture.healthy('2026-03-03 01:31:00+00', '2026-03-03 02:31:00+00', 200, 1);
SELECT fixture.guard('2026-03-03 02:30+00', '2026-03-03 02:31+00');
SELECT fixture.decision();
SELECT next_step FROM public.chat_get_v11_rollout_state();
-- Overdue is a warning only.
SELECT fixture.ask('canary_1', false);
SET chat_v11.mock_now = '2026-03-03 03:31:00+00';
SELECT overdue FROM public.chat_get_v11_rollout_state();
SET chat_v11.mock_now = '2026-03-03 03:31:00.000001+00';
SELECT overdue FROM public.chat_get_v11_rollout_state();
SELECT * FROM fixture.log WHERE transition <> 'config';
SELECT count(*), bool_and(mock_clock) FROM chat_v11.rollout_history;
SELECT cause, count(*), bool_and(p0_ok AND p1_ok) FROM chat_v11.gate_log GROUP BY cause ORDER BY cause;
\pset tuples_only off
\pset format aligned
\i :done
