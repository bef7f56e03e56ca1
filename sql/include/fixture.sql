-- What the tests share: a way to show an error whole, and healthy traffic.
SET client_min_messages = error;
CREATE EXTENSION chat_v11;
CREATE SCHEMA fixture;

-- A test of comparisons says \set comparisons on before it comes here.
\if :{?comparisons}
\else
\ir limits_only.sql
\endif

-- Runs a statement; "ok", or the error with its code, detail and hint.
CREATE FUNCTION fixture.attempt(p_sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE p_sql;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || message || coalesce(E'\n  detail: ' || nullif(replace(detail, E'\n', E'\n          '), ''), '') ||
		coalesce(E'\n  hint: ' || nullif(hint, ''), '');
END
$$;

-- Asks for a state as an operator does; "ok" or the error.
CREATE FUNCTION fixture.ask(p_stage text, p_kill boolean) RETURNS text LANGUAGE sql AS $$
	SELECT fixture.attempt(format('SELECT public.chat_set_v11_rollout_state(%L, %L, ''test'')', p_stage, p_kill))
$$;

-- Healthy traffic, evenly spread over (p_from, p_to]: p_v11 whole writes of the canary, p_v10 of the control.
CREATE FUNCTION fixture.healthy(p_from timestamptz, p_to timestamptz, p_v11 int, p_v10 int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value)
	SELECT w.at + e.after, e.kind::chat_v11.event_kind, w.cohort::chat_v11.cohort, w.actor, w.subject, NULL
	FROM (
		SELECT p_from + (p_to - p_from) * (i::float8 / n), cohort, md5(i || cohort)::uuid, md5(p_from::text || i || cohort)::uuid
		FROM (VALUES ('v11', p_v11), ('v10', p_v10)) c(cohort, n), generate_series(1, n) i
	) w(at, cohort, actor, subject),
	(VALUES ('write_started', interval '-80 ms'), ('write_ack', '0'), ('write_receipt', '200 ms'),
		('timeline_delivered', '0'), ('read_cursor', '0'), ('session_active', '0')) e(kind, after)
	WHERE w.cohort = 'v11' OR e.kind IN ('write_ack', 'write_receipt');
$$;

-- One event at a moment.
CREATE FUNCTION fixture.event(p_kind text, p_at timestamptz, p_actor int DEFAULT 1) RETURNS void LANGUAGE sql AS $$
	SELECT chat_v11.record(p_kind, 'v11', md5(p_actor::text)::uuid, gen_random_uuid(), NULL, p_at)
$$;

CREATE FUNCTION fixture.decision() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s p0=%s p1=%s rollout=%s', rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok)
	FROM public.chat_get_v11_release_gates()
$$;

-- The log in short, and whether it holds together.
CREATE VIEW fixture.log AS
	SELECT id, transition, from_stage || CASE WHEN from_kill_switch THEN ' killed' ELSE '' END AS from_state,
		to_stage || CASE WHEN to_kill_switch THEN ' killed' ELSE '' END AS to_state, decision, version, overridden
	FROM chat_v11.rollout_history ORDER BY id;

-- A guard at work over [p_from, p_to]: a round a minute, the clock moved on for each.
CREATE FUNCTION fixture.guard(p_from timestamptz, p_to timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz;
	before text := current_setting('chat_v11.mock_now');
BEGIN
	FOR at IN SELECT generate_series(p_from, p_to, '1 min') LOOP
		PERFORM set_config('chat_v11.mock_now', at::text, false);
		PERFORM chat_v11.guard_tick();
	END LOOP;
	PERFORM set_config('chat_v11.mock_now', before, false);
END
$$;

-- Every precondition of a start that people put on record, and a scheduler that does the guard's rounds.
CREATE FUNCTION fixture.ready() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM chat_v11.assign_oncall(role, 'somebody') FROM unnest('{IC,Backend,SRE,Frontend}'::text[]) role;
	PERFORM chat_v11.attest(what, 'shown by the test') FROM unnest('{migrations,runbook,ci:canary_1}'::text[]) what;
	PERFORM chat_v11.guard_tick();
END
$$;
