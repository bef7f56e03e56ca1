-- Quiet periods, from the gate log: failures, gaps, the past, other limits, and a guard that fell silent.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION fixture.of(p_check text) RETURNS text LANGUAGE sql AS $$
	SELECT status || ' | ' || reason || coalesce(' | ' || what_to_do, '') FROM chat_v11.explain_gates() WHERE check_name = p_check
$$;
\set ECHO all
-- Green at canary_1, and nobody watches: what is unknown is not quiet.
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT count(chat_v11.attest('telemetry:' || k, 'shown by the test', true)) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT fixture.ask('canary_1', false);
SELECT fixture.of('quiet');
SET chat_v11.mock_now = '2026-03-01 14:00+00';
SELECT fixture.healthy('2026-03-01 12:00+00', '2026-03-01 14:00+00', 600, 59400);
SET chat_v11.mock_now = '2026-03-01 12:02+00';
SELECT fixture.of('quiet');
SET chat_v11.mock_now = '2026-03-01 12:02:00.000001+00';
SELECT fixture.of('quiet');
SET chat_v11.mock_now = '2026-03-01 12:30+00';
SELECT fixture.of('quiet');
SELECT fixture.ask('canary_10', false);
-- A guard from 12:25: the gap before it has to leave the period.
SELECT fixture.guard('2026-03-01 12:25+00', '2026-03-01 12:30+00');
SELECT fixture.of('quiet');
SELECT earliest_promote_at, next_step FROM public.chat_get_v11_rollout_state();
SELECT fixture.guard('2026-03-01 12:31+00', '2026-03-01 12:38+00');
SET chat_v11.mock_now = '2026-03-01 12:37:59.999999+00';
SELECT fixture.of('quiet');
SET chat_v11.mock_now = '2026-03-01 12:38+00';
SELECT fixture.of('quiet');
SELECT fixture.decision();
-- The same question under other periods, and of the past.
SELECT status, reason FROM chat_v11.what_if('{"stage_policy": {"canary_1": {"quiet_period_s": 1200}}}') WHERE check_name = 'quiet';
SELECT status, reason FROM chat_v11.what_if('{"stage_policy": {"canary_1": {"quiet_period_s": 0}}}') WHERE check_name = 'quiet';
SELECT status, reason FROM chat_v11.explain_gates('2026-03-01 12:30+00') WHERE check_name = 'quiet';
SET chat_v11.mock_now = '2026-03-01 13:10+00';
SELECT status, reason FROM chat_v11.explain_gates('2026-03-01 12:38+00') WHERE check_name IN ('quiet', 'evidence');
-- Rows of a mocked clock say nothing to anybody else.
SELECT count(*) FILTER (WHERE cause = 'guard') > 10 AS rows, bool_and(mock_clock) AS mocked FROM chat_v11.gate_log;
RESET chat_v11.mock_now;
SELECT status, regexp_replace(reason, '\d{4}-.*UTC', '...') FROM chat_v11.explain_gates() WHERE check_name = 'quiet';

-- Ten minutes of rejected writes: red for as long as the window holds them, and quiet counts from then on.
SET chat_v11.mock_now = '2026-03-01 14:00+00';
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject) SELECT timestamptz '2026-03-01 12:39+00' + i * interval '10 s', 'write_rejected', 'v11',
	md5(i::text)::uuid, md5('r' || i)::uuid FROM generate_series(1, 10) i;
SELECT fixture.guard('2026-03-01 12:39+00', '2026-03-01 12:41+00');
SET chat_v11.mock_now = '2026-03-01 12:41+00';
SELECT fixture.of('quiet');
SELECT fixture.guard('2026-03-01 12:42+00', '2026-03-01 13:10+00');
SELECT to_char(min(at), 'HH24:MI') AS first_red, to_char(max(at), 'HH24:MI') AS last_red, failing, bool_or(p0_ok) AS p0_ok FROM chat_v11.gate_log WHERE NOT p1_ok GROUP BY failing;
SET chat_v11.mock_now = '2026-03-01 13:00+00';
SELECT fixture.of('quiet');
SELECT fixture.ask('canary_10', false);
SET chat_v11.mock_now = '2026-03-01 13:10+00';
SELECT fixture.of('quiet');
SELECT fixture.decision();
-- Before the first green row nothing says that it is over.
SET chat_v11.mock_now = '2026-03-01 12:55:50+00';
SELECT fixture.of('quiet');

-- The guard dies at 13:10: evidence misses it after two minutes, quiet too.
SET chat_v11.mock_now = '2026-03-01 13:12+00';
SELECT fixture.of('evidence');
SET chat_v11.mock_now = '2026-03-01 13:12:00.000001+00';
SELECT fixture.of('evidence');
SELECT fixture.of('quiet');
-- A deployment without one says so, and why.
SELECT count(*) FROM chat_v11.set_policy('canary_1', p_quiet_period => '0', p_note => 'no guard in this deployment');
SELECT fixture.of('quiet');
-- The promotion of a stage that was quiet, and what its answer says of the next stage's longer period.
SELECT count(*) FROM chat_v11.set_policy('canary_1', p_quiet_period => '15 min', p_note => 'there is one again');
SELECT fixture.guard('2026-03-01 13:13+00', '2026-03-01 13:20+00');
-- In minutes in which telemetry cannot be read nothing fails, and yet they are not quiet.
ALTER TABLE chat_v11.metric_bucket RENAME TO unreadable;
SELECT fixture.guard('2026-03-01 13:21+00', '2026-03-01 13:24+00');
ALTER TABLE chat_v11.unreadable RENAME TO metric_bucket;
SELECT to_char(at, 'HH24:MI') AS blind, cause, p0_ok, p1_ok, failing, decision FROM chat_v11.gate_log WHERE p0_ok IS NULL OR p1_ok IS NULL ORDER BY at;
SELECT fixture.guard('2026-03-01 13:25+00', '2026-03-01 13:36+00');
SET chat_v11.mock_now = '2026-03-01 13:36+00';
SELECT fixture.of('quiet');
SELECT fixture.decision();
SELECT fixture.ask('canary_10', false);
SELECT fixture.guard('2026-03-01 13:37+00', '2026-03-01 13:40+00');
SET chat_v11.mock_now = '2026-03-01 13:40+00';
SELECT stage, reason FROM public.chat_set_v11_rollout_state('canary_10', false, 'test'), chat_v11.explain_gates() WHERE check_name = 'quiet';
\pset tuples_only off
\pset format aligned
\i :done
