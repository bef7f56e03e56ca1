-- Telemetry: ways in, folding, and the reading of what came in.  The gates read it through src/pg/telemetry.hpp only.

-- These two insert without a query of their own, so they need neither a search_path nor their owner's rights.
CREATE FUNCTION chat_v11.record(p_kind text, p_cohort text DEFAULT NULL, p_actor uuid DEFAULT NULL, p_subject uuid DEFAULT NULL,
	p_value float8 DEFAULT NULL, p_at timestamptz DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_record' LANGUAGE C VOLATILE;

CREATE FUNCTION chat_v11.record_batch(p_events jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_record_batch' LANGUAGE C VOLATILE;

CREATE FUNCTION chat_v11.write_key(p_actor uuid, p_device text, p_client_write_seq bigint) RETURNS uuid
	AS 'MODULE_PATHNAME', 'chat_v11_write_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.fold(p_limit bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_fold' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.fold_status(OUT lag_events bigint, OUT lag_seconds float8, OUT last_fold timestamptz,
	OUT folded_events bigint, OUT tail_pages bigint, OUT held_pages bigint, OUT pending_writes bigint,
	OUT unfinished_round boolean, OUT folding_pid integer, OUT event_bytes bigint, OUT bucket_bytes bigint,
	OUT write_bytes bigint)
	AS 'MODULE_PATHNAME', 'chat_v11_fold_status' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.metrics(p_from timestamptz, p_to timestamptz)
	RETURNS TABLE (metric text, cohort text, value float8, numerator bigint, denominator bigint)
	AS 'MODULE_PATHNAME', 'chat_v11_metrics' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.missing_receipts(p_limit integer DEFAULT 50)
	RETURNS TABLE (key uuid, actor uuid, acked_at timestamptz, waited interval, late_receipt_at timestamptz)
	AS 'MODULE_PATHNAME', 'chat_v11_missing_receipts' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
