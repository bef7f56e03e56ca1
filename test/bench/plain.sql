-- The ten metrics of the gates in plain SQL over the raw rows, as somebody without the engine would ask for them: one
-- pass over the windows' rows, counts, a percentile (by nearest rank, as ours), and a join of ACKs with receipts.  :table is where the rows are,
-- :now the moment.  What ours does beyond that (minutes of the quiet period, freshness, evidence) is left out here.
WITH e AS MATERIALIZED (
	SELECT e.at, e.kind, e.subject, e.value FROM :table e
	-- Writes go by the moment at which they are judged, 12 s after their ACK.
	WHERE e.cohort = 'v11' AND e.at > :'now'::timestamptz - interval '30 min 12 s' AND e.at <= :'now'
), n AS (
	SELECT count(*) FILTER (WHERE kind = 'timeline_duplicate' AND p0) AS duplicates,
		count(*) FILTER (WHERE kind = 'timeline_delivered' AND p0) AS delivered,
		count(*) FILTER (WHERE kind = 'read_rollback' AND p0) AS rollbacks,
		count(*) FILTER (WHERE kind = 'read_cursor' AND p0) AS cursors,
		count(*) FILTER (WHERE kind = 'send_stall' AND stall) AS stalls,
		count(*) FILTER (WHERE kind = 'write_started' AND stall) AS started,
		count(*) FILTER (WHERE kind = 'write_rejected' AND p1) AS rejected,
		count(*) FILTER (WHERE kind = 'write_ack' AND p1) AS acks,
		count(*) FILTER (WHERE kind = 'forced_resync' AND p1) AS resyncs,
		count(*) FILTER (WHERE kind = 'full_state' AND p1) AS full_states,
		count(*) FILTER (WHERE kind = 'session_active' AND p1) AS sessions,
		count(*) FILTER (WHERE kind = 'resync_range_unavailable' AND p1) AS unavailable,
		count(*) FILTER (WHERE kind = 'resync_throttled' AND p1) AS throttled,
		count(*) FILTER (WHERE kind = 'resync_request' AND p1) AS requests
	FROM e, LATERAL (SELECT at > :'now'::timestamptz - interval '30 min' AS p0,
		at > :'now'::timestamptz - interval '15 min' AS p1, at > :'now'::timestamptz - interval '5 min' AS stall) w
), acks AS (
	SELECT subject, min(at) AS at FROM e WHERE kind = 'write_ack' GROUP BY subject
), receipts AS (
	SELECT DISTINCT ON (subject) subject, at, value FROM e WHERE kind = 'write_receipt' ORDER BY subject, at
), writes AS (
	SELECT a.at > :'now'::timestamptz - interval '15 min 12 s' AS p1,
		r.at IS NULL OR r.at > a.at + interval '10 s' AS missing,
		coalesce(r.value, 1000 * extract(epoch FROM greatest(coalesce(r.at, :'now') - a.at, '0'))::float8) AS ms
	FROM acks a LEFT JOIN receipts r USING (subject)
	WHERE a.at < :'now'::timestamptz - interval '12 s'
), w AS (
	SELECT count(*) AS mature, count(*) FILTER (WHERE missing) AS missing,
		percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) FILTER (WHERE p1) AS p95
	FROM writes
)
SELECT missing::float8 / nullif(mature, 0) AS ack_without_receipt_10s_rate,
	duplicates::float8 / nullif(delivered + duplicates, 0) AS timeline_duplicate_detected_rate,
	rollbacks::float8 / nullif(cursors + rollbacks, 0) AS read_rollback_detected_rate,
	stalls::float8 / nullif(greatest(started, stalls), 0) AS send_stall_rate,
	p95 AS write_receipt_p95_ms,
	rejected::float8 / nullif(acks + rejected, 0) AS write_reject_rate,
	resyncs::float8 / nullif(sessions, 0) AS forced_resync_rate,
	full_states::float8 / nullif(sessions, 0) AS full_state_rate,
	unavailable::float8 / nullif(requests, 0) AS err_resync_range_unavailable_rate,
	throttled::float8 / nullif(requests, 0) AS err_resync_throttled_rate,
	mature AS mature_writes
FROM n, w;
