# What an admission costs beside a bare upsert of one row, each in a transaction of its own.  Sourced by engine.sh.

recovery_dialogs=200000 # that come back again and again; no faster than once a second, or they would be refused
recovery_warm=5          # s of each turn that are not counted: a session must have known the interval for 3

# A new dialog each time, or one of so many in turn; the same key for both.  The actor comes with a request.
write_admissions() { # bare|admit NEW|KNOWN FILE
	local key="lpad(to_hex(nextval('bench.dialog')), 32, '0')::uuid"
	[ "$2" = new ] || key="lpad(to_hex(nextval('bench.dialog') % $recovery_dialogs), 32, '0')::uuid"
	if [ "$1" = bare ]; then
		echo "insert into bench.bare values ($key, clock_timestamp()) on conflict (dialog) do update
			set admitted_at = excluded.admitted_at;"
	else
		echo "select chat_v11.admit_full_state($key, '00000000-0000-4000-8000-000000000007');"
	fi >"$3"
}

recovery_part() {
	local i way protocol sync kind order
	local clock='' # the machine's own: these admissions happen now
	entered=$(date -u +%Y-%m-%dT%H:%M:%S+00) fresh
	query -o /dev/null -c 'drop schema if exists bench cascade' -c 'create schema bench' \
		-c 'create sequence bench.dialog cache 1000' \
		-c 'create table bench.bare (dialog uuid primary key, admitted_at timestamptz not null) with (fillfactor = 90)' \
		-c "select chat_v11.set_setting('full_state_interval', '1 s')"
	for kind in new known; do
		for way in bare admit; do
			write_admissions $way $kind "$data/recovery.$kind.$way.sql"
		done
	done
	for protocol in simple prepared; do
		for sync in on off; do
			for kind in new known; do
				for i in $(seq "$runs"); do
					order=(bare admit)
					[ $((i % 2)) = 1 ] || order=(admit bare)
					for way in "${order[@]}"; do
						query -o /dev/null -c 'truncate bench.bare' -c 'delete from chat_v11.full_state_0' -c 'delete from chat_v11.full_state_1' \
							-c 'vacuum full chat_v11.full_state_0' -c 'vacuum full chat_v11.full_state_1' \
							-c 'select chat_v11.fold()' -c "select setval('bench.dialog', 1)"
						# Known ones are there already.
						[ $kind = new ] || query -o /dev/null -c "insert into bench.bare
							select lpad(to_hex(i), 32, '0')::uuid, now() - interval '1 min' from generate_series(0, $recovery_dialogs - 1) i" \
							-c "insert into chat_v11.full_state_0 table bench.bare" -c "insert into chat_v11.full_state_1 table bench.bare"
						query -c checkpoint
						PGOPTIONS="-c synchronous_commit=$sync" pgbench -n -M $protocol -c 4 -j 2 -T $((recovery_warm + turn)) -P 1 \
							-f "$data/recovery.$kind.$way.sql" >/dev/null 2>"$data/recovery.errors"
						# progress: 6.0 s, 12345.6 tps, ...
						awk -v warm=$recovery_warm '/^progress:/ && $2 > warm + 0.5 { sum += $4; n++ } END { print sum / n }' \
							"$data/recovery.errors" >>"$data/recovery.$protocol.$sync.$kind.$way"
						if grep -q ERR_ "$data/recovery.errors"; then
							echo "recovery: refused, so the figures are none: $(grep -m 1 ERR_ "$data/recovery.errors")" >&2
							return 1
						fi
					done
				done
			done
		done
	done
	line() { # NAME SYNC KIND WAY TARGET
		local each
		printf '| %s |' "$1"
		for each in simple prepared; do
			printf ' %.0f | %.2f |' "$(median <"$data/recovery.$each.$2.$3.$4")" \
				"$(ratio "$data/recovery.$each.$2.$3.$4" "$data/recovery.$each.$2.$3.bare")"
		done
		printf ' %s |\n' "$5"
	}
	printf '\n4 clients of pgbench, %d turns of %d s each, after %d s that are not counted. The admission tells its event too, which the upsert does not.\n\n' \
		"$runs" "$turn" "$recovery_warm"
	echo '| one dialog a transaction | tps, simple | of bare | tps, prepared | of bare | target |'
	echo '| --- | ---: | ---: | ---: | ---: | ---: |'
	for sync in on off; do
		for kind in new known; do
			line "upsert of $kind dialogs$([ $sync = on ] || echo ', synchronous_commit off')" $sync $kind bare ''
			line "admit_full_state() of $kind dialogs$([ $sync = on ] || echo ', synchronous_commit off')" $sync $kind admit 0.9
		done
	done
}
