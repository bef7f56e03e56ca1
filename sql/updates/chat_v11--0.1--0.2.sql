\echo Use "ALTER EXTENSION chat_v11 UPDATE TO '0.2'" to load this file. \quit

-- 0.1 to 0.2: the telemetry engine.  The events of 0.1 move into the ring, and the next fold counts them; until then the
-- gates read them one by one, as 0.1 did.

-- What is there already keeps the rights that it has.
SELECT pg_catalog.set_config('chat_v11_update.members', (SELECT pg_catalog.array_agg(d.objid)::text
	FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = 'chat_v11'
	AND d.deptype = 'e'), true);

-- What is gone: the reading of single events.
DROP FUNCTION chat_v11.settled_writes(timestamptz, timestamptz, interval);
DROP FUNCTION chat_v11.maturity_delay();

-- The histogram.
CREATE TYPE chat_v11.histogram;
CREATE FUNCTION chat_v11.histogram_in(pg_catalog.cstring) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_out(chat_v11.histogram) RETURNS pg_catalog.cstring
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_recv(pg_catalog.internal) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_send(chat_v11.histogram) RETURNS pg_catalog.bytea
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE chat_v11.histogram (
	INPUT = chat_v11.histogram_in,
	OUTPUT = chat_v11.histogram_out,
	RECEIVE = chat_v11.histogram_recv,
	SEND = chat_v11.histogram_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = external
);

CREATE FUNCTION chat_v11.count(p_histogram chat_v11.histogram) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.quantile(p_histogram chat_v11.histogram, p_q double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_quantile' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.exceeding(p_histogram chat_v11.histogram, p_limit double precision) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_exceeding' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.merge(p_a chat_v11.histogram, p_b chat_v11.histogram) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_merge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.histogram_eq(chat_v11.histogram, chat_v11.histogram) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_ne(chat_v11.histogram, chat_v11.histogram) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE OPERATOR chat_v11.= (
	LEFTARG = chat_v11.histogram, RIGHTARG = chat_v11.histogram, FUNCTION = chat_v11.histogram_eq,
	COMMUTATOR = OPERATOR(chat_v11.=), NEGATOR = OPERATOR(chat_v11.<>), RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR chat_v11.<> (
	LEFTARG = chat_v11.histogram, RIGHTARG = chat_v11.histogram, FUNCTION = chat_v11.histogram_ne,
	COMMUTATOR = OPERATOR(chat_v11.<>), NEGATOR = OPERATOR(chat_v11.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR chat_v11.+ (
	LEFTARG = chat_v11.histogram, RIGHTARG = chat_v11.histogram, FUNCTION = chat_v11.merge,
	COMMUTATOR = OPERATOR(chat_v11.+)
);

-- The state is the type itself, so that a distributed planner can aggregate where the rows are and combine the results.
CREATE FUNCTION chat_v11.histogram_add(chat_v11.histogram, double precision) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_final(chat_v11.histogram) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE AGGREGATE chat_v11.histogram_agg(p_value double precision) (
	SFUNC = chat_v11.histogram_add,
	STYPE = chat_v11.histogram,
	SSPACE = 4096,
	FINALFUNC = chat_v11.histogram_final,
	COMBINEFUNC = chat_v11.merge,
	PARALLEL = safe
);
CREATE AGGREGATE chat_v11.histogram_agg(p_histogram chat_v11.histogram) (
	SFUNC = chat_v11.merge,
	STYPE = chat_v11.histogram,
	SSPACE = 4096,
	FINALFUNC = chat_v11.histogram_final,
	COMBINEFUNC = chat_v11.merge,
	PARALLEL = safe
);

-- The events stand in eight files that are written in turn and dropped whole; chat_v11.event is the one door to them,
-- and keeps no row of its own.  No column is indexed: what is counted is in the buckets.
CREATE FUNCTION chat_v11.event_am_handler(pg_catalog.internal) RETURNS pg_catalog.table_am_handler
	AS 'MODULE_PATHNAME', 'chat_v11_event_am_handler' LANGUAGE C STRICT;
CREATE FUNCTION chat_v11.event_leaf_am_handler(pg_catalog.internal) RETURNS pg_catalog.table_am_handler
	AS 'MODULE_PATHNAME', 'chat_v11_event_leaf_am_handler' LANGUAGE C STRICT;
CREATE ACCESS METHOD chat_v11_event TYPE TABLE HANDLER chat_v11.event_am_handler;
CREATE ACCESS METHOD chat_v11_event_leaf TYPE TABLE HANDLER chat_v11.event_leaf_am_handler;

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

-- Events come and are never changed; their files are given up by the fold alone.
DROP TRIGGER "20_keep_young" ON chat_v11.event;
DROP TRIGGER "10_refuse_rewrite" ON chat_v11.event;
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

-- The events move: what the access method of the table takes, it puts into the ring.
DROP INDEX chat_v11.event_kind_at;
DROP INDEX chat_v11.event_write;
ALTER TABLE chat_v11.event SET (parallel_workers = 0);
ALTER TABLE chat_v11.event SET ACCESS METHOD chat_v11_event;

-- What a dump carries.
SELECT pg_catalog.pg_extension_config_dump('chat_v11.metric_bucket', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_bucket', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_0', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_1', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.write_2', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.pending_write', '');
-- Of the events those that are not in the buckets yet: in the new cluster they are folded as new ones are.
SELECT pg_catalog.pg_extension_config_dump('chat_v11.event', 'WHERE NOT chat_v11.is_folded(tableoid, ctid, xmin)');

-- Ways in, and ways to look.
CREATE OR REPLACE FUNCTION chat_v11.record(p_kind text, p_cohort text, p_actor uuid DEFAULT NULL, p_subject uuid DEFAULT NULL,
	p_value float8 DEFAULT NULL, p_at timestamptz DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_record' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION chat_v11.record_batch(p_events jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_record_batch' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION chat_v11.missing_receipts(p_limit integer DEFAULT 50)
	RETURNS TABLE (key uuid, actor uuid, acked_at timestamptz, waited interval, late_receipt_at timestamptz)
	AS 'MODULE_PATHNAME', 'chat_v11_missing_receipts' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.fold(p_limit bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_fold' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.fold_status(OUT lag_events bigint, OUT lag_seconds float8, OUT last_fold timestamptz,
	OUT folded_events bigint, OUT tail_pages bigint, OUT held_pages bigint, OUT pending_writes bigint,
	OUT unfinished_round boolean, OUT folding_pid integer, OUT event_bytes bigint, OUT bucket_bytes bigint,
	OUT write_bytes bigint)
	AS 'MODULE_PATHNAME', 'chat_v11_fold_status' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.trace_write(p_subject uuid)
	RETURNS TABLE (at timestamptz, kind text, cohort text, actor uuid, value float8, since_previous interval,
		since_ack interval, remark text)
	AS 'MODULE_PATHNAME', 'chat_v11_trace_write' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.resync_report(p_from timestamptz, p_to timestamptz)
	RETURNS TABLE (cohort text, outcome text, requests bigint, share float8, behind_p50 float8, behind_p95 float8,
		behind_p99 float8, behind_max float8, behind_unknown bigint, from_zero bigint, from_zero_of bigint,
		from_zero_share float8, without_request bigint, remark text)
	AS 'MODULE_PATHNAME', 'chat_v11_resync_report' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.metric_series(p_metric text, p_from timestamptz, p_to timestamptz, p_step interval)
	RETURNS TABLE (at timestamptz, metric text, cohort text, value float8, numerator bigint, denominator bigint)
	AS 'MODULE_PATHNAME', 'chat_v11_metric_series' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Rights: none on what is new, but those of the levels.
DROP FUNCTION chat_v11.revoke_everything();
CREATE FUNCTION chat_v11.revoke_everything(p_but oid[] DEFAULT '{}') RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_revoke_everything' LANGUAGE C VOLATILE
	SET search_path = pg_catalog, chat_v11, pg_temp;
SELECT chat_v11.revoke_everything(pg_catalog.current_setting('chat_v11_update.members')::pg_catalog.oid[]);
-- Who may dump everything may ask what to leave out.
GRANT EXECUTE ON FUNCTION chat_v11.is_folded(oid, tid, xid) TO pg_read_all_data;
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
COMMENT ON FUNCTION chat_v11.explain_gates(timestamptz) IS
	'the gates as of a past moment, from telemetry and log; ERR_INVALID_ARGUMENT for null, infinity and the future';
COMMENT ON TABLE chat_v11.event IS
	'telemetry, insert-only: by INSERT, COPY or record(); kept for chat_v11.raw_retention, then in the buckets only';
COMMENT ON FUNCTION chat_v11.trace_write(uuid) IS
	'every event of one write in order, the time between them, and last a row (at is null) that names the first link of '
	'ACK, ledger, store, receipt that is missing, if any, and what to type next; ERR_INVALID_ARGUMENT for null';
COMMENT ON FUNCTION chat_v11.resync_report(timestamptz, timestamptz) IS
	'requests for a resync in (p_from, p_to] by cohort and outcome: how far behind they were, how many asked from 0, and '
	'what that speaks for; shares are 0..1, null where there is nothing to divide by';
COMMENT ON FUNCTION chat_v11.metric_series(text, timestamptz, timestamptz, interval) IS
	'one metric of both cohorts over (p_from, p_to] by steps of whole seconds, at most 100,000 rows; at is the end of the '
	'step; ERR_INVALID_ARGUMENT names the metrics that there are, or a step that fits';
COMMENT ON FUNCTION chat_v11.fold(bigint) IS
	'one round of folding: brings committed events into the buckets, each once; returns how many, 0 where another '
	'session is folding; stops after about p_limit events, and goes on there at the next call';
COMMENT ON FUNCTION chat_v11.fold_status() IS
	'how far the fold has come: events and seconds of lag, last fold, what a look at the gates reads besides the buckets';
COMMENT ON TYPE chat_v11.histogram IS
	'how many values, in ms from 0 to 1e9, fell into each of 1926 bins; percentiles within 1 %; adds up in any order';
COMMENT ON FUNCTION chat_v11.count(chat_v11.histogram) IS 'number of values in it';
COMMENT ON FUNCTION chat_v11.quantile(chat_v11.histogram, double precision) IS
	'in ms, nearest rank, within 1 % from 1 ms to 1 h; null for an empty one; ERR_INVALID_ARGUMENT for p_q outside 0..1';
COMMENT ON FUNCTION chat_v11.exceeding(chat_v11.histogram, double precision) IS
	'how many values are above p_limit, in ms: exact where it is the edge of a bin, as any number of two digits is; else '
	'how many are above the next edge; ERR_INVALID_ARGUMENT for NaN';
COMMENT ON FUNCTION chat_v11.merge(chat_v11.histogram, chat_v11.histogram) IS
	'the values of both; the same to the bit in any order; the operator +; ERR_INVALID_ARGUMENT above 2^63 - 1 values';
COMMENT ON AGGREGATE chat_v11.histogram_agg(double precision) IS
	'histogram of values in ms; null of none; what is above 1e9 counts as 1e9; ERR_INVALID_ARGUMENT for negative and NaN';
COMMENT ON AGGREGATE chat_v11.histogram_agg(chat_v11.histogram) IS 'the values of all of them; null of none';
COMMENT ON OPERATOR chat_v11.+ (chat_v11.histogram, chat_v11.histogram) IS 'chat_v11.merge()';
COMMENT ON OPERATOR chat_v11.= (chat_v11.histogram, chat_v11.histogram) IS 'the same counts';
COMMENT ON OPERATOR chat_v11.<> (chat_v11.histogram, chat_v11.histogram) IS 'not the same counts';
COMMENT ON FUNCTION chat_v11.event_am_handler(internal) IS 'table access method: rows go to the files of the ring';
COMMENT ON FUNCTION chat_v11.event_leaf_am_handler(internal) IS
	'table access method: the heap, written through chat_v11.event only';
COMMENT ON ACCESS METHOD chat_v11_event IS 'insert-only door to a ring of files, of which old ones are dropped whole';
COMMENT ON ACCESS METHOD chat_v11_event_leaf IS 'one file of that ring';
COMMENT ON FUNCTION chat_v11.is_folded(oid, tid, xid) IS
	'whether that row of the events is in the buckets; what a dump leaves out';
COMMENT ON FUNCTION chat_v11.fold_only() IS 'trigger: raises ERR_APPEND_ONLY but for the fold and a restore';
COMMENT ON FUNCTION chat_v11.histogram_add(chat_v11.histogram, double precision) IS
	'one value more; transition function of chat_v11.histogram_agg';
COMMENT ON FUNCTION chat_v11.histogram_final(chat_v11.histogram) IS
	'the stored form; final function of chat_v11.histogram_agg';
COMMENT ON TABLE chat_v11.metric_bucket IS
	'what the events add up to: a row for each minute (at, at + 1 min], kind and cohort; written by chat_v11.fold()';
COMMENT ON COLUMN chat_v11.metric_bucket.at IS 'the minute''s beginning, which is not part of it';
COMMENT ON COLUMN chat_v11.metric_bucket.kind IS 'what happened';
COMMENT ON COLUMN chat_v11.metric_bucket.cohort IS 'protocol that the write or session used';
COMMENT ON COLUMN chat_v11.metric_bucket.node_id IS 'which database folded it; 0 for this one';
COMMENT ON COLUMN chat_v11.metric_bucket.count IS 'events';
COMMENT ON COLUMN chat_v11.metric_bucket.sum IS 'sum of the values given';
COMMENT ON COLUMN chat_v11.metric_bucket.newest IS 'time of the newest event';
COMMENT ON COLUMN chat_v11.metric_bucket.histogram IS 'of the values given, or null';
COMMENT ON COLUMN chat_v11.metric_bucket.seconds IS 'packed: events by second';
COMMENT ON COLUMN chat_v11.metric_bucket.detail IS 'packed: histogram by second, of kinds with percentiles';
COMMENT ON COLUMN chat_v11.metric_bucket.actors IS 'packed: up to three actors a second, of send_stall';
COMMENT ON TABLE chat_v11.write_bucket IS
	'writes by the minute of their first ACK, [at, at + 1 min), and cohort; a write is added once it is mature';
COMMENT ON COLUMN chat_v11.write_bucket.at IS 'the minute''s beginning';
COMMENT ON COLUMN chat_v11.write_bucket.cohort IS 'of the first ACK; of orphans, of the receipt';
COMMENT ON COLUMN chat_v11.write_bucket.node_id IS 'which database folded it; 0 for this one';
COMMENT ON COLUMN chat_v11.write_bucket.writes IS 'keys with an ACK';
COMMENT ON COLUMN chat_v11.write_bucket.in_time IS 'of them, answered within 10 s';
COMMENT ON COLUMN chat_v11.write_bucket.answered IS 'of them, answered at all';
COMMENT ON COLUMN chat_v11.write_bucket.orphans IS 'keys with a receipt and no ACK, by (at, at + 1 min]';
COMMENT ON COLUMN chat_v11.write_bucket.slow_limit IS 'limit in ms, above which `seconds` counts a write as slow';
COMMENT ON COLUMN chat_v11.write_bucket.histogram IS 'write-to-receipt times of the answered ones, in ms, or null';
COMMENT ON COLUMN chat_v11.write_bucket.seconds IS 'packed: the counts by second';
COMMENT ON COLUMN chat_v11.write_bucket.detail IS 'packed: the histogram by second';
COMMENT ON TABLE chat_v11.write_0 IS 'what is known of each write that was counted; one of three tables that take turns';
COMMENT ON TABLE chat_v11.write_1 IS 'what is known of each write that was counted; one of three tables that take turns';
COMMENT ON TABLE chat_v11.write_2 IS 'what is known of each write that was counted; one of three tables that take turns';
COMMENT ON TABLE chat_v11.pending_write IS 'packed: writes that wait for their maturity';
COMMENT ON TABLE chat_v11.fold_state IS 'how far the fold has come: one row, of this cluster only';
COMMENT ON TABLE chat_v11.event_0 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_1 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_2 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_3 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_4 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_5 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_6 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_7 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
