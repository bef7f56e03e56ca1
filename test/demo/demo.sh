#!/usr/bin/env bash
# A whole rollout on generated traffic, as the people on call would see it: two simulated days, about a million events,
# a P1 wobble that clears, a lost receipt that leads to a kill, recovery by the playbook, and full.
# Runs against the server in PGHOST; `make demo` starts a throw-away one.
set -euo pipefail
cd "$(dirname "$0")/../.."

traffic=build/traffic
total=0
began=$SECONDS
clock=

bold=$(tput bold 2>/dev/null || true)
plain=$(tput sgr0 2>/dev/null || true)
[ -t 1 ] || { bold=; plain=; }

# The rule clock stands where the story is; only a superuser may move it.
admin() { PGOPTIONS="-c chat_v11.mock_now=$clock -c client_min_messages=error -c timezone=UTC" psql -X -q -v ON_ERROR_STOP=1 "$@"; }

chapter() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '   %s\n' "$*"; }
at() { clock="${1/ /T}+00"; }

# Shows a statement and what the role on call gets for it.  A refusal is an answer too, and the story says which it is.
ask() {
	local expected=$1 sql=$2 rc
	printf '\n%s%s UTC  oncall=> %s%s\n' "$bold" "${clock%+00}" "$sql" "$plain"
	set +e
	printf '%s\n' 'set session authorization oncall;' '\pset null -' "$sql" |
		PGOPTIONS="-c chat_v11.mock_now=$clock -c client_min_messages=notice -c timezone=UTC" \
			psql -X -q -v ON_ERROR_STOP=1 -P expanded="${expanded:-on}" -P footer=off -P pager=off 2>&1 |
		sed -e 's/^psql:<stdin>:[0-9]*: //' -e '/^WARNING:  the rule clock is mocked/d' -e '/^$/d' -e 's/^/   /' |
		cut -c1-"${COLUMNS:-240}"
	rc=${PIPESTATUS[1]}
	set -e
	if { [ "$expected" = accepted ] && [ "$rc" != 0 ]; } || { [ "$expected" = refused ] && [ "$rc" = 0 ]; }; then
		echo "demo: expected this to be $expected" >&2
		exit 1
	fi
}
accepted() { ask accepted "$1"; }
refused() { ask refused "$1"; }
table() { expanded=off ask accepted "$1"; }

# The guard at work from FROM to TO, a round a minute: it writes the gate log, which tells quiet times from others.
watch() {
	admin -At -c "do \$\$ begin for i in 1 .. floor(extract(epoch from timestamptz '$2+00' - timestamptz '$1+00') / 60)::int loop
		perform set_config('chat_v11.mock_now', (timestamptz '$1+00' + i * interval '1 min')::text, true);
		perform chat_v11.guard_tick();
		end loop; end \$\$"
}

# Loads the traffic of a span by COPY, hour by hour, and folds it: load FROM TO SHARE [OPTION]...
# guard= before it: no guard is at work then.
guard=on
load() {
	local from=$1 to=$2 share=$3 next n
	shift 3
	while [[ "$from" < "$to" ]]; do
		next=$(date -u -d "$from UTC + 1 hour" '+%F %T')
		[[ "$next" < "$to" ]] || next=$to
		at "$(date -u -d "$next UTC + 1 minute" '+%F %T')"
		n=$("$traffic" --seed 11 --from "${from/ /T}Z" --to "${next/ /T}Z" --share "$share" "$@" |
			admin -At -c "\\copy chat_v11.event (at, kind, cohort, actor, subject, value) from pstdin" -c "select chat_v11.fold()" >/dev/null &&
			admin -At -c "select folded_events from chat_v11.fold_status()")
		printf '   ... traffic until %s UTC, %s %% on v1.1: %7d events folded so far\n' "$next" "$share" "$n"
		total=$n
		[ -z "$guard" ] || watch "$from" "$next"
		from=$next
	done
	at "$to"
}

gates="select rollout_decision, gate_p0_ok, gate_p1_ok, gate_rollout_ok, reasons from public.chat_get_v11_release_gates();"

chapter "Installation: the extension, a role for the people on call, a role for the backend's telemetry"
at "2026-03-02 16:00:00"
admin -c "create extension chat_v11" -c "create role oncall login" -c "create role backend login" \
	-c "select chat_v11.grant_access('oncall', 'operator')" -c "select chat_v11.grant_access('backend', 'reporter')" -c "select chat_v11.grant_access('backend', 'reader')" >/dev/null
say "create extension chat_v11; grant_access('oncall', 'operator'); grant_access('backend', 'reporter'); grant_access('backend', 'reader')"
# The chat's backend: one session, with one transaction that stays open from before the kill to after it.
coproc backend { psql -X -qAt -U backend -v ON_ERROR_STOP=1 2>&1; }
backend_pid=$!
tell_backend() { printf '%s\n' "$1" >&"${backend[1]}"; }
users_of() { # how many of ten thousand users get v1.1
	local n
	tell_backend "select count(*) filter (where public.chat_is_v11_enabled(i::text)) from generate_series(1, 10000) i;"
	read -r n <&"${backend[0]}"
	printf '%s' "$n"
}

load "2026-03-02 15:30:00" "2026-03-02 16:00:00" 0 --kill --writes-per-hour 12000 --sparse-control 10
accepted "select * from public.chat_get_v11_rollout_state();"
say ""
say "The control's traffic is there; rare kinds that no healthy chat reports are attested once."
accepted "select what, ok, attested_by from chat_v11.attest('telemetry:pending_forever', 'client dashboards, checked before the start', true);"
accepted "select what, ok, attested_by from chat_v11.attest('telemetry:resync_request', 'gateway metrics, checked before the start', true);"

chapter "canary_1: one percent"
accepted "select stage, kill_switch, rollout_percent, version, next_step from public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');"
load "2026-03-02 16:00:00" "2026-03-02 16:29:59" 1 --writes-per-hour 12000 --sparse-control 10 --share-since 2026-03-02T16:00:00Z
say "One second too early, and too few writes:"
refused "select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"
load "2026-03-02 16:29:59" "2026-03-02 17:00:00" 1 --writes-per-hour 12000 --sparse-control 10
accepted "select * from public.chat_get_v11_release_gates();"
accepted "select stage, kill_switch, rollout_percent, version, earliest_promote_at, next_step from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"

chapter "canary_10: a P1 wobble, slow receipts and rejected writes, that clears by itself"
load "2026-03-02 17:00:00" "2026-03-02 18:40:00" 10 --sparse-control 10 --share-since 2026-03-02T17:00:00Z
load "2026-03-02 18:40:00" "2026-03-02 19:00:00" 10 --sparse-control 10 --wobble
say "The two hours are over, and the gates are not green:"
accepted "$gates"
refused "select * from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');"
load "2026-03-02 19:00:00" "2026-03-02 19:20:00" 10 --sparse-control 10
say "The wobble has left the window, but it has not been quiet for long enough:"
refused "select * from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');"
load "2026-03-02 19:20:00" "2026-03-02 19:50:00" 10 --sparse-control 10
accepted "select stage, kill_switch, rollout_percent, version, earliest_promote_at, next_step from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');"

say ""
say "The backend asks on every request; half of its users are in, and whoever was in at 1 and 10 percent still is:"
table "select * from chat_v11.cohort_share((select array_agg(i::text) from generate_series(1, 10000) i));"

chapter "canary_50: at half past midnight one receipt is lost"
load "2026-03-02 19:50:00" "2026-03-03 00:30:00" 50 --writes-per-hour 6000 --sparse-control 10 --sessions-per-write 2 --share-since 2026-03-02T19:50:00Z
accepted "$gates"
guard= load "2026-03-03 00:30:00" "2026-03-03 00:32:00" 50 --writes-per-hour 6000 --sparse-control 10 --sessions-per-write 2 --lose-receipts 1
accepted "$gates"
tell_backend "begin isolation level repeatable read;"
before=$(users_of)
say "The playbook: kill first, then look."
accepted "select stage, kill_switch, rollout_percent, version, next_step from public.chat_set_v11_rollout_state('canary_1', true, 'incident P0');"
after=$(users_of)
say ""
say "The chat's backend asks chat_is_v11_enabled() for 10000 users, in a REPEATABLE READ transaction that it opened before"
say "the kill: $before of them got v1.1 then, and $after get it now."
tell_backend "rollback;"
[ "$before" -gt 4500 ] && [ "$after" = 0 ] || { echo "demo: the kill did not reach the cohort" >&2; exit 1; }
table "select * from chat_v11.missing_receipts();"
key=$(admin -At -c "select key from chat_v11.missing_receipts(1)")
table "select at, kind, cohort, since_ack, remark from chat_v11.trace_write('$key');"
say "Nobody gets around it:"
refused "select * from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');"
say "Not the owner of the tables either, by hand:"
printf '\n%s%s UTC  postgres=# update chat_v11.rollout_state set kill_switch = false;%s\n' "$bold" "${clock%+00}" "$plain"
! admin -c "update chat_v11.rollout_state set kill_switch = false" 2>&1 | sed -e 's/^/   /' | cut -c1-"${COLUMNS:-240}" | grep . || exit 1

chapter "Recovery: half an hour without a breach, then one percent again, through the night"
load "2026-03-03 00:32:00" "2026-03-03 01:05:00" 0 --kill --sparse-control 10
accepted "$gates"
accepted "select stage, kill_switch, rollout_percent, version, next_step from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');"
load "2026-03-03 01:05:00" "2026-03-03 04:00:00" 1 --writes-per-hour 12000 --sparse-control 10 --share-since 2026-03-03T01:05:00Z
say "At four in the morning one percent is too little to know anything, and unknown is never green:"
refused "select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"
load "2026-03-03 04:00:00" "2026-03-03 08:30:00" 1 --writes-per-hour 12000 --sparse-control 10
accepted "select stage, kill_switch, rollout_percent, version from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"
load "2026-03-03 08:30:00" "2026-03-03 10:30:00" 10 --sparse-control 10 --share-since 2026-03-03T08:30:00Z
accepted "select stage, kill_switch, rollout_percent, version from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');"
load "2026-03-03 10:30:00" "2026-03-03 22:30:00" 50 --writes-per-hour 6000 --sparse-control 10 --sessions-per-write 2 --share-since 2026-03-03T10:30:00Z

chapter "full: everybody"
accepted "$gates"
accepted "select stage, kill_switch, rollout_percent, version from public.chat_set_v11_rollout_state('full', false, 'promote to full');"
load "2026-03-03 22:30:00" "2026-03-04 16:00:00" 100 --writes-per-hour 2000 --sessions-per-write 2 --share-since 2026-03-03T22:30:00Z
accepted "select * from public.chat_get_v11_rollout_state();"

chapter "The telemetry: each event once, in the buckets"
table "select lag_events, folded_events, pending_writes, pg_size_pretty(event_bytes) as events, pg_size_pretty(bucket_bytes) as buckets, pg_size_pretty(write_bytes) as writes from chat_v11.fold_status();"
miscounted=$(admin -At -c "select (select count(*) from chat_v11.event) - (select sum(count) from chat_v11.metric_bucket)")
[ "$miscounted" = 0 ] || { echo "demo: the buckets are off by $miscounted events" >&2; exit 1; }

chapter "The decision log, and whether it holds together"
table "select id, to_char(changed_at at time zone 'UTC', 'DD HH24:MI:SS') as utc, transition, from_stage || case when from_kill_switch then ' killed' else '' end as from, to_stage || case when to_kill_switch then ' killed' else '' end as to, decision, approved_by, note, left(encode(hash, 'hex'), 12) as hash from public.chat_get_v11_rollout_history(50);"
table "select count(*) as rows_that_do_not_fit from chat_v11.verify_history();"
broken=$(admin -At -c "select count(*) from chat_v11.verify_history()")
[ "$broken" = 0 ] || { echo "demo: the log does not verify" >&2; exit 1; }
tell_backend "\\q"
wait "$backend_pid"
printf '\n%d events, two simulated days, %d seconds.\n' "$total" $((SECONDS - began))
