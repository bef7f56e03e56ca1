-- Limits of recovery, asked for in the path of a request.

-- When each dialog had its last full state, in two tables that take turns and are emptied: no row is ever deleted one by
-- one.  Not in a dump: after a restore every dialog may have one.  A row is updated in place, within its page.
CREATE TABLE chat_v11.full_state_0 (
	dialog uuid NOT NULL PRIMARY KEY,
	admitted_at timestamptz NOT NULL
) USING heap WITH (fillfactor = 90);
CREATE TABLE chat_v11.full_state_1 (
	dialog uuid NOT NULL PRIMARY KEY,
	admitted_at timestamptz NOT NULL
) USING heap WITH (fillfactor = 90);

-- A subscriber has admissions of its own: rows that a publication of all tables brings are passed over.
CREATE FUNCTION chat_v11.keep_own() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_keep_own' LANGUAGE C;
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.full_state_0
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.full_state_0
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.full_state_1
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.full_state_1
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.full_state_0 ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.full_state_0 ENABLE ALWAYS TRIGGER "10_refuse_truncate";
ALTER TABLE chat_v11.full_state_1 ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.full_state_1 ENABLE ALWAYS TRIGGER "10_refuse_truncate";

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
