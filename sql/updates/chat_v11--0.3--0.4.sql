\echo Use "ALTER EXTENSION chat_v11 UPDATE TO '0.4'" to load this file. \quit

-- 0.3 to 0.4: the guard.

-- What is there already keeps the rights that it has.
SELECT pg_catalog.set_config('chat_v11_update.members', (SELECT pg_catalog.array_agg(d.objid)::text
	FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = 'chat_v11'
	AND d.deptype = 'e'), true);

-- The gate log says who wrote a row, and which gates were red.
ALTER TABLE chat_v11.gate_log
	ADD cause text NOT NULL DEFAULT 'change' CHECK (cause IN ('change', 'guard')),
	ADD p0_ok boolean,
	ADD p1_ok boolean,
	ADD failing text[],
	SET (toast_tuple_target = 128),
	DISABLE TRIGGER "10_refuse_rewrite";
UPDATE chat_v11.gate_log g SET
	p0_ok = (g.gates->>'p0_ok')::boolean,
	p1_ok = (g.gates->>'p1_ok')::boolean,
	failing = ARRAY(SELECT c.key FROM pg_catalog.jsonb_each(g.gates->'checks') c
		LEFT JOIN chat_v11.gate_check k ON k.name = c.key
		WHERE c.value->>'status' = 'fail' AND c.value->>'enabled' = 'true' AND c.value->>'on_fail' <> 'advise'
		AND c.value->>'gate' IN ('P0', 'P1') ORDER BY c.value->>'gate', k.ordinal)
WHERE pg_catalog.jsonb_typeof(g.gates->'p0_ok') = 'boolean' AND pg_catalog.jsonb_typeof(g.gates->'p1_ok') = 'boolean'
AND pg_catalog.jsonb_typeof(g.gates->'checks') = 'object';
ALTER TABLE chat_v11.gate_log ENABLE ALWAYS TRIGGER "10_refuse_rewrite";
CREATE FUNCTION chat_v11.own_only() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_own_only' LANGUAGE C;
CREATE TRIGGER "05_own_only" BEFORE INSERT ON chat_v11.gate_log
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.own_only();
ALTER TABLE chat_v11.gate_log ENABLE ALWAYS TRIGGER "05_own_only";

-- The guard: a background worker, or a scheduler's calls, that watches the rollout.

-- What outlives a guard.  Written when something changes, never by each round.
CREATE TABLE chat_v11.guard_state (
	singleton boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (singleton),
	expected boolean NOT NULL DEFAULT false,
	expected_since timestamptz,
	stopped_at timestamptz,
	stopped_by text,
	last_error text,
	last_error_at timestamptz,
	last_tick timestamptz
);
INSERT INTO chat_v11.guard_state DEFAULT VALUES;

CREATE FUNCTION chat_v11.guard_tick(OUT decision text, OUT action text, OUT folded bigint, OUT remark text)
	AS 'MODULE_PATHNAME', 'chat_v11_guard_tick' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.start_guard(p_worker boolean DEFAULT true) RETURNS integer
	AS 'MODULE_PATHNAME', 'chat_v11_start_guard' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.stop_guard() RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_stop_guard' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.guard_status(OUT state text, OUT running boolean, OUT pid integer, OUT last_round timestamptz,
	OUT round_ms float8, OUT rounds bigint, OUT lag_events bigint, OUT lag_seconds float8, OUT failures integer,
	OUT last_error text, OUT last_error_at timestamptz, OUT remark text)
	AS 'MODULE_PATHNAME', 'chat_v11_guard_status' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- For the next person on call.

CREATE FUNCTION chat_v11.handover() RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_handover' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Who runs which version.

-- Not in a dump: who reads the restored database says so anew.
CREATE TABLE chat_v11.consumer (
	name text NOT NULL PRIMARY KEY,
	version bigint NOT NULL,
	since timestamptz NOT NULL,
	seen_at timestamptz NOT NULL,
	role text NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION chat_v11.ack_version(p_consumer text, p_version bigint) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_ack_version' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.consumers() RETURNS TABLE (consumer text, version bigint, since timestamptz,
		seen_at timestamptz, role text, current boolean)
	AS 'MODULE_PATHNAME', 'chat_v11_consumers' LANGUAGE C STABLE
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
COMMENT ON TABLE chat_v11.guard_state IS 'what outlives a guard; one row, written when something changes';
COMMENT ON COLUMN chat_v11.guard_state.singleton IS 'true: there is one row';
COMMENT ON COLUMN chat_v11.guard_state.expected IS
	'a guard was at work and nobody stopped it: its silence turns check evidence to no_data';
COMMENT ON COLUMN chat_v11.guard_state.expected_since IS 'its first round';
COMMENT ON COLUMN chat_v11.guard_state.stopped_at IS 'time of stop_guard(); null since the next start';
COMMENT ON COLUMN chat_v11.guard_state.stopped_by IS 'who called it';
COMMENT ON COLUMN chat_v11.guard_state.last_error IS 'of the newest round, fold or kill that failed; told once a minute';
COMMENT ON COLUMN chat_v11.guard_state.last_error_at IS 'time of it';
COMMENT ON COLUMN chat_v11.guard_state.last_tick IS 'time of guard_tick(), to the minute; null where none was called';
COMMENT ON FUNCTION chat_v11.guard_tick() IS
	'one round of the guard, for a scheduler: looks at the gates, kills or rolls back where a check asks for it, writes '
	'the gate log when due, folds; does nothing, and says so, while another guard is at work';
COMMENT ON FUNCTION chat_v11.start_guard(boolean) IS
	'takes stop_guard() back, and starts a guard in this database until the next restart of the server; its process, or '
	'that of the one there is. With false it starts none, for a scheduler that calls guard_tick(): null';
COMMENT ON FUNCTION chat_v11.stop_guard() IS
	'ends the guard with its next round, also a launched one, until start_guard(); whether there was one';
COMMENT ON FUNCTION chat_v11.guard_status() IS
	'how the guard is: guarding, idle, standby, waiting, failing, hanging, starting, stopped, ticking, dead or none; its '
	'last round (ms), how far the fold lags (events, seconds), its last error, and what to do';
COMMENT ON FUNCTION chat_v11.handover() IS
	'for the next person on call, Markdown, UTC: state, last three rows of the gate log, gates, guard, next action';
COMMENT ON FUNCTION chat_v11.ack_version(text, bigint) IS
	'a consumer says which version of the state it runs; costs a write when that changed, or every 30 s; '
	'ERR_INVALID_ARGUMENT for a version that there is not, and for a name that is not 1 to 256 printable bytes';
COMMENT ON FUNCTION chat_v11.consumers() IS
	'who runs which version of the state, and since when; forgotten after 24 h of silence';
COMMENT ON FUNCTION chat_v11.own_only() IS 'trigger: raises ERR_APPEND_ONLY but for the extension''s own rows, a restore and a subscription';
COMMENT ON TABLE chat_v11.consumer IS 'what chat_v11.consumers() reads, written by chat_v11.ack_version(); not dumped';
COMMENT ON COLUMN chat_v11.consumer.name IS 'as the consumer calls itself';
COMMENT ON COLUMN chat_v11.consumer.version IS 'of the state, that it runs by its own account';
COMMENT ON COLUMN chat_v11.consumer.since IS 'since when it says so of this version';
COMMENT ON COLUMN chat_v11.consumer.seen_at IS 'when it last said anything, to half a minute';
COMMENT ON COLUMN chat_v11.consumer.role IS 'the session role that said so';
COMMENT ON TABLE chat_v11.gate_log IS
	'the gates at every accepted change and once a minute; append-only within chat_v11.bucket_retention';
COMMENT ON COLUMN chat_v11.gate_log.at IS 'time of the change, or of the guard''s look';
COMMENT ON COLUMN chat_v11.gate_log.version IS 'version after the change';
COMMENT ON COLUMN chat_v11.gate_log.stage IS 'stage after the change';
COMMENT ON COLUMN chat_v11.gate_log.kill_switch IS 'kill switch after the change';
COMMENT ON COLUMN chat_v11.gate_log.decision IS
	'what the gates said, of a change just before it; null where they were not read';
COMMENT ON COLUMN chat_v11.gate_log.mock_clock IS 'written under chat_v11.mock_now';
COMMENT ON COLUMN chat_v11.gate_log.gates IS 'as in chat_v11.rollout_history.gates';
COMMENT ON COLUMN chat_v11.gate_log.cause IS 'change: an accepted change; guard: a minute has passed, or a gate turned red';
COMMENT ON COLUMN chat_v11.gate_log.p0_ok IS 'no P0 check failed; null where the gates were not read';
COMMENT ON COLUMN chat_v11.gate_log.p1_ok IS 'no P1 check failed; null where the gates were not read';
COMMENT ON COLUMN chat_v11.gate_log.failing IS 'names of the P0 and P1 checks that failed and count';
COMMENT ON COLUMN chat_v11.gate_check.on_fail IS
	'kill or rollback to canary_1, which the guard does by itself; hold; or advise: shown, counted by no gate';
