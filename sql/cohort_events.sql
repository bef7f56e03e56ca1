-- Events that leave their cohort out: it is the one that the actor is in as the event comes in.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
CREATE ROLE chat_v11_reporter;
SELECT chat_v11.grant_access('chat_v11_reporter', 'reporter') \g /dev/null
GRANT USAGE ON SCHEMA fixture TO chat_v11_reporter;
-- Four actors, by the first stage that has them.
CREATE VIEW fixture.actor AS
	SELECT DISTINCT ON (stage) CASE WHEN b < 100 THEN 1 WHEN b < 1000 THEN 10 WHEN b < 5000 THEN 50 ELSE 100 END AS stage, id
	FROM (SELECT id, chat_v11.bucket(id::text) AS b FROM generate_series(1, 1000) i, LATERAL (SELECT md5(i::text)::uuid AS id) u) t ORDER BY stage, id;
SELECT min(id::text) FILTER (WHERE stage = 1) AS one, min(id::text) FILTER (WHERE stage = 10) AS ten,
	min(id::text) FILTER (WHERE stage = 50) AS fifty, min(id::text) FILTER (WHERE stage = 100) AS hundred FROM fixture.actor \gset
-- The cohorts of each actor's events of a kind, in the order in which they came.
CREATE FUNCTION fixture.seen(p_kind text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(a.stage || ':' || coalesce(c, 'nothing'), ' ' ORDER BY a.stage) FROM fixture.actor a LEFT JOIN
		(SELECT actor, string_agg(cohort::text, ',' ORDER BY tableoid, ctid) c FROM chat_v11.event WHERE kind::text = p_kind GROUP BY actor) e ON e.actor = a.id
$$;
\set all 'chat_v11.event (kind, actor) SELECT ''session_active'', id FROM fixture.actor ORDER BY stage'
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
-- Nobody is in before the first start, or while killed.
INSERT INTO :all RETURNING cohort;
SELECT fixture.ask('canary_1', true);
INSERT INTO :all;
SELECT fixture.seen('session_active');
SET chat_v11.mock_now = '2026-03-01 12:30:00+00';
-- Then by stages, also inside the transaction that changes the stage.
SELECT fixture.ask('canary_1', false);
INSERT INTO :all;
BEGIN;
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', 'lead')$$);
INSERT INTO :all RETURNING cohort;
ROLLBACK;
INSERT INTO :all RETURNING cohort;
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', 'lead')$$);
INSERT INTO :all;
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_50', false, 'long enough to be a reason', 'lead')$$);
INSERT INTO :all;
SELECT fixture.seen('session_active');

-- Every way in, by somebody who may report and nothing else.
SET ROLE chat_v11_reporter;
SELECT chat_v11.record('read_cursor', p_actor => :'one'), chat_v11.record('read_cursor', NULL, :'ten'), chat_v11.record(p_kind => 'read_cursor', p_actor => upper(:'hundred')::uuid) \g /dev/null
SELECT chat_v11.record_batch(format('[{"kind": "full_state", "actor": "%s"}, {"kind": "full_state", "actor": "%s"}, {"kind": "full_state", "cohort": "v10", "actor": "%s"}, {"kind": "full_state", "cohort": "v11"}]', :'ten', upper(:'hundred'), :'one')::jsonb);
INSERT INTO chat_v11.event (kind, actor) VALUES ('forced_resync', :'fifty'), ('forced_resync', :'hundred');
INSERT INTO chat_v11.event VALUES (DEFAULT, 'recovery_done', NULL, :'one', NULL, 12), (DEFAULT, 'recovery_done', DEFAULT, :'hundred', NULL, 12);
PREPARE report(chat_v11.event_kind, uuid) AS INSERT INTO chat_v11.event (kind, actor) VALUES ($1, $2);
EXECUTE report('resync_request', :'ten');
EXECUTE report('resync_request', :'hundred');
RESET ROLE;
SELECT k, fixture.seen(k) FROM unnest('{read_cursor,full_state,forced_resync,recovery_done,resync_request}'::text[]) k;
SELECT cohort, count(*) FROM chat_v11.event WHERE actor IS NULL GROUP BY cohort;

-- What was given wins over the stage; it goes by the present stage, however long ago the event was.
INSERT INTO chat_v11.event (kind, cohort, actor) VALUES ('timeline_delivered', 'v10', :'one'), ('timeline_delivered', 'v11', :'hundred');
SELECT chat_v11.record('timeline_delivered', 'v10', :'ten');
SELECT chat_v11.record('timeline_delivered', p_actor => :'fifty', p_at => '2026-03-01 11:00:00+00');
SELECT fixture.seen('timeline_delivered');
INSERT INTO chat_v11.event (kind, actor, subject, value) VALUES ('write_ack', :'one', md5('w')::uuid, 3) RETURNING at AT TIME ZONE 'UTC', kind, cohort, actor = :'one', subject, value;
WITH i AS (INSERT INTO chat_v11.event (kind, actor) SELECT 'write_started', id FROM fixture.actor RETURNING cohort, actor)
	SELECT string_agg(a.stage || ':' || i.cohort::text, ' ' ORDER BY stage) FROM i JOIN fixture.actor a ON a.id = i.actor;

-- Without an actor there is nothing to work it out from.
SELECT fixture.attempt(s) FROM (VALUES ($$SELECT chat_v11.record('session_active')$$), ($$SELECT chat_v11.record('session_active', p_subject => gen_random_uuid())$$),
	($$SELECT chat_v11.record_batch('[{"kind": "session_active", "cohort": "v10"}, {"kind": "session_active"}]')$$),
	($$SELECT chat_v11.record_batch('[{"kind": "session_active", "actor": null, "cohort": null}]')$$),
	($$INSERT INTO chat_v11.event (kind) VALUES ('session_active')$$),
	($$INSERT INTO chat_v11.event (kind, cohort) VALUES ('session_active', 'v10'), ('session_active', NULL)$$)) t(s);
-- An actor is no excuse for a cohort that there is not.
SELECT fixture.attempt(s) FROM (VALUES ($$SELECT chat_v11.record('session_active', 'v12', gen_random_uuid())$$),
	($$SELECT chat_v11.record('session_active', '', gen_random_uuid())$$),
	($$SELECT chat_v11.record_batch('[{"kind": "session_active", "cohort": "v12", "actor": "00000000-0000-0000-0000-000000000000"}]')$$)) t(s);
\copy chat_v11.event (kind, cohort, actor) from stdin
send_stall	\N	00000000-0000-0000-0000-000000000001
send_stall	\N	\N
\.
SELECT count(*) FROM chat_v11.event WHERE kind = 'send_stall';

-- COPY of 2,000 rows: every tenth says v10, every eleventh v11, the others nothing.  Rows with a moment go in many at a
-- time; without one each is stamped, and goes in alone.
\set ECHO none
CREATE VIEW fixture.stall AS SELECT *, ('x' || right(actor::text, 4))::bit(16)::int AS i FROM chat_v11.event WHERE kind = 'send_stall';
\set ECHO all
COPY chat_v11.event (at, kind, cohort, actor) FROM PROGRAM
	$$awk 'BEGIN { for (i = 1; i <= 2000; i++) printf "2026-03-01 12:00:00+00\tsend_stall\t%s\t%032x\n", i % 10 == 0 ? "v10" : i % 11 == 0 ? "v11" : "", i }'$$ (NULL '');
COPY chat_v11.event (kind, cohort, actor) FROM PROGRAM
	$$awk 'BEGIN { for (i = 1; i <= 2000; i++) printf "send_stall\t%s\t%032x\n", i % 10 == 0 ? "v10" : i % 11 == 0 ? "v11" : "", i }'$$ (NULL '');
SELECT at AT TIME ZONE 'UTC', count(*), count(*) FILTER (WHERE cohort = 'v11') > 900 AS about_half, count(*) FILTER (WHERE cohort::text IS DISTINCT FROM CASE
	WHEN i % 10 = 0 THEN 'v10' WHEN i % 11 = 0 THEN 'v11' WHEN public.chat_is_v11_enabled(actor::text) THEN 'v11' ELSE 'v10' END) AS wrong
FROM fixture.stall GROUP BY at ORDER BY at;
-- A row that is refused takes those before it along.
COPY chat_v11.event (at, kind, cohort, actor) FROM PROGRAM
	$$awk 'BEGIN { for (i = 1; i <= 700; i++) printf "2026-03-01 12:00:00+00\tsend_stall\t\t%s\n", i == 650 ? "" : "00000000-0000-0000-0000-000000000001" }'$$ (NULL '');
SELECT count(*) FROM fixture.stall;

-- The fold finds them where they belong, and so do the metrics.
SELECT chat_v11.fold() = (SELECT count(*) FROM chat_v11.event);
SELECT count(*) AS kinds, count(*) FILTER (WHERE b.n IS DISTINCT FROM e.n) AS wrong
FROM (SELECT kind::text, cohort::text, sum(count) AS n FROM chat_v11.metric_bucket GROUP BY 1, 2) b
FULL JOIN (SELECT kind::text, cohort::text, count(*) AS n FROM chat_v11.event GROUP BY 1, 2) e USING (kind, cohort)
WHERE kind IN ('session_active', 'read_cursor', 'full_state', 'forced_resync', 'send_stall', 'timeline_delivered');
SELECT metric, cohort, numerator, denominator FROM chat_v11.metrics('2026-03-01 12:00:00+00', '2026-03-01 12:30:00+00') WHERE metric IN ('full_state_rate', 'forced_resync_rate');
DROP OWNED BY chat_v11_reporter;
DROP ROLE chat_v11_reporter;
\pset tuples_only off
\pset format aligned
\i :done

-- By the release's own algorithm: this actor has flagd's bucket 5771, number 2 of Unleash and bucket 80 of FNV-1a.
\set ECHO none
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SELECT chat_v11.set_setting('bucketing', 'unleash', 'as the client has it') \g /dev/null
SELECT fixture.ask('canary_1', false);
SELECT chat_v11.record('session_active', p_actor => '00000000-0000-0000-0000-000000000000');
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_10', false, 'long enough to be a reason', 'lead')$$);
INSERT INTO chat_v11.event (kind, actor) VALUES ('session_active', '00000000-0000-0000-0000-000000000000');
SELECT string_agg(cohort::text, ',' ORDER BY tableoid, ctid) FROM chat_v11.event;
\pset tuples_only off
\pset format aligned
\i :done
