-- The canary analysis: which stretch of the rollout the evidence belongs to, whoever looks and whatever was missed.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set comparisons on
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\set world :abs_srcdir /sql/include/two_cohorts.sql
\i :world
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
\set usual '{"all": {"rejects": 0.005, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.03}}'
\set bad '{"all": {"rejects": 0.005, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.03}, "v11": {"resyncs": 0.6}}'
CREATE VIEW fixture.resyncs AS
	SELECT status, reason, what_to_do FROM chat_v11.explain_gates() WHERE check_name = 'forced_resync_compare';
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 10:00:00+00';
-- ---- A reader whose clock stands behind the change
SELECT world.enter_stage('canary_10');
CALL world.go_on('4 min', :'usual');
SELECT chat_v11.force_rollout_state('canary_50', false, 'the test goes on at this stage', 'a second person') \g /dev/null
\c
SET client_min_messages = error;
SET timezone = 'UTC';
SET chat_v11.mock_now = '2026-03-01 10:03:58+00';
SELECT status, reason FROM fixture.resyncs;
SET chat_v11.mock_now = '2026-03-01 10:04:00+00';
CALL world.go_on('5 min', :'usual');
-- The same evidence as who looks for the first time has.
CREATE TABLE world.seen AS SELECT status, reason FROM fixture.resyncs;
SELECT reason ~ 'allowed 1.1x' AS of_canary_50 FROM world.seen;
\c
SET client_min_messages = error;
SET timezone = 'UTC';
SET chat_v11.mock_now = '2026-03-01 10:09:00+00';
SELECT count(*) FROM world.seen s JOIN fixture.resyncs r ON (s.status, s.reason) = (r.status, r.reason);
SELECT count(*), min(at) FROM chat_v11.analysis('forced_resync');

-- ---- A mended build at canary_1, below which there is nothing to step back to
SELECT world.enter_stage('canary_1');
SELECT chat_v11.set_check('forced_resync_compare', p_on_fail => 'hold') \g /dev/null
CALL world.go_on('20 min', :'bad');
SELECT status, left(reason, 20), what_to_do FROM fixture.resyncs;
SELECT fixture.ask('canary_1', true);
CALL world.go_on('31 min', :'usual');
-- A kill and a resume alone are no new try.
SELECT fixture.ask('canary_1', false);
CALL world.go_on('4 min', :'usual');
SELECT status, left(reason, 20) FROM fixture.resyncs;
SELECT fixture.ask('canary_1', true);
CALL world.go_on('31 min', :'usual');
SELECT (chat_v11.attest('analysis:new_build', 'build 2', true)).ok;
SELECT fixture.ask('canary_1', false);
CALL world.go_on('10 min', :'usual');
SELECT status, left(reason, 21) FROM fixture.resyncs;
SELECT min(at), bool_or(verdict = 'FAIL') FROM chat_v11.analysis('forced_resync');
-- What was said of the build before is still what was said of it.
SELECT status, left(reason, 20) FROM chat_v11.explain_gates(chat_v11.clock() - interval '42 min') WHERE check_name = 'forced_resync_compare';
-- Taken back before the resume, or of the run before: no new try.
SELECT fixture.ask('canary_1', true);
SELECT (chat_v11.attest('analysis:new_build', 'build 3', true)).ok;
SELECT (chat_v11.attest('analysis:new_build', 'it is build 2', false)).ok;
CALL world.go_on('31 min', :'usual');
SELECT fixture.ask('canary_1', false);
CALL world.go_on('10 s', :'usual');
SELECT min(at) < chat_v11.clock() - interval '35 min' FROM chat_v11.analysis('forced_resync');

-- ---- The fold stood still for 40 min: what happened is made up for, bucket by bucket
SELECT world.enter_stage('canary_10');
CALL world.go_on('10 min', :'usual');
CREATE TABLE world.newest AS SELECT max(at) AS at FROM chat_v11.analysis_bucket;
CALL world.go_on('25 min', :'bad', false);
CALL world.go_on('15 min', :'usual', false);
SELECT chat_v11.fold() > 0;
-- 15 min at a time.
SELECT count(*), max(b.at) - max(n.at) FROM chat_v11.analysis_bucket b JOIN world.newest n ON b.at > n.at;
SELECT status, left(reason, 20) FROM fixture.resyncs;
CALL world.go_on('30 s', :'usual');
SELECT count(*), max(b.at) - max(n.at) FROM chat_v11.analysis_bucket b JOIN world.newest n ON b.at > n.at;
SELECT status, left(reason, 20) FROM fixture.resyncs;

-- ---- Longer than events are kept: what happened is lost, and no PASS stands for as long again
SELECT world.enter_stage('canary_10');
CALL world.go_on('10 min', :'usual');
SELECT status FROM fixture.resyncs;
SET chat_v11.raw_retention = '1 h';
CALL world.go_on('125 min', :'usual', false);
CALL world.go_on('2 min', :'usual');
SELECT status, reason FROM fixture.resyncs;
-- Who looks for the first time says the same.
\c
SET client_min_messages = error;
SET timezone = 'UTC';
SELECT set_config('chat_v11.mock_now', (max(closed_at))::text, false) AS mock_now FROM chat_v11.analysis_bucket;
SELECT status, left(reason, 50) FROM fixture.resyncs;
SELECT verdict, count(*), max(at) FROM chat_v11.analysis('forced_resync') WHERE at > chat_v11.clock() - interval '75 min' GROUP BY 1 ORDER BY 3;
CALL world.go_on('6 min', :'usual');
SELECT status, left(reason, 50) FROM fixture.resyncs;

-- ---- Bad events that come after their bucket was closed, which never had them
SELECT world.enter_stage('canary_10');
CREATE TABLE world.decided (at timestamptz, decision text);
CREATE PROCEDURE world.late(p_for interval, p_by interval, p_share float8, p_course jsonb, p_cohort chat_v11.cohort DEFAULT 'v11', p_fold boolean DEFAULT true) LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := chat_v11.clock() + p_for;
BEGIN
	WHILE chat_v11.clock() < until LOOP
		CALL world.go_on('10 s', p_course, false);
		INSERT INTO chat_v11.event (at, kind, cohort, actor)
		SELECT chat_v11.clock() - p_by, 'forced_resync', p_cohort, p.id FROM world.people p
		WHERE world.luck(p.id || chat_v11.clock()::text) < p_share AND public.chat_is_v11_enabled(p.id::text) = (p_cohort = 'v11');
		COMMIT;
		CONTINUE WHEN NOT p_fold;
		PERFORM chat_v11.fold();
		COMMIT;
		INSERT INTO world.decided SELECT chat_v11.clock(), rollout_decision FROM public.chat_get_v11_release_gates();
	END LOOP;
END
$$;
CALL world.go_on('6 min', :'usual');
-- What comes in time is not late: the fold and the buckets count the same.
SELECT status FROM fixture.resyncs;
-- 50 s late, and in no minute 20 of them.
CALL world.late('5 min', '50 s', 0.003, :'usual');
CALL world.go_on('3 min', :'usual');
SELECT max(count) < 20 FROM chat_v11.metric_bucket WHERE kind = 'forced_resync' AND cohort = 'v11' AND at > chat_v11.clock() - interval '9 min';
SELECT status, reason FROM fixture.resyncs;
-- Of it alone, for no other rests on that kind.
SELECT check_name FROM chat_v11.explain_gates() WHERE reason ~ 'came after their bucket';
-- It heals where what comes in time outweighs it ...
CALL world.go_on('20 min', :'usual');
SELECT status, left(reason, 25) FROM fixture.resyncs;
CALL world.go_on('80 min', :'usual');
SELECT status, left(reason, 20) FROM fixture.resyncs;
-- 5 min late.
CALL world.late('10 min', '5 min', 0.03, :'usual');
SELECT status, reason FROM fixture.resyncs;
-- ... and where it is so long ago that nobody looks at it any more.
SELECT world.wait('355 min') \g /dev/null
CALL world.go_on('6 min', :'usual');
SELECT status, left(reason, 25) FROM fixture.resyncs;

-- A shared incident, of which control's part alone comes late: it looks like the canary's own, and nobody goes back for it.
SELECT world.enter_stage('canary_10');
CALL world.go_on('10 min', '{"all": {"resyncs": 0.002}}');
SELECT status, left(reason, 21) FROM fixture.resyncs;
TRUNCATE world.decided;
CALL world.late('1 min', '1 min', 0.02, '{"v11": {"resyncs": 0.2}}', 'v10');
SELECT status, regexp_replace(reason, '^.*; (severe|many of)', '... \1') FROM fixture.resyncs;
CALL world.late('7 min', '1 min', 0.02, '{"v11": {"resyncs": 0.2}}', 'v10');
SELECT status, regexp_replace(reason, '^.*; (severe|many of)', '... \1') FROM fixture.resyncs;
SELECT decision, count(*) FROM world.decided GROUP BY 1;
-- Also when it is over.
CALL world.go_on('80 min', :'usual');
SELECT status, regexp_replace(reason, '^.*; (severe|many of)', '... \1') FROM fixture.resyncs;
SELECT rollout_decision FROM public.chat_get_v11_release_gates();
-- A canary that is much worse while nothing comes late: rolled back, 4 min of evidence after it was found to be severe.
SELECT world.enter_stage('canary_10');
CALL world.go_on('10 min', '{"all": {"resyncs": 0.001}}');
TRUNCATE world.decided;
CALL world.late('10 min', '1 min', 0, '{"all": {"resyncs": 0.001}, "v11": {"resyncs": 0.04}}');
SELECT decision, count(*) FROM world.decided GROUP BY 1 ORDER BY 1;
SELECT (SELECT min(at) FROM world.decided WHERE decision = 'ROLLBACK') - substring(reason, 'found at ([-0-9: ]+)')::timestamptz AS after, status, regexp_replace(reason, '^.*; (severe|many of)', '... \1') FROM fixture.resyncs;

-- Found in time, and then nobody folds for 8 min while control's come late: the look that makes up for it goes back so far.
SELECT world.enter_stage('canary_10');
CALL world.go_on('10 min', '{"all": {"resyncs": 0.001}}');
TRUNCATE world.decided;
CALL world.late('90 s', '1 min', 0.007, '{"v11": {"resyncs": 0.1}}', 'v10');
SELECT status, reason ~ 'it rolls back as soon as it is known' AS waits FROM fixture.resyncs;
CALL world.late('8 min', '1 min', 0.007, '{"v11": {"resyncs": 0.03}}', 'v10', false);
CALL world.late('2 min', '1 min', 0.007, '{"v11": {"resyncs": 0.03}}', 'v10');
SELECT status, reason ~ 'came late then or before' AS late FROM fixture.resyncs;
SELECT decision, count(*) FROM world.decided GROUP BY 1;

-- ---- Made up for over a change of stage: who was in trouble just before it is known as if it had been closed in time
CREATE TABLE world.said (folded boolean, line text);
CREATE PROCEDURE world.storm(p_fold boolean) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.chat_set_v11_rollout_state('canary_1', true, 'over'), world.wait('3 hours');
	ALTER SEQUENCE world.turn RESTART;
	COMMIT;
	CALL world.go_on('65 min', '{"all": {"throttled": 0.03}}');
	PERFORM world.enter_stage('canary_10');
	COMMIT;
	CALL world.go_on('4 min', '{"people": 1200, "all": {"throttled": 0.5}}', p_fold);
	PERFORM chat_v11.force_rollout_state('canary_50', false, 'the test goes on at this stage', 'a second person');
	COMMIT;
	CALL world.go_on('3 min 30 s', '{"people": 20, "all": {"throttled": 0.5}}', p_fold);
	PERFORM chat_v11.fold();
	COMMIT;
	INSERT INTO world.said SELECT p_fold, regexp_replace(reason, 'since [-0-9 :]+', 'since ') FROM chat_v11.explain_gates() WHERE check_name = 'err_resync_throttled_baseline';
END
$$;
CALL world.storm(true);
CALL world.storm(false);
SELECT count(DISTINCT line), min(line), max(line) FROM world.said;
DROP SCHEMA world CASCADE;
\i :done
