-- The hand-over: before the start, in a stage, after a kill with whatever was typed.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
CREATE ROLE regress_next;
SELECT chat_v11.grant_access('regress_next', 'reader');
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT chat_v11.handover();
SELECT count(chat_v11.attest('telemetry:' || k, 'shown by the test', true)) FROM unnest('{resync_request,pending_forever}'::text[]) k;
SELECT stage FROM public.chat_set_v11_rollout_state('canary_1', false, E'start\n## Guard | `fine`');
SET chat_v11.mock_now = '2026-03-01 12:40+00';
SELECT fixture.healthy('2026-03-01 12:00+00', '2026-03-01 12:40+00', 200, 19800);
SELECT fixture.guard('2026-03-01 12:01+00', '2026-03-01 12:40+00');
-- A reader has it, in any time zone and style.
SET timezone = 'Asia/Tokyo';
SET datestyle = 'SQL, DMY';
SET SESSION AUTHORIZATION regress_next;
SELECT chat_v11.handover();
RESET SESSION AUTHORIZATION;
-- A breach that is not acted upon yet, an hour later: nobody watches any more.
SET chat_v11.mock_now = '2026-03-01 13:40+00';
SELECT fixture.event('timeline_duplicate', '2026-03-01 13:39+00');
SELECT chat_v11.handover();
SELECT fixture.ask('canary_1', true);
SELECT chat_v11.handover();
\pset tuples_only off
\pset format aligned
\set ECHO none
DROP OWNED BY regress_next;
DROP ROLE regress_next;
\set ECHO all
\i :done
