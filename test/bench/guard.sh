#!/usr/bin/env bash
# The guard: from a breach to the kill, no kill without one, and what it costs.  Run by engine.sh, or by itself; prints
# tables.  TRIES (50) kills of each kind, MINUTES (2) of clean traffic.
#
# On a server of its own, where the launcher keeps a guard from the start on.  The clock is the real one: build/traffic
# makes the traffic ahead of time, and live.py tells each event when its moment comes, 5,000 a second.  A breach stays
# red for half an hour, so each try goes live again under a limit just above what is there (guard.sql).  Commits are
# told by PostgreSQL's commit timestamps, and what is heard by the clock of the listener, which is the same machine's.
set -euo pipefail
cd "$(dirname "$0")/../.."
tries=${TRIES:-50}
minutes=${MINUTES:-2}
if [ -z "${GUARD_BENCH:-}" ]; then
	GUARD_BENCH=1 exec test/server.sh -c shared_preload_libraries=chat_v11 -c chat_v11.guard_databases=postgres \
		-c track_commit_timestamp=on -c fsync=on -c shared_buffers=1GB -c max_wal_size=16GB -c checkpoint_timeout=1h "$0"
fi
. test/bench/tools.sh
query() { PGOPTIONS='-c client_min_messages=error' psql -X -q -At -F' ' -v ON_ERROR_STOP=1 "$@"; } # by the real clock
rate=$((432000000 / 220)) # writes an hour, of nine events each

data=$(mktemp -d "${TMPDIR:-/tmp}/chat_v11_guard.XXXXXX")
feeder='' listener=''
stop() {
	local rc=$?
	[ -z "$feeder$listener" ] || kill $feeder $listener 2>/dev/null || true
	rm -rf "$data"
	exit $rc
}
trap stop EXIT

# 5,000 events a second from a few seconds ahead on, for so many seconds; what live.py tells of it goes to $data/fed.
feed() { # SECONDS [OPTION]...
	local from seconds=$1
	shift
	from=$(($(date +%s) + 2))
	build/traffic --seed "$from" --from "$(date -u -d "@$from" +%FT%TZ)" --to "$(date -u -d "@$((from + seconds))" +%FT%TZ)" \
		--share 10 --flat --writes-per-hour $rate | python3 test/bench/live.py feed "$data/fed" "$@" &
	feeder=$!
	sleep 2
}

# The traffic's last receipts come after its end, and nobody may be killed for want of them.
wait_for_feed() {
	wait "$feeder"
	feeder=
	read -r fed commits copy_ms copy_p95 latest <"$data/fed"
}

wait_until() { # CONDITION
	local i
	for i in $(seq 200); do
		[ "$(query -c "select $1")" = t ] && return
		sleep 0.1
	done
	echo "nothing came of waiting for: $1" >&2
	return 1
}

# A new extension, and its guard at work.
fresh() {
	query -o /dev/null -c 'drop extension if exists chat_v11 cascade' -c 'drop schema if exists bench cascade' \
		-c 'create extension chat_v11' -c "select chat_v11.attest('telemetry:pending_forever', 'generated traffic', true)" \
		-f test/bench/guard.sql
	wait_until "state in ('guarding', 'idle') and rounds > 0 and last_round > now() - interval '2 s' from chat_v11.guard_status()"
}

start() { query -o /dev/null -c "select public.chat_set_v11_rollout_state('canary_1', false, 'bench')"; }

status() { query -c "select $1 from chat_v11.guard_status()"; } # COLUMN

anon() { awk '/^RssAnon/ { print $2 }' "/proc/$(status pid)/status"; } # kB of the worker's own memory

cpu() { awk '{ print $1 / 1e6 }' "/proc/$(status pid)/schedstat"; } # ms of the worker

# ms of the worker's rounds, by their number, as it tells them itself; for so many seconds.
watch_rounds() { # SECONDS
	echo "select rounds, round_ms from chat_v11.guard_status() \\watch 0.5" | timeout "$1" \
		psql -X -q -At -F' ' 2>/dev/null | awk 'NF == 2 && !seen[$1]++ { print $2 }' >"$data/rounds" || true
}

kill_table() {
	query -F'|' -c "select kind, count(*), count(*) filter (where killed is null),
			count(*) filter (where was_live is not true or killed < 0 or changed_by <> 'chat_v11 guard'
				or note not like '%' || bench.check_of(kind) || '%'),
			round(min(killed)::numeric), round((percentile_cont(0.5) within group (order by killed))::numeric),
			round((percentile_disc(0.95) within group (order by killed))::numeric), round(max(killed)::numeric),
			round((percentile_cont(0.5) within group (order by heard))::numeric),
			round((percentile_disc(0.95) within group (order by heard))::numeric), round(max(heard)::numeric), count(heard)
		from bench.latency where was_live or kind <> 'ack' group by kind order by array_position('{timeline_duplicate,read_rollback,ack,send_stall}', kind)" |
		sed 's/^ack|/an ACK that matures unanswered|/; s/^send_stall/mass send stall/; s/|/ | /g; s/^/| /; s/$/ |/; s/$/ 2,000 |/'
}

kills() {
	local fed commits copy_ms copy_p95 latest before after i
	fresh
	# Time enough for all tries; what is left of it is cut off below.
	feed $((60 + tries * 12))
	sleep 20
	before=$(anon)
	python3 test/bench/live.py listen "$data/heard" &
	listener=$!
	start
	for i in $(seq "$tries"); do
		for kind in timeline_duplicate read_rollback send_stall; do
			query -c "call bench.breach('$kind')"
		done
	done
	query -c "call bench.lose_receipts($tries)" &
	query -c "call bench.await_receipts($tries)"
	wait $!
	query -c "select public.chat_set_v11_rollout_state('canary_1', true, 'the end of a benchmark')" -o /dev/null
	after=$(anon)
	kill "$feeder" "$listener"
	wait "$feeder" "$listener" 2>/dev/null || true
	feeder='' listener=''
	query -c "\\copy bench.heard from '$data/heard'"
	printf '\nFrom the commit of a breach, or the moment when it matures, to the commit of the kill and to when a listener '
	printf 'heard of it, beside 5,000 events/s; a round each %s.\n\n' "$(query -c 'show chat_v11.guard_interval')"
	echo '| breach | tries | no kill | not by the guard, not for it, or too early | ms, least | median | 95th percentile | most | heard, median | 95th percentile | most | heard of | target of the most |'
	echo '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
	kill_table
	printf '\nThe last kill said: %s\n' "$(query -c "select note from bench.latency order by id desc nulls last limit 1")"
	printf 'ACKs that matured before the rollout was live again, and were not tried: %s. ' \
		"$(query -c "select count(*) from bench.try where not was_live and kind = 'ack'")"
	printf 'The guard had %d kB of memory of its own before and %d kB after it. Problems of the log: %s.\n' "$before" \
		"$after" "$(query -c 'select count(*) from chat_v11.verify_history()')"
}

clean() {
	local fed commits copy_ms copy_p95 latest rate_seen
	fresh
	feed $((minutes * 60 + 10)) --late 1.9 --last-moment 50
	sleep 6
	start
	query -c "insert into chat_v11.event (at, kind, cohort, actor, subject)
		select clock_timestamp(), 'send_stall', 'v11', '00000000-0000-4000-8000-000000000001', gen_random_uuid()
		from generate_series(1, 50)"
	rate_seen=$(query -c "select round(100 * value::numeric, 1) from chat_v11.explain_gates() where check_name = 'send_stall_rate'")
	watch_rounds $((minutes * 60))
	wait_for_feed
	printf '\n%s min of clean traffic, %d events in %d commits; every receipt told 1.9 s late, each fiftieth of v11 just ' \
		"$minutes" "$fed" "$commits"
	printf 'in time and as late; one user with fifty stuck sends, %s %% of all at first. An event was told %s s after its '  \
		"$rate_seen" "$latest"
	printf 'time at most, held back ones after theirs.\n\n'
	echo '| kills | target | stage | a round of the guard, ms, median | most |'
	echo '| ---: | ---: | --- | ---: | ---: |'
	query -F' | ' -c "select '| ' || count(*) filter (where h.transition in ('kill', 're-kill', 'rollback')), 0,
		(select stage || case when kill_switch then ' killed' else ' live' end from chat_v11.rollout_state),
		'$(median <"$data/rounds")', '$(sort -g "$data/rounds" | tail -n 1) |' from chat_v11.rollout_history h"
	query -c "select '
It killed: ' || note from chat_v11.rollout_history where transition in ('kill', 're-kill', 'rollback')"
	printf '\n'
	query -o /dev/null -c "select public.chat_set_v11_rollout_state('canary_1', true, 'the end of a benchmark')"
}

# What the WAL has from one place to another, by whom: the server itself (running transactions), the transactions that
# wrote a row of the gate log, and all else, which is what rounds with nothing new cost.
wal_between() { # BEGIN END
	query -c 'select g.xmin from chat_v11.gate_log g' >"$data/xids"
	pg_waldump -p "$CHAT_V11_SERVER/data/pg_wal" -s "$1" -e "$2" |
		sed -nE 's/^rmgr: ([^ ]+) +len \(rec\/tot\): +[0-9]+\/ +([0-9]+), tx: +([0-9]+),(.*subxacts: ([0-9 ]+))?.*/\1 \2 \3 \5/p' |
		awk 'FNR == NR { logs[$1]; next } $1 == "Standby" { server += $2; next }
			{ for (i = 3; i <= NF; i++) if ($i in logs) { log_bytes += $2; next } rest += $2 }
			END { print server + 0, log_bytes + 0, rest + 0 }' "$data/xids" -
}

idle_line() { # WHAT SECONDS
	local cpu_before spent begin server logged rest rows
	wait_until "lag_events = 0 and pending_writes = 0 from chat_v11.fold_status()"
	sleep 3
	cpu_before=$(cpu)
	rows=$(query -c 'select count(*) from chat_v11.gate_log')
	begin=$(query -c 'select pg_current_wal_flush_lsn()')
	watch_rounds "$2"
	sleep 1
	rows=$(($(query -c 'select count(*) from chat_v11.gate_log') - rows))
	spent=$(calc %.1f "$(cpu) - $cpu_before")
	wal_between "$begin" "$(query -c 'select pg_current_wal_flush_lsn()')" >"$data/wal"
	read -r server logged rest <"$data/wal"
	printf '| %s | %d | %d | %.2f | %.2f | %d | %d | %s | %.1f |\n' "$1" "$(wc -l <"$data/rounds")" "$rest" \
		"$(median <"$data/rounds")" "$(sort -g "$data/rounds" | tail -n 1)" "$server" "$rows" \
		"$([ "$rows" = 0 ] || echo $((logged / rows)))" "$(calc %f "$spent * 3.6 / ($2 + 1)")"
}

idle() {
	local seconds=${IDLE:-125} rows bytes width gates fed commits copy_ms copy_p95 latest
	fresh
	query -c 'alter system set autovacuum = off' -c 'select pg_reload_conf()' -o /dev/null
	printf '\nA guard with nothing to do. A row for the gate log is due each minute while a rollout was started; '
	printf 'its WAL holds whole pages after a checkpoint.\n\n'
	echo '| | rounds | WAL without the gate log, bytes (target 0) | a round, ms, median (target 5) | most | WAL of the server itself, bytes | rows of the gate log | WAL of a row, bytes | CPU of the worker, s an hour |'
	echo '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
	idle_line 'no rollout was started' 30
	start
	idle_line 'live, no events' "$seconds"
	feed 60
	wait_for_feed
	idle_line "live, $fed events folded before" "$seconds"
	query -o /dev/null -c "select public.chat_set_v11_rollout_state('canary_1', true, 'the end of a benchmark')"
	idle_line "killed" 30
	query -c 'alter system reset autovacuum' -c 'select pg_reload_conf()' -o /dev/null
	query -c "select count(*), pg_total_relation_size('chat_v11.gate_log') / greatest(count(*), 1),
		round(avg(pg_column_size(g.*))), round(avg(pg_column_size(g.gates))) from chat_v11.gate_log g" >"$data/rows"
	read -r rows bytes width gates <"$data/rows"
	printf '\nThe gate log: %d rows, %d bytes of a row, %d of them its gates; %d a row on disk with indexes and pages that ' \
		"$rows" "$width" "$gates" "$bytes"
	printf 'are not full yet. 30 days of a row a minute are %.0f MB.\n' "$(calc %f "$width * 43200 / 1e6")"
}

# The load with and without a guard by turns, and single events as fast as they go.
ingest() {
	local fed commits copy_ms copy_p95 latest turn which
	fresh
	start
	echo "select chat_v11.record('read_cursor', 'v11', null, null, null, null)" >"$data/record.sql"
	for turn in 1 2 3; do
		for which in with without; do
			if [ $which = with ]; then query -o /dev/null -c 'select chat_v11.start_guard()'; else query -o /dev/null -c 'select chat_v11.stop_guard()'; fi
			sleep 6
			feed 20
			wait_for_feed
			echo "$copy_ms" >>"$data/$which.copy"
			echo "$copy_p95" >>"$data/$which.p95"
			pgbench -n -c 4 -T 5 -M prepared -f "$data/record.sql" 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p' >>"$data/$which.tps"
		done
	done
	printf '\nThe guard beside the load: 5,000 events/s in COPYs each 50 ms, and record() of 4 clients without a pause; medians of 3 turns.\n\n'
	echo '| | COPY, ms, median | 95th percentile | record(), tps | of that without a guard |'
	echo '| --- | ---: | ---: | ---: | ---: |'
	for which in without with; do
		printf '| %s a guard | %.2f | %.2f | %.0f | %s |\n' $which "$(median <"$data/$which.copy")" "$(median <"$data/$which.p95")" \
			"$(median <"$data/$which.tps")" "$([ $which = without ] || calc %.2f "$(ratio "$data/with.tps" "$data/without.tps")")"
	done
}

[ -x build/traffic ] || make -s build/traffic
for part in ${GUARD_PARTS:-kills clean idle ingest}; do
	$part
done
