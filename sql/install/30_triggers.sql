-- Enforcement stands on the tables.  Names begin with a number because PostgreSQL fires triggers in the order of their
-- names, and the log must be written before the foreign key is looked at.

CREATE FUNCTION chat_v11.rollout_serialize() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_rollout_serialize' LANGUAGE C
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
CREATE FUNCTION chat_v11.rollout_decide() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_rollout_decide' LANGUAGE C
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp SET intervalstyle = 'postgres';
CREATE FUNCTION chat_v11.rollout_log() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_rollout_log' LANGUAGE C
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
CREATE FUNCTION chat_v11.history_guard() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_history_guard' LANGUAGE C
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
CREATE FUNCTION chat_v11.config_guard() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_config_guard' LANGUAGE C
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp
	SET intervalstyle = 'postgres' SET datestyle = 'ISO' SET timezone = 'UTC' SET extra_float_digits = 1;
CREATE FUNCTION chat_v11.refuse_write() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_refuse_write' LANGUAGE C;
CREATE FUNCTION chat_v11.refuse_young_delete() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_refuse_young_delete' LANGUAGE C;

CREATE TRIGGER "10_serialize" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.rollout_state
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_decide" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.rollout_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.rollout_decide();
CREATE TRIGGER "30_log" AFTER INSERT OR UPDATE ON chat_v11.rollout_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.rollout_log();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.rollout_state
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
-- Also in a session that replays somebody else's changes.
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "10_serialize";
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "20_decide";
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "30_log";
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "10_refuse_truncate";

CREATE TRIGGER "10_serialize" BEFORE INSERT ON chat_v11.rollout_history
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_guard" BEFORE INSERT ON chat_v11.rollout_history
	FOR EACH ROW EXECUTE FUNCTION chat_v11.history_guard();
-- Also for what a subscription brings: an entry whose id is taken here must not stop it.
ALTER TABLE chat_v11.rollout_history ENABLE ALWAYS TRIGGER "20_guard";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.rollout_history
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();

-- Thresholds turn gates, so their guards stand as the state's do.
CREATE TRIGGER "10_serialize" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.stage_policy
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_guard" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.stage_policy
	FOR EACH ROW EXECUTE FUNCTION chat_v11.config_guard();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.stage_policy
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.stage_policy ENABLE ALWAYS TRIGGER "10_serialize";
ALTER TABLE chat_v11.stage_policy ENABLE ALWAYS TRIGGER "20_guard";
ALTER TABLE chat_v11.stage_policy ENABLE ALWAYS TRIGGER "10_refuse_truncate";

CREATE TRIGGER "10_serialize" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.gate_check
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_guard" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.gate_check
	FOR EACH ROW EXECUTE FUNCTION chat_v11.config_guard();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.gate_check
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.gate_check ENABLE ALWAYS TRIGGER "10_serialize";
ALTER TABLE chat_v11.gate_check ENABLE ALWAYS TRIGGER "20_guard";
ALTER TABLE chat_v11.gate_check ENABLE ALWAYS TRIGGER "10_refuse_truncate";

CREATE TRIGGER "10_serialize" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.setting
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_guard" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.setting
	FOR EACH ROW EXECUTE FUNCTION chat_v11.config_guard();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.setting
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.setting ENABLE ALWAYS TRIGGER "10_serialize";
ALTER TABLE chat_v11.setting ENABLE ALWAYS TRIGGER "20_guard";
ALTER TABLE chat_v11.setting ENABLE ALWAYS TRIGGER "10_refuse_truncate";

CREATE TRIGGER "10_serialize" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.attestation
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.rollout_serialize();
CREATE TRIGGER "20_guard" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.attestation
	FOR EACH ROW EXECUTE FUNCTION chat_v11.config_guard();
CREATE TRIGGER "10_refuse_truncate" BEFORE TRUNCATE ON chat_v11.attestation
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.attestation ENABLE ALWAYS TRIGGER "10_serialize";
ALTER TABLE chat_v11.attestation ENABLE ALWAYS TRIGGER "20_guard";
ALTER TABLE chat_v11.attestation ENABLE ALWAYS TRIGGER "10_refuse_truncate";

-- Events come and are never changed; their files are given up by the fold alone.
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_0
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_0 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_1
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_1 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_2
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_2 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_3
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_3 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_4
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_4 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_5
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_5 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_6
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_6 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR DELETE OR TRUNCATE ON chat_v11.event_7
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
ALTER TABLE chat_v11.event_7 ENABLE ALWAYS TRIGGER "10_refuse_rewrite";

-- What the events add up to is written by the fold, and by a restore.  Not ALWAYS: subscriptions bring other nodes' rows.
CREATE FUNCTION chat_v11.fold_only() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_fold_only' LANGUAGE C;
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.metric_bucket
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.write_bucket
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.write_0
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.write_1
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.write_2
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.pending_write
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.fold_state
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();

-- Whoever could add a row could make a stage look quiet.
CREATE FUNCTION chat_v11.own_only() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_own_only' LANGUAGE C;
CREATE TRIGGER "05_own_only" BEFORE INSERT ON chat_v11.gate_log
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.own_only();
ALTER TABLE chat_v11.gate_log ENABLE ALWAYS TRIGGER "05_own_only";
CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR TRUNCATE ON chat_v11.gate_log
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
CREATE TRIGGER "20_keep_young" BEFORE DELETE ON chat_v11.gate_log
	FOR EACH ROW EXECUTE FUNCTION chat_v11.refuse_young_delete();
ALTER TABLE chat_v11.gate_log ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
ALTER TABLE chat_v11.gate_log ENABLE ALWAYS TRIGGER "20_keep_young";
