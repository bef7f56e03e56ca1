#!/usr/bin/env bash
# The canary analysis in the database: how long a look takes, from cold and warm, after 24 h at canary_50, and what a
# million units cost.
#
#   test/server.sh test/bench/analysis.sh
#
# 20 min of traffic of 1,000 writes each 10 s are told and closed as in operation; their rows then stand for the rest of
# the day.  Times are those of whole statements, medians; "cold" is a new session each time.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PGOPTIONS='-c client_min_messages=error'
run() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

PG_ABS_SRCDIR=$PWD run <<'SQL' >/dev/null
\set fixture `echo $PG_ABS_SRCDIR` /sql/include/fixture.sql
\i :fixture
\set world `echo $PG_ABS_SRCDIR` /sql/include/two_cohorts.sql
\i :world
INSERT INTO world.people SELECT n, md5('person ' || n)::uuid FROM generate_series(3001, 6000) n;
SET chat_v11.mock_now = '2026-03-01 10:00:00+00';
SELECT world.enter_stage('canary_50');
CALL world.go_on('20 min', '{"all": {"rejects": 0.004, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.04}}');
-- Copies of these rows up to shortly before each full hour, where the fold itself goes on for a minute.
CREATE TABLE world.sample AS SELECT row_number() OVER (ORDER BY at) - 1 AS n, run, data FROM chat_v11.analysis_bucket
	WHERE at >= '2026-03-01 10:09:40+00' AND at < '2026-03-01 10:19:40+00';
CREATE PROCEDURE world.fill(p_hours int) LANGUAGE plpgsql AS $$
DECLARE
	last timestamptz; mark timestamptz;
BEGIN
	FOR hour IN 1..p_hours LOOP
		SELECT max(at) INTO last FROM chat_v11.analysis_bucket;
		mark := timestamptz '2026-03-01 10:02:00+00' + hour * interval '1 hour';
		ALTER TABLE chat_v11.analysis_bucket DISABLE TRIGGER USER;
		INSERT INTO chat_v11.analysis_bucket (run, at, closed_at, data)
			SELECT s.run, t.at, t.at + interval '30 s', s.data
			FROM generate_series(last + interval '10 s', mark - interval '40 s', '10 s') WITH ORDINALITY t(at, n), world.sample s WHERE s.n = t.n % 60;
		ALTER TABLE chat_v11.analysis_bucket ENABLE ALWAYS TRIGGER "10_fold_only";
		ALTER TABLE chat_v11.analysis_bucket ENABLE ALWAYS TRIGGER "20_keep_own";
		COMMIT;
		PERFORM set_config('chat_v11.mock_now', (mark - interval '30 s')::text, false);
		CALL world.go_on('1 min', '{}');
	END LOOP;
END
$$;
SET chat_v11.mock_now = '2026-03-01 10:20:00+00';
CALL world.fill(24);
VACUUM ANALYZE;
SQL
clock=$(run -c "SELECT max(closed_at) FROM chat_v11.analysis_bucket")
run -c "SET chat_v11.mock_now = '$clock'; SELECT world.tell('$clock'::timestamptz - interval '10 s', '{}'); " >/dev/null
run -c "SELECT 'rows ' || count(*) || ', bytes a row ' || round(avg(length(data))) || ', on disk ' || pg_size_pretty(pg_total_relation_size('chat_v11.analysis_bucket')) || ', states ' || count(state) || ' of ' || round(avg(length(state))) || ' bytes' FROM chat_v11.analysis_bucket"

# Milliseconds of each look in one session.
looks() {
	local query=${2:-SELECT rollout_decision FROM public.chat_get_v11_release_gates()}
	{ echo "SET chat_v11.mock_now = '$clock';"; echo '\timing on'
		for ((i = 0; i < $1; ++i)); do echo "$query \\g /dev/null"; done; } |
		run | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for round in 1 2 3 4 5 6 7; do looks 1; done | median | sed 's/^/cold, ms: /'
for round in 1 2 3 4 5 6 7; do looks 1 "SELECT * FROM chat_v11.what_if('{\"analysis\": {\"rho_fail\": 1.2}}')"; done | median |
	sed 's/^/cold with other margins, ms: /'
looks 41 | tail -40 | median | sed 's/^/warm, ms: /'
run -c "SELECT count(chat_v11.set_check(name, p_enabled => false)) FROM chat_v11.gate_check WHERE judge <> 'limit'" >/dev/null
for round in 1 2 3 4 5 6 7; do looks 1; done | median | sed 's/^/cold without the analysis, ms: /'
looks 41 | tail -40 | median | sed 's/^/warm without the analysis, ms: /'

# A million bad users of one stage, 10,000 in each bucket.
PG_ABS_SRCDIR=$PWD run <<'SQL'
CREATE FUNCTION world.memory() RETURNS int LANGUAGE sql AS $$
	SELECT (regexp_match(pg_read_file('/proc/' || pg_backend_pid() || '/status'), 'RssAnon:\s+(\d+)'))[1]::int / 1024
$$;
CREATE PROCEDURE world.million() LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz; before int; began timestamptz; spent interval := '0';
BEGIN
	FOR bucket IN 0..103 LOOP
		at := current_setting('chat_v11.mock_now')::timestamptz;
		PERFORM set_config('chat_v11.mock_now', (at + interval '10 s')::text, false);
		IF bucket < 100 THEN
			INSERT INTO chat_v11.event (at, kind, cohort, actor)
				SELECT at + u.i * interval '0.9 ms', k.kind, CASE WHEN public.chat_is_v11_enabled(u.id::text) THEN 'v11' ELSE 'v10' END::chat_v11.cohort, u.id
				FROM (SELECT i, md5('user ' || bucket || ' ' || i)::uuid AS id FROM generate_series(1, 10000) i) u,
					unnest('{session_active,forced_resync}'::chat_v11.event_kind[]) k(kind);
		ELSE
			PERFORM chat_v11.record('read_cursor', 'v10', p_at => at);
		END IF;
		COMMIT;
		IF bucket = 4 THEN
			before := world.memory();
		END IF;
		began := clock_timestamp();
		PERFORM chat_v11.fold();
		spent := spent + (clock_timestamp() - began);
		COMMIT;
	END LOOP;
	RAISE NOTICE 'a million bad users: % units counted, on disk %, memory of who folds from % to % MB, a fold with its closing % ms',
		(SELECT sum(canary_bad + control_bad) FROM chat_v11.analysis('forced_resync')), pg_size_pretty(pg_total_relation_size('chat_v11.analysis_unit')),
		before, world.memory(), round(extract(epoch FROM spent) * 1000 / 104);
END
$$;
SET chat_v11.mock_now = '2026-03-03 10:00:00+00';
SELECT count(world.enter_stage('canary_10')) \g /dev/null
CALL world.go_on('2 min 30 s', '{}');
SET client_min_messages = notice;
CALL world.million();
SQL
# Who folds for the first time reads them all.
clock=$(run -c "SELECT max(closed_at) + interval '10 s' FROM chat_v11.analysis_bucket")
{ echo "SET chat_v11.mock_now = '$clock';"; echo "SELECT chat_v11.record('forced_resync', 'v10', gen_random_uuid()) \g /dev/null"; echo '\timing on'; echo "SELECT chat_v11.fold() \g /dev/null"; } |
	run | sed -n 's/^Time: \([0-9.]*\) ms.*/a first fold by another session, ms: \1/p'
