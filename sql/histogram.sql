-- The type chat_v11.histogram as SQL sees it; its rules are tested in test/unit.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
SELECT setseed(0.5) \g /dev/null
\set ECHO all
-- In and out.
SELECT '{}'::chat_v11.histogram, ' { 182 : 3, 1.84e2:10 } '::chat_v11.histogram, '{0.01:1,1e9:2}'::chat_v11.histogram;
SELECT fixture.attempt(format('SELECT %L::chat_v11.histogram', h)) FROM (VALUES
	('182:3'), ('{182:3'), ('{182:3,183:1}'), ('{184:3,182:1}'), ('{182:0}'), ('{182:3} '), ('{182:3} 4')) t(h);
-- The example of docs/histogram.md.
SELECT chat_v11.histogram_send('{182:3,184:10}');
-- What is in it.  2000 is an edge, so what exceeds it is exact; 1999 is none, so what shares its bin is left out.
SELECT chat_v11.count(h), chat_v11.quantile(h, 0.95), chat_v11.quantile(h, 0), chat_v11.quantile(h, 1),
	chat_v11.exceeding(h, 2000), chat_v11.exceeding(h, 1999), chat_v11.exceeding(h, 1980)
FROM (SELECT chat_v11.histogram_agg(v) h FROM unnest('{0,120,350,350.5,1500,1990,1999,2000,2000.0001,3000}'::float8[]) v) t;
SELECT chat_v11.count('{}'), chat_v11.quantile('{}', 0.5) IS NULL, chat_v11.exceeding('{}', 0);
SELECT fixture.attempt('SELECT chat_v11.' || f) FROM (VALUES ('quantile(''{182:3}'', 95)'), ('quantile(''{182:3}'', ''NaN'')'),
	('quantile(''{}'', -0.1)'), ('exceeding(''{182:3}'', ''NaN'')'), ('exceeding(''{182:3}'', ''infinity'')')) t(f);
-- Values that are none; none at all is null, and nulls are passed over.
SELECT fixture.attempt(format('SELECT chat_v11.histogram_agg(%L::float8)', v)) FROM unnest('{-1,NaN,-infinity}'::text[]) v;
SELECT chat_v11.histogram_agg(v) FROM unnest('{null,5,null,infinity,1e300}'::float8[]) v;
SELECT chat_v11.histogram_agg(v) IS NULL, chat_v11.histogram_agg(v::text::chat_v11.histogram) IS NULL
FROM unnest('{null,null}'::float8[]) v;
SELECT chat_v11.histogram_agg(1::float8) IS NULL FROM generate_series(1, 0);
-- Sums.
SELECT '{182:3}'::chat_v11.histogram OPERATOR(chat_v11.+) '{0.01:1,182:1,184:10}'::chat_v11.histogram;
SELECT chat_v11.merge('{182:3}', '{}'), chat_v11.merge('{}', '{182:3}'), chat_v11.merge('{}', '{}'), chat_v11.merge(NULL, '{182:3}') IS NULL;
SELECT chat_v11.histogram_agg(h) FROM unnest('{"{182:3}",null,"{}","{0.01:1,182:1,1e9:1}"}'::chat_v11.histogram[]) h;
SELECT chat_v11.histogram_agg(h) FROM unnest('{"{}","{}"}'::chat_v11.histogram[]) h;
SELECT a OPERATOR(chat_v11.=) b, a OPERATOR(chat_v11.<>) b FROM (VALUES ('{182:3}'::chat_v11.histogram, ' {182 : 3}'::chat_v11.histogram),
	('{182:3}', '{182:4}'), ('{182:3}', '{184:3}'), ('{}', '{}'), ('{}', '{182:3}')) t(a, b);
SELECT fixture.attempt($$SELECT chat_v11.merge('{182:9223372036854775807}', '{0.01:1}')$$);
SELECT fixture.attempt($$SELECT chat_v11.histogram_agg(h) FROM unnest('{"{182:9223372036854775807}","{0.01:1}"}'::chat_v11.histogram[]) h$$);

-- Against exact percentiles: within 1 %, and in the very same bin.
\set ECHO none
CREATE TABLE fixture.latency AS
SELECT i, i % 50 AS bucket, i % 7 = 0 AS slow,
	round(exp(ln(CASE WHEN i % 7 = 0 THEN 2000 ELSE 80 END) + (random() + random() + random() + random() - 2) * 1.4)::numeric, 3)::float8 AS ms
FROM generate_series(1, 60000) i;
UPDATE fixture.latency SET ms = NULL WHERE i % 1000 = 1;
UPDATE fixture.latency SET ms = 0 WHERE i % 1000 = 2;
ANALYZE fixture.latency;
CREATE TABLE fixture.bucket AS SELECT bucket, slow, chat_v11.histogram_agg(ms) AS h FROM fixture.latency GROUP BY 1, 2;
\set ECHO all
SELECT q, abs(chat_v11.quantile(h, q) - exact) <= exact / 100 AS within,
	chat_v11.quantile(h, q) = chat_v11.quantile(chat_v11.histogram_add(NULL, exact), q) AS same_bin
FROM unnest('{0.01,0.25,0.5,0.9,0.95,0.99,0.999,1}'::float8[]) q,
	LATERAL (SELECT chat_v11.histogram_agg(ms) h, percentile_disc(q) WITHIN GROUP (ORDER BY ms) exact FROM fixture.latency) l;
SELECT bool_and(chat_v11.exceeding(h, l) = (SELECT count(*) FROM fixture.latency WHERE ms > l))
FROM unnest('{0.01,1,80,350,1500,2000,25000}'::float8[]) l, (SELECT chat_v11.histogram_agg(ms) h FROM fixture.latency) t;
-- What is stored is the stored form alone, behind its length.
SELECT bool_and(pg_column_size(h) - length(chat_v11.histogram_send(h)) IN (1, 4)) FROM fixture.bucket;
SELECT pg_column_size(chat_v11.histogram_agg(ms)) = 4 + length(chat_v11.histogram_send(chat_v11.histogram_agg(ms))) FROM fixture.latency;
SELECT pg_column_size(chat_v11.histogram_agg(h)) = 4 + length(chat_v11.histogram_send(chat_v11.histogram_agg(h))) FROM fixture.bucket;
-- Whatever the way, the same bits: from rows, from buckets, in another order, filtered, in groups by sort and by hash.
SELECT count(DISTINCT chat_v11.histogram_send(h)), max(length(chat_v11.histogram_send(h))) < 1000 AS small FROM (
	SELECT chat_v11.histogram_agg(ms) h FROM fixture.latency
	UNION ALL SELECT chat_v11.histogram_agg(ms ORDER BY ms DESC) FROM fixture.latency
	UNION ALL SELECT chat_v11.histogram_agg(h) FROM fixture.bucket
	UNION ALL SELECT chat_v11.histogram_agg(h ORDER BY bucket DESC, slow) FROM fixture.bucket
	UNION ALL SELECT chat_v11.merge(chat_v11.histogram_agg(h) FILTER (WHERE slow), chat_v11.histogram_agg(h) FILTER (WHERE NOT slow)) FROM fixture.bucket
	UNION ALL SELECT chat_v11.histogram_agg(h::text::chat_v11.histogram) FROM fixture.bucket) t;
SET enable_hashagg = off;
SELECT count(*) AS other_by_sort FROM fixture.bucket b JOIN (SELECT bucket, slow, chat_v11.histogram_agg(ms) AS h FROM fixture.latency GROUP BY 1, 2) s USING (bucket, slow)
WHERE chat_v11.histogram_send(b.h) <> chat_v11.histogram_send(s.h);
RESET enable_hashagg;
-- A hash aggregate that spills.
SET work_mem = '64kB';
SELECT count(*), sum(chat_v11.count(h)) FROM (SELECT i % 3000, chat_v11.histogram_agg(ms) h FROM fixture.latency GROUP BY 1) t;
RESET work_mem;
-- Parallel workers pass their states on, and the leader combines them.
CREATE FUNCTION fixture.plan(p_sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || p_sql; END $$;
SELECT chat_v11.histogram_send(chat_v11.histogram_agg(ms)) AS serial FROM fixture.latency \gset
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT fixture.plan('SELECT chat_v11.histogram_agg(ms) FROM fixture.latency');
SELECT chat_v11.histogram_send(chat_v11.histogram_agg(ms)) = :'serial' FROM fixture.latency;
SELECT fixture.plan('SELECT slow, chat_v11.histogram_agg(h) FROM fixture.bucket GROUP BY slow') LIMIT 1 OFFSET 3;
SELECT chat_v11.histogram_send(chat_v11.histogram_agg(h)) = :'serial' FROM fixture.bucket;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
-- Moving windows, whose state is read many times over, and used on.
SELECT i, chat_v11.histogram_agg(v) OVER (ORDER BY i), chat_v11.histogram_agg(v) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW),
	chat_v11.histogram_agg(h) OVER (ORDER BY i)
FROM (VALUES (1, 5, '{182:1}'::chat_v11.histogram), (2, NULL, '{}'), (3, 7, NULL), (4, 7e5, '{182:1,2000:1}')) t(i, v, h);

-- Binary, through COPY and back.
CREATE TEMP TABLE path AS SELECT current_setting('data_directory') || '/histogram.copy' AS path;
SELECT path FROM path \gset
COPY fixture.bucket TO :'path' (FORMAT binary);
CREATE TABLE fixture.back (LIKE fixture.bucket);
COPY fixture.back FROM :'path' (FORMAT binary);
SELECT count(*), bool_and(a.h OPERATOR(chat_v11.=) b.h) FROM fixture.bucket a JOIN fixture.back b USING (bucket, slow);
-- The binary file of one bytea is that of one histogram with the same bytes.
CREATE TABLE fixture.one (h chat_v11.histogram);
CREATE FUNCTION fixture.receive(p_bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	path text := current_setting('data_directory') || '/histogram.copy';
	refusal text;
BEGIN
	EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', p_bytes, path);
	TRUNCATE fixture.one;
	refusal := nullif(fixture.attempt(format('COPY fixture.one FROM %L (FORMAT binary)', path)), 'ok');
	RETURN coalesce(refusal, (SELECT h::text FROM fixture.one));
END $$;
SELECT fixture.receive(b) FROM (VALUES ('\x0180'::bytea), (chat_v11.histogram_send('{182:3,184:10}')), (''), ('\x00'), ('\x02'), ('\x01'),
	('\x018000'), ('\x0181'), ('\x01ffff'), ('\x01000000000000000001'),
	(substr(chat_v11.histogram_send('{182:3,184:10}'), 1, 3)), (chat_v11.histogram_send('{182:3,184:10}') || '\x00')) t(b);

-- The parts of the aggregates, called by hand: a value that is somebody else's is not changed, and nothing but the stored
-- form comes out.
CREATE TABLE fixture.mine AS SELECT '{182:3}'::chat_v11.histogram AS h;
SELECT chat_v11.histogram_add(h, 182), chat_v11.histogram_add(h, 1e9), chat_v11.merge(h, h), chat_v11.histogram_final(h) FROM fixture.mine;
SELECT h FROM fixture.mine;
SELECT pg_column_size(chat_v11.histogram_add(h, 182)), pg_column_size(chat_v11.merge(h, h)), pg_column_size(chat_v11.histogram_final(h)) FROM fixture.mine;
SELECT chat_v11.histogram_add(NULL, 5), chat_v11.histogram_add(NULL, NULL) IS NULL, chat_v11.histogram_add('{182:3}', NULL);
SELECT fixture.attempt($$SELECT chat_v11.histogram_add('{182:3}', -1)$$);
-- An aggregate of somebody's own that lacks the final function lets a running state out.  It is a value as good.
CREATE AGGREGATE fixture.raw(float8) (SFUNC = chat_v11.histogram_add, STYPE = chat_v11.histogram);
CREATE AGGREGATE fixture.seeded(float8) (SFUNC = chat_v11.histogram_add, STYPE = chat_v11.histogram, INITCOND = '{182:3}');
CREATE TABLE fixture.state AS SELECT fixture.raw(ms) AS h FROM fixture.latency;
SELECT chat_v11.histogram_send(h) = :'serial', chat_v11.histogram_send(h::text::chat_v11.histogram) = :'serial',
	h OPERATOR(chat_v11.=) chat_v11.histogram_final(h), chat_v11.count(h), pg_column_size(h) > 2048 AS large FROM fixture.state;
SELECT chat_v11.histogram_send(chat_v11.histogram_agg(h)) = :'serial' FROM fixture.state;
SELECT fixture.seeded(5), fixture.seeded(NULL);
CREATE TABLE fixture.small AS SELECT fixture.raw(5) AS h;
SELECT chat_v11.histogram_add(h, 5), chat_v11.merge(h, h) FROM fixture.small;
SELECT h FROM fixture.small;
-- It was too large for its row, and was moved out of it.
SELECT pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE oid = 'fixture.state'::regclass;
-- Rights: a reader may; nobody else without a grant.
CREATE ROLE regress_histogram;
GRANT USAGE ON SCHEMA fixture, chat_v11 TO regress_histogram;
GRANT SELECT ON fixture.bucket TO regress_histogram;
SET ROLE regress_histogram;
SELECT fixture.attempt('SELECT chat_v11.histogram_agg(h) FROM fixture.bucket');
RESET ROLE;
SELECT chat_v11.grant_access('regress_histogram', 'reader');
SET ROLE regress_histogram;
SELECT fixture.attempt('SELECT chat_v11.quantile(chat_v11.histogram_agg(h), 0.95) FROM fixture.bucket');
RESET ROLE;
SELECT chat_v11.revoke_access('regress_histogram', 'reader');
DROP OWNED BY regress_histogram;
DROP ROLE regress_histogram;
\i :done
