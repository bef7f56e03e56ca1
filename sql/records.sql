-- The records of a decision: the page for one, before and after, and the log of all, in three formats.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixture :abs_srcdir /sql/include/fixture.sql
\set done :abs_srcdir /sql/include/done.sql
\i :fixture
CREATE ROLE regress_records;
SELECT chat_v11.grant_access('regress_records', 'reader');
\pset format unaligned
\pset tuples_only on
\set ECHO all
-- The page of a start has its preconditions.  It reads only, and needs no more than a reader's rights.
SET chat_v11.mock_now = '2026-03-01 12:00+00';
SELECT fixture.ready();
SELECT count(chat_v11.attest(what, 'run 1')) FROM unnest('{migrations,runbook,ci:canary_1,telemetry:resync_request,telemetry:pending_forever}'::text[]) what;
SELECT count(chat_v11.assign_oncall('IC', 'oncall | <b>`x`')) ;
SET SESSION AUTHORIZATION regress_records;
BEGIN READ ONLY;
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go(), '\n') WITH ORDINALITY l(line, n) WHERE line NOT LIKE '| P_ | %' AND line NOT LIKE '| rollout | %' AND line NOT LIKE '| extension | %' AND line !~ '^\| (migrations|ci:canary_1|runbook|telemetry:[a-z_]+) \| yes \| ' ORDER BY n;
ROLLBACK;
RESET SESSION AUTHORIZATION;
SELECT fixture.attempt($$SELECT chat_v11.go_no_go('canary_2')$$);

-- Before a promotion: a GO with the version that it rests on, and what was turned.
SELECT fixture.ask('canary_1', false);
SELECT (chat_v11.set_check('write_reject_rate', 0.02, p_note => E'noisy\n# night')).limit_value;
SET chat_v11.mock_now = '2026-03-01 12:30+00';
SELECT fixture.healthy('2026-03-01 12:00+00', '2026-03-01 12:30+00', 200, 19800);
SELECT fixture.guard('2026-03-01 12:01+00', '2026-03-01 12:30+00');
-- Where the CI gate binds, a missing run is a NO-GO, in the words of the refusal; and a GO once it is there.
BEGIN;
SELECT (chat_v11.set_setting('preflight', 'enforce')).value;
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') line WHERE line ~ 'GO\*\*|CI gate|ci_gate|^Next:';
SELECT fixture.ask('canary_10', false);
SELECT count(chat_v11.attest('ci:canary_10', 'run 1', false));
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') line WHERE line ~ 'GO\*\*|ci_gate';
SELECT count(chat_v11.attest('ci:canary_10', 'run 2'));
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') line WHERE line ~ 'GO\*\*|ci_gate';
ROLLBACK;
SELECT count(chat_v11.attest('ci:canary_10', 'run 2'));
SET timezone = 'Asia/Tokyo';
SET datestyle = 'SQL, DMY';
SELECT regexp_replace(chat_v11.go_no_go('canary_10'), '`[0-9a-f]{64}`', '`HASH`', 'g');
RESET timezone;
RESET datestyle;
-- A stage that may not be skipped is a NO-GO, in the words of the refusal.
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('full'), '\n') line WHERE line LIKE '%NO-GO%' OR line LIKE 'Next:%';

-- After it: who did it, by whose word, and the hash of its row in the log.
SELECT stage FROM public.chat_set_v11_rollout_state('canary_10', false, 'promote | to 10%', '=oncall "A"', 2);
SELECT stage FROM public.chat_set_v11_rollout_state('canary_10', false, 'promote | to 10%', '=oncall "A"', 1);
SELECT line FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') WITH ORDINALITY l(line, n) WHERE n < 16 OR n > (SELECT min(m) FROM regexp_split_to_table(chat_v11.go_no_go('canary_10'), '\n') WITH ORDINALITY k(other, m) WHERE other LIKE '## 4.%') ORDER BY n;
SELECT strpos(chat_v11.go_no_go('canary_10'), encode(hash, 'hex')) > 0 AS has_hash FROM public.chat_get_v11_rollout_history(1);
SELECT split_part(chat_v11.go_no_go(), E'\n', 1);

-- The log: as many rows as there are, the hash of each, and whatever was typed stays in its cell.
SELECT fixture.attempt($$SELECT chat_v11.decision_log('xml')$$);
SELECT regexp_replace(line, '`[0-9a-f]{64}`', '`HASH`') FROM chat_v11.decision_log() WITH ORDINALITY l(line, n) WHERE line !~ 'attestation|oncall (Backend|SRE|Frontend)' ORDER BY n;
SELECT count(*) = (SELECT count(*) FROM chat_v11.rollout_history) + 1 FROM chat_v11.decision_log('csv');
SELECT left(line, 120) FROM chat_v11.decision_log('csv') WITH ORDINALITY l(line, n) ORDER BY n DESC LIMIT 1;
SELECT count(*), bool_and(l.line::jsonb->>'hash' = encode(h.hash, 'hex') AND l.line::jsonb->'gates' = h.gates AND l.line::jsonb->'change' IS NOT DISTINCT FROM coalesce(h.change, 'null') AND l.line::jsonb->>'approved_by' = h.approved_by) AS same
FROM chat_v11.decision_log('jsonl') WITH ORDINALITY l(line, n) JOIN chat_v11.rollout_history h ON h.id = l.n;
SELECT line::jsonb - '{gates,hash,prev_hash}'::text[] FROM chat_v11.decision_log('jsonl') WITH ORDINALITY l(line, n) ORDER BY n DESC LIMIT 1;
SELECT * FROM chat_v11.verify_history();
\pset tuples_only off
\pset format aligned
\set ECHO none
DROP OWNED BY regress_records;
DROP ROLE regress_records;
\set ECHO all
\i :done
