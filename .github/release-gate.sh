#!/usr/bin/env bash
# Says whether chat v1.1 may be promoted to CHAT_V11_TARGET_STAGE now: exit 0 only for yes.  Whatever is not a clear yes
# (an error, no answer, a connection that fails or hangs) is a no.  The verdict is chat_v11.assert_gate()'s: the rules of
# the promotion itself.
#
#   CHAT_V11_TARGET_STAGE   canary_1 (a start or a resume), canary_10, canary_50 or full
#   CHAT_V11_RUN            link to this run; where it is set, the verdict is put on record in the database, green or
#                           red, as chat_v11.attest('ci:STAGE', link, verdict): what preflight() and go_no_go() look for
#   PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE, ...   as psql has them; the level "reader" is enough, and
#                           for the record: grant execute on function chat_v11.attest(text, text, boolean) to ROLE
#   PGCONNECT_TIMEOUT       seconds, 10 by default; CHAT_V11_QUERY_TIMEOUT for each query, 60 by default
#   GITHUB_STEP_SUMMARY     a file that the filled-in go/no-go record is added to
#   CHAT_V11_ALLOW_MOCK_CLOCK=yes   only for the tests of this script
set -euo pipefail

target=${CHAT_V11_TARGET_STAGE:-}
run=${CHAT_V11_RUN:-}
can_ask=

ask() { # SQL [psql option...]: never waits for a password or for ever
	local sql=$1
	shift
	psql -X -w -q -v ON_ERROR_STOP=1 "$@" <<<"$sql"
}

record() { # true|false: puts the verdict on record.  The values go in as variables, so nothing in them is SQL.
	[ -n "$run" ] || return 0
	ask "set default_transaction_read_only = off;
		select chat_v11.attest('ci:' || :'target', :'run', :'verdict'::boolean);" -At -v target="$target" -v run="$run" \
		-v verdict="$1" >/dev/null
}

page() { # for people, with this run on record: where the CI gate is enforced, the page before it is a NO-GO
	[ -z "${GITHUB_STEP_SUMMARY:-}" ] || ask "select chat_v11.go_no_go(:'target')" -At -v target="$target" >>"$GITHUB_STEP_SUMMARY"
}

no() {
	echo "NO-GO: $*" >&2
	if [ -n "$can_ask" ]; then
		record false || echo "and that is not on record" >&2
		page || true
	fi
	exit 1
}

case $target in
canary_1 | canary_10 | canary_50 | full) ;;
*) no "target stage \"$target\" is none: canary_1, canary_10, canary_50 or full" ;;
esac
seconds=${CHAT_V11_QUERY_TIMEOUT:-60}
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || no "CHAT_V11_QUERY_TIMEOUT \"$seconds\" is no number of seconds"
command -v psql >/dev/null || no "psql is not installed"
export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10} PGAPPNAME=chat-v11-release-gate
export PGOPTIONS="${PGOPTIONS:-} -c statement_timeout=${seconds}s -c default_transaction_read_only=on"

mocked=$(ask "select mock_clock from public.chat_get_v11_rollout_state()" -At) || no "the state cannot be read"
can_ask=yes
[ "$mocked" = f ] || [ "${CHAT_V11_ALLOW_MOCK_CLOCK:-}" = yes ] || no "the clock of the database is mocked"

# For people; the verdict does not rest on it.
ask "select gate, check_name, status, value, limit_value, reason, what_to_do from chat_v11.explain_gates() where enabled" ||
	no "the gates cannot be explained"

broken=$(ask "select * from chat_v11.verify_history()" -At) || no "the decision log cannot be verified"
[ -z "$broken" ] || no "the decision log does not verify: $broken"
# A start has a self-test, which writes and takes it back.
ask "set default_transaction_read_only = off; select chat_v11.assert_gate(:'target');" -At -v target="$target" >/dev/null ||
	no "the database would refuse $target now"
record true || no "the verdict cannot be put on record"
page || no "the page cannot be filled in"
echo "GO: $target"
