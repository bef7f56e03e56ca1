-- An installation that was updated is the same as a fresh one, and keeps what it had.
\set VERBOSITY terse
\getenv abs_srcdir PG_ABS_SRCDIR
SET client_min_messages = error;
CREATE ROLE regress_up_reader; CREATE ROLE regress_up_reporter; CREATE ROLE regress_up_admin; CREATE ROLE regress_up_by_hand;

-- Everything of the extension that a catalog knows, in words that no oid is in.
CREATE SCHEMA upgrade;
CREATE FUNCTION upgrade.catalog() RETURNS TABLE (thing text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY
	WITH member AS (
		SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		WHERE e.extname = 'chat_v11' AND d.deptype = 'e'
	), relation AS (
		SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'chat_v11'
	)
	SELECT 'member ' || pg_describe_object(classid, objid, 0) FROM member
	UNION ALL SELECT 'function ' || pg_get_functiondef(p.oid) || coalesce(' acl ' || (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(p.proacl) a), '')
		FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid WHERE p.prokind <> 'a'
	UNION ALL SELECT 'aggregate ' || p.oid::regprocedure || a.aggtransfn || a.aggfinalfn || a.aggcombinefn || a.aggtranstype::regtype || coalesce(p.proacl::text, '')
		|| p.proparallel::text || coalesce(a.agginitval, '') FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN member m ON m.objid = p.oid
	UNION ALL SELECT format('relation %s kind %s am %s options %s persistence %s replica identity %s acl %s owner %s', c.relname, c.relkind, a.amname, c.reloptions, c.relpersistence, c.relreplident,
		(SELECT string_agg(x::text, ',' ORDER BY x::text) FROM unnest(c.relacl) x), c.relowner::regrole) FROM relation c LEFT JOIN pg_am a ON a.oid = c.relam
	UNION ALL SELECT format('column %s %s %s %s notnull %s default %s storage %s stats %s', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
		pg_get_expr(d.adbin, d.adrelid), a.attstorage, a.attstattarget) FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	UNION ALL SELECT 'index ' || pg_get_indexdef(c.oid) FROM relation c WHERE c.relkind = 'i'
	UNION ALL SELECT format('constraint %s %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k JOIN relation c ON c.oid = k.conrelid
	UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) || t.tgenabled::text FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
	UNION ALL SELECT format('comment %s %s', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description) FROM pg_description d
		LEFT JOIN member m ON m.classid = d.classoid AND m.objid = d.objoid LEFT JOIN relation c ON d.classoid = 'pg_class'::regclass AND c.oid = d.objoid
		WHERE m.objid IS NOT NULL OR c.oid IS NOT NULL
	UNION ALL SELECT format('type %s %s %s %s %s', t.typname, t.typlen, t.typalign, t.typstorage, t.typacl) FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION ALL SELECT format('dump %s %s', conf::regclass, cond) FROM pg_extension e, unnest(e.extconfig, e.extcondition) x(conf, cond) WHERE e.extname = 'chat_v11'
	UNION ALL SELECT 'version ' || extversion FROM pg_extension WHERE extname = 'chat_v11'
	UNION ALL SELECT format('rows of %s: %s', t, r) FROM (
		SELECT 'gate_check' t, (to_jsonb(g) - 'history_id')::text r FROM chat_v11.gate_check g WHERE g.name <> 'write_reject_compare' UNION ALL SELECT 'stage_policy', s::text FROM chat_v11.stage_policy s
		UNION ALL SELECT 'setting', s::text FROM chat_v11.setting s) x;
END
$$;

-- Default privileges that hand out whatever is made: neither installation lets them.
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO regress_up_by_hand;
CREATE EXTENSION chat_v11;
SELECT chat_v11.grant_access(role::regrole, level) FROM (VALUES ('regress_up_reader', 'reader'), ('regress_up_reporter', 'reporter'), ('regress_up_admin', 'admin')) g(role, level);
GRANT INSERT ON chat_v11.event TO regress_up_by_hand;
CREATE TABLE upgrade.fresh AS SELECT * FROM upgrade.catalog();
DROP EXTENSION chat_v11;

-- Each released version.
\set body :abs_srcdir '/sql/include/update_from.sql'
\set released 0.1
\i :body
\set released 0.2
\i :body
\set released 0.3
\i :body
\set released 0.4
\i :body
\set released 0.5
\i :body

-- A row that somebody has changed before there were comparisons gets what nobody can set by hand, and the log tells it.
CREATE EXTENSION chat_v11 VERSION '0.5';
ALTER TABLE chat_v11.gate_check DISABLE TRIGGER "20_guard";
UPDATE chat_v11.gate_check SET enabled = false, zero_ok = name = 'recovery_p95_ms' WHERE judge <> 'limit';
ALTER TABLE chat_v11.gate_check ENABLE ALWAYS TRIGGER "20_guard";
SELECT (chat_v11.set_check('err_resync_throttled_baseline', p_on_fail => 'advise', p_note => 'before there was one')).zero_ok;
ALTER EXTENSION chat_v11 UPDATE;
SELECT name, enabled, on_fail, zero_ok FROM chat_v11.gate_check WHERE judge = 'baseline' ORDER BY ordinal;
SELECT changed_by = current_user AS mine, note, change->'new'->>'zero_ok' AS zero_ok FROM chat_v11.rollout_history WHERE change->>'key' = 'err_resync_throttled_baseline' ORDER BY id;
SELECT count(*) AS rows_that_do_not_fit FROM chat_v11.verify_history();
DROP EXTENSION chat_v11 CASCADE;

DROP SCHEMA upgrade CASCADE;
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM regress_up_by_hand;
DROP ROLE regress_up_reader, regress_up_reporter, regress_up_admin, regress_up_by_hand;
