# Guards that the launcher keeps: in databases and with extensions that come and go, on the list and off it, and what the
# launcher itself leaves behind.

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

my $node = guard_node('launched', databases => 'here, "with, comma", absent, here, template0',
	conf => "chat_v11.guard_interval = '500ms'\n");
log_has($node, 0, qr/LOG:  chat_v11 launcher: waits for database "absent", which is not there/,
	'preloaded, with no extension anywhere: the launcher waits for what is not there');
is(alarming($node, 0), '', '... and nothing alarms');
is(sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 launcher'"), 1,
	'the launcher is in pg_stat_activity');
calm($node);
my $from = log_size($node);
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
{
	ddl($node, 'DROP DATABASE absent');
}
sql($node, 'postgres', 'DROP DATABASE IF EXISTS absent WITH (FORCE)');
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
{
	is(join(' ', map { guards($node, $_) } qw(absent here)), '1 1', '... and each database still has one guard');
}
list('absent');
{
	is(wait_until($node, 'postgres', "SELECT string_agg(datname, ',') FROM pg_stat_activity WHERE backend_type = "
			. "'chat_v11 guard'", 'absent'), 'absent', '... of which it takes away what is off the list');
}
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
{
	is(alarming($node, $from, @expected, qr/terminating background worker "chat_v11 launcher" due to administrator/,
		qr/WARNING:  nobody watches/, qr/is being accessed by other users/), '', 'the log has no other line above LOG');
}
# pg_upgrade starts servers to fill them: nobody may be connected there but pg_upgrade.
$node->stop;
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', '-b', 'start');
usleep(1_500_000);
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'chat_v11%'"), 0,
		'in a server that pg_upgrade started there is neither launcher nor guard');
}
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, 'stop');

done_testing();
