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

-- The present state: one row at most.  Never cut off at its end, which would take a lock that readers stand back from.
-- Its foreign key makes a dump restore the log first.
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
	bucketing text NOT NULL DEFAULT 'flagd-v2' CHECK (bucketing IN ('flagd-v2', 'unleash', 'fnv1a')),
	CHECK (NOT kill_switch OR stage = 'canary_1')
) WITH (vacuum_truncate = false);

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

-- The events stand in eight files that are written in turn and dropped whole; chat_v11.event is the one door to them,
-- and keeps no row of its own.  No column is indexed: what is counted is in the buckets.
CREATE FUNCTION chat_v11.event_am_handler(pg_catalog.internal) RETURNS pg_catalog.table_am_handler
	AS 'MODULE_PATHNAME', 'chat_v11_event_am_handler' LANGUAGE C STRICT;
CREATE FUNCTION chat_v11.event_leaf_am_handler(pg_catalog.internal) RETURNS pg_catalog.table_am_handler
	AS 'MODULE_PATHNAME', 'chat_v11_event_leaf_am_handler' LANGUAGE C STRICT;
CREATE ACCESS METHOD chat_v11_event TYPE TABLE HANDLER chat_v11.event_am_handler;
CREATE ACCESS METHOD chat_v11_event_leaf TYPE TABLE HANDLER chat_v11.event_leaf_am_handler;

CREATE TABLE chat_v11.event (
	at timestamptz DEFAULT chat_v11.clock(),
	kind chat_v11.event_kind,
	cohort chat_v11.cohort,
	actor uuid,
	subject uuid,
	value float8,
	CONSTRAINT event_is_sound CHECK (chat_v11.check_event(at, kind, cohort, actor, subject, value))
) USING chat_v11_event WITH (parallel_workers = 0);

CREATE TABLE chat_v11.event_0 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);
CREATE TABLE chat_v11.event_1 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);
CREATE TABLE chat_v11.event_2 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);
CREATE TABLE chat_v11.event_3 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);
CREATE TABLE chat_v11.event_4 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);
CREATE TABLE chat_v11.event_5 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);
CREATE TABLE chat_v11.event_6 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);
CREATE TABLE chat_v11.event_7 (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
	subject uuid, value float8) USING chat_v11_event_leaf WITH (autovacuum_enabled = false);

-- What the events add up to.  A bucket is a minute; `seconds`, `detail` and `actors` are packed (src/core/cells.hpp).
CREATE TABLE chat_v11.metric_bucket (
	at timestamptz NOT NULL,
	kind chat_v11.event_kind NOT NULL,
	cohort chat_v11.cohort NOT NULL,
	node_id integer NOT NULL DEFAULT 0,
	count bigint NOT NULL,
	sum float8 NOT NULL,
	newest timestamptz NOT NULL,
	histogram chat_v11.histogram,
	seconds bytea,
	detail bytea,
	actors bytea,
	PRIMARY KEY (at, kind, cohort, node_id)
) WITH (fillfactor = 70);
CREATE INDEX metric_bucket_kind_at ON chat_v11.metric_bucket (kind, at);
ALTER TABLE chat_v11.metric_bucket ALTER seconds SET STORAGE main, ALTER detail SET STORAGE external;

CREATE TABLE chat_v11.write_bucket (
	at timestamptz NOT NULL,
	cohort chat_v11.cohort NOT NULL,
	node_id integer NOT NULL DEFAULT 0,
	writes bigint NOT NULL,
	in_time bigint NOT NULL,
	answered bigint NOT NULL,
	orphans bigint NOT NULL,
	slow_limit float8 NOT NULL,
	histogram chat_v11.histogram,
	seconds bytea,
	detail bytea,
	PRIMARY KEY (at, cohort, node_id)
) WITH (fillfactor = 70);
ALTER TABLE chat_v11.write_bucket ALTER seconds SET STORAGE main, ALTER detail SET STORAGE external;

-- What is known of each write that was counted, in three tables that take turns: so that a repeated ACK or a late
-- receipt finds it.
CREATE TABLE chat_v11.write_0 (
	subject uuid NOT NULL,
	acked_at timestamptz,
	receipt_at timestamptz,
	receipt_value float8,
	actor uuid,
	cohort chat_v11.cohort NOT NULL,
	missing boolean NOT NULL
);
CREATE INDEX write_0_subject ON chat_v11.write_0 (subject);
CREATE INDEX write_0_missing ON chat_v11.write_0 (acked_at) WHERE missing;
CREATE TABLE chat_v11.write_1 (
	subject uuid NOT NULL,
	acked_at timestamptz,
	receipt_at timestamptz,
	receipt_value float8,
	actor uuid,
	cohort chat_v11.cohort NOT NULL,
	missing boolean NOT NULL
);
CREATE INDEX write_1_subject ON chat_v11.write_1 (subject);
CREATE INDEX write_1_missing ON chat_v11.write_1 (acked_at) WHERE missing;
CREATE TABLE chat_v11.write_2 (
	subject uuid NOT NULL,
	acked_at timestamptz,
	receipt_at timestamptz,
	receipt_value float8,
	actor uuid,
	cohort chat_v11.cohort NOT NULL,
	missing boolean NOT NULL
);
CREATE INDEX write_2_subject ON chat_v11.write_2 (subject);
CREATE INDEX write_2_missing ON chat_v11.write_2 (acked_at) WHERE missing;

-- Writes that came in too young to be judged, a row for each round of folding.
CREATE TABLE chat_v11.pending_write (
	id bigint NOT NULL PRIMARY KEY,
	newest timestamptz NOT NULL,
	writes bytea NOT NULL
);
ALTER TABLE chat_v11.pending_write ALTER writes SET STORAGE external;

-- How far the fold has come.  It speaks in transaction numbers, which mean nothing in another cluster: no dump has it.
CREATE TABLE chat_v11.fold_state (
	singleton boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (singleton),
	cursor bytea,
	folded bigint NOT NULL DEFAULT 0,
	folded_at timestamptz,
	generation integer NOT NULL DEFAULT 0,
	generation_since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	since timestamptz,
	since_acks_v10 bigint NOT NULL DEFAULT 0,
	since_acks_v11 bigint NOT NULL DEFAULT 0,
	since_writes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO chat_v11.fold_state DEFAULT VALUES;
CREATE FUNCTION chat_v11.is_folded(p_leaf oid, p_at tid, p_transaction xid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_is_folded' LANGUAGE C STABLE STRICT
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- `gates` is large, and quiet periods are judged without it: it goes out of line.
CREATE TABLE chat_v11.gate_log (
	at timestamptz NOT NULL,
	version bigint NOT NULL,
	stage text NOT NULL,
	kill_switch boolean NOT NULL,
	decision text,
	mock_clock boolean NOT NULL,
	gates jsonb NOT NULL,
	cause text NOT NULL DEFAULT 'change' CHECK (cause IN ('change', 'guard')),
	p0_ok boolean,
	p1_ok boolean,
	failing text[]
) WITH (toast_tuple_target = 128);
CREATE INDEX gate_log_at ON chat_v11.gate_log (at);

-- They have no key, and a publication of all tables must not refuse their updates: the fold would stop.
ALTER TABLE chat_v11.write_0 REPLICA IDENTITY FULL;
ALTER TABLE chat_v11.write_1 REPLICA IDENTITY FULL;
ALTER TABLE chat_v11.write_2 REPLICA IDENTITY FULL;
ALTER TABLE chat_v11.gate_log REPLICA IDENTITY FULL;

-- What a dump carries.  Rows as installed are left out: the restored extension has its own.
SELECT pg_catalog.pg_extension_config_dump('chat_v11.rollout_history', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.rollout_state', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.stage_policy', 'WHERE history_id IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.gate_check', 'WHERE history_id IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.setting', 'WHERE history_id IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.attestation', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.metric_bucket', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_bucket', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_0', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_1', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_2', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.pending_write', '');
-- Of the events those that are not in the buckets yet: in the new cluster they are folded as new ones are.
SELECT pg_catalog.pg_extension_config_dump('chat_v11.event', 'WHERE NOT chat_v11.is_folded(tableoid, ctid, xmin)');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.gate_log', '');
