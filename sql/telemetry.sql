-- Ways in, their checks, and every metric by hand.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
\set pin 'chat_v11.event (at, kind, cohort, actor, subject, value)'
SELECT fixture.attempt('INSERT INTO chat_v11.event (at, kind, cohort, subject, value) VALUES ' || v) FROM (VALUES
	($$('2026-03-01 12:00:05+00', 'read_cursor', 'v11', NULL, NULL)$$),
	($$('2026-03-01 12:00:05.000001+00', 'read_cursor', 'v11', NULL, NULL)$$),
	($$('2026-01-30 12:00:00+00', 'read_cursor', 'v11', NULL, NULL)$$),
	($$('2026-01-30 11:59:59+00', 'read_cursor', 'v11', NULL, NULL)$$),
	($$('infinity', 'read_cursor', 'v11', NULL, NULL)$$),
	($$(NULL, 'read_cursor', 'v11', NULL, NULL)$$),
	($$('2026-03-01 12:00:00+00', 'read_curses', 'v11', NULL, NULL)$$),
	($$('2026-03-01 12:00:00+00', NULL, 'v11', NULL, NULL)$$),
	($$('2026-03-01 12:00:00+00', 'read_cursor', 'v12', NULL, NULL)$$),
	($$('2026-03-01 12:00:00+00', 'read_cursor', NULL, NULL, NULL)$$),
	($$('2026-03-01 12:00:00+00', 'write_ack', 'v11', NULL, NULL)$$),
	($$('2026-03-01 12:00:00+00', 'write_receipt', 'v11', NULL, NULL)$$),
	($$('2026-03-01 12:00:00+00', 'recovery_done', 'v11', NULL, 'NaN')$$),
	($$('2026-03-01 12:00:00+00', 'recovery_done', 'v11', NULL, 'Infinity')$$),
	($$('2026-03-01 12:00:00+00', 'recovery_done', 'v11', NULL, -1)$$),
	($$('2026-03-01 12:00:00+00', 'recovery_done', 'v11', NULL, 1e9)$$),
	($$('2026-03-01 12:00:00+00', 'recovery_done', 'v11', NULL, 1.1e9)$$)) t(v);
INSERT INTO chat_v11.event (kind, cohort) VALUES ('session_active', 'v11') RETURNING at AT TIME ZONE 'UTC', kind, cohort;
-- A bad row refuses its whole statement.
SELECT fixture.attempt($$INSERT INTO chat_v11.event (kind, cohort, value) VALUES ('full_state', 'v11', NULL), ('full_state', 'v11', 'NaN')$$);
\copy chat_v11.event (at, kind, cohort, actor, subject, value) from stdin
2026-03-01 12:00:00+00	full_state	v11	\N	\N	\N
2026-03-01 12:00:00+00	full_state	v13	\N	\N	\N
\.
SELECT count(*) FROM chat_v11.event WHERE kind = 'full_state';
\copy chat_v11.event (at, kind, cohort, actor, subject, value) from stdin
2026-03-01 12:00:00+00	full_state	v11	\N	\N	\N
2026-03-01 12:00:00+00	full_state	v10	\N	\N	\N
\.
SELECT kind, cohort FROM chat_v11.event WHERE kind = 'full_state' ORDER BY cohort;
-- record() and record_batch().
SELECT fixture.attempt($$SELECT chat_v11.record('nothing', 'v11')$$);
SELECT fixture.attempt($$SELECT chat_v11.record(NULL, 'v11')$$);
SELECT fixture.attempt($$SELECT chat_v11.record('write_ack', 'v11')$$);
SELECT fixture.attempt('SELECT chat_v11.record_batch(' || b || ')') FROM (VALUES
	($$NULL$$), ($$'{}'$$), ($$'[1]'$$), ($$'[{"kind": "read_cursor"}]'$$),
	($$'[{"kind": "read_cursor", "cohort": "v11"}, {"kind": "read_curse", "cohort": "v11"}]'$$),
	($$'[{"kind": "read_cursor", "cohort": "v11", "when": 1}]'$$),
	($$'[{"kind": "read_cursor", "cohort": "v11", "at": "yesteryear"}]'$$),
	($$'[{"kind": "read_cursor", "cohort": "v11", "at": "2027-01-01"}]'$$),
	($$'[{"kind": "read_cursor", "cohort": "v11", "actor": "me"}]'$$),
	($$'[{"kind": "read_cursor", "cohort": "v11", "value": "1"}]'$$),
	($$'[{"kind": "read_cursor", "cohort": "v11", "value": 1e300}]'$$)) t(b);
SELECT count(*) FROM chat_v11.event WHERE kind = 'read_cursor';
SELECT chat_v11.record_batch('[{"kind": "read_cursor", "cohort": "v11"}, {"kind": "recovery_done", "cohort": "v10", "value": 12.5, "at": "2026-03-01 11:59:00+00", "actor": null}]');
SELECT chat_v11.record_batch('[]');
SELECT chat_v11.write_key('00000000-0000-0000-0000-000000000001', 'phone', 1), chat_v11.write_key('00000000-0000-0000-0000-000000000001', 'phone', 2) = chat_v11.write_key('00000000-0000-0000-0000-000000000001', 'phone', 1);
-- Events are dropped by the fold, and by nobody else.
SELECT fixture.attempt($$DELETE FROM chat_v11.event WHERE at < '2026-01-30 12:00:01+00'$$);
-- Every metric, by hand: (12:30, 13:00] of both cohorts.
SET chat_v11.mock_now = '2026-03-01 13:00:00+00';
INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value)
	SELECT timestamptz '2026-03-01 12:40:00+00' + i * interval '1 s', k::chat_v11.event_kind, c::chat_v11.cohort, md5(i::text)::uuid, md5(c || i)::uuid, v
	FROM (VALUES ('write_started', 'v11', 40, NULL::float8), ('write_ack', 'v11', 20, NULL), ('write_rejected', 'v11', 5, NULL), ('send_stall', 'v11', 4, NULL),
		('timeline_delivered', 'v11', 99, NULL), ('timeline_duplicate', 'v11', 1, NULL), ('read_cursor', 'v11', 48, NULL), ('read_rollback', 'v11', 2, NULL),
		('session_active', 'v11', 50, NULL), ('forced_resync', 'v11', 5, NULL), ('full_state', 'v11', 10, NULL), ('resync_request', 'v11', 8, NULL),
		('resync_range_unavailable', 'v11', 2, NULL), ('resync_throttled', 'v11', 1, NULL), ('pending_forever', 'v11', 3, NULL), ('write_ack', 'v10', 2, NULL)) k(k, c, n, v), generate_series(1, k.n) i;
-- Receipts of writes 1 to 19 after i * 100 ms; write 20 has none.  Recoveries of 10, 20 ... 200 ms.
INSERT INTO chat_v11.event (at, kind, cohort, subject) SELECT timestamptz '2026-03-01 12:40:00+00' + i * interval '1.1 s', 'write_receipt', 'v11', md5('v11' || i)::uuid FROM generate_series(1, 19) i;
INSERT INTO chat_v11.event (at, kind, cohort, value) SELECT '2026-03-01 12:45:00+00', 'recovery_done', 'v11', i * 10 FROM generate_series(1, 20) i;
-- Retried ACKs count once; a receipt before its ACK is in time; its own value wins; a receipt without an ACK is apart.
INSERT INTO chat_v11.event (at, kind, cohort, subject, value) VALUES
	('2026-03-01 12:50:00+00', 'write_ack', 'v11', md5('v111')::uuid, NULL),
	('2026-03-01 12:50:00+00', 'write_ack', 'v11', md5('early')::uuid, NULL), ('2026-03-01 12:49:00+00', 'write_receipt', 'v11', md5('early')::uuid, NULL),
	('2026-03-01 12:50:00+00', 'write_ack', 'v11', md5('valued')::uuid, NULL), ('2026-03-01 12:50:01+00', 'write_receipt', 'v11', md5('valued')::uuid, 7),
	('2026-03-01 12:50:01+00', 'write_receipt', 'v11', md5('orphan')::uuid, NULL);
SELECT * FROM chat_v11.metrics('2026-03-01 12:30:00+00', '2026-03-01 13:00:00+00');
SELECT fixture.attempt(format('SELECT * FROM chat_v11.metrics(%L, %L)', f, t)) FROM (VALUES (NULL, now()), ('infinity', now()), (now(), now() - interval '1 s')) v(f, t);
-- The gate's row has the same ten, each over its own window.
SELECT ack_without_receipt_10s_rate, timeline_duplicate_detected_rate, read_rollback_detected_rate, send_stall_rate, write_receipt_p95_ms, write_reject_rate,
	forced_resync_rate, full_state_rate, err_resync_range_unavailable_rate, err_resync_throttled_rate, mature_writes, data_age FROM public.chat_get_v11_release_gates();
-- Parallel workers read the same, mocked clock and all.
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT count(*), max(kind::text), max(cohort::text) FROM chat_v11.event;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
SELECT fixture.attempt(format('SET chat_v11.mock_now = %L', t)) FROM (VALUES ('nonsense'), ('infinity'), ('12026-01-01')) v(t);
-- Types: by name in text and in binary.
SELECT 'write_ack'::chat_v11.event_kind, 'write_ack'::chat_v11.event_kind = 'write_ack', chat_v11.event_kind_send('write_ack'), min(kind::text), count(DISTINCT kind) FROM chat_v11.event;
\pset tuples_only off
\pset format aligned
\i :done
