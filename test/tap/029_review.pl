# What a review of 0.5 found: each test fails until its finding is mended.
#
# A kill must reach a subscriber of all tables, wait for no incident's paperwork, and come in time beside a locked
# incident table; DDL must go on where the library cannot be loaded.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = guard_node('main', init => { allows_streaming => 'logical' }, conf => "max_prepared_transactions = 5\n");
calm($node);
my $actor = '00000000-0000-4000-8000-000000000007';

# ---- A publication of all tables: docs/cohort.md says that the extension's tables do no harm to the kill

my $subscriber = guard_node('subscriber');
my $from = $node->connstr . ' dbname=published application_name=release';
fresh($node, 'published', no_guard => 1);
sql($node, 'published', 'CREATE PUBLICATION release FOR ALL TABLES');
my %both_do = (
	'no call' => 'SELECT 1',
	'an incident' => "SELECT chat_v11.open_incident('P2', 'a typo', 'oncall')",
	'an action item' => "SELECT chat_v11.add_action_item('a test')");
$subscriber->safe_psql('postgres', 'CREATE DATABASE calm');
$subscriber->safe_psql('calm', 'CREATE EXTENSION chat_v11');
easy_rollout($subscriber, 'calm');
foreach my $what (sort keys %both_do)
{
	fresh($subscriber, 'shard', no_guard => 1);
	sql($node, 'published', 'SET client_min_messages = error; ' . set_sql('canary_1', 'false', 'live'));
	sql($subscriber, 'shard', "SET client_min_messages = error; CREATE SUBSCRIPTION release CONNECTION '$from' "
		  . 'PUBLICATION release WITH (copy_data = false)');
	sql($_->[0], $_->[1], "SET client_min_messages = error; $both_do{$what}") foreach [ $subscriber, 'shard' ], [ $node, 'published' ];
	sql($node, 'published', set_sql('canary_1', 'true', 'kill'));
	is(wait_until($subscriber, 'shard', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 8), 't',
		"both servers did $what: the kill reaches the subscriber");
	sql($subscriber, 'shard', 'ALTER SUBSCRIPTION release DISABLE');
	wait_until($node, 'published', 'SELECT count(*) FROM pg_stat_replication', '0');
	sql($subscriber, 'shard', 'SET client_min_messages = error; DROP SUBSCRIPTION release');
	drop_db($subscriber, 'shard');
}
$subscriber->stop;

# ---- A kill does not wait for an incident's paperwork

my %paper = (
	item => "SELECT chat_v11.add_action_item('a test')",
	opening => "SELECT chat_v11.open_incident('P1', 'recovery is slow', 'oncall')");
foreach my $what (sort keys %paper)
{
	fresh($node, "paper_$what");
	my $writer = $node->background_psql("paper_$what");
	$writer->query_safe("SET client_min_messages = error; BEGIN; $paper{$what}");
	killed_in($node, "paper_$what", 'duplicate', 3, "an open transaction with $what: the guard", limit => 6);
	my ($rc, undef, $err) =
	  $node->psql("paper_$what", "SET lock_timeout = '2s'; SET client_min_messages = error; " . set_sql('canary_1', 'true', 'kill'));
	is("$rc $err", '0 ', "an open transaction with $what: people");
	$writer->query_safe('ROLLBACK');
	$writer->quit;
}
fresh($node, 'paper_prepared', no_guard => 1);
sql($node, 'paper_prepared', "SET client_min_messages = error; BEGIN; $paper{opening}; PREPARE TRANSACTION 'p1'");
my ($rc, undef, $err) =
  $node->psql('paper_prepared', "SET lock_timeout = '2s'; SET client_min_messages = error; " . set_sql('canary_1', 'true', 'kill'));
is("$rc $err", '0 ', 'a prepared transaction with a P1');
sql($node, 'paper_prepared', "ROLLBACK PREPARED 'p1'");

# ---- Nor does the guard's kill wait for the incident table, however long it may read gates

fresh($node, 'slow_paper', sql => "SELECT chat_v11.open_incident('P1', 'slow', 'oncall')",
	server => "ALTER DATABASE slow_paper SET chat_v11.kill_gate_timeout = '10s'");
my $holder = $node->background_psql('slow_paper');
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.incident IN ACCESS EXCLUSIVE MODE');
killed_in($node, 'slow_paper', 'duplicate', 2.5, 'a locked incident table and a long kill_gate_timeout');
$holder->query_safe('ROLLBACK');
$holder->quit;

# ---- DDL goes on where the library cannot be loaded, or is an older one

fresh($node, 'no_library', no_guard => 1);
$node->safe_psql('no_library', 'CREATE ROLE app LOGIN');
SKIP: {
	skip 'nothing hides a library that is installed', 3 if $node->pg_version >= 18 || -e "$ENV{CHAT_V11_PKGLIBDIR}/chat_v11.so";
	sql($node, 'no_library', "ALTER DATABASE no_library SET extension_destdir = ''");
	foreach my $user ('app', undef)
	{
		(undef, undef, $err) = $node->psql('no_library', 'CREATE TEMP TABLE t (i int)', $user ? (extra_params => [ '-U', $user ]) : ());
		is($err, '', 'no library: a temporary table by ' . ($user // 'a superuser'));
	}
	(undef, undef, $err) = $node->psql('no_library', 'SET client_min_messages = error; DROP EXTENSION chat_v11 CASCADE');
	is($err, '', 'no library: the extension can be dropped');
}

# ---- A P1 is escalated by any failing check of the gate P0

fresh($node, 'softly', no_guard => 1);
like(sql($node, 'softly', <<~'SQL'), qr/P0$/, 'a P0 check with on_fail rollback fails: the P1 is a P0');
	SET client_min_messages = error;
	SELECT chat_v11.open_incident('P1', 'slow', 'oncall');
	SELECT chat_v11.set_check('timeline_duplicate_detected_rate', p_on_fail => 'rollback');
	SELECT chat_v11.record('timeline_duplicate', 'v11');
	SELECT chat_v11.guard_tick();
	SELECT severity FROM chat_v11.incident;
	SQL

# ---- A P0 is not closed before p0_clear_window has passed since it was declared, however long the rollout was killed

fresh($node, 'hasty', no_guard => 1);
sql($node, 'hasty', 'SET client_min_messages = error; ' . set_sql('canary_1', 'true', 'for another reason')
	  . "; SELECT chat_v11.set_setting('p0_clear_window', '30 min'); SELECT chat_v11.open_incident('P0', 'messages are lost', 'oncall')");
like(($node->psql('hasty', "SELECT chat_v11.close_incident(1, 'never mind')"))[2], qr/ERR_GATE_CLOSED/,
	'a P0 that was opened a second ago, on a rollout that was killed before, is not closed');

# ---- An error without a text is an error

fresh($node, 'speechless', no_guard => 1);
sql($node, 'speechless', <<~'SQL');
	CREATE FUNCTION public.speechless() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING MESSAGE = ''''; END';
	CREATE TRIGGER speechless BEFORE INSERT ON chat_v11.incident FOR EACH ROW EXECUTE FUNCTION public.speechless();
	SQL
(undef, my $answer, $err) = $node->psql('speechless', "SELECT coalesce(chat_v11.open_incident('P0', 'x', 'oncall')::text, 'null')");
is($answer, 'null', 'an incident table that fails without a word: null');
like($err, qr/WARNING:  the incident was not opened/, '... and a warning');

$node->stop;
done_testing();
