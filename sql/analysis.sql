-- The canary analysis: what is kept of the events, and what it says of them.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\set world :abs_srcdir /sql/include/two_cohorts.sql
\i :world
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
\set usual '{"all": {"rejects": 0.004, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.04}}'
\set slow '{"all": {"rejects": 0.004, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.04}, "v11": {"slower": 1.5}}'
\set incident '{"all": {"rejects": 0.02, "resyncs": 0.15, "full_states": 0.15, "gone": 0.15, "throttled": 0.2, "slower": 3}}'
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 10:00:00+00';
-- ---- A regression, and an incident that both cohorts have
-- Receipts of the canary begin to take 1.5 times as long.
SELECT world.enter_stage('canary_10');
CALL world.go_on('7 min', :'usual');
SELECT * FROM world.verdicts();
CALL world.go_on('8 min', :'slow');
SELECT * FROM world.verdicts();
SELECT world.enter_stage('canary_10');
CALL world.go_on('7 min', :'usual');
CALL world.go_on('5 min', :'incident');
SELECT * FROM world.verdicts();

-- ---- What is kept
SELECT count(*), min(at), max(at), count(DISTINCT run), min(closed_at - at), max(closed_at - at) FROM chat_v11.analysis_bucket;
-- The path of the evidence is what the events say: exposures, and each bad user once.
CREATE VIEW world.by_hand AS
	WITH run AS (SELECT max(run) AS run FROM chat_v11.analysis_bucket),
	evidence AS (SELECT b.at FROM chat_v11.analysis_bucket b JOIN run r USING (run) WHERE b.at >= (SELECT min(p.at) FROM chat_v11.analysis('forced_resync') p)),
	seen AS (
		SELECT date_bin('10 s', e.at, '2026-01-01') AS bucket, e.kind::text, e.cohort::text,
			row_number() OVER (PARTITION BY e.kind, e.cohort, e.actor ORDER BY e.at) AS n
		FROM chat_v11.event e WHERE e.kind IN ('session_active', 'forced_resync') AND e.at >= (SELECT min(at) FROM evidence)
	)
	SELECT v.at, count(*) FILTER (WHERE s.kind = 'forced_resync' AND s.cohort = 'v11' AND s.n = 1) AS x, count(*) FILTER (WHERE s.kind = 'session_active' AND s.cohort = 'v11') AS n,
		count(*) FILTER (WHERE s.kind = 'forced_resync' AND s.cohort = 'v10' AND s.n = 1) AS y, count(*) FILTER (WHERE s.kind = 'session_active' AND s.cohort = 'v10') AS m
	FROM evidence v LEFT JOIN seen s ON s.bucket = v.at GROUP BY v.at;
SELECT count(*), count(*) FILTER (WHERE (p.canary_bad, p.canary_exposures, p.control_bad, p.control_exposures) IS DISTINCT FROM (h.x, h.n, h.y, h.m)) AS different
FROM chat_v11.analysis('forced_resync') p FULL JOIN world.by_hand h USING (at);
SELECT count(*), sum(canary_exposures), sum(control_exposures), max(ln_pass) > 3, (array_agg(verdict ORDER BY at DESC))[1] FROM chat_v11.analysis('recovery_p95_ms');
SELECT fixture.attempt('SELECT * FROM chat_v11.analysis(' || coalesce(quote_literal(m), 'NULL') || ')') FROM unnest('{slow_receipts,write_receipt_compare,write_receipt_p95_ms,battery,NULL}'::text[]) m;
-- Written by the fold alone, and once.
SELECT fixture.attempt(sql) FROM (VALUES ('INSERT INTO chat_v11.analysis_bucket VALUES (1, now(), now(), '''')'), ('UPDATE chat_v11.analysis_bucket SET data = '''''),
	('DELETE FROM chat_v11.analysis_bucket'), ('TRUNCATE chat_v11.analysis_bucket'), ('DELETE FROM chat_v11.analysis_unit'), ('UPDATE chat_v11.analysis_note SET notes = NULL')) s(sql);
-- What comes after the closing is not in it.
CREATE TABLE world.kept AS SELECT * FROM chat_v11.analysis('forced_resync');
INSERT INTO chat_v11.event (at, kind, cohort, actor) SELECT chat_v11.clock() - interval '2 min', 'forced_resync', 'v11', p.id FROM world.people p WHERE p.n <= 15;
SELECT chat_v11.fold() > 0;
SELECT count(*) FROM (SELECT * FROM chat_v11.analysis('forced_resync') EXCEPT SELECT * FROM world.kept) x;
-- A fold that is taken back has closed nothing; it is done again, whatever this session has seen meanwhile.
CREATE TABLE world.seen (at timestamptz, line text);
SELECT world.wait('10 s');
SELECT world.tell(chat_v11.clock() - interval '10 s', :'usual');
BEGIN;
SELECT chat_v11.fold() > 0, max(at) FROM chat_v11.analysis_bucket;
SELECT max(at) FROM chat_v11.analysis_bucket;
SELECT count(*) FROM world.verdicts();
ROLLBACK;
SELECT max(at) FROM chat_v11.analysis_bucket;
-- This time there is more in it.
INSERT INTO chat_v11.event (at, kind, cohort, actor) SELECT b.at + interval '10 s', 'forced_resync', 'v10', md5('late ' || i)::uuid
	FROM (SELECT max(at) AS at FROM chat_v11.analysis_bucket) b, generate_series(1, 100) i;
CALL world.go_on('30 s', :'usual');
SELECT max(at), max(p.control_bad) >= 100 FROM chat_v11.analysis('forced_resync') p WHERE at > chat_v11.clock() - interval '2 min';


-- ---- Whoever looks, and however often, sees the same
INSERT INTO world.seen SELECT chat_v11.clock(), v.line FROM world.verdicts() v;
DO $$
BEGIN
	FOR second IN 1..9 LOOP
		PERFORM world.wait('1 s');
		INSERT INTO world.seen SELECT chat_v11.clock(), v.line FROM world.verdicts() v;
	END LOOP;
END
$$;
SELECT count(DISTINCT at), count(DISTINCT line) FROM world.seen;
CALL world.go_on('1 min', :'usual');
-- The same moments, looked at again: what was closed since is not in them.
CREATE VIEW world.again AS SELECT s.at, CASE WHEN count(*) > 1 THEN line || ' (' || count(*) || ' checks)' ELSE line END AS line FROM (SELECT DISTINCT at FROM world.seen) s,
	LATERAL (SELECT e.status || ' ' || regexp_replace(e.reason, '^data \w+: ', 'data: ') AS line FROM chat_v11.explain_gates(s.at) e
		WHERE e.check_name IN (SELECT c.name FROM chat_v11.gate_check c WHERE c.judge <> 'limit')) x GROUP BY s.at, line;
SELECT count(*) FROM (TABLE world.again EXCEPT TABLE world.seen) x;
SELECT count(*) FROM (TABLE world.seen EXCEPT TABLE world.again) x;
-- A new session, which has read nothing yet, and begins with the state that was stored with the last full hour.
CALL world.go_on('1 hour', jsonb_set(:'usual', '{people}', '120'));
SELECT count(state), max(at) FILTER (WHERE state IS NOT NULL) FROM chat_v11.analysis_bucket;
INSERT INTO world.seen SELECT chat_v11.clock(), v.line FROM world.verdicts() v;
CREATE TABLE world.warm AS SELECT chat_v11.clock() AS clock, v.line FROM world.verdicts() v;
\c -
SET client_min_messages = error;
SET timezone = 'UTC';
SELECT set_config('chat_v11.mock_now', max(clock)::text, false) IS NOT NULL FROM world.warm;
SELECT count(*), count(*) FILTER (WHERE w.line IS NULL) AS other FROM world.verdicts() v LEFT JOIN world.warm w USING (line);
SELECT count(*) FROM (TABLE world.again EXCEPT TABLE world.seen) x;

-- ---- Holds, kills and resumes
SELECT world.wait('1 hour 10 min');
SELECT world.enter_stage('canary_1');
CALL world.go_on('6 min', :'usual');
SELECT fixture.ask('canary_1', true);
-- Some go on as they were for a while, in trouble.
CALL world.go_on('5 min', jsonb_set(jsonb_set(:'usual', '{more}', '1'), '{v11}', '{"resyncs": 0.9}'));
SELECT fixture.ask('canary_1', false);
CALL world.go_on('4 min', :'usual');
-- One run; meanwhile nothing of the canary counted, nor anybody as seen for the first time.
SELECT count(*), count(DISTINCT run) = 1 FROM chat_v11.analysis_bucket WHERE at > chat_v11.clock() - interval '14 min';
SELECT sum(canary_exposures) FILTER (WHERE at < chat_v11.clock() - interval '9 min'), sum(canary_exposures) FILTER (WHERE at BETWEEN chat_v11.clock() - interval '9 min' AND chat_v11.clock() - interval '2 min'),
	sum(canary_exposures) FILTER (WHERE at > chat_v11.clock() - interval '2 min') FROM chat_v11.analysis('forced_resync');
SELECT * FROM world.verdicts();

-- ---- Wrong wiring: never FAIL, never PASS
SELECT world.enter_stage('canary_50');
CALL world.go_on('8 min', jsonb_set(:'slow', '{swapped}', 'true'));
SELECT * FROM world.verdicts();
SELECT world.enter_stage('canary_10');
CALL world.go_on('8 min', jsonb_set(:'usual', '{without}', '"v10"'));
SELECT * FROM world.verdicts();
SELECT world.enter_stage('canary_10');
CALL world.go_on('8 min', jsonb_set(:'slow', '{more}', '2'));
SELECT * FROM world.verdicts();
-- Where the actors are not the ids that are hashed, the shares still tell.
SELECT (chat_v11.attest('analysis:other_ids', 'the telemetry has sessions for actors')).ok;
SELECT * FROM world.verdicts();
SELECT chat_v11.clock() AS told \gset
SELECT world.wait('2 s');
SELECT (chat_v11.attest('analysis:other_ids', 'it has users', false)).ok;
SELECT world.wait('2 s');
-- The past is as it was told then.
SELECT at, count(*) FILTER (WHERE e.reason LIKE '%not in the cohort that their id%') FROM (VALUES (:'told'::timestamptz), (chat_v11.clock())) t(at), chat_v11.explain_gates(at) e GROUP BY at ORDER BY at;
SELECT world.enter_stage('canary_10');
CALL world.go_on('8 min', jsonb_set(jsonb_set(:'usual', '{v11}', '{"resyncs": 0.5}'), '{silent}', '["session_active"]'));
SELECT * FROM world.verdicts();
-- The canary's telemetry is missing for 20 min. When it is back, control's users were not used up meanwhile.
SELECT world.wait('1 hour 10 min');
SELECT world.enter_stage('canary_10');
CALL world.go_on('6 min', :'usual');
CALL world.go_on('20 min', jsonb_set(:'usual', '{without}', '"v11"'));
SELECT * FROM world.verdicts();
CALL world.go_on('8 min', :'usual');
SELECT * FROM world.verdicts();

-- ---- Gaps
SELECT world.wait('1 hour 10 min');
SELECT world.enter_stage('canary_10');
CALL world.go_on('8 min', :'usual');
-- For a minute nothing is told.
SELECT world.wait('60 s');
SELECT * FROM world.verdicts();
CALL world.go_on('50 s', :'usual');
SELECT * FROM world.verdicts();
-- Nobody folds: for two minutes the last bucket stands, then it does not; and it is made up for.
CALL world.go_on('5 min', :'usual');
CALL world.go_on('2 min', :'usual', false);
SELECT * FROM world.verdicts() WHERE line LIKE '%data:%';
CALL world.go_on('1 min', :'usual', false);
SELECT * FROM world.verdicts();
SELECT chat_v11.fold() > 0;
SELECT * FROM world.verdicts() WHERE line LIKE '%data:%';
SELECT count(*), max(at) - min(at) FROM chat_v11.analysis_bucket WHERE closed_at = chat_v11.clock();
-- The clock jumps forward by an hour, and back.
SELECT set_config('chat_v11.mock_now', (chat_v11.clock() + interval '1 hour')::text, false) IS NOT NULL;
CALL world.go_on('30 s', :'usual');
SELECT * FROM world.verdicts();
SELECT world.wait('-1 hour');
SELECT * FROM world.verdicts();
SELECT world.tell(chat_v11.clock() - interval '10 s', :'usual'), chat_v11.fold() IS NOT NULL;
SELECT * FROM world.verdicts();
SELECT world.wait('2 hours 10 min');

-- ---- More units than are kept apart
SELECT world.enter_stage('canary_10');
CALL world.go_on('5 min', :'usual');
SET chat_v11.analysis_units = 1000;
CALL world.go_on('4 min', '{"all": {"resyncs": 0.6, "full_states": 0.03}}');
SELECT * FROM world.verdicts();
SELECT at - min(at) OVER (), canary_bad, canary_exposures, control_bad, control_exposures, verdict FROM chat_v11.analysis('forced_resync') ORDER BY at DESC LIMIT 1;
RESET chat_v11.analysis_units;

-- ---- full: against control as it was at canary_50
SELECT world.enter_stage('canary_50');
CALL world.go_on('12 min', :'usual');
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('full', false, 'the test goes on with this', 'a second person')$$);
CALL world.go_on('6 min', :'usual');
SELECT * FROM world.verdicts();
CALL world.go_on('6 min', jsonb_set(:'slow', '{v11,slower}', '2'));
SELECT * FROM world.verdicts();
-- The units of runs that are over are given up.
SELECT count(DISTINCT run) FROM chat_v11.analysis_unit;
-- What a new session begins with outlives the retention: the FAIL, and what `full` is compared with.
SET chat_v11.bucket_retention = '1 d';
SELECT world.wait('25 hours');
CALL world.go_on('6 min', :'usual');
SELECT count(*), min(at) = (SELECT min(at) FROM chat_v11.analysis('forced_resync')) FROM chat_v11.analysis_bucket WHERE at < chat_v11.clock() - interval '1 day';
SELECT * FROM world.verdicts();
UPDATE world.warm SET clock = chat_v11.clock();
\c -
SET client_min_messages = error;
SET timezone = 'UTC';
SELECT set_config('chat_v11.mock_now', max(clock)::text, false) IS NOT NULL FROM world.warm;
SELECT * FROM world.verdicts();
-- Where canary_50 has left nothing there is nothing to compare with, and nothing that could come: no hold for ever.
SELECT world.wait('25 hours');
SELECT world.enter_stage('full');
SELECT * FROM world.verdicts();
CALL world.go_on('6 min', :'usual');
SELECT * FROM world.verdicts();
DROP SCHEMA world CASCADE;
\i :done
