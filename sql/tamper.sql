-- Whoever rewrites the log with the triggers off is found, at the right row.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
SELECT fixture.ask('canary_1', false), fixture.ask('canary_1', false), fixture.ask('canary_1', true), fixture.ask('canary_1', true), fixture.attempt($$SELECT chat_v11.set_check('write_reject_rate', 0.02)$$), fixture.ask('canary_1', true);
SELECT * FROM fixture.log;
SELECT * FROM chat_v11.verify_history();
CREATE PROCEDURE fixture.tamper(p_sql text) LANGUAGE plpgsql AS $$
DECLARE
	found record;
BEGIN
	BEGIN
		ALTER TABLE chat_v11.rollout_history DISABLE TRIGGER ALL;
		ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER ALL;
		EXECUTE p_sql;
		SELECT * INTO found FROM chat_v11.verify_history();
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RAISE LOG 'tampered and undone';
	END;
	INSERT INTO fixture.found VALUES (p_sql, found.id, found.reason);
END
$$;
CREATE TABLE fixture.found (sql text, id bigint, reason text);
-- The documented canonical form, in SQL.
CREATE FUNCTION fixture.hash(h chat_v11.rollout_history) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256(convert_to(string_agg(coalesce(octet_length(v) || ':' || v, '-') || E'\n', '' ORDER BY n), 'UTF8'))
	FROM unnest(ARRAY[h.id::text, to_char(h.changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), h.transition, h.from_stage,
		h.to_stage, h.from_kill_switch::text, h.to_kill_switch::text, h.decision, h.approved_by, h.changed_by, h.note, h.version::text,
		h.overridden::text, h.mock_clock::text, h.gates::text, h.change::text, encode(h.prev_hash, 'hex')]) WITH ORDINALITY f(v, n)
$$;
SELECT bool_and(fixture.hash(h) = h.hash) FROM chat_v11.rollout_history h;
CALL fixture.tamper($$UPDATE chat_v11.rollout_history SET note = 'never' WHERE id = 3$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_history SET changed_at = changed_at - interval '1 us' WHERE id = 1$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_history SET gates = jsonb_set(gates, '{decision}', '"PROCEED"') WHERE id = 2$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_history SET hash = sha256('x') WHERE id = 2$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_history SET prev_hash = sha256('x') WHERE id = 4$$);
CALL fixture.tamper($$DELETE FROM chat_v11.rollout_history WHERE id = 1$$);
CALL fixture.tamper($$DELETE FROM chat_v11.rollout_history WHERE id = 3$$);
CALL fixture.tamper($$DELETE FROM chat_v11.rollout_history WHERE id = 6$$);
CALL fixture.tamper($$DELETE FROM chat_v11.rollout_history$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_history SET id = CASE id WHEN 3 THEN 1004 ELSE 1003 END WHERE id IN (3, 4); UPDATE chat_v11.rollout_history SET id = id - 1000 WHERE id > 1000$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_history SET id = id + 1 WHERE id = 6$$);
CALL fixture.tamper($$INSERT INTO chat_v11.rollout_history SELECT 7, changed_at, 'resume', to_stage, 'canary_1', true, false, 'PROCEED', approved_by, changed_by, note, 6, false, false, gates, NULL, hash, sha256('guess') FROM chat_v11.rollout_history WHERE id = 6$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_state SET stage = 'full', kill_switch = false$$);
CALL fixture.tamper($$UPDATE chat_v11.rollout_state SET entered_at = entered_at - interval '1 h'$$);
CALL fixture.tamper($$DELETE FROM chat_v11.rollout_state$$);
-- A step that no table has, well hashed by somebody who knows the form.
CALL fixture.tamper($$INSERT INTO chat_v11.rollout_history SELECT (jsonb_populate_record(h, jsonb_build_object('id', 7, 'transition', 'promote', 'from_kill_switch', true, 'to_stage', 'full', 'to_kill_switch', false, 'version', 6, 'prev_hash', h.hash, 'hash', fixture.hash(jsonb_populate_record(h, jsonb_build_object('id', 7, 'transition', 'promote', 'to_stage', 'full', 'to_kill_switch', false, 'version', 6, 'prev_hash', h.hash)))))).* FROM chat_v11.rollout_history h WHERE id = 6$$);
SELECT sql, id, reason FROM fixture.found;
-- Nothing of that stayed.
SELECT * FROM chat_v11.verify_history();
-- A state row lost behind the triggers' back: nobody is in the cohort, and only a kill goes.
ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER ALL;
DELETE FROM chat_v11.rollout_state;
ALTER TABLE chat_v11.rollout_state ENABLE TRIGGER ALL;
SELECT stage, kill_switch, version, rollout_percent FROM public.chat_get_v11_rollout_state();
SELECT fixture.ask('canary_1', false);
SELECT fixture.ask('canary_1', true);
\pset tuples_only off
\pset format aligned
\i :done
