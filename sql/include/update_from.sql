-- From the released version :released to the present one, with a rollout under way.
CREATE EXTENSION chat_v11 VERSION :'released';
-- As the library of that version installed it, without comparisons.
ALTER TABLE chat_v11.gate_check DISABLE TRIGGER "20_guard";
UPDATE chat_v11.gate_check SET enabled = false, zero_ok = name = 'recovery_p95_ms' WHERE judge <> 'limit';
ALTER TABLE chat_v11.gate_check ENABLE ALWAYS TRIGGER "20_guard";
SELECT (chat_v11.set_check('write_reject_compare', p_on_fail => 'advise', p_note => 'before there was one')).on_fail;
SELECT count(*) AS rows_that_do_not_fit FROM chat_v11.verify_history();
SELECT chat_v11.grant_access(role::regrole, level) FROM (VALUES ('regress_up_reader', 'reader'), ('regress_up_reporter', 'reporter'), ('regress_up_admin', 'admin')) g(role, level);
GRANT INSERT ON chat_v11.event TO regress_up_by_hand;
-- A rollout that is under way, with traffic of both cohorts, a late receipt and a missing one.
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value)
	SELECT timestamptz '2026-03-01 11:30:00+00' + i * interval '100 ms' + after, kind::chat_v11.event_kind,
		(CASE WHEN i % 4 = 0 THEN 'v11' ELSE 'v10' END)::chat_v11.cohort, md5('a' || i % 50)::uuid, md5('w' || i)::uuid, NULL
	FROM generate_series(0, 17000) i, (VALUES ('write_started', interval '0'), ('write_ack', interval '80 ms'), ('write_receipt', interval '300 ms'),
		('timeline_delivered', interval '400 ms'), ('session_active', interval '0')) e(kind, after)
	WHERE NOT (kind = 'write_receipt' AND i IN (8000, 12000));
SELECT chat_v11.record('write_receipt', 'v11', NULL, md5('w8000')::uuid, NULL, '2026-03-01 11:44:00+00');
SELECT chat_v11.record('write_receipt', 'v10', NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff', NULL, '2026-03-01 11:44:00+00');
SELECT stage, kill_switch FROM public.chat_set_v11_rollout_state('canary_1', false, 'start');
SELECT chat_v11.attest('telemetry:pending_forever', 'looked') IS NOT NULL;
CREATE TABLE upgrade.events_before AS SELECT * FROM chat_v11.event;
CREATE VIEW upgrade.of_somebody AS SELECT kind, count(*) FROM chat_v11.event GROUP BY 1;
ALTER EXTENSION chat_v11 UPDATE;

-- The catalogs: nothing on one side only.
SELECT 'fresh only' AS side, thing FROM (SELECT thing FROM upgrade.fresh EXCEPT SELECT thing FROM upgrade.catalog()) x
UNION ALL SELECT 'updated only', thing FROM (SELECT thing FROM upgrade.catalog() EXCEPT SELECT thing FROM upgrade.fresh) x ORDER BY 1, 2;

-- The events: each of them, once.
SELECT count(*) AS events, count(*) = (SELECT count(*) FROM upgrade.events_before) AS as_many FROM chat_v11.event;
SELECT * FROM (SELECT at, kind::text, cohort::text, actor, subject, value FROM chat_v11.event EXCEPT ALL SELECT at, kind::text, cohort::text, actor, subject, value FROM upgrade.events_before) x;
SELECT sum(count) FROM upgrade.of_somebody;

-- The figures: by the engine as by their plain definition, before the first fold and after it.
\set oracle :abs_srcdir '/test/oracle.sql'
\set ECHO none
\i :oracle
\set ECHO all
CREATE VIEW upgrade.wrong AS
	SELECT 'metrics' AS what, metric || ' ' || cohort AS which, field, engine, oracle FROM oracle.comparison('2026-03-01 11:20:00+00', '2026-03-01 12:00:00+00') WHERE NOT equal
	UNION ALL SELECT 'missing', key::text, field, engine, oracle FROM oracle.missing_comparison() WHERE NOT equal;
SELECT metric, cohort, value, numerator, denominator FROM chat_v11.metrics('2026-03-01 11:20:00+00', '2026-03-01 12:00:00+00') WHERE denominator > 0 ORDER BY 1, 2;
SELECT * FROM upgrade.wrong;
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, mature_writes FROM public.chat_get_v11_release_gates();
SELECT chat_v11.fold() = (SELECT count(*) FROM upgrade.events_before) AS all_folded;
SELECT * FROM upgrade.wrong;
SELECT rollout_decision, gate_p0_ok, gate_p1_ok, mature_writes FROM public.chat_get_v11_release_gates();
SELECT * FROM chat_v11.verify_history();
SELECT stage, kill_switch, version FROM public.chat_get_v11_rollout_state();
-- What the gate log had in its jsonb alone.
SELECT cause, version, decision, p0_ok, p1_ok, failing FROM chat_v11.gate_log ORDER BY at;
-- The cohort of a rollout that was started before there was one to ask for.
SELECT bucketing FROM chat_v11.rollout_state;
-- Comparisons are switched on, on record; but for what somebody had changed before.
SELECT c.name, c.enabled, c.zero_ok, c.on_fail, h.note FROM chat_v11.gate_check c JOIN chat_v11.rollout_history h ON h.id = c.history_id ORDER BY c.ordinal;
SELECT disabled_checks FROM public.chat_get_v11_release_gates();
SELECT check_name, status, reason FROM chat_v11.explain_gates() WHERE check_name = 'forced_resync_compare';
SELECT count(*) FILTER (WHERE public.chat_is_v11_enabled(i::text)) AS in_cohort FROM generate_series(1, 10000) i;

DROP SCHEMA oracle CASCADE;
DROP TABLE upgrade.events_before CASCADE;
DROP VIEW upgrade.of_somebody;
DROP EXTENSION chat_v11 CASCADE;
