# Guards on a standby, which wait for its promotion, and over an update of the extension.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# ---- An update from the release before

my $old = guard_node('old', databases => 'launched', conf => "chat_v11.guard_interval = '500ms'\n");
ask($old, 'CREATE DATABASE calm');
$old->safe_psql('calm', "CREATE EXTENSION chat_v11 VERSION '0.3'");
easy_rollout($old, 'calm');
my $from = log_size($old);
fresh($old, 'launched', no_guard => 1);
is(wait_until($old, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard' AND query <> ''",
		1), 1, 'version 0.3: a guard is there');
# As long as it takes for failures to add up, were it to fail.
usleep(6_000_000);
is(alarming($old, $from), '', '... and waits for the update, without failing');
is(state($old, 'launched'), 'canary_1 live v1', '... nothing was done');
sql($old, 'launched', 'SET client_min_messages = error; ALTER EXTENSION chat_v11 UPDATE');
wait_guarding($old, 'launched', undef, 10);
killed_in($old, 'launched', 'duplicate', 2, 'updated from 0.3', limit => 4);
fresh($old, 'started', no_guard => 1);
sql($old, 'started', 'SET client_min_messages = error; BEGIN; ALTER EXTENSION chat_v11 UPDATE; '
	  . 'SELECT chat_v11.start_guard(); COMMIT');
wait_guarding($old, 'started');
killed_in($old, 'started', 'rollback', 2, 'updated and started at once', limit => 4);
$old->stop;

# ---- A standby

my $primary = guard_node('primary', databases => 'launched, dropped', init => { allows_streaming => 1 },
	conf => "chat_v11.guard_interval = '500ms'\n");
calm($primary);
fresh($primary, $_, launched => 1) foreach qw(launched dropped);
fresh($primary, 'started');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
my $replayed = sub { return $primary->wait_for_catchup($standby); };
$replayed->();

wait_guarding($standby, 'launched', 'standby');
like(status($standby, 'launched', "running || ' ' || failures || ' ' || remark"), qr/^true 0 guards once this server is promoted/,
	'on a standby it waits');
is(guarding($standby, 'started'), 'dead false 0', '... and one that was started there does not run here');
sql($standby, 'started', 'SELECT chat_v11.start_guard()');
wait_guarding($standby, 'started', 'standby');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE classid = 3079 AND objsubid = 3"), 0,
	'... none of them has the lock');
my ($rc, $out, $err) = $standby->psql('started', 'SELECT chat_v11.stop_guard()');
like($err, qr/ERROR:  cannot execute .* (?:read-only transaction|during recovery)/, 'stop_guard() is refused there');
($rc, $out, $err) = $standby->psql('started', 'SELECT chat_v11.guard_tick()');
like($err, qr/ERROR:  cannot execute chat_v11\.guard_tick\(\) during recovery/, '... and guard_tick()');
# What the primary drops is dropped here, too, while a guard is in it.
sql($primary, 'postgres', 'DROP DATABASE dropped WITH (FORCE)');
$replayed->();
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'dropped'"), 0,
	'a database that the primary dropped is gone');
is(wait_until($standby, 'postgres', "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_stat_activity WHERE "
		. "backend_type = 'chat_v11 guard'", 'launched started'), 'launched started', '... and its guard');
sql($primary, 'postgres', 'CREATE DATABASE dropped TEMPLATE calm');
$replayed->();
wait_guarding($standby, 'dropped', 'standby');
sql($primary, 'launched', 'SET client_min_messages = error; DROP EXTENSION chat_v11 CASCADE; CREATE EXTENSION chat_v11');
easy_rollout($primary, 'launched');
$replayed->();
wait_guarding($standby, 'launched', 'standby');
# The primary's guard works, the standby's sees what it did.
killed_in($primary, 'started', 'rollback', 2, 'on the primary', limit => 4);
$replayed->();
is(state($standby, 'started'), 'canary_1 killed v2', '... the standby has the kill');
# One that was stopped on the primary.
$standby->restart;
wait_guarding($standby, 'launched', 'standby');
sql($primary, 'launched', 'SET client_min_messages = error; SELECT chat_v11.stop_guard()');
$replayed->();
$primary->stop('immediate');
$standby->promote;
my $promoted = time;
# It was stopped there, and that holds here: a guard that is launched heeds it.
wait_guarding($standby, 'launched', 'stopped');
wait_guarding($standby, 'dropped', 'guarding', 10);
cmp_ok(time - $promoted, '<', 10, 'guarding within 10 s of the promotion');
killed_in($standby, 'dropped', 'duplicate', 2, 'promoted', limit => 4);
is(verdict($standby, 'dropped'), 'sound', '... log');
sql($standby, 'launched', 'SET client_min_messages = error; SELECT chat_v11.start_guard()');
wait_guarding($standby, 'launched');
killed_in($standby, 'launched', 'duplicate', 2, 'stopped on the primary, started here', limit => 4);
is(alarming($standby, 0, qr/administrator command|due to conflict|could not (?:receive|connect)|streaming replication/,
	# a database that was dropped is dropped again after a restart of the standby
	qr/could not open directory "base|some useless files/, qr/cannot execute|terminating walreceiver|server closed|connection to server|invalid (?:record|magic)/), '',
	'the log has no other line above LOG');
$standby->stop;
done_testing();
