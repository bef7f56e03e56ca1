SELECT * FROM chat_v11.verify_history();
SELECT count(*) AS broken_links FROM (
	SELECT id, lag(id, 1, 0::bigint) OVER w AS before_id, from_stage, from_kill_switch,
		lag(to_stage, 1, 'canary_1') OVER w AS before_stage, lag(to_kill_switch, 1, true) OVER w AS before_kill
	FROM chat_v11.rollout_history WINDOW w AS (ORDER BY id)) l
WHERE id <> before_id + 1 OR from_stage <> before_stage OR from_kill_switch <> before_kill;
DROP SCHEMA fixture CASCADE;
DROP EXTENSION chat_v11 CASCADE;
