-- What flag clients are told of the release: the documents of flagd and Unleash, the answers of OFREP.
-- test/clients asks the clients themselves.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\i :fixture
-- Another stage, without the gates, which are other tests' business.
CREATE FUNCTION fixture.enter(p_stage text, p_bucketing text DEFAULT 'flagd-v2') RETURNS void LANGUAGE sql AS $$
	ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "20_decide", DISABLE TRIGGER "30_log";
	UPDATE chat_v11.rollout_state SET stage = p_stage, kill_switch = false, bucketing = p_bucketing;
	ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "20_decide", ENABLE ALWAYS TRIGGER "30_log";
$$;
-- The two documents in short.
CREATE VIEW fixture.documents AS
	SELECT f.flag -> 'targeting' AS targeting, f.flag ->> 'defaultVariant' AS otherwise, f.flag ->> 'state' AS state,
		u.feature -> 'enabled' AS enabled, u.feature #>> '{strategies,0,parameters,rollout}' AS rollout,
		jsonb_array_length(u.feature -> 'strategies') AS strategies
	FROM (SELECT chat_v11.flagd_config() #> '{flags,chat_v11}') f(flag),
		(SELECT chat_v11.unleash_features() #> '{features,0}') u(feature);
-- An answer of OFREP, and the status beside it; 'Alice' is in bucket 204, '42' in 2078, '1' in 8921.
CREATE FUNCTION fixture.ofrep(p_body jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer jsonb := chat_v11.ofrep_evaluate(p_body);
BEGIN
	RETURN current_setting('response.status') || ' ' || coalesce(answer ->> 'errorCode' || ': ' || (answer ->> 'errorDetails'),
		format('%s %s %s', answer ->> 'value', answer ->> 'variant', answer ->> 'reason'));
END
$$;
CREATE FUNCTION fixture.ask_for(p_key text) RETURNS text LANGUAGE sql AS $$
	SELECT fixture.ofrep(jsonb_build_object('context', jsonb_build_object('targetingKey', p_key)))
$$;
\set ECHO all
-- Nothing was started: the algorithm is the one chosen so far.
SELECT *, fixture.ask_for('Alice') AS alice, fixture.ask_for('') AS nobody FROM fixture.documents;
SELECT value FROM chat_v11.set_setting('bucketing', 'unleash', 'for clients of Unleash');
SELECT chat_v11.unleash_features() -> 'metadata' AS unleash;
SELECT chat_v11.flagd_config() -> 'metadata' AS flagd;
SELECT value FROM chat_v11.set_setting('bucketing', 'flagd-v2', 'for clients of flagd');

-- Whole.
SELECT fixture.ask('canary_1', false);
SELECT fixture.enter('canary_10');
SELECT jsonb_pretty(chat_v11.flagd_config());
SELECT jsonb_pretty(chat_v11.unleash_features());
SELECT jsonb_pretty(chat_v11.ofrep_evaluate('{"context": {"targetingKey": "Alice"}}'));

-- Each stage; somebody in at 10 %, at 50 %, at 100 % only; nobody.
SELECT fixture.enter('canary_1');
SELECT *, fixture.ask_for('Alice') AS alice, fixture.ask_for('42') AS "42", fixture.ask_for('1') AS "1", fixture.ask_for('') AS nobody FROM fixture.documents;
SELECT fixture.enter('canary_10');
SELECT *, fixture.ask_for('Alice') AS alice, fixture.ask_for('42') AS "42", fixture.ask_for('1') AS "1", fixture.ask_for('') AS nobody FROM fixture.documents;
SELECT fixture.enter('canary_50');
SELECT *, fixture.ask_for('Alice') AS alice, fixture.ask_for('42') AS "42", fixture.ask_for('1') AS "1", fixture.ask_for('') AS nobody FROM fixture.documents;
SELECT fixture.enter('full');
SELECT *, fixture.ask_for('Alice') AS alice, fixture.ask_for('42') AS "42", fixture.ask_for('1') AS "1", fixture.ask_for('') AS nobody FROM fixture.documents;
-- A kill, seen by the statement after it, in a transaction that began before; an error would give a client its default.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT fixture.ask_for('Alice');
SELECT fixture.ask('canary_1', true);
SELECT *, fixture.ask_for('Alice') AS alice, fixture.ask_for('42') AS "42", fixture.ask_for('1') AS "1", fixture.ask_for('') AS nobody FROM fixture.documents;
ROLLBACK;
SELECT fixture.ask_for('Alice');

-- Where the release hashes in another way than a client does, its document says so.
CREATE VIEW fixture.warning AS SELECT chat_v11.flagd_config() #>> '{flags,chat_v11,metadata,bucketing}' AS bucketing,
	chat_v11.flagd_config() #>> '{flags,chat_v11,metadata,warning}' AS flagd, chat_v11.unleash_features() #>> '{metadata,warning}' AS unleash;
\x on
SELECT * FROM fixture.warning;
SELECT fixture.enter('canary_50', 'unleash');
SELECT * FROM fixture.warning;
SELECT fixture.enter('canary_50', 'fnv1a');
SELECT * FROM fixture.warning;
\x off

-- OFREP asks the database, whatever the algorithm: "a" has bucket 55 of fnv1a, number 22 of Unleash, 5454 of flagd.
SELECT fixture.ask_for('a');
SELECT fixture.enter('canary_50', 'unleash');
SELECT fixture.ask_for('a');
SELECT fixture.enter('canary_50');
SELECT fixture.ask_for('a');

-- What is no request.
SELECT body, fixture.ofrep(body) FROM unnest(ARRAY[NULL, 'null', '1', '"x"', '[]', '[{"context": {"targetingKey": "Alice"}}]',
	'{}', '{"context": null}', '{"context": {}}', '{"context": {"targetingKey": null}}', '{"context": {"targetingKey": ""}}',
	'{"Context": {"targetingKey": "Alice"}}', '{"context": "Alice"}', '{"context": ["Alice"]}', '{"context": 7}', '{"context": true}',
	'{"context": {"targetingKey": 7}}', '{"context": {"targetingKey": false}}', '{"context": {"targetingKey": ["Alice"]}}',
	'{"context": {"targetingKey": {"targetingKey": "Alice"}}}']::jsonb[]) body;
-- What more there is in a request is passed over, and of a key that is there twice JSON has the last.
SELECT fixture.ofrep('{"context": {"targetingKey": "Alice", "email": "a@example.com", "list": [1, {"targetingKey": 1}]}, "targetingKey": "1"}');
SELECT fixture.ofrep('{"context": 1, "context": {"targetingKey": "1", "targetingKey": "Alice"}}');
-- Large, deep, and what JSON in the database cannot hold.
SELECT fixture.ask_for(repeat('x', 10000000)), chat_v11.bucket(repeat('x', 10000000));
SELECT fixture.ofrep(jsonb_build_object('context', jsonb_build_object('targetingKey', 'Alice', 'more', repeat('x', 10000000))));
SELECT fixture.ofrep((repeat('{"context":', 3000) || '1' || repeat('}', 3000))::jsonb);
SELECT fixture.ofrep((SELECT jsonb_object_agg(i::text, i) || '{"context": {"targetingKey": "Alice"}}' FROM generate_series(1, 20000) i));
SELECT fixture.attempt($$SELECT chat_v11.ofrep_evaluate('{"context": {"targetingKey": "a\u0000b"}}')$$);
SELECT fixture.attempt($$SELECT chat_v11.ofrep_evaluate('{"context": {"targetingKey": "a\ud800b"}}')$$);
SELECT split_part(fixture.attempt($$SELECT chat_v11.ofrep_evaluate(repeat('[', 1000000)::jsonb)$$), E'\n', 1);

-- The status is the transaction's, and a client of SQL alone does not see it later.
BEGIN;
SELECT chat_v11.ofrep_evaluate(NULL) IS NOT NULL, current_setting('response.status');
SELECT chat_v11.ofrep_evaluate('{"context": {"targetingKey": "Alice"}}') IS NOT NULL;
SELECT current_setting('response.status');
COMMIT;
SELECT current_setting('response.status', true);
-- Read only, and without any right on a table.
CREATE ROLE regress_flag_client;
GRANT USAGE ON SCHEMA chat_v11, fixture TO regress_flag_client;
GRANT EXECUTE ON FUNCTION chat_v11.ofrep_evaluate(jsonb), chat_v11.flagd_config(), chat_v11.unleash_features() TO regress_flag_client;
SET SESSION AUTHORIZATION regress_flag_client;
BEGIN READ ONLY;
SELECT fixture.ask_for('Alice'), chat_v11.flagd_config() #> '{flags,chat_v11,targeting}' AS targeting, chat_v11.unleash_features() #> '{features,0,enabled}' AS enabled;
COMMIT;
RESET SESSION AUTHORIZATION;
DROP OWNED BY regress_flag_client;
DROP ROLE regress_flag_client;

-- A key is hashed as UTF-8 in a database of another encoding too.
CREATE DATABASE regress_flag_latin1 ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
\set here :DBNAME
\c regress_flag_latin1
SET client_min_messages = error;
SET client_encoding = 'UTF8';
CREATE EXTENSION chat_v11;
SELECT stage FROM public.chat_set_v11_rollout_state('canary_1', false, 'start');
ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "20_decide", DISABLE TRIGGER "30_log";
UPDATE chat_v11.rollout_state SET stage = 'canary_50';
-- in: bucket < 5000
SELECT id, chat_v11.bucket(id), chat_v11.ofrep_evaluate(jsonb_build_object('context', jsonb_build_object('targetingKey', id))) -> 'value' AS ofrep
FROM unnest('{müller,Müller,naïve,æøå,¡olé!,ÿ}'::text[]) id;
\c :here
SET client_min_messages = error;
SELECT id, chat_v11.bucket(id) FROM unnest('{müller,Müller,naïve,æøå,¡olé!,ÿ}'::text[]) id;
DROP DATABASE regress_flag_latin1;
-- The log does not know of the stages that were entered without it.
DROP SCHEMA fixture CASCADE;
DROP EXTENSION chat_v11;
