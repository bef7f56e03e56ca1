#!/usr/bin/env bash
# Every C++ file is as clang-format has it, and the product's are in ASCII: what it says is read in databases of any
# encoding, where a character that is missing would be a question mark.
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
if LC_ALL=C grep -rnP '[^\x00-\x7F]' src sql/install --include='*.cpp' --include='*.hpp' --include='*.sql'; then
	echo "not in ASCII"
	rc=1
fi
exit $rc
