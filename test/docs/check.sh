#!/usr/bin/env bash
# Documents and their tests cannot drift: each line of each ```sql block of a document must stand in its test, so that it
# was run; of the runbooks, the go/no-go template and the guide to the recovery limits in the order of the document, so
# that it was run in the state in which whoever reads comes to it.  What the guard says must stand in docs/operations.md.
# Also, docs/history.md must contain docs/verify_history.py as it is.  Needs no server.
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

# Other lines may stand between those of the document.  Of an order that is broken the first line is told: where the rest
# belongs cannot be known then.
was_run() { # DOCUMENT TEST [in order]
	local lines order=${3:-} after=0 found
	lines=$(sql_lines "$1")
	[ -n "$lines" ] && rc=0 || rc=1
	verdict "$rc" "$1 has no SQL at all"
	while IFS= read -r line; do
		grep -qxF -e "$line" "$2" && rc=0 || rc=1
		verdict "$rc" "$1: not in $2: $line"
		[ -n "$order" ] && [ "$rc" = 0 ] || continue
		found=$(LINE=$line awk -v after="$after" 'NR > after && $0 == ENVIRON["LINE"] { print NR; exit }' "$2")
		[ -n "$found" ] && rc=0 || rc=1
		verdict "$rc" "$1: in $2 not after line $after, where the lines before it end: $line"
		[ "$rc" = 0 ] || break
		after=$found
	done <<<"$lines"
}
for document in docs/runbooks/*.md; do
	case $document in
	*/chat-canary-rollout-*) was_run "$document" sql/runbook_rollout.sql "in order" ;;
	*/chat-incident-playbook-*) was_run "$document" sql/runbook_incident.sql "in order" ;;
	*/chat-ops-checklist-*) was_run "$document" sql/runbook_shift.sql "in order" ;;
	*) verdict 1 "$document: no test runs it" ;;
	esac
done
was_run docs/ops/chat-v11-go-no-go-template.md sql/runbook_rollout.sql "in order"
was_run docs/recovery.md sql/recovery_guide.sql "in order"
was_run docs/cohort.md sql/cohort_guide.sql
was_run docs/operations.md sql/operations_guide.sql

# Every sentence that the guard and the launcher have for the server's log, a caller or guard_status(), and every state:
# string literals of more than one word, but for SQL and for what is put into settings.  FILE... [CALL]: only within
# calls of those names.
sentences() { # CALLS FILE...
	perl -0777 -e '
		my $calls = shift;
		for my $file (@ARGV) {
			open my $in, "<", $file or die "$file: $!";
			my $text = <$in>;
			$text =~ s{("(?:[^"\\]|\\.)*")|//[^\n]*}{$1 // ""}ge;
			$text =~ s/^\s*(#|extern).*$//mg;
			$text =~ s/"\s*\n\s*"//g;
			$text =~ s/\bset\([^;]*;//g;
			$text = join "\n", $text =~ /\b(?:$calls)(\((?:[^()"]|"(?:[^"\\]|\\.)*"|(?1))*\))/g if $calls;
			while ($text =~ /"((?:[^"\\]|\\.)*)"/g) {
				my $said = $1;
				next if $said =~ /\b(SELECT|UPDATE|INSERT|DELETE|FROM|WHERE|ORDER BY)\b/;
				$said =~ s/\\(.)/$1/g;
				for my $part (split /%\w/, $said) {
					$part =~ s/^[\s"]+|[\s"]+$//g;
					print "$part\n" if $part =~ /\w \w/;
				}
			}
			print "| `$_` |\n" for $text =~ /\bstate = "(\w+)"/g;
		}' "$@"
}
told=$(tr -s ' \n' ' ' <docs/operations.md)
said=$(
	sentences "" src/pg/guard_launcher.cpp src/pg/guard_report.cpp src/pg/guard_round.cpp src/pg/guard_worker.cpp \
		src/pg/on_commit.cpp src/functions/guard.cpp
	sentences "log_on_commit|log_now|tell" src/functions/triggers.cpp
)
[ "$(wc -l <<<"$said")" -gt 50 ] && rc=0 || rc=1
verdict "$rc" "the guard has hardly anything to say: is test/docs/check.sh still right?"
while IFS= read -r sentence; do
	[[ "$told" == *"$sentence"* ]] && rc=0 || rc=1
	verdict "$rc" "docs/operations.md does not say what this means: $sentence"
done <<<"$said"

fence=$(awk '/^```python$/ { inside = 1; next } /^```/ { inside = 0 } inside' docs/history.md)
[ "$fence" = "$(cat docs/verify_history.py)" ] && rc=0 || rc=1
verdict "$rc" "docs/history.md does not have docs/verify_history.py as it is"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
