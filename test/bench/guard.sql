-- What the benchmark of the guard makes breaches with.  A try: the rollout is live and the check is green under a limit
-- just above what earlier tries have left in the window, which would stay red for half an hour; after a random wait, so
-- that the tries meet the guard's rounds at any phase, one commit brings the breach.  The kill is the guard's.

create schema bench;
create table bench.try (
	kind text,
	breached_at timestamptz,  -- when it matures, where that is not at the commit
	after_id bigint,          -- the log's newest row before it
	was_live boolean default true
);
create table bench.heard (heard float8, payload text);

create function bench.check_of(p_kind text) returns text language sql as $$
	select case p_kind
		when 'timeline_duplicate' then 'timeline_duplicate_detected_rate'
		when 'read_rollback' then 'read_rollback_detected_rate'
		when 'send_stall' then 'send_stall_rate'
		when 'ack' then 'ack_without_receipt_10s_rate'
	end
$$;

create function bench.is_killed() returns boolean language sql as $$
	select kill_switch from chat_v11.rollout_state
$$;

-- Takes the kill back, and sets the limits just above what there is: lower than before, where traffic has thinned it.
-- That of stalls never falls, since a resume asks for half an hour of calm, and their window is shorter.
create procedure bench.go_live() language plpgsql as $$
declare
	found record;
begin
	for found in
		select c.check_name, c.numerator, c.denominator, c.limit_value from chat_v11.explain_gates() c
		where c.on_fail = 'kill' and c.enabled and c.numerator > 0
	loop
		perform chat_v11.set_check(found.check_name, p_limit => case
			when found.check_name = 'send_stall_rate' then greatest(found.limit_value, 1.01 * found.numerator / found.denominator)
			else (found.numerator + 0.1) / found.denominator end);
	end loop;
	perform chat_v11.force_rollout_state('canary_1', false, 'the next try of a benchmark', 'another');
	commit;
end
$$;

create procedure bench.wait_for_kill(p_seconds float8) language plpgsql as $$
declare
	until timestamptz := clock_timestamp() + p_seconds * interval '1 s';
begin
	while not bench.is_killed() loop
		if clock_timestamp() > until then
			raise exception 'no kill within % s: %', p_seconds, (select string_agg(c.reason || ', limit ' || c.limit_value, '; ')
				from chat_v11.explain_gates() c where c.on_fail = 'kill' and c.enabled);
		end if;
		commit;
		perform pg_sleep(0.005);
	end loop;
	commit;
end
$$;

create procedure bench.breach(p_kind text) language plpgsql as $$
declare
	stalls integer := 1;
begin
	call bench.go_live();
	perform pg_sleep(0.2 + random());
	if p_kind = 'send_stall' then
		select ceil((c.limit_value + 0.005) * c.denominator) - c.numerator into stalls
		from chat_v11.explain_gates() c where c.check_name = 'send_stall_rate';
	end if;
	insert into chat_v11.event (at, kind, cohort, actor, subject)
		select clock_timestamp(), p_kind::chat_v11.event_kind, 'v11', gen_random_uuid(), gen_random_uuid()
		from generate_series(1, stalls);
	insert into bench.try (kind, after_id, was_live)
		select p_kind, max(h.id), not bench.is_killed() from chat_v11.rollout_history h;
	commit;
	call bench.wait_for_kill(40);
end
$$;

-- Lost receipts overlap, each 12 s on its way to maturity: one session loses them, another one goes live between them.
create procedure bench.lose_receipts(p_tries integer) language plpgsql as $$
begin
	for i in 1 .. p_tries loop
		insert into chat_v11.event (at, kind, cohort, actor, subject)
			values (clock_timestamp(), 'write_ack', 'v11', gen_random_uuid(), gen_random_uuid());
		insert into bench.try (kind, breached_at) values ('ack', clock_timestamp() + interval '12 s');
		commit;
		perform pg_sleep(3 + random());
	end loop;
end
$$;

create procedure bench.await_receipts(p_tries integer) language plpgsql as $$
declare
	next timestamptz;
begin
	call bench.go_live();
	loop
		-- One that came while the rollout was still killed is no try.
		update bench.try t set was_live = false
			where t.kind = 'ack' and t.after_id is null and t.was_live
				and t.breached_at < clock_timestamp() + interval '0.1 s';
		update bench.try t set after_id = (select max(h.id) from chat_v11.rollout_history h)
			where t.kind = 'ack' and t.after_id is null and t.was_live and t.breached_at = (select min(o.breached_at)
				from bench.try o where o.kind = 'ack' and o.after_id is null and o.was_live)
			returning breached_at into next;
		commit;
		if next is null then
			exit when (select count(*) from bench.try t where t.kind = 'ack') >= p_tries;
			perform pg_sleep(0.05);
			continue;
		end if;
		perform pg_sleep(extract(epoch from next - clock_timestamp()));
		call bench.wait_for_kill(40);
		call bench.go_live();
		next := null;
	end loop;
end
$$;

-- From each breach to the commit of its kill, and to when a listener heard of that, in ms.
create view bench.latency as
	select t.kind, t.was_live, h.id, h.note, h.changed_by,
		1000 * extract(epoch from pg_xact_commit_timestamp(h.xmin) - coalesce(t.breached_at,
			pg_xact_commit_timestamp(t.xmin)))::float8 as killed,
		1000 * (n.heard - extract(epoch from coalesce(t.breached_at, pg_xact_commit_timestamp(t.xmin))))::float8 as heard
	from bench.try t
	left join lateral (select h.xmin, h.id, h.note, h.changed_by, h.version from chat_v11.rollout_history h
		where h.id > t.after_id and h.transition = 'kill' order by h.id limit 1) h on true
	left join bench.heard n on (n.payload::jsonb->>'version')::bigint = h.version and n.payload::jsonb->>'event' = 'state';
