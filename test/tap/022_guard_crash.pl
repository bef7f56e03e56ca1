# kill -9 of the guard, of the server, a fast and an immediate stop, in the middle of rounds and under load.  No event is
# lost or counted twice, the log verifies, a breach that was committed is killed, and the guard is back within 10 s.
#
# CHAT_V11_ROUNDS=20 does each of them 20 times.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use Traffic;

my $rounds = $ENV{CHAT_V11_ROUNDS} || 1;
my $seed = $ENV{CHAT_V11_SEED} || int(time) ^ $$;
srand($seed);
diag("CHAT_V11_SEED=$seed repeats what is told, though not the moments");

my $node = guard_node('main', databases => 'postgres', conf => "chat_v11.guard_interval = '100ms'\n"
	  . "restart_after_crash = on\nmax_prepared_transactions = 100\nfsync = on\nmax_connections = 60\n");
ask($node, 'CREATE EXTENSION chat_v11');
easy_rollout($node);
ask($node, 'CREATE TABLE truth AS SELECT at, kind::text, cohort::text, actor, subject, value FROM chat_v11.event');
wait_guarding($node, 'postgres', undef, 15);
my $began = log_size($node);

# Sound traffic: no kind that any check counts against the rollout.
sub next_event
{
	return {
		at => int(time * 1_000_000) - between(0, 60_000_000),
		kind => any(qw(session_active timeline_delivered read_cursor write_started write_stored)),
		cohort => any(qw(v10 v11)), actor => uuid_of(0xac, int rand 1000), subject => undef, value => undef };
}

my $writers = 0;
sub write_beside
{
	my $name = 'writer_' . ++$writers;
	my $traffic = new_traffic(event => \&next_event, name => $name, truth => 1, fold => 1, pause => 0.05);
	return start_psql($node, $name, "SET client_min_messages = error;\n"
		  . join('', map { transaction($traffic) } 1 .. 500));
}

# Each of these leaves a server that is up, or comes up by itself.
my %attack = (
	'kill -9 of the guard' => sub { kill 'KILL', guard_pids($node, 'postgres'); usleep(200_000); },
	'kill -9 of the launcher' => sub {
		kill 'KILL', ask($node, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'chat_v11 launcher'");
		usleep(200_000);
	},
	'SIGTERM to the guard' => sub { kill 'TERM', guard_pids($node, 'postgres'); },
	'kill -9 of the postmaster' => sub { crash($node); poll_start($node); },
	'kill -9 of everybody' => sub { crash($node, all => 1); poll_start($node); },
	'a fast stop' => sub {
		my $start = time;
		$node->stop('fast');
		cmp_ok(time - $start, '<', 8, '... which takes less than 8 s');
		poll_start($node);
	},
	'an immediate stop' => sub { $node->stop('immediate'); poll_start($node); });

sub wait_up
{
	foreach my $attempt (1 .. 300)
	{
		return 1 if eval { $node->psql('postgres', 'SELECT 1', timeout => 10) == 0 };
		usleep(100_000);
	}
	BAIL_OUT('the server does not come back');
	return;
}

my $number = 0;
foreach my $round (1 .. $rounds)
{
	foreach my $how (sort keys %attack)
	{
		my @writing = map { write_beside() } 1 .. 3;
		usleep(between(300_000, 700_000));
		my $label = 'round ' . ++$number . ": $how";
		# Every other time with a breach that was confirmed just before.
		my $is_breach = $number % 2;
		if ($is_breach)
		{
			ask($node, "BEGIN; INSERT INTO truth SELECT at, kind, 'v11', NULL::uuid, NULL::uuid, NULL::float8 FROM (SELECT "
				  . "clock_timestamp() AS at, '" . ($number % 4 == 1 ? 'timeline_duplicate' : 'read_rollback')
				  . "' AS kind) x; INSERT INTO chat_v11.event (at, kind, cohort) SELECT at, kind::chat_v11.event_kind, 'v11' "
				  . 'FROM truth ORDER BY truth.at DESC LIMIT 1; COMMIT');
		}
		$attack{$how}->();
		wait_up();
		my $up = time;
		my $back = wait_until($node, 'postgres', 'SELECT state FROM chat_v11.guard_status()', 'guarding', 20);
		my $took = time - $up;
		note(sprintf '%s: guarding again after %.1f s', $label, $took);
		ok($back eq 'guarding' && $took <= 10, "$label: guarding again within 10 s") or diag("$back after $took s");
		is(wait_until($node, 'postgres', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 3), 't',
			'... the breach before it is killed for') if $is_breach;
		$_->{run}->kill_kill(grace => 1) foreach @writing;
		is(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'psql' AND state <> "
				. "'idle' AND pid <> pg_backend_pid()", 0, 10), 0, '... nobody writes any more');
		foreach my $gid (split /\n/, ask($node, 'SELECT gid FROM pg_prepared_xacts'))
		{
			ask($node, any('COMMIT', 'ROLLBACK') . " PREPARED '$gid'");
		}
		is(wait_until($node, 'postgres', 'SELECT lag_events FROM chat_v11.guard_status()', 0, 15), 0, '... all is folded');
		is(raw_differs($node), '0 too many, 0 lost', '... no event is lost or there twice');
		is(buckets_differ($node), '', '... nor counted so');
		is(verdict($node), 'sound', '... log');
		is(ask($node, "SELECT count(*) || ' of ' || count(DISTINCT pid) FROM pg_locks WHERE locktype = 'object' AND classid = "
				. '3079 AND objid = 0 AND objsubid = 3'), '1 of 1', '... one guard has the lock');
		is(scalar guard_pids($node, 'postgres'), 1, '... and it is the only one');
		# Live again for the next: whatever was broken is not looked at any more.
		ask($node, 'SET client_min_messages = error; TRUNCATE truth; DROP EXTENSION chat_v11 CASCADE; '
			  . 'CREATE EXTENSION chat_v11') if $is_breach;
		if ($is_breach)
		{
			easy_rollout($node);
			ask($node, 'INSERT INTO truth SELECT at, kind::text, cohort::text, actor, subject, value FROM chat_v11.event');
			wait_guarding($node, 'postgres', undef, 15);
		}
	}
}
{
	is(alarming($node, $began, qr/terminat|shut|administrator command|crash|recovery|signal 9|not yet accepting|Killed/,
		qr/ERROR:  (?:ERR_|prepared transaction)|WARNING:  (?:there is (?:no|already)|relation|could not)/,
		qr/current transaction is aborted|no folding|statement timeout|canceling|connection to client lost/,
		qr/starting up|in recovery|savepoint .* does not exist/), '', 'the log has no other line above LOG');
}
$node->stop;
done_testing();
