# What it costs to ask who is in the cohort, beside what it is compared with.  Sourced by engine.sh.

cohort_rows=${COHORT_ROWS:-5000000}
cohort_few=100000 # rows for what is too slow for all of them

# A release at canary_50, ids that are UUIDs as texts, and the same rule as people would write it by hand: both read the
# state table at each call, and have the hash for nothing, since nobody would write that in SQL.
cohort_setup() {
	fresh
	query -o /dev/null -c "select chat_v11.force_rollout_state('canary_50', false, 'a benchmark needs no gate', 'bench')"
	query -v rows="$cohort_rows" -v few=$cohort_few -f - <<-'SQL'
		drop schema if exists bench cascade;
		create schema bench;
		create unlogged table bench.id as select md5(i::text)::uuid::text as id from generate_series(1, :rows) i;
		create unlogged table bench.few as select id from bench.id limit :few;
		create table bench.percent (stage text primary key, percent integer not null);
		insert into bench.percent values ('canary_1', 1), ('canary_10', 10), ('canary_50', 50), ('full', 100);
		create function bench.in_plpgsql(p_id text) returns boolean language plpgsql stable parallel safe as $$
		declare
			r record;
		begin
			if p_id is null or p_id = '' then
				return false;
			end if;
			select s.kill_switch, p.percent into r from chat_v11.rollout_state s join bench.percent p using (stage);
			return found and not r.kill_switch and chat_v11.bucket(p_id) < 100 * r.percent;
		end
		$$;
		create function bench.in_sql(p_id text) returns boolean language sql stable parallel safe as $$
			select coalesce(p_id <> '' and (select not s.kill_switch and chat_v11.bucket(p_id) < 100 * p.percent
				from chat_v11.rollout_state s join bench.percent p using (stage)), false)
		$$;
		-- Another algorithm in the middle of a rollout, which nobody else may have.
		create function bench.use(p_bucketing text) returns void language plpgsql as $$
		begin
			alter table chat_v11.rollout_state disable trigger "20_decide";
			alter table chat_v11.rollout_state disable trigger "30_log";
			update chat_v11.rollout_state set bucketing = p_bucketing;
			alter table chat_v11.rollout_state enable trigger "20_decide";
			alter table chat_v11.rollout_state enable trigger "30_log";
		end
		$$;
		vacuum analyze bench.id, bench.few, bench.percent;
	SQL
}

cohort_statement() { # NAME
	case $1 in
	bare) echo 'select count(*) from bench.id where id is not null;' ;;
	few) echo 'select count(*) from bench.few where id is not null;' ;;
	plpgsql) echo 'select count(*) from bench.few where bench.in_plpgsql(id);' ;;
	sql) echo 'select count(*) from bench.few where bench.in_sql(id);' ;;
	hashtext | hashtext_parallel) echo 'select count(*) from bench.id where hashtext(id) > 0;' ;;
	*) echo 'select count(*) from bench.id where public.chat_is_v11_enabled(id);' ;;
	esac
}

cohort_calls() {
	local names=(bare hashtext enabled unleash fnv1a few plpgsql sql hashtext_parallel enabled_parallel) turn i name
	# One session, whose statements follow one another in another order each time; the first round is to get warm.
	for turn in $(seq 0 "$runs"); do
		for i in "${!names[@]}"; do
			name=${names[(i + turn) % ${#names[@]}]}
			echo '\timing off'
			case $name in
			unleash | fnv1a) echo "select bench.use('$name');" ;;
			*) echo "select bench.use('flagd-v2');" ;;
			esac
			echo "set max_parallel_workers_per_gather = $([[ $name == *_parallel ]] && echo 2 || echo 0);"
			# The new state is read before the clock runs.
			echo "select public.chat_is_v11_enabled('1');"
			echo '\timing on'
			cohort_statement "$name"
			[ "$turn" = 0 ] || echo "$name" >>"$data/cohort.names"
		done
	done >"$data/cohort.sql"
	timings <"$data/cohort.sql" | tail -n +$((${#names[@]} + 1)) | paste -d' ' "$data/cohort.names" - |
		awk -v dir="$data/cohort." '{ print $2 > (dir $1) }'
	query -c "select bench.use('flagd-v2')" -o /dev/null
	for name in "${names[@]}"; do
		[ "$(wc -l <"$data/cohort.$name")" = "$runs" ] || { echo "no time of each turn for $name" >&2 && return 1; }
	done
	line() { # WHAT NAME BASE ROWS COMPARED_WITH TARGET
		paste "$data/cohort.$2" "$data/cohort.$3" | awk -v n="$4" '{ print ($1 - $2) * 1000000 / n }' >"$data/cohort.ns"
		printf '| %s | %s | %.1f | %.1f | %s | %s |\n' "$1" "$4" "$(median <"$data/cohort.$2")" "$(median <"$data/cohort.ns")" "$5" "$6"
	}
	of_hashtext() { calc '%.2f of hashtext' "$(ratio "$data/cohort.$1" "$data/cohort.$2")"; }
	# By the time of a whole row, scan and all, which is what somebody waits for; the bare calls are further apart.
	times_faster() {
		paste "$data/cohort.$1" "$data/cohort.enabled" |
			awk -v n=$cohort_few -v rows="$cohort_rows" '{ print ($1 / n) / ($2 / rows) }' | median |
			awk '{ printf "enabled is %.0f times as fast", $1 }'
	}
	printf '\nOne session, medians of %d turns in changing order; a call is the statement less the bare scan, by its rows.\n\n' "$runs"
	echo '| select count(*) ... where | rows | ms | ns a call | compared | target |'
	echo '| --- | ---: | ---: | ---: | --- | --- |'
	line 'id is not null (the bare scan)' bare bare "$cohort_rows" '' ''
	line 'hashtext(id) > 0' hashtext bare "$cohort_rows" '' ''
	line 'chat_is_v11_enabled(id)' enabled bare "$cohort_rows" "$(of_hashtext enabled hashtext)" 'at most 1.3'
	line 'the same, release by unleash' unleash bare "$cohort_rows" "$(of_hashtext unleash hashtext)" ''
	line 'the same, release by fnv1a' fnv1a bare "$cohort_rows" "$(of_hashtext fnv1a hashtext)" ''
	printf '| hashtext(id) > 0, parallel plan | %s | %.1f | | | |\n' "$cohort_rows" "$(median <"$data/cohort.hashtext_parallel")"
	printf '| chat_is_v11_enabled(id), parallel plan | %s | %.1f | | %s | |\n' "$cohort_rows" \
		"$(median <"$data/cohort.enabled_parallel")" "$(of_hashtext enabled_parallel hashtext_parallel)"
	line 'a plpgsql function that reads the state table' plpgsql few $cohort_few "$(times_faster plpgsql)" 'at least 20'
	line 'an SQL function that reads it' sql few $cohort_few "$(times_faster sql)" ''
}

# Whether a backend grows: its memory contexts, and what the kernel says is its own, before and after.
cohort_memory() {
	local calls=${COHORT_CALLS:-100000000} turns
	turns=$((calls / cohort_rows))
	query -F' ' -v turns=$turns -f - >"$data/cohort.memory" <<-'SQL'
		set max_parallel_workers_per_gather = 0;
		create function bench.ask(p_turns integer) returns void language plpgsql as $$
		begin
			for i in 1..p_turns loop
				perform count(*) from bench.id where public.chat_is_v11_enabled(id);
			end loop;
		end
		$$;
		select pg_backend_pid() as pid \gset
		\setenv BACKEND :pid
		\set look 'select sum(used_bytes), sum(total_bytes) from pg_backend_memory_contexts;'
		\o /dev/null
		select bench.ask(1);
		:look
		\o
		:look
		\! awk '/^RssAnon/ { print $2, "kB" }' /proc/$BACKEND/status
		\o /dev/null
		select bench.ask(:turns);
		\o
		:look
		\! awk '/^RssAnon/ { print $2, "kB" }' /proc/$BACKEND/status
	SQL
	awk -v calls=$((turns * cohort_rows)) '{ a[NR] = $1; b[NR] = $2 } END {
		printf "\nOver %d calls of one session the memory contexts went from %d to %d bytes in use (%d to %d taken), ", calls, a[1], a[3], b[1], b[3]
		printf "the backend'"'"'s own memory from %d to %d kB.\n", a[2], a[4] }' "$data/cohort.memory"
}

# The same answers by OpenFeature's own client in a process, on one core, from the document that the database gives.
cohort_flagd() {
	local ids=200000 turn name rate='' same
	cohort_serially() { (echo 'set max_parallel_workers_per_gather = 0;' && cat) | timings; }
	if ! command -v node >/dev/null || [ ! -d test/clients/node_modules/@openfeature/flagd-core ]; then
		printf '\nflagd-core was not measured: test/clients/run.sh installs it.\n'
		return
	fi
	query -c 'select chat_v11.flagd_config()' >"$data/flagd.json"
	query -c "copy (select id, case when public.chat_is_v11_enabled(id) then 't' else 'f' end from bench.id limit $ids) to stdout" >"$data/flagd.ids"
	for turn in $(seq "$runs"); do
		node test/bench/flagd.cjs "$data/flagd.json" "$data/flagd.ids" >"$data/flagd.out"
		read -r rate same <"$data/flagd.out"
		echo "$rate" >>"$data/flagd.rate"
		[ "$same" = "$ids" ] || { echo "flagd-core agrees on $same of $ids ids" >&2 && return 1; }
		for name in bare enabled bare enabled; do cohort_statement $name; done | cohort_serially | tail -n 2 | paste -d' ' - - |
			awk -v rows="$cohort_rows" -v dir="$data/" '{ print rows * 1000 / $2 > (dir "scan.rate")
				print rows * 1000 / ($2 - $1) > (dir "calls.rate") }'
		cat "$data/scan.rate" >>"$data/scans.rate"
		cat "$data/calls.rate" >>"$data/database.rate"
	done
	printf '\n| evaluations on one core | a second | of flagd-core | target |\n| --- | ---: | ---: | --- |\n'
	printf '| flagd-core %s in Node %s, same document, same ids, same answers | %.0f | | |\n' \
		"$(sed -n 's/^[[:space:]]*"version": "\(.*\)".*/\1/p' test/clients/node_modules/@openfeature/flagd-core/package.json)" \
		"$(node --version)" "$(median <"$data/flagd.rate")"
	printf '| chat_is_v11_enabled(id): %d rows, less the bare scan | %.0f | %.1f | at least 10 |\n' "$cohort_rows" \
		"$(median <"$data/database.rate")" "$(ratio "$data/database.rate" "$data/flagd.rate")"
	printf '| the same with the scan of the table that brings the ids | %.0f | %.1f | |\n' "$(median <"$data/scans.rate")" \
		"$(ratio "$data/scans.rate" "$data/flagd.rate")"
}

# Events whose cohort the database works out, beside the same ones that bring it along.
cohort_events() {
	local rows=500000 turn order way
	for way in with without; do
		query -c "copy (select timestamptz '$end' - interval '1 h', 'session_active', $([ $way = with ] && echo "'v10'" || echo null),
			md5(i::text)::uuid, null, null from generate_series(1, $rows) i) to stdout" >"$data/cohort.$way"
	done
	for turn in $(seq "$runs"); do
		fresh
		query -o /dev/null -c "create table actor as select md5(i::text)::uuid as id from generate_series(1, $rows) i" -c 'vacuum actor' -c checkpoint
		order=(with without)
		[ $((turn % 2)) = 1 ] || order=(without with)
		for way in "${order[@]}"; do
			timed "$(copy_from chat_v11.event "$data/cohort.$way")" >>"$data/cohort.copy.$way"
		done
		for way in "${order[@]}"; do
			timed "select count(chat_v11.record('session_active', $([ $way = with ] && echo "'v10'" || echo null), id)) from actor;" \
				>>"$data/cohort.record.$way"
		done
		query -c 'drop table actor'
	done
	printf '\n| %d events in one transaction | with cohort, µs an event | without | of with |\n| --- | ---: | ---: | ---: |\n' $rows
	for way in copy record; do
		printf '| %s | %.2f | %.2f | %.2f |\n' "$([ $way = copy ] && echo 'COPY from a file' || echo 'record()')" \
			"$(calc %f "$(median <"$data/cohort.$way.with") * 1000 / $rows")" \
			"$(calc %f "$(median <"$data/cohort.$way.without") * 1000 / $rows")" \
			"$(ratio "$data/cohort.$way.without" "$data/cohort.$way.with")"
	done
}

cohort_part() {
	cohort_setup
	cohort_calls
	cohort_memory
	cohort_flagd
	cohort_events
	query -c 'drop schema bench cascade'
	# Servers of its own, since it needs a standby and a subscriber.
	test/bench/kill_seen.sh
}
