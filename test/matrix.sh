#!/usr/bin/env bash
# The same suites on other servers: test/matrix.sh [SUITE]..., by default trixie (17) and sid (18).  As root; makes a
# Debian in a folder for each, from the mirror that apt uses here, and removes it.  Some minutes each.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "matrix: must be root, for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get -qq -y install debootstrap >/dev/null
declare -A server=([bookworm]=15 [trixie]=17 [sid]=18)
suites=("$@")
[ $# -gt 0 ] || suites=(trixie sid)
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | sort -u | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
rc=0
for suite in "${suites[@]}"; do
	root=$(mktemp -d /var/tmp/chat_v11-matrix.XXXXXX)
	trap 'umount -q "$root/proc" "$root/dev/shm" "$root/dev" 2>/dev/null || true; mountpoint -q "$root/dev" || rm -rf --one-file-system "$root"' EXIT
	echo "== $suite, server ${server[$suite]}"
	debootstrap --variant=minbase --keyring="$keyring" --no-check-gpg "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
		{ tail "$root.log"; exit 1; }
	rm -f "$root.log"
	mount --bind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/dev/shm" 2>/dev/null || true
	mount -t proc proc "$root/proc"
	cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
	cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
	mkdir "$root/src"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$root/src"
	chroot "$root" env LC_ALL=C.UTF-8 PG_MAJOR="${server[$suite]}" \
		PG_CONFIG="/usr/lib/postgresql/${server[$suite]}/bin/pg_config" CHAT_V11_SKIP=format \
		bash -c 'apt-get -qq update && apt-get -qq -y install make git >/dev/null && cd /src && test/check.sh' || rc=1
	umount "$root/proc" "$root/dev/shm" "$root/dev" 2>/dev/null || umount -l "$root/proc" "$root/dev"
	rm -rf --one-file-system "$root"
	trap - EXIT
done
exit $rc
