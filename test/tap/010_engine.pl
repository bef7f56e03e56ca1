# The engine in operation: transactions that stay open, folds that are taken back, cancelled, limited or doubled, and an
# extension that is dropped and created under sessions that have it all prepared.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Engine;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use Traffic;

my $node = engine_node('main');
my ($folder, $open, $big);

sub start_sessions
{
	($folder, $open, $big) = map { session($node) } 1 .. 3;
	return;
}

sub restart
{
	$node->restart;
	drop_session($_) foreach $folder, $open, $big;
	start_sessions();
	return;
}

start_sessions();

# A field of fold_status().
sub status { return ask($node, "SELECT $_[0] FROM chat_v11.fold_status()"); }

# ---- A transaction that stays open delays nobody else

ask($node, told(300));
agree($node, 'before the first fold');
cmp_ok(fold_all($node), '>=', 300, 'the first fold counts');
agree($node, 'first fold');

# Pages of events that were looked at, by anybody.
sub pages_read
{
	return ask($node, "SELECT sum(heap_blks_hit + heap_blks_read) FROM pg_statio_all_tables "
		  . "WHERE schemaname = 'chat_v11' AND relname LIKE 'event\\__'");
}

# In the folder's session; its counts of pages are known to others as soon as it answers.
sub fold_counted
{
	my $counted = $folder->query_safe('SELECT chat_v11.fold()');
	$folder->query_safe('SELECT pg_stat_force_next_flush()') if $node->pg_version >= 15;
	return $counted;
}

$open->query_safe("BEGIN;\n" . told(50));
ask($node, "BEGIN;\n" . told(40) . "SAVEPOINT a;\n" . told(10) . "PREPARE TRANSACTION 'open';");
my $before = count_folded($node);
$big->query_safe("BEGIN;\n" . bulk_sql(0xb16, 100_000));
is(fold_counted(), '0', 'a fold passes over what is open');
my $held = status('held_pages');
cmp_ok($held, '>', 500, 'and remembers its pages');

my ($others, $most, $readers) = (0, 0, 0);
foreach my $round (1 .. 10)
{
	ask($node, told(20));
	my $pages = pages_read();
	$others += fold_counted();
	my $read = pages_read() - $pages;
	$most = $read if $read > $most;
	$readers = status('tail_pages') if status('tail_pages') > $readers;
}
is(ask($node, 'SELECT count(*) FROM truth') - $before, $others,
	'ten rounds counted what others had committed, each at once');
note("held: $held pages; at most $most pages a fold, $readers for a reader");
# The end of the file is read again, 32 pages of it.
cmp_ok($most, '<', 150, 'and did not read the open transaction\'s pages again') if $node->pg_version >= 15;
cmp_ok($most, '>', 0, '... as far as pages are counted') if $node->pg_version >= 15;
cmp_ok($readers, '<', 150, 'nor do readers');
is(status('held_pages >= ' . $held), 't', 'which are still remembered');
agree($node, 'with open transactions');

$open->query_safe(told(5) . 'COMMIT');
is($folder->query_safe('SELECT chat_v11.fold()'), count_folded($node) - $before - $others, 'its own are counted then');
cmp_ok(count_folded($node) - $before - $others, '>=', 55, '... all of them');
agree($node, 'one of them committed');
restart();
is(status('lag_events'), '0', 'a restart brings nothing up');
is(fold_all($node), '0', '... nor what it took back');
is(status('held_pages < 10'), 't', '... whose pages are not remembered any more');
ask($node, "COMMIT PREPARED 'open'");
cmp_ok(fold_all($node), '>=', 50, 'a prepared one is counted when it is committed, after the restart');
is(status('held_pages'), '0', 'no page is held any more');
agree($node, 'prepared one committed');

# ---- Folds that come to nothing

$big->query_safe("BEGIN;\n" . bulk_sql(0xb17, 50_000));
is(fold_all($node), '0', 'the big one is open again');
ask($node, told(30));
cmp_ok(fold_all($node), '>=', 30, 'others are counted behind it');
$big->query_safe('COMMIT');
is(status('lag_events'), '50000', 'it is the tail as soon as it is committed');
agree($node, 'big one in the tail');

my $buckets = q{SELECT md5(string_agg(b::text, ';' ORDER BY b::text)) FROM (SELECT b::text FROM chat_v11.metric_bucket b
	UNION ALL SELECT w::text FROM chat_v11.write_bucket w UNION ALL SELECT p::text FROM chat_v11.pending_write p
	UNION ALL SELECT w::text FROM chat_v11.write_0 w UNION ALL SELECT f::text FROM chat_v11.fold_state f) b};
my $stored = ask($node, $buckets);
$folder->query_safe('BEGIN; SELECT chat_v11.fold(); ROLLBACK');
is(ask($node, $buckets), $stored, 'a fold that is rolled back leaves nothing');
my ($cancelled, $timeout) = (0, 4);
for (; $timeout < 2000; $timeout *= 2)
{
	my ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = $timeout; BEGIN; SELECT chat_v11.fold(); "
		  . "SET statement_timeout = 0; ROLLBACK");
	last unless $rc;
	like($err, qr/statement timeout/, "cancelled after $timeout ms");
	$cancelled++;
	is(ask($node, $buckets), $stored, '... and nothing was half done');
}
cmp_ok($cancelled, '>=', 2, 'a big fold was cancelled on its way');
my $pid = $folder->query_safe('SELECT pg_backend_pid()');
$folder->{stdin} .= "SELECT chat_v11.fold();\n";
$folder->{run}->pump_nb;
usleep(20_000);
ask($node, "SELECT pg_terminate_backend($pid, 10000)");
drop_session($folder);
my $after_kill = ask($node, $buckets) eq $stored;
ok($after_kill || status('lag_events') eq '0', 'a folder that is thrown out leaves all or nothing');
is(fold_all($node), $after_kill ? '50000' : '0', 'the next fold counts all');
agree($node, 'after cancelled folds');
$folder = session($node);

ask($node, told(25));
my $lag = status('lag_events');
is($folder->query_safe("BEGIN; SAVEPOINT a; SELECT chat_v11.fold(); ROLLBACK TO a; SELECT chat_v11.fold(); COMMIT"),
	"$lag\n$lag", 'a fold that is rolled back to a savepoint is done again');
agree($node, 'fold after ROLLBACK TO');

# ---- Two at once

ask($node, told(25));
$lag = status('lag_events');
is($folder->query_safe('BEGIN; SELECT chat_v11.fold()'), $lag, 'one folds');
is(status('folding_pid'), $folder->query_safe('SELECT pg_backend_pid()'), '... which others see');
my $began = time;
my ($rc, $out, $err) = $node->psql('postgres', "SET client_min_messages = notice; SET statement_timeout = '10s'; "
	  . 'SELECT chat_v11.fold()');
is("$rc $out", '0 0', 'another returns with nothing');
like($err, qr/NOTICE:  another session is folding/, '... and says why');
cmp_ok(time - $began, '<', 8, '... at once');
agree($node, 'while a fold is not committed');
$folder->query_safe("PREPARE TRANSACTION 'fold'");
is(ask($node, 'SELECT chat_v11.fold()'), '0', 'a prepared fold is one too');
agree($node, 'while a fold is prepared');
ask($node, "COMMIT PREPARED 'fold'");
is(status('lag_events'), '0', '... and counts when it is committed');
agree($node, 'prepared fold committed');

# ---- In steps, while others write

my @writers;
foreach my $writer (1 .. 3)
{
	my $traffic = new_traffic(event => \&next_event, name => "w$writer", truth => 1, pause => 0.03);
	push @writers, start_script($node, "engine_writer_$writer", join '', map { transaction($traffic) } 1 .. 150);
}
my ($steps, $unfinished, $sum) = (0, 0, 0);
$before = count_folded($node);
while (grep { is_running($_) } @writers)
{
	$sum += ask($node, 'SELECT chat_v11.fold(' . any(1, 5, 40, 200) . ')');
	$steps++;
	$unfinished++ if status('unfinished_round') eq 't';
	agree($node, "step $steps") if $steps % 15 == 5;
}
$_->{run}->finish foreach @writers;
foreach my $gid (split /\n/, ask($node, 'SELECT gid FROM pg_prepared_xacts'))
{
	ask($node, any('COMMIT', 'ROLLBACK') . " PREPARED '$gid'");
}
for (my $left = 100; $left > 0 && status('lag_events = 0 AND NOT unfinished_round') ne 't'; $left--)
{
	$sum += ask($node, 'SELECT chat_v11.fold(300)');
}
cmp_ok($steps, '>=', 5, 'there were many steps');
cmp_ok($unfinished, '>', 0, '... some in the middle of a round');
is($sum, count_folded($node) - $before, 'together they say how many they counted');
agree($node, 'folded in steps');
ask($node, told(200));
ask($node, 'SELECT chat_v11.fold(3)');
is(status('unfinished_round'), 't', 'a round is unfinished');
$open->query_safe("BEGIN;\n" . told(20) . 'COMMIT');
restart();
agree($node, 'round unfinished over a restart');
fold_all($node);
agree($node, 'and finished');

# ---- Out and in again, in sessions that have it all prepared

ask($node, 'CREATE DATABASE second');
$node->safe_psql('second', <<~'SQL');
	CREATE EXTENSION chat_v11;
	CREATE FUNCTION work() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		counted bigint;
		seen bigint;
		gates bigint;
	BEGIN
		PERFORM chat_v11.record('read_cursor', 'v11');
		INSERT INTO chat_v11.event (kind, cohort) VALUES ('read_cursor', 'v11');
		SELECT count(*) INTO seen FROM chat_v11.event;
		SELECT numerator + denominator INTO gates FROM chat_v11.metrics(chat_v11.clock() - interval '1 min',
			chat_v11.clock()) WHERE metric = 'read_rollback_detected_rate' AND cohort = 'v11';
		PERFORM * FROM public.chat_get_v11_release_gates();
		RETURN seen || ' ' || gates;
	END $$;
	SQL
my $work = 'SELECT work(); SELECT chat_v11.fold(); SELECT folded_events FROM chat_v11.fold_status()';
my @two = map { session($node, 'second') } 1 .. 2;
is($two[0]->query_safe($work), "2 2\n2\n2", 'in one session');
is($two[1]->query_safe($work), "4 4\n2\n4", 'and another');
is($two[0]->query_safe("BEGIN; SELECT chat_v11.record('read_cursor', 'v11'); ROLLBACK; $work"), "\n6 6\n2\n6",
	'with everything cached');
foreach my $turn (1 .. 2)
{
	$two[0]->query_safe('DROP EXTENSION chat_v11');
	is(($two[1]->query('SELECT work()'))[1], 1, 'without the extension it fails');
	$two[1]->{stderr} = '';
	$two[0]->query_safe('CREATE EXTENSION chat_v11');
	is($two[0]->query_safe($work), "2 2\n2\n2", "created again: the session that did it, turn $turn");
	is($two[1]->query_safe($work), "4 4\n2\n4", '... and the one that did not');
}
$_->quit foreach @two;

unlike(server_log($node), qr/PANIC|TRAP|segfault|ERROR:  XX|signal (?:6|7|8|11)\b/,
	'nothing alarming in the server log');
$node->stop;
done_testing();
