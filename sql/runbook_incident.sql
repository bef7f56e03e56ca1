-- Every SQL line of the incident playbook, in the order in which they stand there, by an operator who is no superuser.
-- test/docs/check.sh sees to both.  A line that shows more than is stable runs with its output thrown away, and the
-- stable part is asked for next to it.  Incident 1 is a P0, incident 2 a P1 that becomes one.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set runbook :abs_srcdir /sql/include/runbook.sql
\set done :abs_srcdir /sql/include/done.sql
\i :runbook
\o /dev/null
-- A rollout at canary_10, an evening old, and two consumers that keep an answer.
SET chat_v11.mock_now = '2026-03-03 22:00+00';
SELECT fixture.ready();
SELECT count(chat_v11.attest('telemetry:' || k, 'seen by the test')) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT count(chat_v11.assign_oncall(r, 'name of the ' || r)) FROM unnest('{IC,Backend,SRE,Frontend}'::text[]) r;
SELECT stage FROM public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');
CALL fixture.until('2026-03-03 22:30+00', 120, 7000);
SELECT stage FROM public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');
CALL fixture.until('2026-03-03 23:59+00', 880, 4500);
SELECT count(chat_v11.ack_version(c, version)) FROM public.chat_get_v11_rollout_state(), unnest('{chat-backend-1,chat-backend-2}'::text[]) c;
-- Two writes have no receipt in time, one of them has a late one.  Before the guard's next round, somebody on call has
-- seen it.
CALL fixture.at('2026-03-04 00:00+00');
SELECT fixture.healthy('2026-03-03 23:59+00', '2026-03-04 00:00+00', 10, 50);
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject) VALUES
	('2026-03-03 23:59:30+00', 'write_ack', 'v11', '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000002'),
	('2026-03-03 23:59:44+00', 'write_receipt', 'v11', '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000002'),
	('2026-03-03 23:59:40+00', 'write_ack', 'v11', '00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-000000000001');
GRANT CREATE ON SCHEMA fixture TO regress_oncall;
\o
\set ECHO all
SET client_min_messages = notice;
SET SESSION AUTHORIZATION regress_oncall;
SELECT g.rollout_decision, g.gate_p0_ok, g.reasons[1], s.stage, s.kill_switch, s.next_step FROM public.chat_get_v11_release_gates() g, public.chat_get_v11_rollout_state() s \gx
-- The first line.
select chat_v11.open_incident('P0', 'what is seen', 'name of the IC');
SELECT stage, kill_switch, rollout_percent, next_step FROM public.chat_get_v11_rollout_state() \gx
SELECT transition, from_stage, decision, approved_by, changed_by, note FROM public.chat_get_v11_rollout_history(1);
-- 3
select role, person, since from chat_v11.oncall order by role;
\o /dev/null
select * from chat_v11.assign_oncall('Scribe', 'name of the scribe');
\o
select chat_v11.hand_over_incident(1, 'name of the next IC');
SELECT chat_v11.hand_over_incident(1, 'name of the IC');
SELECT kind, text FROM chat_v11.incident_note WHERE kind = 'action';
\o /dev/null
-- 4.1
listen chat_v11;
UNLISTEN chat_v11;
\o
select incident, severity, title, ic, opened_at, decision_due_at, decision_overdue from chat_v11.incidents();
-- 4.2
select at, text, data->'gates'->>'decision' as decision, data->'gates'->>'stage' as stage, jsonb_array_length(data->'history') as history_rows from chat_v11.incident_note where incident = 1 and kind = 'opened';
\o /dev/null
select * from public.chat_get_v11_release_gates();
select * from public.chat_get_v11_rollout_state();
select * from public.chat_get_v11_rollout_history(50);
select * from chat_v11.explain_gates();
select state, running, failures, last_error, remark from chat_v11.guard_status();
\o
SELECT state, running FROM chat_v11.guard_status();
-- 4.3
select check_name, status, reason from chat_v11.explain_gates() where check_name = 'incident';
SELECT * FROM public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
-- 4.4: once more, by hand.
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', true, 'incident P0');
\o
SELECT stage, kill_switch, rollout_percent FROM public.chat_get_v11_rollout_state();
SELECT chat_v11.ack_version('chat-backend-1', version) FROM public.chat_get_v11_rollout_state();
-- 4.5
select 'the kill has reached ' || count(*) filter (where current) || ' of ' || count(*) as consumers from chat_v11.consumers();
select consumer, version, seen_at from chat_v11.consumers() where not current;
-- 4.6
CALL fixture.until('2026-03-04 00:03+00', 0, 150);
select chat_v11.note_incident(1, 'what was seen, with its figure', 'fact');
select chat_v11.note_incident(1, 'what was decided, and why', 'decision');
select chat_v11.note_incident(1, 'what was done, by whom', 'action');
CALL fixture.until('2026-03-04 00:17+00', 0, 700);
select incident, severity, last_decision_at, decision_due_at, decision_overdue from chat_v11.incidents();
SELECT chat_v11.note_incident(1, 'stay killed; look at the ledger', 'decision');
SELECT decision_due_at, decision_overdue FROM chat_v11.incidents();

-- 5.2
select * from chat_v11.missing_receipts();
select * from chat_v11.missing_receipts(500);
\o /dev/null
select metric, cohort, value, numerator, denominator from chat_v11.metrics(chat_v11.clock() - interval '15 min', chat_v11.clock()) order by metric, cohort desc;
\o
SELECT metric, cohort, value, numerator, denominator FROM chat_v11.metrics('2026-03-03 23:45+00', '2026-03-04 00:00+00') WHERE metric ~ 'receipt' ORDER BY metric, cohort DESC;
-- 5.3
select * from chat_v11.trace_write('00000000-0000-4000-8000-000000000001');
SELECT * FROM chat_v11.trace_write('00000000-0000-4000-8000-000000000002');
select at, cohort, value, numerator, denominator from chat_v11.metric_series('ack_without_receipt_10s_rate', chat_v11.clock() - interval '30 min', chat_v11.clock(), '1 min') where numerator > 0;
-- 5.4 and 5.5
select chat_v11.note_incident(1, 'the receipt of key ...: in the database or not, delivered or not', 'fact');
select jsonb_pretty(chat_v11.recovery_policy());
select chat_v11.note_incident(1, 'how the fallback was seen to work', 'check:5');
-- 5.6
show chat_v11.ddl_freeze;
CREATE TABLE fixture.not_now (id int);
DROP TABLE fixture.not_now;
select chat_v11.note_incident(1, 'which layer, and how that is known', 'check:6');
-- 5.7: too early; then a write that was given up is in the way; then not.
select chat_v11.close_incident(1, 'why it is over');
RESET SESSION AUTHORIZATION;
SELECT fixture.event('pending_forever', '2026-03-04 00:09+00');
SET SESSION AUTHORIZATION regress_oncall;
CALL fixture.until('2026-03-04 00:30+00', 0, 650);
SELECT chat_v11.close_incident(1, 'why it is over');
select check_name, status, value, reason from chat_v11.explain_gates() where check_name in ('ack_without_receipt_10s_rate', 'pending_forever_count', 'killed', 'incident');
SELECT * FROM public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
CALL fixture.until('2026-03-04 00:39+00', 0, 450);
SELECT n, point, done, remark FROM chat_v11.checklist(1);
SELECT chat_v11.close_incident(1, 'why it is over');
SELECT rollout_decision, reasons, data_age FROM public.chat_get_v11_release_gates() \gx
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
\o
SELECT stage, kill_switch, version, entered_at FROM public.chat_get_v11_rollout_state();

-- 6: every fifth resync of the canary asks from 0 and is refused.
CALL fixture.until('2026-03-04 01:15+00', 110, 5700);
RESET SESSION AUTHORIZATION;
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value)
SELECT '2026-03-04 01:15+00'::timestamptz - i * interval '20 s', k::chat_v11.event_kind, c::chat_v11.cohort,
	md5(c || i)::uuid, md5('dialog' || i)::uuid, CASE WHEN c = 'v11' AND i % 5 = 0 THEN 5000 ELSE 40 END
FROM generate_series(1, 30) i, (VALUES ('resync_request', 'v11'), ('resync_request', 'v10'),
	('resync_range_unavailable', 'v11')) e(k, c)
WHERE k = 'resync_request' OR i % 5 = 0;
SET SESSION AUTHORIZATION regress_oncall;
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, reasons FROM public.chat_get_v11_release_gates() \gx
select chat_v11.open_incident('P1', 'what is seen', 'name of the IC');
SELECT stage, kill_switch FROM public.chat_get_v11_rollout_state();
SELECT split_part(fixture.attempt($$SELECT chat_v11.assert_gate('canary_10')$$), E'\n', 1);
select check_name, status, value, limit_value, numerator, denominator, control_value, reason from chat_v11.explain_gates() where check_name like 'err_resync%' or check_name like '%_state_rate' or check_name like '%_resync_rate';
select metric, cohort, value, numerator, denominator from chat_v11.metrics(chat_v11.clock() - interval '1 hour', chat_v11.clock()) where metric like '%resync%' or metric in ('full_state_rate', 'recovery_p95_ms') order by metric, cohort desc;
select * from chat_v11.resync_report(chat_v11.clock() - interval '1 hour', chat_v11.clock());
select chat_v11.note_incident(2, 'retention, longest time offline, snapshots, since_event_seq: what was found', 'fact');
-- 6.3
select chat_v11.recovery_policy() -> 'resync_stream' as resync_stream, chat_v11.recovery_policy() -> 'full_state_dialog' as full_state_dialog;
select chat_v11.note_incident(2, 'what was limited or rolled back, where', 'action');
select check_name, status, reason from chat_v11.what_if('{"err_resync_range_unavailable_rate": {"limit": 0.25}}') where check_name like 'err_resync%';
-- 6.4
select at, cohort, value, numerator, denominator from chat_v11.metric_series('err_resync_range_unavailable_rate', chat_v11.clock() - interval '1 hour', chat_v11.clock(), '15 min') where denominator > 0 order by cohort desc, at;
select chat_v11.close_incident(2, 'why it is over');

-- 7: by hand, before the guard; killed.
CALL fixture.until('2026-03-04 01:20+00', 15, 800);
select chat_v11.escalate_incident(2, 'P0', 'which of the four was seen');
select id, severity, opened_as, opened_at, escalated_at from chat_v11.incident where id = 2;
SELECT stage, kill_switch FROM public.chat_get_v11_rollout_state();
-- Half an hour later it is over.
CALL fixture.until('2026-03-04 01:50+00', 0, 1500);
SELECT chat_v11.close_incident(2, 'nothing more was seen');
\o /dev/null
SELECT * FROM public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
\o
-- 8: a step back from where it is; the emergency stop, in two ways; the way back.
SELECT stage, kill_switch FROM public.chat_get_v11_rollout_state();
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', false, 'hold');
select * from public.chat_set_v11_rollout_state('canary_1', true, 'kill switch');
select * from public.chat_set_v11_rollout_state('canary_50', true);
\o
SELECT id, transition, from_stage, to_stage, from_kill_switch, to_kill_switch, decision, note FROM public.chat_get_v11_rollout_history(3);
SELECT * FROM public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
CALL fixture.until('2026-03-04 02:20+00', 0, 1500);
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
\o
SELECT stage, kill_switch FROM public.chat_get_v11_rollout_state();

-- 9: too early, as everything begins anew.
select chat_v11.assert_gate('canary_10');
select * from chat_v11.incidents();
\o /dev/null
select chat_v11.go_no_go('canary_10');
\o
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') line WHERE line ~ 'What the database says|P0/P1';

-- 10: the review, in the morning.
CALL fixture.at('2026-03-04 09:00+00');
\o /dev/null
select chat_v11.postmortem(1);
\o
SELECT line FROM regexp_split_to_table(chat_v11.postmortem(1), '\n') line WHERE line ~ '^#|^\| (Noticed|Closed|v1.1|State)';
select id, changed_at, transition, from_stage, to_stage, to_kill_switch, decision, approved_by, note from public.chat_get_v11_rollout_history(500) order by id;
\o /dev/null
select at, cause, stage, kill_switch, decision, failing from chat_v11.gate_log where cause = 'change' or not (p0_ok and p1_ok) order by at, version;
\o
SELECT cause, stage, kill_switch, decision, failing, count(*) FROM chat_v11.gate_log WHERE cause = 'change' OR NOT (p0_ok AND p1_ok) GROUP BY cause, stage, kill_switch, decision, failing ORDER BY min(at), 1, 2, 3, 4;
-- It was there all the time.
select before as nobody_from, at as nobody_to from (select at, lag(at) over (order by at) as before from chat_v11.gate_log) g where at - before > interval '2 min' order by at;
select check_name, status, reason from chat_v11.explain_gates('2026-03-04 00:00+00') where enabled and status <> 'pass';
select chat_v11.note_incident(1, 'RCA: the technical cause; the cause in the process', 'note');
select chat_v11.note_incident(1, 'what worked, and what did not', 'note');
select chat_v11.add_action_item('test: what it shall catch', 'name of the owner', '2026-12-31', 1);
select chat_v11.add_action_item('alert: on what', null, null, 1);
SELECT n, done, remark FROM chat_v11.checklist(1) WHERE n IN (9, 10);
select chat_v11.assign_action_item(2, 'name of the owner', '2026-12-31');
select id, incident, text, owner, due, resolution from chat_v11.action_item where closed_at is null order by due;
select chat_v11.note_incident(1, 'where it can be read', 'check:9');
SELECT line FROM regexp_split_to_table(chat_v11.postmortem(1), '\n') line WHERE line ~ 'cause in the process|what did not|what it shall catch';
\o /dev/null
select chat_v11.decision_log();
\o
SELECT count(*) > 10 AS rows FROM chat_v11.decision_log();
select * from chat_v11.verify_history();
-- 11
select n, point, done, remark from chat_v11.checklist(1);
RESET SESSION AUTHORIZATION;
\set ECHO none
SET client_min_messages = error;
DROP OWNED BY regress_oncall;
DROP ROLE regress_oncall;
\set ECHO all
\i :done
