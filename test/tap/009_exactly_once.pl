# Every event that was committed counts once, and only once, whatever happens meanwhile: eight writers with savepoints,
# rollbacks, sleeping and prepared transactions, two folders, and somebody who kills backends and the whole server.
# Each writer also writes what it tells, in the same transaction, into a plain table: that is the truth.
#
# CHAT_V11_ROUNDS=20 runs 20 rounds.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;
use Time::HiRes qw(time usleep);
use Traffic;

use constant SECOND => 1_000_000;

my ($rounds, $writers, $seconds) = ($ENV{CHAT_V11_ROUNDS} || 2, 8, 9);

my $seed = $ENV{CHAT_V11_SEED} || int(time) ^ $$;
srand($seed);
diag("CHAT_V11_SEED=$seed repeats what is told and done, though not the moments");

my $node = new_node('main', conf => <<~'CONF');
	max_prepared_transactions = 300
	restart_after_crash = on
	jit = off
	CONF
ask($node, slurp_file(dirname(__FILE__) . '/oracle.sql'));
ask($node, 'CREATE TABLE truth (at timestamptz, kind text, cohort text, actor uuid, subject uuid, value float8)');
my $engine = ask($node, "SELECT to_regprocedure('chat_v11.fold(bigint)') IS NOT NULL") eq 't';
my $buckets = ask($node, "SELECT to_regclass('chat_v11.metric_bucket') IS NOT NULL") eq 't';

my $dir = $PostgreSQL::Test::Utils::tmp_check;
my $connection = $node->connstr('postgres');

sub now_us { return int(time * SECOND); }

# A new key every 20 ms, from some minutes before the start.  Whoever tells of the n-th knows when it was and whose, so
# that an ACK and its receipt come from writers that know nothing of each other.
my $began = now_us() - 300 * SECOND;

sub next_event
{
	my $now = now_us();
	return other_event($now) if chance(0.35);
	my $newest = int(($now - $began) / 20_000);
	my $n = chance(0.7) ? between($newest - 1000, $newest) : between(0, $newest);
	my $event = piece({ uuid => uuid_of(0x5e, $n), at => $began + $n * 20_000, cohort => $n % 3 ? 'v11' : 'v10' });
	$event->{at} = $now + 4 * SECOND if $event->{at} > $now + 4 * SECOND;
	return $event;
}

# A process of its own that runs scripts through psql until it is told to stop, whatever becomes of the server.  It does
# not outlive this one.
sub start_worker
{
	my ($name, $script) = @_;
	my $parent = $$;
	my $child = fork // die "fork: $!";
	return $child if $child;
	# Not through exit(), which would stop the parent's server.
	eval {
		srand($seed + unpack('%32C*', $name) * 7919);
		for (my $n = 1; !-e "$dir/stop" && getppid == $parent; $n++)
		{
			my $file = "$dir/$name.sql";
			open(my $fh, '>', $file) or die "$file: $!";
			print $fh "SET application_name = 'worker';\nSET client_min_messages = error;\n",
				"SET statement_timeout = '60s';\n", $script->($n);
			close($fh) or die "$file: $!";
			my $failed = system("psql -XAtq -v VERBOSITY=verbose -d \"$connection\" -f $file "
				  . ">>$dir/$name.out 2>>$dir/$name.err");
			usleep(50_000) if $failed;
		}
		1;
	} or append_to_file("$dir/$name.err", "worker died: $@");
	POSIX::_exit(0);
}

sub start_round
{
	my ($round) = @_;
	unlink "$dir/stop";
	my %workers;
	foreach my $writer (1 .. $writers)
	{
		my $name = "r${round}w$writer";
		$workers{ start_worker($name, sub {
			my ($n) = @_;
			my $traffic = new_traffic(event => \&next_event, name => "${name}n$n", fold => $engine && chance(0.3),
				truth => 1, pause => 0.15);
			return join '', map { transaction($traffic) } 1 .. 12;
		}) } = $name;
	}
	foreach my $folder (1 .. ($engine ? 2 : 0))
	{
		my $name = "r${round}f$folder";
		$workers{ start_worker($name, sub {
			return join "\n", map { ('SELECT chat_v11.fold();', Traffic::pause(0.03)) } 1 .. 50;
		}) } = $name;
	}
	return %workers;
}

sub end_round
{
	my (%workers) = @_;
	append_to_file("$dir/stop", "stop\n");
	my $deadline = time + 120;
	while (%workers && time < $deadline)
	{
		delete $workers{$_} foreach grep { waitpid($_, POSIX::WNOHANG) } keys %workers;
		usleep(20_000);
	}
	foreach my $pid (keys %workers)
	{
		kill 'KILL', $pid;
		waitpid($pid, 0);
	}
	is(join(' ', sort values %workers), '', 'every worker came to its end');
	return;
}

my %attacks;

# One thing goes wrong.
sub attack
{
	my $sort = int rand 10;
	if ($sort < 5)
	{
		my $pid = ask($node, "SELECT pid FROM pg_stat_activity WHERE application_name = 'worker' ORDER BY "
			  . ($sort < 2 ? "query ~ 'fold' DESC, " : '') . 'random() LIMIT 1');
		return unless $pid;
		$attacks{'backend killed'} += kill 'KILL', $pid;
		# The postmaster takes a moment to see it, then throws everybody out and recovers.
		usleep(100_000);
	}
	elsif ($sort < 8)
	{
		crash($node, $sort < 7 ? (all => 1) : ());
		poll_start($node);
		$attacks{'server killed'}++;
	}
	else
	{
		# Should it be gone already, its log says why.
		$node->stop('immediate', fail_ok => 1) or
			diag('stop failed; the server said: ' . substr(server_log($node), -2000));
		poll_start($node);
		$attacks{'immediate stop'}++;
	}
	# psql may be refused before it reads what it is to run.
	foreach my $attempt (1 .. 300)
	{
		return if eval { $node->psql('postgres', 'SELECT 1') == 0 };
		usleep(100_000);
	}
	BAIL_OUT('the server does not come back');
	return;
}

# ---- Judgement

# All figures beside the oracle's, which reads the raw rows: counts, rates, and how each write was paired.
my $compared = 0;
my $whole = [ 'whole', "date_trunc('hour', chat_v11.clock()) - interval '22 hours'",
	"chat_v11.clock() + interval '1 min'" ];
my @spans = (
	map({ [ "last $_ min", "chat_v11.clock() - interval '$_ min'", 'chat_v11.clock()' ] } 1, 5, 15),
	map({ [ "minute -$_", "date_trunc('minute', chat_v11.clock()) - interval '$_ min'",
		"date_trunc('minute', chat_v11.clock()) - interval '@{[ $_ - 1 ]} min'" ] } 1, 2),
	map({ [ "second -$_", "date_trunc('second', chat_v11.clock()) - interval '$_ s'",
		"date_trunc('second', chat_v11.clock()) - interval '@{[ $_ - 1 ]} s'" ] } 3, 13));

sub figures_differ
{
	my ($what, @few) = @_;
	# The oracle asks for a clock that stands still; without the engine, at a whole second.
	my $clock = $engine ? 'clock_timestamp()' : "date_trunc('second', clock_timestamp())";
	my $answer = ask($node, "SELECT set_config('chat_v11.mock_now', ($clock)::text, false);\n"
		  . comparison_sql($what, \@few, not_compared($engine)));
	$compared += $1 if $answer =~ /^compared (\d+)$/m;
	return join "\n", $answer =~ /^(different: .*)$/mg;
}

sub judge
{
	my ($what) = @_;
	is(raw_differs($node), '0 too many, 0 lost', "$what: raw rows are what was committed");
	is(figures_differ($what, $whole, map { any(@spans) } 1 .. 3), '', "$what: and so are the figures");
	return;
}

my %outcome;
my $events = 0;
foreach my $round (1 .. $rounds)
{
	my %workers = start_round($round);
	my $until = time + $seconds;
	my ($torn, @wrong) = (0);
	while (time < $until)
	{
		usleep(between(200_000, 1_500_000));
		attack();
		$torn++ if raw_differs($node) ne '0 too many, 0 lost';
		push @wrong, grep { $_ } figures_differ("round $round, under attack", any($whole, @spans));
	}
	end_round(%workers);
	is($torn, 0, "round $round: at no look had a transaction been kept by half");
	is(join("\n", @wrong), '', "round $round: nor was a figure wrong");
	judge("round $round, with prepared transactions open");
	foreach my $gid (split /\n/, ask($node, 'SELECT gid FROM pg_prepared_xacts ORDER BY gid'))
	{
		# Some stay prepared over the next round's crashes.
		next if $round < $rounds && chance(0.3);
		ask($node, any('COMMIT', 'ROLLBACK') . " PREPARED '$gid'");
	}
	judge("round $round, with those ended");
	if ($engine)
	{
		my $left = 100_000;
		1 while $left-- > 0 && ask($node, 'SELECT chat_v11.fold(' . any('', 5000, 20000) . ')') > 0;
		cmp_ok($left, '>', 0, "round $round: folding comes to an end");
		judge("round $round, folded");
	}
	is(buckets_differ($node), '', "round $round: the buckets hold what was committed, to the event") if $buckets;
	my $now = ask($node, 'SELECT count(*) FROM truth');
	cmp_ok($now, '>', $events + 500, "round $round: much was committed");
	$events = $now;
	foreach my $name (sort values %workers)
	{
		my $errors = -e "$dir/$name.err" ? slurp_file("$dir/$name.err") : '';
		$outcome{$1}++ while $errors =~ /(?:ERROR|FATAL):  ([0-9A-Z]{5}):/g;
		diag("$name: $1") if $errors =~ /^(worker died.*)/m;
		$outcome{died}++ if $errors =~ /^worker died/m;
	}
}
if ($engine)
{
	$node->restart;
	judge('after a last restart');
}

note("$events events committed, $compared fields compared; "
	  . join(', ', map { "$_ $attacks{$_}" } sort keys %attacks) . '; refused: '
	  . join(', ', map { "$_ $outcome{$_}" } sort keys %outcome));
cmp_ok(eval { my $n = 0; $n += $_ foreach values %attacks; $n }, '>=', 2 * $rounds, 'things went wrong in between');
cmp_ok($outcome{22023} // 0, '>', 0, 'some statements were refused');
# 42704, 55000: somebody else ended the prepared transaction first, or is about to.  57P: the server went away.
# 25001: no folding in the midst of a transaction that has written.
my %known = map { $_ => 1 } qw(22023 25001 25P02 42704 55000 57P01 57P02 57P03);
is(join(' ', grep { !$known{$_} } sort keys %outcome), '', 'and none for a reason that is none of theirs');
unlike(server_log($node), qr/PANIC|TRAP|segfault|ERROR:  XX|signal (?:6|7|8|11)\b|aborting startup/,
	'nothing alarming in the server log');

$node->stop;
done_testing();
