-- What on-call asks: where one write got stuck, why resyncs are refused, one metric over time.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET extra_float_digits = 0;
\set ECHO all

-- ---- trace_write -------------------------------------------------------------------------------------------------
SET chat_v11.mock_now = '2026-03-01 13:00:00+00';
-- Events of writes named by a number: kind, seconds after 12:59:00.
CREATE FUNCTION fixture.write(n int) RETURNS uuid LANGUAGE sql AS $$SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid$$;
CREATE FUNCTION fixture.write_event(n int, p_kind text, p_after float8, p_value float8 DEFAULT NULL, p_cohort text DEFAULT 'v11') RETURNS void LANGUAGE sql AS $$
	INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value) VALUES
		(timestamptz '2026-03-01 12:59:00+00' + p_after * interval '1 s', p_kind::chat_v11.event_kind, p_cohort::chat_v11.cohort, fixture.write(100), fixture.write(n), p_value)
$$;
CREATE FUNCTION fixture.trace(n int) RETURNS TABLE (at text, kind text, cohort text, who text, value float8, since_previous interval, since_ack interval, remark text) LANGUAGE sql AS $$
	SELECT to_char(t.at, 'HH24:MI:SS.MS'), t.kind, t.cohort, right(t.actor::text, 3), t.value, t.since_previous, t.since_ack, t.remark FROM chat_v11.trace_write(fixture.write(n)) t
$$;
\pset format unaligned
\pset tuples_only on
-- Nothing stored at all; nothing of this write.
SELECT remark FROM fixture.trace(1);
SELECT fixture.write_event(90, 'read_cursor', -3600);
SELECT * FROM fixture.trace(1);
SELECT fixture.attempt('SELECT * FROM chat_v11.trace_write(NULL)');
-- A receipt is missing, and nobody's is reported: that is another fault.
SELECT count(fixture.write_event(2, k, s)) FROM (VALUES ('write_started', -0.08), ('write_ack', 0)) e(k, s);
SELECT * FROM fixture.trace(2);
-- Only control has receipts; then the canary has too, and this write is the exception.
SELECT count(fixture.write_event(3, k, s, NULL, 'v10')) FROM (VALUES ('write_ack', 1), ('write_receipt', 1.2)) e(k, s);
SELECT remark FROM fixture.trace(2) WHERE at IS NULL;
SELECT count(fixture.write_event(4, k, s)) FROM (VALUES ('write_started', 1.9), ('write_ack', 2), ('write_receipt', 2.2)) e(k, s);
SELECT remark FROM fixture.trace(2) WHERE at IS NULL;
-- The shortest chain is whole while nobody reports the optional links.
SELECT * FROM fixture.trace(4);
-- Once one of them is reported anywhere near, a write without it has a gap, be its receipt there or not.
SELECT count(fixture.write_event(5, k, s)) FROM (VALUES ('write_started', 2.9), ('write_ack', 3), ('write_ledgered', 3.01), ('write_stored', 3.02), ('write_receipt', 3.2)) e(k, s);
SELECT * FROM fixture.trace(5);
SELECT * FROM fixture.trace(4) WHERE at IS NULL;
SELECT * FROM fixture.trace(2) WHERE at IS NULL;
-- Durable, and yet no receipt.  One of ten or more lacks it: an exception; else it is not alone.
SELECT count(fixture.write_event(6, k, s)) FROM (VALUES ('write_ack', 4), ('write_ledgered', 4.01), ('write_stored', 4.02)) e(k, s);
SELECT * FROM fixture.trace(6);
SELECT count(fixture.write_event(30 + n, k, 4)) FROM generate_series(1, 30) n, unnest('{write_ack,write_ledgered,write_stored,write_receipt}'::text[]) k;
SELECT remark FROM fixture.trace(6) WHERE at IS NULL;
-- A canary whose ledger is never reached: control tells that there should be one.
SELECT count(fixture.write_event(7, k, s, NULL, 'v10')) FROM (VALUES ('write_ack', 5), ('write_receipt', 5.1)) e(k, s);
SELECT remark FROM fixture.trace(7) WHERE at IS NULL;
-- To the microsecond: 10 s are in time, more is late.  A retry's ACK does not start anew; the first receipt counts.
SELECT count(fixture.write_event(n, k, s)) FROM (VALUES (8, 'write_ack', 6), (8, 'write_ledgered', 6), (8, 'write_stored', 6), (8, 'write_receipt', 16),
	(9, 'write_ack', 7), (9, 'write_ledgered', 7), (9, 'write_stored', 7), (9, 'write_ack', 12), (9, 'write_receipt', 17.000001), (9, 'write_receipt', 18)) e(n, k, s);
SELECT * FROM fixture.trace(8);
SELECT * FROM fixture.trace(9);
-- Receipt before ACK, with a value of its own; a retry by the other protocol.
SELECT count(fixture.write_event(10, k, s, v, c)) FROM (VALUES ('write_receipt', 7.9, 12.5, 'v11'), ('write_ack', 8, NULL, 'v11'), ('write_ledgered', 8, NULL, 'v11'), ('write_stored', 8, NULL, 'v11'), ('write_ack', 9, NULL, 'v10')) e(k, s, v, c);
SELECT * FROM fixture.trace(10);
-- No ACK: refused; refused and tried again; a receipt all the same; started and given up.
SELECT count(fixture.write_event(n, k, s)) FROM (VALUES (11, 'write_started', 10), (11, 'write_rejected', 10.1),
	(12, 'write_started', 10), (12, 'write_rejected', 10.1), (12, 'write_started', 11), (13, 'write_started', 10), (13, 'write_receipt', 10.2),
	(14, 'write_started', 10), (14, 'send_stall', 41), (14, 'pending_forever', 55), (15, 'write_started', 55),
	(16, 'write_rejected', 9), (16, 'write_ack', 10), (16, 'write_ledgered', 10), (16, 'write_stored', 10), (16, 'write_receipt', 10.1), (16, 'write_rejected', 10.2)) e(n, k, s);
SELECT * FROM fixture.trace(11);
SELECT * FROM fixture.trace(12);
SELECT * FROM fixture.trace(13);
SELECT * FROM fixture.trace(14);
SELECT * FROM fixture.trace(15);
SELECT * FROM fixture.trace(16);
-- Not a write's key.
SELECT fixture.write_event(17, 'timeline_delivered', 10);
SELECT * FROM fixture.trace(17);
-- A key of a dialog, with more events than any write has.
INSERT INTO chat_v11.event (at, kind, cohort, subject) SELECT '2026-03-01 12:00:00+00', 'read_cursor', 'v11', fixture.write(18) FROM generate_series(1, 10001);
SELECT count(*), max(remark) FROM fixture.trace(18);
-- Not yet, until it is mature: 10 s and report_grace after the first ACK, and a microsecond.
SET chat_v11.mock_now = '2026-03-01 12:59:03+00';
SELECT * FROM fixture.trace(2) WHERE at IS NULL;
SET chat_v11.mock_now = '2026-03-01 12:59:12+00';
SELECT left(remark, 20) FROM fixture.trace(2) WHERE at IS NULL;
SET chat_v11.mock_now = '2026-03-01 12:59:12.000001+00';
SELECT left(remark, 20) FROM fixture.trace(2) WHERE at IS NULL;
-- The optional links are missed by what is reported within an hour of the ACK, not by what is reported today.
SET chat_v11.mock_now = '2026-03-01 18:00:00+00';
SELECT count(fixture.write_event(19, k, s)) FROM (VALUES ('write_ack', 3603.03), ('write_receipt', 3604)) e(k, s);
SELECT remark FROM fixture.trace(19) WHERE at IS NULL;
SELECT count(fixture.write_event(20, k, s)) FROM (VALUES ('write_ack', 3618), ('write_receipt', 3619)) e(k, s);
SELECT remark FROM fixture.trace(20) WHERE at IS NULL;

-- ---- resync_report -----------------------------------------------------------------------------------------------
CREATE FUNCTION fixture.resync(p_at timestamptz, p_kind text, p_subject int, p_actor int, p_value float8, p_cohort text DEFAULT 'v11') RETURNS void LANGUAGE sql AS $$
	INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value) VALUES
		(p_at, p_kind::chat_v11.event_kind, p_cohort::chat_v11.cohort, fixture.write(p_actor), fixture.write(p_subject), p_value)
$$;
CREATE FUNCTION fixture.report(p_from timestamptz, p_to timestamptz) RETURNS TABLE (cohort text, outcome text, n bigint, share numeric, p50 float8, p95 float8, p99 float8, max float8,
	unknown bigint, zero text, zero_share numeric, alone bigint, remark text) LANGUAGE sql AS $$
	SELECT r.cohort, r.outcome, r.requests, round(r.share::numeric, 4), r.behind_p50, r.behind_p95, r.behind_p99, r.behind_max, r.behind_unknown,
		r.from_zero || ' of ' || r.from_zero_of, round(r.from_zero_share::numeric, 4), r.without_request, r.remark
	FROM chat_v11.resync_report(p_from, p_to) r WHERE r.requests > 0 OR r.remark IS NOT NULL
$$;
SET chat_v11.mock_now = '2026-03-02 12:00:00+00';
-- Nothing: eight rows all the same.
SELECT cohort, outcome, requests, share, behind_p50, behind_unknown, from_zero_share, without_request, remark FROM chat_v11.resync_report('2026-03-02 00:00+00', '2026-03-02 01:00+00');
-- 01: retention.  Served up to 100 behind; refused 1001 to 1020 behind a head of 5000, and then given a full state.  Half
-- as much in control.
SELECT count(fixture.resync(timestamptz '2026-03-02 01:00:00+00' + i * interval '20 s', 'resync_request', i, i, i, c)) FROM generate_series(1, 100) i, unnest('{v11,v10}'::text[]) c;
SELECT count(fixture.resync(timestamptz '2026-03-02 01:10:00+00' + i * interval '30 s' + a, k, 200 + i, 200 + i, v, c)) FROM generate_series(1, 20) i, unnest('{v11,v10}'::text[]) c,
	LATERAL (VALUES ('resync_request', interval '0', 1000 + i), ('resync_range_unavailable', '100 ms', 5000), ('resync_request', '1 s', 5000), ('full_state', '2 s', 5000)) e(k, a, v) WHERE c = 'v11' OR i % 2 = 0;
SELECT * FROM fixture.report('2026-03-02 01:00+00', '2026-03-02 02:00+00');
-- 02: the client.  18 of 20 refused ones asked from 0.
SELECT count(fixture.resync(timestamptz '2026-03-02 02:00:00+00' + i * interval '20 s', 'resync_request', i, i, i, c)) FROM generate_series(1, 100) i, unnest('{v11,v10}'::text[]) c;
SELECT count(fixture.resync(timestamptz '2026-03-02 02:10:00+00' + i * interval '30 s' + a, k, 200 + i, 200 + i, v)) FROM generate_series(1, 20) i,
	LATERAL (VALUES ('resync_request', interval '0', CASE WHEN i <= 18 THEN 5000 ELSE 40 END), ('resync_range_unavailable', '100 ms', 5000)) e(k, a, v);
SELECT * FROM fixture.report('2026-03-02 02:00+00', '2026-03-02 03:00+00');
-- 03: neither.  As near as those served, in both cohorts; and some throttled.
SELECT count(fixture.resync(timestamptz '2026-03-02 03:00:00+00' + i * interval '20 s' + a, k, i, NULL, v, c)) FROM generate_series(1, 100) i, unnest('{v11,v10}'::text[]) c,
	LATERAL (VALUES ('resync_request', interval '0', i), ('resync_range_unavailable', '1 s', 5000), ('resync_throttled', '1 s', NULL)) e(k, a, v)
	WHERE k = 'resync_request' OR (k = 'resync_range_unavailable' AND i % 10 = 0) OR (k = 'resync_throttled' AND i % 10 = 1);
SELECT * FROM fixture.report('2026-03-02 03:00+00', '2026-03-02 04:00+00');
-- 04: nothing is known but that they were refused; and those without any key pair by time alone.
INSERT INTO chat_v11.event (at, kind, cohort) SELECT timestamptz '2026-03-02 04:00:00+00' + i * interval '10 s', k::chat_v11.event_kind, 'v11' FROM generate_series(1, 10) i, unnest('{resync_request,resync_range_unavailable}'::text[]) k
	WHERE k = 'resync_request' OR i <= 3;
SELECT * FROM fixture.report('2026-03-02 04:00+00', '2026-03-02 05:00+00');
-- 05: pairing.  Exactly 60 s belong together, a microsecond more does not; another actor's answer is not mine, an unnamed
-- one's may be; two at once have an answer each; an answer before its request is none; cohorts do not mix.
SELECT count(fixture.resync(timestamptz '2026-03-02 05:00:00+00' + s * interval '1 s', k, subject, actor, v, c)) FROM (VALUES
	('resync_request', 0, 1, 1, 11, 'v11'), ('resync_range_unavailable', 60, 1, 1, 99, 'v11'),
	('resync_request', 0, 2, 1, 12, 'v11'), ('resync_range_unavailable', 60.000001, 2, 1, 99, 'v11'),
	('resync_request', 0, 3, 1, 13, 'v11'), ('resync_range_unavailable', 1, 3, 2, 99, 'v11'),
	('resync_request', 0, 4, 1, 14, 'v11'), ('resync_throttled', 1, 4, NULL, NULL, 'v11'),
	('resync_request', 0, 5, NULL, 15, 'v11'), ('resync_request', 0.1, 5, NULL, 16, 'v11'), ('resync_throttled', 1, 5, NULL, NULL, 'v11'), ('resync_range_unavailable', 1.1, 5, NULL, 15, 'v11'),
	('resync_request', 2, 6, 1, 17, 'v11'), ('resync_range_unavailable', 1, 6, 1, 99, 'v11'),
	('resync_request', 0, 7, 1, 18, 'v11'), ('resync_range_unavailable', 1, 7, 1, 99, 'v10'),
	('resync_request', 0, NULL, 8, 19, 'v11'), ('resync_range_unavailable', 1, NULL, 8, 19, 'v11'), ('resync_range_unavailable', 2, NULL, 9, 19, 'v11')) e(k, s, subject, actor, v, c);
SELECT cohort, outcome, n, p50, max, zero, alone FROM fixture.report('2026-03-02 04:59:59+00', '2026-03-02 06:00+00');
SELECT fixture.resync('2026-03-02 06:00:01+00', 'resync_request', 1, 1, 11, 'v10'), fixture.resync('2026-03-02 06:00:02+00', 'resync_throttled', 1, 1, NULL, 'v11');
SELECT cohort, outcome, n, alone FROM fixture.report('2026-03-02 06:00+00', '2026-03-02 07:00+00');
-- At the edges: a request counts by its own time, and finds its answer beyond the end; a refusal whose request lies before
-- the begin is not one without a request.
SELECT cohort, outcome, n, alone FROM fixture.report('2026-03-02 04:59:59+00', '2026-03-02 05:00:00+00');
SELECT cohort, outcome, n, alone FROM fixture.report('2026-03-02 05:00:00+00', '2026-03-02 05:00:00.5+00');
SELECT cohort, outcome, n, alone FROM fixture.report('2026-03-02 05:00:30+00', '2026-03-02 06:00:00+00');
-- The future is taken as now.
SELECT sum(requests) FROM chat_v11.resync_report('2026-03-02 05:00+00', '2027-01-01');
SELECT sum(requests) FROM chat_v11.resync_report('2026-03-02 05:00+00', '294276-12-31');
SELECT denominator FROM chat_v11.metrics('2026-03-02 05:00+00', '294276-12-31') WHERE metric = 'err_resync_throttled_rate' AND cohort = 'v11';
SELECT fixture.attempt(format('SELECT * FROM chat_v11.resync_report(%L, %L)', f, t)) FROM (VALUES (NULL, now()), (now(), NULL), ('-infinity', now()), (now(), now())) v(f, t);

-- ---- metric_series -----------------------------------------------------------------------------------------------
SET chat_v11.mock_now = '2026-03-03 12:00:00+00';
SELECT fixture.healthy('2026-03-03 11:00:00+00', '2026-03-03 11:50:00+00', 50, 5);
INSERT INTO chat_v11.event (at, kind, cohort, subject) VALUES ('2026-03-03 11:15:00+00', 'write_ack', 'v11', fixture.write(99));
SELECT * FROM chat_v11.metric_series('ack_without_receipt_10s_rate', '2026-03-03 11:00:00+00', '2026-03-03 11:50:00+00', '15 min');
-- Each step is what metrics() says of it, for every metric.
SELECT count(*) AS compared, count(*) FILTER (WHERE row(s.*) IS DISTINCT FROM row(s.at, m.*)) AS different
	FROM chat_v11.metrics('2026-03-03 11:00:00+00', '2026-03-03 11:50:00+00') n,
	LATERAL (SELECT * FROM chat_v11.metric_series(n.metric, '2026-03-03 11:00:00+00', '2026-03-03 11:50:00+00', '10 min') s WHERE s.cohort = n.cohort) s,
	LATERAL (SELECT * FROM chat_v11.metrics(s.at - interval '10 min', s.at) m WHERE m.metric = n.metric AND m.cohort = n.cohort) m;
-- Events at a seam are in the step that ends there; the last step may be shorter, and ends now at the latest.
INSERT INTO chat_v11.event (at, kind, cohort) SELECT timestamptz '2026-03-03 11:58:00+00' + i * interval '30 s', 'pending_forever', 'v10' FROM generate_series(0, 4) i;
SELECT at, numerator FROM chat_v11.metric_series('pending_forever_count', '2026-03-03 11:58:00+00', '2026-03-03 13:00:00+00', '50 s') WHERE cohort = 'v10';
SELECT at, numerator FROM chat_v11.metric_series('pending_forever_count', '2026-03-03 11:58:00.9+00', '2026-03-03 11:59:00.9+00', '50 s') WHERE cohort = 'v10';
SELECT count(*) FROM chat_v11.metric_series('pending_forever_count', '2026-03-03 11:58:00+00', '2026-03-03 11:59:00+00', '1 month' - interval '1 month' + '1 day');
SELECT count(*) FROM chat_v11.metric_series('pending_forever_count', '2026-03-04', '2026-03-05', '1 s');
-- Refused, with what would fit.
SELECT fixture.attempt(format('SELECT * FROM chat_v11.metric_series(%L, %L, %L, %L)', m, f, t, s)) FROM (VALUES
	(NULL, '2026-03-03', '2026-03-04', '1 h'), ('write_receipt_p99_ms', '2026-03-03', '2026-03-04', '1 h'), ('send_stall_rate', NULL, '2026-03-04', '1 h'), ('send_stall_rate', '2026-03-03', '2026-03-03', '1 h'),
	('send_stall_rate', '2026-03-03', 'infinity', '1 h'), ('send_stall_rate', '2026-03-03', '2026-03-04', NULL), ('send_stall_rate', '2026-03-03', '2026-03-04', '0'), ('send_stall_rate', '2026-03-03', '2026-03-04', '-1 h'),
	('send_stall_rate', '2026-03-03', '2026-03-04', '999 ms'), ('send_stall_rate', '2026-03-03', '2026-03-04', '1.5 s'), ('send_stall_rate', '2026-03-03', '2026-03-04', '1 month'), ('send_stall_rate', '2026-03-03', '2026-03-04', '200000000 days'),
	('send_stall_rate', '2026-03-01', '2026-03-03 12:00+00', '1 s'), ('send_stall_rate', '0001-01-01', '294276-12-31', '1 s'), ('send_stall_rate', '294275-12-31', '294276-12-31', '1 s')) v(m, f, t, s);
-- 50,000 steps are the most.
SELECT fixture.attempt($$SELECT * FROM chat_v11.metric_series('send_stall_rate', '2026-03-02 22:06:39+00', '2026-03-03 12:00:00+00', '1 s')$$);

-- ---- all three ---------------------------------------------------------------------------------------------------
-- They write nothing; they are the readers', and nobody else's.
BEGIN TRANSACTION READ ONLY;
SELECT count(*) FROM chat_v11.trace_write(fixture.write(9));
SELECT count(*) FROM chat_v11.resync_report('2026-03-02 01:00+00', '2026-03-02 02:00+00');
SELECT count(*) FROM chat_v11.metric_series('send_stall_rate', '2026-03-03 11:00+00', '2026-03-03 12:00+00', '10 min');
COMMIT;
CREATE ROLE regress_reports_reader; CREATE ROLE regress_reports_reporter;
SELECT chat_v11.grant_access('regress_reports_reader', 'reader'), chat_v11.grant_access('regress_reports_reporter', 'reporter');
GRANT USAGE ON SCHEMA fixture TO PUBLIC;
SET search_path = pg_temp;
CREATE TEMP TABLE event (at int);
SET SESSION AUTHORIZATION regress_reports_reader;
SELECT count(*) FROM chat_v11.trace_write('00000000-0000-4000-8000-000000000009');
SELECT sum(requests) FROM chat_v11.resync_report('2026-03-02 01:00+00', '2026-03-02 02:00+00');
SELECT count(*) FROM chat_v11.metric_series('send_stall_rate', '2026-03-03 11:00+00', '2026-03-03 12:00+00', '10 min');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_reports_reporter;
SELECT fixture.attempt(sql) FROM (VALUES ('SELECT * FROM chat_v11.trace_write(NULL)'), ($$SELECT * FROM chat_v11.resync_report('2026-03-02', '2026-03-03')$$),
	($$SELECT * FROM chat_v11.metric_series('send_stall_rate', '2026-03-02', '2026-03-03', '1 h')$$)) v(sql);
RESET SESSION AUTHORIZATION;
RESET search_path;
SELECT chat_v11.revoke_access('regress_reports_reader', 'reader'), chat_v11.revoke_access('regress_reports_reporter', 'reporter');
REVOKE USAGE ON SCHEMA fixture FROM PUBLIC;
DROP TABLE pg_temp.event;
DROP ROLE regress_reports_reader; DROP ROLE regress_reports_reporter;
\pset tuples_only off
\pset format aligned
\i :done
