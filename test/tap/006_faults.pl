# Every place where a call may fail, one after the other.  chat_v11.fault = 'KIND:N' makes the N-th crossing between the
# extension and the server go wrong; N goes up until a call gets through without meeting it. The error must be the right
# one, and the backend, the state and the log must be as if nothing had been asked.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Every N up to the first, and from there on every so-manieth, at other places for each kind.  CHAT_V11_FAULTS=all goes
# to every single one, which takes some minutes.
my ($dense, $stride) = (60, 17);

my %sqlstate = (exception => 'XX000', bad_alloc => '53200', error => '58030', cancel => '57014');

my $node = new_node('main', conf => "log_min_messages = fatal\n");
easy_rollout($node);
ask($node, <<~'SQL');
	CREATE ROLE somebody;
	CREATE TABLE copied (kind chat_v11.event_kind, cohort chat_v11.cohort);
	CREATE TABLE batch AS SELECT jsonb_agg(jsonb_build_object('kind', 'write_ack', 'cohort', 'v10',
		'subject', gen_random_uuid(), 'at', now(), 'value', 1.5)) AS events FROM generate_series(1, 5);
	SQL
my $binary = $PostgreSQL::Test::Utils::tmp_check . '/copied.bin';
ask($node, "COPY (SELECT kind, cohort FROM chat_v11.event LIMIT 3) TO '$binary' (FORMAT binary)");

# Each call, by name.  What may come of it besides the fault's own error:
#   refused  it is refused anyway, with this SQLSTATE
#   closed   telemetry that cannot be read closes the gate, PT412
#   reads    telemetry that cannot be read is told of in the answer
#   bounded  nothing that goes wrong while the gates are read stops it; the log then says that they were not read
#   before   comes first, in the same transaction; the call then stands in a savepoint
#   after    what the next statement of that session must find: nothing of the failed call may stick to it
#   told     what goes wrong may be told by a row of the answer
#   litter   leaves dead events, which are folded away first: else each call takes more crossings than the one before
#   every    every N for the kind "error": nothing may keep a kill from going through
# Two buckets of the canary analysis are due, and those before are closed.
my $now = ask($node, "SELECT date_bin('10 s', clock_timestamp(), '2020-01-01')");
ask($node, "SET chat_v11.mock_now = '$now'; SELECT chat_v11.fold()");
my $stand_still = "SET LOCAL chat_v11.mock_now = '" . ask($node, "SELECT '$now'::timestamptz + interval '20 s'") . "'";
my $hold_after = [ 'UPDATE chat_v11.rollout_state SET stage = stage', 'hold/f/-' ];
my @calls = (
	{ name => 'promote', sql => set_sql('canary_10', 'false'), closed => 1, reads => 1 },
	{ name => 'promote in a savepoint', before => 'SELECT 1', sql => set_sql('canary_10', 'false'), closed => 1,
		reads => 1 },
	{ name => 'kill', sql => set_sql('canary_10', 'true'), bounded => 1, every => 1, after => $hold_after },
	{ name => 'kill in a savepoint', before => 'SELECT 1', sql => set_sql('canary_10', 'true'), bounded => 1 },
	{ name => 're-kill', before => set_sql('canary_1', 'true'), sql => set_sql('canary_1', 'true'), bounded => 1 },
	{ name => 'kill by hand', sql => 'UPDATE chat_v11.rollout_state SET kill_switch = true', bounded => 1 },
	{ name => 'hold', sql => set_sql('canary_1', 'false'), bounded => 1, reads => 1 },
	{ name => 'rollback', before => set_sql('canary_10', 'false'), sql => set_sql('canary_1', 'false'), bounded => 1,
		reads => 1 },
	{ name => 'resume', before => set_sql('canary_1', 'true'), sql => set_sql('canary_1', 'false'), closed => 1,
		reads => 1 },
	{ name => 'illegal step', sql => set_sql('full', 'false'), refused => 'PT409' },
	{ name => 'force',
		sql => "SELECT chat_v11.force_rollout_state('canary_10', false, 'the drill needs all of this now', 'somebody')",
		reads => 1, after => $hold_after, closed => 1 },
	{ name => 'update by hand', sql => "UPDATE chat_v11.rollout_state SET stage = 'canary_10'", closed => 1 },
	{ name => 'delete by hand', sql => 'DELETE FROM chat_v11.rollout_state', refused => 'PT405' },
	{ name => 'truncate', sql => 'TRUNCATE chat_v11.gate_log', refused => 'PT405' },
	{ name => 'forged log',
		sql => 'INSERT INTO chat_v11.rollout_history SELECT * FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1',
		refused => 'PT405' },
	{ name => 'young delete', sql => "DELETE FROM chat_v11.event WHERE kind = 'read_cursor'", refused => 'PT405' },
	{ name => 'state', sql => 'SELECT * FROM chat_get_v11_rollout_state()', reads => 1 },
	{ name => 'gates', sql => 'SELECT * FROM chat_get_v11_release_gates()', reads => 1 },
	{ name => 'history', sql => 'SELECT * FROM chat_get_v11_rollout_history(5)' },
	{ name => 'explain', sql => 'SELECT * FROM chat_v11.explain_gates()', reads => 1 },
	{ name => 'explain at', sql => 'SELECT * FROM chat_v11.explain_gates(now())', reads => 1 },
	{ name => 'what if',
		sql => q{SELECT * FROM chat_v11.what_if('{"cohort_share": {"limit": 1}, "settings": {"metric_window_s": 60}}')},
		reads => 1 },
	# Where the clock goes on, each call has other buckets to close than the one before.
	{ name => 'fold', before => $stand_still, sql => 'SELECT chat_v11.fold()', told => 1 },
	{ name => 'guard_tick', before => $stand_still, sql => 'SELECT * FROM chat_v11.guard_tick()', told => 1 },
	{ name => 'verify', sql => 'SELECT * FROM chat_v11.verify_history()' },
	{ name => 'metrics', sql => "SELECT * FROM chat_v11.metrics(now() - interval '1 h', now())" },
	{ name => 'missing', sql => 'SELECT * FROM chat_v11.missing_receipts(5)' },
	{ name => 'set_check', sql => "SELECT chat_v11.set_check('write_reject_rate', p_limit => 0.5, p_note => 'x')",
		bounded => 1,
		after => [ "UPDATE chat_v11.gate_check SET limit_value = 0.4 WHERE name = 'write_reject_rate'",
			'config/f/-' ] },
	{ name => 'set_policy', sql => "SELECT chat_v11.set_policy('full', '1 h')", bounded => 1 },
	{ name => 'set_setting', sql => "SELECT chat_v11.set_setting('metric_window', '20 min')", bounded => 1 },
	{ name => 'attest', sql => "SELECT chat_v11.attest('telemetry:recovery_done', 'fault test')", bounded => 1 },
	{ name => 'record', sql => "SELECT chat_v11.record('write_ack', 'v11', gen_random_uuid(), gen_random_uuid())" },
	{ name => 'record_batch', sql => 'SELECT chat_v11.record_batch(events) FROM batch' },
	{ name => 'preflight', sql => 'SELECT * FROM chat_v11.preflight()', told => 1, litter => 1 },
	{ name => 'bad batch', sql => q{SELECT chat_v11.record_batch('[{"kind": "nonsense"}]')}, refused => '22023' },
	{ name => 'insert', sql => "INSERT INTO chat_v11.event (kind, cohort) VALUES ('read_cursor', 'v10')" },
	# Within, the event trigger lets pass what it cannot judge.
	{ name => 'grant', sql => "SELECT chat_v11.grant_access('somebody', 'operator')", told => 1 },
	{ name => 'revoke', before => "SELECT chat_v11.grant_access('somebody', 'reader')",
		sql => "SELECT chat_v11.revoke_access('somebody', 'reader')", told => 1 },
	{ name => 'types', sql => 'SELECT k::text::chat_v11.event_kind, chat_v11.event_kind_send(k), '
		  . 'chat_v11.cohort_send(c), '
		  . 'c::text::chat_v11.cohort FROM (SELECT kind AS k, cohort AS c FROM chat_v11.event LIMIT 2) e' },
	{ name => 'binary in', sql => "COPY copied FROM '$binary' (FORMAT binary)" });

# A function that the list does not know is at least called with nulls, so that a new one is not forgotten.
my $named = join ' ', map { "$_->{sql} " . ($_->{before} // '') } @calls;
foreach my $line (split /\n/, ask($node, <<~'SQL'))
	SELECT n.nspname || '.' || p.proname || '|' ||
		coalesce((SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY i)
			FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a(t, i)), '')
	FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'chat_v11') AND p.prokind = 'f'
		AND p.prorettype <> 'trigger'::regtype
		AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype, 'cstring'::regtype]::oid[]
		AND p.proname !~ '_(eq|ne|lt|le|gt|ge|cmp|hash)$'
	ORDER BY 1
	SQL
{
	my ($function, $arguments) = split /\|/, $line, -1;
	my ($plain) = $function =~ /([^.]*)$/;
	next if $named =~ /\b$plain\b/;
	push @calls, { name => $function, sql => "SELECT * FROM $function($arguments)", nulls => 1 };
}

# What must not change: the version, the number of rows in the log, and that of the events.
my $seen_sql = "SELECT concat_ws('/', version, (SELECT count(*) FROM chat_v11.rollout_history), "
  . '(SELECT count(*) FROM chat_v11.event)) AS seen FROM chat_v11.rollout_state';
my $seen = ask($node, $seen_sql);

# Whether the call changes the state, and so writes the gate log.
sub changes
{
	my ($call) = @_;
	return $call->{sql} =~ /(set|force)_(v11_)?rollout_state|(UPDATE|INTO) chat_v11\.rollout_state/;
}

# Runs one call with a fault at each of the given places.  A line for each: the place; the call's SQLSTATE; that of the
# next crossing, which meets the fault if the call did not; what is then to be seen; whether it killed, and unseeing;
# and how the next statement was logged.
sub walk
{
	my ($call, $kind, @places) = @_;
	my $sql = "SET client_min_messages = error;\n\\o /dev/null\n";
	# The gate log only repeats what the log has, so a change goes on without it.
	my $killed_sql = "SELECT s.kill_switch AS killed, h.gates ?| ARRAY['unavailable', 'telemetry_error', 'gate_log_error', 'incident_error', 'analysis_error'] "
	  . "OR h.transition <> 'config' "
	  . 'AND NOT EXISTS (SELECT FROM chat_v11.gate_log g WHERE g.version = h.version) AS blind '
	  . 'FROM chat_v11.rollout_state s, chat_v11.rollout_history h ORDER BY h.id DESC LIMIT 1';
	my $found_sql = "SELECT concat_ws('/', transition, overridden, coalesce(note, '-')) AS found "
	  . 'FROM chat_get_v11_rollout_history(1)';
	my $probe = "SELECT count(*) FROM chat_v11.missing_receipts(1);\n\\set probe :SQLSTATE\n";
	foreach my $at (@places)
	{
		$sql .= "SELECT chat_v11.fold();\n" if $call->{litter};
		my $run = "$call->{sql};\n\\set state :SQLSTATE\n\\set killed -\n\\set blind -\n\\set found -\n";
		$run .= "$killed_sql\n\\gset\n" if $call->{bounded} || changes($call);
		$sql .=
		  $call->{before}
		  ? "BEGIN; $call->{before}; SET LOCAL chat_v11.fault = '$kind:$at'; SAVEPOINT s;\n${run}"
		  . "ROLLBACK TO s;\n${probe}ROLLBACK;\n"
		  : "SET chat_v11.fault = '$kind:$at'; BEGIN;\n${run}ROLLBACK;\n${probe}SET chat_v11.fault = '';\n";
		$sql .= "BEGIN; $call->{after}[0]; $found_sql\n\\gset\nROLLBACK;\n" if $call->{after};
		$sql .= "$seen_sql\n\\gset\n\\echo AT $at :state :probe :seen :killed :blind :found\n";
	}
	$sql .= "SELECT count(*) AS misfits FROM chat_v11.verify_history()\n\\gset\n\\echo END :misfits\n";
	my ($rc, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0);
	return "psql ended with $rc: " . (split /\n/, $err)[-1] if $rc != 0;
	return 'the log does not verify' unless $out =~ /^END 0$/m;
	return map { [ split ' ' ] } $out =~ /^AT (.*)$/mg;
}

# What is wrong with the outcome of one fault that was met.
sub judge
{
	my ($call, $kind, $state, $killed, $blind) = @_;
	return if $state eq $sqlstate{$kind};
	return if ($call->{nulls} || $call->{told}) && $state eq '00000';
	# Out of memory and cancelled is not unreadable.
	my $unreadable = $kind eq 'error' || $kind eq 'exception';
	return if $call->{reads} && $unreadable && $state eq '00000';
	return if $call->{closed} && $unreadable && $state eq 'PT412';
	return if changes($call) && !$call->{bounded} && $kind ne 'cancel' && $state eq '00000' && $blind eq 't';
	if ($call->{bounded} && $kind ne 'cancel' && $state eq '00000')
	{
		return 'not killed' if $call->{name} =~ /kill/ && $killed ne 't';
		return 'the log does not tell that the gates were not read' if $blind ne 't' && !$call->{reads};
		return;
	}
	return "SQLSTATE $state";
}

my $total = 0;
foreach my $call (@calls)
{
	my (@wrong, @reach);
	my $shift = 0;
	foreach my $kind (sort keys %sqlstate)
	{
		my $all = $ENV{CHAT_V11_FAULTS} || $call->{every} && $kind eq 'error';
		my ($next, $reached) = (1, undef);
		until (defined $reached || $next > 50_000 || @wrong > 5)
		{
			my $step = $all || $next == 1 ? 1 : $stride;
			my @answers = walk($call, $kind, map { $next + $step * $_ } 0 .. $dense - 1);
			foreach my $answer (@answers)
			{
				if (!ref $answer) { push @wrong, "$kind from $next on: $answer"; last; }
				my ($at, $state, $probe, $after, $killed, $blind, $found) = @$answer;
				push @wrong, "$kind:$at leaves $after, not $seen" if $after ne $seen;
				push @wrong, "$kind:$at: the next statement was logged as $found" if $call->{after}
					&& $found ne $call->{after}[1];
				if ($probe ne '00000')    # not met any more
				{
					$reached = $at - 1;
					push @wrong, "without a fault: SQLSTATE $state" if $state ne ($call->{refused} // '00000')
						&& !$call->{nulls};
					last;
				}
				$total++;
				my $why = judge($call, $kind, $state, $killed, $blind);
				push @wrong, "$kind:$at: $why" if $why;
			}
			$next += $step * $dense;
			$next += 4 * $shift++ if $step == 1 && !$all;
		}
		push @wrong, "$kind: no end in sight" unless defined $reached || @wrong;
		push @reach, $reached // '?';
	}
	is(join('; ', @wrong), '', "$call->{name} (@reach crossings)");
}
cmp_ok($total, '>', 1000, "$total faults were met");
is(verdict($node), 'sound', 'log');
unlike(server_log($node), qr/PANIC|TRAP|signal \d+|segfault|terminated by/, 'nothing alarming in the server log');

$node->stop;
done_testing();
