#!/usr/bin/env bash
# The runbooks and their test cannot drift: each line of each ```sql block must stand in sql/runbook.sql, so that it was
# run.  Also, docs/history.md must contain docs/verify_history.py as it is.  Needs no server.
set -euo pipefail
cd "$(dirname "$0")/../.."

passed=0
failed=0
verdict() { # STATUS TEXT
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $2"
	fi
}

sql_lines() { # FILE: the lines within ```sql fences, without the indentation that lists need
	awk '/^ *```sql *$/ { inside = 1; next } /^ *```/ { inside = 0 } inside && NF { sub(/^ +/, ""); print }' "$1"
}

for doc in docs/runbooks/chat-canary-rollout-v1.1.md docs/runbooks/chat-incident-playbook-v1.1.md \
	docs/ops/chat-v11-go-no-go-template.md; do
	lines=$(sql_lines "$doc")
	[ -n "$lines" ] && rc=0 || rc=1
	verdict "$rc" "$doc has no SQL at all"
	while IFS= read -r line; do
		grep -qxF -e "$line" sql/runbook.sql && rc=0 || rc=1
		verdict "$rc" "$doc: not in sql/runbook.sql: $line"
	done <<<"$lines"
done

fence=$(awk '/^```python$/ { inside = 1; next } /^```/ { inside = 0 } inside' docs/history.md)
[ "$fence" = "$(cat docs/verify_history.py)" ] && rc=0 || rc=1
verdict "$rc" "docs/history.md does not have docs/verify_history.py as it is"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
