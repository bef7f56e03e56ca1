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
