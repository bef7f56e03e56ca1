-- Who gets v1.1: the functions' promises to the planner, the vectors at every stage, shares, targeting keys, odd ids.
\set ECHO none
\encoding UTF8
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set vectors `cat "$PG_ABS_SRCDIR/test/vectors/bucketing.json"`
\i :fixture
\pset format unaligned
\pset tuples_only on
CREATE TABLE fixture.vector AS
	SELECT * FROM jsonb_to_recordset(:'vectors'::jsonb -> 'rows')
		AS r(id text, flagd_v2_bucket integer, unleash_1_100 integer, fnv1a_bucket integer);
INSERT INTO fixture.vector (id, fnv1a_bucket)
	SELECT * FROM jsonb_to_recordset(:'vectors'::jsonb -> 'fnv1a_rows') AS r(id text, fnv1a_bucket integer);
CREATE TABLE fixture.stage AS
	SELECT * FROM (VALUES (1, 'canary_1', 1), (2, 'canary_10', 10), (3, 'canary_50', 50), (4, 'full', 100)) s(n, name, percent);
-- Whom the release should have, by the vectors alone; null where they do not say.
CREATE VIEW fixture.expected AS
	SELECT v.*, NOT r.kill_switch AND CASE r.bucketing
		WHEN 'flagd-v2' THEN flagd_v2_bucket < percent * 100
		WHEN 'unleash' THEN unleash_1_100 <= percent
		WHEN 'fnv1a' THEN fnv1a_bucket < percent END AS enabled
	FROM fixture.vector v, chat_v11.rollout_state r JOIN fixture.stage s ON s.name = r.stage;
-- Any state at once, past the gates.
CREATE FUNCTION fixture.release(p_stage text, p_kill boolean, p_bucketing text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "20_decide";
	ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "30_log";
	UPDATE chat_v11.rollout_state SET stage = p_stage, kill_switch = p_kill, bucketing = p_bucketing;
	ALTER TABLE chat_v11.rollout_state ENABLE TRIGGER "20_decide";
	ALTER TABLE chat_v11.rollout_state ENABLE TRIGGER "30_log";
	RETURN concat_ws(' ', p_bucketing, p_stage, CASE WHEN p_kill THEN 'killed' END);
END
$$;
-- A million ids, and those of them that were in so far.
CREATE TABLE fixture.id AS
	SELECT CASE i % 2 WHEN 0 THEN md5(i::text)::uuid::text ELSE 'user-' || i END AS id FROM generate_series(1, 1000000) i;
CREATE TABLE fixture.was_in (id text);
-- Of the vectors: answers that are wrong, right, and yes; whether nobody's ids are out.  Of the million: how many fell
-- out again, whether cohort_share() counts what is in, and whether that is within four standard errors of the target.
CREATE FUNCTION fixture.look(OUT wrong bigint, OUT "right" bigint, OUT yes bigint, OUT nobody_is_out boolean,
	OUT fell_out bigint, OUT same_count boolean, OUT within_four boolean) LANGUAGE plpgsql AS $$
DECLARE
	is_killed boolean := kill_switch FROM chat_v11.rollout_state;
	million_in bigint;
BEGIN
	SELECT count(*) FILTER (WHERE enabled IS DISTINCT FROM public.chat_is_v11_enabled(id)),
		count(*) FILTER (WHERE enabled = public.chat_is_v11_enabled(id)), count(*) FILTER (WHERE public.chat_is_v11_enabled(id))
		INTO wrong, "right", yes FROM fixture.expected WHERE enabled IS NOT NULL;
	nobody_is_out := public.chat_is_v11_enabled(NULL) IS FALSE AND public.chat_is_v11_enabled('') IS FALSE;
	million_in := count(*) FILTER (WHERE public.chat_is_v11_enabled(id)) FROM fixture.id;
	IF is_killed THEN
		TRUNCATE fixture.was_in;
		same_count := million_in = 0;
		RETURN;
	END IF;
	fell_out := count(*) FILTER (WHERE NOT public.chat_is_v11_enabled(id)) FROM fixture.was_in;
	INSERT INTO fixture.was_in SELECT id FROM fixture.id WHERE public.chat_is_v11_enabled(id);
	SELECT s.in_cohort = million_in AND s.ids = 1000000 AND s.share = million_in / 1e6,
		coalesce(abs(s.standard_errors) <= 4, s.stage = 'full' AND million_in = 1000000) INTO same_count, within_four
		FROM chat_v11.cohort_share((SELECT array_agg(id) FROM fixture.id)) s JOIN chat_v11.rollout_state r USING (stage);
END
$$;
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';

-- One signature each: gateways cannot choose between two that differ in a type alone.
SELECT p.oid::regprocedure, prorettype::regtype, provolatile, proparallel, proisstrict, prosecdef
FROM pg_proc p WHERE proname IN ('chat_is_v11_enabled', 'bucket', 'targeting_key', 'cohort_share') ORDER BY proname;
-- Nobody before the first start, and then by stages.
SELECT count(*) FROM fixture.vector WHERE public.chat_is_v11_enabled(id);
SELECT fixture.ask('canary_1', false);
SELECT count(*) FROM fixture.vector;
SELECT count(*) FROM fixture.vector WHERE chat_v11.bucket(id) <> flagd_v2_bucket;
-- Of each: wrong, right and yes by the vectors, nobody's ids out; fell out of the million, counts agree, within 4 s.e.
\set ECHO none
SELECT format('SELECT fixture.release(%L, %L, %L)', s.name, k, b), 'SELECT * FROM fixture.look()'
FROM unnest('{flagd-v2,unleash,fnv1a}'::text[]) WITH ORDINALITY b(b, o), fixture.stage s, unnest('{f,t}'::boolean[]) k
WHERE NOT k OR s.n = 1 ORDER BY o, s.n, k DESC \gexec
\set ECHO all

-- Shares by hand: buckets 0, 99, 100, 9999, and the first again; nulls and empty ids are nobody's.
SELECT fixture.release('canary_1', true, 'flagd-v2');
SELECT * FROM chat_v11.cohort_share('{user-4317,user-75,user-18518,NULL,"",user-5716,user-4317}');
SELECT * FROM chat_v11.cohort_share('{{user-4317,user-75},{user-18518,user-5716}}') WHERE stage = 'canary_10';
SELECT * FROM chat_v11.cohort_share('[-3:-2]={user-4317,user-75}') WHERE stage = 'canary_10';
SELECT * FROM chat_v11.cohort_share(NULL);
SELECT a, sum(ids), sum(in_cohort), count(share), count(standard_errors) FROM unnest(ARRAY['{}', '{NULL}', '{""}', '{NULL,NULL,""}']) a,
	chat_v11.cohort_share(a::text[]) GROUP BY a ORDER BY a COLLATE "C";
-- By the release's algorithm.  Id 1 has flagd's bucket 8921, number 37 of Unleash, bucket 75 of FNV-1a; user-7072 has
-- 5000, 70 and 36.
SELECT fixture.release('canary_1', false, 'unleash');
SELECT i, string_agg(stage, ' ') FROM unnest('{1,user-7072}'::text[]) i, chat_v11.cohort_share(ARRAY[i]) WHERE in_cohort = 1 GROUP BY i ORDER BY i;
SELECT fixture.release('canary_1', false, 'fnv1a');
SELECT i, string_agg(stage, ' ') FROM unnest('{1,user-7072}'::text[]) i, chat_v11.cohort_share(ARRAY[i]) WHERE in_cohort = 1 GROUP BY i ORDER BY i;
SELECT fixture.release('canary_1', false, 'flagd-v2');
SELECT i, string_agg(stage, ' ') FROM unnest('{1,user-7072}'::text[]) i, chat_v11.cohort_share(ARRAY[i]) WHERE in_cohort = 1 GROUP BY i ORDER BY i;

-- Targeting keys.
SELECT i, chat_v11.targeting_key(i) FROM unnest(ARRAY['alice', '', '100%', '%C3%A9', 'é', U&'e\0301', 'ж', '日本語', 'a😀b'])
	WITH ORDINALITY t(i, o) ORDER BY o;
SELECT chat_v11.targeting_key(U&'\0080'), chat_v11.targeting_key(E'\x01\x7f') = E'\x01\x7f';
SELECT chat_v11.targeting_key(NULL) IS NULL, chat_v11.bucket(NULL) IS NULL, chat_v11.bucket('');

-- Ids of any length, however they are stored: short, compressed, out of line.
SELECT fixture.release('canary_50', false, 'flagd-v2');
CREATE TABLE fixture.stored (id text, long text, external text);
ALTER TABLE fixture.stored ALTER COLUMN external SET STORAGE EXTERNAL;
INSERT INTO fixture.stored SELECT repeat(chr(96 + n % 26), n), repeat('ab', 50000 + n), repeat('ab', 50000 + n) FROM generate_series(1, 300) n;
SELECT count(*), min(pg_column_size(id)), max(pg_column_size(long)) < 5000 AS compressed, min(pg_column_size(external)) FROM fixture.stored;
-- An id made on the spot is never short, compressed or somewhere else.
SELECT bool_and(chat_v11.bucket(id) = chat_v11.bucket(id || '') AND public.chat_is_v11_enabled(id) = public.chat_is_v11_enabled(id || '')
	AND chat_v11.bucket(long) = chat_v11.bucket(external) AND chat_v11.bucket(long) = chat_v11.bucket(external || '')
	AND public.chat_is_v11_enabled(long) = (chat_v11.bucket(long) < 5000) AND public.chat_is_v11_enabled(external) = (chat_v11.bucket(long) < 5000)
	AND chat_v11.targeting_key(long) = external),
	count(DISTINCT chat_v11.bucket(long)) > 280 AS different
FROM fixture.stored;
SELECT in_cohort = (SELECT count(*) FROM fixture.stored WHERE public.chat_is_v11_enabled(long))
FROM chat_v11.cohort_share((SELECT array_agg(long) FROM fixture.stored)) WHERE stage = 'canary_50';
-- By another implementation.
SELECT chat_v11.bucket(repeat('ab', 50000)), chat_v11.bucket(repeat('日', 50001)), chat_v11.bucket(repeat('x', 126)), chat_v11.bucket(repeat('x', 127));

-- A bucket never changes, so it can be indexed and stored; who is in may change at any moment, and cannot.
CREATE TABLE fixture.users (id text, bucket integer GENERATED ALWAYS AS (chat_v11.bucket(id)) STORED);
INSERT INTO fixture.users SELECT 'user-' || i FROM generate_series(1, 5000) i;
CREATE INDEX users_bucket ON fixture.users (chat_v11.bucket(id));
ANALYZE fixture.users;
EXPLAIN (COSTS OFF) SELECT id FROM fixture.users WHERE chat_v11.bucket(id) = 99;
SELECT id, bucket FROM fixture.users WHERE chat_v11.bucket(id) = 99 AND id = 'user-75';
SELECT fixture.attempt('CREATE INDEX ON fixture.users (public.chat_is_v11_enabled(id))');
SELECT fixture.attempt('ALTER TABLE fixture.users ADD v11 boolean GENERATED ALWAYS AS (public.chat_is_v11_enabled(id)) STORED');
-- A client that calls it by name.
SELECT public.chat_is_v11_enabled(p_user_id => 'user-75');
-- Both are computed in the workers.
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*) FROM fixture.users WHERE public.chat_is_v11_enabled(id) AND chat_v11.bucket(id) >= 0;
SELECT count(*) = (SELECT count(*) FROM fixture.users WHERE bucket < 5000) FROM fixture.users WHERE public.chat_is_v11_enabled(id) AND chat_v11.bucket(id) >= 0;
\pset tuples_only off
\pset format aligned
DROP TABLE fixture.users;
DROP SCHEMA fixture CASCADE;
DROP EXTENSION chat_v11;
