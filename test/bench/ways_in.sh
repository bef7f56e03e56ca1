# What a way in costs beside a bare table: COPY, and one event a transaction.  Sourced by engine.sh.

copy_part() {
	local events=1000000 rows i piece order table way before
	generate_files $events
	rows=$(wc -l <"$data/$events.body")
	for i in $(seq "$runs"); do
		fresh
		# By turns, so that neither always comes first.
		order=(bare chat_v11.event)
		[ $((i % 2)) = 1 ] || order=(chat_v11.event bare)
		for table in "${order[@]}"; do
			query -c checkpoint
			before=$(wal)
			timed "$(copy_from "$table" "$data/$events.body")" >>"$data/copy.$table"
			echo $(($(wal) - before)) >>"$data/copy.$table.wal"
		done
		timed "select chat_v11.fold();" >>"$data/copy.fold"
	done
	paste "$data/copy.chat_v11.event" "$data/copy.fold" | awk '{ print $1 + $2 }' >"$data/copy.both"

	# In pieces of 10,000 events a transaction, so that there is something to fold meanwhile.
	mkdir "$data/pieces"
	split -l 10000 "$data/$events.body" "$data/pieces/"
	for i in $(seq "$runs"); do
		for way in bare event beside; do
			fresh
			table=chat_v11.event
			[ $way != bare ] || table=bare
			query -c checkpoint
			[ $way != beside ] || start_folding 0.001
			for piece in "$data"/pieces/*; do copy_from $table "$piece"; done | timings |
				awk '{ sum += $1 } END { print sum }' >>"$data/pieces.$way"
			[ $way != beside ] || query -c "select folded_events from chat_v11.fold_status()" >>"$data/pieces.folded"
			stop_folding
			[ $way != beside ] || timed "select chat_v11.fold();" >>"$data/pieces.rest"
		done
	done

	line() { # NAME FILE BASE TARGET
		printf '| %s | %.0f | %.2f | %s |\n' "$1" "$(calc %f "$rows * 1000 / $(median <"$data/$2")")" \
			"$(ratio "$data/$3" "$data/$2")" "$4"
	}
	printf '\n%s events, medians of %d runs by turns.\n\n' "$rows" "$runs"
	echo '| COPY from a file on the server | rows/s | of the bare table | target |'
	echo '| --- | ---: | ---: | ---: |'
	line 'one COPY into a bare logged table without an index' copy.bare copy.bare ''
	line 'one COPY into chat_v11.event' copy.chat_v11.event copy.bare 0.7
	line 'the fold after it' copy.fold copy.bare ''
	line 'both as one time' copy.both copy.bare ''
	line 'COPYs of 10,000 rows into the bare table' pieces.bare pieces.bare ''
	line 'the same into chat_v11.event' pieces.event pieces.bare 0.7
	line 'the same while another session folds without a pause' pieces.beside pieces.bare 0.5
	printf '\nWhen the last of those COPYs ended, %.0f of the events were folded already; the rest took %.0f ms. ' \
		"$(median <"$data/pieces.folded")" "$(median <"$data/pieces.rest")"
	printf 'WAL of one COPY: %.1f bytes an event, of the bare table %.1f.\n' \
		"$(calc %f "$(median <"$data/copy.chat_v11.event.wal") / $rows")" \
		"$(calc %f "$(median <"$data/copy.bare.wal") / $rows")"
}

# Nine events in about the shares that test/traffic has, each in a transaction of its own; ACK and receipt are of one
# write.  Kind, and whether it has a subject.
mix='write_started:k write_ack:k write_receipt:k timeline_delivered:k read_cursor:k session_active: session_active:
	session_active: session_active:'

write_mix() { # bare|record FILE
	local word kind subject
	echo '\set k random(1, 9000000000000000000)' >"$2"
	for word in $mix; do
		kind=${word%%:*}
		subject=null
		[ -z "${word#*:}" ] || subject="lpad(to_hex(:k::bigint), 32, '0')::uuid"
		if [ "$1" = bare ]; then
			echo "insert into bare values (clock_timestamp(), '$kind', 'v11', gen_random_uuid(), $subject, null);"
		else
			echo "select chat_v11.record('$kind', 'v11', gen_random_uuid(), $subject);"
		fi >>"$2"
	done
}

# Milliseconds of one small write that is on the disk when it is done.
disk_flush() {
	local began=${EPOCHREALTIME/./}
	dd if=/dev/zero of="$data/flush" bs=8k count=100 oflag=dsync 2>/dev/null
	calc '%f\n' "(${EPOCHREALTIME/./} - $began) / 100000"
}

small_part() {
	local protocol way i scripts before sync flushes=()
	write_mix bare "$data/bare.sql"
	write_mix record "$data/record.sql"
	local clock='' # the machine's own: these events happen now
	entered=$(date -u +%Y-%m-%dT%H:%M:%S+00) fresh
	for protocol in simple prepared; do
		for i in $(seq "$runs"); do
			flushes+=("$(disk_flush)")
			for way in bare record bare_async record_async bare_beside record_beside; do
				query -o /dev/null -c 'truncate bare' -c 'select chat_v11.fold()' -c checkpoint
				sync=on
				case $way in
				*_async) sync=off ;;
				*_beside) start_folding 1 ;;
				esac
				before=$(wal)
				PGOPTIONS="-c synchronous_commit=$sync" pgbench -n -M $protocol -c 4 -j 2 -T "$turn" \
					-f "$data/${way%_*}.sql" >"$data/pgbench" 2>/dev/null
				scripts=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$data/pgbench")
				calc '%f\n' "($(wal) - $before) / $scripts / 9" >>"$data/$protocol.$way.wal"
				sed -n 's/^tps = \([0-9.]*\).*without.*/\1/p' "$data/pgbench" | awk '{ print $1 * 9 }' \
					>>"$data/$protocol.$way"
				stop_folding
			done
		done
	done
	line() { # NAME WAY BASE TARGET
		local protocol
		printf '| %s |' "$1"
		for protocol in simple prepared; do
			printf ' %.0f | %.2f |' "$(median <"$data/$protocol.$2")" \
				"$(ratio "$data/$protocol.$2" "$data/$protocol.$3")"
		done
		printf ' %s | %.0f |\n' "$4" "$(median <"$data/prepared.$2.wal")"
	}
	printf '\n4 clients of pgbench, %d turns of %d s each. A write to the disk took %.2f ms meanwhile; where the disk is slow, all\n' \
		"$runs" "$turn" "$(printf '%s\n' "${flushes[@]}" | median)"
	printf 'wait for it alike, hence also without waiting.\n\n'
	echo '| one event a transaction | tps, simple | of bare | tps, prepared | of bare | target | WAL bytes |'
	echo '| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
	line 'INSERT into the bare table' bare bare ''
	line 'record()' record bare '0.9, at least 0.8'
	line 'INSERT into the bare table, synchronous_commit off' bare_async bare_async ''
	line 'record(), synchronous_commit off' record_async bare_async ''
	line 'INSERT, a fold() that finds nothing every second beside it' bare_beside bare ''
	line 'record(), a fold() of it every second beside it' record_beside bare ''
}
