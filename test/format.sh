#!/usr/bin/env bash
# Every C++ file is as clang-format has it.
set -euo pipefail
cd "$(dirname "$0")/.."
rc=0
while read -r file; do
	if clang-format --dry-run --Werror "$file" >/dev/null 2>&1; then
		echo "ok $file"
	else
		echo "not as clang-format has it: $file"
		rc=1
	fi
done < <(find src test -name '*.cpp' -o -name '*.hpp' | sort)
exit $rc
