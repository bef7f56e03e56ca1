# The engine in other places: on a standby while the primary folds, on that standby once it has taken over, in databases
# made from a dump, and in one backend for a very long time.
#
# CHAT_V11_LONG=1 makes as many calls as the backend of a busy chat.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Engine;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Traffic;

my $primary = engine_node('primary', init => { allows_streaming => 1 });
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\n");
$standby->start;

# ---- A standby at the same place has the same answers

my @open = map { session($primary) } 1 .. 3;
# More subtransactions than a snapshot lists.
$open[0]->query_safe("BEGIN;\n" . join('', map { "SAVEPOINT s$_;\n" . told(1) } 1 .. 70));
$open[1]->query_safe("BEGIN;\n" . told(30) . "SAVEPOINT a;\n" . told(10));
my $snapshot = session($standby);
my $seen;
my $place = 0;

sub same_on_standby
{
	my ($what) = @_;
	$primary->wait_for_catchup($standby);
	my $expected = ask($primary, figures());
	is(ask($standby, figures()), $expected, "$what: the standby has the primary's answers");
	is(ask($standby, 'SELECT lag_events, folded_events, held_pages, pending_writes, unfinished_round '
			  . 'FROM chat_v11.fold_status()'),
		ask($primary, 'SELECT lag_events, folded_events, held_pages, pending_writes, unfinished_round '
			  . 'FROM chat_v11.fold_status()'), '... and is as far');
	agree($standby, "$what, on the standby");
	return;
}

ask($primary, told(200));
same_on_standby('all in the tail');
$snapshot->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$seen = $snapshot->query_safe(figures());
ask($primary, 'SELECT chat_v11.fold(60)');
same_on_standby('a round unfinished');
fold_all($primary);
same_on_standby('folded');
ask($primary, "BEGIN;\n" . told(40) . "SAVEPOINT a;\n" . told(20) . "ROLLBACK TO a;\nPREPARE TRANSACTION 'early';");
ask($primary, told(100));
$open[1]->query_safe('ROLLBACK TO a; SELECT 1');
$open[2]->query_safe("BEGIN;\n" . told(20) . 'COMMIT');
same_on_standby('transactions open and prepared');
$open[1]->query_safe('COMMIT');
ask($primary, "COMMIT PREPARED 'early'");
same_on_standby('some of them ended');
fold_all($primary);
same_on_standby('and folded');
ok($primary->safe_psql('postgres', 'SELECT held_pages + tail_pages > 0 FROM chat_v11.fold_status()'), 'one is open');

# Events given up, with a reader of an older snapshot there.
my ($given_up, $next) = unused_leaves();
ask($primary, write_to($given_up) . told(100));
fold_all($primary);
same_on_standby('another file');
my $younger = session($standby);
$younger->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $seen_younger = $younger->query_safe(figures());
cmp_ok(leaf_bytes($primary, $given_up), '>', 0, 'it has events');
age_leaves($primary, $given_up);
ask($primary, write_to($next) . 'SELECT chat_v11.fold()');
is(leaf_bytes($primary, $given_up), '0', 'a file is given up');
$primary->wait_for_catchup($standby);
is(leaf_bytes($standby, $given_up), '0', '... on the standby as well');
same_on_standby('events given up');
is($younger->query_safe(figures()), $seen_younger, 'an older snapshot of the standby has the same answers');
is($snapshot->query_safe(figures()), $seen, '... and so has the one from before it all');
$_->quit foreach $younger, $snapshot;

# All the time: each look is one snapshot of the standby, wherever it is.
my @busy = map {
	my $traffic = new_traffic(event => \&next_event, name => "w$_", truth => 1, fold => 1, pause => 0.02);
	start_psql($primary, "copies_writer_$_", join '', map { transaction($traffic) } 1 .. 80)
} 1 .. 2;
push @busy, start_psql($primary, 'copies_folder', join '', map {
	Traffic::fold_sql() . "\n" . Traffic::pause(0.05) . "\n" } 1 .. 60);
my $looks = 8;
my $reader = start_psql($standby, 'copies_reader',
	join '', map { disagreement_sql("look $_") . figures() . ";\n" } 1 .. $looks);
$_->{run}->finish foreach $reader, @busy;
is(slurp_file($reader->{err}), '', 'a reader on the standby meets no error while the primary writes and folds');
my $answers = slurp_file($reader->{out});
is(scalar(() = $answers =~ /^compared \d+$/mg), $looks, '... and is answered');
is(join("\n", $answers =~ /^(different: .*)$/mg), '', '... rightly each time');
same_on_standby('after that');
my ($rc, $out, $err) = $standby->psql('postgres', 'SELECT chat_v11.fold()');
like($err, qr/ERROR:  cannot execute chat_v11.fold\(\) during recovery/, 'a standby does not fold');

# ---- The standby takes over

ask($primary, "BEGIN;\n" . told(40) . "PREPARE TRANSACTION 'late';");
ask($primary, told(400));
ask($primary, 'SELECT chat_v11.fold(10)');
is(ask($primary, 'SELECT unfinished_round FROM chat_v11.fold_status()'), 't', 'in the middle of a round');
my $expected = ask($primary, figures());
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
drop_session($_) foreach @open;
$standby->promote;
is(ask($standby, figures()), $expected, 'the standby that took over has the same answers');
cmp_ok(fold_all($standby), '>', 0, '... goes on folding');
agree($standby, 'folded after the promotion');
foreach my $gid (split /\n/, ask($standby, "SELECT gid FROM pg_prepared_xacts WHERE gid <> 'late'"))
{
	ask($standby, any('COMMIT', 'ROLLBACK') . " PREPARED '$gid'");
}
ask($standby, "COMMIT PREPARED 'late'");
cmp_ok(fold_all($standby), '>=', 40, 'what was prepared on the old primary counts here');
agree($standby, 'prepared there, committed here');
ask($standby, told(100));
fold_all($standby);
agree($standby, 'and it goes on');

# ---- Dump and restore

my $node = $standby;
my $dir = $PostgreSQL::Test::Utils::tmp_check;
my $host = [ '-h', $node->host, '-p', $node->port ];
my ($early, $late) =
  map { { kind => 'write_ack', at => clock() - 40_000_000, cohort => 'v11', subject => uuid_of(0xd, $_) } } 1, 2;
my @receipts = map { { %$_, kind => 'write_receipt', at => $_->{at} + 1_000_000 } } $early, $late;
ask($node, tell_both($early));
fold_all($node);
ask($node, told(100) . tell_both(map { { kind => 'write_ack', at => clock() - 1_000_000 * $_, cohort => 'v11',
	subject => uuid_of(0xe, $_) } } 1 .. 9));
my $open = session($node);
$open->query_safe("BEGIN;\n" . told(30));
fold_all($node);
ask($node, told(300) . tell_both($late));
ask($node, 'SELECT chat_v11.fold(20)');
ask($node, told(20));
is(ask($node, 'SELECT unfinished_round AND lag_events > 20 AND pending_writes >= 9 FROM chat_v11.fold_status()'), 't',
	'there are folded events, a tail, pending writes, and an unfinished round');
$expected = ask($node, figures());

my $databases = 0;
sub restored
{
	my ($what, @command) = @_;
	my $db = 'target_' . ++$databases;
	ask($node, "CREATE DATABASE $db TEMPLATE template0");
	command_ok([ $command[0], @$host, '-d', $db, @command[ 1 .. $#command ] ], $what);
	return $db;
}

# What the source told it has folded, a new cluster does not know.
sub agree_there
{
	my ($db, $what) = @_;
	my $answer = $node->safe_psql($db, disagreement_sql($what));
	is(join("\n", grep { !/folded and \d+ not/ } $answer =~ /^(different: .*)$/mg), '',
		"$what: figures are those of what was told");
	return;
}

sub goes_on
{
	my ($db, $what) = @_;
	my $raw = $node->safe_psql($db, 'SELECT count(*) FROM chat_v11.event');
	is(fold_all($node, $db), $raw, "$what: what was not folded is folded here");
	is($node->safe_psql($db, figures()), $expected, '... and nothing twice');
	agree_there($db, "$what, folded");
	$node->safe_psql($db, tell_both(@receipts));
	agree_there($db, "$what, late receipts of writes from before");
	fold_all($node, $db);
	agree_there($db, "$what, those folded");
	is($node->safe_psql($db, "SELECT sum(count) = (SELECT count(*) FROM truth) FROM chat_v11.metric_bucket"), 't',
		"$what: to the event");
	return;
}

command_ok([ 'pg_dump', @$host, '-f', "$dir/plain.sql", 'postgres' ], 'plain dump');
command_ok([ 'pg_dump', @$host, '-Fc', '-f', "$dir/custom", 'postgres' ], 'custom dump');
my %ways = (
	'psql' => [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql" ],
	'pg_restore' => [ 'pg_restore', '-e', "$dir/custom" ]);
foreach my $way (sort keys %ways)
{
	my $db = restored($way, @{ $ways{$way} });
	is($node->safe_psql($db, figures()), $expected, "$way: the restored database has the same answers");
	agree_there($db, $way);
	my $lag = $node->safe_psql($db, 'SELECT lag_events FROM chat_v11.fold_status()');
	is($node->safe_psql($db, 'SELECT count(*) FROM chat_v11.event'), $lag, '... and of the events those in the tail');
	goes_on($db, $way);
}
is(ask($node, figures()), $expected, 'the source is as it was');
$open->query_safe('COMMIT');
fold_all($node);
agree($node, '... and goes on');

# A dump is one snapshot, whatever goes on meanwhile.
my $traffic = new_traffic(event => \&next_event, name => 'dump', truth => 1, fold => 1, pause => 0.02);
my $writer = start_psql($node, 'copies_dumped_writer', join '', map { transaction($traffic) } 1 .. 200);
my $folder = start_psql($node, 'copies_dumped_folder',
	join '', map { Traffic::fold_sql() . "\n" . Traffic::pause(0.02) . "\n" } 1 .. 200);
my @dumps = map { "$dir/busy_$_" } 1 .. 2;
command_ok([ 'pg_dump', @$host, '-Fc', '-f', $_, 'postgres' ], 'dump while others write and fold') foreach @dumps;
$_->{run}->finish foreach $writer, $folder;
foreach my $dump (@dumps)
{
	my $db = restored('pg_restore of it', 'pg_restore', '-e', $dump);
	$expected = $node->safe_psql($db, figures());
	agree_there($db, 'dumped meanwhile');
	goes_on($db, 'dumped meanwhile');
}
foreach my $gid (split /\n/, ask($node, 'SELECT gid FROM pg_prepared_xacts'))
{
	ask($node, "ROLLBACK PREPARED '$gid'");
}

# ---- A backend that lives long

my ($records, $gates) = $ENV{CHAT_V11_LONG} ? (1_000_000, 10_000) : (200_000, 2_000);
ask($node, 'CREATE DATABASE long TEMPLATE template0');
$node->safe_psql('long', 'CREATE EXTENSION chat_v11');
easy_rollout($node, 'long');
# In a backend of its own, so that no memory is left over from before.
sub no_growth
{
	my ($what, $count, $statement, $each) = @_;
	my $session = session($node, 'long');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $tenth = $count / 10;
	# What the backend has for itself, in KB, after a tenth and in the end.
	my @kb;
	foreach my $part (0 .. 10)
	{
		$session->query_safe("DO \$\$ BEGIN FOR i IN 1 .. $tenth LOOP $statement; "
			  . "IF i % $each = 0 THEN COMMIT; END IF; END LOOP; END \$\$");
		push @kb, slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
	}
	$session->quit;
	note("$what: @kb KB");
	cmp_ok($kb[-1] - $kb[0], '<', 1000, "a backend does not grow by $what, $count times");
	return;
}

SKIP:
{
	skip 'no /proc', 3 unless -r '/proc/self/status' && slurp_file('/proc/self/status') =~ /^RssAnon:/m;
	# Old enough to be settled, as the clock stands still.
	my $ack = "chat_v11.record('write_ack', 'v11', NULL, gen_random_uuid(), NULL, chat_v11.clock() - interval '1 min')";
	no_growth('record()', $records, "PERFORM $ack", 20);
	$node->safe_psql('long', "SELECT chat_v11.fold(); SELECT count($ack) FROM generate_series(1, 50)");
	no_growth('gates', $gates, 'PERFORM * FROM public.chat_get_v11_release_gates()', 1);
	no_growth('fold()', $gates / 20, "PERFORM $ack; COMMIT; PERFORM chat_v11.fold()", 1);
}

foreach my $server ($primary, $standby)
{
	unlike(server_log($server), qr/PANIC|TRAP|segfault|ERROR:  XX|signal (?:6|7|8|11)\b/,
		'nothing alarming in the log of ' . $server->name);
}
$standby->stop;
done_testing();
