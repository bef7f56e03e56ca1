#!/usr/bin/env bash
# Says whether chat v1.1 may be promoted to CHAT_V11_TARGET_STAGE now: exit 0 only for yes.  Whatever is not a clear yes
# (no answer, two answers, an unknown word, a connection that fails or hangs) is a no.
#
#   CHAT_V11_TARGET_STAGE   canary_10, canary_50 or full
#   PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE, ...   as psql has them; the level "reader" is enough
#   PGCONNECT_TIMEOUT       seconds, 10 by default; CHAT_V11_QUERY_TIMEOUT for each query, 60 by default
#   CHAT_V11_ALLOW_MOCK_CLOCK=yes   only for the tests of this script
set -euo pipefail

no() {
	echo "NO-GO: $*" >&2
	exit 1
}

ask() { # SQL [psql option...]: never waits for a password or for ever
	local sql=$1
	shift
	psql -X -w -q -v ON_ERROR_STOP=1 "$@" -c "$sql"
}

target=${CHAT_V11_TARGET_STAGE:-}
case $target in
canary_10 | canary_50 | full) ;;
*) no "target stage \"$target\" is none to promote to: canary_10, canary_50 or full" ;;
esac
seconds=${CHAT_V11_QUERY_TIMEOUT:-60}
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || no "CHAT_V11_QUERY_TIMEOUT \"$seconds\" is no number of seconds"
command -v psql >/dev/null || no "psql is not installed"
export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10} PGAPPNAME=chat-v11-release-gate
export PGOPTIONS="${PGOPTIONS:-} -c statement_timeout=${seconds}s -c default_transaction_read_only=on"

# For people, and for the record; the verdict does not rest on it.
ask "select gate, check_name, status, value, limit_value, reason, what_to_do from chat_v11.explain_gates() where enabled" ||
	no "the gates cannot be explained"
ask "select * from public.chat_get_v11_rollout_state()" -x || no "the state cannot be read"

# One row, one look at everything.
answer=$(ask "select rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, kill_switch, mock_clock,
	coalesce(next_stage, 'none'), stage, version from public.chat_get_v11_rollout_state()" -At -F ' ') ||
	no "the gates cannot be read"
broken=$(ask "select * from chat_v11.verify_history()" -At) || no "the decision log cannot be verified"

[ -n "$answer" ] || no "the database gave no answer"
[ "$(wc -l <<<"$answer")" = 1 ] || no "the database gave more than one answer"
read -r decision p0 p1 rollout killed mocked next stage version more <<<"$answer"
if [ -z "${version:-}" ] || [ -n "$more" ]; then no "the answer is not understood: $answer"; fi

[ -z "$broken" ] || no "the decision log does not verify: $broken"
[ "$decision" = PROCEED ] || no "the gates say $decision"
[ "$p0 $p1 $rollout" = "t t t" ] || no "gate_p0_ok, gate_p1_ok, gate_rollout_ok are $p0, $p1, $rollout"
[ "$killed" = f ] || no "the rollout is killed or not started"
[ "$mocked" = f ] || [ "${CHAT_V11_ALLOW_MOCK_CLOCK:-}" = yes ] || no "the clock of the database is mocked"
[ "$next" = "$target" ] || no "$target is not the stage after $stage, that is $next"
echo "GO: $stage -> $target at version $version"
