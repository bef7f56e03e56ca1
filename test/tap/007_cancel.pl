# Calls that take long, and somebody who does not wait: statement_timeout, pg_cancel_backend, pg_terminate_backend.  A
# cancelled call changes nothing, its session goes on, and the next call works.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_node('main');
easy_rollout($node);
my $before = state($node);

# Waiting for one another's turn, or for a table, is where a call hangs.
my $holder = $node->background_psql('postgres');
my $caller = $node->background_psql('postgres', on_error_stop => 0);
$caller->query_safe('SET client_min_messages = error');
$caller->query_safe("SET chat_v11.kill_gate_timeout = '60s'; SET chat_v11.gate_timeout = '60s'");
my $pid = $caller->query_safe('SELECT pg_backend_pid()');

# Starts $sql in the caller's session, does $act as soon as it waits for a lock, and gives the SQLSTATE that came of it.
sub interrupt
{
	my ($sql, $act) = @_;
	$caller->{stdin} .= "$sql;\n\\echo CODE :SQLSTATE\n";
	$caller->{run}->pump_nb;
	$node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid")
	  or die 'the call does not wait';
	ask($node, $act);
	$caller->{run}->pump until $caller->{stdout} =~ /^CODE (\S+)$/m || $caller->{timeout}->is_expired;
	my ($code) = $caller->{stdout} =~ /^CODE (\S+)$/m;
	($caller->{stdout}, $caller->{stderr}) = ('', '');
	return $code;
}

my %waits = (
	'the queue of changes' => set_sql('canary_1', 'true', 'holder'),
	'the event files' => 'LOCK TABLE ' . join(', ', map { "chat_v11.event_$_" } 0 .. 7) . ' IN ACCESS EXCLUSIVE MODE');
my %calls = (
	'a promotion' => set_sql('canary_10', 'false'),
	'a kill' => set_sql('canary_1', 'true'),
	'a hold' => set_sql('canary_1', 'false'),
	'set_check' => "SELECT chat_v11.set_check('write_reject_rate', p_limit => 0.5)",
	'explain_gates' => 'SELECT count(*) FROM chat_v11.explain_gates()',
	'record' => "SELECT chat_v11.record('read_cursor', 'v11')");
foreach my $wait (sort keys %waits)
{
	foreach my $call (sort keys %calls)
	{
		next if $wait =~ /queue/ && $call =~ /explain|record/;    # they do not stand in it
		$holder->query_safe('BEGIN');
		$holder->query_safe($waits{$wait});
		is(interrupt($calls{$call}, "SELECT pg_cancel_backend($pid)"), '57014',
			"$call, cancelled while it waits for $wait");
		is($caller->query('SELECT 1'), '1', '... its session goes on');
		$holder->query_safe('ROLLBACK');
		is(state($node), $before, '... nothing changed');
		is(verdict($node), 'sound', '... log');
	}
}

# The same by the caller's own clock.
$holder->query_safe('BEGIN');
$holder->query_safe($waits{'the event files'});
$caller->query_safe("SET statement_timeout = '300ms'");
foreach my $call ('a promotion', 'explain_gates')
{
	$caller->query($calls{$call});
	is($caller->query('\echo :SQLSTATE'), '57014', "$call, stopped by statement_timeout");
	$caller->{stderr} = '';
}
# A kill leaves half of the caller's time to itself, although its own limit on reading is longer here.
$caller->query_safe('BEGIN');
like($caller->query_safe($calls{'a kill'}), qr/^canary_1\|t/, 'a kill does not use up a statement_timeout by reading');
$caller->query_safe('ROLLBACK');
# With its usual limit a kill goes through in the same time.
$caller->query_safe("SET statement_timeout = '10s'");
$caller->query_safe("SET chat_v11.kill_gate_timeout = '100ms'");
$caller->query_safe('BEGIN');
my $started = time;
like($caller->query_safe($calls{'a kill'}), qr/^canary_1\|t/, 'a kill does not wait for the event files');
cmp_ok(time - $started, '<', 5, '... for long');
$caller->query_safe('ROLLBACK');
# A limit that struck must not strike the statement after it.
is($caller->query_safe('SELECT count(*) FROM generate_series(1, 1000000), pg_sleep(0.3)'), '1000000',
	'... and leaves no cancel behind');
$caller->query_safe('RESET statement_timeout');

# What the gates may refuse does not wait for them either: whoever kills would wait for it.
sub soon
{
	my ($db, $sql) = @_;
	my $began = time;
	my (undef, $out, $err) =
	  $node->psql($db, "SET chat_v11.kill_gate_timeout = '100ms'; SET chat_v11.gate_timeout = '100ms'; SET client_min_messages = warning; $sql");
	cmp_ok(time - $began, '<', 5, '... within a bound');
	return "$out\n$err";
}
like(soon('postgres', $calls{'a promotion'}),
	qr/ERROR:  ERR_GATE_CLOSED: [^\n]*\n(.*\n)*.*telemetry cannot be read: it took longer than 100 ms/,
	'a promotion while the event files are locked: refused, and why');
is(state($node), $before, '... nothing changed');
my $waiting = $node->background_psql('postgres', on_error_stop => 0);
my $waiting_pid = $waiting->query_safe('SELECT pg_backend_pid()');
$waiting->{stdin} .= $calls{'a promotion'} . ";\n";
$waiting->{run}->pump_nb;
$node->poll_query_until('postgres',
	"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $waiting_pid") or die;
$started = time;
like(ask($node, "SET client_min_messages = error; BEGIN; $calls{'a kill'}; ROLLBACK"), qr/^canary_1\|t/m,
	'a kill behind a promotion that waits for the event files');
cmp_ok(time - $started, '<', 6, '... waits as long as that one may, and no longer');
$waiting->query('SELECT 1');
like($waiting->{stderr}, qr/ERR_GATE_CLOSED/, '... which is refused');
$waiting->quit;
like(soon('postgres', "BEGIN; $calls{'a kill'}; " . set_sql('canary_1', 'false', 'resume')),
	qr/ERROR:  ERR_GATE_CLOSED: .*\n(.*\n)*.*it took longer than 100 ms/, 'a resume: refused likewise');
$holder->query_safe('ROLLBACK');

$holder->query_safe('BEGIN; LOCK TABLE chat_v11.gate_check IN ACCESS EXCLUSIVE MODE');
like(soon('postgres', $calls{'a promotion'}),
	qr/ERR_GATE_CLOSED: promote is refused, the gates cannot be read\nDETAIL:  Their configuration: it took longer than 100 ms/,
	'a promotion while the checks are locked');
$holder->query_safe('ROLLBACK');

# A start is an operator's to decide: it is told what is not known.
ask($node, 'CREATE DATABASE unstarted');
$node->safe_psql('unstarted', 'CREATE EXTENSION chat_v11');
my $other = $node->background_psql('unstarted');
$other->query_safe('BEGIN; ' . $waits{'the event files'});
like(soon('unstarted', 'BEGIN; ' . set_sql('canary_1', 'false', 'start') . '; ROLLBACK'),
	qr/^canary_1\|f\|1\n(.*\n)*.*telemetry cannot be read: it took longer than 100 ms/, 'a start while the event files are locked');
like(soon('unstarted', "SELECT chat_v11.set_setting('preflight', 'enforce'); " . set_sql('canary_1', 'false', 'start')),
	qr/ERR_GATE_CLOSED: (.*\n)*.*telemetry cannot be read: it took longer than 100 ms/, '... refused where the preflight is enforced');
is(state($node, 'unstarted'), 'none', '... nothing changed');
$other->query_safe('ROLLBACK');
# A breach inside its window is lifted by nobody, also where it cannot be seen.
$node->safe_psql('unstarted', "SELECT chat_v11.set_setting('preflight', 'warn'); "
	  . "SELECT chat_v11.record('timeline_duplicate', 'v11', gen_random_uuid(), gen_random_uuid())");
my $force = "SELECT stage FROM chat_v11.force_rollout_state('canary_1', false, 'a note of twenty characters', 'somebody else')";
like(soon('unstarted', $force), qr/ERR_GATE_CLOSED: break-glass does not lift a P0 breach/, 'a forced start after a breach: refused');
$other->query_safe('BEGIN; LOCK TABLE chat_v11.metric_bucket IN ACCESS EXCLUSIVE MODE');
like(soon('unstarted', $force), qr/ERR_GATE_CLOSED: break-glass cannot tell whether there is a P0 breach/,
	'... and where telemetry is locked');
$other->query_safe('ROLLBACK');
# The settings, of which a first change asks for the bucketing.
$other->query_safe('BEGIN; LOCK TABLE chat_v11.setting IN ACCESS EXCLUSIVE MODE');
like(soon('unstarted', 'BEGIN; ' . set_sql('canary_1', 'false', 'start')),
	qr/ERR_GATE_CLOSED: the setting bucketing cannot be read\nDETAIL:  it took longer than 100 ms/, 'a start while the settings are locked');
like(soon('unstarted', set_sql('canary_1', 'true', 'kill')), qr/^canary_1\|t\|1$/m, 'a kill before the start: done');
$other->query_safe('ROLLBACK');
like(soon('unstarted', 'UPDATE chat_v11.rollout_history SET id = id; '), qr/ERR_APPEND_ONLY/, '... its log is one');
is(verdict($node, 'unstarted'), 'sound', '... and sound');
$other->quit;
$holder->query_safe('BEGIN; ' . $waits{'the event files'});

# Terminated: the session is gone, the others do not notice.
my $doomed = $node->background_psql('postgres', on_error_stop => 0);
$doomed->query_safe("SET chat_v11.gate_timeout = '60s'");
my $doomed_pid = $doomed->query_safe('SELECT pg_backend_pid()');
$doomed->{stdin} .= $calls{'a promotion'} . ";\n";
$doomed->{run}->pump_nb;
$node->poll_query_until('postgres',
	"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $doomed_pid") or die;
is(ask($node, "SELECT pg_terminate_backend($doomed_pid, 10000)"), 't', 'a promotion is terminated while it waits');
drop_session($doomed);
$holder->query_safe('ROLLBACK');
is(state($node), $before, '... nothing changed');
like($caller->query_safe($calls{'a hold'}), qr/^canary_1\|f/, '... and others go on');

# Work that takes processor time, not locks.
ask($node, "CREATE TABLE batch AS SELECT jsonb_agg(jsonb_build_object('kind', 'write_ack', 'cohort', 'v10', "
	  . "'subject', gen_random_uuid())) AS events FROM generate_series(1, 60000)");
ask($node, "INSERT INTO chat_v11.event (kind, cohort, subject) SELECT 'write_ack', 'v10', gen_random_uuid() "
	  . 'FROM generate_series(1, 300000)');
my $events = ask($node, 'SELECT count(*) FROM chat_v11.event');
my %slow = (
	'record_batch' => 'SELECT chat_v11.record_batch(events) FROM batch',
	'metrics' => "SELECT count(*) FROM chat_v11.metrics(now() - interval '1 h', now())",
	'explain_gates' => $calls{'explain_gates'},
	'a promotion' => $calls{'a promotion'});
$before = state($node);
foreach my $call (sort keys %slow)
{
	# A quarter of what the call takes on this machine, so that the time is up in its middle.
	my ($rc, $out, $err) = $node->psql('postgres', "\\timing on\nBEGIN;\n$slow{$call};\nROLLBACK;\n", on_error_stop => 0);
	my (undef, $whole) = $out =~ /^Time: ([0-9.]+) ms/mg;
	my $limit = max(1, int($whole / 4));
	$started = time;
	($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '${limit}ms';\n$slow{$call};\n");
	like($err, qr/canceling statement due to statement timeout/,
		"$call over many events, stopped by statement_timeout");
	cmp_ok(time - $started, '<', 3, '... soon');
	is(state($node) . ', ' . ask($node, 'SELECT count(*) FROM chat_v11.event') . ' events', "$before, $events events",
		'... nothing changed');
}
is(verdict($node), 'sound', 'log');
unlike(server_log($node), qr/PANIC|TRAP|signal \d+|segfault|terminated by signal/,
	'nothing alarming in the server log');

$_->quit foreach $holder, $caller;
$node->stop;
done_testing();
