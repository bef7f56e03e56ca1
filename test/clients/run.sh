#!/usr/bin/env bash
# The flag clients as published, in Node, against a throw-away server: test/clients/run.sh [FILE.test.js]...
# Its last line is "N passed, N failed".  Needs Node 18 or later and npm; the first run in a tree installs the packages.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${CHAT_V11_SERVER:-}" ]; then
	exec ../server.sh test/clients/run.sh "$@"
fi

# Once for a lock file, and one run at a time, also where two go side by side in one tree.
install_packages() {
	local wanted installed=node_modules/.installed-for
	flock 9
	wanted=$(cat package.json package-lock.json | sha256sum)
	[ "$(cat "$installed" 2>/dev/null)" != "$wanted" ] || return 0
	npm ci --loglevel=error >&2
	echo "$wanted" >"$installed"
} 9>.install.lock
install_packages

files=("$@")
[ $# -gt 0 ] || files=(*.test.js)
output=$(mktemp)
trap 'rm -f "$output"' EXIT
rc=0
node --test --test-reporter=tap "${files[@]}" >"$output" 2>&1 || rc=$?
# Without the lines that each test that passed has of its own.
sed -E '/^ *(---|\.\.\.|duration_ms: .*|type: .*)$/d; /^ *# Subtest/d' "$output"
count() { sed -nE "s/^# $1 ([0-9]+)$/\1/p" "$output"; }
[ "$(count skipped)" = 0 ] && [ "$(count todo)" = 0 ] && [ "$(count cancelled)" = 0 ] || rc=1
[ "$rc" = 0 ] || echo "run.sh: a test failed, or was not run"
echo "$(count pass) passed, $(count fail) failed"
exit "$rc"
