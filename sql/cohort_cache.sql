-- What chat_is_v11_enabled() answers in one session, whatever is done to the state around it.  97 is a user who is in
-- from canary_1 on.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
-- This file is not about the rules: the row is written by hand, without those that decide and log.
ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "20_decide", DISABLE TRIGGER "30_log";
SELECT chat_v11.attest('telemetry:full_state', 'a row of the log to refer to') \g /dev/null
CREATE FUNCTION fixture.enabled() RETURNS text LANGUAGE sql AS $$
	SELECT CASE public.chat_is_v11_enabled('97') WHEN true THEN 'in' WHEN false THEN 'out' END
$$;
CREATE PROCEDURE fixture.put_live() LANGUAGE sql AS $$
	INSERT INTO chat_v11.rollout_state
		(stage, kill_switch, version, started_at, entered_at, updated_at, updated_by, history_id)
		VALUES ('canary_1', false, 1, now(), now(), now(), 'test', 1)
$$;
-- The function in a form that plpgsql evaluates without a query, then what `p_change` does, then again.
CREATE FUNCTION fixture.around(p_change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	was boolean := public.chat_is_v11_enabled('97');
	is_now boolean;
BEGIN
	EXECUTE p_change;
	is_now := public.chat_is_v11_enabled('97');
	RETURN format('%s, then %s', was, is_now);
END
$$;
\set live 'UPDATE chat_v11.rollout_state SET kill_switch = false;'
\set kill 'UPDATE chat_v11.rollout_state SET kill_switch = true;'
\set ECHO all

-- No row, a row, and what is nobody's id at any stage.
SELECT fixture.enabled();
CALL fixture.put_live();
SELECT fixture.enabled(), chat_is_v11_enabled('98'), chat_is_v11_enabled(''), chat_is_v11_enabled(NULL);
UPDATE chat_v11.rollout_state SET stage = 'full';
SELECT fixture.enabled(), chat_is_v11_enabled('98'), chat_is_v11_enabled(''), chat_is_v11_enabled(NULL);
UPDATE chat_v11.rollout_state SET stage = 'canary_1';

-- A transaction sees its own change, and what it takes back is as it was.
BEGIN; :kill SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; SAVEPOINT a; :kill SELECT fixture.enabled(); ROLLBACK TO a; SELECT fixture.enabled(); COMMIT; SELECT fixture.enabled();
BEGIN; SAVEPOINT a; :kill RELEASE a; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; SAVEPOINT a; SAVEPOINT b; :kill RELEASE b; SELECT fixture.enabled(); ROLLBACK TO a; SELECT fixture.enabled(); COMMIT;
BEGIN; :kill SAVEPOINT a; :live SELECT fixture.enabled(); ROLLBACK TO a; SELECT fixture.enabled(); COMMIT; SELECT fixture.enabled();
BEGIN; :live SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; DELETE FROM chat_v11.rollout_state; SELECT fixture.enabled(); ROLLBACK; :live SELECT fixture.enabled();
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT fixture.enabled(); :kill SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT fixture.enabled(); :kill SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN READ ONLY; SELECT fixture.enabled(); COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE; SELECT fixture.enabled(); COMMIT;
CREATE FUNCTION fixture.undone() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE chat_v11.rollout_state SET kill_switch = true;
	RAISE EXCEPTION 'within it: %', fixture.enabled();
EXCEPTION WHEN raise_exception THEN
	RETURN format('%s, after it: %s', SQLERRM, fixture.enabled());
END $$;
SELECT fixture.undone();
-- Taken back by an error between the change and its announcement, with somebody asking just there who had no copy.
CREATE FUNCTION fixture.nosy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fixture.seen VALUES (TG_NAME || ' saw ' || fixture.enabled());
	RAISE EXCEPTION '% saw %', TG_NAME, fixture.enabled();
END $$;
CREATE TABLE fixture.seen (what text);
:kill
CREATE TRIGGER "35_nosy" AFTER UPDATE ON chat_v11.rollout_state FOR EACH ROW EXECUTE FUNCTION fixture.nosy();
:live
SELECT kill_switch, fixture.enabled() FROM chat_v11.rollout_state;
ALTER TRIGGER "35_nosy" ON chat_v11.rollout_state RENAME TO "50_nosy";
:live
SELECT kill_switch, fixture.enabled() FROM chat_v11.rollout_state;
DROP TRIGGER "50_nosy" ON chat_v11.rollout_state;
:live

-- Asked between the change and the end of its statement, where the new row is not visible yet: that is not kept.
CREATE FUNCTION fixture.peek() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF public.chat_is_v11_enabled('97') THEN NULL; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER "45_peek" AFTER UPDATE ON chat_v11.rollout_state FOR EACH ROW EXECUTE FUNCTION fixture.peek();
:kill
SELECT fixture.enabled();
DROP TRIGGER "45_peek" ON chat_v11.rollout_state;
:live

-- The ways of calling it.  A plan that is kept does not keep the answer.
SELECT fixture.around('UPDATE chat_v11.rollout_state SET kill_switch = true'), fixture.around('UPDATE chat_v11.rollout_state SET kill_switch = false');
SET plan_cache_mode = force_generic_plan;
PREPARE ask(text) AS SELECT chat_is_v11_enabled($1), chat_is_v11_enabled('97'), count(*) FROM generate_series(1, 3) WHERE chat_is_v11_enabled('97');
EXECUTE ask('97');
:kill EXECUTE ask('97');
:live EXECUTE ask('97');
RESET plan_cache_mode;
-- A loop, a row at a time: the change is seen by the very next call.
SET client_min_messages = info;
DO $$
DECLARE
	answers text := '';
BEGIN
	FOR i IN 1 .. 8 LOOP
		UPDATE chat_v11.rollout_state SET kill_switch = i BETWEEN 3 AND 6;
		answers := answers || ' ' || fixture.enabled();
	END LOOP;
	RAISE INFO '%', answers;
END $$;
-- A cursor opened before the kill and read after it.
BEGIN; DECLARE c CURSOR FOR SELECT i, chat_is_v11_enabled('97') FROM generate_series(1, 4) i; FETCH 2 FROM c; :kill FETCH 2 FROM c; ROLLBACK;
-- In a trigger, a default, a CHECK constraint, and with the rights of somebody else.
CREATE TABLE fixture.message (author text, enabled boolean DEFAULT chat_is_v11_enabled('97'), CONSTRAINT v11_only CHECK (chat_is_v11_enabled(author)));
CREATE FUNCTION fixture.stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.author := NEW.author || CASE WHEN chat_is_v11_enabled('97') THEN '7' ELSE '8' END; RETURN NEW; END$$;
CREATE TRIGGER stamp BEFORE INSERT ON fixture.message FOR EACH ROW EXECUTE FUNCTION fixture.stamp();
INSERT INTO fixture.message VALUES ('9') RETURNING *;
:kill SELECT fixture.attempt($$INSERT INTO fixture.message VALUES ('9')$$);
:live
-- What PostgreSQL would freeze is refused for it, and not for the hash.
SELECT fixture.attempt($$CREATE INDEX ON fixture.message (chat_is_v11_enabled(author))$$);
SELECT fixture.attempt($$ALTER TABLE fixture.message ADD COLUMN g boolean GENERATED ALWAYS AS (chat_is_v11_enabled(author)) STORED$$);
SELECT fixture.attempt($$CREATE INDEX ON fixture.message (chat_v11.bucket(author))$$);
SELECT fixture.attempt($$ALTER TABLE fixture.message ADD COLUMN bucket integer GENERATED ALWAYS AS (chat_v11.bucket(author)) STORED$$);
SELECT author, bucket FROM fixture.message;

-- Who asks: somebody without any right on the table, with row security on it, and under another's name.
CREATE ROLE regress_asker;
GRANT USAGE ON SCHEMA fixture TO regress_asker;
CREATE FUNCTION fixture.as_asker() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$SELECT public.chat_is_v11_enabled('97')$$;
ALTER FUNCTION fixture.as_asker() OWNER TO regress_asker;
SET ROLE regress_asker;
SELECT fixture.attempt($$SELECT chat_is_v11_enabled('97')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION chat_is_v11_enabled(text) TO regress_asker;
SET ROLE regress_asker;
SELECT chat_is_v11_enabled('97'), fixture.attempt($$SELECT stage FROM chat_v11.rollout_state$$);
RESET ROLE;
ALTER TABLE chat_v11.rollout_state ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE regress_asker;
SELECT chat_is_v11_enabled('97');
RESET ROLE;
SELECT fixture.as_asker();
:kill SELECT fixture.as_asker();
:live
ALTER TABLE chat_v11.rollout_state NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;

-- Another table of that name, first in the search_path.
CREATE SCHEMA evil;
CREATE TABLE evil.rollout_state AS TABLE chat_v11.rollout_state;
UPDATE evil.rollout_state SET stage = 'full';
CREATE TEMP TABLE rollout_state AS TABLE evil.rollout_state;
SET search_path = pg_temp, evil, public;
:kill SELECT chat_is_v11_enabled('98'), chat_is_v11_enabled('97');
UPDATE chat_v11.rollout_state SET kill_switch = true, version = 2;
SELECT chat_is_v11_enabled('98'), chat_is_v11_enabled('97');
RESET search_path;
DROP TABLE pg_temp.rollout_state;
DROP SCHEMA evil CASCADE;
DISCARD ALL;
SELECT fixture.enabled();
:live SELECT fixture.enabled();

-- Without the trigger that announces changes nothing is kept: each call reads.
ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER ALL;
:kill SELECT fixture.enabled();
:live SELECT fixture.enabled();
SET session_replication_role = replica; :kill RESET session_replication_role; SELECT fixture.enabled();
ALTER TABLE chat_v11.rollout_state ENABLE TRIGGER "40_refresh";
SET session_replication_role = replica; :live RESET session_replication_role; SELECT fixture.enabled();
ALTER TABLE chat_v11.rollout_state ENABLE REPLICA TRIGGER "40_refresh";
:kill SELECT fixture.enabled();
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";
SELECT fixture.enabled();
SET session_replication_role = replica; :live RESET session_replication_role; SELECT fixture.enabled();
-- ... nor with one of its name that does something else, or not for each change.
DROP TRIGGER "40_refresh" ON chat_v11.rollout_state;
CREATE FUNCTION fixture.idle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER "40_refresh" AFTER INSERT OR UPDATE OR DELETE ON chat_v11.rollout_state FOR EACH ROW EXECUTE FUNCTION fixture.idle();
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";
SELECT fixture.enabled();
:kill SELECT fixture.enabled();
:live
DROP TRIGGER "40_refresh" ON chat_v11.rollout_state;
CREATE TRIGGER "40_refresh" AFTER INSERT OR UPDATE OF note OR DELETE ON chat_v11.rollout_state FOR EACH ROW EXECUTE FUNCTION chat_v11.rollout_refresh();
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";
SELECT fixture.enabled();
:kill SELECT fixture.enabled();
:live
DROP TRIGGER "40_refresh" ON chat_v11.rollout_state;
CREATE TRIGGER "40_refresh" AFTER UPDATE OR DELETE OR INSERT ON chat_v11.rollout_state FOR EACH ROW WHEN (pg_trigger_depth() > 9) EXECUTE FUNCTION chat_v11.rollout_refresh();
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";
SELECT fixture.enabled();
:kill SELECT fixture.enabled();
:live
DROP TRIGGER "40_refresh" ON chat_v11.rollout_state;
CREATE TRIGGER "40_refresh" AFTER INSERT OR UPDATE OR DELETE ON chat_v11.rollout_state FOR EACH ROW EXECUTE FUNCTION chat_v11.rollout_refresh();
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";

-- A table that is not as it should be: out, and right again once it is.
TRUNCATE chat_v11.rollout_state;
SELECT fixture.enabled();
BEGIN; DELETE FROM chat_v11.rollout_state; SELECT fixture.enabled(); COMMIT; SELECT fixture.enabled();
CALL fixture.put_live(); SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME kill_switch TO was_kill_switch; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME stage TO was_stage; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME version TO was_version; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME bucketing TO was_bucketing; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state ALTER bucketing TYPE varchar; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME TO elsewhere; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME TO elsewhere; CREATE VIEW chat_v11.rollout_state AS TABLE chat_v11.elsewhere; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME TO elsewhere; CREATE TABLE chat_v11.rollout_state (LIKE chat_v11.elsewhere) PARTITION BY LIST (stage); SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state RENAME TO elsewhere; CREATE TABLE chat_v11.rollout_state (nothing integer); INSERT INTO chat_v11.rollout_state VALUES (1); SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER SCHEMA chat_v11 RENAME TO chat_v12; SELECT fixture.enabled(); UPDATE chat_v12.rollout_state SET kill_switch = true; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state DROP CONSTRAINT rollout_state_stage_check; UPDATE chat_v11.rollout_state SET stage = 'Full'; SELECT fixture.enabled(); UPDATE chat_v11.rollout_state SET stage = repeat('canary_1', 1000000); SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state DROP CONSTRAINT rollout_state_bucketing_check; UPDATE chat_v11.rollout_state SET bucketing = 'flagd'; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state ALTER kill_switch DROP NOT NULL; UPDATE chat_v11.rollout_state SET kill_switch = NULL; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; ALTER TABLE chat_v11.rollout_state DROP CONSTRAINT rollout_state_pkey; CALL fixture.put_live(); SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
BEGIN; LOCK TABLE chat_v11.rollout_state IN ACCESS EXCLUSIVE MODE; UPDATE chat_v11.rollout_state SET version = 3; SELECT fixture.enabled(); ROLLBACK; SELECT fixture.enabled();
ALTER TABLE chat_v11.rollout_state ADD COLUMN first text; ALTER TABLE chat_v11.rollout_state DROP COLUMN first;
VACUUM FULL chat_v11.rollout_state; SELECT fixture.enabled();
:kill CLUSTER chat_v11.rollout_state USING rollout_state_pkey; SELECT fixture.enabled();
:live VACUUM (FREEZE) chat_v11.rollout_state; SELECT fixture.enabled();

-- A read that goes wrong is out and the next one right; a cancel is the caller's own.
UPDATE chat_v11.rollout_state SET version = 4; SET chat_v11.fault = 'error:3'; SELECT fixture.enabled(), fixture.enabled();
UPDATE chat_v11.rollout_state SET version = 5; SET chat_v11.fault = 'error:4'; SELECT fixture.enabled(), fixture.enabled();
UPDATE chat_v11.rollout_state SET version = 6; SET chat_v11.fault = 'cancel:3'; SELECT fixture.attempt('SELECT fixture.enabled()');
SELECT fixture.enabled();
\set VERBOSITY terse
:kill SET chat_v11.fault = 'cancel:4'; SELECT fixture.enabled();
SELECT fixture.enabled();
RESET chat_v11.fault;
:live

-- What the planner's workers answer, before and after a change of the transaction that they work for.
CREATE TABLE fixture.people AS SELECT i::text AS id FROM generate_series(1, 20000) i;
ALTER TABLE fixture.people SET (parallel_workers = 2);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;
CREATE FUNCTION fixture.plan(p_sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || p_sql;
END $$;
SELECT * FROM fixture.plan('SELECT count(*) FROM fixture.people WHERE chat_is_v11_enabled(id)') p WHERE p ~ 'Workers|Gather|Filter: ';
SELECT count(*), count(*) FILTER (WHERE chat_v11.bucket(id) < 100) FROM fixture.people WHERE chat_is_v11_enabled(id);
BEGIN; UPDATE chat_v11.rollout_state SET stage = 'full'; SELECT count(*) FROM fixture.people WHERE chat_is_v11_enabled(id); UPDATE chat_v11.rollout_state SET stage = 'canary_1', kill_switch = true; SELECT count(*) FROM fixture.people WHERE chat_is_v11_enabled(id); ROLLBACK;
BEGIN; SAVEPOINT a; :kill ROLLBACK TO a; SELECT count(*) FROM fixture.people WHERE chat_is_v11_enabled(id); COMMIT;
SELECT count(*) = (SELECT count(*) FROM fixture.people WHERE chat_v11.bucket(id) < 100) FROM fixture.people WHERE chat_is_v11_enabled(id);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET parallel_leader_participation;

-- The extension goes, comes back, and goes in vain.
SET client_min_messages = error;
SELECT chat_is_v11_enabled('97');
BEGIN; DROP EXTENSION chat_v11 CASCADE; SELECT fixture.attempt($$SELECT chat_is_v11_enabled('97')$$); ROLLBACK;
SELECT chat_is_v11_enabled('97');
BEGIN; DROP EXTENSION chat_v11 CASCADE; CREATE EXTENSION chat_v11; SELECT chat_is_v11_enabled('97'); ROLLBACK; SELECT chat_is_v11_enabled('97');
DROP EXTENSION chat_v11 CASCADE; CREATE EXTENSION chat_v11; SELECT chat_is_v11_enabled('97');
SELECT stage, kill_switch FROM chat_set_v11_rollout_state('canary_1', false, 'start'); SELECT chat_is_v11_enabled('97');
SELECT stage, kill_switch FROM chat_set_v11_rollout_state('canary_1', true, 'kill'); SELECT chat_is_v11_enabled('97');
-- Without the extension, a function that somebody made of the same library.
SELECT probin AS library FROM pg_proc WHERE proname = 'chat_is_v11_enabled' \gset
DROP EXTENSION chat_v11 CASCADE;
CREATE FUNCTION fixture.orphan(text) RETURNS boolean AS :'library', 'chat_v11_is_enabled' LANGUAGE C STABLE PARALLEL SAFE;
SELECT fixture.orphan('97'), fixture.orphan(NULL);
CREATE EXTENSION chat_v11;
SELECT fixture.orphan('97');
SELECT stage, kill_switch FROM chat_set_v11_rollout_state('canary_1', false, 'start'); SELECT fixture.orphan('97');
DROP EXTENSION chat_v11 CASCADE;
SELECT fixture.orphan('97');
DROP SCHEMA fixture CASCADE;
DROP ROLE regress_asker;
