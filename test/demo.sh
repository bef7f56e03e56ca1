#!/usr/bin/env bash
# `make demo`: builds, starts a throw-away server, lives through a rollout on it, leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "Building ..."
(
	flock 9
	make -s -j"$(nproc)" all build/traffic
) 9>.build.lock
exec test/server.sh test/demo/demo.sh
