-- docs/operations.md, statement by statement, as the roles that it is for.  What is different each time runs with its
-- output thrown away, and the stable part is asked for next to it.
SET client_min_messages = error;
CREATE EXTENSION chat_v11;
CREATE ROLE regress_guide_admin;
CREATE ROLE regress_guide_oncall;
CREATE ROLE regress_guide_backend;
SELECT chat_v11.grant_access('regress_guide_admin', 'admin'), chat_v11.grant_access('regress_guide_oncall', 'operator'),
	chat_v11.grant_access('regress_guide_backend', 'reporter'), chat_v11.grant_access('regress_guide_backend', 'reader');
GRANT pg_read_all_stats TO regress_guide_oncall;
-- pg_cron may not be there: what it is told to run, run at once.
CREATE SCHEMA cron;
GRANT USAGE ON SCHEMA cron TO regress_guide_oncall;
CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN schedule || ': ' || command;
END
$$;
-- Until a condition holds, 10 s at most.
CREATE PROCEDURE pg_temp.wait_for(p_condition text) LANGUAGE plpgsql AS $$
DECLARE
	holds boolean;
BEGIN
	FOR i IN 1 .. 100 LOOP
		EXECUTE 'SELECT ' || p_condition INTO holds;
		EXIT WHEN holds;
		COMMIT;
		PERFORM pg_sleep(0.1);
	END LOOP;
	IF NOT holds THEN
		RAISE 'waited in vain for: %', p_condition;
	END IF;
END
$$;
GRANT EXECUTE ON PROCEDURE pg_temp.wait_for(text) TO PUBLIC;

-- Nobody has started one.
SELECT state, running, remark FROM chat_v11.guard_status();

-- By a scheduler.
SET SESSION AUTHORIZATION regress_guide_oncall;
select cron.schedule('chat_v11 guard', '10 seconds', 'select chat_v11.guard_tick()');
select cron.schedule('chat_v11 guard', '* * * * *', 'select chat_v11.guard_tick()');
select * from chat_v11.guard_tick();
SELECT state, running, remark FROM chat_v11.guard_status();

-- By hand, over a rollout that is live.
SELECT stage, kill_switch FROM public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');
SET SESSION AUTHORIZATION regress_guide_admin;
SET client_min_messages = notice;
\o /dev/null
select chat_v11.start_guard();
\o
CALL pg_temp.wait_for($$ state = 'guarding' FROM chat_v11.guard_status() $$);
SET SESSION AUTHORIZATION regress_guide_oncall;
select state, remark from chat_v11.guard_status();
\o /dev/null
select state, running, round_ms, lag_seconds, failures, last_error, remark from chat_v11.guard_status();
select pid, state, state_change, query from pg_stat_activity where backend_type = 'chat_v11 guard';
select pid, database from pg_locks where locktype = 'object' and classid = 3079 and objid = 0 and objsubid = 3;
select extract(epoch from clock_timestamp() - max(at)) as guard_row_age_s from chat_v11.gate_log where cause = 'guard';
select pg_notification_queue_usage();
\o
SELECT failures, last_error, round_ms > 0 AS took_time, lag_seconds < 60 AS folds FROM chat_v11.guard_status();
SELECT regexp_replace(query, '\d+ failures 0 ms [0-9.]+ ended \S+', 'N failures 0 ms N ended T') AS says FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard' AND datname = current_database();
SELECT count(*) AS guards FROM pg_locks l JOIN pg_database d ON d.oid = l.database
	WHERE l.locktype = 'object' AND l.classid = 3079 AND l.objid = 0 AND l.objsubid = 3 AND d.datname = current_database();
SELECT extract(epoch from clock_timestamp() - max(at)) < 60 AS is_fresh FROM chat_v11.gate_log WHERE cause = 'guard';
select (state not in ('guarding', 'idle', 'standby', 'ticking', 'starting'))::int as guard_down from chat_v11.guard_status();
select (not gate_p0_ok)::int as p0_red, (not gate_p1_ok)::int as p1_red, (rollout_decision <> 'PROCEED')::int as not_proceed from public.chat_get_v11_release_gates();
select regexp_replace(remark, '\d+, (.*), (idle|active)$', 'N, \1, S') AS beside_it from chat_v11.guard_tick();

-- What the guard does about a check is an admin's choice.
SET SESSION AUTHORIZATION regress_guide_admin;
\o /dev/null
select chat_v11.set_check('write_reject_rate', p_on_fail => 'rollback', p_note => 'a bad validator must not wait for a person');
\o
select name, gate, on_fail, enabled from chat_v11.gate_check where on_fail in ('kill', 'rollback') order by ordinal;
-- A breach: the guard kills, and whoever listens hears of it.
SET SESSION AUTHORIZATION regress_guide_oncall;
listen chat_v11;
SET SESSION AUTHORIZATION regress_guide_backend;
select chat_v11.ack_version('chat-backend-7', version) from public.chat_get_v11_rollout_state();
SELECT chat_v11.record('timeline_delivered', 'v11', gen_random_uuid(), gen_random_uuid()), chat_v11.record('timeline_duplicate', 'v11', gen_random_uuid(), gen_random_uuid());
SET SESSION AUTHORIZATION regress_guide_oncall;
\o /dev/null
CALL pg_temp.wait_for('kill_switch FROM public.chat_get_v11_rollout_state()');
UNLISTEN chat_v11;
\o
SELECT transition, from_stage, changed_by, approved_by, note FROM public.chat_get_v11_rollout_history(1);
\o /dev/null
select changed_at, transition, from_stage, note from public.chat_get_v11_rollout_history(500) where changed_by = 'chat_v11 guard';
select at, stage, decision, failing from chat_v11.gate_log where not (p0_ok and p1_ok) order by at desc limit 20;
\o
SELECT DISTINCT stage, decision, failing FROM chat_v11.gate_log WHERE NOT (p0_ok AND p1_ok);
select before as nobody_from, at as nobody_to from (select at, lag(at) over (order by at) as before from chat_v11.gate_log) g where at - before > interval '2 min' order by at;
-- How far the kill has got.
select 'the kill has reached ' || count(*) filter (where current) || ' of ' || count(*) from chat_v11.consumers();
\o /dev/null
select consumer, version, seen_at, role from chat_v11.consumers() where not current;
\o
SELECT consumer, version, role FROM chat_v11.consumers() WHERE NOT current;
-- By hand, with a standby that is gone.
set synchronous_commit = local;
\o /dev/null
select * from public.chat_set_v11_rollout_state('canary_1', true, 'hard stop: p0 invariant breach');
\o
reset synchronous_commit;

-- Its end.
SET SESSION AUTHORIZATION regress_guide_admin;
select chat_v11.stop_guard();
CALL pg_temp.wait_for('pid IS NULL FROM chat_v11.guard_status()');
SELECT expected, stopped_by, stopped_at IS NOT NULL AS stopped FROM chat_v11.guard_state;

-- Without one.
\o /dev/null
select chat_v11.set_policy('canary_1', p_quiet_period => '0', p_note => 'no guard here: the chat team watches its own dashboards');
select chat_v11.set_policy('canary_10', p_quiet_period => '0', p_note => 'no guard here: the chat team watches its own dashboards');
select chat_v11.set_policy('canary_50', p_quiet_period => '0', p_note => 'no guard here: the chat team watches its own dashboards');
\o
SELECT stage, quiet_period FROM chat_v11.stage_policy ORDER BY percent;
SET SESSION AUTHORIZATION regress_guide_oncall;
select chat_v11.fold();
SELECT * FROM chat_v11.verify_history();
RESET SESSION AUTHORIZATION;
SET client_min_messages = error;
DROP SCHEMA cron CASCADE;
DROP EXTENSION chat_v11;
DROP ROLE regress_guide_admin, regress_guide_oncall, regress_guide_backend;
