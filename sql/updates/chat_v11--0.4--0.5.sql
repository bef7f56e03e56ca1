\echo Use "ALTER EXTENSION chat_v11 UPDATE TO '0.5'" to load this file. \quit

-- 0.4 to 0.5: incidents, preflight, recovery limits.

-- What is there already keeps the rights that it has.
SELECT pg_catalog.set_config('chat_v11_update.members', (SELECT pg_catalog.array_agg(d.objid)::text
	FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = 'chat_v11'
	AND d.deptype = 'e'), true);

-- Preflight, the roster, and the records of a decision.

CREATE TABLE chat_v11.oncall (
	role text NOT NULL PRIMARY KEY CHECK (role IN ('IC', 'Backend', 'SRE', 'Frontend', 'Scribe')),
	person text,
	since timestamptz NOT NULL,
	assigned_by text NOT NULL,
	history_id bigint REFERENCES chat_v11.rollout_history (id)
);
CREATE TRIGGER "10_serialize" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.oncall
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_guard" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.oncall
	FOR EACH ROW EXECUTE FUNCTION chat_v11.config_guard();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.oncall
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.oncall ENABLE ALWAYS TRIGGER "10_serialize";
ALTER TABLE chat_v11.oncall ENABLE ALWAYS TRIGGER "20_guard";
ALTER TABLE chat_v11.oncall ENABLE ALWAYS TRIGGER "10_refuse_truncate";
SELECT pg_catalog.pg_extension_config_dump('chat_v11.oncall', '');

CREATE FUNCTION chat_v11.assign_oncall(p_role text, p_person text) RETURNS chat_v11.oncall
	AS 'MODULE_PATHNAME', 'chat_v11_assign_oncall' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.preflight(p_target_stage text DEFAULT NULL) RETURNS TABLE (name text, ok boolean, detail text,
		what_to_do text)
	AS 'MODULE_PATHNAME', 'chat_v11_preflight' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.assert_gate(p_target_stage text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_assert_gate' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.go_no_go(p_target_stage text DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_go_no_go' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp
	SET intervalstyle = 'postgres' SET datestyle = 'ISO' SET timezone = 'UTC' SET extra_float_digits = 1;

CREATE FUNCTION chat_v11.decision_log(p_format text DEFAULT 'markdown') RETURNS SETOF text
	AS 'MODULE_PATHNAME', 'chat_v11_decision_log' LANGUAGE C STABLE
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

COMMENT ON FUNCTION chat_v11.assign_oncall(text, text) IS
	'(operator) puts somebody on call, null for nobody: IC, Backend, SRE, Frontend, Scribe; logged; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.preflight(text) IS
	'(operator) one row a precondition of a start: what holds, what does not, what to do; with a self-test of the P0 gate';
COMMENT ON FUNCTION chat_v11.assert_gate(text) IS
	'(reader) raises what a promotion to that stage would be refused with now, and changes nothing: a gate for CI';
COMMENT ON FUNCTION chat_v11.go_no_go(text) IS '(reader) Markdown: the record of one decision, filled in';
COMMENT ON FUNCTION chat_v11.decision_log(text) IS
	'(reader) the whole decision log, a line a row, as markdown, csv or jsonl; ERR_INVALID_ARGUMENT';
COMMENT ON TABLE chat_v11.oncall IS 'who is on call, by role; change it by assign_oncall()';
COMMENT ON COLUMN chat_v11.oncall.role IS 'IC, Backend, SRE, Frontend or Scribe; fixed';
COMMENT ON COLUMN chat_v11.oncall.person IS 'a name, at most 256 bytes; null for nobody';
COMMENT ON COLUMN chat_v11.oncall.since IS 'since when, by the rule clock';
COMMENT ON COLUMN chat_v11.oncall.assigned_by IS 'session role that did it';
COMMENT ON COLUMN chat_v11.oncall.history_id IS 'row of the log that made this content';
