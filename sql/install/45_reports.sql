-- What people ask of the telemetry in an incident: one write, the resyncs, one metric over time.

CREATE FUNCTION chat_v11.trace_write(p_subject uuid)
	RETURNS TABLE (at timestamptz, kind text, cohort text, actor uuid, value float8, since_previous interval,
		since_ack interval, remark text)
	AS 'MODULE_PATHNAME', 'chat_v11_trace_write' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.resync_report(p_from timestamptz, p_to timestamptz)
	RETURNS TABLE (cohort text, outcome text, requests bigint, share float8, behind_p50 float8, behind_p95 float8,
		behind_p99 float8, behind_max float8, behind_unknown bigint, from_zero bigint, from_zero_of bigint,
		from_zero_share float8, without_request bigint, remark text)
	AS 'MODULE_PATHNAME', 'chat_v11_resync_report' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.metric_series(p_metric text, p_from timestamptz, p_to timestamptz, p_step interval)
	RETURNS TABLE (at timestamptz, metric text, cohort text, value float8, numerator bigint, denominator bigint)
	AS 'MODULE_PATHNAME', 'chat_v11_metric_series' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
