#!/usr/bin/env bash
# What the telemetry engine and the cohort cost: make bench.  Prints Markdown tables of medians, each figure beside what
# it is compared with, taken in the same run on one throw-away server.
#
#   test/bench/engine.sh [--full] [PART]...
#
# Parts: copy small fold steady history cohort recovery guard.  Without any, all of them: half an hour and more.  --full
# adds a day of 100 M events, an hour without folding, a log of a million rows and half an hour of clean traffic for the
# guard: another hour, and 60 GB of disk while it runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${CHAT_V11_SERVER:-}" ]; then
	make -s all build/traffic
	# A production server's durability, and no checkpoint by itself in the middle of a measurement.
	exec test/server.sh -c fsync=on -c shared_buffers=4GB -c max_wal_size=16GB -c checkpoint_timeout=1h "$0" "$@"
fi

full=
parts=()
for word in "$@"; do
	case $word in
	--full) full=1 ;;
	copy | small | fold | steady | history | cohort | recovery | guard) parts+=("$word") ;;
	*) echo "usage: test/bench/engine.sh [--full] [copy|small|fold|steady|history|cohort|recovery|guard]..." >&2 && exit 2 ;;
	esac
done
[ ${#parts[@]} -gt 0 ] || parts=(copy small fold steady history cohort recovery guard)
runs=${RUNS:-7}
turn=${TURN:-3}                                                # s
data=$(mktemp -d "${TMPDIR:-/tmp}/chat_v11_bench.XXXXXX")
chmod 755 "$data" # the server reads files of it
background=()
clean_up() {
	local rc=$?
	[ ${#background[@]} -eq 0 ] || kill "${background[@]}" 2>/dev/null || true
	rm -rf "$data"
	exit $rc
}
trap clean_up EXIT

# The generated day, and the moment at its end at which everything is looked at.
day=2026-03-01
end='2026-03-02 00:00:00+00'
clock=${end/ /T}
columns='(at, kind, cohort, actor, subject, value)'

. test/bench/tools.sh
. test/bench/ways_in.sh
. test/bench/fold_and_gates.sh
. test/bench/steady.sh
. test/bench/history.sh
. test/bench/cohort.sh
. test/bench/recovery.sh
# It takes a server of another sort.
guard_part() { MINUTES=${MINUTES:-$([ -n "$full" ] && echo 30 || echo 2)} test/bench/guard.sh; }

load_before=$(cut -d' ' -f1 /proc/loadavg)
for part in "${parts[@]}"; do
	"${part}_part"
done

printf '\n%s, %s cores, %s of memory, PostgreSQL %s; 4 GB of shared buffers, fsync on. ' \
	"$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
	"$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" "$(query -c 'show server_version')"
printf 'Load average %s before and %s at the end; %d s.\n' "$load_before" "$(cut -d' ' -f1 /proc/loadavg)" "$SECONDS"
