-- Every SQL line of the checklist of a shift, in the order in which they stand there, by an operator who is no superuser.
-- test/docs/check.sh sees to both.  A line that shows more than is stable runs with its output thrown away, and the
-- stable part is asked for next to it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set runbook :abs_srcdir /sql/include/runbook.sql
\set done :abs_srcdir /sql/include/done.sql
\i :runbook
\o /dev/null
-- A rollout at canary_10, a limit that an admin turned, an open P2, an action item of an older one.
SET chat_v11.mock_now = '2026-03-02 17:00+00';
SELECT fixture.ready();
SELECT count(chat_v11.attest('telemetry:' || k, 'seen by the test')) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT stage FROM public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');
CALL fixture.until('2026-03-02 17:30+00', 120, 7000);
SELECT stage FROM public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%', 'name of the approver');
CALL fixture.until('2026-03-02 18:00+00', 300, 1500);
SELECT (chat_v11.set_check('write_reject_rate', 0.02, p_note => 'a validator that is known to be too strict')).limit_value;
SELECT chat_v11.open_incident('P2', 'an old build shows the wrong time', 'name of the IC');
SELECT chat_v11.add_action_item('alert on resyncs from 0', 'name of the owner', '2026-03-10');
SELECT count(chat_v11.ack_version(c, version)) FROM public.chat_get_v11_rollout_state(), unnest('{chat-backend-1,chat-backend-2}'::text[]) c;
\o
\set ECHO all
SET client_min_messages = notice;
SET SESSION AUTHORIZATION regress_oncall;
-- 1: the shift begins.
\o /dev/null
select chat_v11.handover();
\o
SELECT line FROM regexp_split_to_table(chat_v11.handover(), '\n') line WHERE line ~ '^#|^- State|^\*\*|P2';
select state, running, failures, last_error, remark from chat_v11.guard_status();
\x on
select stage, kill_switch, version, entered_at, earliest_promote_at, overdue, overridden, mock_clock from public.chat_get_v11_rollout_state();
select rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons, data_age, disabled_checks from public.chat_get_v11_release_gates();
\x off
select incident, severity, title, ic, decision_overdue from chat_v11.incidents();
select consumer, version, seen_at from chat_v11.consumers() where not current;
select has_function_privilege('chat_v11.open_incident(text, text, text)', 'execute') and has_function_privilege('public.chat_set_v11_rollout_state(text, boolean, text, text, bigint)', 'execute') as may_kill;
select * from chat_v11.assign_oncall('IC', 'name of the IC');
select role, person, since from chat_v11.oncall order by role;
select what, ref, attested_at, attested_by from chat_v11.attest('shift', 'name of the IC has it, and has read the hand-over');
-- The call that this is all for, taken back.
BEGIN;
SELECT chat_v11.open_incident('P0', 'what is seen', 'name of the IC');
SELECT stage, kill_switch FROM public.chat_get_v11_rollout_state();
ROLLBACK;
-- 2: the shift changes.
CALL fixture.until('2026-03-02 19:00+00', 900, 4500);
CALL fixture.until('2026-03-02 20:00+00', 900, 4500);
SELECT decision_overdue FROM chat_v11.incidents();
select chat_v11.note_incident(1, 'what was tried; who waits for what', 'fact');
select chat_v11.note_incident(1, 'what is decided, until when', 'decision');
select incident, severity, title, ic, decision_due_at, decision_overdue from chat_v11.incidents();
\o /dev/null
select chat_v11.handover();
\o
SELECT line FROM regexp_split_to_table(chat_v11.handover(), '\n') line WHERE line ~ '^#|^- State|^\*\*|^Promote|P2|    select';
select role, person, since from chat_v11.oncall order by role;
-- 3: the day ends.
SELECT decision, action, remark FROM chat_v11.guard_tick();
select id, changed_at, transition, from_stage, to_stage, decision, approved_by, changed_by, note from public.chat_get_v11_rollout_history(500) where changed_at > chat_v11.clock() - interval '1 day' and transition <> 'config' order by id;
select id, changed_at, changed_by, change->>'table' as "table", change->>'key' as key, note from public.chat_get_v11_rollout_history(500) where changed_at > chat_v11.clock() - interval '1 day' and transition = 'config' order by id;
select name, limit_value, enabled, on_fail, history_id from chat_v11.gate_check where history_id is not null order by ordinal;
select stage, decision, failing, count(*) as minutes, min(at) as first, max(at) as last from chat_v11.gate_log where cause = 'guard' and at > chat_v11.clock() - interval '1 day' group by stage, decision, failing order by first;
select before as nobody_from, at as nobody_to from (select at, lag(at) over (order by at) as before from chat_v11.gate_log where at > chat_v11.clock() - interval '1 day') g where at - before > interval '2 min' order by at;
select at, cohort, value, denominator from chat_v11.metric_series('write_receipt_p95_ms', chat_v11.clock() - interval '1 day', chat_v11.clock(), '1 hour') where denominator > 0 order by cohort desc, at;
\o /dev/null
select lag_events, lag_seconds, last_fold, unfinished_round from chat_v11.fold_status();
\o
SELECT lag_events, unfinished_round FROM chat_v11.fold_status();
select id, incident, text, owner, due from chat_v11.action_item where closed_at is null order by due;
select criterion, met, why from chat_v11.completion() where not met;
select * from chat_v11.verify_history();
\o /dev/null
select chat_v11.decision_log('csv');
\o
SELECT count(*) - 1 = (SELECT count(*) FROM chat_v11.rollout_history) AS all_rows FROM chat_v11.decision_log('csv');
select what, ref, attested_at, attested_by from chat_v11.attest('daily', 'where the file of the log is, and what is still to be done');
RESET SESSION AUTHORIZATION;
\set ECHO none
SET client_min_messages = error;
DROP OWNED BY regress_oncall;
DROP ROLE regress_oncall;
\set ECHO all
\i :done
