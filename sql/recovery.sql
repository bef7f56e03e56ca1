-- Recovery limits: full states, resyncs, back-off, and the policy that clients read.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
SET timezone = 'UTC';
CREATE ROLE regress_reader; CREATE ROLE regress_reporter; CREATE ROLE regress_nobody;
SELECT count(chat_v11.grant_access(('regress_' || l)::regrole, l)) FROM unnest('{reader,reporter}'::text[]) l \g /dev/null
CREATE VIEW fixture.told AS SELECT to_char(at, 'HH24:MI:SS') AS at, kind, cohort, right(actor::text, 4) AS actor, right(subject::text, 4) AS subject, value FROM chat_v11.event;
CREATE FUNCTION fixture.id(int) RETURNS uuid LANGUAGE sql AS $$SELECT ('00000000-0000-4000-8000-' || lpad($1::text, 12, '0'))::uuid$$;
CREATE FUNCTION fixture.full_state(p_dialog int, p_actor int) RETURNS text LANGUAGE sql AS $$
	SELECT fixture.attempt(format('SELECT chat_v11.admit_full_state(%L, %L)', fixture.id(p_dialog), fixture.id(p_actor)))
$$;
\pset format unaligned
\pset tuples_only on
\set ECHO all
-- One in 60 s and dialog; whoever asks.
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT fixture.full_state(1, 7);
SELECT fixture.full_state(1, 7);
SELECT fixture.full_state(2, 7);
SET chat_v11.mock_now = '2026-03-01 12:00:58.5+00';
SELECT fixture.full_state(1, 8);
SET chat_v11.mock_now = '2026-03-01 12:00:59.999999+00';
SELECT fixture.full_state(1, 8);
SET chat_v11.mock_now = '2026-03-01 12:01+00';
SELECT fixture.full_state(1, 8);
SELECT fixture.full_state(1, 8);
-- A refusal's event stays, though all of the transaction that it ends is undone; an admission's goes with it.
SELECT * FROM fixture.told ORDER BY told;
BEGIN;
SELECT chat_v11.admit_full_state(fixture.id(3), fixture.id(7));
SELECT chat_v11.record('session_active', 'v10');
\set VERBOSITY terse
SELECT chat_v11.admit_full_state(fixture.id(3), fixture.id(7));
ROLLBACK;
\set VERBOSITY default
SELECT kind, subject, count(*) FROM fixture.told WHERE subject = '0003' OR kind = 'session_active' GROUP BY 1, 2;
SELECT fixture.full_state(3, 7);
-- A savepoint that is given up gives the admission up.
BEGIN;
SAVEPOINT a;
SELECT chat_v11.admit_full_state(fixture.id(4), fixture.id(7));
ROLLBACK TO a;
SELECT chat_v11.admit_full_state(fixture.id(4), fixture.id(7));
COMMIT;
SELECT fixture.full_state(4, 7);
-- In one transaction there is no more than one either, also by an old snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT chat_v11.admit_full_state(fixture.id(5), fixture.id(7));
SELECT fixture.full_state(5, 7);
COMMIT;
-- Each counts once: none before the fold, none after it.
SELECT kind, cohort, count(*) FROM chat_v11.event WHERE kind IN ('full_state', 'resync_throttled') GROUP BY 1, 2 ORDER BY 1, 2;
SET chat_v11.mock_now = '2026-03-01 12:05+00';
SELECT metric, cohort, numerator FROM chat_v11.metrics('2026-03-01 11:59+00', '2026-03-01 12:05+00') WHERE metric IN ('full_state_rate', 'err_resync_throttled_rate') ORDER BY 1, 2;
SELECT chat_v11.fold();
SELECT chat_v11.fold();
SELECT metric, cohort, numerator FROM chat_v11.metrics('2026-03-01 11:59+00', '2026-03-01 12:05+00') WHERE metric IN ('full_state_rate', 'err_resync_throttled_rate') ORDER BY 1, 2;
SELECT kind, cohort, sum(count) FROM chat_v11.metric_bucket WHERE kind IN ('full_state', 'resync_throttled') GROUP BY 1, 2 ORDER BY 1, 2;
-- The cohort is the actor's.
SELECT fixture.ask('canary_1', false);
SELECT a, public.chat_is_v11_enabled(fixture.id(a)::text), fixture.full_state(100 + a, a), fixture.full_state(100 + a, a) LIKE 'PT429%' FROM unnest(ARRAY[7, (SELECT min(i) FROM generate_series(1, 1000) i WHERE public.chat_is_v11_enabled(fixture.id(i)::text))]) a;
SELECT kind, cohort, actor FROM fixture.told WHERE at = '12:05:00' ORDER BY told;
-- A clock that was set back: up to an interval it is believed, beyond it silences nobody.
SELECT fixture.full_state(6, 7);
SET chat_v11.mock_now = '2026-03-01 12:04+00';
SELECT fixture.full_state(6, 7);
SET chat_v11.mock_now = '2026-03-01 12:03:59.999999+00';
SELECT fixture.full_state(6, 7);
-- What is refused.
SELECT fixture.attempt('SELECT chat_v11.admit_full_state(NULL, gen_random_uuid())');
SELECT fixture.attempt('SELECT chat_v11.admit_full_state(gen_random_uuid(), NULL)');
BEGIN READ ONLY;
SELECT fixture.attempt('SELECT chat_v11.admit_full_state(gen_random_uuid(), gen_random_uuid())');
SELECT fixture.attempt($$SELECT chat_v11.admit_resync('a')$$);
SELECT chat_v11.resync_backoff_ms(1, 'a'), chat_v11.recovery_policy() ->> 'version';
COMMIT;
SELECT fixture.attempt(format('SELECT chat_v11.admit_resync(%s)', a)) FROM (VALUES ('NULL'), ($$''$$), ($$repeat('x', 1001)$$),
	($$'a', NULL, -1$$), ($$'a', NULL, 'NaN'$$), ($$repeat('x', 1000)$$)) t(a);
-- Nobody empties by hand what a publication of all tables would empty at every subscriber.
SELECT fixture.attempt('TRUNCATE chat_v11.full_state_0');
SELECT fixture.attempt('TRUNCATE chat_v11.full_state_1');
-- One resync of a stream at a time: asked for twice by one transaction, it is one.
DELETE FROM chat_v11.full_state_0;
DELETE FROM chat_v11.full_state_1;
SET chat_v11.mock_now = '2026-03-01 12:10+00';
BEGIN;
SELECT chat_v11.admit_resync('a');
SELECT chat_v11.admit_resync('a');
SELECT chat_v11.admit_resync('00000000-0000-4000-8000-000000000009', fixture.id(7), 250);
SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'chat_v11.full_state_1'::regclass;
PREPARE TRANSACTION 'resync';
SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'chat_v11.full_state_1'::regclass;
SELECT * FROM fixture.told WHERE at = '12:10:00' ORDER BY told;
BEGIN;
SELECT chat_v11.admit_resync('a');
SELECT chat_v11.admit_resync('00000000-0000-4000-8000-000000000009', fixture.id(7), 250);
COMMIT;
SELECT * FROM fixture.told WHERE at = '12:10:00' ORDER BY told;
-- So many in a transaction and no more, whatever a savepoint gave back; those that it has it may ask for again.
BEGIN;
SELECT count(chat_v11.admit_resync('many ' || i)) FROM generate_series(1, 63) i;
SAVEPOINT s;
SELECT chat_v11.admit_resync('many 64');
SELECT fixture.attempt($$SELECT chat_v11.admit_resync('many 65')$$);
SELECT count(chat_v11.admit_resync('many ' || i)) FROM generate_series(1, 64) i;
ROLLBACK TO s;
SELECT chat_v11.admit_resync('many 65');
SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'chat_v11.full_state_1'::regclass;
ROLLBACK;
-- None of it leaves a predicate lock, though the settings that were read a second ago are read anew.
SELECT pg_sleep(1.1);
SET chat_v11.mock_now = '2026-03-01 12:20+00';
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT chat_v11.admit_full_state(fixture.id(8), fixture.id(7)), chat_v11.admit_resync('a'), chat_v11.resync_backoff_ms(1, 'a'), chat_v11.recovery_policy() ->> 'version';
SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock' AND relation::regclass::text LIKE 'chat_v11.%';
ROLLBACK;
SET chat_v11.mock_now = '2026-03-01 12:10+00';
-- Without an actor the cohort is the stream's own.
SELECT chat_v11.admit_resync(i::text) FROM (SELECT min(i) AS i FROM generate_series(1, 1000) i WHERE public.chat_is_v11_enabled(i::text)) s;
SELECT cohort, count(*) FROM fixture.told WHERE at = '12:10:00' GROUP BY 1 ORDER BY 1;
-- Back-off: 1, 2, 4 ... 60 s, less a quarter at most, the same each time.
SELECT n, chat_v11.resync_backoff_ms(n, 'stream-1'), chat_v11.resync_backoff_ms(n, 'stream-2') FROM unnest('{1,2,3,4,5,6,7,8,100,2147483647}'::int[]) n;
SELECT n, min(ms) >= 0.75 * step AND max(ms) <= step AS within, max(ms) - min(ms) > 0.24 * step AS spread, abs(avg(ms) / step - 0.875) < 0.01 AS even
	FROM generate_series(1, 9) n, least(60000, 1000 * 2 ^ (n - 1)) step, LATERAL (SELECT chat_v11.resync_backoff_ms(n, i::text) AS ms FROM generate_series(1, 2000) i) b GROUP BY n, step ORDER BY n;
SELECT fixture.attempt(format('SELECT chat_v11.resync_backoff_ms(%s)', a)) FROM (VALUES ('0, ''a'''), ('-1, ''a'''), ('NULL, ''a'''), ('1, NULL'), ('1, ''''')) t(a);
-- The policy, versioned and logged.
SELECT jsonb_pretty(chat_v11.recovery_policy());
SELECT (chat_v11.set_check('write_reject_rate', 0.02)).name;
SELECT chat_v11.recovery_policy() ->> 'version';
SELECT (chat_v11.set_setting('full_state_interval', '2 min', 'the database is slow')).value;
SELECT (chat_v11.set_setting('resync_backoff_base', '500 ms')).value;
SELECT (chat_v11.set_setting('resync_backoff_cap', '10 s')).value;
SELECT p ->> 'version', p #>> '{full_state_dialog,interval_ms}', p #> '{resync_stream,backoff}' FROM chat_v11.recovery_policy() p;
SELECT id, change->>'key', note FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 3;
SELECT chat_v11.resync_backoff_ms(n, 'stream-1') FROM unnest('{1,2,5,6}'::int[]) n;
SELECT fixture.full_state(7, 7);
SET chat_v11.mock_now = '2026-03-01 12:11:30+00';
SELECT fixture.full_state(7, 7);
SELECT fixture.attempt(format('SELECT chat_v11.set_setting(%s)', a)) FROM (VALUES ($$'full_state_interval', '0'$$), ($$'full_state_interval', '2 hours'$$),
	($$'resync_backoff_base', '11 s'$$), ($$'resync_backoff_cap', '400 ms'$$), ($$'status_write_after_min', '6 s'$$), ($$'status_write_after_max', '2 s'$$), ($$'status_write_after_max', '1500 us'$$)) t(a);
-- They turn no gate, and stand in no answer of the gates.
SELECT fixture.attempt($$SELECT chat_v11.what_if('{"settings": {"full_state_interval_s": 1}}')$$);
SELECT gates -> 'settings' FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1;
-- Who may.
SELECT r, f, has_function_privilege('regress_' || r, 'chat_v11.' || f, 'EXECUTE') FROM unnest('{reader,reporter,nobody}'::text[]) r,
	unnest('{"admit_full_state(uuid,uuid)","admit_resync(text)","admit_resync(text,uuid,float8)","resync_backoff_ms(integer,text)",recovery_policy()}'::text[]) f ORDER BY 1, 2;
SET ROLE regress_reporter;
SELECT chat_v11.admit_full_state('00000000-0000-4000-8000-000000000008', '00000000-0000-4000-8000-000000000007');
SELECT chat_v11.admit_resync('b'), chat_v11.resync_backoff_ms(1, 'b') > 0, chat_v11.recovery_policy() IS NOT NULL;
RESET ROLE;
-- What does not count any more is dropped by the fold, one table at a time, and never what counts.
SELECT (chat_v11.set_setting('full_state_interval', '60 s')).value;
-- The other table is where the last one was admitted by the interval before: now in the middle of a turn of its own.
SET chat_v11.mock_now = '2026-03-01 12:58:20+00';
SELECT fixture.full_state(600, 7);
SET chat_v11.mock_now = '2026-03-01 12:58:30+00';
SELECT (chat_v11.set_setting('full_state_interval', '2 min')).value;
SET chat_v11.mock_now = '2026-03-01 12:58:50+00';
SELECT fixture.full_state(600, 7);
SELECT (SELECT count(*) FROM chat_v11.full_state_0 WHERE dialog = fixture.id(600)) AS zero, (SELECT count(*) FROM chat_v11.full_state_1 WHERE dialog = fixture.id(600)) AS one;
SELECT (chat_v11.set_setting('full_state_interval', '60 s')).value;
CREATE FUNCTION fixture.stored() RETURNS text LANGUAGE sql AS $$SELECT format('%s %s', (SELECT count(*) FROM chat_v11.full_state_0), (SELECT count(*) FROM chat_v11.full_state_1))$$;
DELETE FROM chat_v11.full_state_0;
DELETE FROM chat_v11.full_state_1;
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT count(chat_v11.admit_full_state(fixture.id(i), fixture.id(7))) FROM generate_series(1, 500) i;
SELECT count(DISTINCT relfilenode) AS files, fixture.stored() FROM pg_class WHERE relname LIKE 'full\_state\__';
SET chat_v11.mock_now = '2026-03-01 12:03:59.999999+00';
SELECT count(chat_v11.admit_full_state(fixture.id(i), fixture.id(7))) FROM generate_series(1, 500) i;
SELECT fixture.stored();
-- Whoever had one within the interval has to wait, whichever table it is in.
SET chat_v11.mock_now = '2026-03-01 12:04+00';
SELECT count(chat_v11.admit_full_state(fixture.id(i), fixture.id(7))) FROM generate_series(501, 600) i;
SELECT chat_v11.fold() > 0, fixture.stored();
SELECT fixture.full_state(500, 7);
SET chat_v11.mock_now = '2026-03-01 12:04:59.999998+00';
SELECT chat_v11.fold() > 0;
SELECT fixture.stored();
SET chat_v11.mock_now = '2026-03-01 12:05+00';
-- The fold's transaction may go on: nothing is locked before it commits.
BEGIN;
SELECT chat_v11.fold();
SELECT fixture.stored(), (SELECT count(*) FROM pg_locks WHERE mode ~ 'Exclusive' AND relation::regclass::text ~ 'full_state') AS locks;
ROLLBACK;
SELECT fixture.stored();
SELECT decision FROM chat_v11.guard_tick();
SELECT fixture.stored();
SELECT fixture.full_state(500, 7);
\pset tuples_only off
\pset format aligned
\i :done
DROP ROLE regress_reader, regress_reporter, regress_nobody;
