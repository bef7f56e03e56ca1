\echo Use "ALTER EXTENSION chat_v11 UPDATE TO '0.6'" to load this file. \quit

-- 0.5 to 0.6: the canary analysis.

-- What is there already keeps the rights that it has.
SELECT pg_catalog.set_config('chat_v11_update.members', (SELECT pg_catalog.array_agg(d.objid)::text
	FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = 'chat_v11'
	AND d.deptype = 'e'), true);

-- The canary analysis: buckets of 10 s that are closed once and never change, so that the evidence of a moment is the
-- same whenever and wherever it is looked at.

CREATE TABLE chat_v11.analysis_bucket (
	run bigint NOT NULL,
	at timestamptz NOT NULL PRIMARY KEY,
	closed_at timestamptz NOT NULL,
	data bytea NOT NULL,
	state bytea
);
CREATE INDEX analysis_bucket_run ON chat_v11.analysis_bucket (run, at);
ALTER TABLE chat_v11.analysis_bucket ALTER data SET STORAGE main, ALTER state SET STORAGE external;

-- Who was counted: emptied of a run when the next one has begun.
CREATE TABLE chat_v11.analysis_unit (
	run bigint NOT NULL,
	at timestamptz NOT NULL,
	units bytea NOT NULL,
	PRIMARY KEY (run, at)
);
ALTER TABLE chat_v11.analysis_unit ALTER units SET STORAGE external;

-- Where in the files of events to begin to read: of this cluster only, so no dump has it.
CREATE TABLE chat_v11.analysis_note (
	singleton boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (singleton),
	notes bytea
) WITH (fillfactor = 50);

CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.analysis_bucket
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "20_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.analysis_bucket
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.analysis_unit
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "20_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.analysis_unit
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_fold_only" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.analysis_note
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.fold_only();
CREATE TRIGGER "20_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.analysis_note
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.analysis_bucket ENABLE ALWAYS TRIGGER "20_keep_own";
ALTER TABLE chat_v11.analysis_unit ENABLE ALWAYS TRIGGER "20_keep_own";
ALTER TABLE chat_v11.analysis_note ENABLE ALWAYS TRIGGER "20_keep_own";

SELECT pg_catalog.pg_extension_config_dump('chat_v11.analysis_bucket', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.analysis_unit', '');

CREATE FUNCTION chat_v11.analysis(p_metric text)
	RETURNS TABLE (at timestamptz, canary_bad bigint, canary_exposures bigint, control_bad bigint,
		control_exposures bigint, ln_fail float8, ln_pass float8, verdict text)
	AS 'MODULE_PATHNAME', 'chat_v11_analysis' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

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

COMMENT ON TABLE chat_v11.analysis_bucket IS
	'the canary analysis: what each bucket of 10 s counted; written once by the fold, kept for chat_v11.bucket_retention';
COMMENT ON COLUMN chat_v11.analysis_bucket.run IS 'row of the log with which its stage was first live; 0 for none';
COMMENT ON COLUMN chat_v11.analysis_bucket.at IS 'the bucket''s beginning';
COMMENT ON COLUMN chat_v11.analysis_bucket.closed_at IS 'when it was closed, by the rule clock; what came later is not in it';
COMMENT ON COLUMN chat_v11.analysis_bucket.data IS 'packed: counts, histograms, slices; shown by analysis()';
COMMENT ON COLUMN chat_v11.analysis_bucket.state IS
	'packed, once an hour: what all buckets of the run up to this one amount to, for who looks for the first time';
COMMENT ON TABLE chat_v11.analysis_unit IS
	'the canary analysis: hashes of who was counted, for the present run; each bad unit counts once a comparison';
COMMENT ON COLUMN chat_v11.analysis_unit.run IS 'as in analysis_bucket';
COMMENT ON COLUMN chat_v11.analysis_unit.at IS 'the bucket that saw them first';
COMMENT ON COLUMN chat_v11.analysis_unit.units IS 'packed: 8 bytes each';
COMMENT ON TABLE chat_v11.analysis_note IS 'the canary analysis: where in the files of events to begin to read; of this cluster only';
COMMENT ON COLUMN chat_v11.analysis_note.singleton IS 'one row at most';
COMMENT ON COLUMN chat_v11.analysis_note.notes IS 'packed: lengths of the files by time';
COMMENT ON FUNCTION chat_v11.analysis(text) IS
	'the path of the evidence of one comparison, a row for each bucket of the present stage: counts, lnE for FAIL and for '
	'PASS, verdict; ERR_INVALID_ARGUMENT names the comparisons that there are';

-- Comparisons are judged from now on.  Nobody could switch one on before, so one that is as installed was off because
-- the version had none, and follows the installation: in the log as any other change, because it may close the gates of a
-- rollout that is under way.  A row that somebody changed stays as it is, and is listed as disabled; but for zero_ok, which
-- nobody can set by hand.
UPDATE chat_v11.gate_check SET zero_ok = true WHERE judge = 'baseline' AND NOT zero_ok;
SELECT chat_v11.set_check(c.name, p_note => 'update to 0.6: where it is rightly rare, none is no reason to wait')
FROM (SELECT g.name FROM chat_v11.gate_check g JOIN chat_v11.rollout_history h ON h.id = g.history_id
	WHERE g.judge = 'baseline' AND NOT (h.change->'new'->>'zero_ok')::boolean ORDER BY g.ordinal) c;
SELECT chat_v11.set_check(c.name, p_enabled => true, p_note => 'update to 0.6: what is compared with control is judged')
FROM (SELECT g.name FROM chat_v11.gate_check g WHERE g.judge <> 'limit' AND g.history_id IS NULL ORDER BY g.ordinal) c;

COMMENT ON FUNCTION chat_v11.what_if(jsonb) IS
	'the gates now under other limits, nothing is changed; keys: a check, "stage_policy", "settings", "analysis"; '
	'ERR_INVALID_ARGUMENT for any other';
COMMENT ON COLUMN chat_v11.check_answer.value IS
	'rate 0..1, ms or count; ratio of canary to control for a comparison, drift a day for the trend; seconds for dwell '
	'and killed, writes for evidence, share 0..1 for cohort_share';
COMMENT ON COLUMN chat_v11.check_answer.limit_value IS
	'unit of value; the allowed ratio for a comparison; a factor for cohort_share; what is needed for dwell, quiet (s), '
	'evidence and killed';
COMMENT ON COLUMN chat_v11.check_answer.control_value IS
	'the same metric of cohort v10, for people; for a comparison the rate of bad ones that it is judged against';
COMMENT ON COLUMN chat_v11.gate_check.judge IS 'limit, baseline, compare or trend: against a limit, or beside control; fixed';
COMMENT ON COLUMN chat_v11.gate_check.limit_value IS
	'a value above it fails: 0..1 for a rate, ms, count; seconds for killed, a factor of 1 or more for cohort_share; '
	'null for comparisons';
COMMENT ON COLUMN chat_v11.gate_check.on_fail IS
	'kill or rollback to canary_1, which the guard does by itself, of a comparison where it fails severely; hold; or '
	'advise: shown, counted by no gate';
