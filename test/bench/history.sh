# history(50) on a long decision log.  Sourced by engine.sh.

# Rows go in as a dump's do: each hashed and chained, and looked at by the log's own guard.  They are changes of one check
# without the gates that the database writes with them, which makes them small; the newest 200 are real ones.
history_line() { # ROWS
	local ms sent
	query -o /dev/null -c "drop table if exists bare" -c "drop extension if exists chat_v11 cascade" \
		-c "create extension chat_v11" -v rows="$1" -f test/bench/history.sql
	for _ in $(seq 100); do
		echo "select chat_v11.set_check('write_reject_rate', 0.02);"
		echo "select chat_v11.set_check('write_reject_rate', 0.01);"
	done | query -o /dev/null
	[ -z "$(query -c 'select * from chat_v11.verify_history()')" ] || { echo 'the log does not verify' >&2 && return 1; }
	ms=$(for _ in $(seq 101); do echo 'select count(*) from public.chat_get_v11_rollout_history(50);'; done | timings | median)
	sent=$(for _ in $(seq 101); do echo 'select * from public.chat_get_v11_rollout_history(50);'; done | timings | median)
	printf '| %d | %.2f | %.2f |\n' "$(query -c 'select count(*) from chat_v11.rollout_history')" "$ms" "$sent"
}

history_part() {
	local rows
	printf '\nThe newest 50 rows of the decision log, medians of 101.\n\n'
	echo '| rows of the log | history(50), ms (target 1) | with every column sent to the client, ms |'
	echo '| ---: | ---: | ---: |'
	for rows in 1000 100000 ${full:+1000000}; do history_line "$rows"; done
}
