-- One incident by the playbook, from the first sign to the review, and its postmortem; then the end of a rollout.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
CREATE ROLE regress_oncall;
SELECT count(chat_v11.grant_access('regress_oncall', 'operator')) AS granted;
GRANT USAGE ON SCHEMA fixture TO PUBLIC;
SET timezone = 'Asia/Tokyo';
SET datestyle = 'SQL, DMY';
\pset format unaligned
\pset tuples_only on
CREATE PROCEDURE fixture.at(p_at timestamptz) LANGUAGE sql SECURITY DEFINER AS $$
	SELECT set_config('chat_v11.mock_now', p_at::text, false)
$$;
-- Some lines of a postmortem.
CREATE FUNCTION fixture.lines(p_incident bigint, p_pattern text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT line FROM regexp_split_to_table(chat_v11.postmortem(p_incident), '\n') line WHERE line ~ p_pattern
$$;
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT count(chat_v11.attest('telemetry:' || k, 'shown by the test', true)) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT fixture.ask('canary_1', false);
SET chat_v11.mock_now = '2026-03-01 14:40+00';
SELECT fixture.healthy('2026-03-01 12:00+00', '2026-03-01 12:46+00', 230, 22770);
SELECT fixture.healthy('2026-03-01 12:46+00', '2026-03-01 14:40+00', 0, 57000);
SELECT fixture.guard('2026-03-01 12:20+00', '2026-03-01 12:44+00');
\set ECHO all
-- Resyncs are refused: a P1.
SET chat_v11.mock_now = '2026-03-01 12:45+00';
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value) SELECT timestamptz '2026-03-01 12:44+00' + i * interval '1 s', k::chat_v11.event_kind, 'v11', md5(i::text)::uuid, md5('s' || i)::uuid, 5000
	FROM generate_series(1, 30) i, unnest('{resync_request,resync_range_unavailable}'::text[]) k WHERE k = 'resync_request' OR i % 5 = 0;
SELECT action FROM chat_v11.guard_tick();
CALL fixture.at('2026-03-01 12:45:30+00');
SET SESSION AUTHORIZATION regress_oncall;
SELECT chat_v11.open_incident('P1', 'resyncs are refused after the deploy', 'name of the IC');
SELECT chat_v11.note_incident(1, 'all of them asked from 0', 'fact');
CALL fixture.at('2026-03-01 12:45:50+00');
SELECT chat_v11.note_incident(1, 'stay at canary_1, and find out why they ask from 0', 'decision');
-- Then a message is seen twice: the guard kills, and makes it a P0.
RESET SESSION AUTHORIZATION;
CALL fixture.at('2026-03-01 12:46:10+00');
SELECT fixture.event('timeline_duplicate', '2026-03-01 12:46:09+00');
SELECT action FROM chat_v11.guard_tick();
SET SESSION AUTHORIZATION regress_oncall;
CALL fixture.at('2026-03-01 12:50+00');
SELECT chat_v11.note_incident(1, 'status_write answers, clients fall back', 'check:5');
CALL fixture.at('2026-03-01 12:58+00');
SELECT chat_v11.note_incident(1, 'stay killed; roll the client back to build 811', 'decision');
SELECT chat_v11.note_incident(1, E'build 811 is being rolled out\n| to all | <b>users</b>', 'action');
CALL fixture.at('2026-03-01 13:12+00');
SELECT chat_v11.note_incident(1, 'client: since_event_seq is reset by the new storage', 'check:6');
SELECT chat_v11.note_incident(1, 'resume once the half hour is over', 'decision');
CALL fixture.at('2026-03-01 13:16:10+00');
SELECT chat_v11.close_incident(1, 'build 811 is everywhere, no duplicate for half an hour');
SELECT stage FROM public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled', 'name of the IC');
RESET SESSION AUTHORIZATION;
SELECT chat_v11.add_action_item('test: a client that lost its storage resumes from the snapshot', 'backend', '2026-03-20', 1);
SELECT chat_v11.add_action_item('alert on resyncs from 0', NULL, NULL, 1);
CALL fixture.at('2026-03-01 14:40+00');
SELECT chat_v11.postmortem(1);
SELECT fixture.attempt('SELECT chat_v11.postmortem(2)');
-- One that nobody killed, that no gate showed, and that is still open.
CALL fixture.at('2026-03-02 09:00+00');
SELECT chat_v11.open_incident('P2', 'the help page is wrong', 'name of the IC');
CALL fixture.at('2026-03-02 09:25+00');
SELECT chat_v11.postmortem(2);

-- Killed by people before any gate saw it, closed, and resumed hours after; and whatever was typed stays in its place.
CALL fixture.at('2026-03-02 10:00+00');
SELECT chat_v11.open_incident('P0', E'users | call\n# x \u202E**<b>', E'the\nIC | of the night');
SELECT chat_v11.note_incident(3, repeat(E'| x\n## ', 500), k) IS NOT NULL FROM unnest('{note,fact,action,decision,check:5,check:6,check:10}'::text[]) k;
SELECT count(chat_v11.note_incident(3, 'call ' || i)) FROM generate_series(1, 100) i;
CALL fixture.at('2026-03-02 10:31+00');
SELECT chat_v11.record('session_active', 'v10');
SELECT chat_v11.close_incident(3, E'the help page\nwas wrong | again');
CALL fixture.at('2026-03-02 13:00+00');
SELECT fixture.lines(3, '^\| (v1.1|State)');
SELECT fixture.ask('canary_1', false);
CALL fixture.at('2026-03-02 13:30+00');
SELECT fixture.lines(3, '^#|^\| (Noticed|Opened|v1.1|State)|left out|^Left out|^\| [0-9]{2}:.*(\*\*|call (34|66) )|^- \[');
SELECT count(*) AS lines, max(length(line)) AS longest FROM regexp_split_to_table(chat_v11.postmortem(3), '\n') line;
SELECT done, remark FROM chat_v11.checklist(3) WHERE n = 8;
-- Red for two hours before anybody declared it, and by events that had come minutes before the guard looked.
DO $$
BEGIN
	FOR i IN 0..11 LOOP
		CALL fixture.at(timestamptz '2026-03-02 14:10+00' + i * interval '10 min');
		PERFORM fixture.event('pending_forever', timestamptz '2026-03-02 14:05+00' + i * interval '10 min', i / 2);
		PERFORM chat_v11.record('pending_forever', 'v10', md5('control' || i)::uuid, gen_random_uuid(), NULL, chat_v11.clock());
		PERFORM chat_v11.guard_tick();
	END LOOP;
END
$$;
CALL fixture.at('2026-03-02 16:10+00');
SELECT chat_v11.open_incident('P1', 'clients give up', 'name of the IC');
SELECT chat_v11.hand_over_incident(4, 'name of the next IC');
SELECT count(chat_v11.attest('runbook', 'wiki/runbook', true)), count(chat_v11.set_setting('decision_interval', '15 min', 'two at night')) FROM generate_series(1, 1);
CALL fixture.at('2026-03-02 16:30+00');
SELECT chat_v11.record('session_active', 'v11');
SELECT chat_v11.close_incident(4, 'none any more');
SELECT fixture.lines(4, '^\| (First|Noticed|Opened|IC|pend)|^At |^Of v1|^- (\*\*|before|while)|\| (gates|postgres) \|');
-- Without the telemetry the rest is still told.
CREATE TABLE fixture.kept AS SELECT chat_v11.postmortem(1) AS page;
ALTER TABLE chat_v11.metric_bucket RENAME TO gone;
SELECT fixture.lines(1, 'cannot be read|^Not known|killed the rollout');
ALTER TABLE chat_v11.gone RENAME TO metric_bucket;
SELECT chat_v11.postmortem(1) = page AS as_before FROM fixture.kept;

-- Completion.
CALL fixture.at('2026-03-03 20:00+00');
SELECT * FROM chat_v11.completion();
SELECT fixture.attempt($$SELECT chat_v11.add_action_item(' ')$$);
SELECT fixture.attempt($$SELECT chat_v11.add_action_item('x', 'backend', '2026-03-20', 9)$$);
SELECT fixture.attempt($$SELECT chat_v11.assign_action_item(2, 'sre', NULL)$$);
SELECT fixture.attempt($$SELECT chat_v11.assign_action_item(9, 'sre', '2026-03-10')$$);
SELECT fixture.attempt($$SELECT chat_v11.close_action_item(1, 'forgotten')$$);
SELECT fixture.attempt($$SELECT chat_v11.close_action_item(1, 'accepted')$$);
SELECT chat_v11.assign_action_item(2, 'sre', '2026-03-10');
SELECT chat_v11.close_action_item(1, 'closed', 'merged');
SELECT fixture.attempt($$SELECT chat_v11.close_action_item(1)$$);
SELECT chat_v11.close_action_item(2, 'accepted', 'the alert of the other team says it');
-- At full: its watch, an incident in it, the watch anew.
SET client_min_messages = error;
SELECT fixture.attempt(format($$SELECT chat_v11.force_rollout_state('%s', false, 'the end of this test is at full', 'name of the IC')$$, s)) FROM unnest('{canary_10,canary_50,full}'::text[]) s;
CALL fixture.at('2026-03-03 21:00+00');
SELECT chat_v11.open_incident('P1', 'recovery is slow', 'name of the IC');
CALL fixture.at('2026-03-03 21:20+00');
SELECT chat_v11.record('session_active', 'v11');
SELECT chat_v11.close_incident(5, 'it was a disk');
CALL fixture.at('2026-03-04 20:00+00');
SELECT * FROM chat_v11.completion();
SELECT fixture.ask('full', false);
SELECT chat_v11.attest('review', 'wiki/review', true) IS NOT NULL;
CALL fixture.at('2026-03-05 19:59:59.999999+00');
SELECT * FROM chat_v11.completion() WHERE NOT met;
CALL fixture.at('2026-03-05 20:00+00');
SELECT * FROM chat_v11.completion();
-- Another kill days after is not theirs.
SELECT fixture.ask('canary_1', true);
SELECT id, done, remark FROM chat_v11.incident, chat_v11.checklist(id) WHERE n = 8 ORDER BY id;
\pset tuples_only off
\pset format aligned
\set ECHO none
DROP OWNED BY regress_oncall;
DROP ROLE regress_oncall;
\set ECHO all
\i :done
