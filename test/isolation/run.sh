#!/usr/bin/env bash
# Runs the isolation tests: two and more sessions at once, against a throw-away server.
#
#   test/isolation/run.sh [SPEC]...      all of them, or those named
#
# Several runs may go side by side.  A failure leaves its diffs on the standard output.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pg_config=${PG_CONFIG:-pg_config}
runner=$(dirname "$("$pg_config" --pgxs)")/../test/isolation/pg_isolation_regress
[ -x "$runner" ] || { echo "run.sh: no pg_isolation_regress at $runner" >&2; exit 2; }

if [ "${1:-}" != --inside ]; then
	exec "$here/../server.sh" "$here/run.sh" --inside "$@"
fi
shift

# The other specs use what this one leaves in the database.
names=(00_fixture)
if [ $# -gt 0 ]; then
	for name in "$@"; do
		[ "$name" = 00_fixture ] || names+=("$name")
	done
else
	for spec in "$here"/specs/*.spec; do
		name=$(basename "$spec" .spec)
		[ "$name" = 00_fixture ] || names+=("$name")
	done
	[ "${#names[@]}" -gt 1 ] || { echo "run.sh: no isolation test found" >&2; exit 1; }
fi

out=$(mktemp -d "${TMPDIR:-/tmp}/chat_v11_iso.XXXXXX")
trap 'rm -rf "$out"' EXIT
"$("$pg_config" --bindir)/createdb" isolation_regression
# A call that should not wait and does is a failure within a minute, not within six.
export PGISOLATIONTIMEOUT="${PGISOLATIONTIMEOUT:-30}"
rc=0
"$runner" --use-existing --inputdir="$here" --outputdir="$out" --bindir="$("$pg_config" --bindir)" \
	--dbname=isolation_regression "${names[@]}" || rc=$?
[ $rc = 0 ] || cat "$out"/output_iso/regression.diffs "$out"/regression.diffs 2>/dev/null || true
# For whoever writes the expected file of a new spec, once they have read what is in it.
[ -z "${KEEP_RESULTS:-}" ] || cp -r "$out"/. "$KEEP_RESULTS"
exit $rc
