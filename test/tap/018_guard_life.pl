# What becomes of a guard when its database or its extension is dropped, renamed, copied, moved or updated, and when its
# server is a standby: those that the launcher keeps, and those that start_guard() began.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# What a moment of absence leaves in the log, and no more than once each time.
my @expected = (qr/FATAL:  terminating (?:background worker "chat_v11 guard"|connection) due to administrator command/);

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

# ---- Guards that were started

my $node = guard_node('started', conf => "chat_v11.guard_interval = '500ms'\n");
calm($node);
my $from = log_size($node);

fresh($node, 'dropped');
ddl($node, 'DROP DATABASE dropped');
log_has($node, $from, qr/LOG:  chat_v11 guard: leaves: somebody drops, renames or copies the database/,
	'... the log tells that the guard left');
fresh($node, 'forced');
ddl($node, 'DROP DATABASE forced WITH (FORCE)');
fresh($node, 'moved');
my $dir = PostgreSQL::Test::Utils::tempdir();
ddl($node, "CREATE TABLESPACE elsewhere LOCATION '$dir'");
ddl($node, 'ALTER DATABASE moved SET TABLESPACE elsewhere', 10);
wait_guarding($node, 'moved');
killed_in($node, 'moved', 'duplicate', 2, 'in another tablespace', limit => 3);
fresh($node, 'copied');
ddl($node, 'CREATE DATABASE copy TEMPLATE copied', 10);
wait_guarding($node, 'copied');
killed_in($node, 'copied', 'duplicate', 2, 'after its database was copied', limit => 3);
is(state($node, 'copy'), 'canary_1 live v1', 'the copy is live');
is(guards($node, 'copy'), 0, '... without a guard');
like(sql($node, 'copy', 'SELECT state FROM chat_v11.guard_status()'), qr/^(?:dead|none)$/, '... as guard_status() says');
fresh($node, 'old_name');
ddl($node, 'ALTER DATABASE old_name RENAME TO new_name');
wait_guarding($node, 'new_name');
killed_in($node, 'new_name', 'duplicate', 2, 'after a rename', limit => 3);
# Whoever failed to drop it leaves it guarded.
fresh($node, 'held');
my $holder = $node->background_psql('held');
like(($node->psql('postgres', 'DROP DATABASE held'))[2], qr/is being accessed by other users/, 'a DROP that is refused');
wait_guarding($node, 'held');
# Extension gone, and back.
ddl($node, "\\c held\nSET client_min_messages = error; DROP EXTENSION chat_v11 CASCADE");
is(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard' AND datname "
		. "= 'held'", 0), 0, '... the guard leaves');
log_has($node, $from, qr/LOG:  chat_v11 guard: leaves: the extension is gone/, '... and says why');
sql($node, 'held', 'CREATE EXTENSION chat_v11');
easy_rollout($node, 'held');
sql($node, 'held', 'SELECT chat_v11.start_guard()');
wait_guarding($node, 'held');
killed_in($node, 'held', 'duplicate', 2, 'a new extension', limit => 3);
# Within one transaction.
fresh($node, 'swapped');
sql($node, 'swapped', 'SET client_min_messages = error; BEGIN; DROP EXTENSION chat_v11 CASCADE; CREATE EXTENSION chat_v11; COMMIT');
easy_rollout($node, 'swapped');
sql($node, 'swapped', 'SET client_min_messages = error; SELECT chat_v11.start_guard()');
wait_guarding($node, 'swapped');
killed_in($node, 'swapped', 'duplicate', 2, 'an extension that was swapped', limit => 3);
sql($node, 'postgres', 'CREATE DATABASE begun');
sql($node, 'begun', 'BEGIN; CREATE EXTENSION chat_v11; SELECT chat_v11.start_guard(); SELECT pg_sleep(1); COMMIT');
wait_guarding($node, 'begun', 'idle');
# While its guard sleeps for long, or has nothing to do, the database is dropped all the same.
fresh($node, 'resting');
$node->append_conf('postgresql.conf', "chat_v11.guard_interval = '60s'\n");
$node->reload;
usleep(700_000);
ddl($node, 'DROP DATABASE resting');
$node->append_conf('postgresql.conf', "chat_v11.guard_interval = '500ms'\n");
$node->reload;
usleep(500_000);
fresh($node, 'failing');
sql($node, 'failing', 'ALTER TABLE chat_v11.guard_state RENAME TO gone');
is(wait_until($node, 'failing', "SELECT query LIKE 'failing round % failures 4 %' FROM pg_stat_activity WHERE backend_type = "
		. "'chat_v11 guard' AND datname = current_database()", 't'), 't', 'a guard that fails');
ddl($node, 'DROP DATABASE failing');
$holder->quit;
# Closed to connections.
fresh($node, 'closed');
my $closed = log_size($node);
ddl($node, 'ALTER DATABASE closed ALLOW_CONNECTIONS false');
sql($node, 'postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'closed'");
usleep(7_500_000);
cmp_ok(() = log_since($node, $closed) =~ /FATAL:  database "closed" is not currently accepting/g, '<', 2,
	'a database that is closed to connections makes no crash loop');
ddl($node, 'ALTER DATABASE closed ALLOW_CONNECTIONS true');
wait_guarding($node, 'closed');
is(alarming($node, $from, @expected, qr/is being accessed by other users/, qr/guard_state" does not exist/,
	qr/database "closed" is not currently accepting/), '', 'the log has no other line above LOG');
$node->stop;

# ---- Guards that the launcher keeps

$node = guard_node('launched', databases => 'here, "with, comma", absent, here, template0',
	conf => "chat_v11.guard_interval = '500ms'\n");
log_has($node, 0, qr/LOG:  chat_v11 launcher: waits for database "absent", which is not there/,
	'preloaded, with no extension anywhere: the launcher waits for what is not there');
is(alarming($node, 0), '', '... and nothing alarms');
is(sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 launcher'"), 1,
	'the launcher is in pg_stat_activity');
calm($node);
$from = log_size($node);
my @launched = (launched => 1);
fresh($node, 'absent', @launched);
killed_in($node, 'absent', 'duplicate', 2, 'a database that came later', limit => 3);
fresh($node, '"with, comma"', no_guard => 1);
wait_guarding($node, 'with, comma');
sql($node, 'postgres', 'CREATE DATABASE here');
is(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard' AND datname = "
		. "'here'", 1), 1, 'a database without the extension has a guard that waits');
sql($node, 'here', 'CREATE EXTENSION chat_v11');
easy_rollout($node, 'here');
wait_guarding($node, 'here', undef, 10);
killed_in($node, 'here', 'duplicate', 2, 'an extension that came later', limit => 3);
ddl($node, "\\c here\nSET client_min_messages = error; DROP EXTENSION chat_v11 CASCADE");
is(wait_until($node, 'postgres', "SELECT bool_and(query ~ 'the database has no extension') FROM pg_stat_activity WHERE "
		. "backend_type = 'chat_v11 guard' AND datname = 'here'", 't'), 't', 'the extension goes: its guard idles');
ddl($node, 'DROP DATABASE here', 8);
ddl($node, 'CREATE DATABASE here TEMPLATE calm');
wait_guarding($node, 'here');
is(guards($node, 'here'), 1, 'dropped and made anew: one guard again');
ddl($node, 'DROP DATABASE here WITH (FORCE)');
ddl($node, 'CREATE DATABASE here TEMPLATE calm');
wait_guarding($node, 'here');
ddl($node, 'CREATE DATABASE copy TEMPLATE here', 10);
wait_guarding($node, 'here');
is(guards($node, 'copy'), 0, 'the copy has no guard');
ddl($node, 'ALTER DATABASE here RENAME TO elsewhere');
is(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard' AND datname = "
		. "'elsewhere'", 0), 0, 'renamed to what is not on the list: no guard');
ddl($node, 'ALTER DATABASE elsewhere RENAME TO here');
wait_guarding($node, 'here');
# Stopped, it idles, and does not keep its database from being dropped.
sql($node, 'absent', 'SET client_min_messages = error; SELECT chat_v11.stop_guard()');
wait_guarding($node, 'absent', 'stopped');
ddl($node, 'DROP DATABASE absent');
ddl($node, 'CREATE DATABASE absent TEMPLATE calm');
wait_guarding($node, 'absent');
# Off the list, on the list.
sub list
{
	my ($databases) = @_;
	$node->append_conf('postgresql.conf', "chat_v11.guard_databases = '$databases'\n");
	return $node->reload;
}
list('absent');
is(wait_until($node, 'postgres', "SELECT string_agg(datname, ',') FROM pg_stat_activity WHERE backend_type = "
		. "'chat_v11 guard'", 'absent'), 'absent', 'off the list: its guard goes');
list('absent, here');
wait_guarding($node, 'here');
# The launcher may go; what it began stays, once.
foreach my $round (1 .. 2)
{
	sql($node, 'postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'chat_v11 launcher'");
	usleep(300_000);
	is(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 launcher'", 1), 1,
		"launcher terminated, round $round: it comes back");
}
usleep(4_500_000);
is(join(' ', map { guards($node, $_) } qw(absent here)), '1 1', '... and each database still has one guard');
list('absent');
is(wait_until($node, 'postgres', "SELECT string_agg(datname, ',') FROM pg_stat_activity WHERE backend_type = "
		. "'chat_v11 guard'", 'absent'), 'absent', '... of which it takes away what is off the list');
# An idle launcher does not grow: it looks each second, for years.
my $used = sub
{
	my $at = log_size($node);
	sql($node, 'postgres', "SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity WHERE backend_type = "
		. "'chat_v11 launcher'");
	for (my $i = 0; $i < 50 && log_since($node, $at) !~ /Grand total: /; $i++) { usleep(100_000); }
	my ($total) = log_since($node, $at) =~ /level: 0; TopMemoryContext: .*?; (\d+) used/ or die;
	return $total;
};
$used->();
my $small = $used->();
usleep(6_000_000);
is($used->() - $small, 0, 'the launcher\'s memory does not grow');
# Both a guard that was started and one that is launched.
my ($rc, $out, $err) = $node->psql('absent', 'SELECT chat_v11.start_guard()');
like($err, qr/NOTICE:  a guard runs already/, 'start_guard() beside the launcher');
$node->restart;
wait_guarding($node, 'absent');
killed_in($node, 'absent', 'duplicate', 2, 'after a restart of the server', limit => 3);
is(alarming($node, $from, @expected, qr/terminating background worker "chat_v11 launcher" due to administrator/,
	qr/WARNING:  nobody watches/), '', 'the log has no other line above LOG');
# pg_upgrade starts servers to fill them: nobody may be connected there but pg_upgrade.
$node->stop;
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', '-b', 'start');
usleep(1_500_000);
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'chat_v11%'"), 0,
	'in a server that pg_upgrade started there is neither launcher nor guard');
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, 'stop');

done_testing();
