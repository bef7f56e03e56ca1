# Eight sessions at once, each with calls of every sort: legal, illegal, garbage, rolled back, cancelled.  After every
# round the log has no gap, each row starts where the one before ended, and its newest row is the state.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($rounds, $sessions, $calls) = (20, 8, 50);

my $seed = $ENV{CHAT_V11_SEED} || time ^ $$;
srand($seed);
diag("CHAT_V11_SEED=$seed repeats the calls of this run, though not their order");

my $node = new_node('main', conf => "max_prepared_transactions = 10\nlog_min_messages = log\n");
easy_rollout($node);

my @stages = qw(canary_1 canary_10 canary_50 full);
my $n = 0;

sub any { return $_[ int rand @_ ]; }

# One call, and whether anything but a refusal may come of it.
sub random_call
{
	my $note = 'call ' . ++$n;
	my $set = sub { 'SELECT stage, kill_switch, version FROM chat_set_v11_rollout_state(' . join(', ', @_) . ')' };
	my $sort = int rand 100;
	return $set->("'" . any(@stages) . "'", 'false', "'$note'") if $sort < 30;
		# start, promote, hold, rollback, skip, resume
	return $set->("'" . any(@stages) . "'", 'false', "'$note'", 'NULL', int rand 2 * $n) if $sort < 36;
	return $set->("'" . any(@stages, 'nonsense', '') . "'", 'true', "'$note'") if $sort < 50;
	return $set->("'canary_1'", 'false', "'resume'") if $sort < 62;
	return $set->(any("'canary_2'", 'NULL', "''", "E'\\t'", "repeat('x', 70000)"), any('false', 'NULL'),
		"'$note'") if $sort < 68;
	return $set->("'canary_1'", 'false', "repeat('n', 5000)") if $sort < 70;
	return "UPDATE chat_v11.rollout_state SET stage = '" . any(@stages) . "'" if $sort < 75;
	return "UPDATE chat_v11.rollout_state SET kill_switch = " . any('true', 'false') if $sort < 78;
	# Not TRUNCATE: its table lock comes before any trigger, and may make a deadlock with a hand-written UPDATE.
	return any('DELETE FROM chat_v11.rollout_state',
		'UPDATE chat_v11.rollout_state SET version = 1',
		"INSERT INTO chat_v11.rollout_state (stage, kill_switch) VALUES ('canary_1', false)") if $sort < 82;
	return "SELECT stage FROM chat_v11.force_rollout_state('" . any(@stages)
		. "', false, 'nobody waits for a green gate', 'somebody else')" if $sort < 85;
	return "SELECT chat_v11.set_check('write_reject_rate', p_limit => " . rand() . ")" if $sort < 89;
	return "SELECT chat_v11.attest('telemetry:resync_request', '$note')" if $sort < 91;
	return "SELECT chat_v11.record('read_cursor', 'v11')" if $sort < 94;
	return any('SELECT count(*) FROM chat_v11.verify_history()', 'SELECT count(*) FROM chat_v11.explain_gates()',
		'SELECT version FROM chat_get_v11_rollout_state()');
}

# What a session does with a call.
sub script
{
	my ($count) = @_;
	my $sql = "SET client_min_messages = error; SET application_name = 'stress';\n";
	foreach (1 .. $count)
	{
		my $call = random_call();
		my $sort = int rand 10;
		if ($sort < 5) { $sql .= "$call;\n"; }
		elsif ($sort < 6) { $sql .= "BEGIN; $call; ROLLBACK;\n"; }
		elsif ($sort < 7) { $sql .= "BEGIN; SAVEPOINT s; $call; ROLLBACK TO s; " . random_call() . "; COMMIT;\n"; }
		elsif ($sort < 8) { $sql .= "BEGIN ISOLATION LEVEL " . any('REPEATABLE READ', 'SERIALIZABLE')
			. "; SELECT 1; $call; COMMIT;\n"; }
		elsif ($sort < 9) { $sql .= "SET statement_timeout = " . any(1, 2, 5, 20)
			. "; $call; RESET statement_timeout;\n"; }
		else { $sql .= "BEGIN; $call; " . random_call() . "; COMMIT;\n"; }
	}
	return $sql;
}

# Meanwhile somebody cancels, again and again, whatever runs.
my $cancel = <<'SQL';
SELECT pg_sleep(0.002 * random()), count(pg_cancel_backend(pid)) FROM (
	SELECT pid FROM pg_stat_activity WHERE application_name = 'stress' AND state = 'active'
	ORDER BY random() LIMIT 1) a;
SQL

my %outcome;
foreach my $round (1 .. $rounds)
{
	my @running = map { start_psql($node, "round_${round}_$_",
		script(int($calls / $sessions) + ($_ <= $calls % $sessions ? 1 : 0))) } 1 .. $sessions;
	push @running, start_psql($node, "cancel_$round", $cancel x 8);
	my $crashed = 0;
	foreach my $session (@running)
	{
		$session->{run}->finish;
		my $errors = slurp_file($session->{err});
		$outcome{$1}++ while $errors =~ /ERROR:  ([0-9A-Z]{5}):/g;
		$crashed++ if $errors =~ /server closed the connection|connection to server was lost/;
	}
	is($crashed, 0, "round $round: no session lost its server");
	is(verdict($node), 'sound', "round $round: log");
}

my $versions = ask($node, 'SELECT version FROM chat_v11.rollout_state');
my $kinds = ask($node, "SELECT string_agg(DISTINCT transition, ' ' ORDER BY transition) FROM chat_v11.rollout_history");
note("accepted $versions changes; refused: " . join(', ', map { "$_ $outcome{$_}" } sort keys %outcome));
# Otherwise the rounds above would have tested little.
cmp_ok($versions, '>', $rounds * 5, 'many changes were accepted');
is($kinds, 'config hold kill promote re-kill resume rollback start', 'of every sort');
foreach my $state (qw(PT409 PT405 22023 57014))
{
	cmp_ok($outcome{$state} // 0, '>', 0, "some were refused with $state");
}
my %known = map { $_ => 1 } qw(PT409 PT412 PT405 22023 57014 40001 25P02 42501 40P01);
is(join(' ', grep { !$known{$_} } sort keys %outcome), '', 'and none for a reason that no caller can mean');
is($outcome{'40P01'} // 0, 0, 'no deadlock');

my $log = server_log($node);
unlike($log, qr/PANIC|TRAP|FATAL|signal \d+|segfault|terminated by|ERROR:  XX/, 'nothing alarming in the server log');
# Each accepted change left one line, and no other did.
my $lines = () = $log =~ /LOG:  chat_v11: (?:version|config)/g;
is($lines, ask($node, 'SELECT count(*) FROM chat_v11.rollout_history'),
	'as many lines in the server log as rows in the decision log');
my @hashes = $log =~ /LOG:  chat_v11: (?:version|config).* hash ([0-9a-f]{64})/g;
is(join("\n", sort @hashes), ask($node, "SELECT encode(hash, 'hex') FROM chat_v11.rollout_history ORDER BY 1"),
	'with their hashes');

$node->stop;
done_testing();
