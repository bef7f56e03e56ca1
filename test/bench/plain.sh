#!/usr/bin/env bash
# What the plain telemetry of this version costs: make bench.  Prints Markdown tables; medians of RUNS (11) runs, each
# beside what it is compared with, in one run on one throw-away server.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${CHAT_V11_SERVER:-}" ]; then
	make -s all build/traffic
	exec test/server.sh -c fsync=on -c shared_buffers=1GB -c max_wal_size=8GB "$0" "$@"
fi
runs=${RUNS:-11}
query() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

# Median in ms of a statement's run time, as psql's \timing has it.
median() {
	local sql=$1
	{
		echo "set chat_v11.mock_now = '2026-03-02 19:00:00+00';"
		echo "set client_min_messages = error;"
		echo '\timing on'
		for _ in $(seq "$runs"); do echo "$sql"; done
	} | psql -X -q -At -v ON_ERROR_STOP=1 2>/dev/null | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sort -n |
		awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] }'
}

fresh() {
	query -c "drop extension if exists chat_v11 cascade" -c "create extension chat_v11" 2>/dev/null
	PGOPTIONS="-c chat_v11.mock_now=2026-03-02T17:00:00+00 -c client_min_messages=error" query -o /dev/null \
		-c "select public.chat_set_v11_rollout_state('canary_1', false, 'bench')" \
		-c "select chat_v11.force_rollout_state('canary_10', false, 'a benchmark needs no gate', 'bench')"
}

data=$CHAT_V11_SERVER/traffic.tsv
[ -w "$CHAT_V11_SERVER" ] || data=$(mktemp)
echo "Machine: $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) of memory, $(psql -X --version)"
echo
echo "| writes an hour | events stored | release_gates, median ms | re-kill with its gates logged, median ms | missing_receipts, median ms |"
echo "| ---: | ---: | ---: | ---: | ---: |"
for rate in 1000 7000 30000 100000; do
	fresh
	build/traffic --seed 1 --from 2026-03-02T16:00:00Z --to 2026-03-02T18:59:00Z --share 10 --writes-per-hour "$rate" >"$data"
	PGOPTIONS="-c chat_v11.mock_now=2026-03-02T19:00:00+00" query \
		-c "\\copy chat_v11.event (at, kind, cohort, actor, subject, value) from '$data'" -c "vacuum analyze chat_v11.event"
	gates=$(median "select rollout_decision from public.chat_get_v11_release_gates();")
	missing=$(median "select count(*) from chat_v11.missing_receipts();")
	kill=$(median "select stage from public.chat_set_v11_rollout_state('canary_1', true, 'bench');")
	printf '| %d | %d | %s | %s | %s |\n' "$rate" "$(query -c 'select count(*) from chat_v11.event')" "$gates" "$kill" "$missing"
done

echo
echo "| way in | rows/s or tps | of the bare table |"
echo "| --- | ---: | ---: |"
rows=$(wc -l <"$data")
query -c "create table bare (at timestamptz, kind text, cohort text, actor uuid, subject uuid, value float8)"
copy_rate() { # TABLE: rows/s, median of 5
	for _ in 1 2 3 4 5; do
		[ "$1" = bare ] && query -c "truncate bare" || fresh
		began=$(date +%s%N)
		PGOPTIONS="-c chat_v11.mock_now=2026-03-02T19:00:00+00" query -c "\\copy $1 (at, kind, cohort, actor, subject, value) from '$data'"
		echo $((rows * 1000000000 / ($(date +%s%N) - began)))
	done | sort -n | sed -n 3p
}
bare=$(copy_rate bare)
ours=$(copy_rate chat_v11.event)
printf '| COPY into a bare table | %d | 1 |\n| COPY into chat_v11.event | %d | %.2f |\n' "$bare" "$ours" "$(awk "BEGIN { print $ours / $bare }")"
script=$(mktemp)
tps() { # SQL: transactions a second of 4 clients
	echo "$1" >"$script"
	pgbench -n -c 4 -j 2 -T 5 -f "$script" 2>/dev/null | sed -n 's/^tps = \([0-9]*\).*without.*/\1/p'
}
fresh
bare=() ours=()
for _ in 1 2 3 4 5; do # by turns: the disk's mood changes
	bare+=("$(tps "insert into bare values (now(), 'read_cursor', 'v11', null, null, null);")")
	ours+=("$(tps "select chat_v11.record('read_cursor', 'v11');")")
done
bare=$(printf '%s\n' "${bare[@]}" | sort -n | sed -n 3p)
ours=$(printf '%s\n' "${ours[@]}" | sort -n | sed -n 3p)
printf '| one INSERT into a bare table a transaction, 4 clients | %d | 1 |\n| one record() a transaction, 4 clients | %d | %.2f |\n' "$bare" "$ours" "$(awk "BEGIN { print $ours / $bare }")"
rm -f "$script" "$data"
