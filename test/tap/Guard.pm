# What the TAP tests of the guard share: databases that are copies of one calm, live rollout, a breach of each sort, and a
# stop-watch from a breach's commit to what comes of it.
package Guard;

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Exporter 'import';
use File::Basename qw(basename);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(guard_node calm fresh sql wait_until status guard_pids guarding wait_guarding breach start_watch
	seconds_to killed_in newest log_has log_since log_size alarming drop_db ddl
	guards);

# Every place is another breach of a P0 check; the ACK is one only when it has matured.
my %breach = (
	duplicate => "SELECT chat_v11.record('timeline_duplicate', 'v11')",
	rollback => "SELECT chat_v11.record('read_rollback', 'v11')",
	stall => "SELECT chat_v11.record('send_stall', 'v11', gen_random_uuid()) FROM generate_series(1, 4)",
	lone_stall => "SELECT chat_v11.record('send_stall', 'v11', '00000000-0000-4000-8000-00000000000a') "
	  . 'FROM generate_series(1, 50)',
	ack => "SELECT chat_v11.record('write_ack', 'v11', gen_random_uuid(), gen_random_uuid())",
	rejected => "SELECT chat_v11.record('write_rejected', 'v11', gen_random_uuid()) FROM generate_series(1, 300)");

my $watches = 0;

sub breach { my ($sort) = @_; return $breach{$sort} // die "no breach $sort"; }

# A server whose databases are copied from "calm"; with `databases`, preloaded, and a guard in each of them.
sub guard_node
{
	my ($name, %option) = @_;
	my $conf = "max_worker_processes = 40\nmax_connections = 60\njit = off\nlog_min_messages = warning\n";
	$conf .= "shared_preload_libraries = 'chat_v11'\nchat_v11.guard_databases = '$option{databases}'\n"
	  if defined $option{databases};
	my $node = new_node($name, bare => 1, init => $option{init} || {}, conf => $conf . ($option{conf} || ''));
	return $node;
}

# The database that others are copies of: live, green, nobody connected.
sub calm
{
	my ($node, $more) = @_;
	$node->safe_psql('postgres', 'CREATE DATABASE calm');
	$node->safe_psql('calm', 'CREATE EXTENSION chat_v11');
	easy_rollout($node, 'calm');
	$node->safe_psql('calm', $more) if $more;
	return;
}

# A copy, with a guard that has been seen at work.
sub fresh
{
	my ($node, $db, %option) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE " . ($option{from} || 'calm'));
	$node->safe_psql($db, "SET client_min_messages = error; $option{sql}") if $option{sql};
	$node->safe_psql('postgres', $option{server}) if $option{server};
	return if $option{no_guard};
	$node->safe_psql($db, 'SELECT chat_v11.start_guard()') unless $option{launched};
	wait_guarding($node, $db, $option{state});
	return;
}

sub sql { my ($node, $db, $text) = @_; return $node->safe_psql($db, $text); }

# Whether it answers so within some seconds; and what it answers last.
sub wait_until
{
	my ($node, $db, $query, $expected, $seconds) = @_;
	my $deadline = time + ($seconds // 10);
	my $answer;
	for (;;)
	{
		my ($rc, $out) = $node->psql($db, $query);
		$answer = $rc == 0 ? $out : "rc $rc";
		return $answer if $answer eq $expected || time > $deadline;
		usleep(50_000);
	}
}

sub status
{
	my ($node, $db, $what) = @_;
	return $node->safe_psql($db, "SELECT $what FROM chat_v11.guard_status()");
}

# Of this database, or of all.
sub guard_pids
{
	my ($node, $db) = @_;
	my $where = defined $db ? "AND datname = '$db'" : '';
	return split /\n/, $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard' $where ORDER BY backend_start");
}

sub guarding
{
	my ($node, $db) = @_;
	return status($node, $db, "state || ' ' || running || ' ' || failures");
}

sub wait_guarding
{
	my ($node, $db, $state, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$state //= 'guarding';
	my $got = wait_until($node, $db, 'SELECT state FROM chat_v11.guard_status()', $state, $seconds);
	diag("$db: " . $node->safe_psql($db, 'SELECT g FROM chat_v11.guard_status() g')) if $got ne $state;
	return is($got, $state, "$db: the guard is $state");
}

# A psql of its own that commits a breach and then looks until the rollout's state is what is waited for; it writes the
# seconds that this took, and the state.  Looking costs nothing but a read each 10 ms.
sub start_watch
{
	my ($node, $db, $sort, %option) = @_;
	my $until = $option{until} || 'kill_switch';
	my $limit = $option{limit} || 20;
	my $steps = int($limit * 100);
	my $act = $option{sql} || breach($sort);
	# From a file: a pipe would be read only once somebody waits for the end.
	my $file = $PostgreSQL::Test::Utils::tmp_check . '/watch_' . basename($0, '.pl') . '_' . ++$watches . '.sql';
	PostgreSQL::Test::Utils::append_to_file($file, <<~"SQL");
		SET client_min_messages = error;
		SET application_name = 'watch';
		\\o /dev/null
		$act;
		\\o
		SELECT clock_timestamp() AS since \\gset
		DO \$\$
		BEGIN
			FOR i IN 1 .. $steps LOOP
				PERFORM FROM chat_v11.rollout_state WHERE $until;
				EXIT WHEN FOUND;
				PERFORM pg_sleep(0.01);
			END LOOP;
		END
		\$\$;
		SELECT round(extract(epoch FROM clock_timestamp() - :'since'), 2) || ' '
			|| CASE WHEN $until THEN 'done' ELSE 'not done' END FROM chat_v11.rollout_state;
		SQL
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', $file ],
		'<', \undef, '>', \my $out, '2>', \my $err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return { run => $run, out => \$out, err => \$err, limit => $limit };
}

# Seconds, or "never".
sub seconds_to
{
	my ($watch) = @_;
	$watch->{run}->finish;
	die "watch: ${$watch->{err}}" if ${ $watch->{err} } =~ /\S/;
	my ($seconds, $done) = ${ $watch->{out} } =~ /^([\d.]+) (done|not done)$/m
	  or die "watch says ${$watch->{out}}";
	return $done eq 'done' ? $seconds : 'never';
}

# A breach, and that the kill came within so many seconds.
sub killed_in
{
	my ($node, $db, $sort, $limit, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $took = seconds_to(start_watch($node, $db, $sort, %option));
	note("$what: $took s");
	return ok($took ne 'never' && $took <= $limit, "$what: killed within $limit s") || diag("after $took s");
}

# The log's newest row in short, and who did it.
sub newest
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, "SELECT h.transition || ' by ' || h.changed_by || ', state by ' || s.updated_by "
		  . 'FROM chat_v11.rollout_history h, chat_v11.rollout_state s ORDER BY h.id DESC LIMIT 1');
}

sub log_size { my ($node) = @_; return -s $node->logfile; }

# Does not show the whole log where it fails.
sub log_has
{
	my ($node, $from, $pattern, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(server_log($node, $from) =~ $pattern, $what) || diag("no line $pattern");
}

sub log_since { my ($node, $from) = @_; return server_log($node, $from); }

# Lines that no guard may leave behind, but for those that the test expects; rollouts are started without a roster here.
sub alarming
{
	my ($node, $from, @expected) = @_;
	my @lines = grep { /\b(?:WARNING|ERROR|FATAL|PANIC|TRAP)\b|signal \d+|segfault/ } split /\n/, server_log($node, $from);
	foreach my $pattern (qr/WARNING:  started although preconditions are not met/, @expected) { @lines = grep { !/$pattern/ } @lines; }
	return join "\n", @lines;
}

# DDL on a database, beside its guard; it must not fail, nor take long.
sub ddl
{
	my ($node, $text, $limit) = @_;
	my $start = time;
	my ($rc, $out, $err) = $node->psql('postgres', $text);
	my $took = time - $start;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$rc $err", '0 ', $text);
	cmp_ok($took, '<', $limit // 6, '... within ' . ($limit // 6) . ' s');
	return;
}

sub guards
{
	my ($node, $db) = @_;
	return scalar guard_pids($node, $db);
}

# With whatever is in it.
sub drop_db
{
	my ($node, $db) = @_;
	$node->safe_psql('postgres', "DROP DATABASE $db WITH (FORCE)");
	return;
}

1;
