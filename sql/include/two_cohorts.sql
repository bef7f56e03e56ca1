-- Traffic of both cohorts, second by second of a mocked clock, with whoever folds beside it.
CREATE SCHEMA world;

-- 3,000 users, put into cohorts as the rollout does it.
CREATE TABLE world.people (n int PRIMARY KEY, id uuid);
INSERT INTO world.people SELECT n, md5('person ' || n)::uuid FROM generate_series(1, 3000) n;

-- 0..1, the same each time.
CREATE FUNCTION world.luck(p_of text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT ('x' || substr(md5(p_of), 1, 7))::bit(28)::int / 268435456.0::float8
$$;

-- Everything that happens in the 10 s from p_at on: a sixth of all people are active, and each of them writes once.
-- p_course says of each cohort, or of all, which share of what they do is bad, and how much slower it is:
--     {"all": {"rejects": 0.01, "resyncs": 0.05}, "v11": {"slower": 1.5}}
-- and what is wrong with the reporting: "swapped" cohorts, reports of one cohort "without" the other, "silent" kinds of
-- the canary, people taken into the canary beyond its share ("more"); or that there are only so many "people".
CREATE SEQUENCE world.turn;
CREATE FUNCTION world.tell(p_at timestamptz, p_course jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	turn bigint := nextval('world.turn');
BEGIN
	INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value)
	WITH active AS (
		SELECT p.id, p.n, p_at + interval '50 ms' + p.n % 10 * interval '900 ms' AS at, md5(p.n || ' ' || turn)::uuid AS key,
			public.chat_is_v11_enabled(p.id::text) OR p.n % 10 < coalesce((p_course->>'more')::int, 0) AS is_canary
		FROM world.people p WHERE p.n % 6 = turn % 6 AND p.n <= coalesce((p_course->>'people')::int, p.n)
	), labelled AS (
		SELECT a.*, CASE WHEN a.is_canary <> coalesce((p_course->>'swapped')::boolean, false) THEN 'v11' ELSE 'v10' END AS cohort
		FROM active a
	), course AS (
		SELECT l.*, coalesce(p_course->'all', '{}') || coalesce(p_course->l.cohort, '{}') AS say
		FROM labelled l WHERE l.cohort IS DISTINCT FROM p_course->>'without'
	), told AS (
		SELECT c.at + e.after AS at, e.kind, c.cohort, c.id AS actor, e.subject, e.value
		FROM course c, LATERAL (VALUES
			('session_active', interval '0', NULL::uuid, NULL::float8), ('resync_request', '0', c.id, NULL),
			('timeline_delivered', '0', NULL, NULL), ('read_cursor', '0', NULL, NULL),
			('write_started', '0', NULL, NULL), ('write_ack', '20 ms', c.key, NULL),
			('write_receipt', '150 ms', c.key, coalesce((c.say->>'slower')::float8, 1) * 100 * exp(1.6 * world.luck(c.key::text))),
			('recovery_done', '0', NULL, coalesce((c.say->>'slower')::float8, 1) * 50 * exp(1.6 * world.luck(c.key || ' recovery')))
		) e(kind, after, subject, value)
		UNION ALL SELECT c.at, b.kind, c.cohort, c.id, CASE WHEN b.kind LIKE 'resync%' THEN c.id END, NULL
		FROM course c, (VALUES ('write_rejected', 'rejects'), ('forced_resync', 'resyncs'), ('full_state', 'full_states'),
			('resync_range_unavailable', 'gone'), ('resync_throttled', 'throttled')) b(kind, field)
		WHERE world.luck(c.key || b.kind) < coalesce((c.say->>b.field)::float8, 0)
	)
	SELECT t.at, t.kind::chat_v11.event_kind, t.cohort::chat_v11.cohort, t.actor, t.subject, t.value FROM told t
	WHERE t.cohort = 'v10' OR NOT coalesce(p_course->'silent' ? t.kind, false);
END
$$;

-- So long of it, bucket by bucket, each in a transaction of its own: what a transaction has told itself waits for its
-- end.
CREATE PROCEDURE world.go_on(p_for interval, p_course jsonb, p_fold boolean DEFAULT true) LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz := current_setting('chat_v11.mock_now')::timestamptz;
	until timestamptz := at + p_for;
BEGIN
	WHILE at < until LOOP
		PERFORM set_config('chat_v11.mock_now', (at + interval '10 s')::text, false);
		PERFORM world.tell(at, p_course);
		at := at + interval '10 s';
		COMMIT;
		IF p_fold THEN
			PERFORM chat_v11.fold();
			COMMIT;
		END IF;
	END LOOP;
END
$$;

-- The clock goes on, and nothing is told.
CREATE FUNCTION world.wait(p_for interval) RETURNS void LANGUAGE sql AS $$
	SELECT set_config('chat_v11.mock_now', (chat_v11.clock() + p_for)::text, false)
$$;

-- A rollout that has just come to this stage, whatever there was before.
CREATE FUNCTION world.enter_stage(p_stage text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	each text;
BEGIN
	PERFORM public.chat_set_v11_rollout_state('canary_1', true, 'over') FROM chat_v11.rollout_state;
	PERFORM chat_v11.set_policy(s, '0', p_min_samples => 0, p_quiet_period => '0')
		FROM unnest('{canary_1,canary_10,canary_50,full}'::text[]) s;
	PERFORM chat_v11.set_check('killed', p_limit => 0), chat_v11.set_check(c.name, p_enabled => true) FROM chat_v11.gate_check c WHERE c.judge <> 'limit';
	PERFORM public.chat_set_v11_rollout_state('canary_1', false, 'test');
	FOREACH each IN ARRAY '{canary_10,canary_50,full}'::text[] LOOP
		EXIT WHEN (SELECT stage FROM chat_v11.rollout_state) = p_stage;
		PERFORM chat_v11.force_rollout_state(each, false, 'the test begins at this stage', 'a second person');
	END LOOP;
END
$$;

-- What the comparisons say; what is wrong with all of them, once.
CREATE FUNCTION world.verdicts() RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT line || CASE WHEN count(*) > 1 THEN ' (' || count(*) || ' checks)' ELSE '' END FROM (
		SELECT e.status || ' ' || regexp_replace(e.reason, '^data \w+: ', 'data: ') AS line, row_number() OVER () AS n
		FROM chat_v11.explain_gates() e WHERE e.check_name IN (SELECT c.name FROM chat_v11.gate_check c WHERE c.judge <> 'limit')
	) x GROUP BY line ORDER BY min(n)
$$;
