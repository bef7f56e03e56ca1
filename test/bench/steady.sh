# A steady load of 5,000 events a second, folded every second; and an hour of it without folding.  Sourced by engine.sh.

# Sets the rule clock to so many seconds before the day's end, in a session of timings().
at_second() { # BEFORE_END
	echo '\timing off'
	echo "set chat_v11.mock_now = '$(date -u -d "$end -$1 sec" '+%Y-%m-%d %H:%M:%S+00')';"
}

steady_part() {
	local seconds=${STEADY:-180} i file rate=$((432000000 / 220)) fold_ms fold_cpu fold_events fold_wal fold_anon fold_rss
	TZ=UTC printf -v begin '%(%Y-%m-%dT%H:%M:%SZ)T' $(($(date -u -d "$end" +%s) - seconds))
	mkdir "$data/seconds"
	build/traffic --seed 1 --from "$begin" --to "${end% *}T00:00:00Z" --share 10 --flat --writes-per-hour $rate |
		LC_ALL=C awk -v end="$end" -v dir="$data/seconds/" '$0 < end { print > (dir substr($0, 12, 8)) }'
	fresh
	query -c checkpoint
	i=$seconds
	for file in "$data"/seconds/*; do
		i=$((i - 1))
		at_second $i
		echo '\timing on'
		copy_from chat_v11.event "$file"
		echo 'select * from public.chat_get_v11_release_gates();'
		echo '\timing off'
		echo "\\o | cat >>$data/steady.wal"
		echo "select pg_current_wal_insert_lsn() - '0/0';"
		echo '\o /dev/null'
		echo '\timing on'
		echo 'select chat_v11.fold();'
		echo '\timing off'
		echo "\\o | cat >>$data/steady.wal"
		echo "select pg_current_wal_insert_lsn() - '0/0';"
		echo '\o /dev/null'
	done | timings >"$data/steady.ms"
	column() { awk -v n="$1" 'NR % 3 == n' "$data/steady.ms" | tail -n +31; } # 1 COPY, 2 look, 0 fold; the first 10 s apart
	wal_of() { awk -v n="$1" 'NR > 1 && NR % 2 == n { print $1 - last } { last = $1 }' "$data/steady.wal" | tail -n +31 | median; }
	printf '\n%d s of %d events/s (%d in all), each second: one COPY, a look at the gates, a fold. Medians from the 31st second on.\n\n' \
		"$seconds" "$(($(cat "$data"/seconds/* | wc -l) / seconds))" "$(cat "$data"/seconds/* | wc -l)"
	echo '| | ms | WAL bytes an event |'
	echo '| --- | ---: | ---: |'
	printf '| COPY | %.1f | %.1f |\n' "$(column 1 | median)" "$(calc %f "$(wal_of 1) / 5000")"
	printf '| look | %.1f | |\n' "$(column 2 | median)"
	printf '| fold | %.1f | %.1f |\n' "$(column 0 | median)" "$(calc %f "$(wal_of 0) / 5000")"
	query -F' ' -c "select pg_table_size('chat_v11.metric_bucket') + pg_table_size('chat_v11.write_bucket'),
		sum(n_live_tup), sum(n_dead_tup), round(100.0 * sum(n_tup_hot_upd) / nullif(sum(n_tup_upd), 0))
		from pg_stat_user_tables where relname in ('metric_bucket', 'write_bucket')" >"$data/steady.buckets"
	read -r bytes live dead hot <"$data/steady.buckets"
	printf '\nBuckets after it: %d kB, %d rows, %d dead ones; %d %% of the updates were HOT.\n' $((bytes / 1024)) "$live" \
		"$dead" "$hot"
	[ -n "$full" ] || return 0

	fresh
	build/traffic --seed 1 --from "${day}T23:00:00Z" --to "${end% *}T00:00:00Z" --share 10 --flat --writes-per-hour $rate |
		LC_ALL=C awk -v end="$end" '$0 < end' | query -c "copy chat_v11.event $columns from stdin"
	query -c checkpoint
	fold_watched
	printf '\nAn hour of that without folding, %d events: caught up in %.1f s (%.2f M events/s), with %d MB of private memory; ' \
		"$fold_events" "$(calc %f "$fold_ms / 1000")" "$(calc %f "$fold_events / $fold_ms / 1000")" "$fold_anon"
	printf 'what comes in meanwhile takes another %.2f s.\n' "$(calc %f "$fold_ms / 1000 * 5000 / ($fold_events / $fold_ms * 1000)")"
}
