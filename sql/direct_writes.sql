-- Hand-written statements meet the same rules, for a superuser too.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
SELECT fixture.attempt(s) FROM (VALUES
	($$DELETE FROM chat_v11.rollout_state$$),
	($$INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ('canary_10', false)$$),
	($$INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ('canary_7', false)$$),
	($$INSERT INTO chat_v11.rollout_state (stage) VALUES ('canary_1')$$),
	-- a state that no log tells of is no restore
	($$INSERT INTO chat_v11.rollout_state (stage, kill_switch, version, entered_at, updated_at, updated_by, history_id) VALUES ('full', false, 7, now(), now(), 'me', 1)$$),
	($$INSERT INTO chat_v11.rollout_state (stage, kill_switch, note) VALUES ('canary_1', false, 'by hand')$$),
	($$INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ('canary_1', false)$$),
	($$INSERT INTO chat_v11.rollout_state (singleton, stage, kill_switch) VALUES (false, 'canary_1', false)$$)) v(s);
SELECT fixture.attempt(s) FROM (VALUES
	($$UPDATE chat_v11.rollout_state SET stage = 'canary_10'$$),
	($$UPDATE chat_v11.rollout_state SET stage = 'canary_50'$$),
	($$UPDATE chat_v11.rollout_state SET stage = 'canary_2'$$),
	($$UPDATE chat_v11.rollout_state SET entered_at = entered_at - interval '1 day'$$),
	($$UPDATE chat_v11.rollout_state SET version = 100$$),
	($$UPDATE chat_v11.rollout_state SET started_at = NULL$$),
	($$UPDATE chat_v11.rollout_state SET overridden = true$$),
	($$UPDATE chat_v11.rollout_state SET updated_by = 'somebody else'$$),
	($$UPDATE chat_v11.rollout_state SET kill_switch = NULL$$),
	($$DELETE FROM chat_v11.rollout_state$$),
	($$TRUNCATE chat_v11.rollout_state$$),
	($$TRUNCATE chat_v11.rollout_state, chat_v11.rollout_history CASCADE$$),
	($$UPDATE chat_v11.rollout_history SET note = 'never happened'$$),
	($$DELETE FROM chat_v11.rollout_history$$),
	($$TRUNCATE chat_v11.rollout_history CASCADE$$),
	($$INSERT INTO chat_v11.rollout_history SELECT * FROM chat_v11.rollout_history$$),
	($$UPDATE chat_v11.event SET kind = 'write_receipt'$$),
	($$TRUNCATE chat_v11.event$$),
	($$UPDATE chat_v11.gate_log SET decision = 'PROCEED'$$),
	($$DELETE FROM chat_v11.gate_check$$),
	($$DELETE FROM chat_v11.stage_policy$$),
	($$TRUNCATE chat_v11.gate_check$$),
	($$INSERT INTO chat_v11.setting VALUES ('loophole', '1')$$),
	($$UPDATE chat_v11.stage_policy SET percent = 100$$),
	($$UPDATE chat_v11.gate_check SET gate = 'rollout'$$),
	-- a hold, a kill with whatever else is written, and a re-kill
	($$UPDATE chat_v11.rollout_state SET note = 'still looking'$$),
	($$UPDATE chat_v11.rollout_state SET kill_switch = true, stage = 'full', version = 77, entered_at = 'infinity'$$),
	($$UPDATE chat_v11.rollout_state SET note = 'still dead'$$),
	($$UPDATE chat_v11.rollout_state SET kill_switch = false$$)) v(s);
-- A session that replays somebody else's changes meets them as well.
SET session_replication_role = replica;
SELECT fixture.attempt($$UPDATE chat_v11.rollout_state SET kill_switch = false$$);
RESET session_replication_role;
-- Another trigger cannot put in what was not decided.
CREATE FUNCTION fixture.cheat() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.stage := 'full'; NEW.kill_switch := false; RETURN NEW; END$$;
CREATE TRIGGER zzz BEFORE UPDATE ON chat_v11.rollout_state FOR EACH ROW EXECUTE FUNCTION fixture.cheat();
SELECT fixture.ask('canary_1', true);
DROP TRIGGER zzz ON chat_v11.rollout_state;
SELECT stage, kill_switch, version, note FROM chat_v11.rollout_state;
SELECT id, transition, to_stage, to_kill_switch, note, changed_by = session_user AS by_me FROM chat_v11.rollout_history ORDER BY id;

\pset tuples_only off
\pset format aligned
\i :done
