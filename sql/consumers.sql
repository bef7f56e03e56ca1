-- Consumers that say which version they run.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
SET timezone = 'UTC';
CREATE ROLE regress_reader; CREATE ROLE regress_reporter; CREATE ROLE regress_both; CREATE ROLE regress_nobody;
SELECT count(chat_v11.grant_access(('regress_' || l)::regrole, l)) FROM unnest('{reader,reporter}'::text[]) l \g /dev/null
SELECT count(chat_v11.grant_access('regress_both', l)) FROM unnest('{reader,reporter}'::text[]) l \g /dev/null
\pset format unaligned
\pset tuples_only on
CREATE VIEW fixture.acks AS SELECT consumer, version, to_char(since, 'HH24:MI:SS') AS since, to_char(seen_at, 'HH24:MI:SS') AS seen, role, current FROM chat_v11.consumers();
\set ECHO all
-- Before the first change there is version 0.
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT chat_v11.ack_version('early', 0);
SELECT fixture.attempt($$SELECT chat_v11.ack_version('early', 1)$$);
SELECT fixture.ask('canary_1', false);
SELECT fixture.ask('canary_1', false);
SELECT * FROM fixture.acks;
-- What is refused.
SELECT fixture.attempt(format('SELECT chat_v11.ack_version(%s, %s)', n, v)) FROM (VALUES
	('NULL', '1'), ($$'a'$$, 'NULL'), ($$''$$, '1'), ($$repeat('x', 257)$$, '1'), ($$E'two\nlines'$$, '1'), ($$'a'$$, '-1'), ($$'a'$$, '3')) a(n, v);
SELECT chat_v11.ack_version(repeat('x', 256), 1);
-- The same again costs a write every 30 s; since stays with the version.
SELECT chat_v11.ack_version('backend-1', 2);
CREATE TEMP TABLE at AS SELECT ctid AS place FROM chat_v11.consumer WHERE name = 'backend-1';
SET chat_v11.mock_now = '2026-03-01 12:00:29.999999+00';
SELECT chat_v11.ack_version('backend-1', 2);
SELECT count(*) AS not_written FROM chat_v11.consumer c, at WHERE c.ctid = at.place AND name = 'backend-1';
SET chat_v11.mock_now = '2026-03-01 12:00:30+00';
SELECT chat_v11.ack_version('backend-1', 2);
SELECT * FROM fixture.acks WHERE consumer = 'backend-1';
-- A version that changed is written at once, also an older one.
SET chat_v11.mock_now = '2026-03-01 12:00:31+00';
SELECT chat_v11.ack_version('backend-1', 1);
SELECT * FROM fixture.acks WHERE consumer = 'backend-1';
-- How far a kill has got.
SET chat_v11.mock_now = '2026-03-01 12:01+00';
SELECT chat_v11.ack_version('backend-' || i, 2) FROM generate_series(1, 3) i;
SELECT fixture.ask('canary_1', true);
SELECT count(*) FILTER (WHERE current) AS reached, count(*) AS consumers FROM chat_v11.consumers() WHERE consumer LIKE 'backend-%';
SELECT chat_v11.ack_version('backend-' || i, 3) FROM generate_series(1, 2) i;
SELECT count(*) FILTER (WHERE current) AS reached, count(*) AS consumers FROM chat_v11.consumers() WHERE consumer LIKE 'backend-%';
SELECT * FROM fixture.acks WHERE consumer LIKE 'backend-%';
-- Whoever rolls back has said nothing.
BEGIN;
SELECT chat_v11.ack_version('backend-3', 3);
ROLLBACK;
SELECT * FROM fixture.acks WHERE consumer = 'backend-3';
-- Readers and reporters may say it; readers may ask.
SET SESSION AUTHORIZATION regress_reporter;
SELECT chat_v11.ack_version('flag server', 3);
SELECT * FROM chat_v11.consumers();
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_reader;
SELECT chat_v11.ack_version('watcher', 3);
SELECT consumer, role FROM chat_v11.consumers() WHERE version = 3;
SELECT * FROM chat_v11.consumer;
SET SESSION AUTHORIZATION regress_nobody;
SELECT chat_v11.ack_version('watcher', 3);
RESET SESSION AUTHORIZATION;
-- Who loses one of two levels keeps what the other one has.
SELECT chat_v11.revoke_access('regress_both', 'reader');
SELECT has_function_privilege('regress_both', 'chat_v11.ack_version(text, bigint)', 'EXECUTE') AS ack, has_function_privilege('regress_both', 'chat_v11.consumers()', 'EXECUTE') AS ask;
-- Where nothing can be written.
BEGIN READ ONLY;
SELECT chat_v11.ack_version('watcher', 3);
ROLLBACK;
-- Forgotten after a day.
SET chat_v11.mock_now = '2026-03-02 12:00:30+00';
SELECT chat_v11.ack_version('backend-1', 3);
SELECT * FROM fixture.acks;
SET chat_v11.mock_now = '2026-03-02 12:01:00.000001+00';
SELECT * FROM fixture.acks;
\pset tuples_only off
\pset format aligned
\set ECHO none
DROP OWNED BY regress_reader, regress_reporter, regress_both, regress_nobody;
DROP ROLE regress_reader, regress_reporter, regress_both, regress_nobody;
\set ECHO all
\i :done
