#!/usr/bin/env bash
# Documents and their tests cannot drift: each line of each ```sql block of the runbooks must stand in sql/runbook.sql,
# and of the cohort's guide in sql/cohort_guide.sql, so that it was run.  Also, docs/history.md must contain docs/verify_history.py as it is.  Needs no server.
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

was_run() { # DOCUMENT TEST
	local lines
	lines=$(sql_lines "$1")
	[ -n "$lines" ] && rc=0 || rc=1
	verdict "$rc" "$1 has no SQL at all"
	while IFS= read -r line; do
		grep -qxF -e "$line" "$2" && rc=0 || rc=1
		verdict "$rc" "$1: not in $2: $line"
	done <<<"$lines"
}
was_run docs/runbooks/chat-canary-rollout-v1.1.md sql/runbook.sql
was_run docs/runbooks/chat-incident-playbook-v1.1.md sql/runbook.sql
was_run docs/ops/chat-v11-go-no-go-template.md sql/runbook.sql
was_run docs/cohort.md sql/cohort_guide.sql

fence=$(awk '/^```python$/ { inside = 1; next } /^```/ { inside = 0 } inside' docs/history.md)
[ "$fence" = "$(cat docs/verify_history.py)" ] && rc=0 || rc=1
verdict "$rc" "docs/history.md does not have docs/verify_history.py as it is"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
