#!/usr/bin/env bash
# Runs pg_regress on a throw-away server: test/regress.sh [TEST]...; without names, all of sql/schedule.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${CHAT_V11_SERVER:-}" ]; then
	exec test/server.sh -c log_min_messages=log "$0" "$@"
fi
pg_config=${PG_CONFIG:-pg_config}
tests=("$@")
[ $# -gt 0 ] || mapfile -t tests < <(grep -v '^#' sql/schedule)
out=${REGRESS_OUT:-$CHAT_V11_SERVER/regress}
mkdir -p "$out" 2>/dev/null || { out=$(mktemp -d); trap 'rm -rf "$out"' EXIT; }
rc=0
createdb contrib_regression
"$(dirname "$("$pg_config" --pgxs)")/../test/regress/pg_regress" --use-existing --inputdir="$PWD" --outputdir="$out" \
	--bindir="$("$pg_config" --bindir)" --dbname=contrib_regression "${tests[@]}" || rc=$?
if [ $rc -ne 0 ] && [ -f "$out/regression.diffs" ]; then
	cat "$out/regression.diffs"
fi
[ -z "${KEEP_RESULTS:-}" ] || { mkdir -p results && cp -r "$out"/results/. results/; }
exit $rc
