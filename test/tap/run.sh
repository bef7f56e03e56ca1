#!/usr/bin/env bash
# Runs the TAP tests: servers that crash, restart, replicate, are dumped, are used by many at once, or run out of luck.
#
#   test/tap/run.sh [NAME]...      all of test/tap/*.pl, or those named (001_crash, or a path)
#
# Nothing is installed: the extension is staged into a folder that is gone afterwards, together with the servers' data.
# Root may not run a server, so root becomes postgres for the tests; the tests are copied, because postgres need not be
# able to read this checkout.  Several runs may go side by side.  KEEP_TMP=1 leaves the folder for a look at the logs.
# JOBS tests run at once, 2 by default: they wait more than they work, but some measure how soon a guard acts.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
pgxs=$(dirname "$("$pg_config" --pgxs)")
for needed in "$pgxs/../test/perl/PostgreSQL/Test/Cluster.pm" "$pgxs/../test/regress/pg_regress"; do
	[ -e "$needed" ] || { echo "run.sh: $needed is missing" >&2; exit 2; }
done
perl -MIPC::Run -e 1 || { echo "run.sh: Perl's IPC::Run is missing (libipc-run-perl)" >&2; exit 2; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/chat_v11_tap.XXXXXX")

# Servers of a run that was interrupted: by the pid that each left in its own folder, and no other.
finish() {
	local rc=$? pidfile
	while IFS= read -r pidfile; do
		"${as_server[@]}" "$bindir/pg_ctl" -D "$(dirname "$pidfile")" -m immediate -w -s stop >/dev/null 2>&1 || true
	done < <(find "$dir" -name postmaster.pid 2>/dev/null)
	if [ -n "${KEEP_TMP:-}" ]; then
		echo "run.sh: kept $dir" >&2
	else
		rm -rf "$dir"
	fi
	exit $rc
}
as_server=()
[ "$(id -u)" != 0 ] || as_server=(runuser -u postgres --)
trap finish EXIT
trap 'exit 130' INT TERM HUP

# One build at a time in one tree.
(
	flock 9
	make -s -C "$tree" PG_CONFIG="$pg_config" all
	make -s -C "$tree" PG_CONFIG="$pg_config" DESTDIR="$dir/stage" install >/dev/null
) 9>"$tree/.build.lock"
chmod -R a+rX "$dir/stage"

mkdir "$dir/tests" "$dir/nodes"
find "$here" -maxdepth 1 \( -name '*.pl' -o -name '*.pm' \) -exec cp {} "$dir/tests/" \;
cp "$here/../oracle.sql" "$tree/.github/release-gate.sh" "$tree/sql/include/two_cohorts.sql" "$dir/tests/"
tests=()
if [ $# -gt 0 ]; then
	for name in "$@"; do
		name=$(basename "$name" .pl)
		[ -f "$dir/tests/$name.pl" ] || { echo "run.sh: no test $name" >&2; exit 2; }
		tests+=("tests/$name.pl")
	done
else
	for test in "$dir"/tests/*.pl; do
		[ ! -f "$test" ] || tests+=("tests/$(basename "$test")")
	done
fi
[ "${#tests[@]}" -gt 0 ] || { echo "run.sh: no TAP test found" >&2; exit 1; }
if [ "$(id -u)" = 0 ]; then
	chown -R postgres "$dir/tests" "$dir/nodes"
	chmod 755 "$dir"
fi

cd "$dir"
# Prove's own exit status tells of failures, but not of a run in which nothing was tested.
rc=0
"${as_server[@]}" env -u PGSERVICE -u PGOPTIONS -u PGPASSWORD -u PGHOST -u PGUSER -u PGDATABASE \
	TESTDIR="$dir/nodes" TESTDATADIR="$dir/nodes/data" TESTLOGDIR="$dir/nodes/log" PG_TEST_PORT_DIR="$dir/nodes/ports" \
	PG_TEST_TIMEOUT_DEFAULT="${PG_TEST_TIMEOUT_DEFAULT:-90}" PATH="$bindir:$PATH" HOME="$dir/nodes" LC_ALL=C \
	PG_REGRESS="$pgxs/../test/regress/pg_regress" \
	CHAT_V11_STAGE="$dir/stage" CHAT_V11_PKGLIBDIR="$("$pg_config" --pkglibdir)" \
	CHAT_V11_SHAREDIR="$("$pg_config" --sharedir)" \
	prove --timer -j "${JOBS:-2}" -I "$pgxs/../test/perl" -I "$dir/tests" "${tests[@]}" 2>&1 | tee "$dir/output" || rc=$?
grep -Eq '^Files=[1-9][0-9]*, Tests=[1-9]' "$dir/output" || { echo "run.sh: no test ran" >&2; rc=1; }
# What the servers and clients said, where something failed.
if [ $rc != 0 ]; then
	find "$dir/nodes" -name 'regress_log_*' | while IFS= read -r log; do
		grep -Eq '^\[[^]]*\](\([^)]*\))? *not ok [^#]*$|died|Bail out' "$log" || continue
		echo "== $(basename "$log")"
		grep -E '^\[[^]]*\](\([^)]*\))? *(not ok|# +(Failed|got|expected|at ))|died|Bail out' "$log" |
			cut -c1-400 | tail -40
	done
fi
exit $rc
