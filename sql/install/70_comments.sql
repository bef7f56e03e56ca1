-- What \d+ and \df+ tell: units, ranges, errors.  docs/reference.md says it at length.

COMMENT ON SCHEMA chat_v11 IS 'canary rollout of chat protocol v1.1: state, decision log, gates, telemetry';

-- Functions of daily work.
COMMENT ON FUNCTION public.chat_get_v11_rollout_state() IS
	'present state, one row always; next_step says what blocks or what to type';
COMMENT ON FUNCTION public.chat_get_v11_release_gates() IS
	'the gates now, one row; promote only at PROCEED; why not is in reasons and in chat_v11.explain_gates()';
COMMENT ON FUNCTION public.chat_get_v11_rollout_history(integer) IS
	'decision log, newest first; null is 50, below 1 is 1, above 500 is 500';
COMMENT ON FUNCTION public.chat_set_v11_rollout_state(text, boolean, text, text, bigint) IS
	'start, promote, hold, roll back, kill, resume; a kill is never refused; '
	'ERR_INVALID_ARGUMENT, ERR_INVALID_TRANSITION, ERR_GATE_CLOSED, ERR_VERSION_CONFLICT otherwise';
COMMENT ON FUNCTION chat_v11.force_rollout_state(text, boolean, text, text) IS
	'break-glass: skips gates and dwell, not the order of stages, nor a P0 breach within p0_clear_window; note of 20 '
	'characters or more, approver other than the caller; granted to nobody; ERR_FORBIDDEN, ERR_GATE_CLOSED';
COMMENT ON FUNCTION chat_v11.explain_gates() IS 'the gates now, one row a check, P0 first';
COMMENT ON FUNCTION chat_v11.explain_gates(timestamptz) IS
	'the gates as of a past moment, from telemetry and log; ERR_INVALID_ARGUMENT for null, infinity and the future';
COMMENT ON FUNCTION chat_v11.what_if(jsonb) IS
	'the gates now under other limits, nothing is changed; keys: a check, "stage_policy", "settings", "analysis"; '
	'ERR_INVALID_ARGUMENT for any other';
COMMENT ON FUNCTION chat_v11.verify_history() IS
	'walks the decision log: no row where everything fits, else the first id that does not, and why';
COMMENT ON TABLE chat_v11.guard_state IS 'what outlives a guard; one row, written when something changes';
COMMENT ON COLUMN chat_v11.guard_state.singleton IS 'true: there is one row';
COMMENT ON COLUMN chat_v11.guard_state.expected IS
	'a guard was at work and nobody stopped it: its silence turns check evidence to no_data';
COMMENT ON COLUMN chat_v11.guard_state.expected_since IS 'its first round';
COMMENT ON COLUMN chat_v11.guard_state.stopped_at IS 'time of stop_guard(); null since the next start';
COMMENT ON COLUMN chat_v11.guard_state.stopped_by IS 'who called it';
COMMENT ON COLUMN chat_v11.guard_state.last_error IS 'of the newest round, fold or kill that failed; told once a minute';
COMMENT ON COLUMN chat_v11.guard_state.last_error_at IS 'time of it';
COMMENT ON COLUMN chat_v11.guard_state.last_tick IS 'time of guard_tick(), to the minute; null where none was called';
COMMENT ON FUNCTION chat_v11.guard_tick() IS
	'one round of the guard, for a scheduler: looks at the gates, kills or rolls back where a check asks for it, writes '
	'the gate log when due, folds; does nothing, and says so, while another guard is at work';
COMMENT ON FUNCTION chat_v11.start_guard(boolean) IS
	'takes stop_guard() back, and starts a guard in this database until the next restart of the server; its process, or '
	'that of the one there is. With false it starts none, for a scheduler that calls guard_tick(): null';
COMMENT ON FUNCTION chat_v11.stop_guard() IS
	'ends the guard with its next round, also a launched one, until start_guard(); whether there was one';
COMMENT ON FUNCTION chat_v11.guard_status() IS
	'how the guard is: guarding, idle, standby, waiting, failing, hanging, starting, stopped, ticking, dead or none; its '
	'last round (ms), how far the fold lags (events, seconds), its last error, and what to do';
COMMENT ON FUNCTION chat_v11.handover() IS
	'for the next person on call, Markdown, UTC: state, last three rows of the gate log, gates, incidents, guard, next action';
COMMENT ON FUNCTION chat_v11.ack_version(text, bigint) IS
	'a consumer says which version of the state it runs; costs a write when that changed, or every 30 s; '
	'ERR_INVALID_ARGUMENT for a version that there is not, and for a name that is not 1 to 256 printable bytes';
COMMENT ON FUNCTION chat_v11.consumers() IS
	'who runs which version of the state, and since when; forgotten after 24 h of silence';
COMMENT ON FUNCTION chat_v11.metrics(timestamptz, timestamptz) IS
	'every metric of both cohorts over (p_from, p_to]; a rate is 0..1, null where its denominator is 0';
COMMENT ON FUNCTION chat_v11.missing_receipts(integer) IS
	'v11 writes of the last 24 h without a receipt in 10 s, newest first; null is 50, at least 1, at most 500';
COMMENT ON FUNCTION chat_v11.trace_write(uuid) IS
	'every event of one write in order, the time between them, and last a row (at is null) that names the first link of '
	'ACK, ledger, store, receipt that is missing, if any, and what to type next; ERR_INVALID_ARGUMENT for null';
COMMENT ON FUNCTION chat_v11.resync_report(timestamptz, timestamptz) IS
	'requests for a resync in (p_from, p_to] by cohort and outcome: how far behind they were, how many asked from 0, and '
	'what that speaks for; shares are 0..1, null where there is nothing to divide by';
COMMENT ON FUNCTION chat_v11.metric_series(text, timestamptz, timestamptz, interval) IS
	'one metric of both cohorts over (p_from, p_to] by steps of whole seconds, at most 100,000 rows; at is the end of the '
	'step; ERR_INVALID_ARGUMENT names the metrics that there are, or a step that fits';
COMMENT ON FUNCTION chat_v11.flagd_config() IS
	'a flagd flag definition that makes flagd answer as chat_is_v11_enabled() does; made anew at every change of the state';
COMMENT ON FUNCTION chat_v11.unleash_features() IS
	'what an Unleash server answers at /client/features; made anew at every change of the state';
COMMENT ON FUNCTION chat_v11.ofrep_evaluate(jsonb) IS
	'the body of an OFREP response to {"context": {"targetingKey": ...}}; response.status gets 200 or 400';
COMMENT ON FUNCTION chat_v11.record(text, text, uuid, uuid, double precision, timestamptz) IS
	'stores one event in the caller''s own transaction; without p_cohort it is the one that p_actor is in now; ERR_INVALID_ARGUMENT names what is wrong';
COMMENT ON FUNCTION chat_v11.record_batch(jsonb) IS
	'stores an array of events, all or nothing, and returns how many; ERR_INVALID_ARGUMENT names index and field';
COMMENT ON FUNCTION chat_v11.write_key(uuid, text, bigint) IS
	'key of a write without a uuid of its own: the same uuid for the same actor, device and client_write_seq';
COMMENT ON FUNCTION chat_v11.set_check(text, double precision, boolean, text, bigint, text) IS
	'changes a check and logs it; null leaves a field as it is; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.set_policy(text, interval, interval, bigint, interval, text) IS
	'changes a stage''s policy and logs it; null leaves a field as it is; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.set_setting(text, text, text) IS
	'changes a row of chat_v11.setting and logs it; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.attest(text, text, boolean) IS
	'puts on record that something was checked, and logs it; telemetry:KIND lets a check that is marked zero_ok pass '
	'on an empty window';
COMMENT ON FUNCTION chat_v11.grant_access(regrole, text) IS
	'gives a role the level reader, reporter, operator or admin; ERR_INVALID_ARGUMENT for another word';
COMMENT ON FUNCTION chat_v11.revoke_access(regrole, text) IS
	'takes a level and those above it; reader < operator < admin, reporter stands apart';
COMMENT ON FUNCTION chat_v11.fold(bigint) IS
	'one round of folding: brings committed events into the buckets, each once; returns how many, 0 where another '
	'session is folding; stops after about p_limit events, and goes on there at the next call';
COMMENT ON FUNCTION chat_v11.fold_status() IS
	'how far the fold has come: events and seconds of lag, last fold, what a look at the gates reads besides the buckets';
COMMENT ON FUNCTION chat_v11.clock() IS 'the clock of all rules: the wall clock, or chat_v11.mock_now';

-- Histograms.
COMMENT ON TYPE chat_v11.histogram IS
	'how many values, in ms from 0 to 1e9, fell into each of 1926 bins; percentiles within 1 %; adds up in any order';
COMMENT ON FUNCTION chat_v11.count(chat_v11.histogram) IS 'number of values in it';
COMMENT ON FUNCTION chat_v11.quantile(chat_v11.histogram, double precision) IS
	'in ms, nearest rank, within 1 % from 1 ms to 1 h; null for an empty one; ERR_INVALID_ARGUMENT for p_q outside 0..1';
COMMENT ON FUNCTION chat_v11.exceeding(chat_v11.histogram, double precision) IS
	'how many values are above p_limit, in ms: exact where it is the edge of a bin, as any number of two digits is; else '
	'how many are above the next edge; ERR_INVALID_ARGUMENT for NaN';
COMMENT ON FUNCTION chat_v11.merge(chat_v11.histogram, chat_v11.histogram) IS
	'the values of both; the same to the bit in any order; the operator +; ERR_INVALID_ARGUMENT above 2^63 - 1 values';
COMMENT ON AGGREGATE chat_v11.histogram_agg(double precision) IS
	'histogram of values in ms; null of none; what is above 1e9 counts as 1e9; ERR_INVALID_ARGUMENT for negative and NaN';
COMMENT ON AGGREGATE chat_v11.histogram_agg(chat_v11.histogram) IS 'the values of all of them; null of none';
COMMENT ON OPERATOR chat_v11.+ (chat_v11.histogram, chat_v11.histogram) IS 'chat_v11.merge()';
COMMENT ON OPERATOR chat_v11.= (chat_v11.histogram, chat_v11.histogram) IS 'the same counts';
COMMENT ON OPERATOR chat_v11.<> (chat_v11.histogram, chat_v11.histogram) IS 'not the same counts';

-- Functions behind the scenes.
COMMENT ON FUNCTION chat_v11.event_am_handler(internal) IS 'table access method: rows go to the files of the ring';
COMMENT ON FUNCTION chat_v11.event_leaf_am_handler(internal) IS
	'table access method: the heap, written through chat_v11.event only';
COMMENT ON ACCESS METHOD chat_v11_event IS 'insert-only door to a ring of files, of which old ones are dropped whole';
COMMENT ON ACCESS METHOD chat_v11_event_leaf IS 'one file of that ring';
COMMENT ON FUNCTION chat_v11.is_folded(oid, tid, xid) IS
	'whether that row of the events is in the buckets; what a dump leaves out';
COMMENT ON FUNCTION public.chat_is_v11_enabled(text) IS
	'whether this user gets v1.1 now, by the newest commit that has reached this server; false for null, an empty id, while killed, and where the state cannot be read; ERR_INVALID_ARGUMENT for bytes that are no text';
COMMENT ON FUNCTION chat_v11.bucket(text) IS
	'0..9999, of the id''s UTF-8 as OpenFeature flagd''s fractional (version 2) hashes it: in at p percent if below 100 p; whatever algorithm the release has';
COMMENT ON FUNCTION chat_v11.targeting_key(text) IS
	'the id with each byte of its UTF-8 from 0x80 as %XX, for clients that hash UTF-16; ASCII stays as it is';
COMMENT ON FUNCTION chat_v11.cohort_share(text[]) IS
	'how many of these ids each stage has, killed or not: share and target are 0..1, standard_errors says how far apart; nulls and empty ids are left out';
COMMENT ON FUNCTION chat_v11.rollout_refresh() IS 'trigger: tells every backend that the state changed';
COMMENT ON FUNCTION chat_v11.fold_only() IS 'trigger: raises ERR_APPEND_ONLY but for the fold and a restore';
COMMENT ON FUNCTION chat_v11.histogram_add(chat_v11.histogram, double precision) IS
	'one value more; transition function of chat_v11.histogram_agg';
COMMENT ON FUNCTION chat_v11.histogram_final(chat_v11.histogram) IS
	'the stored form; final function of chat_v11.histogram_agg';
COMMENT ON FUNCTION chat_v11.default_stage_policy() IS 'chat_v11.stage_policy as installed';
COMMENT ON FUNCTION chat_v11.default_gate_check() IS 'chat_v11.gate_check as installed';
COMMENT ON FUNCTION chat_v11.default_setting() IS 'chat_v11.setting as installed, with meanings';
COMMENT ON FUNCTION chat_v11.check_event(timestamptz, chat_v11.event_kind, chat_v11.cohort, uuid, uuid,
	double precision) IS 'true, or ERR_INVALID_ARGUMENT naming the field; the CHECK of chat_v11.event';
COMMENT ON FUNCTION chat_v11.rollout_serialize() IS 'trigger: takes the one lock before any row''s';
COMMENT ON FUNCTION chat_v11.rollout_decide() IS 'trigger: the state machine';
COMMENT ON FUNCTION chat_v11.rollout_log() IS 'trigger: writes the decision log and the gate log';
COMMENT ON FUNCTION chat_v11.history_guard() IS 'trigger: lets only the log''s own writer and a restore in';
COMMENT ON FUNCTION chat_v11.config_guard() IS 'trigger: validates and logs what turns a gate';
COMMENT ON FUNCTION chat_v11.refuse_write() IS 'trigger: raises ERR_APPEND_ONLY';
COMMENT ON FUNCTION chat_v11.own_only() IS 'trigger: raises ERR_APPEND_ONLY but for the extension''s own rows, a restore and a subscription';
COMMENT ON FUNCTION chat_v11.refuse_young_delete() IS
	'trigger: raises ERR_APPEND_ONLY for rows younger than chat_v11.bucket_retention';

-- Types.
COMMENT ON TYPE chat_v11.event_kind IS 'what happened, by name, one byte; ordered as docs/reference.md lists the names';
COMMENT ON TYPE chat_v11.cohort IS 'v11 is the canary, v10 its control, one byte; v10 sorts first';
COMMENT ON TYPE chat_v11.rollout_state_answer IS 'what chat_get_v11_rollout_state() returns';
COMMENT ON TYPE chat_v11.release_gates_answer IS 'what chat_get_v11_release_gates() returns';
COMMENT ON TYPE chat_v11.check_answer IS 'what explain_gates() and what_if() return';
COMMENT ON CAST (chat_v11.event_kind AS text) IS 'by name, so that kind = ''write_ack'' works from any search_path';
COMMENT ON CAST (chat_v11.cohort AS text) IS 'by name, so that cohort = ''v11'' works from any search_path';

COMMENT ON COLUMN chat_v11.rollout_state_answer.stage IS 'canary_1, canary_10, canary_50 or full';
COMMENT ON COLUMN chat_v11.rollout_state_answer.kill_switch IS 'true: nobody is in the cohort, whatever the stage';
COMMENT ON COLUMN chat_v11.rollout_state_answer.rollout_percent IS 'of all users: 1, 10, 50, 100; 0 while killed';
COMMENT ON COLUMN chat_v11.rollout_state_answer.version IS '+1 at every change; 0 before the first';
COMMENT ON COLUMN chat_v11.rollout_state_answer.note IS 'note of the last change';
COMMENT ON COLUMN chat_v11.rollout_state_answer.updated_at IS 'time of the last change';
COMMENT ON COLUMN chat_v11.rollout_state_answer.updated_by IS 'session role of the last change';
COMMENT ON COLUMN chat_v11.rollout_state_answer.entered_at IS
	'since when stage and kill switch stand; a hold restarts it, a re-kill does not';
COMMENT ON COLUMN chat_v11.rollout_state_answer.next_stage IS 'null at full';
COMMENT ON COLUMN chat_v11.rollout_state_answer.earliest_promote_at IS
	'when dwell, and quiet where it waits for time alone, are over; null while killed and at full';
COMMENT ON COLUMN chat_v11.rollout_state_answer.overdue IS 'longer in the stage than its max_duration; a warning only';
COMMENT ON COLUMN chat_v11.rollout_state_answer.gate_p0_ok IS 'no P0 check fails';
COMMENT ON COLUMN chat_v11.rollout_state_answer.gate_p1_ok IS 'no P1 check fails';
COMMENT ON COLUMN chat_v11.rollout_state_answer.gate_rollout_ok IS 'every rollout check passes';
COMMENT ON COLUMN chat_v11.rollout_state_answer.rollout_decision IS 'PROCEED, HOLD or ROLLBACK';
COMMENT ON COLUMN chat_v11.rollout_state_answer.next_step IS 'what blocks, or the statement to run';
COMMENT ON COLUMN chat_v11.rollout_state_answer.overridden IS 'the present stage was reached by break-glass';
COMMENT ON COLUMN chat_v11.rollout_state_answer.started_at IS 'when anybody first went live';
COMMENT ON COLUMN chat_v11.rollout_state_answer.mock_clock IS 'the clock of this session is mocked';

COMMENT ON COLUMN chat_v11.release_gates_answer.rollout_decision IS
	'ROLLBACK if a P0 check fails; HOLD if a P1 check fails or a rollout check does not pass; else PROCEED';
COMMENT ON COLUMN chat_v11.release_gates_answer.gate_p0_ok IS 'no P0 check fails; unknown is no failure';
COMMENT ON COLUMN chat_v11.release_gates_answer.gate_p1_ok IS 'no P1 check fails; unknown is no failure';
COMMENT ON COLUMN chat_v11.release_gates_answer.gate_rollout_ok IS
	'every rollout check passes; evidence does not while a P0 or P1 check is unknown';
COMMENT ON COLUMN chat_v11.release_gates_answer.reasons IS 'one sentence a failing or unknown check, worst first';
COMMENT ON COLUMN chat_v11.release_gates_answer.stage IS 'canary_1, canary_10, canary_50 or full';
COMMENT ON COLUMN chat_v11.release_gates_answer.kill_switch IS 'true: nobody is in the cohort';
COMMENT ON COLUMN chat_v11.release_gates_answer.ack_without_receipt_10s_rate IS
	'0..1, v11, over p0_clear_window: mature writes without a receipt in 10 s';
COMMENT ON COLUMN chat_v11.release_gates_answer.timeline_duplicate_detected_rate IS '0..1, v11, over p0_clear_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.read_rollback_detected_rate IS '0..1, v11, over p0_clear_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.send_stall_rate IS '0..1, v11, over stall_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.write_receipt_p95_ms IS 'milliseconds, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.write_reject_rate IS '0..1, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.forced_resync_rate IS 'per session-minute, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.full_state_rate IS 'per session-minute, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.err_resync_range_unavailable_rate IS
	'per resync_request, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.err_resync_throttled_rate IS
	'per resync_request, v11, over metric_window';
COMMENT ON COLUMN chat_v11.release_gates_answer.mature_writes IS 'v11 writes within p0_clear_window old enough to judge';
COMMENT ON COLUMN chat_v11.release_gates_answer.data_age IS 'of the newest event of any kind; null where there is none';
COMMENT ON COLUMN chat_v11.release_gates_answer.window_start IS 'begin of the longer of P0 and P1 window';
COMMENT ON COLUMN chat_v11.release_gates_answer.evaluated_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.release_gates_answer.mock_clock IS 'the clock of this session is mocked';
COMMENT ON COLUMN chat_v11.release_gates_answer.overridden IS 'the present stage was reached by break-glass';
COMMENT ON COLUMN chat_v11.release_gates_answer.disabled_checks IS 'checks that are switched off';

COMMENT ON COLUMN chat_v11.check_answer.gate IS 'P0, P1 or rollout';
COMMENT ON COLUMN chat_v11.check_answer.check_name IS 'as in chat_v11.gate_check.name';
COMMENT ON COLUMN chat_v11.check_answer.status IS 'pass, fail or no_data';
COMMENT ON COLUMN chat_v11.check_answer.enabled IS 'false: not looked at';
COMMENT ON COLUMN chat_v11.check_answer.value IS
	'rate 0..1, ms or count; ratio of canary to control for a comparison, drift a day for the trend; seconds for dwell '
	'and killed, writes for evidence, share 0..1 for cohort_share';
COMMENT ON COLUMN chat_v11.check_answer.limit_value IS
	'unit of value; the allowed ratio for a comparison; a factor for cohort_share; what is needed for dwell, quiet (s), '
	'evidence and killed';
COMMENT ON COLUMN chat_v11.check_answer.numerator IS 'what was counted';
COMMENT ON COLUMN chat_v11.check_answer.denominator IS 'out of how many; for evidence, how many are needed';
COMMENT ON COLUMN chat_v11.check_answer.control_value IS
	'the same metric of cohort v10, for people; for a comparison the rate of bad ones that it is judged against';
COMMENT ON COLUMN chat_v11.check_answer.data_age IS 'of the newest event of the kind on which the check rests';
COMMENT ON COLUMN chat_v11.check_answer.on_fail IS 'kill, rollback, hold or advise; only advise changes the gates';
COMMENT ON COLUMN chat_v11.check_answer.reason IS 'one sentence';
COMMENT ON COLUMN chat_v11.check_answer.what_to_do IS 'next command or advice, or null';
COMMENT ON COLUMN chat_v11.check_answer.rollout_decision IS 'of the whole answer, the same in each row';

-- Tables.
COMMENT ON TABLE chat_v11.rollout_state IS
	'present state, one row at most; none means canary_1, killed, version 0; every write meets the state machine';
COMMENT ON COLUMN chat_v11.rollout_state.singleton IS 'always true';
COMMENT ON COLUMN chat_v11.rollout_state.stage IS 'canary_1, canary_10, canary_50 or full';
COMMENT ON COLUMN chat_v11.rollout_state.kill_switch IS 'true: nobody is in the cohort';
COMMENT ON COLUMN chat_v11.rollout_state.version IS '+1 at every change';
COMMENT ON COLUMN chat_v11.rollout_state.started_at IS 'when anybody first went live; null if never';
COMMENT ON COLUMN chat_v11.rollout_state.entered_at IS
	'since when stage and kill switch stand; a hold restarts it, a re-kill does not';
COMMENT ON COLUMN chat_v11.rollout_state.updated_at IS 'time of the last change';
COMMENT ON COLUMN chat_v11.rollout_state.updated_by IS 'session role of the last change';
COMMENT ON COLUMN chat_v11.rollout_state.note IS 'note of the last change, at most 4 kB';
COMMENT ON COLUMN chat_v11.rollout_state.overridden IS 'the present stage was reached by break-glass';
COMMENT ON COLUMN chat_v11.rollout_state.history_id IS 'row of the log that made this one';
COMMENT ON COLUMN chat_v11.rollout_state.bucketing IS 'how ids are hashed: the setting of that name at the first start, frozen from then on';

COMMENT ON TABLE chat_v11.rollout_history IS
	'decision log, append-only and chained by hash; docs/history.md has the canonical form; ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.rollout_history.id IS '1, 2, 3, ... without gaps';
COMMENT ON COLUMN chat_v11.rollout_history.changed_at IS 'rule clock under the lock, microseconds';
COMMENT ON COLUMN chat_v11.rollout_history.transition IS
	'start, promote, hold, rollback, kill, resume, re-kill; config for policy, checks, settings and attestations';
COMMENT ON COLUMN chat_v11.rollout_history.from_stage IS 'stage before; canary_1 where there was no state';
COMMENT ON COLUMN chat_v11.rollout_history.to_stage IS 'stage after';
COMMENT ON COLUMN chat_v11.rollout_history.from_kill_switch IS 'kill switch before; true where there was no state';
COMMENT ON COLUMN chat_v11.rollout_history.to_kill_switch IS 'kill switch after';
COMMENT ON COLUMN chat_v11.rollout_history.decision IS 'PROCEED, HOLD or ROLLBACK; null for config';
COMMENT ON COLUMN chat_v11.rollout_history.approved_by IS
	'p_approved_by, else sub of the JWT claims, else the session role; it annotates, nothing checks it';
COMMENT ON COLUMN chat_v11.rollout_history.changed_by IS 'session role, as authenticated';
COMMENT ON COLUMN chat_v11.rollout_history.note IS 'at most 4 kB';
COMMENT ON COLUMN chat_v11.rollout_history.version IS 'version after; config leaves it as it is';
COMMENT ON COLUMN chat_v11.rollout_history.overridden IS 'gates were skipped by break-glass';
COMMENT ON COLUMN chat_v11.rollout_history.mock_clock IS 'written under chat_v11.mock_now';
COMMENT ON COLUMN chat_v11.rollout_history.gates IS
	'gates just before the change, every check included, or {"unavailable": why}';
COMMENT ON COLUMN chat_v11.rollout_history.change IS 'for config: table, key, old and new row; else null';
COMMENT ON COLUMN chat_v11.rollout_history.prev_hash IS 'hash of the row before; 32 zero bytes in row 1';
COMMENT ON COLUMN chat_v11.rollout_history.hash IS 'SHA-256 of the canonical form of all other columns';

COMMENT ON TABLE chat_v11.stage_policy IS 'durations and samples of each stage; change it by set_policy()';
COMMENT ON COLUMN chat_v11.stage_policy.stage IS 'fixed';
COMMENT ON COLUMN chat_v11.stage_policy.percent IS 'of all users; fixed';
COMMENT ON COLUMN chat_v11.stage_policy.min_duration IS 'before the next promotion; 0 to 1 year';
COMMENT ON COLUMN chat_v11.stage_policy.max_duration IS 'then overdue, a warning only; min_duration to 10 years';
COMMENT ON COLUMN chat_v11.stage_policy.min_samples IS 'mature v11 writes since entry; 0 or more';
COMMENT ON COLUMN chat_v11.stage_policy.quiet_period IS 'without a P0 or P1 failure before a promotion; 0 to 7 days';
COMMENT ON COLUMN chat_v11.stage_policy.history_id IS 'row of the log that made this content; null as installed';

COMMENT ON TABLE chat_v11.gate_check IS 'what the gates look at; change it by set_check()';
COMMENT ON COLUMN chat_v11.gate_check.name IS 'fixed';
COMMENT ON COLUMN chat_v11.gate_check.ordinal IS 'order of showing; fixed';
COMMENT ON COLUMN chat_v11.gate_check.gate IS 'P0, P1 or rollout; fixed';
COMMENT ON COLUMN chat_v11.gate_check.metric IS 'as in chat_v11.metrics(); null for rollout checks; fixed';
COMMENT ON COLUMN chat_v11.gate_check.judge IS 'limit, baseline, compare or trend: against a limit, or beside control; fixed';
COMMENT ON COLUMN chat_v11.gate_check.limit_value IS
	'a value above it fails: 0..1 for a rate, ms, count; seconds for killed, a factor of 1 or more for cohort_share; '
	'null for comparisons';
COMMENT ON COLUMN chat_v11.gate_check.min_samples IS 'fewer are no_data; 0 or more';
COMMENT ON COLUMN chat_v11.gate_check.enabled IS 'false: shown as disabled, not looked at';
COMMENT ON COLUMN chat_v11.gate_check.on_fail IS
	'kill or rollback to canary_1, which the guard does by itself, of a comparison where it fails severely; hold; or '
	'advise: shown, counted by no gate';
COMMENT ON COLUMN chat_v11.gate_check.zero_ok IS 'rightly rare: an empty window passes once the kind is known to be wired';
COMMENT ON COLUMN chat_v11.gate_check.history_id IS 'row of the log that made this content; null as installed';

COMMENT ON TABLE chat_v11.setting IS 'windows and modes of the gates; change it by set_setting()';
COMMENT ON COLUMN chat_v11.setting.name IS 'fixed';
COMMENT ON COLUMN chat_v11.setting.value IS 'an interval as text, or a word';
COMMENT ON COLUMN chat_v11.setting.history_id IS 'row of the log that made this content; null as installed';

COMMENT ON TABLE chat_v11.attestation IS 'what people put on record by attest()';
COMMENT ON COLUMN chat_v11.attestation.what IS 'at most 256 bytes; telemetry:KIND has an effect on checks';
COMMENT ON COLUMN chat_v11.attestation.ref IS 'where it can be looked up, at most 4 kB';
COMMENT ON COLUMN chat_v11.attestation.ok IS 'false takes it back';
COMMENT ON COLUMN chat_v11.attestation.attested_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.attestation.attested_by IS 'session role';
COMMENT ON COLUMN chat_v11.attestation.history_id IS 'row of the log that made this content';

COMMENT ON TABLE chat_v11.event IS
	'telemetry, insert-only: by INSERT, COPY or record(); kept for chat_v11.raw_retention, then in the buckets only';
COMMENT ON COLUMN chat_v11.event.at IS 'when it happened; at most 5 s ahead of the rule clock; default the rule clock';
COMMENT ON COLUMN chat_v11.event.kind IS 'what happened';
COMMENT ON COLUMN chat_v11.event.cohort IS 'protocol that the write or session used';
COMMENT ON COLUMN chat_v11.event.actor IS 'user or session, or null';
COMMENT ON COLUMN chat_v11.event.subject IS
	'key of the write; needed by write_ack, write_receipt, write_ledgered and write_stored';
COMMENT ON COLUMN chat_v11.event.value IS 'milliseconds for durations; finite, 0 to 1e9, or null';

COMMENT ON TABLE chat_v11.consumer IS 'what chat_v11.consumers() reads, written by chat_v11.ack_version(); not dumped';
COMMENT ON COLUMN chat_v11.consumer.name IS 'as the consumer calls itself';
COMMENT ON COLUMN chat_v11.consumer.version IS 'of the state, that it runs by its own account';
COMMENT ON COLUMN chat_v11.consumer.since IS 'since when it says so of this version';
COMMENT ON COLUMN chat_v11.consumer.seen_at IS 'when it last said anything, to half a minute';
COMMENT ON COLUMN chat_v11.consumer.role IS 'the session role that said so';

COMMENT ON FUNCTION chat_v11.admit_full_state(uuid, uuid) IS
	'at most one full state in full_state_interval and dialog, else ERR_RESYNC_THROTTLED; waits for no other admission';
COMMENT ON FUNCTION chat_v11.admit_resync(text) IS
	'one resync of a stream at a time, to the end of the transaction, else ERR_RESYNC_THROTTLED; never waits';
COMMENT ON FUNCTION chat_v11.admit_resync(text, uuid, float8) IS
	'the same, with who asks and how far behind, for the metrics and resync_report()';
COMMENT ON FUNCTION chat_v11.resync_backoff_ms(integer, text) IS
	'milliseconds to wait before attempt 1, 2, ...; the same for the same key and attempt';
COMMENT ON FUNCTION chat_v11.recovery_policy() IS 'the numbers that clients follow, and their version';
COMMENT ON FUNCTION chat_v11.keep_own() IS 'trigger: passes over the rows that a subscription brings';
COMMENT ON TABLE chat_v11.full_state_0 IS
	'admissions by chat_v11.admit_full_state(), with full_state_1 in turns; emptied by the guard and fold(), ERR_APPEND_ONLY for TRUNCATE; not dumped';
COMMENT ON COLUMN chat_v11.full_state_0.dialog IS 'which dialog';
COMMENT ON COLUMN chat_v11.full_state_0.admitted_at IS 'by the rule clock';
COMMENT ON TABLE chat_v11.full_state_1 IS 'as chat_v11.full_state_0';
COMMENT ON COLUMN chat_v11.full_state_1.dialog IS 'as in chat_v11.full_state_0';
COMMENT ON COLUMN chat_v11.full_state_1.admitted_at IS 'as in chat_v11.full_state_0';

COMMENT ON TABLE chat_v11.gate_log IS
	'the gates at every accepted change and once a minute; append-only within chat_v11.bucket_retention';
COMMENT ON COLUMN chat_v11.gate_log.at IS 'time of the change, or of the guard''s look';
COMMENT ON COLUMN chat_v11.gate_log.version IS 'version after the change';
COMMENT ON COLUMN chat_v11.gate_log.stage IS 'stage after the change';
COMMENT ON COLUMN chat_v11.gate_log.kill_switch IS 'kill switch after the change';
COMMENT ON COLUMN chat_v11.gate_log.decision IS
	'what the gates said, of a change just before it; null where they were not read';
COMMENT ON COLUMN chat_v11.gate_log.mock_clock IS 'written under chat_v11.mock_now';
COMMENT ON COLUMN chat_v11.gate_log.gates IS 'as in chat_v11.rollout_history.gates';
COMMENT ON COLUMN chat_v11.gate_log.cause IS 'change: an accepted change; guard: a minute has passed, or a gate turned red';
COMMENT ON COLUMN chat_v11.gate_log.p0_ok IS 'no P0 check failed; null where the gates were not read';
COMMENT ON COLUMN chat_v11.gate_log.p1_ok IS 'no P1 check failed; null where the gates were not read';
COMMENT ON COLUMN chat_v11.gate_log.failing IS 'names of the P0 and P1 checks that failed and count';

-- The view.
COMMENT ON VIEW chat_v11.history_export IS
	'decision log as it is hashed, every column as text, in the order of id; for \copy and docs/verify_history.py';
COMMENT ON COLUMN chat_v11.history_export.id IS 'decimal';
COMMENT ON COLUMN chat_v11.history_export.changed_at IS 'UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ';
COMMENT ON COLUMN chat_v11.history_export.transition IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.from_stage IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.to_stage IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.from_kill_switch IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.to_kill_switch IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.decision IS 'null for config';
COMMENT ON COLUMN chat_v11.history_export.approved_by IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.changed_by IS 'as in chat_v11.rollout_history';
COMMENT ON COLUMN chat_v11.history_export.note IS 'or null';
COMMENT ON COLUMN chat_v11.history_export.version IS 'decimal';
COMMENT ON COLUMN chat_v11.history_export.overridden IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.mock_clock IS 'true or false';
COMMENT ON COLUMN chat_v11.history_export.gates IS 'text form of jsonb';
COMMENT ON COLUMN chat_v11.history_export.change IS 'text form of jsonb, or null';
COMMENT ON COLUMN chat_v11.history_export.prev_hash IS 'lower-case hex';
COMMENT ON COLUMN chat_v11.history_export.hash IS 'lower-case hex';

COMMENT ON TABLE chat_v11.metric_bucket IS
	'what the events add up to: a row for each minute (at, at + 1 min], kind and cohort; written by chat_v11.fold()';
COMMENT ON COLUMN chat_v11.metric_bucket.at IS 'the minute''s beginning, which is not part of it';
COMMENT ON COLUMN chat_v11.metric_bucket.kind IS 'what happened';
COMMENT ON COLUMN chat_v11.metric_bucket.cohort IS 'protocol that the write or session used';
COMMENT ON COLUMN chat_v11.metric_bucket.node_id IS 'which database folded it; 0 for this one';
COMMENT ON COLUMN chat_v11.metric_bucket.count IS 'events';
COMMENT ON COLUMN chat_v11.metric_bucket.sum IS 'sum of the values given';
COMMENT ON COLUMN chat_v11.metric_bucket.newest IS 'time of the newest event';
COMMENT ON COLUMN chat_v11.metric_bucket.histogram IS 'of the values given, or null';
COMMENT ON COLUMN chat_v11.metric_bucket.seconds IS 'packed: events by second';
COMMENT ON COLUMN chat_v11.metric_bucket.detail IS 'packed: histogram by second, of kinds with percentiles';
COMMENT ON COLUMN chat_v11.metric_bucket.actors IS 'packed: up to three actors a second, of send_stall';
COMMENT ON TABLE chat_v11.write_bucket IS
	'writes by the minute of their first ACK, [at, at + 1 min), and cohort; a write is added once it is mature';
COMMENT ON COLUMN chat_v11.write_bucket.at IS 'the minute''s beginning';
COMMENT ON COLUMN chat_v11.write_bucket.cohort IS 'of the first ACK; of orphans, of the receipt';
COMMENT ON COLUMN chat_v11.write_bucket.node_id IS 'which database folded it; 0 for this one';
COMMENT ON COLUMN chat_v11.write_bucket.writes IS 'keys with an ACK';
COMMENT ON COLUMN chat_v11.write_bucket.in_time IS 'of them, answered within 10 s';
COMMENT ON COLUMN chat_v11.write_bucket.answered IS 'of them, answered at all';
COMMENT ON COLUMN chat_v11.write_bucket.orphans IS 'keys with a receipt and no ACK, by (at, at + 1 min]';
COMMENT ON COLUMN chat_v11.write_bucket.slow_limit IS 'limit in ms, above which `seconds` counts a write as slow';
COMMENT ON COLUMN chat_v11.write_bucket.histogram IS 'write-to-receipt times of the answered ones, in ms, or null';
COMMENT ON COLUMN chat_v11.write_bucket.seconds IS 'packed: the counts by second';
COMMENT ON COLUMN chat_v11.write_bucket.detail IS 'packed: the histogram by second';
COMMENT ON TABLE chat_v11.write_0 IS 'what is known of each write that was counted; one of three tables that take turns';
COMMENT ON TABLE chat_v11.write_1 IS 'what is known of each write that was counted; one of three tables that take turns';
COMMENT ON TABLE chat_v11.write_2 IS 'what is known of each write that was counted; one of three tables that take turns';
COMMENT ON TABLE chat_v11.pending_write IS 'packed: writes that wait for their maturity';
COMMENT ON TABLE chat_v11.fold_state IS 'how far the fold has come: one row, of this cluster only';
COMMENT ON TABLE chat_v11.event_0 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_1 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_2 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_3 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_4 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_5 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_6 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';
COMMENT ON TABLE chat_v11.event_7 IS 'a file of chat_v11.event, for a sixth of chat_v11.raw_retention at a time';

-- Incidents.
COMMENT ON FUNCTION chat_v11.open_incident(text, text, text) IS
	'declares an incident, P0, P1 or P2, and takes the playbook''s slice into its timeline; its number. A P0 kills at once: '
	'if the incident cannot be written down the kill stands, with a WARNING, and the answer is null. An open P0 or P1 '
	'closes promotions and resumes';
COMMENT ON FUNCTION chat_v11.escalate_incident(bigint, text, text) IS
	'makes it more severe, to P1 or P0; to P0 it kills, as open_incident() does; the new severity';
COMMENT ON FUNCTION chat_v11.note_incident(bigint, text, text) IS
	'a line of the timeline: note, fact, decision (with the gates of the moment), action, or check:5, :6, :9, :10 for a point '
	'of the checklist that the database cannot know; its time';
COMMENT ON FUNCTION chat_v11.close_incident(bigint, text) IS
	'ends it; how long it lasted. ERR_GATE_CLOSED for a P0 before its exit criteria hold, and for a P1 while a P0 or P1 check '
	'fails: DETAIL says what is missing, HINT when it can be over';
COMMENT ON FUNCTION chat_v11.hand_over_incident(bigint, text) IS 'another IC leads it from now on, which its timeline tells; who';
COMMENT ON FUNCTION chat_v11.incidents() IS 'those that are open, and since when the IC''s decision is overdue';
COMMENT ON FUNCTION chat_v11.checklist(bigint) IS
	'the ten points of the playbook, those that the database knows ticked, and the others by note_incident()';
COMMENT ON FUNCTION chat_v11.postmortem(bigint) IS
	'an incident as Markdown, UTC: timeline, figures around it, decisions and on what, and the sections that people fill in';
COMMENT ON FUNCTION chat_v11.completion() IS 'section 10 of the rollout''s runbook: each criterion, whether it is met, and why';
COMMENT ON FUNCTION chat_v11.add_action_item(text, text, date, bigint) IS
	'something to be done, by whom and until when, from an incident or from none; its number';
COMMENT ON FUNCTION chat_v11.assign_action_item(bigint, text, date) IS 'gives it an owner and a date';
COMMENT ON FUNCTION chat_v11.close_action_item(bigint, text, text) IS
	'closed: it is done; accepted: it stays undone, and why';
COMMENT ON FUNCTION chat_v11.incident_guard() IS
	'trigger: raises ERR_APPEND_ONLY but for what the extension''s functions write, a restore and a subscription';
COMMENT ON FUNCTION chat_v11.ddl_freeze() IS 'event trigger: asks judge_ddl(), and lets pass what that cannot judge';
COMMENT ON FUNCTION chat_v11.judge_ddl(text) IS
	'warns of DDL that the client sent while a P0 is open, or refuses it with ERR_FORBIDDEN, by chat_v11.ddl_freeze; superusers '
	'and temporary objects pass';
COMMENT ON EVENT TRIGGER chat_v11_ddl_freeze IS 'DDL while a P0 incident is open: setting chat_v11.ddl_freeze of the server';
COMMENT ON TABLE chat_v11.incident IS 'incidents; written by open_incident(), escalate_incident(), close_incident() and the guard; ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.incident.id IS '1, 2, 3, ...';
COMMENT ON COLUMN chat_v11.incident.severity IS 'P0, P1 or P2; it goes up only';
COMMENT ON COLUMN chat_v11.incident.opened_as IS 'severity at first';
COMMENT ON COLUMN chat_v11.incident.title IS 'what is seen, one line';
COMMENT ON COLUMN chat_v11.incident.ic IS 'incident commander: who leads';
COMMENT ON COLUMN chat_v11.incident.opened_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.incident.opened_by IS 'sub of the JWT claims, else the session role; it annotates';
COMMENT ON COLUMN chat_v11.incident.escalated_at IS 'last time that its severity went up, or null';
COMMENT ON COLUMN chat_v11.incident.closed_at IS 'null while it is open';
COMMENT ON COLUMN chat_v11.incident.closed_by IS 'as opened_by';
COMMENT ON COLUMN chat_v11.incident.mock_clock IS 'opened under chat_v11.mock_now: a drill';
COMMENT ON TABLE chat_v11.incident_note IS 'timelines of the incidents, append-only; written by note_incident(); ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.incident_note.incident IS 'which';
COMMENT ON COLUMN chat_v11.incident_note.at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.incident_note.n IS 'order among those of one moment';
COMMENT ON COLUMN chat_v11.incident_note.kind IS 'note, fact, decision, action, check; opened, escalated, closed';
COMMENT ON COLUMN chat_v11.incident_note.author IS 'sub of the JWT claims, else the session role, or chat_v11 guard';
COMMENT ON COLUMN chat_v11.incident_note.text IS 'at most 4 kB';
COMMENT ON COLUMN chat_v11.incident_note.data IS
	'opened: gates, state and the last 50 rows of the log; decision: what the gates said; check: point; escalated: from, to; '
	'closed: gates';
COMMENT ON TABLE chat_v11.action_item IS 'what is to be done after incidents and the rollout; ERR_APPEND_ONLY';
COMMENT ON COLUMN chat_v11.action_item.id IS '1, 2, 3, ...';
COMMENT ON COLUMN chat_v11.action_item.incident IS 'from which, or null';
COMMENT ON COLUMN chat_v11.action_item.text IS 'what, at most 4 kB';
COMMENT ON COLUMN chat_v11.action_item.owner IS 'who, or null';
COMMENT ON COLUMN chat_v11.action_item.due IS 'until when, or null';
COMMENT ON COLUMN chat_v11.action_item.created_at IS 'by the rule clock';
COMMENT ON COLUMN chat_v11.action_item.created_by IS 'session role';
COMMENT ON COLUMN chat_v11.action_item.closed_at IS 'null while it is open';
COMMENT ON COLUMN chat_v11.action_item.closed_by IS 'session role';
COMMENT ON COLUMN chat_v11.action_item.resolution IS 'closed or accepted, or null';
COMMENT ON COLUMN chat_v11.action_item.closing_text IS 'how, or why it stays undone';

-- Preflight and records.
COMMENT ON FUNCTION chat_v11.assign_oncall(text, text) IS
	'(operator) puts somebody on call, null for nobody: IC, Backend, SRE, Frontend, Scribe; logged; ERR_INVALID_ARGUMENT';
COMMENT ON FUNCTION chat_v11.preflight(text) IS
	'(operator) one row a precondition of a start: what holds, what does not, what to do; with a self-test of the P0 gate';
COMMENT ON FUNCTION chat_v11.assert_gate(text) IS
	'(reader) raises what a promotion to that stage would be refused with now, and changes nothing: a gate for CI';
COMMENT ON FUNCTION chat_v11.go_no_go(text) IS '(reader) Markdown: the record of one decision, filled in';
COMMENT ON FUNCTION chat_v11.decision_log(text) IS
	'(reader) the whole decision log, a line a row, as markdown, csv or jsonl; ERR_INVALID_ARGUMENT';
COMMENT ON TABLE chat_v11.oncall IS 'who is on call, by role; change it by assign_oncall()';
COMMENT ON COLUMN chat_v11.oncall.role IS 'IC, Backend, SRE, Frontend or Scribe; fixed';
COMMENT ON COLUMN chat_v11.oncall.person IS 'a name, at most 256 bytes; null for nobody';
COMMENT ON COLUMN chat_v11.oncall.since IS 'since when, by the rule clock';
COMMENT ON COLUMN chat_v11.oncall.assigned_by IS 'session role that did it';
COMMENT ON COLUMN chat_v11.oncall.history_id IS 'row of the log that made this content';

COMMENT ON TABLE chat_v11.analysis_bucket IS
	'the canary analysis: what each bucket of 10 s counted; written once by the fold, kept for chat_v11.bucket_retention';
COMMENT ON COLUMN chat_v11.analysis_bucket.run IS 'row of the log with which its stage was first live; 0 for none';
COMMENT ON COLUMN chat_v11.analysis_bucket.at IS 'the bucket''s beginning';
COMMENT ON COLUMN chat_v11.analysis_bucket.closed_at IS 'when it was closed, by the rule clock; what came later is not in it';
COMMENT ON COLUMN chat_v11.analysis_bucket.data IS 'packed: counts, histograms, slices; shown by analysis()';
COMMENT ON COLUMN chat_v11.analysis_bucket.state IS
	'packed, once an hour: what all buckets of the run up to this one amount to, for who looks for the first time';
COMMENT ON TABLE chat_v11.analysis_unit IS
	'the canary analysis: hashes of who was counted, for the present run; each bad unit counts once a comparison';
COMMENT ON COLUMN chat_v11.analysis_unit.run IS 'as in analysis_bucket';
COMMENT ON COLUMN chat_v11.analysis_unit.at IS 'the bucket that saw them first';
COMMENT ON COLUMN chat_v11.analysis_unit.units IS 'packed: 8 bytes each';
COMMENT ON TABLE chat_v11.analysis_note IS 'the canary analysis: where in the files of events to begin to read; of this cluster only';
COMMENT ON COLUMN chat_v11.analysis_note.singleton IS 'one row at most';
COMMENT ON COLUMN chat_v11.analysis_note.notes IS 'packed: lengths of the files by time';
COMMENT ON FUNCTION chat_v11.analysis(text) IS
	'the path of the evidence of one comparison, a row for each bucket of the present stage: counts, lnE for FAIL and for '
	'PASS, verdict; ERR_INVALID_ARGUMENT names the comparisons that there are';
