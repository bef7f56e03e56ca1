-- One missing receipt among a thousand writes, to the microsecond; the other P0 checks; resume.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00:00+00';
SELECT fixture.attempt($$SELECT chat_v11.attest('telemetry:' || k, 'shown by the test', true) FROM unnest('{resync_request,pending_forever}'::text[]) k$$);
SELECT fixture.ask('canary_1', false);
SET chat_v11.mock_now = '2026-03-01 13:30:00+00';
SELECT fixture.healthy('2026-03-01 12:30:00+00', '2026-03-01 13:30:00+00', 2000, 1);
\set ack '2026-03-01 13:00:00+00'
-- An ACK 9 s old counts on neither side; at 12 s it is not yet older than 10 s and the grace together.
SELECT chat_v11.record('write_ack', 'v11', NULL, '00000000-0000-0000-0000-00000000000a', NULL, :'ack');
SET chat_v11.mock_now = '2026-03-01 13:00:09+00';
SELECT mature_writes, ack_without_receipt_10s_rate, gate_p0_ok FROM public.chat_get_v11_release_gates();
SET chat_v11.mock_now = '2026-03-01 13:00:12+00';
SELECT mature_writes, ack_without_receipt_10s_rate, gate_p0_ok FROM public.chat_get_v11_release_gates();
SET chat_v11.mock_now = '2026-03-01 13:00:12.000001+00';
SELECT ack_without_receipt_10s_rate > 0, gate_p0_ok, rollout_decision, reasons[1] FROM public.chat_get_v11_release_gates();
-- One in a thousand: the window has 999 good ones with it.
SET chat_v11.mock_now = '2026-03-01 13:29:59.999999+00';
SELECT numerator, denominator, value FROM chat_v11.metrics('2026-03-01 13:00:00+00', '2026-03-01 13:30:00+00') WHERE metric = 'ack_without_receipt_10s_rate' AND cohort = 'v11';
SELECT fixture.decision();
SELECT fixture.ask('canary_10', false);
SELECT next_step FROM public.chat_get_v11_rollout_state();
SELECT key, acked_at AT TIME ZONE 'UTC', waited, late_receipt_at FROM chat_v11.missing_receipts();
-- Red for p0_clear_window from the moment it matured, and to the end of that second.
SET chat_v11.mock_now = '2026-03-01 13:30:12.999999+00';
SELECT gate_p0_ok FROM public.chat_get_v11_release_gates();
SET chat_v11.mock_now = '2026-03-01 13:30:13+00';
SELECT gate_p0_ok FROM public.chat_get_v11_release_gates();
-- A receipt that happened too late does not undo it, one that happened in time and is reported late does.
SET chat_v11.mock_now = '2026-03-01 13:10:00+00';
SELECT chat_v11.record('write_receipt', 'v11', NULL, '00000000-0000-0000-0000-00000000000a', NULL, '2026-03-01 13:00:10.001+00');
SELECT gate_p0_ok FROM public.chat_get_v11_release_gates();
SELECT key, waited, late_receipt_at AT TIME ZONE 'UTC' FROM chat_v11.missing_receipts();
SELECT chat_v11.record('write_receipt', 'v11', NULL, '00000000-0000-0000-0000-00000000000a', NULL, '2026-03-01 13:00:10.000+00');
SELECT gate_p0_ok FROM public.chat_get_v11_release_gates();
SELECT count(*) FROM chat_v11.missing_receipts();
-- A duplicate, a rolled-back cursor: red at once, for the whole window and no longer.
SELECT fixture.event('timeline_duplicate', '2026-03-01 13:10:00+00');
SELECT gate_p0_ok, reasons[1] FROM public.chat_get_v11_release_gates();
SET chat_v11.mock_now = '2026-03-01 13:39:59.999999+00';
SELECT gate_p0_ok FROM public.chat_get_v11_release_gates();
SET chat_v11.mock_now = '2026-03-01 13:40:00+00';
SELECT gate_p0_ok FROM public.chat_get_v11_release_gates();
SET chat_v11.mock_now = '2026-03-01 13:20:00+00';
SELECT fixture.event('read_rollback', '2026-03-01 13:20:00+00');
SET chat_v11.mock_now = '2026-03-01 13:45:00+00';
SELECT gate_p0_ok, reasons[1] FROM public.chat_get_v11_release_gates();
SET chat_v11.mock_now = '2026-03-01 14:00:00+00';
-- Stalls: one user with fifty is no mass stall, three users are.
SELECT fixture.healthy('2026-03-01 13:30:00+00', '2026-03-01 14:00:00+00', 100, 1);
SELECT count(fixture.event('send_stall', '2026-03-01 13:58:00+00', 7)) FROM generate_series(1, 50);
SELECT send_stall_rate, gate_p0_ok FROM public.chat_get_v11_release_gates();
SELECT fixture.event('send_stall', '2026-03-01 13:58:00+00', 8);
SELECT gate_p0_ok FROM public.chat_get_v11_release_gates();
SELECT fixture.event('send_stall', '2026-03-01 13:58:00+00', 9);
SELECT gate_p0_ok, reasons[1] FROM public.chat_get_v11_release_gates();
-- Kill, and resume once nothing would kill again: 30 min after the kill and the last breach, though nobody sends.
SELECT fixture.ask('canary_1', true);
SELECT next_step FROM public.chat_get_v11_rollout_state();
SET chat_v11.mock_now = '2026-03-01 14:10:00+00';
SELECT fixture.event('timeline_duplicate', '2026-03-01 14:10:00+00');
SET chat_v11.mock_now = '2026-03-01 14:30:00+00';
SELECT fixture.ask('canary_1', false);
SELECT fixture.attempt($$SELECT chat_v11.force_rollout_state('canary_1', false, 'break-glass does not lift a breach', 'lead')$$);
SET chat_v11.mock_now = '2026-03-01 14:40:00+00';
SELECT fixture.event('pending_forever', '2026-03-01 14:20:00+00');
SELECT fixture.ask('canary_1', false);
SET chat_v11.mock_now = '2026-03-01 14:50:00+00';
SELECT fixture.decision();
SELECT fixture.ask('canary_1', false);
SELECT * FROM fixture.log WHERE transition <> 'config';
\pset tuples_only off
\pset format aligned
\i :done
