#!/usr/bin/env bash
# A whole rollout on generated traffic, as the people on call would see it: two simulated days, more than a million events,
# a regression that only the comparison with control sees, an incident that both cohorts share, a lost receipt for which
# the guard kills, the incident by the playbook from its opening to its postmortem, and full.
#
# Simulated time is watched by guard_tick(), a round for each two of its minutes.  For the breach it stands still, and a real
# worker takes over: how long it takes from the COMMIT to the kill is measured by a real clock.
# Runs against the server in PGHOST; `make demo` starts a throw-away one.
set -euo pipefail
cd "$(dirname "$0")/../.."

traffic=build/traffic
total=0
began=$SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/chat_v11_demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
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

# Lives through a span as it comes, two minutes at a time or as `step` says: what was reported until 20 s before the
# clock, so that receipts are there and nothing lies ahead, and then a round of the guard, which folds it.
# load FROM TO SHARE [OPTION]...
load() {
	local now to share=$3 said until TZ=UTC
	now=$(date -u -d "$1 UTC" +%s)
	to=$(date -u -d "$2 UTC" +%s)
	shift 3
	said=$({
		echo "set client_min_messages = error;"
		while [ "$now" -lt "$to" ]; do
			now=$((now + ${step:-120}))
			[ "$now" -lt "$to" ] || now=$to
			until=$((now - 20))
			printf "set chat_v11.mock_now = '%(%F %T)T+00';\n" "$now"
			printf '\\copy chat_v11.event (at, kind, cohort, actor, subject, value) from program '
			printf "'%s --seed 11 --from %(%FT%T)TZ --to %(%FT%T)TZ --share %s --sessions-per-write 1 %s'\n" "$traffic" "$loaded" "$until" "$share" "$*"
			echo "select action, remark from chat_v11.guard_tick() where action is not null or remark is not null;"
			loaded=$until
		done
	} | psql -X -q -At -v ON_ERROR_STOP=1 2>&1)
	[ -z "$said" ] || { echo "demo: a round of the guard: $said" >&2; exit 1; }
	loaded=$((to - 20))
	at "$(date -u -d "@$to" '+%F %T')"
	total=$(admin -At -c "select folded_events from chat_v11.fold_status()")
	printf '   ... until %s UTC, %s %% on v1.1: %7d events folded so far\n' "$(date -u -d "@$to" '+%F %T')" "$share" "$total"
}

# As the chat's backend, at the moment where the database's clock stands.
as_backend() { PGOPTIONS="-c client_min_messages=error -c timezone=UTC" psql -X -q -At -U backend -v ON_ERROR_STOP=1 "$@"; }

wait_for() { # CONDITION, at most 10 s
	local i
	for i in $(seq 100); do
		[ "$(admin -At -c "select $1")" = t ] && return
		sleep 0.1
	done
	echo "demo: waited in vain for: $1" >&2
	exit 1
}

# Somebody who listens: the first `state` that comes in goes to a file of his name, with the moment in ms.  psql tells of
# notifications after a statement, so it is given an empty one every 10 ms.  A backend acknowledges the version.
listen() { # NAME ROLE
	touch "$work/listening"
	(
		echo "listen chat_v11;"
		while [ -e "$work/listening" ]; do
			echo ";"
			sleep 0.01
		done
	) | PGAPPNAME=$1 psql -X -q -At -U "$2" 2>&1 | while read -r line; do
		moment=${EPOCHREALTIME/[.,]/}
		case $line in *'"event":"state"'*) ;; *) continue ;; esac
		payload=${line#*payload \"}
		printf '%s %s\n' $((moment / 1000)) "${payload%%\" received from*}" >"$work/$1"
		if [ "$2" = backend ]; then
			version=$(sed 's/.*"version":\([0-9]*\).*/\1/' <<<"$line")
			as_backend -c "select chat_v11.ack_version('$1', $version)" >/dev/null
			touch "$work/$1.acked"
		fi
	done &
}

reached="select 'the kill has reached ' || count(*) filter (where current) || ' of ' || count(*) as consumers from chat_v11.consumers();"
receipts="select c.status, c.value as ratio, c.limit_value as allowed, replace(c.reason, '; ', e';\n') as reason, c.what_to_do from chat_v11.explain_gates() c where c.check_name = 'write_receipt_compare';"
p95="select cohort, value as p95_ms, denominator as writes from chat_v11.metrics(chat_v11.clock() - interval '5 min', chat_v11.clock()) where metric = 'write_receipt_p95_ms' order by cohort desc;"
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

loaded=$(date -u -d "2026-03-02 15:30:00 UTC" +%s)
load "2026-03-02 15:30:00" "2026-03-02 16:00:00" 0 --kill --writes-per-hour 12000
accepted "select * from public.chat_get_v11_rollout_state();"
say ""
say "The control's traffic is there; rare kinds that no healthy chat reports are attested once."
accepted "select what, ok, attested_by from chat_v11.attest('telemetry:pending_forever', 'client dashboards, checked before the start', true);"
accepted "select what, ok, attested_by from chat_v11.attest('telemetry:resync_request', 'gateway metrics, checked before the start', true);"

say ""
say "What is compared with control needs bad events or many good ones.  This chat has few resyncs and rejects in a stage, so"
say "it decides beforehand, on record, that its gates rest on the comparison of receipts; the others are advice."
admin -At -P pager=off -c "select string_agg(c.name, ', ') from unnest('{write_reject_compare,forced_resync_compare,full_state_compare,err_resync_range_unavailable_baseline,err_resync_throttled_baseline,recovery_p95_ms}'::text[]) w, chat_v11.set_check(w, p_on_fail => 'advise', p_note => 'too few in a stage of this chat') c" | sed -e 's/^/   advise: /'

chapter "Preflight: what must hold before a start, told row by row"
accepted "select string_agg(o.role || ': ' || o.person, ', ') as on_call from (values ('IC', 'ic-oncall'), ('Backend', 'backend-oncall'), ('SRE', 'sre-oncall'), ('Frontend', 'frontend-oncall'), ('Scribe', 'scribe-oncall')) r(role, person), chat_v11.assign_oncall(r.role, r.person) o;"
accepted "select string_agg(what, ', ') as attested from unnest('{migrations,runbook,ci:canary_1}'::text[]) w, chat_v11.attest(w, 'link to where that was checked', true);"
say "One of them is a test: a synthetic breach turns each P0 check red, and is taken back unseen."
table "select name, ok, detail from chat_v11.preflight();"
[ "$(admin -At -c "select count(*) from chat_v11.preflight() where not ok")" = 0 ] || { echo "demo: preflight is not complete" >&2; exit 1; }

chapter "canary_1: one percent"
accepted "select stage, kill_switch, rollout_percent, version, next_step from public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');"
load "2026-03-02 16:00:00" "2026-03-02 16:29:59" 1 --writes-per-hour 30000 --share-since 2026-03-02T16:00:00Z
say "One second too early:"
refused "select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"
load "2026-03-02 16:29:59" "2026-03-02 17:00:00" 1 --writes-per-hour 30000
accepted "select * from public.chat_get_v11_release_gates();"
accepted "select stage, kill_switch, rollout_percent, version, earliest_promote_at, next_step from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"

chapter "canary_10: a build of v1.1 that is half as slow again, which no limit sees"
load "2026-03-02 17:00:00" "2026-03-02 17:40:00" 10 --writes-per-hour 20000 --share-since 2026-03-02T17:00:00Z
say "So far the canary is as good as control:"
accepted "$receipts"
say "At 17:40 a deployment makes the receipts of v1.1 take 1.5 times as long.  Watched every 20 seconds:"
step=20 load "2026-03-02 17:40:00" "2026-03-02 18:00:00" 10 --writes-per-hour 20000 --slow-canary 150
table "$p95"
say "The limit is 2,000 ms; for it all is well.  Control says otherwise:"
accepted "select check_name, status, value, limit_value from chat_v11.explain_gates() where check_name = 'write_receipt_p95_ms';"
accepted "$receipts"
accepted "$gates"
[ "$(admin -At -c "select rollout_decision from public.chat_get_v11_release_gates() where reasons[1] like 'P1 FAIL slow_receipts%'")" = HOLD ] ||
	{ echo "demo: the regression was not held" >&2; exit 1; }
say ""
say "How soon: the first bucket with FAIL, and the bet as it grew."
table "select to_char(at, 'HH24:MI:SS') as utc, canary_bad, canary_exposures, control_bad, control_exposures, round(ln_fail::numeric, 2) as ln_fail, verdict from chat_v11.analysis('write_receipt_p95_ms') where at >= (select min(at) from chat_v11.analysis('write_receipt_p95_ms') where verdict = 'FAIL') - interval '40 s' limit 6;"
found=$(admin -At -c "select extract(epoch from min(at) + interval '25 s' - '2026-03-02 17:40+00')::int from chat_v11.analysis('write_receipt_p95_ms') where verdict = 'FAIL'")
say "${bold}Found $found s after the deployment.$plain"
[ "$found" -gt 0 ] && [ "$found" -le 900 ] || { echo "demo: it took $found s" >&2; exit 1; }
say "It stays for the stage.  So: step back, mend it, and come again."
accepted "select stage, kill_switch, rollout_percent, version from public.chat_set_v11_rollout_state('canary_1', false, 'hold rollout for investigation');"
load "2026-03-02 18:00:00" "2026-03-02 18:50:00" 1 --writes-per-hour 30000 --share-since 2026-03-02T18:00:00Z
accepted "select stage, kill_switch, rollout_percent, version, next_step from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%, mended');"

chapter "canary_10: an incident that both cohorts share does not hold the rollout"
load "2026-03-02 18:50:00" "2026-03-02 19:30:00" 10 --writes-per-hour 20000 --share-since 2026-03-02T18:50:00Z
say "At 19:30 a disk makes everything take three times as long, for v1.1 and v1.0:"
step=20 load "2026-03-02 19:30:00" "2026-03-02 19:45:00" 10 --writes-per-hour 20000 --slow-all 300
table "$p95"
accepted "$receipts"
[ "$(admin -At -c "select count(*) from chat_v11.analysis('write_receipt_p95_ms') where verdict = 'FAIL'")" = 0 ] ||
	{ echo "demo: a shared incident was blamed on the canary" >&2; exit 1; }
load "2026-03-02 19:45:00" "2026-03-02 20:50:00" 10 --writes-per-hour 20000
accepted "$gates"
accepted "select stage, kill_switch, rollout_percent, version, earliest_promote_at, next_step from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');"

say ""
say "The backend asks on every request; half of its users are in, and whoever was in at 1 and 10 percent still is:"
table "select * from chat_v11.cohort_share((select array_agg(i::text) from generate_series(1, 10000) i));"

chapter "canary_50: at half past midnight one receipt is lost, and the guard kills"
load "2026-03-02 20:50:00" "2026-03-03 00:30:00" 50 --writes-per-hour 6000 --share-since 2026-03-02T20:50:00Z
accepted "$gates"
say ""
say "Everybody is asleep.  The rule clock stands at 00:32, and a worker takes over from the simulated rounds:"
at "2026-03-03 00:32:00"
admin -c "alter database $PGDATABASE set chat_v11.mock_now = '$clock'"
printf '\n%s%s UTC  postgres=# select chat_v11.start_guard();%s\n' "$bold" "${clock%+00}" "$plain"
admin -At -c "select chat_v11.start_guard()" >/dev/null
wait_for "state = 'guarding' from chat_v11.guard_status()"
table "select state, round_ms, lag_events, failures, remark from chat_v11.guard_status();"

say "Two backends say which version they run; one of them listens, and so does the pager of the person on call."
for name in chat-backend-1 chat-backend-2; do
	as_backend -c "select chat_v11.ack_version('$name', version) from public.chat_get_v11_rollout_state()" >/dev/null
done
listen pager oncall
listen chat-backend-1 backend
wait_for "count(*) = 2 from pg_stat_activity where application_name in ('pager', 'chat-backend-1') and query = ';'"
tell_backend "begin isolation level repeatable read;"
before=$(users_of)
say "And the chat's backend commits two minutes of traffic, in which one receipt is missing:"
# Its receipt is lost late enough that the guard's next look is the first that can see it.
night=(--seed 11 --share 50 --writes-per-hour 6000 --sessions-per-write 1)
"$traffic" "${night[@]}" --from 2026-03-03T00:29:40Z --to 2026-03-03T00:31:30Z >"$work/breach"
"$traffic" "${night[@]}" --from 2026-03-03T00:31:30Z --to 2026-03-03T00:32:00Z --lose-receipts 1 >>"$work/breach"
printf '\n%s%s UTC  backend=> \\copy chat_v11.event (at, kind, cohort, actor, subject, value) from pstdin%s\n' "$bold" "${clock%+00}" "$plain"
# The moment comes from the statement after the one that committed, in the same session.
committed=$(as_backend -c "\copy chat_v11.event (at, kind, cohort, actor, subject, value) from pstdin" \
	-c "select (extract(epoch from clock_timestamp()) * 1000)::bigint" <"$work/breach")
heard_all=
for _ in $(seq 250); do
	[ -s "$work/pager" ] && [ -s "$work/chat-backend-1" ] && [ -e "$work/chat-backend-1.acked" ] && { heard_all=1; break; }
	sleep 0.02
done
[ -n "$heard_all" ] || { echo "demo: not everybody heard of the kill within 5 s" >&2; exit 1; }
after=$(users_of)
slowest=0
say ""
for name in pager chat-backend-1; do
	read -r heard payload <"$work/$name"
	milliseconds=$((heard - committed))
	say "$name heard of it $milliseconds ms after the COMMIT:"
	say "$payload" | cut -c1-"${COLUMNS:-240}"
	[ "$milliseconds" -le "$slowest" ] || slowest=$milliseconds
done
say ""
say "${bold}Nobody has touched anything, and $slowest ms after the COMMIT the kill switch was on.$plain"
[ "$slowest" -le 2000 ] || { echo "demo: the kill took $slowest ms" >&2; exit 1; }
rm "$work/listening"
loaded=$(date -u -d "2026-03-03 00:32:00 UTC" +%s)
table "select id, transition, from_stage, to_stage, to_kill_switch as kill, decision, changed_by, note from public.chat_get_v11_rollout_history(1);"
[ "$(admin -At -c "select transition || ' by ' || changed_by from public.chat_get_v11_rollout_history(1)")" = "kill by chat_v11 guard" ] ||
	{ echo "demo: it was not the guard that killed" >&2; exit 1; }
say ""
say "The chat's backend asks chat_is_v11_enabled() for 10000 users, in a REPEATABLE READ transaction that it opened before"
say "the kill: $before of them got v1.1 then, and $after get it now."
tell_backend "rollback;"
[ "$before" -gt 4500 ] && [ "$after" = 0 ] || { echo "demo: the kill did not reach the cohort" >&2; exit 1; }
say ""
say "Whoever heard of it said so; the other backend has not come round to it yet:"
table "select consumer, version, current from chat_v11.consumers();"
accepted "$reached"
as_backend -c "select chat_v11.ack_version('chat-backend-2', version) from public.chat_get_v11_rollout_state()" >/dev/null
accepted "$reached"
say ""
# Simulated time goes on with guard_tick().
admin -At -c "select chat_v11.stop_guard()" >/dev/null
wait_for "pid is null from chat_v11.guard_status()"
admin -At -c "select chat_v11.start_guard(false)" >/dev/null
admin -c "alter database $PGDATABASE reset chat_v11.mock_now"

chapter "The incident, by the playbook"
# Nobody has v1.1 now; the control's traffic goes on, and the guard looks at it each minute.
clock_at() {
	load "${clock:0:10} ${clock:11:8}" "2026-03-03 $1:00" 0 --kill >/dev/null
}
clock_at 00:34
say "The pager has woken the person on call.  What has happened?"
told=$(admin -At -c "select chat_v11.handover()")
printf '%s\n' "$told" | sed -n -e '1p' -e '/^- State/p' -e '/^- Version/p' -e '/^- Note/p' -e '/^## Next/,/^## Gates/p' | sed -e '/^## Gates/d' -e '/^$/d' -e 's/^/   /' | cut -c1-"${COLUMNS:-240}"
say ""
say "Declared: with it come the slice of gates, state and history, and the freeze.  The kill is there already."
accepted "select chat_v11.open_incident('P0', 'a write at 50 % was acknowledged and got no receipt', 'ic-oncall') as incident;"
incident=$(admin -At -c "select incident from chat_v11.incidents()")
note() { accepted "select chat_v11.note_incident($incident, '$2', '$1');"; }
accepted "select incident, severity, title, ic, decision_due_at, decision_overdue from chat_v11.incidents();"

clock_at 00:36
say "Which write, and how far did it come?"
table "select * from chat_v11.missing_receipts();"
key=$(admin -At -c "select key from chat_v11.missing_receipts(1)")
table "select at, kind, cohort, since_ack, remark from chat_v11.trace_write('$key');"
note fact "pager and backends heard of the kill $slowest ms after the COMMIT of the breach, by the clock of the wall"
note fact "one write of one user, $key; others of the same minute have their receipts"

clock_at 00:39
say "The IC decides, every ten minutes; what the gates say at that moment is kept with it:"
note decision "stay killed; backend looks for the write in the ledger, frontend looks at the fallback"
clock_at 00:43
note check:5 "status_write answers within 5 s, and an unknown write goes to resync_stream: seen in the log of the gateway"
clock_at 00:48
note decision "stay killed: the receipt never left the backend, and which of its layers lost it is not known yet"
clock_at 00:54
note check:6 "emission of the receipt: ledger and store have the write, and the outbox has no row for it"
note action "the backend sends the receipt from what the ledger has"
admin -c "set session authorization backend" \
	-c "select chat_v11.record('write_receipt', 'v11', actor, key, null, '2026-03-03 00:54:00+00') from chat_v11.missing_receipts()" >/dev/null
clock_at 00:57
note decision "close and resume at 1 % as soon as the exit criteria hold, not before"
say "Not before, whoever is in a hurry.  What is missing, and when it can be over:"
refused "select chat_v11.close_incident($incident, 'the cause is known');"
refused "select * from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled');"
say "Not the owner of the tables either, by hand:"
printf '\n%s%s UTC  postgres=# update chat_v11.rollout_state set kill_switch = false;%s\n' "$bold" "${clock%+00}" "$plain"
! admin -c "update chat_v11.rollout_state set kill_switch = false" 2>&1 | sed -e 's/^/   /' | cut -c1-"${COLUMNS:-240}" | grep . || exit 1

clock_at 01:04
say "Half an hour without a breach.  The gates wait for nothing but the incident:"
accepted "$gates"
note decision "the exit criteria hold: close, and resume at 1 %"
clock_at 01:05
accepted "select chat_v11.close_incident($incident, 'no breach for half an hour, the receipt was sent, the layer is known') as lasted;"
accepted "select stage, kill_switch, rollout_percent, version, next_step from public.chat_set_v11_rollout_state('canary_1', false, 'resume controlled', 'ic-oncall');"

chapter "Through the night at one percent"
load "2026-03-03 01:05:00" "2026-03-03 04:00:00" 1 --writes-per-hour 12000 --share-since 2026-03-03T01:05:00Z
say "At four in the morning one percent is too little to know anything, and unknown is never green:"
refused "select * from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"
load "2026-03-03 04:00:00" "2026-03-03 08:30:00" 1 --writes-per-hour 12000

chapter "The review, in the morning: what is to be done, by whom and until when, and the postmortem"
item() { accepted "select chat_v11.add_action_item('$1', '$2', '$3', $incident) as item;"; }
item "test: a restart of the backend between store and outbox loses no receipt" backend-oncall 2026-03-10
item "alert: writes in the ledger that the outbox has no row for" sre-oncall 2026-03-06
item "guardrail: the outbox row is written in the transaction of the ledger" backend-oncall 2026-03-20
note check:9 "the page below, kept beside the decision log"
table "select n, point, done, remark from chat_v11.checklist($incident);"
[ "$(admin -At -c "select count(*) from chat_v11.checklist($incident) where done")" = 10 ] || { echo "demo: the checklist is not done" >&2; exit 1; }
printf '\n%s%s UTC  oncall=> select chat_v11.postmortem(%s);%s\n\n' "$bold" "${clock%+00}" "$incident" "$plain"
# Whole lines: this is a page, not a table.
admin -At -c "set session authorization oncall" -c "select chat_v11.postmortem($incident)" | tee "$work/postmortem" | sed -e 's/^/   /' -e 's/ *$//'
for told in "## What happened" "The guard killed the rollout at 00:32:00 UTC" "1 write got no receipt within 10 s" "33 min: killed at" "through the gate"; do
	grep -qF "$told" "$work/postmortem" || { echo "demo: the postmortem does not say: $told" >&2; exit 1; }
done

chapter "canary_10 and canary_50, again"
accepted "select stage, kill_switch, rollout_percent, version from public.chat_set_v11_rollout_state('canary_10', false, 'promote to 10%');"
load "2026-03-03 08:30:00" "2026-03-03 10:30:00" 10 --writes-per-hour 15000 --share-since 2026-03-03T08:30:00Z
accepted "select stage, kill_switch, rollout_percent, version from public.chat_set_v11_rollout_state('canary_50', false, 'promote to 50%');"
load "2026-03-03 10:30:00" "2026-03-03 22:30:00" 50 --writes-per-hour 6000 --share-since 2026-03-03T10:30:00Z

chapter "full: everybody"
accepted "$gates"
accepted "select stage, kill_switch, rollout_percent, version from public.chat_set_v11_rollout_state('full', false, 'promote to full');"
load "2026-03-03 22:30:00" "2026-03-04 16:00:00" 100 --writes-per-hour 2000 --share-since 2026-03-03T22:30:00Z
accepted "select * from public.chat_get_v11_rollout_state();"

chapter "The telemetry: each event once, in the buckets"
table "select lag_events, folded_events, pending_writes, pg_size_pretty(event_bytes) as events, pg_size_pretty(bucket_bytes) as buckets, pg_size_pretty(write_bytes) as writes from chat_v11.fold_status();"
miscounted=$(admin -At -c "select (select count(*) from chat_v11.event) - (select sum(count) from chat_v11.metric_bucket)")
[ "$miscounted" = 0 ] || { echo "demo: the buckets are off by $miscounted events" >&2; exit 1; }

chapter "The gate log: a row a round by the guard, which came every two minutes here, one at each change, and when a gate turned red or the decision changed"
table "select cause, count(*) as rows, count(*) filter (where decision = 'PROCEED') as proceed, count(*) filter (where not p1_ok) as p1_red, count(*) filter (where not p0_ok) as p0_red, max(at - before) as longest_gap from (select *, lag(at) over (order by at) as before from chat_v11.gate_log) g group by cause order by cause;"

chapter "The decision log, and whether it holds together"
table "select id, to_char(changed_at at time zone 'UTC', 'DD HH24:MI:SS') as utc, transition, from_stage || case when from_kill_switch then ' killed' else '' end as from, to_stage || case when to_kill_switch then ' killed' else '' end as to, decision, approved_by, note, left(encode(hash, 'hex'), 12) as hash from public.chat_get_v11_rollout_history(50);"
table "select count(*) as rows_that_do_not_fit from chat_v11.verify_history();"
broken=$(admin -At -c "select count(*) from chat_v11.verify_history()")
[ "$broken" = 0 ] || { echo "demo: the log does not verify" >&2; exit 1; }
tell_backend "\\q"
wait "$backend_pid"
printf '\n%d events, two simulated days, %d seconds.\n' "$total" $((SECONDS - began))
