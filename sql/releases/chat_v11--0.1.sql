\echo Use "CREATE EXTENSION chat_v11" to load this file. \quit

-- chat_v11: canary rollout of chat protocol v1.1.  Assembled from the modules in sql/install; edit those.
-- Types of the telemetry: one byte each, entered and shown by name.  They are types of their own, not enums, so that a
-- name that is none is refused with the house's token, and so that a row stays small.

CREATE SCHEMA chat_v11;

CREATE TYPE chat_v11.event_kind;
CREATE FUNCTION chat_v11.event_kind_in(pg_catalog.cstring) RETURNS chat_v11.event_kind
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_out(chat_v11.event_kind) RETURNS pg_catalog.cstring
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_recv(pg_catalog.internal) RETURNS chat_v11.event_kind
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_send(chat_v11.event_kind) RETURNS pg_catalog.bytea
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE chat_v11.event_kind (
	INPUT = chat_v11.event_kind_in,
	OUTPUT = chat_v11.event_kind_out,
	RECEIVE = chat_v11.event_kind_recv,
	SEND = chat_v11.event_kind_send,
	INTERNALLENGTH = 1,
	PASSEDBYVALUE,
	ALIGNMENT = "char",
	STORAGE = plain
);
COMMENT ON TYPE chat_v11.event_kind IS 'what happened; ordered as documented';

-- One byte is one byte: PostgreSQL's own comparisons of "char" serve.
CREATE FUNCTION chat_v11.event_kind_eq(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'chareq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_ne(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_lt(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charlt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_le(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charle' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_gt(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'chargt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_ge(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charge' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_cmp(chat_v11.event_kind, chat_v11.event_kind) RETURNS integer
	AS 'btcharcmp' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_hash(chat_v11.event_kind) RETURNS integer
	AS 'hashchar' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE OPERATOR chat_v11.= (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_eq,
	COMMUTATOR = OPERATOR(chat_v11.=), NEGATOR = OPERATOR(chat_v11.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR chat_v11.<> (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_ne,
	COMMUTATOR = OPERATOR(chat_v11.<>), NEGATOR = OPERATOR(chat_v11.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR chat_v11.< (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_lt,
	COMMUTATOR = OPERATOR(chat_v11.>), NEGATOR = OPERATOR(chat_v11.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR chat_v11.<= (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_le,
	COMMUTATOR = OPERATOR(chat_v11.>=), NEGATOR = OPERATOR(chat_v11.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR chat_v11.> (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_gt,
	COMMUTATOR = OPERATOR(chat_v11.<), NEGATOR = OPERATOR(chat_v11.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR chat_v11.>= (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_ge,
	COMMUTATOR = OPERATOR(chat_v11.<=), NEGATOR = OPERATOR(chat_v11.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR CLASS chat_v11.event_kind_ops DEFAULT FOR TYPE chat_v11.event_kind USING btree AS
	OPERATOR 1 chat_v11.<, OPERATOR 2 chat_v11.<=, OPERATOR 3 chat_v11.=, OPERATOR 4 chat_v11.>=, OPERATOR 5 chat_v11.>,
	FUNCTION 1 chat_v11.event_kind_cmp(chat_v11.event_kind, chat_v11.event_kind);
CREATE OPERATOR CLASS chat_v11.event_kind_hash_ops DEFAULT FOR TYPE chat_v11.event_kind USING hash AS
	OPERATOR 1 chat_v11.=,
	FUNCTION 1 chat_v11.event_kind_hash(chat_v11.event_kind);

CREATE TYPE chat_v11.cohort;
CREATE FUNCTION chat_v11.cohort_in(pg_catalog.cstring) RETURNS chat_v11.cohort
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_out(chat_v11.cohort) RETURNS pg_catalog.cstring
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_recv(pg_catalog.internal) RETURNS chat_v11.cohort
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_send(chat_v11.cohort) RETURNS pg_catalog.bytea
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE chat_v11.cohort (
	INPUT = chat_v11.cohort_in,
	OUTPUT = chat_v11.cohort_out,
	RECEIVE = chat_v11.cohort_recv,
	SEND = chat_v11.cohort_send,
	INTERNALLENGTH = 1,
	PASSEDBYVALUE,
	ALIGNMENT = "char",
	STORAGE = plain
);
COMMENT ON TYPE chat_v11.cohort IS 'v11 is the canary, v10 its control; ordered as documented';

-- One byte is one byte: PostgreSQL's own comparisons of "char" serve.
CREATE FUNCTION chat_v11.cohort_eq(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'chareq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_ne(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_lt(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charlt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_le(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charle' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_gt(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'chargt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_ge(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charge' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_cmp(chat_v11.cohort, chat_v11.cohort) RETURNS integer
	AS 'btcharcmp' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_hash(chat_v11.cohort) RETURNS integer
	AS 'hashchar' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE OPERATOR chat_v11.= (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_eq,
	COMMUTATOR = OPERATOR(chat_v11.=), NEGATOR = OPERATOR(chat_v11.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR chat_v11.<> (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_ne,
	COMMUTATOR = OPERATOR(chat_v11.<>), NEGATOR = OPERATOR(chat_v11.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR chat_v11.< (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_lt,
	COMMUTATOR = OPERATOR(chat_v11.>), NEGATOR = OPERATOR(chat_v11.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR chat_v11.<= (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_le,
	COMMUTATOR = OPERATOR(chat_v11.>=), NEGATOR = OPERATOR(chat_v11.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR chat_v11.> (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_gt,
	COMMUTATOR = OPERATOR(chat_v11.<), NEGATOR = OPERATOR(chat_v11.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR chat_v11.>= (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_ge,
	COMMUTATOR = OPERATOR(chat_v11.<=), NEGATOR = OPERATOR(chat_v11.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR CLASS chat_v11.cohort_ops DEFAULT FOR TYPE chat_v11.cohort USING btree AS
	OPERATOR 1 chat_v11.<, OPERATOR 2 chat_v11.<=, OPERATOR 3 chat_v11.=, OPERATOR 4 chat_v11.>=, OPERATOR 5 chat_v11.>,
	FUNCTION 1 chat_v11.cohort_cmp(chat_v11.cohort, chat_v11.cohort);
CREATE OPERATOR CLASS chat_v11.cohort_hash_ops DEFAULT FOR TYPE chat_v11.cohort USING hash AS
	OPERATOR 1 chat_v11.=,
	FUNCTION 1 chat_v11.cohort_hash(chat_v11.cohort);

-- The operators are found only with chat_v11 in the search_path.  As texts the names compare from anywhere, so that
-- `where kind = 'write_ack'` works as it is typed.
CREATE CAST (chat_v11.event_kind AS text) WITH INOUT AS IMPLICIT;
CREATE CAST (chat_v11.cohort AS text) WITH INOUT AS IMPLICIT;
-- What is stored.  Nothing here is written by hand in daily work; whoever does meets the triggers of 30_triggers.sql.

CREATE FUNCTION chat_v11.clock() RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'chat_v11_clock' LANGUAGE C VOLATILE PARALLEL RESTRICTED;

-- Decision log.  The columns stand in the order in which they are hashed.
CREATE TABLE chat_v11.rollout_history (
	id bigint NOT NULL PRIMARY KEY CHECK (id > 0),
	changed_at timestamptz NOT NULL,
	transition text NOT NULL
		CHECK (transition IN ('start', 'promote', 'hold', 'rollback', 'kill', 'resume', 're-kill', 'config')),
	from_stage text NOT NULL CHECK (from_stage IN ('canary_1', 'canary_10', 'canary_50', 'full')),
	to_stage text NOT NULL CHECK (to_stage IN ('canary_1', 'canary_10', 'canary_50', 'full')),
	from_kill_switch boolean NOT NULL,
	to_kill_switch boolean NOT NULL,
	decision text CHECK (decision IN ('PROCEED', 'HOLD', 'ROLLBACK')),
	approved_by text NOT NULL,
	changed_by text NOT NULL,
	note text,
	version bigint NOT NULL CHECK (version >= 0),
	overridden boolean NOT NULL,
	mock_clock boolean NOT NULL,
	gates jsonb,
	change jsonb,
	prev_hash bytea NOT NULL CHECK (pg_catalog.length(prev_hash) = 32),
	hash bytea NOT NULL CHECK (pg_catalog.length(hash) = 32),
	CHECK ((transition = 'config') = (decision IS NULL) AND (transition = 'config') = (change IS NOT NULL))
);

CREATE INDEX rollout_history_config ON chat_v11.rollout_history ((change->>'table'), (change->>'key'), id)
	WHERE transition = 'config';

-- The present state: one row at most.  Its foreign key makes a dump restore the log first.
CREATE TABLE chat_v11.rollout_state (
	singleton boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (singleton),
	stage text NOT NULL CHECK (stage IN ('canary_1', 'canary_10', 'canary_50', 'full')),
	kill_switch boolean NOT NULL,
	version bigint NOT NULL CHECK (version > 0),
	started_at timestamptz,
	entered_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	updated_by text NOT NULL,
	note text,
	overridden boolean NOT NULL DEFAULT false,
	history_id bigint NOT NULL REFERENCES chat_v11.rollout_history (id),
	CHECK (NOT kill_switch OR stage = 'canary_1')
);

-- Policy, checks, settings and attestations: history_id names the log's row that made the present content, and is
-- null while a row is as installed.
CREATE TABLE chat_v11.stage_policy (
	stage text NOT NULL PRIMARY KEY,
	percent integer NOT NULL,
	min_duration interval NOT NULL CHECK (min_duration >= '0' AND min_duration <= '366 days'),
	max_duration interval CHECK (max_duration >= min_duration AND max_duration <= '3660 days'),
	min_samples bigint NOT NULL CHECK (min_samples >= 0),
	quiet_period interval NOT NULL CHECK (quiet_period >= '0' AND quiet_period <= '1 day'),
	history_id bigint REFERENCES chat_v11.rollout_history (id),
	CHECK ((stage, percent) IN (('canary_1', 1), ('canary_10', 10), ('canary_50', 50), ('full', 100)))
);

CREATE TABLE chat_v11.gate_check (
	name text NOT NULL PRIMARY KEY,
	ordinal integer NOT NULL,
	gate text NOT NULL,
	metric text,
	judge text NOT NULL,
	limit_value float8,
	min_samples bigint NOT NULL,
	enabled boolean NOT NULL,
	on_fail text NOT NULL,
	zero_ok boolean NOT NULL,
	history_id bigint REFERENCES chat_v11.rollout_history (id)
);

CREATE TABLE chat_v11.setting (
	name text NOT NULL PRIMARY KEY,
	value text NOT NULL,
	history_id bigint REFERENCES chat_v11.rollout_history (id)
);

CREATE TABLE chat_v11.attestation (
	what text NOT NULL PRIMARY KEY,
	ref text NOT NULL,
	ok boolean NOT NULL,
	attested_at timestamptz NOT NULL,
	attested_by text NOT NULL,
	history_id bigint REFERENCES chat_v11.rollout_history (id)
);

CREATE FUNCTION chat_v11.default_stage_policy(OUT stage text, OUT percent integer, OUT min_duration interval,
	OUT max_duration interval, OUT min_samples bigint, OUT quiet_period interval) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'chat_v11_default_stage_policy' LANGUAGE C IMMUTABLE;
CREATE FUNCTION chat_v11.default_gate_check(OUT name text, OUT ordinal integer, OUT gate text, OUT metric text,
	OUT judge text, OUT limit_value float8, OUT min_samples bigint, OUT enabled boolean, OUT on_fail text,
	OUT zero_ok boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'chat_v11_default_gate_check' LANGUAGE C IMMUTABLE;
CREATE FUNCTION chat_v11.default_setting(OUT name text, OUT value text, OUT meaning text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'chat_v11_default_setting' LANGUAGE C IMMUTABLE;

INSERT INTO chat_v11.stage_policy SELECT d.* FROM chat_v11.default_stage_policy() d;
INSERT INTO chat_v11.gate_check SELECT d.* FROM chat_v11.default_gate_check() d;
INSERT INTO chat_v11.setting SELECT d.name, d.value FROM chat_v11.default_setting() d;

-- Events: insert only.  No column is NOT NULL, so that the check names the field in the house's own words.
CREATE FUNCTION chat_v11.check_event(timestamptz, chat_v11.event_kind, chat_v11.cohort, uuid, uuid, float8) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_check_event' LANGUAGE C STABLE PARALLEL SAFE;

CREATE TABLE chat_v11.event (
	at timestamptz DEFAULT chat_v11.clock(),
	kind chat_v11.event_kind,
	cohort chat_v11.cohort,
	actor uuid,
	subject uuid,
	value float8,
	CONSTRAINT event_is_sound CHECK (chat_v11.check_event(at, kind, cohort, actor, subject, value))
);
CREATE INDEX event_kind_at ON chat_v11.event (kind, at);
CREATE INDEX event_write ON chat_v11.event (subject, kind, at) 
	WHERE kind OPERATOR(chat_v11.=) 'write_ack' OR kind OPERATOR(chat_v11.=) 'write_receipt';

CREATE TABLE chat_v11.gate_log (
	at timestamptz NOT NULL,
	version bigint NOT NULL,
	stage text NOT NULL,
	kill_switch boolean NOT NULL,
	decision text,
	mock_clock boolean NOT NULL,
	gates jsonb NOT NULL
);
CREATE INDEX gate_log_at ON chat_v11.gate_log (at);

-- What a dump carries.  Rows as installed are left out: the restored extension has its own.
SELECT pg_catalog.pg_extension_config_dump('chat_v11.rollout_history', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.rollout_state', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.stage_policy', 'WHERE history_id IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.gate_check', 'WHERE history_id IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.setting', 'WHERE history_id IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.attestation', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.event', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.gate_log', '');
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

CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR TRUNCATE ON chat_v11.event
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
CREATE TRIGGER "20_keep_young" BEFORE DELETE ON chat_v11.event
	FOR EACH ROW EXECUTE FUNCTION chat_v11.refuse_young_delete();
ALTER TABLE chat_v11.event ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
ALTER TABLE chat_v11.event ENABLE ALWAYS TRIGGER "20_keep_young";

CREATE TRIGGER "10_refuse_rewrite" BEFORE UPDATE OR TRUNCATE ON chat_v11.gate_log
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.refuse_write();
CREATE TRIGGER "20_keep_young" BEFORE DELETE ON chat_v11.gate_log
	FOR EACH ROW EXECUTE FUNCTION chat_v11.refuse_young_delete();
ALTER TABLE chat_v11.gate_log ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
ALTER TABLE chat_v11.gate_log ENABLE ALWAYS TRIGGER "20_keep_young";
-- Telemetry: ways in, and the plain reading of what came in.  The gates read it through src/pg/telemetry.hpp only.

CREATE FUNCTION chat_v11.record(p_kind text, p_cohort text, p_actor uuid DEFAULT NULL, p_subject uuid DEFAULT NULL,
	p_value float8 DEFAULT NULL, p_at timestamptz DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_record' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.record_batch(p_events jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_record_batch' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.write_key(p_actor uuid, p_device text, p_client_write_seq bigint) RETURNS uuid
	AS 'MODULE_PATHNAME', 'chat_v11_write_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.maturity_delay() RETURNS interval
	AS 'MODULE_PATHNAME', 'chat_v11_maturity_delay' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Writes that became mature in (p_from, p_to], each with what is known of it at p_to.
CREATE FUNCTION chat_v11.settled_writes(p_from timestamptz, p_to timestamptz, p_delay interval)
	RETURNS TABLE (subject uuid, actor uuid, cohort chat_v11.cohort, acked_at timestamptz, settled_at timestamptz,
		receipt_at timestamptz, in_time boolean, duration_ms float8)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, chat_v11, pg_temp
	AS $sql$
	SELECT w.subject, a.actor, a.cohort, a.at, a.at + p_delay, r.at,
		coalesce(r.at <= a.at + interval '10 seconds', false),
		CASE
			WHEN r.at IS NULL THEN (extract(epoch FROM p_to - a.at) * 1000)::float8
			ELSE coalesce(r.value, greatest(0, extract(epoch FROM r.at - a.at) * 1000)::float8)
		END
	FROM (
		SELECT DISTINCT e.subject FROM chat_v11.event e
		WHERE e.kind = 'write_ack' AND e.at > p_from - p_delay AND e.at <= p_to - p_delay
	) w
	CROSS JOIN LATERAL (
		SELECT e.at, e.actor, e.cohort FROM chat_v11.event e
		WHERE e.subject = w.subject AND e.kind = 'write_ack'
		ORDER BY e.at, e.cohort LIMIT 1
	) a
	LEFT JOIN LATERAL (
		SELECT e.at, e.value FROM chat_v11.event e
		WHERE e.subject = w.subject AND e.kind = 'write_receipt' AND e.at <= p_to
		ORDER BY e.at, e.value LIMIT 1
	) r ON true
	WHERE a.at > p_from - p_delay
	$sql$;

CREATE FUNCTION chat_v11.metrics(p_from timestamptz, p_to timestamptz)
	RETURNS TABLE (metric text, cohort text, value float8, numerator bigint, denominator bigint)
	AS 'MODULE_PATHNAME', 'chat_v11_metrics' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.missing_receipts(p_limit integer DEFAULT 50)
	RETURNS TABLE (key uuid, actor uuid, acked_at timestamptz, waited interval, late_receipt_at timestamptz)
	LANGUAGE sql STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp
	AS $sql$
	SELECT w.subject, w.actor, w.acked_at, coalesce(w.receipt_at, t.now) - w.acked_at, w.receipt_at
	FROM (SELECT chat_v11.clock() AS now) t
	CROSS JOIN LATERAL chat_v11.settled_writes(t.now - interval '24 hours', t.now, chat_v11.maturity_delay()) w
	WHERE NOT w.in_time AND w.cohort = 'v11'
	ORDER BY w.acked_at DESC, w.subject
	LIMIT least(greatest(coalesce(p_limit, 50), 1), 500)
	$sql$;
-- The four calls, and what explains them.

CREATE TYPE chat_v11.rollout_state_answer AS (
	stage text,
	kill_switch boolean,
	rollout_percent integer,
	version bigint,
	note text,
	updated_at timestamptz,
	updated_by text,
	entered_at timestamptz,
	next_stage text,
	earliest_promote_at timestamptz,
	overdue boolean,
	gate_p0_ok boolean,
	gate_p1_ok boolean,
	gate_rollout_ok boolean,
	rollout_decision text,
	next_step text,
	overridden boolean,
	started_at timestamptz,
	mock_clock boolean
);

CREATE TYPE chat_v11.release_gates_answer AS (
	rollout_decision text,
	gate_p0_ok boolean,
	gate_p1_ok boolean,
	gate_rollout_ok boolean,
	reasons text[],
	stage text,
	kill_switch boolean,
	ack_without_receipt_10s_rate float8,
	timeline_duplicate_detected_rate float8,
	read_rollback_detected_rate float8,
	send_stall_rate float8,
	write_receipt_p95_ms float8,
	write_reject_rate float8,
	forced_resync_rate float8,
	full_state_rate float8,
	err_resync_range_unavailable_rate float8,
	err_resync_throttled_rate float8,
	mature_writes bigint,
	data_age interval,
	window_start timestamptz,
	evaluated_at timestamptz,
	mock_clock boolean,
	overridden boolean,
	disabled_checks text[]
);

CREATE TYPE chat_v11.check_answer AS (
	gate text,
	check_name text,
	status text,
	enabled boolean,
	value float8,
	limit_value float8,
	numerator bigint,
	denominator bigint,
	control_value float8,
	data_age interval,
	on_fail text,
	reason text,
	what_to_do text,
	rollout_decision text
);

CREATE FUNCTION public.chat_set_v11_rollout_state(p_stage text, p_kill_switch boolean, p_note text DEFAULT NULL,
	p_approved_by text DEFAULT NULL, p_expected_version bigint DEFAULT NULL) RETURNS chat_v11.rollout_state_answer
	AS 'MODULE_PATHNAME', 'chat_v11_set_rollout_state' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.force_rollout_state(p_stage text, p_kill_switch boolean, p_note text, p_approved_by text)
	RETURNS chat_v11.rollout_state_answer
	AS 'MODULE_PATHNAME', 'chat_v11_force_rollout_state' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION public.chat_get_v11_rollout_state() RETURNS chat_v11.rollout_state_answer
	AS 'MODULE_PATHNAME', 'chat_v11_get_rollout_state' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION public.chat_get_v11_release_gates() RETURNS chat_v11.release_gates_answer
	AS 'MODULE_PATHNAME', 'chat_v11_get_release_gates' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION public.chat_get_v11_rollout_history(p_limit integer DEFAULT 50) RETURNS SETOF chat_v11.rollout_history
	LANGUAGE sql STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp
	AS $sql$
	SELECT h.* FROM chat_v11.rollout_history h
	ORDER BY h.id DESC LIMIT least(greatest(coalesce(p_limit, 50), 1), 500)
	$sql$;

CREATE FUNCTION chat_v11.explain_gates() RETURNS SETOF chat_v11.check_answer
	AS 'MODULE_PATHNAME', 'chat_v11_explain_gates' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.explain_gates(p_at timestamptz) RETURNS SETOF chat_v11.check_answer
	AS 'MODULE_PATHNAME', 'chat_v11_explain_gates_at' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.what_if(p_overrides jsonb) RETURNS SETOF chat_v11.check_answer
	AS 'MODULE_PATHNAME', 'chat_v11_what_if' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.verify_history(OUT id bigint, OUT reason text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'chat_v11_verify_history' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp
	SET intervalstyle = 'postgres' SET datestyle = 'ISO' SET timezone = 'UTC' SET extra_float_digits = 1;

-- The log as it is hashed: every column as text in the canonical form, for \copy and a verifier outside the database.
CREATE VIEW chat_v11.history_export AS
	SELECT h.id::text AS id,
		pg_catalog.to_char(h.changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS changed_at,
		h.transition, h.from_stage, h.to_stage, h.from_kill_switch::text AS from_kill_switch,
		h.to_kill_switch::text AS to_kill_switch, h.decision, h.approved_by, h.changed_by, h.note,
		h.version::text AS version, h.overridden::text AS overridden, h.mock_clock::text AS mock_clock,
		h.gates::text AS gates, h.change::text AS change,
		pg_catalog.encode(h.prev_hash, 'hex') AS prev_hash, pg_catalog.encode(h.hash, 'hex') AS hash
	FROM chat_v11.rollout_history h ORDER BY h.id;

-- Ways to turn a gate, each logged in the chain.
CREATE FUNCTION chat_v11.set_check(p_check text, p_limit float8 DEFAULT NULL, p_enabled boolean DEFAULT NULL,
	p_on_fail text DEFAULT NULL, p_min_samples bigint DEFAULT NULL, p_note text DEFAULT NULL) RETURNS chat_v11.gate_check
	AS 'MODULE_PATHNAME', 'chat_v11_set_check' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.set_policy(p_stage text, p_min_duration interval DEFAULT NULL,
	p_max_duration interval DEFAULT NULL, p_min_samples bigint DEFAULT NULL, p_quiet_period interval DEFAULT NULL,
	p_note text DEFAULT NULL) RETURNS chat_v11.stage_policy
	AS 'MODULE_PATHNAME', 'chat_v11_set_policy' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.set_setting(p_name text, p_value text, p_note text DEFAULT NULL) RETURNS chat_v11.setting
	AS 'MODULE_PATHNAME', 'chat_v11_set_setting' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.attest(p_what text, p_ref text, p_ok boolean DEFAULT true) RETURNS chat_v11.attestation
	AS 'MODULE_PATHNAME', 'chat_v11_attest' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
-- Rights.  Nothing is open to everybody; a role gets a level.

CREATE FUNCTION chat_v11.grant_access(p_role regrole, p_level text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_grant_access' LANGUAGE C VOLATILE STRICT
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
CREATE FUNCTION chat_v11.revoke_access(p_role regrole, p_level text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_revoke_access' LANGUAGE C VOLATILE STRICT
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

REVOKE ALL ON SCHEMA chat_v11 FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA chat_v11 FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chat_v11 FROM PUBLIC;
REVOKE ALL ON TYPE chat_v11.event_kind, chat_v11.cohort, chat_v11.rollout_state_answer,
	chat_v11.release_gates_answer, chat_v11.check_answer FROM PUBLIC;
REVOKE ALL ON FUNCTION public.chat_set_v11_rollout_state(text, boolean, text, text, bigint),
	public.chat_get_v11_rollout_state(), public.chat_get_v11_release_gates(),
	public.chat_get_v11_rollout_history(integer) FROM PUBLIC;

-- ALTER DEFAULT PRIVILEGES may have handed any of it to roles by name.
CREATE FUNCTION chat_v11.revoke_everything() RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_revoke_everything' LANGUAGE C VOLATILE
	SET search_path = pg_catalog, chat_v11, pg_temp;
REVOKE ALL ON FUNCTION chat_v11.revoke_everything() FROM PUBLIC;
SELECT chat_v11.revoke_everything();
-- What \d+ and \df+ tell: units, ranges, errors.  docs/reference.md says it at length.

COMMENT ON SCHEMA chat_v11 IS 'canary rollout of chat protocol v1.1: state, decision log, gates, telemetry';

-- Functions of daily work.
COMMENT ON FUNCTION public.chat_get_v11_rollout_state() IS
	'present state, one row always; next_step says what blocks or what to type';
COMMENT ON FUNCTION public.chat_get_v11_release_gates() IS
	'the gates now, one row; promote only at PROCEED; why not is in reasons and in chat_v11.explain_gates()';
COMMENT ON FUNCTION public.chat_get_v11_rollout_history(integer) IS
	'decision log, newest first; null is 50, below 1 is 1, above 500 is 500';
COMMENT ON FUNCTION public.chat_set_v11_rollout_state(text, boolean, text, text, bigint) IS
	'start, promote, hold, roll back, kill, resume; a kill is never refused; '
	'ERR_INVALID_ARGUMENT, ERR_INVALID_TRANSITION, ERR_GATE_CLOSED, ERR_VERSION_CONFLICT otherwise';
COMMENT ON FUNCTION chat_v11.force_rollout_state(text, boolean, text, text) IS
	'break-glass: skips gates and dwell, not the order of stages, nor a P0 breach within p0_clear_window; note of 20 '
	'characters or more, approver other than the caller; granted to nobody; ERR_FORBIDDEN, ERR_GATE_CLOSED';
COMMENT ON FUNCTION chat_v11.explain_gates() IS 'the gates now, one row a check, P0 first';
COMMENT ON FUNCTION chat_v11.explain_gates(timestamptz) IS
	'the gates as of a past moment, from the events and the log; ERR_INVALID_ARGUMENT for null, infinity and the future';
COMMENT ON FUNCTION chat_v11.what_if(jsonb) IS
	'the gates now under other limits, nothing is changed; keys: a check, "stage_policy", "settings"; '
	'ERR_INVALID_ARGUMENT for any other';
COMMENT ON FUNCTION chat_v11.verify_history() IS
	'walks the decision log: no row where everything fits, else the first id that does not, and why';
COMMENT ON FUNCTION chat_v11.metrics(timestamptz, timestamptz) IS
	'every metric of both cohorts over (p_from, p_to]; a rate is 0..1, null where its denominator is 0';
COMMENT ON FUNCTION chat_v11.missing_receipts(integer) IS
	'v11 writes of the last 24 h without a receipt in 10 s, newest first; null is 50, at least 1, at most 500';
COMMENT ON FUNCTION chat_v11.record(text, text, uuid, uuid, double precision, timestamptz) IS
	'stores one event in the caller''s own transaction; ERR_INVALID_ARGUMENT names what is wrong';
COMMENT ON FUNCTION chat_v11.record_batch(jsonb) IS
	'stores an array of events, all or nothing, and returns how many; ERR_INVALID_ARGUMENT names index and field';
COMMENT ON FUNCTION chat_v11.write_key(uuid, text, bigint) IS
	'key of a write without a uuid of its own: the same uuid for the same actor, device and client_write_seq';
COMMENT ON FUNCTION chat_v11.set_check(text, double precision, boolean, text, bigint, text) IS
	'changes a check and logs it; null leaves a field as it is; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.set_policy(text, interval, interval, bigint, interval, text) IS
	'changes a stage''s policy and logs it; null leaves a field as it is; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.set_setting(text, text, text) IS
	'changes a row of chat_v11.setting and logs it; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.attest(text, text, boolean) IS
	'puts on record that something was checked, and logs it; telemetry:KIND lets a check that is marked zero_ok pass '
	'on an empty window';
COMMENT ON FUNCTION chat_v11.grant_access(regrole, text) IS
	'gives a role the level reader, reporter, operator or admin; ERR_INVALID_ARGUMENT for another word';
COMMENT ON FUNCTION chat_v11.revoke_access(regrole, text) IS
	'takes a level and those above it; reader < operator < admin, reporter stands apart';
COMMENT ON FUNCTION chat_v11.clock() IS 'the clock of all rules: the wall clock, or chat_v11.mock_now';

-- Functions behind the scenes.
COMMENT ON FUNCTION chat_v11.maturity_delay() IS
	'from a write''s first ACK until it is judged: 10 s, report_grace and one microsecond';
COMMENT ON FUNCTION chat_v11.settled_writes(timestamptz, timestamptz, interval) IS
	'writes that became mature in (p_from, p_to], with what is known of each at p_to; durations in ms';
COMMENT ON FUNCTION chat_v11.default_stage_policy() IS 'chat_v11.stage_policy as installed';
COMMENT ON FUNCTION chat_v11.default_gate_check() IS 'chat_v11.gate_check as installed';
COMMENT ON FUNCTION chat_v11.default_setting() IS 'chat_v11.setting as installed, with meanings';
COMMENT ON FUNCTION chat_v11.check_event(timestamptz, chat_v11.event_kind, chat_v11.cohort, uuid, uuid,
	double precision) IS 'true, or ERR_INVALID_ARGUMENT naming the field; the CHECK of chat_v11.event';
COMMENT ON FUNCTION chat_v11.rollout_serialize() IS 'trigger: takes the one lock before any row''s';
COMMENT ON FUNCTION chat_v11.rollout_decide() IS 'trigger: the state machine';
COMMENT ON FUNCTION chat_v11.rollout_log() IS 'trigger: writes the decision log and the gate log';
COMMENT ON FUNCTION chat_v11.history_guard() IS 'trigger: lets only the log''s own writer and a restore in';
COMMENT ON FUNCTION chat_v11.config_guard() IS 'trigger: validates and logs what turns a gate';
COMMENT ON FUNCTION chat_v11.refuse_write() IS 'trigger: raises ERR_APPEND_ONLY';
COMMENT ON FUNCTION chat_v11.refuse_young_delete() IS
	'trigger: raises ERR_APPEND_ONLY for rows younger than chat_v11.bucket_retention';

-- Types.
COMMENT ON TYPE chat_v11.event_kind IS 'what happened, by name, one byte; ordered as docs/reference.md lists the names';
COMMENT ON TYPE chat_v11.cohort IS 'v11 is the canary, v10 its control, one byte; v10 sorts first';
COMMENT ON TYPE chat_v11.rollout_state_answer IS 'what chat_get_v11_rollout_state() returns';
COMMENT ON TYPE chat_v11.release_gates_answer IS 'what chat_get_v11_release_gates() returns';
COMMENT ON TYPE chat_v11.check_answer IS 'what explain_gates() and what_if() return';
COMMENT ON CAST (chat_v11.event_kind AS text) IS 'by name, so that kind = ''write_ack'' works from any search_path';
COMMENT ON CAST (chat_v11.cohort AS text) IS 'by name, so that cohort = ''v11'' works from any search_path';

COMMENT ON COLUMN chat_v11.rollout_state_answer.stage IS 'canary_1, canary_10, canary_50 or full';
COMMENT ON COLUMN chat_v11.rollout_state_answer.kill_switch IS 'true: nobody is in the cohort, whatever the stage';
COMMENT ON COLUMN chat_v11.rollout_state_answer.rollout_percent IS 'of all users: 1, 10, 50, 100; 0 while killed';
COMMENT ON COLUMN chat_v11.rollout_state_answer.version IS '+1 at every change; 0 before the first';
COMMENT ON COLUMN chat_v11.rollout_state_answer.note IS 'note of the last change';
COMMENT ON COLUMN chat_v11.rollout_state_answer.updated_at IS 'time of the last change';
COMMENT ON COLUMN chat_v11.rollout_state_answer.updated_by IS 'session role of the last change';
COMMENT ON COLUMN chat_v11.rollout_state_answer.entered_at IS
	'since when stage and kill switch stand; a hold restarts it, a re-kill does not';
COMMENT ON COLUMN chat_v11.rollout_state_answer.next_stage IS 'null at full';
COMMENT ON COLUMN chat_v11.rollout_state_answer.earliest_promote_at IS
	'when dwell, and quiet where it waits for time alone, are over; null while killed and at full';
COMMENT ON COLUMN chat_v11.rollout_state_answer.overdue IS 'longer in the stage than its max_duration; a warning only';
COMMENT ON COLUMN chat_v11.rollout_state_answer.gate_p0_ok IS 'no P0 check fails';
COMMENT ON COLUMN chat_v11.rollout_state_answer.gate_p1_ok IS 'no P1 check fails';
COMMENT ON COLUMN chat_v11.rollout_state_answer.gate_rollout_ok IS 'every rollout check passes';
COMMENT ON COLUMN chat_v11.rollout_state_answer.rollout_decision IS 'PROCEED, HOLD or ROLLBACK';
COMMENT ON COLUMN chat_v11.rollout_state_answer.next_step IS 'what blocks, or the statement to run';
COMMENT ON COLUMN chat_v11.rollout_state_answer.overridden IS 'the present stage was reached by break-glass';
COMMENT ON COLUMN chat_v11.rollout_state_answer.started_at IS 'when anybody first went live';
COMMENT ON COLUMN chat_v11.rollout_state_answer.mock_clock IS 'the clock of this session is mocked';

COMMENT ON COLUMN chat_v11.release_gates_answer.rollout_decision IS
	'ROLLBACK if a P0 check fails; HOLD if a P1 check fails or a rollout check does not pass; else PROCEED';
COMMENT ON COLUMN chat_v11.release_gates_answer.gate_p0_ok IS 'no P0 check fails; unknown is no failure';
COMMENT ON COLUMN chat_v11.release_gates_answer.gate_p1_ok IS 'no P1 check fails; unknown is no failure';
COMMENT ON COLUMN chat_v11.release_gates_answer.gate_rollout_ok IS
	'every rollout check passes; evidence does not while a P0 or P1 check is unknown';
COMMENT ON COLUMN chat_v11.release_gates_answer.reasons IS 'one sentence a failing or unknown check, worst first';
COMMENT ON COLUMN chat_v11.release_gates_answer.stage IS 'canary_1, canary_10, canary_50 or full';
COMMENT ON COLUMN chat_v11.release_gates_answer.kill_switch IS 'true: nobody is in the cohort';
COMMENT ON COLUMN chat_v11.release_gates_answer.ack_without_receipt_10s_rate IS
	'0..1, v11, over p0_clear_window: mature writes without a receipt in 10 s';
COMMENT ON COLUMN chat_v11.release_gates_answer.timeline_duplicate_detected_rate IS '0..1, v11, over p0_clear_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.read_rollback_detected_rate IS '0..1, v11, over p0_clear_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.send_stall_rate IS '0..1, v11, over stall_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.write_receipt_p95_ms IS 'milliseconds, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.write_reject_rate IS '0..1, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.forced_resync_rate IS 'per session-minute, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.full_state_rate IS 'per session-minute, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.err_resync_range_unavailable_rate IS
	'per resync_request, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.err_resync_throttled_rate IS
	'per resync_request, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.mature_writes IS 'v11 writes within p0_clear_window old enough to judge';
COMMENT ON COLUMN chat_v11.release_gates_answer.data_age IS 'of the newest event of any kind; null where there is none';
COMMENT ON COLUMN chat_v11.release_gates_answer.window_start IS 'begin of the longer of P0 and P1 window';
COMMENT ON COLUMN chat_v11.release_gates_answer.evaluated_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.release_gates_answer.mock_clock IS 'the clock of this session is mocked';
COMMENT ON COLUMN chat_v11.release_gates_answer.overridden IS 'the present stage was reached by break-glass';
COMMENT ON COLUMN chat_v11.release_gates_answer.disabled_checks IS 'checks that are switched off';

COMMENT ON COLUMN chat_v11.check_answer.gate IS 'P0, P1 or rollout';
COMMENT ON COLUMN chat_v11.check_answer.check_name IS 'as in chat_v11.gate_check.name';
COMMENT ON COLUMN chat_v11.check_answer.status IS 'pass, fail or no_data';
COMMENT ON COLUMN chat_v11.check_answer.enabled IS 'false: not looked at';
COMMENT ON COLUMN chat_v11.check_answer.value IS
	'rate 0..1, ms or count; seconds for dwell and killed, writes for evidence, share 0..1 for cohort_share';
COMMENT ON COLUMN chat_v11.check_answer.limit_value IS
	'unit of value; a factor for cohort_share; what is needed for dwell, quiet (s), evidence and killed';
COMMENT ON COLUMN chat_v11.check_answer.numerator IS 'what was counted';
COMMENT ON COLUMN chat_v11.check_answer.denominator IS 'out of how many; for evidence, how many are needed';
COMMENT ON COLUMN chat_v11.check_answer.control_value IS 'the same metric of cohort v10, for people: nothing judges it';
COMMENT ON COLUMN chat_v11.check_answer.data_age IS 'of the newest event of the kind on which the check rests';
COMMENT ON COLUMN chat_v11.check_answer.on_fail IS 'kill, rollback, hold or advise; only advise changes the gates';
COMMENT ON COLUMN chat_v11.check_answer.reason IS 'one sentence';
COMMENT ON COLUMN chat_v11.check_answer.what_to_do IS 'next command or advice, or null';
COMMENT ON COLUMN chat_v11.check_answer.rollout_decision IS 'of the whole answer, the same in each row';

-- Tables.
COMMENT ON TABLE chat_v11.rollout_state IS
	'present state, one row at most; none means canary_1, killed, version 0; every write meets the state machine';
COMMENT ON COLUMN chat_v11.rollout_state.singleton IS 'always true';
COMMENT ON COLUMN chat_v11.rollout_state.stage IS 'canary_1, canary_10, canary_50 or full';
COMMENT ON COLUMN chat_v11.rollout_state.kill_switch IS 'true: nobody is in the cohort';
COMMENT ON COLUMN chat_v11.rollout_state.version IS '+1 at every change';
COMMENT ON COLUMN chat_v11.rollout_state.started_at IS 'when anybody first went live; null if never';
COMMENT ON COLUMN chat_v11.rollout_state.entered_at IS
	'since when stage and kill switch stand; a hold restarts it, a re-kill does not';
COMMENT ON COLUMN chat_v11.rollout_state.updated_at IS 'time of the last change';
COMMENT ON COLUMN chat_v11.rollout_state.updated_by IS 'session role of the last change';
COMMENT ON COLUMN chat_v11.rollout_state.note IS 'note of the last change, at most 4 kB';
COMMENT ON COLUMN chat_v11.rollout_state.overridden IS 'the present stage was reached by break-glass';
COMMENT ON COLUMN chat_v11.rollout_state.history_id IS 'row of the log that made this one';

COMMENT ON TABLE chat_v11.rollout_history IS
	'decision log, append-only and chained by hash; docs/history.md has the canonical form; ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.rollout_history.id IS '1, 2, 3, ... without gaps';
COMMENT ON COLUMN chat_v11.rollout_history.changed_at IS 'rule clock under the lock, microseconds';
COMMENT ON COLUMN chat_v11.rollout_history.transition IS
	'start, promote, hold, rollback, kill, resume, re-kill; config for policy, checks, settings and attestations';
COMMENT ON COLUMN chat_v11.rollout_history.from_stage IS 'stage before; canary_1 where there was no state';
COMMENT ON COLUMN chat_v11.rollout_history.to_stage IS 'stage after';
COMMENT ON COLUMN chat_v11.rollout_history.from_kill_switch IS 'kill switch before; true where there was no state';
COMMENT ON COLUMN chat_v11.rollout_history.to_kill_switch IS 'kill switch after';
COMMENT ON COLUMN chat_v11.rollout_history.decision IS 'PROCEED, HOLD or ROLLBACK; null for config';
COMMENT ON COLUMN chat_v11.rollout_history.approved_by IS
	'p_approved_by, else sub of the JWT claims, else the session role; it annotates, nothing checks it';
COMMENT ON COLUMN chat_v11.rollout_history.changed_by IS 'session role, as authenticated';
COMMENT ON COLUMN chat_v11.rollout_history.note IS 'at most 4 kB';
COMMENT ON COLUMN chat_v11.rollout_history.version IS 'version after; config leaves it as it is';
COMMENT ON COLUMN chat_v11.rollout_history.overridden IS 'gates were skipped by break-glass';
COMMENT ON COLUMN chat_v11.rollout_history.mock_clock IS 'written under chat_v11.mock_now';
COMMENT ON COLUMN chat_v11.rollout_history.gates IS
	'gates just before the change, every check included, or {"unavailable": why}';
COMMENT ON COLUMN chat_v11.rollout_history.change IS 'for config: table, key, old and new row; else null';
COMMENT ON COLUMN chat_v11.rollout_history.prev_hash IS 'hash of the row before; 32 zero bytes in row 1';
COMMENT ON COLUMN chat_v11.rollout_history.hash IS 'SHA-256 of the canonical form of all other columns';

COMMENT ON TABLE chat_v11.stage_policy IS 'durations and samples of each stage; change it by set_policy()';
COMMENT ON COLUMN chat_v11.stage_policy.stage IS 'fixed';
COMMENT ON COLUMN chat_v11.stage_policy.percent IS 'of all users; fixed';
COMMENT ON COLUMN chat_v11.stage_policy.min_duration IS 'before the next promotion; 0 to 1 year';
COMMENT ON COLUMN chat_v11.stage_policy.max_duration IS 'then overdue, a warning only; min_duration to 10 years';
COMMENT ON COLUMN chat_v11.stage_policy.min_samples IS 'mature v11 writes since entry; 0 or more';
COMMENT ON COLUMN chat_v11.stage_policy.quiet_period IS 'without a P0 or P1 failure before a promotion; 0 to 7 days';
COMMENT ON COLUMN chat_v11.stage_policy.history_id IS 'row of the log that made this content; null as installed';

COMMENT ON TABLE chat_v11.gate_check IS 'what the gates look at; change it by set_check()';
COMMENT ON COLUMN chat_v11.gate_check.name IS 'fixed';
COMMENT ON COLUMN chat_v11.gate_check.ordinal IS 'order of showing; fixed';
COMMENT ON COLUMN chat_v11.gate_check.gate IS 'P0, P1 or rollout; fixed';
COMMENT ON COLUMN chat_v11.gate_check.metric IS 'as in chat_v11.metrics(); null for rollout checks; fixed';
COMMENT ON COLUMN chat_v11.gate_check.judge IS 'limit, baseline, compare or trend; only limit can be enabled; fixed';
COMMENT ON COLUMN chat_v11.gate_check.limit_value IS
	'a value above it fails: 0..1 for a rate, ms, count; seconds for killed, a factor of 1 or more for cohort_share';
COMMENT ON COLUMN chat_v11.gate_check.min_samples IS 'fewer are no_data; 0 or more';
COMMENT ON COLUMN chat_v11.gate_check.enabled IS 'false: shown as disabled, not looked at';
COMMENT ON COLUMN chat_v11.gate_check.on_fail IS
	'kill, rollback, hold, or advise (shown, counted by no gate); nothing acts by itself in this version';
COMMENT ON COLUMN chat_v11.gate_check.zero_ok IS 'rightly rare: an empty window passes once the kind is known to be wired';
COMMENT ON COLUMN chat_v11.gate_check.history_id IS 'row of the log that made this content; null as installed';

COMMENT ON TABLE chat_v11.setting IS 'windows and modes of the gates; change it by set_setting()';
COMMENT ON COLUMN chat_v11.setting.name IS 'fixed';
COMMENT ON COLUMN chat_v11.setting.value IS 'an interval as text, or a word';
COMMENT ON COLUMN chat_v11.setting.history_id IS 'row of the log that made this content; null as installed';

COMMENT ON TABLE chat_v11.attestation IS 'what people put on record by attest()';
COMMENT ON COLUMN chat_v11.attestation.what IS 'at most 256 bytes; telemetry:KIND has an effect on checks';
COMMENT ON COLUMN chat_v11.attestation.ref IS 'where it can be looked up, at most 4 kB';
COMMENT ON COLUMN chat_v11.attestation.ok IS 'false takes it back';
COMMENT ON COLUMN chat_v11.attestation.attested_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.attestation.attested_by IS 'session role';
COMMENT ON COLUMN chat_v11.attestation.history_id IS 'row of the log that made this content';

COMMENT ON TABLE chat_v11.event IS
	'telemetry, insert-only; rows older than chat_v11.bucket_retention are refused and may be deleted';
COMMENT ON COLUMN chat_v11.event.at IS 'when it happened; at most 5 s ahead of the rule clock; default the rule clock';
COMMENT ON COLUMN chat_v11.event.kind IS 'what happened';
COMMENT ON COLUMN chat_v11.event.cohort IS 'protocol that the write or session used';
COMMENT ON COLUMN chat_v11.event.actor IS 'user or session, or null';
COMMENT ON COLUMN chat_v11.event.subject IS
	'key of the write; needed by write_ack, write_receipt, write_ledgered and write_stored';
COMMENT ON COLUMN chat_v11.event.value IS 'milliseconds for durations; finite, 0 to 1e9, or null';

COMMENT ON TABLE chat_v11.gate_log IS 'the gates at every accepted change; append-only within chat_v11.bucket_retention';
COMMENT ON COLUMN chat_v11.gate_log.at IS 'time of the change';
COMMENT ON COLUMN chat_v11.gate_log.version IS 'version after the change';
COMMENT ON COLUMN chat_v11.gate_log.stage IS 'stage after the change';
COMMENT ON COLUMN chat_v11.gate_log.kill_switch IS 'kill switch after the change';
COMMENT ON COLUMN chat_v11.gate_log.decision IS 'what the gates said just before it; null where they were not read';
COMMENT ON COLUMN chat_v11.gate_log.mock_clock IS 'written under chat_v11.mock_now';
COMMENT ON COLUMN chat_v11.gate_log.gates IS 'as in chat_v11.rollout_history.gates';

-- The view.
COMMENT ON VIEW chat_v11.history_export IS
	'decision log as it is hashed, every column as text, in the order of id; for \copy and docs/verify_history.py';
COMMENT ON COLUMN chat_v11.history_export.id IS 'decimal';
COMMENT ON COLUMN chat_v11.history_export.changed_at IS 'UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ';
COMMENT ON COLUMN chat_v11.history_export.transition IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.from_stage IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.to_stage IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.from_kill_switch IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.to_kill_switch IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.decision IS 'null for config';
COMMENT ON COLUMN chat_v11.history_export.approved_by IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.changed_by IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.note IS 'or null';
COMMENT ON COLUMN chat_v11.history_export.version IS 'decimal';
COMMENT ON COLUMN chat_v11.history_export.overridden IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.mock_clock IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.gates IS 'text form of jsonb';
COMMENT ON COLUMN chat_v11.history_export.change IS 'text form of jsonb, or null';
COMMENT ON COLUMN chat_v11.history_export.prev_hash IS 'lower-case hex';
COMMENT ON COLUMN chat_v11.history_export.hash IS 'lower-case hex';
