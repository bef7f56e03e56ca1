-- Choosing how ids are hashed: a logged setting before the first start, and nobody's to change after it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
CREATE VIEW fixture.choice AS
	SELECT s.value AS setting, r.bucketing AS in_force, r.stage, r.kill_switch,
		-- User-7072 has flagd's bucket 5000, number 70 of Unleash, bucket 36 of FNV-1a; 1 has 8921, 37 and 75; bob@example.com has 9973, 7 and 14.
		(SELECT string_agg(CASE WHEN public.chat_is_v11_enabled(i) THEN 'in' ELSE 'out' END, ' ') FROM unnest('{user-7072,1,bob@example.com}'::text[]) i) AS who,
		(SELECT string_agg(CASE WHEN in_cohort = 1 THEN 'in' ELSE 'out' END, ' ') FROM unnest('{user-7072,1,bob@example.com}'::text[]) i, chat_v11.cohort_share(ARRAY[i]) c WHERE c.stage = 'canary_50') AS at_50
	FROM chat_v11.setting s LEFT JOIN chat_v11.rollout_state r ON true WHERE s.name = 'bucketing';
CREATE FUNCTION fixture.choose(p_value text) RETURNS text LANGUAGE sql AS $$
	SELECT fixture.attempt(format('SELECT chat_v11.set_setting(%L, %L, %L)', 'bucketing', p_value, 'as the client has it'))
$$;
-- Changes as somebody does who switched the triggers off.
CREATE FUNCTION fixture.tamper(p_sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER ALL;
	ALTER TABLE chat_v11.setting DISABLE TRIGGER ALL;
	EXECUTE p_sql;
	ALTER TABLE chat_v11.rollout_state ENABLE TRIGGER ALL;
	ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";
	ALTER TABLE chat_v11.setting ENABLE TRIGGER ALL;
	RETURN coalesce((SELECT string_agg(v::text, ' ') FROM chat_v11.verify_history() v), 'verified');
END
$$;
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';

-- Before the first start.
SELECT * FROM fixture.choice;
SELECT v, fixture.choose(v) FROM unnest('{md5,"",Unleash,"unleash ",flagd-v1,NULL,unleash,fnv1a,unleash}'::text[]) WITH ORDINALITY t(v, o) ORDER BY o;
SELECT * FROM fixture.choice;
SELECT fixture.attempt($$DELETE FROM chat_v11.setting WHERE name = 'bucketing'$$);
SELECT fixture.attempt($$UPDATE chat_v11.setting SET value = 'sha1' WHERE name = 'bucketing'$$);
-- Killed before anybody was live: there is a row, and the choice is still open.
SELECT fixture.ask('canary_1', true);
SELECT * FROM fixture.choice;
SELECT fixture.attempt($$UPDATE chat_v11.setting SET value = 'fnv1a' WHERE name = 'bucketing'$$);
SELECT * FROM fixture.choice;
SELECT fixture.attempt($$UPDATE chat_v11.rollout_state SET bucketing = 'flagd-v2'$$);
SELECT fixture.choose('unleash');
-- The first start takes it.
SET chat_v11.mock_now = '2026-03-01 12:30:00+00';
SELECT fixture.ask('canary_1', false);
SELECT * FROM fixture.choice;
-- From then on nobody changes it, by whatever way; asking for what it is anyhow changes nothing either.
SELECT v, fixture.choose(v) FROM unnest('{fnv1a,unleash}'::text[]) WITH ORDINALITY t(v, o) ORDER BY o;
SELECT fixture.attempt($$UPDATE chat_v11.setting SET value = 'fnv1a' WHERE name = 'bucketing'$$);
SELECT fixture.attempt('UPDATE chat_v11.rollout_state SET ' || s) FROM (VALUES ($$bucketing = 'fnv1a'$$), ($$bucketing = 'sha1'$$), ($$bucketing = NULL$$),
	($$stage = 'canary_1', bucketing = 'fnv1a'$$), ($$stage = 'canary_1', bucketing = 'unleash'$$)) v(s);
SELECT fixture.attempt($$DELETE FROM chat_v11.setting WHERE name = 'bucketing'$$);
SELECT fixture.attempt($$INSERT INTO chat_v11.setting VALUES ('bucketing', 'fnv1a')$$);
SELECT fixture.attempt($$INSERT INTO chat_v11.setting VALUES ('bucketing', 'fnv1a') ON CONFLICT (name) DO UPDATE SET value = excluded.value$$);
SELECT * FROM fixture.choice;
-- Frozen on every way through the stages.
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', 'lead')$$);
SELECT * FROM fixture.choice;
SELECT fixture.choose('fnv1a');
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_50', false, 'long enough to be a reason', 'lead')$$);
SELECT * FROM fixture.choice;
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('full', false, 'long enough to be a reason', 'lead')$$);
SELECT * FROM fixture.choice;
SELECT fixture.ask('canary_50', false), fixture.ask('canary_1', false);
SELECT * FROM fixture.choice;
-- A kill is never refused: what else it asks for is passed over.
SELECT fixture.attempt($$UPDATE chat_v11.rollout_state SET kill_switch = true, bucketing = 'fnv1a'$$);
SELECT * FROM fixture.choice;
SELECT fixture.choose('fnv1a');
SET chat_v11.mock_now = '2026-03-01 13:00:00+00';
SELECT fixture.ask('canary_1', false);
SELECT * FROM fixture.choice;
SELECT fixture.choose('fnv1a');
SELECT id, transition, to_stage, change->>'key' AS setting, change->'old'->>'value' AS old, change->'new'->>'value' AS new, note FROM chat_v11.rollout_history ORDER BY id;
-- The log proves which it is: one that was changed behind its back does not fit.
SELECT fixture.tamper($$UPDATE chat_v11.rollout_state SET bucketing = 'flagd-v2'$$);
SELECT who FROM fixture.choice;
SELECT fixture.tamper($$UPDATE chat_v11.rollout_state SET bucketing = 'unleash'$$);
SELECT fixture.tamper($$UPDATE chat_v11.setting SET value = 'fnv1a' WHERE name = 'bucketing'$$);
-- What is in force does not follow such a setting, also where the state is written anew.
SELECT fixture.ask('canary_1', true);
SELECT in_force, at_50 FROM fixture.choice;
SELECT fixture.tamper($$UPDATE chat_v11.setting SET value = 'unleash' WHERE name = 'bucketing'$$);
SELECT split_part(fixture.attempt($$SELECT fixture.tamper('UPDATE chat_v11.rollout_state SET bucketing = ''sha1''')$$), E'\n', 1);
\pset tuples_only off
\pset format aligned
\i :done

-- A start that was written by hand takes the choice, and refuses to be another one.
\set ECHO none
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch, bucketing) VALUES ('canary_1', false, 'sha1')$$);
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch, bucketing) VALUES ('canary_1', false, 'fnv1a')$$);
SELECT chat_v11.set_setting('bucketing', 'fnv1a', 'as the client has it') \g /dev/null
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch, bucketing) VALUES ('canary_1', false, 'unleash')$$);
BEGIN;
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ('canary_1', false)$$);
SELECT bucketing, note FROM chat_v11.rollout_state;
ROLLBACK;
BEGIN;
-- A kill goes, whatever else is written beside it.
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch, bucketing) VALUES ('canary_1', true, 'unleash')$$);
SELECT bucketing, kill_switch FROM chat_v11.rollout_state;
ROLLBACK;
-- A start that was rolled back was none.
SELECT chat_v11.set_setting('bucketing', 'unleash', 'on second thoughts') \g /dev/null
SELECT chat_v11.set_setting('bucketing', 'fnv1a', 'on third thoughts') \g /dev/null
SELECT fixture.attempt($$INSERT INTO chat_v11.rollout_state (stage, kill_switch, bucketing) VALUES ('canary_1', false, 'fnv1a')$$);
SELECT bucketing FROM chat_v11.rollout_state;
-- Choice and start in one transaction, and an attempt after both to have it otherwise.
\set ECHO none
DROP SCHEMA fixture CASCADE;
DROP EXTENSION chat_v11;
\i :fixture
\set ECHO all
BEGIN;
SELECT (chat_v11.set_setting('bucketing', 'unleash', 'as the client has it')).value;
SELECT fixture.ask('canary_1', false);
SELECT fixture.attempt($$SELECT chat_v11.set_setting('bucketing', 'fnv1a', 'x')$$);
COMMIT;
SELECT bucketing FROM chat_v11.rollout_state;
\pset tuples_only off
\pset format aligned
\i :done
