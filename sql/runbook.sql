--
-- Every SQL line of the two runbooks and of the go/no-go template, run by an operator who is no superuser.
-- test/docs/check.sh sees to it that none is missing here.  A line that shows more than is stable runs with its
-- output thrown away, and the stable part is asked for next to it.  A superuser sets the clock and loads telemetry.
--
SET client_min_messages = error;
CREATE EXTENSION chat_v11;
CREATE ROLE regress_oncall;
SELECT chat_v11.grant_access('regress_oncall', 'operator');
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET extra_float_digits = 0;
-- However slow the machine: a kill on a table of this size shall have its gates in the log.
SET chat_v11.kill_gate_timeout = '60s';
-- So many writes of each cohort, evenly over a span, each with all that healthy traffic reports.
CREATE FUNCTION pg_temp.load(p_from timestamptz, p_to timestamptz, p_v11 int, p_v10 int) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO chat_v11.event (at, kind, cohort, actor, subject)
	SELECT p_from + (p_to - p_from) * (i - 0.5) / n + d, k::chat_v11.event_kind, c::chat_v11.cohort, u, u
	FROM (VALUES ('v11', p_v11), ('v10', p_v10)) s(c, n)
	CROSS JOIN LATERAL generate_series(1, n) i
	CROSS JOIN LATERAL (SELECT md5(c || extract(epoch FROM p_from) || '/' || i)::uuid AS u) w
	CROSS JOIN (VALUES ('write_started', interval '-50 ms'), ('write_ack', '0'), ('write_receipt', '120 ms'),
		('timeline_delivered', '200 ms'), ('read_cursor', '300 ms'), ('session_active', '0')) e(k, d)
$$;
-- A guard at work over a span, a round a minute; the clock stands where it stood.
CREATE FUNCTION pg_temp.watch(p_from timestamptz, p_to timestamptz) RETURNS void
LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
	at timestamptz;
	before text := current_setting('chat_v11.mock_now');
BEGIN
	FOR at IN SELECT generate_series(p_from, p_to, '1 min') LOOP
		PERFORM set_config('chat_v11.mock_now', at::text, false);
		PERFORM chat_v11.guard_tick();
	END LOOP;
	PERFORM set_config('chat_v11.mock_now', before, false);
END
$$;
-- From here on also the warnings, one with each change that is made while the clock is mocked.
SET client_min_messages = notice;

-- Rollout runbook 2: preconditions, before anything was started.  Only control has traffic.
SET chat_v11.mock_now = '2026-03-02 09:00+00';
SELECT pg_temp.load('2026-03-02 08:30+00', '2026-03-02 09:00+00', 0, 1000);
SET SESSION AUTHORIZATION regress_oncall;
select extversion from pg_extension where extname = 'chat_v11';
\o /dev/null
select * from public.chat_get_v11_release_gates();
select * from public.chat_get_v11_rollout_state();
select * from public.chat_get_v11_rollout_history(20);
select * from chat_v11.explain_gates();
\o
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons[1] FROM public.chat_get_v11_release_gates() \gx
SELECT stage, kill_switch, rollout_percent, version, next_step FROM public.chat_get_v11_rollout_state() \gx
SELECT count(*) FROM public.chat_get_v11_rollout_history(20);
select * from chat_v11.verify_history();
select metric, cohort, value, numerator, denominator from chat_v11.metrics(chat_v11.clock() - interval '15 min', chat_v11.clock()) order by metric, cohort desc;
\o /dev/null
select * from chat_v11.attest('telemetry:resync_request', 'where it was seen working, as a link');
select * from chat_v11.attest('telemetry:pending_forever', 'where it was seen working, as a link');
\o
select what, ok, ref, attested_at, attested_by from chat_v11.attestation order by what;
select name, value from chat_v11.setting order by name;
-- Here a scheduler does the guard's rounds.
SELECT decision, action, remark FROM chat_v11.guard_tick();
select state, running, failures, last_error, remark from chat_v11.guard_status();
-- 6.1 start; a promotion that skips the start or a stage is refused
select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');
\o
SELECT stage, kill_switch, rollout_percent, version, entered_at, earliest_promote_at, next_step
FROM public.chat_get_v11_rollout_state() \gx
select * from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');
-- 6.2 too early, then in time; whoever looked at an older version is told
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-02 09:20+00';
SELECT pg_temp.load('2026-03-02 09:00+00', '2026-03-02 09:20+00', 103, 5300);
SELECT pg_temp.watch('2026-03-02 09:01+00', '2026-03-02 09:20+00');
SET SESSION AUTHORIZATION regress_oncall;
select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-02 09:30+00';
SELECT pg_temp.load('2026-03-02 09:20+00', '2026-03-02 09:30+00', 12, 900);
SELECT pg_temp.watch('2026-03-02 09:21+00', '2026-03-02 09:30+00');
SET SESSION AUTHORIZATION regress_oncall;
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons FROM public.chat_get_v11_release_gates() \gx
SELECT next_step FROM public.chat_get_v11_rollout_state();
select gate, check_name, status, value, limit_value, reason from chat_v11.explain_gates() where enabled;
select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%', 'name of the approver', 7);
-- The template: what is filled in before the decision ...
\o /dev/null
select chat_v11.go_no_go('canary_10');
select name, ok, detail, what_to_do from chat_v11.preflight('canary_1');
\o
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') line WHERE line ~ 'What the database says|Version decided|^    select';
SELECT name, ok FROM chat_v11.preflight('canary_1') WHERE name IN ('gates', 'telemetry', 'self_test');
select to_char(chat_v11.clock() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as utc_time, stage as current_stage, next_stage as target_stage, version, kill_switch, rollout_percent, entered_at, overdue, overridden, mock_clock from public.chat_get_v11_rollout_state();
\o /dev/null
select rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons, mature_writes, data_age, evaluated_at, disabled_checks from public.chat_get_v11_release_gates();
\o
SELECT rollout_decision, reasons, mature_writes, data_age, evaluated_at, cardinality(disabled_checks) AS disabled
FROM public.chat_get_v11_release_gates();
select gate, check_name, status, value, limit_value, numerator, denominator, data_age from chat_v11.explain_gates() where enabled;
select name, limit_value, min_samples, enabled, on_fail, history_id from chat_v11.gate_check where history_id is not null order by ordinal;
select stage, min_duration, max_duration, min_samples, quiet_period, history_id from chat_v11.stage_policy where history_id is not null order by percent;
select name, value, history_id from chat_v11.setting where history_id is not null order by name;
-- ... the decision, with the version that was looked at ...
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%', 'name of the approver', 1);
\o
-- ... and what is filled in after it.
\o /dev/null
select chat_v11.decision_log();
\o
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') line WHERE line ~ 'What the database says|approved_by';
\o /dev/null
select id, changed_at, transition, from_stage, to_stage, decision, approved_by, changed_by, overridden, mock_clock, note, version, encode(hash, 'hex') as hash from public.chat_get_v11_rollout_history(1);
\o
SELECT id, changed_at, transition, from_stage, to_stage, decision, approved_by, changed_by, note, version,
	length(hash) AS hash_bytes FROM public.chat_get_v11_rollout_history(1) \gx
-- 6.3
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-02 11:30+00';
SELECT pg_temp.load('2026-03-02 09:30+00', '2026-03-02 11:30+00', 1050, 5500);
SELECT pg_temp.watch('2026-03-02 11:00+00', '2026-03-02 11:30+00');
SET SESSION AUTHORIZATION regress_oncall;
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');
\o
SELECT stage, rollout_percent, version, earliest_promote_at FROM public.chat_get_v11_rollout_state();
-- 6.4
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-02 23:30+00';
SELECT pg_temp.load('2026-03-02 11:30+00', '2026-03-02 23:30+00', 5100, 2500);
SELECT pg_temp.watch('2026-03-02 21:30+00', '2026-03-02 23:30+00');
SET SESSION AUTHORIZATION regress_oncall;
\o /dev/null
select * from public.chat_set_v11_rollout_state('full', false, 'promote to full');
\o
SELECT stage, rollout_percent, version, next_stage, next_step FROM public.chat_get_v11_rollout_state() \gx
-- 6.5 the watch after full, and its end
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-03 23:30+00';
SELECT pg_temp.load('2026-03-02 23:30+00', '2026-03-03 23:30+00', 2500, 0);
SELECT pg_temp.watch('2026-03-03 23:29+00', '2026-03-03 23:30+00');
SET SESSION AUTHORIZATION regress_oncall;
SELECT next_step FROM public.chat_get_v11_rollout_state();
-- 7.1 freeze on the stage, by naming it again; soft hold
\o /dev/null
select * from public.chat_set_v11_rollout_state('full', false, 'freeze: incident under investigation');
select * from public.chat_set_v11_rollout_state('canary_1', false, 'hold rollout for investigation');
\o
SELECT id, transition, from_stage, to_stage, decision FROM public.chat_get_v11_rollout_history(2);
SELECT stage, rollout_percent, earliest_promote_at FROM public.chat_get_v11_rollout_state();

-- Incident playbook 4 and 5: two writes have no receipt in time, one of them a late one.
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-04 00:00+00';
SELECT pg_temp.load('2026-03-03 23:30+00', '2026-03-04 00:00+00', 110, 5700);
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject) VALUES
	('2026-03-03 23:59:30+00', 'write_ack', 'v11', '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000002'),
	('2026-03-03 23:59:44+00', 'write_receipt', 'v11', '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000002'),
	('2026-03-03 23:59:40+00', 'write_ack', 'v11', '00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-000000000001');
SELECT pg_temp.watch('2026-03-03 23:31+00', '2026-03-03 23:59+00');
-- Two consumers that keep an answer; the first one will hear of the kill.
SELECT chat_v11.ack_version(c, version) FROM public.chat_get_v11_rollout_state(), unnest('{chat-backend-1,chat-backend-2}'::text[]) c;
SET SESSION AUTHORIZATION regress_oncall;
\o /dev/null
select * from public.chat_get_v11_rollout_history(50);
\o
SELECT rollout_decision, gate_p0_ok, reasons[1] FROM public.chat_get_v11_release_gates() \gx
SELECT next_step FROM public.chat_get_v11_rollout_state();
select * from chat_v11.missing_receipts();
select * from chat_v11.missing_receipts(500);
select * from chat_v11.trace_write('00000000-0000-4000-8000-000000000001');
select * from chat_v11.trace_write('00000000-0000-4000-8000-000000000002');
select at, cohort, value, numerator, denominator from chat_v11.metric_series('ack_without_receipt_10s_rate', chat_v11.clock() - interval '30 min', chat_v11.clock(), '1 min') where numerator > 0;
select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');
-- The kill; the same again; another stage's name does not matter, nor does a missing note.
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', true, 'incident P0');
\o
SELECT stage, kill_switch, rollout_percent, next_step FROM public.chat_get_v11_rollout_state() \gx
select public.chat_is_v11_enabled('00000000-0000-4000-8000-000000000040');
RESET SESSION AUTHORIZATION;
SELECT chat_v11.ack_version('chat-backend-1', version) FROM public.chat_get_v11_rollout_state();
SET SESSION AUTHORIZATION regress_oncall;
select 'the kill has reached ' || count(*) filter (where current) || ' of ' || count(*) as consumers from chat_v11.consumers();
select consumer, version, seen_at from chat_v11.consumers() where not current;
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', true, 'hard stop: p0 invariant breach');
select * from public.chat_set_v11_rollout_state('canary_1', true, 'kill switch enabled');
select * from public.chat_set_v11_rollout_state('canary_1', true, 'kill switch');
select * from public.chat_set_v11_rollout_state('canary_50', true);
\o
SELECT id, transition, from_stage, to_stage, from_kill_switch, to_kill_switch, decision, note
FROM public.chat_get_v11_rollout_history(5);
-- Resume: too early; then a pending_forever is in the way; then not.
select * from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-04 00:10+00';
INSERT INTO chat_v11.event (at, kind, cohort) VALUES ('2026-03-04 00:09+00', 'pending_forever', 'v11');
SET chat_v11.mock_now = '2026-03-04 00:30+00';
SET SESSION AUTHORIZATION regress_oncall;
select * from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
select check_name, status, value, reason from chat_v11.explain_gates() where check_name in ('ack_without_receipt_10s_rate', 'pending_forever_count', 'killed');
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-04 00:39+00';
SELECT pg_temp.load('2026-03-04 00:09+00', '2026-03-04 00:39+00', 0, 1000);
SET SESSION AUTHORIZATION regress_oncall;
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons, data_age FROM public.chat_get_v11_release_gates() \gx
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
\o
SELECT stage, kill_switch, version, entered_at FROM public.chat_get_v11_rollout_state();

-- Incident playbook 6: refused resyncs, P1.
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-04 01:15+00';
SELECT pg_temp.load('2026-03-04 00:39+00', '2026-03-04 01:15+00', 110, 5700);
-- Every fifth request of the canary asks from 0 and is refused.
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value)
SELECT '2026-03-04 01:15+00'::timestamptz - i * interval '20 s', k::chat_v11.event_kind, c::chat_v11.cohort,
	md5(c || i)::uuid, md5('dialog' || i)::uuid, CASE WHEN c = 'v11' AND i % 5 = 0 THEN 5000 ELSE 40 END
FROM generate_series(1, 30) i, (VALUES ('resync_request', 'v11'), ('resync_request', 'v10'),
	('resync_range_unavailable', 'v11')) e(k, c)
WHERE k = 'resync_request' OR i % 5 = 0;
SELECT pg_temp.watch('2026-03-04 00:40+00', '2026-03-04 01:15+00');
SET SESSION AUTHORIZATION regress_oncall;
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, reasons FROM public.chat_get_v11_release_gates() \gx
SELECT next_step FROM public.chat_get_v11_rollout_state();
select check_name, status, value, limit_value, numerator, denominator, control_value, reason from chat_v11.explain_gates() where check_name like 'err_resync%' or check_name like '%_state_rate' or check_name like '%_resync_rate';
select metric, cohort, value, numerator, denominator from chat_v11.metrics(chat_v11.clock() - interval '1 hour', chat_v11.clock()) where metric like '%resync%' or metric in ('full_state_rate', 'recovery_p95_ms') order by metric, cohort desc;
select * from chat_v11.resync_report(chat_v11.clock() - interval '1 hour', chat_v11.clock());
select check_name, status, reason from chat_v11.what_if('{"err_resync_range_unavailable_rate": {"limit": 0.25}}') where check_name like 'err_resync%';
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', false, 'hold');
\o
-- 10: the past, for the review
select check_name, status, reason from chat_v11.explain_gates('2026-03-04 00:00+00') where enabled and status <> 'pass';
select id, changed_at, transition, from_stage, to_stage, to_kill_switch, decision, approved_by, note from public.chat_get_v11_rollout_history(500) order by id;
SELECT cause, count(*) AS rows, count(*) FILTER (WHERE gates ? 'checks') AS with_checks FROM chat_v11.gate_log GROUP BY cause ORDER BY cause;
select at, cause, stage, kill_switch, decision, failing from chat_v11.gate_log where cause = 'change' or not (p0_ok and p1_ok) order by at, version;
-- In the drill the guard was not there all the time.
\o /dev/null
select before as nobody_from, at as nobody_to from (select at, lag(at) over (order by at) as before from chat_v11.gate_log) g where at - before > interval '2 min' order by at;
\o

-- Break-glass: in no level; refused without the right, with too little said, by the caller's own word, past a stage.
select * from chat_v11.force_rollout_state('canary_10', false, 'why it cannot wait, in a sentence', 'name of the approver');
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION chat_v11.force_rollout_state(text, boolean, text, text) TO regress_oncall;
SET SESSION AUTHORIZATION regress_oncall;
select * from chat_v11.force_rollout_state('canary_10', false, 'too short', 'name of the approver');
select * from chat_v11.force_rollout_state('canary_10', false, 'why it cannot wait, in a sentence', 'regress_oncall');
select * from chat_v11.force_rollout_state('canary_50', false, 'why it cannot wait, in a sentence', 'name of the approver');
\o /dev/null
select * from chat_v11.force_rollout_state('canary_10', false, 'why it cannot wait, in a sentence', 'name of the approver');
\o
SELECT stage, overridden FROM public.chat_get_v11_rollout_state();
SELECT id, transition, decision, overridden, approved_by FROM public.chat_get_v11_rollout_history(1);
-- Not even that lifts a P0 breach.
RESET SESSION AUTHORIZATION;
INSERT INTO chat_v11.event (at, kind, cohort) VALUES ('2026-03-04 01:15+00', 'timeline_duplicate', 'v11');
SET SESSION AUTHORIZATION regress_oncall;
select * from chat_v11.force_rollout_state('canary_50', false, 'why it cannot wait, in a sentence', 'name of the approver');
-- The guard's next round kills, and the shift changes.
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-04 01:16+00';
SET SESSION AUTHORIZATION regress_oncall;
SELECT * FROM chat_v11.guard_tick();
select id, changed_at, transition, from_stage, decision, changed_by, note from public.chat_get_v11_rollout_history(1);
\t \a
select chat_v11.handover();
\t \a

-- What else is refused: words that are none, a turned gate, a write by hand.
select * from public.chat_set_v11_rollout_state('canary_2', false, 'no such stage');
select * from public.chat_set_v11_rollout_state('canary_1', null, 'neither');
select * from chat_v11.set_setting('p0_clear_window', '5 min');
update chat_v11.rollout_state set stage = 'full';
select * from chat_v11.verify_history();

RESET SESSION AUTHORIZATION;
SET client_min_messages = error;
DROP EXTENSION chat_v11;
DROP ROLE regress_oncall;
