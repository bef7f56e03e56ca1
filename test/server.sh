#!/usr/bin/env bash
# Runs a command with a throw-away PostgreSQL server that has this tree's extension, and leaves nothing behind.
#
#   test/server.sh [-c NAME=VALUE]... COMMAND [ARG]...
#
# The server lives in a folder of its own and listens on a socket there alone, so that any number run side by side.
# Nothing is installed into the system: the extension is staged into the same folder.  Root may not run a server, so
# root becomes postgres for it.  The command runs as whoever called, with PGHOST, PGPORT, PGUSER and PGDATABASE set, and
# with CHAT_V11_SERVER naming the folder.  The server's log is kept in $CHAT_V11_KEEP_LOG where that is set.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
settings=()
while [ "${1:-}" = -c ]; do
	settings+=("$2")
	shift 2
done
[ $# -gt 0 ] || { echo "usage: test/server.sh [-c NAME=VALUE]... COMMAND [ARG]..." >&2; exit 2; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/chat_v11.XXXXXX")
if [ "$(id -u)" = 0 ]; then
	as_server() { runuser -u postgres -- "$@"; }
	chown postgres "$dir"
else
	as_server() { "$@"; }
fi
chmod 755 "$dir"

stop() {
	local rc=$?
	if [ -f "$dir/data/postmaster.pid" ]; then
		as_server "$bindir/pg_ctl" -D "$dir/data" -m immediate -w -s stop >/dev/null 2>&1 || true
	fi
	[ -n "${CHAT_V11_KEEP_LOG:-}" ] && [ -f "$dir/log" ] && cp "$dir/log" "$CHAT_V11_KEEP_LOG"
	rm -rf "$dir"
	exit $rc
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

# Staged, not installed.  Built by whoever called; one build at a time in one tree.
(
	flock 9
	make -s -C "$here" PG_CONFIG="$pg_config" all
	make -s -C "$here" PG_CONFIG="$pg_config" DESTDIR="$dir/stage" install >/dev/null
) 9>"$here/.build.lock"
chmod -R a+rX "$dir/stage"

cd "$dir"
as_server "$bindir/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >"$dir/initdb.log" 2>&1 ||
	{ cat "$dir/initdb.log" >&2; exit 1; }
sharedir=$("$pg_config" --sharedir)
pkglibdir=$("$pg_config" --pkglibdir)
{
	echo "listen_addresses = ''"
	echo "unix_socket_directories = '$dir'"
	echo "fsync = off"
	echo "log_min_messages = warning"
	echo "log_line_prefix = '%m [%p] %q%a '"
	echo "dynamic_library_path = '$dir/stage$pkglibdir:\$libdir'"
	# Debian's servers 14 to 17 look for extensions under a folder of this setting; 18 has one of its own.
	if [ "$("$bindir/postgres" --version | sed 's/.* \([0-9]*\).*/\1/')" -ge 18 ]; then
		echo "extension_control_path = '$dir/stage$sharedir:\$system'"
	else
		echo "extension_destdir = '$dir/stage'"
	fi
	for setting in ${settings+"${settings[@]}"}; do
		echo "${setting%%=*} = '${setting#*=}'"
	done
} >"$dir/extra.conf"
as_server bash -c "cat '$dir/extra.conf' >> '$dir/data/postgresql.conf'"
as_server "$bindir/pg_ctl" -D "$dir/data" -l "$dir/log" -w -s start || { cat "$dir/log" >&2; exit 1; }

export PGHOST=$dir PGPORT=5432 PGUSER=postgres PGDATABASE=postgres CHAT_V11_SERVER=$dir PATH="$bindir:$PATH"
unset PGSERVICE PGOPTIONS PGPASSWORD || true
cd "$here"
"$@"
