#!/bin/sh
# Checks a built traffic generator: check.sh BINARY.  Prints each failure, then the counts; exit status 1 on any.
set -u
LC_ALL=C
export LC_ALL

if [ $# -ne 1 ] || [ ! -x "$1" ]; then
	echo "usage: check.sh BINARY" >&2
	exit 2
fi
binary=$1
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
passed=0
failed=0

# check NAME COMMAND...: passes when the command succeeds.
check() {
	name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $name"
	fi
}

# is VALUE OPERATOR VALUE, numbers with decimals allowed
is() {
	awk -v a="$1" -v op="$2" -v b="$3" 'BEGIN {
		if (op == "=") ok = a == b
		else if (op == "<=") ok = a <= b
		else if (op == ">=") ok = a >= b
		exit !ok }' || { echo "  $1 is not $2 $3"; return 1; }
}

exit_status_is() {
	wanted=$1
	shift
	"$binary" "$@" >"$work/refused" 2>"$work/error"
	status=$?
	[ "$status" -eq "$wanted" ] || { echo "  exit status $status for: $*"; return 1; }
	[ "$wanted" -ne 2 ] || { [ ! -s "$work/refused" ] && grep -q '^traffic: .' "$work/error"; }
}

# An evening: busy enough for 20 writes in a window of 15 min at 1 %.
from=2026-03-01T17:00:00
to=2026-03-01T20:00:00

# make NAME OPTION...: that evening, as a file
make() {
	file=$work/$1
	shift
	"$binary" --seed 7 --from $from --to $to "$@" >"$file" || echo "  exit status $? for: $*"
}

# count FILE COHORT KIND
count() {
	awk -F '\t' -v c="$2" -v k="$3" '$3 == c && $2 == k { n++ } END { print n + 0 }' "$work/$1"
}

# The number of acks of cohort v11 with no receipt within 10 s and with none at all.  All times are of one day.
unanswered() {
	awk -F '\t' '
		function seconds(at) { return substr(at, 12, 2) * 3600 + substr(at, 15, 2) * 60 + substr(at, 18, 9) }
		$3 == "v11" && $2 == "write_ack" { acked[$5] = seconds($1) }
		$2 == "write_receipt" { answered[$5] = seconds($1) }
		END {
			for (key in acked) {
				if (!(key in answered)) never++
				if (!(key in answered) || answered[key] - acked[key] > 10) late++
			}
			print late + 0, never + 0
		}' "$work/$1"
}

# added FILE: lines that are in the file and not in the healthy one, and the reverse
added() {
	sort "$work/$1" >"$work/sorted"
	echo "$(comm -13 "$work/healthy.sorted" "$work/sorted" | wc -l)" \
		"$(comm -23 "$work/healthy.sorted" "$work/sorted" | wc -l)"
}

# The longest time in seconds, at the quietest of the day, in which a kind was not seen in either cohort.
longest_gap() {
	awk -F '\t' -v k="$2" '
		$2 == k {
			at = substr($1, 12, 2) * 3600 + substr($1, 15, 2) * 60 + substr($1, 18, 9)
			if (n++ && at - last > gap) gap = at - last
			last = at
		}
		END { print n ? gap : 86400 }' "$work/$1"
}

# The fewest events of a kind of cohort v11 in any 15 min of the file; whole minutes.
fewest_in_window() {
	awk -F '\t' -v k="$2" '
		{ minute = substr($1, 12, 2) * 60 + substr($1, 15, 2); if (NR == 1) first = minute; if (minute > last) last = minute }
		$3 == "v11" && $2 == k { n[minute]++ }
		END {
			for (end = first + 15; end <= last; end++) {
				sum = 0
				for (m = end - 15; m < end; m++) sum += n[m]
				if (end == first + 15 || sum < fewest) fewest = sum
			}
			print fewest
		}' "$work/$1"
}

make healthy
sort "$work/healthy" >"$work/healthy.sorted"

# Determinism
make again
check "same seed, same bytes" \
	[ "$(sha256sum <"$work/healthy")" = "$(sha256sum <"$work/again")" ]
make other --seed 8
check "another seed, other bytes" \
	[ "$(sha256sum <"$work/healthy")" != "$(sha256sum <"$work/other")" ]
# Changes on purpose only: whoever changes the traffic changes this line, too.
check "the same bytes on every machine" \
	[ "$(sha256sum <"$work/healthy" | cut -c 1-16)" = "abf03220e4e15b8a" ]
cut=2026-03-01T18:22:33.456789
"$binary" --seed 7 --from $from --to $cut >"$work/parts"
"$binary" --seed 7 --from $cut --to $to >>"$work/parts"
sort "$work/parts" >"$work/parts.sorted"
check "two spans join without holes or duplicates" cmp -s "$work/healthy.sorted" "$work/parts.sorted"

# Form
cut -f 1 "$work/healthy" >"$work/times"
check "sorted by time" sort -c "$work/times"
uuid='[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
row="^2026-03-01 [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00	[a-z_]+	v1[01]	$uuid	($uuid|[\\]N)	([0-9.]+|[\\]N)$"
check "every line is a row" [ "$(grep -Evc "$row" "$work/healthy")" -eq 0 ]
check "starts in the span" [ "$(head -n 1 "$work/healthy" | cut -c 12-13)" = 17 ]
check "ends at most 51 s after the span" is "$(tail -n 1 "$work/healthy" | cut -c 12-19 | tr -d :)" "<=" 200051
check "no write twice" \
	[ -z "$(awk -F '\t' '$2 == "write_ack" || $2 == "write_rejected" { print $5 }' "$work/healthy" | sort | uniq -d)" ]

# Cohorts
for share in 10 50 100; do make "share$share" --share $share; done
ln -s healthy "$work/share1"
for share in 1 10 50 100; do
	canary=$(count share$share v11 write_ack)
	control=$(count share$share v10 write_ack)
	measured=$(awk -v a="$canary" -v b="$control" 'BEGIN { print 100 * a / (a + b) }')
	check "share $share: at least 0.9 of it" is "$measured" ">=" "$(awk -v s=$share 'BEGIN { print 0.9 * s }')"
	check "share $share: at most 1.1 of it" is "$measured" "<=" "$(awk -v s=$share 'BEGIN { print 1.1 * s }')"
done
actors() {
	awk -F '\t' -v c="$2" '$3 == c { print $4 }' "$work/$1" | sort -u >"$work/$1.$2"
}
for share in 1 10 50; do
	actors share$share v11
	actors share$share v10
done
check "who is in at 1 is in at 10" [ -z "$(comm -12 "$work/share1.v11" "$work/share10.v10")" ]
check "who is in at 10 is in at 50" [ -z "$(comm -12 "$work/share10.v11" "$work/share50.v10")" ]
check "nobody is in both cohorts" \
	[ -z "$(cut -f 3,4 "$work/share10" | sort -u | cut -f 2 | sort | uniq -d)" ]

# Healthy traffic
for share in 1 10 50 100; do
	check "share $share: every v11 ack is answered within 10 s" [ "$(unanswered share$share)" = "0 0" ]
	check "share $share: no kind that stands for harm" \
		[ "$(grep -Ec '	(timeline_duplicate|read_rollback|send_stall|pending_forever)	' "$work/share$share")" -eq 0 ]
done
check "1 %: 20 writes in every window of the evening" is "$(fewest_in_window healthy write_ack)" ">=" 20
check "1 %: no rejected write among so few" [ "$(count healthy v11 write_rejected)" -eq 0 ]
"$binary" --seed 7 --from 2026-03-01T03:00:00 --to 2026-03-01T06:00:00 --sparse-control 10 >"$work/night"
check "1 %: 20 session-minutes in every window of the night" is "$(fewest_in_window night session_active)" ">=" 20
for kind in write_started write_ack write_receipt timeline_delivered read_cursor session_active; do
	check "the night is never a minute without $kind" is "$(longest_gap night $kind)" "<=" 60
done

# A sparse control loses nothing that is canary's, nor any ack.
make sparse --sparse-control 10
check "sparse control: every ack" [ "$(count sparse v10 write_ack)" -eq "$(count healthy v10 write_ack)" ]
check "sparse control: a tenth of the receipts" \
	is "$(count sparse v10 write_receipt)" "<=" "$(($(count healthy v10 write_receipt) / 9))"
check "sparse control: canary unchanged" \
	[ "$(grep '	v11	' "$work/sparse" | sha256sum)" = "$(grep '	v11	' "$work/healthy" | sha256sum)" ]

make paired --sparse-control 10 --paired-control
check "paired control: every receipt" [ "$(count paired v10 write_receipt)" -eq "$(count healthy v10 write_receipt)" ]
check "paired control: every start" [ "$(count paired v10 write_started)" -eq "$(count healthy v10 write_started)" ]
check "paired control: a tenth of the sessions" \
	[ "$(count paired v10 session_active)" -eq "$(count sparse v10 session_active)" ]

# Incidents change what they say, and nothing else.
make lost --lose-receipts 1
check "a lost receipt: one write unanswered" [ "$(unanswered lost)" = "1 1" ]
check "a lost receipt: one line less" [ "$(added lost)" = "0 1" ]
make late --late-receipts 3
check "late receipts: answered after 10 s" [ "$(unanswered late)" = "3 0" ]
make duplicates --duplicates 4
check "duplicates: as many lines more" [ "$(added duplicates)" = "4 0" ]
check "duplicates: of cohort v11" [ "$(count duplicates v11 timeline_duplicate)" -eq 4 ]
make rollbacks --read-rollbacks 2
check "read rollbacks" [ "$(count rollbacks v11 read_rollback)" -eq 2 ]
make stalls --stalls 5
check "stalls: each with its start" [ "$(added stalls)" = "10 0" ]
check "stalls: distinct users" \
	[ "$(awk -F '\t' '$2 == "send_stall" && $3 == "v11" { print $4 }' "$work/stalls" | sort -u | wc -l)" -eq 5 ]
make kill --kill --share 50
check "killed: no v11 traffic" [ "$(cut -f 3 "$work/kill" | sort -u)" = v10 ]
make wobble --wobble
check "wobble: a rejected write in every window" is "$(fewest_in_window wobble write_rejected)" ">=" 1
check "wobble: every write is answered all the same" [ "$(unanswered wobble)" = "0 0" ]
check "wobble: control unchanged" \
	[ "$(grep '	v10	' "$work/wobble" | sha256sum)" = "$(grep '	v10	' "$work/healthy" | sha256sum)" ]

# The mean from ack to receipt, by how much it is what it was: latency_ratio FILE COHORT
latency_ratio() {
	for file in share10 "$1"; do
		awk -F '\t' -v c="$2" '
			function seconds(at) { return substr(at, 12, 2) * 3600 + substr(at, 15, 2) * 60 + substr(at, 18, 9) }
			$3 == c && $2 == "write_ack" { acked[$5] = seconds($1) }
			$3 == c && $2 == "write_receipt" && $5 in acked { sum += seconds($1) - acked[$5]; n++ }
			END { print sum / n }' "$work/$file"
	done | paste -s -d ' ' | awk '{ print $2 / $1 }'
}
make slow --share 10 --slow-canary 150
check "slow canary: half as much again" is "$(latency_ratio slow v11)" ">=" 1.45
check "slow canary: not more" is "$(latency_ratio slow v11)" "<=" 1.55
check "slow canary: control unchanged" is "$(latency_ratio slow v10)" "=" 1
make slower --share 10 --slow-all 300
check "slow all: the canary" is "$(latency_ratio slower v11)" ">=" 2.8
check "slow all: control" is "$(latency_ratio slower v10)" ">=" 2.8

# Command line
span="--from $from --to $to"
check "help" exit_status_is 0 --help
# shellcheck disable=SC2086 # the span is four words
{
	check "an unknown option" exit_status_is 2 $span --bogus
	check "no span" exit_status_is 2 --from $from
	check "an empty span" exit_status_is 2 --from $to --to $to
	check "a date that is none" exit_status_is 2 --from 2026-02-30 --to $to
	check "a share above 100" exit_status_is 2 $span --share 101
	check "a number that is none" exit_status_is 2 $span --seed 1x
	check "a missing value" exit_status_is 2 $span --users
	check "a value too much" exit_status_is 2 $span --flat=1
	check "an incident without a canary" exit_status_is 2 $span --kill --stalls 1
	check "a slow canary that is not there" exit_status_is 2 $span --kill --slow-canary 150
	check "more incidents than writes" exit_status_is 2 $span --lose-receipts 100000
}

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
