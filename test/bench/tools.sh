# Helpers of the benchmark, sourced by engine.sh.

query() { PGOPTIONS="-c chat_v11.mock_now=$clock -c client_min_messages=error" psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Median of the quotients of two files' lines: of turns that followed one another, since the disk's mood changes.
ratio() { paste "$1" "$2" | awk '{ print $1 / $2 }' | median; }

calc() { awk "BEGIN { printf \"$1\", $2 }"; } # FORMAT EXPRESSION

# Milliseconds of each statement of a script on standard input, as the client sees them, without its own start.
timings() { (echo '\o /dev/null' && echo '\timing on' && cat) | query -f - | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; }

timed() { timings <<<"$1"; } # SQL: of one statement

wal() { query -c "select pg_current_wal_insert_lsn() - '0/0'"; }

# A new extension in which the stage canary_10 was entered at the day's begin, and a bare table of the same columns.
# Like the engine's own files, the bare table is none of autovacuum's business.
fresh() {
	clock=${entered:-${day}T00:00:00+00} query -o /dev/null -c "drop table if exists bare" \
		-c "drop extension if exists chat_v11 cascade" -c "create extension chat_v11" \
		-c "create table bare (at timestamptz, kind chat_v11.event_kind, cohort chat_v11.cohort, actor uuid,
			subject uuid, value float8) with (autovacuum_enabled = false)" \
		-c "select public.chat_set_v11_rollout_state('canary_1', false, 'bench')" \
		-c "select chat_v11.force_rollout_state('canary_10', false, 'a benchmark needs no gate', 'bench')" \
		-c "select chat_v11.attest('telemetry:pending_forever', 'generated traffic', true)"
}

# So many minutes of a guard's rows in the gate log, up to now.  Like a restore, as nobody else may write there.
guard_rows() { # ROWS
	query -o /dev/null -c "begin" -c "set local check_function_bodies = off" -c "set local row_security = off" \
		-c "select set_config('search_path', '', true)" -c "insert into chat_v11.gate_log
			select chat_v11.clock() - i * interval '1 min', n.version, n.stage, n.kill_switch, 'PROCEED', true, n.gates,
				'guard', true, true, '{}'
			from pg_catalog.generate_series(0, $1) i, (select * from chat_v11.gate_log order by at desc limit 1) n" -c "commit"
}

# About so many events of a flat day, up to its last moment: whatever would come later has not happened yet.
generate() { # EVENTS
	build/traffic --seed 1 --from "${day}T00:00:00Z" --to "${end% *}T00:00:00Z" --share 10 --flat \
		--writes-per-hour $(($1 / 220)) | LC_ALL=C awk -v end="$end" '$0 < end'
}

tail_events=10000

# The same as files: $data/N.body, and $data/N.tail with the last events of the day.
generate_files() { # EVENTS
	[ ! -e "$data/$1.body" ] || return 0
	generate "$1" >"$data/$1.all"
	head -n -$tail_events "$data/$1.all" >"$data/$1.body"
	tail -n $tail_events "$data/$1.all" >"$data/$1.tail"
	rm "$data/$1.all"
}

copy_from() { echo "copy $1 $columns from '$2';"; } # TABLE FILE

# One round of folding by a backend of its own.  Sets fold_ms, fold_cpu (ms of it that it had a core), fold_events,
# fold_wal (bytes), and in MB fold_anon, the most private memory it had, and fold_rss, its largest resident size, with
# the shared buffers that it touched.
fold_watched() {
	local before pid='' word stat value anon=0 most=0 ticks=0 client
	before=$(wal)
	query <<-SQL >"$data/fold.time" 2>/dev/null &
		\\o $data/fold.pid
		select pg_backend_pid();
		\\o $data/fold.events
		select pg_sleep(0.3) \\g /dev/null
		\\timing on
		select chat_v11.fold();
		\\timing off
		select pg_sleep(0.3) \\g /dev/null
	SQL
	client=$!
	until [ -n "$pid" ]; do
		sleep 0.02
		pid=$(cat "$data/fold.pid" 2>/dev/null) || true
	done
	rm "$data/fold.pid"
	# Who may not do this is told the peak since the backend's start.
	(echo 5 >"/proc/$pid/clear_refs") 2>/dev/null || true
	while kill -0 $client 2>/dev/null; do
		while read -r word value _; do
			case $word in
			RssAnon:) [ "$value" -le "$anon" ] || anon=$value ;;
			VmHWM:) most=$value ;;
			esac
		done 2>/dev/null <"/proc/$pid/status" || true
		read -r -a stat 2>/dev/null <"/proc/$pid/stat" && ticks=$((stat[${#stat[@]} - 39] + stat[${#stat[@]} - 38])) || true
		sleep 0.05
	done
	wait $client
	fold_ms=$(sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$data/fold.time")
	fold_cpu=$((ticks * 1000 / $(getconf CLK_TCK)))
	fold_events=$(cat "$data/fold.events")
	fold_wal=$(($(wal) - before))
	fold_anon=$((anon / 1024))
	fold_rss=$((most / 1024))
}

# Runs fold() again and again in a session beside, with a pause of so many seconds, until stop_folding.
start_folding() { # PAUSE
	echo "select chat_v11.fold() \\watch $1" >"$data/watch.sql"
	PGOPTIONS="-c chat_v11.mock_now=$clock -c client_min_messages=error" psql -X -q -f "$data/watch.sql" >/dev/null 2>&1 &
	background+=($!)
}

stop_folding() {
	[ ${#background[@]} -gt 0 ] || return 0
	kill "${background[@]}" || true
	wait "${background[@]}" 2>/dev/null || true
	background=()
	# Its backend notices when the round that it is in is over.
	until [ "$(query -c "select count(*) from pg_stat_activity
		where query like 'select chat_v11.fold()%' and pid <> pg_backend_pid()")" = 0 ]; do
		sleep 0.05
	done
}
