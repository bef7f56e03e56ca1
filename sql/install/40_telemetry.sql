-- Telemetry: ways in, and the plain reading of what came in.  The gates read it through src/pg/telemetry.hpp only.

CREATE FUNCTION chat_v11.record(p_kind text, p_cohort text, p_actor uuid DEFAULT NULL, p_subject uuid DEFAULT NULL,
	p_value float8 DEFAULT NULL, p_at timestamptz DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_record' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.record_batch(p_events jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_record_batch' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.write_key(p_actor uuid, p_device text, p_client_write_seq bigint) RETURNS uuid
	AS 'MODULE_PATHNAME', 'chat_v11_write_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.maturity_delay() RETURNS interval
	AS 'MODULE_PATHNAME', 'chat_v11_maturity_delay' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Writes that became mature in (p_from, p_to], each with what is known of it at p_to.
CREATE FUNCTION chat_v11.settled_writes(p_from timestamptz, p_to timestamptz, p_delay interval)
	RETURNS TABLE (subject uuid, actor uuid, cohort chat_v11.cohort, acked_at timestamptz, settled_at timestamptz,
		receipt_at timestamptz, in_time boolean, duration_ms float8)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, chat_v11, pg_temp
	AS $sql$
	SELECT w.subject, a.actor, a.cohort, a.at, a.at + p_delay, r.at,
		coalesce(r.at <= a.at + interval '10 seconds', false),
		CASE
			WHEN r.at IS NULL THEN (extract(epoch FROM p_to - a.at) * 1000)::float8
			ELSE coalesce(r.value, greatest(0, extract(epoch FROM r.at - a.at) * 1000)::float8)
		END
	FROM (
		SELECT DISTINCT e.subject FROM chat_v11.event e
		WHERE e.kind = 'write_ack' AND e.at > p_from - p_delay AND e.at <= p_to - p_delay
	) w
	CROSS JOIN LATERAL (
		SELECT e.at, e.actor, e.cohort FROM chat_v11.event e
		WHERE e.subject = w.subject AND e.kind = 'write_ack'
		ORDER BY e.at, e.cohort LIMIT 1
	) a
	LEFT JOIN LATERAL (
		SELECT e.at, e.value FROM chat_v11.event e
		WHERE e.subject = w.subject AND e.kind = 'write_receipt' AND e.at <= p_to
		ORDER BY e.at, e.value LIMIT 1
	) r ON true
	WHERE a.at > p_from - p_delay
	$sql$;

CREATE FUNCTION chat_v11.metrics(p_from timestamptz, p_to timestamptz)
	RETURNS TABLE (metric text, cohort text, value float8, numerator bigint, denominator bigint)
	AS 'MODULE_PATHNAME', 'chat_v11_metrics' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.missing_receipts(p_limit integer DEFAULT 50)
	RETURNS TABLE (key uuid, actor uuid, acked_at timestamptz, waited interval, late_receipt_at timestamptz)
	LANGUAGE sql STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp
	AS $sql$
	SELECT w.subject, w.actor, w.acked_at, coalesce(w.receipt_at, t.now) - w.acked_at, w.receipt_at
	FROM (SELECT chat_v11.clock() AS now) t
	CROSS JOIN LATERAL chat_v11.settled_writes(t.now - interval '24 hours', t.now, chat_v11.maturity_delay()) w
	WHERE NOT w.in_time AND w.cohort = 'v11'
	ORDER BY w.acked_at DESC, w.subject
	LIMIT least(greatest(coalesce(p_limit, 50), 1), 500)
	$sql$;
