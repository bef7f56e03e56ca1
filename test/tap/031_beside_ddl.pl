# Rows that are written without a query, beside what others do to their tables: REINDEX CONCURRENTLY, an index of somebody's
# own, locks that make a call wait, and settings that change under it.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_node('main');
ask($node, 'CREATE EXTENSION amcheck');
my $actor = '00000000-0000-4000-8000-000000000007';

sub dialog { my ($n) = @_; return sprintf('00000000-0000-4000-8000-%012d', $n); }
sub full_state { my ($n) = @_; return "SELECT chat_v11.admit_full_state('" . dialog($n) . "', '$actor')"; }

sub admission
{
	my ($n, $before) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', ($before // '') . full_state($n));
	return $rc == 0 ? 'admitted' : $err =~ /ERR_RESYNC_THROTTLED/ ? 'throttled' : $err;
}

# Does something while the index is there a second time, ready for entries and not in use yet.
sub while_reindexed
{
	my ($index, $do) = @_;
	my $old = $node->background_psql('postgres');
	$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	my $reindex = start_psql($node, $index, "REINDEX INDEX CONCURRENTLY chat_v11.$index;");
	$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase = '
		  . "'waiting for old snapshots'") or die 'no second index';
	$do->();
	$old->query_safe('COMMIT');
	$old->quit;
	$reindex->{run}->finish;
	is(ask($node, "SELECT count(*) FROM pg_class WHERE relname LIKE '$index\\_cc%'"), '0', "$index: built anew");
	is($node->psql('postgres', "SELECT bt_index_check('chat_v11.$index', true)"), 0, '... and has every row');
	return;
}

# ---- Admissions

foreach my $table (0, 1)
{
	# In the middle of a turn that writes to this one.
	my $clock = ask($node, 'SELECT to_timestamp((floor(extract(epoch FROM now()) / 480) * 480 + 120 + ' . 240 * $table . ')::bigint)');
	my $at = "SET chat_v11.mock_now = '$clock'; ";
	is(admission(1 + 10 * $table, $at), 'admitted', "admitted into table $table");
	while_reindexed("full_state_${table}_pkey", sub {
		is(admission(2 + 10 * $table, $at), 'admitted', '... another while its index is built');
		is(admission(2 + 10 * $table, $at), 'throttled', '... once');
	});
	is(admission(2 + 10 * $table, $at), 'throttled', '... and no second time by the new index');
	is(ask($node, "SELECT count(*) FROM chat_v11.full_state_$table WHERE dialog = '" . dialog(2 + 10 * $table) . "'"), '1',
		'... one row');
	ask($node, "CREATE INDEX mine_$table ON chat_v11.full_state_$table (admitted_at); "
		  . "CREATE INDEX mine_some_$table ON chat_v11.full_state_$table (dialog) WHERE dialog < '" . dialog(0) . "'");
	is(admission(3 + 10 * $table, $at), 'admitted', '... with indexes of somebody else');
	# The same dialogs again, past the interval: rows are replaced, on their page and off it.
	ask($node, "SET chat_v11.mock_now = '$clock'; SELECT count(chat_v11.admit_full_state(md5(i::text)::uuid, '$actor')) "
		  . 'FROM generate_series(1, 500) i');
	ask($node, "SET chat_v11.mock_now = '$clock'; SET chat_v11.mock_now = '" . ask($node, "SELECT '$clock'::timestamptz + '61 s'")
		  . "'; SELECT count(chat_v11.admit_full_state(md5(i::text)::uuid, '$actor')) FROM generate_series(1, 500) i");
	foreach my $index ("full_state_${table}_pkey", "mine_$table", "mine_some_$table")
	{
		is($node->psql('postgres', "SELECT bt_index_check('chat_v11.$index', true)"), 0, "... $index has every row");
	}
	is(ask($node, "SET enable_seqscan = off; SELECT count(*) FROM chat_v11.full_state_$table WHERE dialog < '" . dialog(0) . "'"),
		'0', '... and a partial one no other');
	ask($node, "DROP INDEX chat_v11.mine_$table, chat_v11.mine_some_$table");
}

# ---- A lock that makes the call wait: it goes by the clock as it is afterwards

ask($node, "SET client_min_messages = error; SELECT chat_v11.set_setting('full_state_interval', '3 s')");
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.full_state_0, chat_v11.full_state_1 IN SHARE MODE');
my $waiting = $node->background_psql('postgres');
my $pid = $waiting->query_safe('SELECT pg_backend_pid()');
$waiting->{stdin} .= full_state(30) . ";\n";
$waiting->{run}->pump_nb;
$node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid") or die;
usleep(1_500_000);
my $released = ask($node, 'SELECT clock_timestamp()');
$holder->query_safe('ROLLBACK');
$waiting->query_safe('SELECT 1');
$waiting->quit;
is(ask($node, "SELECT bool_and(admitted_at >= '$released') || ' ' || count(*) FROM (SELECT * FROM chat_v11.full_state_0 UNION ALL "
	  . "SELECT * FROM chat_v11.full_state_1) a WHERE dialog = '" . dialog(30) . "'"), 'true 1',
	'an admission that waited for a lock is of the moment after it');
is(admission(30), 'throttled', '... and counts from then on');

# The interval changes while it waits.  By the minutes of two turns of 8 min: at 11 min 60 s and 2 min have different tables.
my $begin = ask($node, 'SELECT to_timestamp(960.0 * 1850000)');
sub at { my ($minutes) = @_; return "SET chat_v11.mock_now = '" . ask($node, "SELECT '$begin'::timestamptz + interval '1 min' * $minutes") . "'; "; }
my $set = "SET client_min_messages = error; SELECT chat_v11.set_setting('full_state_interval', '%s'); RESET client_min_messages; ";
ask($node, at(0) . sprintf($set, '60 s'));
my $early = $node->background_psql('postgres', on_error_stop => 0);
$early->query_safe(at(1) . full_state(40));
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.full_state_0, chat_v11.full_state_1 IN SHARE MODE');
$pid = $early->query_safe('SELECT pg_backend_pid()');
$early->{stdin} .= at(11) . full_state(41) . ";\n";
$early->{run}->pump_nb;
$node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid") or die;
ask($node, at(2) . sprintf($set, '2 min'));
my $late = $node->background_psql('postgres', on_error_stop => 0);
$late->query_safe(at(2) . 'SELECT chat_v11.recovery_policy()');
$holder->query_safe('ROLLBACK');
$early->query_safe('SELECT 1');
$late->{stderr} = '';
$late->query(at(11.2) . full_state(41));
like($late->{stderr}, qr/ERR_RESYNC_THROTTLED/, 'admitted by the interval that came while it waited, so seen by who knows that one');
$early->quit;

# ---- The interval, changed in a transaction that goes on

ask($node, at(0) . sprintf($set, '60 s'));
my $admin = $node->background_psql('postgres', on_error_stop => 0);
$admin->query_safe(at(1) . 'BEGIN; ' . sprintf($set, '2 min') . 'SELECT chat_v11.recovery_policy(); ' . at(11));
$admin->query_safe('SAVEPOINT a');
$admin->{stderr} = '';
$admin->query(full_state(50));
like($admin->{stderr}, qr/ERR_INVALID_ARGUMENT: full_state_interval was changed in this transaction.*Commit the setting first/s,
	'no admission by an interval that others do not know');
$admin->{stderr} = '';
$admin->query_safe('ROLLBACK TO a');
is(admission(51, at(11)), 'admitted', 'others are admitted by the one before');
$admin->query_safe('COMMIT; ' . at(11.2));
$admin->{stderr} = '';
$admin->query(full_state(51));
like($admin->{stderr}, qr/ERR_RESYNC_THROTTLED/, '... which who changed it sees once it is committed');
$_->{stderr} = '' foreach $admin, $late;
$_->quit foreach $admin, $late, $holder;

# ---- Writes that were settled

ask($node, 'SELECT chat_v11.fold()');
my $acks = 'INSERT INTO chat_v11.event (at, kind, cohort, actor, subject) '
  . "SELECT now() - interval '1 min', 'write_ack', 'v11', md5('actor' || i)::uuid, md5('write' || i)::uuid FROM generate_series(%d, %d) i";
foreach my $try ([ 'write_0_subject', 1 ], [ 'write_0_missing', 6 ])
{
	my ($index, $first) = @$try;
	while_reindexed($index, sub {
		ask($node, sprintf($acks, $first, $first + 4));
		cmp_ok(ask($node, 'SELECT chat_v11.fold()'), '>=', 5, "$index: writes are settled while it is built");
	});
}
is($node->psql('postgres', "SELECT bt_index_check('chat_v11.write_0_subject', true)"), 0, '... the other one has every row too');
ask($node, sprintf($acks, 1, 10));
ask($node, 'SELECT chat_v11.fold()');
is(ask($node, 'SELECT count(*), count(DISTINCT subject) FROM chat_v11.write_0'), '10|10', 'told again, they are no new ones');

done_testing();
