-- Objects of the same names, planted in a schema that comes first in the search_path, change nothing.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
CREATE SCHEMA evil;
CREATE TABLE evil.rollout_state (stage text, kill_switch boolean, version bigint, started_at timestamptz, entered_at timestamptz, updated_at timestamptz, updated_by text, note text, overridden boolean);
INSERT INTO evil.rollout_state VALUES ('full', false, 99, now(), '2000-01-01', now(), 'evil', 'x', false);
CREATE TABLE evil.rollout_history (id bigint, hash bytea); CREATE TABLE evil.event (at timestamptz, kind text, cohort text, subject uuid);
CREATE TABLE evil.gate_check (name text); CREATE TABLE evil.stage_policy (stage text); CREATE TABLE evil.setting (name text, value text); CREATE TABLE evil.attestation (what text, ok boolean);
CREATE TABLE evil.touched (what text);
CREATE FUNCTION evil.trap(text) RETURNS void LANGUAGE sql AS $$INSERT INTO evil.touched VALUES ($1)$$;
CREATE FUNCTION evil.count(anyelement) RETURNS bigint LANGUAGE sql AS $$SELECT evil.trap('count'); SELECT 0::bigint$$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT evil.trap('now'); SELECT timestamptz '2000-01-01'$$;
CREATE FUNCTION evil.max(bigint) RETURNS bigint LANGUAGE sql AS $$SELECT evil.trap('max'); SELECT 0::bigint$$;
CREATE FUNCTION evil.floor(float8) RETURNS float8 LANGUAGE sql AS $$SELECT evil.trap('floor'); SELECT 0::float8$$;
CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$SELECT evil.trap('to_jsonb'); SELECT '{}'::jsonb$$;
CREATE FUNCTION evil.jsonb_build_object(text, text, text, text, text, jsonb, text, jsonb) RETURNS jsonb LANGUAGE sql AS $$SELECT evil.trap('jsonb_build_object'); SELECT '{}'::jsonb$$;
CREATE FUNCTION evil.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS $$SELECT evil.trap('unnest'); SELECT 'x'$$;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE sql AS $$SELECT evil.trap('='); SELECT false$$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
CREATE FUNCTION evil.gt(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$SELECT evil.trap('>'); SELECT false$$;
CREATE OPERATOR evil.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.gt);
CREATE FUNCTION evil.kind_eq(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean LANGUAGE sql AS $$SELECT evil.trap('kind ='); SELECT false$$;
CREATE OPERATOR evil.= (LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = evil.kind_eq);
CREATE TYPE evil.event_kind AS ENUM ('x'); CREATE DOMAIN evil.jsonb AS text; CREATE DOMAIN evil.interval AS text; CREATE DOMAIN evil.text AS integer; CREATE DOMAIN evil.bigint AS text;
CREATE TEMP TABLE rollout_state (stage text, kill_switch boolean); CREATE TEMP TABLE event (at timestamptz);
SET search_path = evil, pg_temp, public, pg_catalog;
SELECT stage, kill_switch, version FROM public.chat_get_v11_rollout_state();
SELECT stage, kill_switch FROM public.chat_set_v11_rollout_state('canary_1', false, 'start');
SELECT rollout_decision FROM public.chat_get_v11_release_gates();
SELECT chat_v11.record('read_cursor', 'v11'), chat_v11.record_batch('[{"kind": "read_cursor", "cohort": "v10"}]'::pg_catalog.jsonb);
INSERT INTO chat_v11.event (kind, cohort) VALUES ('read_cursor', 'v11');
SELECT pg_catalog.count(*) FROM chat_v11.metrics('2026-03-01 11:00:00+00', '2026-03-01 13:00:00+00');
SELECT pg_catalog.count(*) FROM chat_v11.explain_gates();
SELECT pg_catalog.count(*) FROM chat_v11.explain_gates('2026-03-01 12:00:00+00'::timestamptz);
SELECT pg_catalog.count(*) FROM chat_v11.missing_receipts();
SELECT pg_catalog.count(*) FROM chat_v11.trace_write('00000000-0000-4000-8000-000000000001');
SELECT pg_catalog.count(*) FROM chat_v11.resync_report('2026-03-01 11:00:00+00', '2026-03-01 13:00:00+00');
SELECT pg_catalog.count(*) FROM chat_v11.metric_series('send_stall_rate', '2026-03-01 11:00:00+00', '2026-03-01 13:00:00+00', '1 h');
SELECT (chat_v11.set_check('write_reject_rate', 0.02)).limit_value, (chat_v11.set_policy('canary_1', p_min_samples => 99)).min_samples, (chat_v11.set_setting('report_grace', '3 s')).value, (chat_v11.attest('telemetry:full_state', 'x', true)).ok;
UPDATE chat_v11.rollout_state SET note = 'by hand';
UPDATE chat_v11.gate_check SET min_samples = 21 WHERE name OPERATOR(pg_catalog.=) 'write_reject_rate';
SELECT pg_catalog.count(*) FROM public.chat_get_v11_rollout_history();
SELECT chat_v11.grant_access('pg_monitor', 'reader'), chat_v11.revoke_access('pg_monitor', 'reader');
SELECT stage, kill_switch FROM public.chat_set_v11_rollout_state('canary_1', true, 'kill');
SELECT * FROM chat_v11.verify_history();
RESET search_path;
SELECT * FROM evil.touched;
SELECT * FROM fixture.log;
DROP TABLE pg_temp.rollout_state, pg_temp.event;
DROP SCHEMA evil CASCADE;
\pset tuples_only off
\pset format aligned
\i :done
