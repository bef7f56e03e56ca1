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
