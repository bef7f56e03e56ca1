#!/usr/bin/env bash
# How long after its commit a kill is seen: by another session of the server, by one in an open REPEATABLE READ
# transaction, by one of a streaming standby, by one of a logical subscriber.  Run by cohort.sh; prints a table.
#
# A session asks over and over, each time in a statement of its own: the function first, then the server's clock.  Another
# one kills, looks at the clock, commits, and looks at the clock again when COMMIT has returned.  What is seen counts from
# either look to the clock of the first statement that says no; all clocks are those of this machine.  Before COMMIT
# returns the disk has the commit, so the first figure holds a write to the disk, and the second one can be negative: the
# other session may know before the one that killed.  Standby and subscriber are asynchronous, over TCP on the loopback.
set -euo pipefail
cd "$(dirname "$0")/../.."
kills=${KILLS:-50}
if [ -z "${KILL_SEEN_PORT:-}" ]; then
	port=$((20000 + RANDOM % 10000))
	while (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 10000)); done
	KILL_SEEN_PORT=$port exec test/server.sh -c listen_addresses=127.0.0.1 -c port="$port" -c wal_level=logical -c fsync=on \
		-c checkpoint_timeout=1h "$0"
fi
primary=$KILL_SEEN_PORT
# Names of sockets: these two listen nowhere else.
standby=$((primary + 1))
subscriber=$((primary + 2))
dir=$CHAT_V11_SERVER
as_server=()
[ "$(id -u)" != 0 ] || as_server=(runuser -u postgres --)
. test/bench/tools.sh

data=$(mktemp -d "${TMPDIR:-/tmp}/chat_v11_kill.XXXXXX")
stop() {
	local rc=$? place
	rm -rf "$data"
	for place in standby subscriber; do
		[ ! -f "$dir/$place/postmaster.pid" ] || "${as_server[@]}" pg_ctl -D "$dir/$place" -m immediate -w -s stop || true
	done
	exit $rc
}
trap stop EXIT

at() { # PORT [ARG]...
	local port=$1
	shift
	PGOPTIONS='-c client_min_messages=error' PGPORT=$port psql -X -q -At -F' ' -v ON_ERROR_STOP=1 "$@"
}

start_server() { # FOLDER PORT
	printf "listen_addresses = ''\nport = %d\n" "$2" | "${as_server[@]}" tee -a "$dir/$1/postgresql.conf" >/dev/null
	"${as_server[@]}" pg_ctl -D "$dir/$1" -l "$dir/$1.log" -w -s start
}

wait_for() { # PORT CONDITION
	local i
	for i in $(seq 300); do
		[ "$(at "$1" -c "select $2")" = t ] && return
		sleep 0.1
	done
	echo "port $1 has waited in vain for: $2" >&2
	return 1
}

at "$primary" -c 'create extension chat_v11' -c 'create publication chat_v11 for table chat_v11.rollout_history, chat_v11.rollout_state'
"${as_server[@]}" pg_basebackup -h 127.0.0.1 -p "$primary" -U postgres -D "$dir/standby" -R -X stream -c fast
start_server standby "$standby"
"${as_server[@]}" initdb -D "$dir/subscriber" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null
"${as_server[@]}" tee -a "$dir/subscriber/postgresql.conf" <"$dir/extra.conf" >/dev/null
start_server subscriber "$subscriber"
at "$subscriber" -c 'create extension chat_v11' -c "create subscription chat_v11
	connection 'host=127.0.0.1 port=$primary user=postgres dbname=postgres' publication chat_v11"
wait_for "$subscriber" "count(*) = 2 and bool_and(srsubstate = 'r') from pg_subscription_rel"

hour=0
# Starts or resumes, and kills, again and again; an hour of the rule clock apart, so that a resume is never too early.
kill_often() {
	local i
	for i in $(seq "$kills"); do
		hour=$((hour + 1))
		echo "set chat_v11.mock_now = '$(date -u -d "2026-03-01 $hour hours" '+%Y-%m-%d %H:%M:%S+00')';"
		echo "select from public.chat_set_v11_rollout_state('canary_1', false, 'bench') \\g /dev/null"
		echo 'select pg_sleep(0.1 + random() / 20) \g /dev/null'
		echo 'begin;'
		echo "select from public.chat_set_v11_rollout_state('canary_1', true, 'bench') \\g /dev/null"
		echo '\o'
		echo 'select extract(epoch from clock_timestamp());'
		echo 'commit;'
		echo 'select extract(epoch from clock_timestamp());'
		echo 'select pg_sleep(0.1 + random() / 20) \g /dev/null'
	done >"$data/kills.sql"
	at "$primary" -f "$data/kills.sql" | paste -d' ' - - >"$data/commits"
}

# Until $data/polling is gone.
poll() { # PORT FIRST_STATEMENTS
	local port=$1 statement="select public.chat_is_v11_enabled('user-4317')::integer, extract(epoch from clock_timestamp());"
	{
		echo "$2"
		while [ -e "$data/polling" ]; do
			printf '%s\n' "$statement" "$statement" "$statement" "$statement" "$statement" "$statement" "$statement" "$statement"
		done
	} | at "$port" >"$data/answers"
}

printf '\n%d kills each; ms until the first statement of a session that asks without a pause says no.\n\n' "$kills"
echo '| asked where | since before COMMIT, median | most | since COMMIT returned, median | most | target of the median | statements/s |'
echo '| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
line() { # WHERE PORT FIRST_STATEMENTS TARGET
	local began seconds poller
	touch "$data/polling"
	poll "$2" "$3" &
	poller=$!
	began=${EPOCHREALTIME/./}
	kill_often
	sleep 0.3
	seconds=$(calc %f "(${EPOCHREALTIME/./} - $began) / 1000000")
	rm "$data/polling"
	wait $poller
	awk 'NF == 2 { if ($1 == 0 && last == 1) print $2; last = $1 }' "$data/answers" >"$data/seen"
	[ "$(wc -l <"$data/seen")" = "$kills" ] || { echo "of $kills kills $(wc -l <"$data/seen") were seen: $1" >&2 && return 1; }
	paste -d' ' "$data/seen" "$data/commits" | awk '{ printf "%.3f\n", ($1 - $2) * 1000 }' >"$data/since_sent"
	paste -d' ' "$data/seen" "$data/commits" | awk '{ printf "%.3f\n", ($1 - $3) * 1000 }' >"$data/since_returned"
	printf '| %s | %.2f | %.2f | %.2f | %.2f | %s | %.0f |\n' "$1" "$(median <"$data/since_sent")" "$(sort -g "$data/since_sent" | tail -n 1)" \
		"$(median <"$data/since_returned")" "$(sort -g "$data/since_returned" | tail -n 1)" "$4" \
		"$(calc %f "$(wc -l <"$data/answers") / $seconds")"
}
line 'the same server' "$primary" '' 1
line 'the same server, in a REPEATABLE READ transaction opened before' "$primary" \
	'begin isolation level repeatable read; select count(*) as before from pg_class \gset' 1
line 'streaming standby' "$standby" '' 10
line 'logical subscriber' "$subscriber" '' 10
