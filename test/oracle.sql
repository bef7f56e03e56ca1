-- The telemetry by its plain definition: what every metric is, said over the raw rows of chat_v11.event alone.
--
-- It is the judge of the engine, and shares no code with it: no bucket, no histogram, no index, no function of the
-- extension but chat_v11.clock().  So it is slow, and right as far as it can be read.  Not installed; a test loads it:
--
--     \i test/oracle.sql
--     SELECT * FROM oracle.comparison(now() - interval '30 min', now()) WHERE NOT equal;
--
-- Every function is STABLE, hence within one statement oracle and engine see one snapshot.  A comparison needs a clock
-- that stands still: SET chat_v11.mock_now.  Raw rows must still be there, that is, be younger than their retention.

CREATE SCHEMA oracle;

-- From a write's first ACK to the moment at which it is judged: 10 s for the receipt to happen, report_grace, in whole
-- seconds, for its report to arrive, and one microsecond, because a write must be *older* than both.
CREATE FUNCTION oracle.maturity_delay() RETURNS interval LANGUAGE sql STABLE AS $sql$
	SELECT interval '10 seconds' + make_interval(secs => ceil(extract(epoch FROM s.value::interval))::float8)
		+ interval '1 microsecond'
	FROM chat_v11.setting s WHERE s.name = 'report_grace'
	$sql$;

-- What a span means.  Both ends are cut to whole seconds; an end within the last second before the clock, or behind it,
-- is the clock itself.
-- A span is open at its begin and closed at its end.
--   lower          events, and moments of maturity, must be later than this
--   upper          events count up to here: to the end of the second in which the clock stands, where the span ends now
--   judged_at      writes that are mature by this moment count, and who has no receipt has waited until then
CREATE FUNCTION oracle.span(p_from timestamptz, p_to timestamptz, OUT lower timestamptz, OUT upper timestamptz,
	OUT judged_at timestamptz) LANGUAGE sql STABLE AS $sql$
	SELECT date_trunc('second', p_from),
		CASE
			WHEN p_to <= c.now - interval '1 second' THEN date_trunc('second', p_to)
			WHEN c.now = date_trunc('second', c.now) THEN c.now
			ELSE date_trunc('second', c.now) + interval '1 second'
		END,
		CASE WHEN p_to <= c.now - interval '1 second' THEN date_trunc('second', p_to) ELSE c.now END
	FROM (SELECT chat_v11.clock() AS now) c
	$sql$;

-- The first receipt of each key that has one.  Whichever cohort reported it; of several at one moment the one with the
-- smallest value of its own, one without a value last.
CREATE FUNCTION oracle.first_receipts()
	RETURNS TABLE (key uuid, cohort text, receipt_at timestamptz, value float8) LANGUAGE sql STABLE AS $sql$
	SELECT DISTINCT ON (e.subject) e.subject, e.cohort::text, e.at, e.value
	FROM chat_v11.event e WHERE e.kind = 'write_receipt'
	ORDER BY e.subject, e.at, e.value NULLS LAST, e.cohort::text COLLATE "C"
	$sql$;

-- Pairing.  A write is a key with at least one ACK; however many there are, it is one write.  The first ACK decides
-- when it was and whose: the earliest, of several at one moment that of v10, then that of the smallest actor, nobody
-- last.  All receipts that are known count, also those that happened after the span in question: what is known now is
-- known.
CREATE FUNCTION oracle.writes()
	RETURNS TABLE (key uuid, actor uuid, cohort text, acked_at timestamptz, settled_at timestamptz,
		receipt_at timestamptz, missing boolean, own_ms float8) LANGUAGE sql STABLE AS $sql$
	SELECT a.subject, a.actor, a.cohort, a.at, a.at + oracle.maturity_delay(), r.receipt_at,
		-- Exactly 10 s is in time, and so is a receipt from before its ACK.
		r.receipt_at IS NULL OR r.receipt_at > a.at + interval '10 seconds',
		-- What the write took: the receipt says, else the clock.  Null while there is no receipt.
		CASE WHEN r.receipt_at IS NOT NULL THEN
			coalesce(r.value, greatest(0, extract(epoch FROM r.receipt_at - a.at) * 1000)::float8)
		END
	FROM (
		SELECT DISTINCT ON (e.subject) e.subject, e.actor, e.cohort::text AS cohort, e.at
		FROM chat_v11.event e WHERE e.kind = 'write_ack'
		ORDER BY e.subject, e.at, e.cohort::text COLLATE "C", e.actor NULLS LAST
	) a
	LEFT JOIN oracle.first_receipts() r ON r.key = a.subject
	$sql$;

-- As chat_v11.metrics().
CREATE FUNCTION oracle.metrics(p_from timestamptz, p_to timestamptz)
	RETURNS TABLE (metric text, cohort text, value float8, numerator bigint, denominator bigint)
	LANGUAGE sql STABLE AS $sql$
	WITH span AS (SELECT s.* FROM oracle.span(p_from, p_to) s),
	cohorts (cohort) AS (VALUES ('v11'), ('v10')),
	-- Events, each by its own `at`.
	events AS (
		SELECT e.kind::text AS kind, e.cohort::text AS cohort, e.value
		FROM chat_v11.event e, span s WHERE e.at > s.lower AND e.at <= s.upper
	),
	n AS (
		SELECT c.cohort,
			count(*) FILTER (WHERE e.kind = 'write_started') AS write_started,
			count(*) FILTER (WHERE e.kind = 'write_ack') AS write_ack,
			count(*) FILTER (WHERE e.kind = 'write_rejected') AS write_rejected,
			count(*) FILTER (WHERE e.kind = 'write_receipt') AS write_receipt,
			count(*) FILTER (WHERE e.kind = 'pending_forever') AS pending_forever,
			count(*) FILTER (WHERE e.kind = 'send_stall') AS send_stall,
			count(*) FILTER (WHERE e.kind = 'timeline_delivered') AS timeline_delivered,
			count(*) FILTER (WHERE e.kind = 'timeline_duplicate') AS timeline_duplicate,
			count(*) FILTER (WHERE e.kind = 'read_cursor') AS read_cursor,
			count(*) FILTER (WHERE e.kind = 'read_rollback') AS read_rollback,
			count(*) FILTER (WHERE e.kind = 'session_active') AS session_active,
			count(*) FILTER (WHERE e.kind = 'forced_resync') AS forced_resync,
			count(*) FILTER (WHERE e.kind = 'full_state') AS full_state,
			count(*) FILTER (WHERE e.kind = 'resync_request') AS resync_request,
			count(*) FILTER (WHERE e.kind = 'resync_range_unavailable') AS range_unavailable,
			count(*) FILTER (WHERE e.kind = 'resync_throttled') AS throttled,
			count(*) FILTER (WHERE e.kind = 'recovery_done') AS recovery_done
		FROM cohorts c LEFT JOIN events e ON e.cohort = c.cohort GROUP BY c.cohort
	),
	-- The 95th percentile by nearest rank is the ceil(0.95 n)-th smallest, in whole numbers (95 n + 99) / 100.
	recoveries AS (
		SELECT e.cohort, (array_agg(e.value ORDER BY e.value))[(95 * count(*) + 99) / 100] AS p95
		FROM events e WHERE e.kind = 'recovery_done' AND e.value IS NOT NULL GROUP BY e.cohort
	),
	-- A write belongs to the moment at which it became mature.  One without a receipt took what it has waited so far.
	mature AS (
		SELECT w.cohort, w.missing,
			coalesce(w.own_ms, (extract(epoch FROM s.judged_at - w.acked_at) * 1000)::float8) AS ms
		FROM oracle.writes() w, span s WHERE w.settled_at > s.lower AND w.settled_at <= s.judged_at
	),
	writes AS (
		SELECT c.cohort, count(m.cohort) AS mature, count(*) FILTER (WHERE m.missing) AS missing,
			(array_agg(m.ms ORDER BY m.ms))[(95 * count(m.cohort) + 99) / 100] AS p95
		FROM cohorts c LEFT JOIN mature m ON m.cohort = c.cohort GROUP BY c.cohort
	),
	-- A key with a receipt and no ACK at all counts once, where its first receipt is.
	orphans AS (
		SELECT r.cohort, count(*) AS keys FROM oracle.first_receipts() r, span s
		WHERE r.receipt_at > s.lower AND r.receipt_at <= s.upper
			AND NOT EXISTS (SELECT FROM oracle.writes() w WHERE w.key = r.key)
		GROUP BY r.cohort
	)
	SELECT m.metric, c.cohort,
		-- A rate is null where its denominator is 0, never 0.
		CASE m.sort WHEN 'rate' THEN m.numerator::float8 / nullif(m.denominator, 0) ELSE m.value END,
		m.numerator, m.denominator
	FROM cohorts c JOIN n USING (cohort) JOIN writes w USING (cohort)
	LEFT JOIN recoveries r USING (cohort) LEFT JOIN orphans o USING (cohort)
	CROSS JOIN LATERAL (VALUES
		('ack_without_receipt_10s_rate', 'rate', w.missing, w.mature, NULL::float8),
		('timeline_duplicate_detected_rate', 'rate', n.timeline_duplicate,
			n.timeline_delivered + n.timeline_duplicate, NULL),
		('read_rollback_detected_rate', 'rate', n.read_rollback, n.read_cursor + n.read_rollback, NULL),
		('send_stall_rate', 'rate', n.send_stall, greatest(n.write_started, n.send_stall), NULL),
		('write_receipt_p95_ms', 'quantile', 0, w.mature, w.p95),
		('write_reject_rate', 'rate', n.write_rejected, n.write_ack + n.write_rejected, NULL),
		('forced_resync_rate', 'rate', n.forced_resync, n.session_active, NULL),
		('full_state_rate', 'rate', n.full_state, n.session_active, NULL),
		('err_resync_range_unavailable_rate', 'rate', n.range_unavailable, n.resync_request, NULL),
		('err_resync_throttled_rate', 'rate', n.throttled, n.resync_request, NULL),
		('recovery_p95_ms', 'quantile', 0, n.recovery_done, r.p95),
		('pending_forever_count', 'count', n.pending_forever, n.pending_forever, n.pending_forever),
		('receipt_without_ack_count', 'count', coalesce(o.keys, 0), n.write_receipt, coalesce(o.keys, 0))
	) m(metric, sort, numerator, denominator, value)
	$sql$;

-- As chat_v11.missing_receipts(), without its limit: v11's writes that became mature in the last 24 h and have no
-- receipt in time, newest first.
CREATE FUNCTION oracle.missing(p_now timestamptz)
	RETURNS TABLE (key uuid, actor uuid, acked_at timestamptz, waited interval, late_receipt_at timestamptz)
	LANGUAGE sql STABLE AS $sql$
	SELECT w.key, w.actor, w.acked_at, coalesce(w.receipt_at, p_now) - w.acked_at, w.receipt_at
	FROM oracle.writes() w
	WHERE w.cohort = 'v11' AND w.missing AND w.settled_at > p_now - interval '24 hours' AND w.settled_at <= p_now
	ORDER BY w.acked_at DESC, w.key
	$sql$;

-- Engine beside oracle, one row a field.  Counts and rates are equal or wrong; a quantile may be off by 1 %, or by the
-- histogram's lowest bin, 0.01 ms.
CREATE FUNCTION oracle.comparison(p_from timestamptz, p_to timestamptz)
	RETURNS TABLE (metric text, cohort text, field text, engine text, oracle text, equal boolean)
	LANGUAGE sql STABLE AS $sql$
	SELECT metric, cohort, f.field, f.engine, f.oracle, coalesce(f.near, f.engine IS NOT DISTINCT FROM f.oracle)
	FROM chat_v11.metrics(p_from, p_to) e FULL JOIN oracle.metrics(p_from, p_to) o USING (metric, cohort)
	CROSS JOIN LATERAL (VALUES
		('row', (e.numerator IS NOT NULL)::text, (o.numerator IS NOT NULL)::text, NULL),
		('numerator', e.numerator::text, o.numerator::text, NULL),
		('denominator', e.denominator::text, o.denominator::text, NULL),
		('value', e.value::text, o.value::text,
			CASE WHEN metric LIKE '%\_p95\_ms' THEN abs(e.value - o.value) <= greatest(0.01 * o.value, 0.01) END)
	) f(field, engine, oracle, near)
	$sql$;

-- The same of missing_receipts(), as far as that goes: 500 rows.
CREATE FUNCTION oracle.missing_comparison()
	RETURNS TABLE (key uuid, field text, engine text, oracle text, equal boolean) LANGUAGE sql STABLE AS $sql$
	WITH e AS (SELECT m.*, m.ordinality AS place FROM chat_v11.missing_receipts(500) WITH ORDINALITY m),
	o AS (SELECT m.*, m.ordinality AS place FROM oracle.missing(chat_v11.clock()) WITH ORDINALITY m LIMIT 500)
	SELECT key, f.field, f.engine, f.oracle, f.engine IS NOT DISTINCT FROM f.oracle
	FROM e FULL JOIN o USING (key)
	CROSS JOIN LATERAL (VALUES
		('place', e.place::text, o.place::text),
		('actor', e.actor::text, o.actor::text),
		('acked_at', e.acked_at::text, o.acked_at::text),
		('waited', e.waited::text, o.waited::text),
		('late_receipt_at', e.late_receipt_at::text, o.late_receipt_at::text)
	) f(field, engine, oracle)
	$sql$;
