# One day's events, folded in one backlog, and what a look at the gates costs then; at several sizes of the same day.
# Sourced by engine.sh.

sizes=(${SIZES:-1000000 10000000})
fold_runs=3

# So many looks in one session, its first one left out.  Sets look_ms, the median, and look_cpu, the mean of the time in
# which the backend had a core: what other load on the machine does not change.
look_often() { # LOOKS
	local ticks='\! awk '"'{ print \"ticks\", \$(NF - 38) + \$(NF - 37) }'"' /proc/$BACKEND/stat'
	{
		echo '\timing on'
		echo 'select pg_backend_pid() as pid \gset'
		echo '\setenv BACKEND :pid'
		for i in $(seq $(($1 + 1))); do
			echo 'select * from public.chat_get_v11_release_gates();'
			[ "$i" != 1 ] || echo "$ticks"
		done
		echo "$ticks"
	} >"$data/looks.sql"
	query -o /dev/null -f "$data/looks.sql" >"$data/looks"
	look_ms=$(sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$data/looks" | tail -n "$1" | median)
	look_cpu=$(awk -v hz="$(getconf CLK_TCK)" -v n="$1" '/^ticks/ { spent = $2 - last; last = $2 }
		END { printf "%.2f", spent * 1000 / hz / n }' "$data/looks")
}

plain_sql() { sed "s/:table/$1/; s/:'now'/'$end'/g" test/bench/plain.sql; } # TABLE

# Whether ours and plain SQL say the same: rates and number of writes to the last digit, the percentile within 1 %.
same_answer() {
	local ours
	ours=$(query -c "select ack_without_receipt_10s_rate, timeline_duplicate_detected_rate, read_rollback_detected_rate,
		send_stall_rate, write_receipt_p95_ms, write_reject_rate, forced_resync_rate, full_state_rate,
		err_resync_range_unavailable_rate, err_resync_throttled_rate, mature_writes from public.chat_get_v11_release_gates()")
	paste -d'|' <(echo "$ours") <(plain_sql chat_v11.event | query -f -) | awk -F'|' '
		{ for (i = 1; i <= 11; i++) if (i == 5 ? ($i - $(i + 11)) ^ 2 > (0.01 * $(i + 11)) ^ 2 : $i "" != $(i + 11) "")
			wrong = wrong " " i }
		END { print NF == 22 && wrong == "" ? "yes" : "no:" wrong }'
}

load_day() { # EVENTS
	fresh
	query -c checkpoint
	if [ "$1" -le 10000000 ]; then
		generate_files "$1"
		timed "$(copy_from bare "$data/$1.body")" >>"$data/day.$1.bare"
		query -c 'truncate bare' -c checkpoint
		timed "$(copy_from chat_v11.event "$data/$1.body")" >>"$data/day.$1.event"
	else # too much for a file
		generate "$1" | tail -n $tail_events >"$data/$1.tail"
		generate "$1" | head -n -$tail_events | query -c "copy chat_v11.event $columns from stdin"
	fi
	query -c checkpoint
}

fold_line() { # EVENTS
	local times="$data/fold.$1" whole=''
	for _ in $(seq "$([ "$1" -le 10000000 ] && echo $fold_runs || echo 1)"); do
		load_day "$1"
		fold_watched
		echo "$fold_ms" >>"$times"
		echo "$fold_cpu" >>"$times.cpu"
	done
	if [ -e "$data/day.$1.bare" ]; then
		paste "$data/day.$1.event" "$times" | awk '{ print $1 + $2 }' >"$times.whole"
		whole=$(calc %.2f "$(ratio "$data/day.$1.bare" "$times.whole")")
	fi
	printf '| %d | %.1f | %.2f | %.2f | %s | %d | %d | %.1f |\n' "$fold_events" "$(calc %f "$(median <"$times") / 1000")" \
		"$(calc %f "$fold_events / $(median <"$times") / 1000")" \
		"$(calc %f "$fold_events / $(median <"$times.cpu") / 1000")" "$whole" "$fold_anon" "$fold_rss" \
		"$(calc %f "$fold_wal / $fold_events")" >>"$data/fold.table"
	query -F' ' -c "select event_bytes, bucket_bytes, write_bytes from chat_v11.fold_status()" | {
		read -r raw buckets writes
		printf '| %d | %.1f | %.1f | %.1f |\n' "$fold_events" "$(calc %f "$raw / $fold_events")" \
			"$(calc %f "$buckets / $fold_events")" "$(calc %f "$writes / $fold_events")"
	} >>"$data/disk.table"
}

gates_line() { # EVENTS
	local look cpu first wide plain indexed runs_plain=3
	[ "$1" -le 10000000 ] || runs_plain=1
	# A day later autovacuum would have been here.
	query -c 'vacuum analyze chat_v11.metric_bucket' -c 'vacuum analyze chat_v11.write_bucket'
	query -c "$(copy_from chat_v11.event "$data/$1.tail")"
	look_often 301
	look=$look_ms cpu=$look_cpu
	[ -n "$base_look" ] || { base_look=$look && base_cpu=$cpu; }
	first=$(for _ in 1 2 3 4 5; do timed 'select * from public.chat_get_v11_release_gates();'; done | median)
	plain=$(for _ in $(seq $runs_plain); do timed "$(plain_sql chat_v11.event)"; done | median)
	same=$(same_answer)
	query -c 'drop table bare' -c 'create unlogged table bare as select * from chat_v11.event' \
		-c 'create index on bare (at)' -c 'vacuum analyze bare'
	indexed=$(for _ in 1 2 3; do timed "$(plain_sql bare)"; done | median)
	query -o /dev/null -c "select chat_v11.set_policy('canary_10', p_quiet_period => '2 hours')"
	guard_rows 120
	look_often 101
	wide=$look_ms
	printf '| %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.1f | %.0f | %.0f | %.0f | %.0f | %s |\n' "$fold_events" "$look" \
		"$(calc %f "$look / $base_look")" "$cpu" "$(calc %f "$cpu / $base_cpu")" "$wide" "$first" "$plain" "$(calc %f "$plain / $look")" "$indexed" \
		"$(calc %f "$indexed / $look")" "$same" >>"$data/gates.table"
}

fold_part() {
	local size fold_ms fold_cpu fold_events fold_wal fold_anon fold_rss base_look='' base_cpu='' look_ms look_cpu same
	[ -z "$full" ] || sizes+=(100000000)
	for size in "${sizes[@]}"; do
		fold_line "$size"
		gates_line "$size"
	done
	printf '\nA backlog in one round, in a new session; medians of %d (of 100 M: one).\n\n' $fold_runs
	printf '| events | fold, s | M events/s (target 1) | M events/s of CPU time | COPY and fold as one, of a bare COPY (target 0.7) '
	echo '| private memory, MB (target 256) | resident, with shared buffers, MB | WAL bytes an event |'
	echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
	cat "$data/fold.table"
	printf '\nBytes on disk for each event of a day, folded in one round.\n\n'
	echo '| events | raw | buckets | writes |'
	echo '| ---: | ---: | ---: | ---: |'
	cat "$data/disk.table"
	printf '\nA look at the gates in stage canary_10, with %d events behind the fold; medians of 301 looks in one session.\n\n' \
		$tail_events
	printf '| events folded | look, ms (target 5) | of that at 1 M (target 1.2) | CPU, ms | of that at 1 M | with 120 rows of the gate log in the quiet period, ms | first of a session, ms '
	echo '| plain SQL, ms | of ours (target 1,000 at 100 M) | plain SQL with an index on at, ms | of ours | same answer |'
	echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |'
	cat "$data/gates.table"
}
