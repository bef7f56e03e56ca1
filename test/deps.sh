#!/usr/bin/env bash
# Installs what is missing to build and test on Debian; as root, or with sudo.  Does nothing where all is there.
set -euo pipefail
server=${PG_MAJOR:-15}
packages=(make g++ libboost-test-dev nlohmann-json3-dev libipc-run-perl perl clang-format python3
	postgresql-common "postgresql-$server" "postgresql-server-dev-$server")
# For test/clients, which is left out without them but in CI.
[ -z "${CI:-}" ] || { command -v node && command -v npm; } >/dev/null || packages+=(nodejs npm ca-certificates)
# The same for test/tap/024_guard_cron.pl.
[ -z "${CI:-}" ] || packages+=("postgresql-$server-cron")
missing=()
for package in "${packages[@]}"; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
command -v apt-get >/dev/null || { echo "Please install: ${missing[*]}" >&2; exit 1; }
sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "Please install as root: ${missing[*]}" >&2; exit 1; }
	sudo=sudo
fi
echo "Installing ${missing[*]}"
# One installation at a time, also where two checkouts test side by side.
exec 9>"${TMPDIR:-/tmp}/chat_v11-deps.$(id -u).lock"
flock 9
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
	--no-install-recommends install "${missing[@]}" >/dev/null
