\echo Use "ALTER EXTENSION chat_v11 UPDATE TO '0.5'" to load this file. \quit

-- 0.4 to 0.5: incidents, preflight, recovery limits.

-- What is there already keeps the rights that it has.
SELECT pg_catalog.set_config('chat_v11_update.members', (SELECT pg_catalog.array_agg(d.objid)::text
	FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = 'chat_v11'
	AND d.deptype = 'e'), true);

-- Limits of recovery.
INSERT INTO chat_v11.setting SELECT d.name, d.value FROM chat_v11.default_setting() d
	WHERE d.name NOT IN (SELECT s.name FROM chat_v11.setting s);
-- When each dialog had its last full state, in two tables that take turns and are emptied: no row is ever deleted one by
-- one.  Not in a dump: after a restore every dialog may have one.  A row is updated in place, within its page.
CREATE TABLE chat_v11.full_state_0 (
	dialog uuid NOT NULL PRIMARY KEY,
	admitted_at timestamptz NOT NULL
) WITH (fillfactor = 90);
CREATE TABLE chat_v11.full_state_1 (
	dialog uuid NOT NULL PRIMARY KEY,
	admitted_at timestamptz NOT NULL
) WITH (fillfactor = 90);

-- No query of their own, so neither a search_path nor their owner's rights.
CREATE FUNCTION chat_v11.admit_full_state(p_dialog uuid, p_actor uuid) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_admit_full_state' LANGUAGE C VOLATILE;
CREATE FUNCTION chat_v11.admit_resync(p_stream text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_admit_resync' LANGUAGE C VOLATILE;
CREATE FUNCTION chat_v11.admit_resync(p_stream text, p_actor uuid, p_behind float8 DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_admit_resync' LANGUAGE C VOLATILE;
-- STABLE, because base and cap are settings: a plan or an index would keep what an IMMUTABLE one said of the old ones.
CREATE FUNCTION chat_v11.resync_backoff_ms(p_attempt integer, p_key text) RETURNS integer
	AS 'MODULE_PATHNAME', 'chat_v11_resync_backoff_ms' LANGUAGE C STABLE;

CREATE FUNCTION chat_v11.recovery_policy() RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_recovery_policy' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Rights: none on what is new, but those of the levels.
SELECT chat_v11.revoke_everything(pg_catalog.current_setting('chat_v11_update.members')::pg_catalog.oid[]);
SELECT chat_v11.grant_access(a.grantee::pg_catalog.regrole, l.level)
FROM (VALUES
	('reader', 'public.chat_get_v11_rollout_state()'),
	('reporter', 'chat_v11.record(text, text, uuid, uuid, float8, timestamptz)'),
	('operator', 'public.chat_set_v11_rollout_state(text, boolean, text, text, bigint)'),
	('admin', 'chat_v11.set_check(text, float8, boolean, text, bigint, text)')
) l(level, marker)
JOIN pg_catalog.pg_proc p ON p.oid = l.marker::pg_catalog.regprocedure
CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
WHERE a.grantee <> 0 AND a.grantee <> p.proowner;

-- What each thing is for.
COMMENT ON FUNCTION chat_v11.admit_full_state(uuid, uuid) IS
	'at most one full state in full_state_interval and dialog, else ERR_RESYNC_THROTTLED; never waits';
COMMENT ON FUNCTION chat_v11.admit_resync(text) IS
	'one resync of a stream at a time, to the end of the transaction, else ERR_RESYNC_THROTTLED; never waits';
COMMENT ON FUNCTION chat_v11.admit_resync(text, uuid, float8) IS
	'the same, with who asks and how far behind, for the metrics and resync_report()';
COMMENT ON FUNCTION chat_v11.resync_backoff_ms(integer, text) IS
	'milliseconds to wait before attempt 1, 2, ...; the same for the same key and attempt';
COMMENT ON FUNCTION chat_v11.recovery_policy() IS 'the numbers that clients follow, and their version';
COMMENT ON TABLE chat_v11.full_state_0 IS
	'admissions by chat_v11.admit_full_state(), with full_state_1 in turns; emptied by the guard and fold(); not dumped';
COMMENT ON COLUMN chat_v11.full_state_0.dialog IS 'which dialog';
COMMENT ON COLUMN chat_v11.full_state_0.admitted_at IS 'by the rule clock';
COMMENT ON TABLE chat_v11.full_state_1 IS 'as chat_v11.full_state_0';
COMMENT ON COLUMN chat_v11.full_state_1.dialog IS 'as in chat_v11.full_state_0';
COMMENT ON COLUMN chat_v11.full_state_1.admitted_at IS 'as in chat_v11.full_state_0';
