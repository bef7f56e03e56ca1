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
