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
