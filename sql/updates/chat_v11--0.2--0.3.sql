\echo Use "ALTER EXTENSION chat_v11 UPDATE TO '0.3'" to load this file. \quit

-- 0.2 to 0.3: the cohort.

-- What is there already keeps the rights that it has.
SELECT pg_catalog.set_config('chat_v11_update.members', (SELECT pg_catalog.array_agg(d.objid)::text
	FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = 'chat_v11'
	AND d.deptype = 'e'), true);

-- How ids are hashed: what 0.2 said nothing of is the default, and a rollout that was started is bound to it.
ALTER TABLE chat_v11.rollout_state
	ADD bucketing text NOT NULL DEFAULT 'flagd-v2' CHECK (bucketing IN ('flagd-v2', 'unleash', 'fnv1a')),
	SET (vacuum_truncate = false);
-- The row is there already where 0.2 was installed with this library.
INSERT INTO chat_v11.setting SELECT d.name, d.value FROM chat_v11.default_setting() d
	WHERE d.name NOT IN (SELECT s.name FROM chat_v11.setting s);

-- An event that names its actor may leave its cohort out.
CREATE OR REPLACE FUNCTION chat_v11.record(p_kind text, p_cohort text DEFAULT NULL, p_actor uuid DEFAULT NULL, p_subject uuid DEFAULT NULL,
	p_value float8 DEFAULT NULL, p_at timestamptz DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_record' LANGUAGE C VOLATILE;

-- Who gets v1.1.
CREATE FUNCTION public.chat_is_v11_enabled(p_user_id text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_is_enabled' LANGUAGE C STABLE PARALLEL SAFE;

CREATE FUNCTION chat_v11.bucket(p_user_id text) RETURNS integer
	AS 'MODULE_PATHNAME', 'chat_v11_bucket' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.targeting_key(p_user_id text) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_targeting_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.cohort_share(p_ids text[])
	RETURNS TABLE (stage text, ids bigint, in_cohort bigint, share float8, target float8, standard_errors float8)
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_share' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Tells every backend of a change.  By row and ALWAYS, so that a subscription that applies the row fires it too.
CREATE FUNCTION chat_v11.rollout_refresh() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_rollout_refresh' LANGUAGE C;
CREATE TRIGGER "40_refresh" AFTER INSERT OR UPDATE OR DELETE ON chat_v11.rollout_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.rollout_refresh();
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";

-- The release for clients of flag systems.

CREATE FUNCTION chat_v11.flagd_config() RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_flagd_config' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.unleash_features() RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_unleash_features' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Its parameter has no name, so that an RPC gateway passes on the whole body.  It queries nothing, and so needs no
-- rights but its caller's.  It sets response.status, which a parallel worker may not.
CREATE FUNCTION chat_v11.ofrep_evaluate(jsonb) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_ofrep_evaluate' LANGUAGE C STABLE PARALLEL UNSAFE;

-- Also for what a subscription brings: an entry whose id is taken here must not stop it.
ALTER TABLE chat_v11.rollout_history ENABLE ALWAYS TRIGGER "20_guard";

-- They have no key, and a publication of all tables must not refuse their updates: the fold would stop.
ALTER TABLE chat_v11.write_0 REPLICA IDENTITY FULL;
ALTER TABLE chat_v11.write_1 REPLICA IDENTITY FULL;
ALTER TABLE chat_v11.write_2 REPLICA IDENTITY FULL;
ALTER TABLE chat_v11.gate_log REPLICA IDENTITY FULL;

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
COMMENT ON FUNCTION public.chat_is_v11_enabled(text) IS
	'whether this user gets v1.1 now, by the newest commit that has reached this server; false for null, an empty id, while killed, and where the state cannot be read; ERR_INVALID_ARGUMENT for bytes that are no text';
COMMENT ON FUNCTION chat_v11.bucket(text) IS
	'0..9999, of the id''s UTF-8 as OpenFeature flagd''s fractional (version 2) hashes it: in at p percent if below 100 p; whatever algorithm the release has';
COMMENT ON FUNCTION chat_v11.targeting_key(text) IS
	'the id with each byte of its UTF-8 from 0x80 as %XX, for clients that hash UTF-16; ASCII stays as it is';
COMMENT ON FUNCTION chat_v11.cohort_share(text[]) IS
	'how many of these ids each stage has, killed or not: share and target are 0..1, standard_errors says how far apart; nulls and empty ids are left out';
COMMENT ON FUNCTION chat_v11.flagd_config() IS
	'a flagd flag definition that makes flagd answer as chat_is_v11_enabled() does; made anew at every change of the state';
COMMENT ON FUNCTION chat_v11.unleash_features() IS
	'what an Unleash server answers at /client/features; made anew at every change of the state';
COMMENT ON FUNCTION chat_v11.ofrep_evaluate(jsonb) IS
	'the body of an OFREP response to {"context": {"targetingKey": ...}}; response.status gets 200 or 400';
COMMENT ON FUNCTION chat_v11.rollout_refresh() IS 'trigger: tells every backend that the state changed';
COMMENT ON COLUMN chat_v11.rollout_state.bucketing IS 'how ids are hashed: the setting of that name at the first start, frozen from then on';
COMMENT ON FUNCTION chat_v11.record(text, text, uuid, uuid, double precision, timestamptz) IS
	'stores one event in the caller''s own transaction; without p_cohort it is the one that p_actor is in now; ERR_INVALID_ARGUMENT names what is wrong';
