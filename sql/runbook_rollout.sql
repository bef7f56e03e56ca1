-- Every SQL line of the rollout runbook and of the go/no-go template, in the order in which they stand there, by an
-- operator who is no superuser.  test/docs/check.sh sees to both.  A line that shows more than is stable runs with its
-- output thrown away, and the stable part is asked for next to it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set runbook :abs_srcdir /sql/include/runbook.sql
\set done :abs_srcdir /sql/include/done.sql
\i :runbook
\set ECHO all
-- 2: preconditions, before anything was started.  Only control has traffic, and reports every kind.
SET client_min_messages = error;
CALL fixture.at('2026-03-02 09:00+00');
SELECT fixture.healthy('2026-03-02 08:30+00', '2026-03-02 09:00+00', 0, 1000);
INSERT INTO chat_v11.event (at, kind, cohort) SELECT e.at, k::chat_v11.event_kind, 'v10' FROM chat_v11.event e, unnest('{write_started,timeline_delivered,read_cursor,session_active}'::text[]) k WHERE e.kind = 'write_ack';
-- From here on also the warnings, one with each change that is made while the clock is mocked.
SET client_min_messages = notice;
SET SESSION AUTHORIZATION regress_oncall;
select name, detail, what_to_do from chat_v11.preflight() where not ok;
SELECT name, ok FROM chat_v11.preflight();
-- 2.1
select * from chat_v11.attest('migrations', 'link to the migration list', true);
-- 2.2
\o /dev/null
select * from public.chat_get_v11_release_gates();
select * from public.chat_get_v11_rollout_state();
select * from public.chat_get_v11_rollout_history(20);
\o
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons[1] FROM public.chat_get_v11_release_gates() \gx
SELECT stage, kill_switch, rollout_percent, version, next_step FROM public.chat_get_v11_rollout_state() \gx
SELECT count(*) FROM public.chat_get_v11_rollout_history(20);
select * from chat_v11.verify_history();
-- 2.3
\o /dev/null
select * from chat_v11.assign_oncall('IC', 'name of the IC');
select * from chat_v11.assign_oncall('Backend', 'name of the backend owner');
select * from chat_v11.assign_oncall('SRE', 'name of the SRE owner');
select * from chat_v11.assign_oncall('Frontend', 'name of the frontend owner');
select * from chat_v11.assign_oncall('Scribe', 'name of the scribe');
\o
select role, person, since from chat_v11.oncall order by role;
-- 2.4
\o /dev/null
select * from chat_v11.attest('runbook', 'who has read which revision', true);
\o
-- 2.5
select metric, cohort, value, numerator, denominator from chat_v11.metrics(chat_v11.clock() - interval '15 min', chat_v11.clock()) order by metric, cohort desc;
\o /dev/null
select * from chat_v11.attest('telemetry:resync_request', 'where it was seen working, as a link');
select * from chat_v11.attest('telemetry:pending_forever', 'where it was seen working, as a link');
\o
-- 2.6: here a scheduler does the guard's rounds.
SELECT decision, action, remark FROM chat_v11.guard_tick();
select state, running, failures, last_error, remark from chat_v11.guard_status();
-- 2.7
select chat_v11.assert_gate('canary_1');
\o /dev/null
select * from chat_v11.attest('ci:canary_1', 'link to the run', true);
\o
-- 2.8
select name, ok, detail, what_to_do from chat_v11.preflight() where not ok or name = 'self_test';
SELECT what, ok, ref, attested_at, attested_by FROM chat_v11.attestation ORDER BY what;
select name, value from chat_v11.setting where name in ('preflight', 'bucketing', 'p0_clear_window');
-- 3
select stage, min_duration, max_duration, min_samples, quiet_period from chat_v11.stage_policy order by percent;

-- 4: a rollout that breaks, in a transaction that is rolled back: what comes after it starts from nothing.
RESET SESSION AUTHORIZATION;
BEGIN;
SET SESSION AUTHORIZATION regress_oncall;
\o /dev/null
SELECT * FROM public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');
CALL fixture.until('2026-03-02 09:30+00', 120, 7000);
SELECT * FROM public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');
CALL fixture.until('2026-03-02 09:50+00', 180, 1000);
\o
RESET SESSION AUTHORIZATION;
SELECT fixture.event('timeline_duplicate', '2026-03-02 09:49:50+00');
SET SESSION AUTHORIZATION regress_oncall;
-- Two consumers that keep an answer; the first one hears of the kill.
SELECT count(chat_v11.ack_version(c, version)) FROM public.chat_get_v11_rollout_state(), unnest('{chat-backend-1,chat-backend-2}'::text[]) c;
SELECT g.rollout_decision, s.next_step FROM public.chat_get_v11_release_gates() g, public.chat_get_v11_rollout_state() s \gx
SELECT action FROM chat_v11.guard_tick();
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', true, 'hard stop: p0 invariant breach');
\o
SELECT stage, kill_switch, rollout_percent, next_step FROM public.chat_get_v11_rollout_state() \gx
select id, changed_at, transition, from_stage, decision, changed_by, note from public.chat_get_v11_rollout_history(2);
select public.chat_is_v11_enabled('00000000-0000-4000-8000-000000000040');
SELECT chat_v11.ack_version('chat-backend-1', version) FROM public.chat_get_v11_rollout_state();
select 'the kill has reached ' || count(*) filter (where current) || ' of ' || count(*) as consumers from chat_v11.consumers();
select consumer, version, seen_at from chat_v11.consumers() where not current;
select chat_v11.open_incident('P0', 'what is seen', 'name of the IC');
RESET SESSION AUTHORIZATION;
ROLLBACK;
SELECT stage, version, chat_v11.clock() FROM public.chat_get_v11_rollout_state();
SET SESSION AUTHORIZATION regress_oncall;

-- 5: before the start; 6.2 asks the same again, when there is something to see.
\o /dev/null
select * from public.chat_get_v11_release_gates();
select * from public.chat_get_v11_rollout_state();
select * from public.chat_get_v11_rollout_history(50);
select gate, check_name, status, value, limit_value, reason from chat_v11.explain_gates() where enabled;
select chat_v11.go_no_go();
select * from chat_v11.attest('window:canary_10', 'name of the approver: the last 2 h, p95 of both cohorts', true);
\o
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go(), '\n') line WHERE line ~ '^# |What the database says|window:';

-- 6.1: the start; a promotion that skips the start or a stage is refused.
SELECT * FROM public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');
\o
SELECT stage, kill_switch, rollout_percent, version, entered_at, earliest_promote_at, next_step FROM public.chat_get_v11_rollout_state() \gx
SELECT gates->'unmet_preconditions' AS unmet FROM public.chat_get_v11_rollout_history(1);
SELECT * FROM public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');
-- 6.2: too early, then in time; whoever looked at an older version is told.
CALL fixture.until('2026-03-02 09:20+00', 103, 5300);
select ok, detail, what_to_do from chat_v11.preflight('canary_10') where name = 'ci_gate';
select chat_v11.assert_gate('canary_10');
select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');
CALL fixture.until('2026-03-02 09:30+00', 12, 900);
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons FROM public.chat_get_v11_release_gates() \gx
SELECT next_step FROM public.chat_get_v11_rollout_state();
select gate, check_name, status, value, limit_value, reason from chat_v11.explain_gates() where enabled;
select chat_v11.assert_gate('canary_10');
SELECT * FROM public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%', 'name of the approver', 7);
-- The template: what is filled in before the decision ...
SELECT count(chat_v11.attest('ci:canary_10', 'link to the run', true));
SELECT ok, detail FROM chat_v11.preflight('canary_10') WHERE name = 'ci_gate';
\o /dev/null
select chat_v11.go_no_go('canary_10');
\o
\pset format unaligned
\pset tuples_only on
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') WITH ORDINALITY l(line, n) WHERE n < 21 AND line NOT LIKE '%hash%' OR line LIKE '    select%' ORDER BY n;
\pset tuples_only off
\pset format aligned
select name, ok, detail, what_to_do from chat_v11.preflight('canary_1') where not ok;
-- ... the decision, with the version that was looked at ...
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%', 'name of the approver', 1);
-- ... and what is filled in after it.
select chat_v11.decision_log();
\o
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') line WHERE line ~ 'What the database says|approved_by';
SELECT id, changed_at, transition, from_stage, to_stage, decision, approved_by, changed_by, note, version, length(hash) AS hash_bytes FROM public.chat_get_v11_rollout_history(1) \gx
-- 6.3
CALL fixture.until('2026-03-02 11:30+00', 1050, 5500);
select chat_v11.assert_gate('canary_50');
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');
\o
SELECT stage, rollout_percent, version, earliest_promote_at FROM public.chat_get_v11_rollout_state();
-- 12 h later: is there a drift?
CALL fixture.until('2026-03-02 23:30+00', 5100, 2500);
select at, cohort, value, denominator from chat_v11.metric_series('write_receipt_p95_ms', chat_v11.clock() - interval '12 hours', chat_v11.clock(), '3 hours') order by cohort desc, at;
-- 6.4
select chat_v11.assert_gate('full');
\o /dev/null
select * from public.chat_set_v11_rollout_state('full', false, 'promote to full');
\o
SELECT stage, rollout_percent, version, next_stage, next_step FROM public.chat_get_v11_rollout_state() \gx
select * from chat_v11.completion();
-- The watch, and its end.
CALL fixture.until('2026-03-03 23:30+00', 2500, 0, '1 min');
SELECT next_step FROM public.chat_get_v11_rollout_state();

-- 7: every way back, in a transaction that is rolled back: it did not come to that.
RESET SESSION AUTHORIZATION;
\set ON_ERROR_ROLLBACK on
BEGIN;
SET SESSION AUTHORIZATION regress_oncall;
-- 7.1: frozen where it is, by an incident, and by naming the stage again; then a step down.
select chat_v11.open_incident('P1', 'what is suspected', 'name of the IC');
SELECT check_name, status, reason FROM chat_v11.explain_gates() WHERE check_name = 'incident';
\o /dev/null
select * from public.chat_set_v11_rollout_state('full', false, 'freeze: incident under investigation');
select * from public.chat_set_v11_rollout_state('canary_1', false, 'hold rollout for investigation');
\o
SELECT id, transition, from_stage, to_stage, decision FROM public.chat_get_v11_rollout_history(2);
SELECT stage, rollout_percent, earliest_promote_at FROM public.chat_get_v11_rollout_state();
-- 7.2
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', true, 'kill switch enabled');
\o
SELECT stage, kill_switch, rollout_percent FROM public.chat_get_v11_rollout_state();
CALL fixture.until('2026-03-04 00:01+00', 0, 2000);
SELECT chat_v11.close_incident(1, 'nothing was found');
\o /dev/null
SELECT * FROM public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');
\o
-- 7.3: in no level; refused without the right, with too little said, by the caller's own word, past a stage.
SELECT * FROM chat_v11.force_rollout_state('canary_10', false, 'why it cannot wait, in a sentence', 'name of the approver');
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION chat_v11.force_rollout_state(text, boolean, text, text) TO regress_oncall;
SET SESSION AUTHORIZATION regress_oncall;
SELECT * FROM chat_v11.force_rollout_state('canary_10', false, 'too short', 'name of the approver');
SELECT * FROM chat_v11.force_rollout_state('canary_10', false, 'why it cannot wait, in a sentence', 'regress_oncall');
SELECT * FROM chat_v11.force_rollout_state('canary_50', false, 'why it cannot wait, in a sentence', 'name of the approver');
\o /dev/null
select * from chat_v11.force_rollout_state('canary_10', false, 'why it cannot wait, in a sentence', 'name of the approver');
\o
SELECT stage, overridden FROM public.chat_get_v11_rollout_state();
SELECT id, transition, decision, overridden, approved_by FROM public.chat_get_v11_rollout_history(1);
-- Not even that lifts a P0 breach.
RESET SESSION AUTHORIZATION;
SELECT fixture.event('timeline_duplicate', '2026-03-04 00:00:50+00');
SET SESSION AUTHORIZATION regress_oncall;
SELECT * FROM chat_v11.force_rollout_state('canary_50', false, 'why it cannot wait, in a sentence', 'name of the approver');
RESET SESSION AUTHORIZATION;
ROLLBACK;
\set ON_ERROR_ROLLBACK off
SET SESSION AUTHORIZATION regress_oncall;
SELECT stage, version, chat_v11.clock() FROM public.chat_get_v11_rollout_state();

-- 8
\x on
select ack_without_receipt_10s_rate, write_receipt_p95_ms, forced_resync_rate, full_state_rate, err_resync_range_unavailable_rate, err_resync_throttled_rate from public.chat_get_v11_release_gates();
\x off
-- 9
\o /dev/null
select chat_v11.decision_log();
select chat_v11.decision_log('csv');
\o
\pset format unaligned
\pset tuples_only on
SELECT regexp_replace(line, '`[0-9a-f]{64}`', '`HASH`') FROM chat_v11.decision_log() WITH ORDINALITY l(line, n) WHERE line !~ '\| config' ORDER BY n;
\pset tuples_only off
\pset format aligned
select id, changed_at, transition, from_stage, to_stage, to_kill_switch, decision, approved_by, note from public.chat_get_v11_rollout_history(500) order by id;
select * from chat_v11.verify_history();
-- 10
\o /dev/null
select * from chat_v11.attest('review', 'where it can be read', true);
\o
select chat_v11.add_action_item('what is to be done', 'name of the owner', '2026-12-31');
select id, text, owner, due, resolution from chat_v11.action_item order by id;
SELECT * FROM chat_v11.completion();
select chat_v11.close_action_item(1, 'closed', 'how it was done');
select * from chat_v11.completion();

-- 12: words that are none, a turned gate, a write by hand.
SELECT * FROM public.chat_set_v11_rollout_state('canary_2', false, 'no such stage');
SELECT * FROM public.chat_set_v11_rollout_state('canary_1', null, 'neither');
SELECT * FROM chat_v11.set_setting('p0_clear_window', '5 min');
UPDATE chat_v11.rollout_state SET stage = 'full';
RESET SESSION AUTHORIZATION;
\set ECHO none
SET client_min_messages = error;
DROP OWNED BY regress_oncall;
DROP ROLE regress_oncall;
\set ECHO all
\i :done
