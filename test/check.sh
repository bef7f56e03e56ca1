#!/usr/bin/env bash
# Every quick suite, one after another: `make check`.  Prints one line a suite and, last, "N passed, N failed".
# A suite that runs no test has failed.
set -uo pipefail
cd "$(dirname "$0")/.."
test/deps.sh || exit 1

log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0
failed=0

# suite NAME PATTERN COMMAND...: counts the lines of its output that match PATTERN as tests that passed; where PATTERN has
# a group, the number that the group holds counts instead.
suite() {
	local name=$1 pattern=$2 began=$SECONDS rc=0 n
	shift 2
	case " ${CHAT_V11_SKIP:-} " in *" $name "*) return ;; esac
	printf '%-14s' "$name"
	"$@" >"$log/$name" 2>&1 || rc=$?
	case $pattern in
	*'('*'[0-9]'*) n=$(sed -nE "s/$pattern/\\1/p" "$log/$name" | tail -n 1) ;;
	*) n=$(grep -cE "$pattern" "$log/$name") ;;
	esac
	n=${n:-0}
	if [ $rc -eq 0 ] && [ "$n" -gt 0 ]; then
		passed=$((passed + n))
		printf 'ok    %4d tests  %3d s\n' "$n" $((SECONDS - began))
	else
		passed=$((passed + n))
		failed=$((failed + 1))
		[ $rc -ne 0 ] && printf 'FAILED (exit %d)\n' $rc || printf 'FAILED: it ran no test\n'
		# What failed may stand far from the end.
		grep -aE 'error: |^ *not ok |FAILED' "$log/$name" | head -n 40
		tail -n 100 "$log/$name"
	fi
}

# Built once, under a lock, so that two runs in one tree do not meet.
build() {
	flock 9
	make -s -j"$(nproc)" all build/unit/run fuzzers build/traffic && echo "ok build"
} 9>.build.lock

# The frozen script of the present version is what its modules make.
frozen() {
	local version
	version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" chat_v11.control)
	cmp "build/sql/chat_v11--$version.sql" "sql/releases/chat_v11--$version.sql" && echo "ok $version"
}

# The flag clients need Node and npm, which nothing else here does: CI must have them, anybody else may.
clients() {
	local version
	version=$(command -v npm >/dev/null && node --version 2>/dev/null | sed -nE 's/^v([0-9]+)\..*/\1/p')
	if [ -n "${CI:-}" ] || [ "${version:-0}" -ge 18 ]; then
		suite clients '^([0-9]+) passed, 0 failed$' test/clients/run.sh
	else
		printf '%-14sskipped: it needs Node 18 or later and npm; with CI set it is always run\n' clients
	fi
}

suite build '^ok build' build
suite unit 'Leaving test case|test case .* has passed' build/unit/run --log_level=test_suite --report_level=detailed
suite fuzz '^ok ' make -s fuzz
suite format '^ok ' test/format.sh
suite traffic '^([0-9]+) passed, 0 failed$' test/traffic/check.sh build/traffic
suite docs '^([0-9]+) passed, 0 failed$' test/docs/check.sh
suite release '^ok' frozen
suite regress '^test .* ok ' test/regress.sh
clients
suite isolation '^test .* ok ' test/isolation/run.sh
suite tap '^Files=.*Tests=([0-9]+),.*$' test/tap/run.sh
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
