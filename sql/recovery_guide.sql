-- docs/recovery.md, statement by statement, as the roles that it is for.
SET client_min_messages = error;
CREATE EXTENSION chat_v11;
SET timezone = 'UTC';
CREATE ROLE chat_backend;
CREATE ROLE regress_guide_admin;
select chat_v11.grant_access('chat_backend', 'reporter');
SELECT chat_v11.grant_access('regress_guide_admin', 'admin');
SET chat_v11.mock_now = '2026-03-01 12:00+00';

-- The numbers.
SET SESSION AUTHORIZATION chat_backend;
select chat_v11.recovery_policy();
select chat_v11.recovery_policy() ->> 'version' as version;
SET SESSION AUTHORIZATION regress_guide_admin;
select * from chat_v11.set_setting('full_state_interval', '2 min', 'the snapshots are slow tonight');
SET SESSION AUTHORIZATION chat_backend;
select chat_v11.recovery_policy() ->> 'version' as version;

-- A full state, and a second one, word by word as the document has it.
select chat_v11.admit_full_state('00000000-0000-4000-8000-00000000d1a1', '00000000-0000-4000-8000-000000000007');
select chat_v11.admit_full_state('00000000-0000-4000-8000-00000000d1a1', '00000000-0000-4000-8000-000000000007');

-- Resyncs.
RESET SESSION AUTHORIZATION;
SET chat_v11.mock_now = '2026-03-01 12:00:01+00';
SET SESSION AUTHORIZATION chat_backend;
begin;
select chat_v11.admit_resync('00000000-0000-4000-8000-00000000d1a1', '00000000-0000-4000-8000-000000000007', 250);
commit;
select chat_v11.admit_resync('presence-42');
select n as attempt, chat_v11.resync_backoff_ms(n, 'stream-1') as ms from generate_series(1, 8) n;

-- What came of it.
RESET SESSION AUTHORIZATION;
RESET chat_v11.mock_now;
select metric, cohort, value, numerator, denominator from chat_v11.metrics(now() - interval '15 min', now()) where metric in ('full_state_rate', 'err_resync_throttled_rate');
SET chat_v11.mock_now = '2026-03-01 12:01+00';
SELECT metric, cohort, value, numerator, denominator FROM chat_v11.metrics('2026-03-01 11:50+00', '2026-03-01 12:01+00') WHERE metric IN ('full_state_rate', 'err_resync_throttled_rate');
SELECT outcome, requests, behind_p50 FROM chat_v11.resync_report('2026-03-01 11:50+00', '2026-03-01 12:01+00') WHERE cohort = 'v10';
DROP EXTENSION chat_v11;
DROP ROLE chat_backend, regress_guide_admin;
