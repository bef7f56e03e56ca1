# What becomes of a guard that start_guard() began when its database or its extension is dropped, renamed, copied, moved or
# closed.

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
{
	ddl($node, 'DROP DATABASE resting');
}
$node->append_conf('postgresql.conf', "chat_v11.guard_interval = '500ms'\n");
$node->reload;
usleep(500_000);
fresh($node, 'failing');
sql($node, 'failing', 'ALTER TABLE chat_v11.gate_check RENAME TO gone');
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
{
	is(alarming($node, $from, @expected, qr/is being accessed by other users/, qr/gate_check" does not exist/,
		qr/database "closed" is not currently accepting/), '', 'the log has no other line above LOG');
}
$node->stop;
done_testing();
