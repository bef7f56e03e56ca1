# Starting and stopping guards: by hand, twice, by two at once, beside guard_tick(), by roles that may not, under signals,
# and where the server has no process left for one.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $races = $ENV{CHAT_V11_ROUNDS} ? 10 * $ENV{CHAT_V11_ROUNDS} : 20;

my $node = guard_node('main', conf => "chat_v11.guard_interval = '200ms'\nmax_prepared_transactions = 10\n");
calm($node);
my $began = log_size($node);
my $lock = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() "
  . "AND l.locktype = 'object' AND l.classid = 3079 AND l.objid = 0 AND l.objsubid = 3 AND l.granted";

# ---- Start, stop, start

fresh($node, 'one', no_guard => 1);
is(guarding($node, 'one'), 'none false 0', 'before any guard there is none');
like(status($node, 'one', 'remark'), qr/none was ever started: select chat_v11\.start_guard\(\);/, '... with what to type');
is(sql($node, 'one', 'SELECT expected FROM chat_v11.guard_state'), 'f', '... and none is expected');
my $pid = sql($node, 'one', 'SELECT chat_v11.start_guard()');
wait_guarding($node, 'one');
is(join(' ', guard_pids($node, 'one')), $pid, 'start_guard() answers its process');
is(sql($node, 'one', $lock), 1, '... which holds the lock');
is(sql($node, 'one', 'SELECT expected AND expected_since IS NOT NULL FROM chat_v11.guard_state'), 't', '... it is expected');
like(status($node, 'one', "running || ' ' || pid || ' ' || (last_round > now() - interval '2 s') || ' ' || "
		  . "(round_ms BETWEEN 0.01 AND 2000) || ' ' || (rounds > 0) || ' ' || (lag_events >= 0) || ' ' || "
		  . "(lag_seconds >= 0 IS NOT FALSE) || ' ' || (last_error IS NULL)"),
	qr/^true $pid true true true true true true$/, '... and guard_status() tells of it');
my ($rc, $out, $err) = $node->psql('one', 'SELECT chat_v11.start_guard()');
is($out, $pid, 'started again, it is the same');
like($err, qr/NOTICE:  a guard runs already: process $pid/, '... as it says');
($rc, $out, $err) = $node->psql('one', 'SELECT chat_v11.stop_guard()');
is($out, 't', 'stop_guard(): there was one');
like($err, qr/WARNING:  nobody watches the rollout from now on: it is at canary_1, live\nHINT:  select chat_v11\.start_guard/,
	'... and warns of a live rollout');
is(wait_until($node, 'one', $lock, 0), 0, '... and it lets go');
is(wait_until($node, 'one', "SELECT state || ' ' || running FROM chat_v11.guard_status()", 'stopped false'),
	'stopped false', '... and is gone');
is(sql($node, 'one', 'SELECT expected FROM chat_v11.guard_state'), 'f', '... and is not expected any more');
is(sql($node, 'one', 'SET client_min_messages = error; SELECT chat_v11.stop_guard()'), 'f', 'stopped twice: none was there');
sql($node, 'one', breach('duplicate'));
usleep(600_000);
is(state($node, 'one'), 'canary_1 live v1', 'nobody watches');
my $again = sql($node, 'one', 'SELECT chat_v11.start_guard()');
isnt($again, $pid, 'started anew, it is another process');
is(wait_until($node, 'one', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 2), 't', '... and kills within 2 s');
wait_guarding($node, 'one');
# What is taken back is not stopped.
sql($node, 'one', 'SET client_min_messages = error; BEGIN; SELECT chat_v11.stop_guard(); ROLLBACK');
usleep(600_000);
is(join(' ', guard_pids($node, 'one')), $again, 'a stop that was rolled back stops nobody');
is(wait_until($node, 'one', "SELECT state FROM chat_v11.guard_status()", 'guarding'), 'guarding', '... it goes on');

# Stopped and started at once: whoever was told that a guard runs has one.
my $lost = 0;
foreach my $race (1 .. $races)
{
	sql($node, 'one', 'SET client_min_messages = error; SELECT chat_v11.stop_guard()');
	usleep(int rand 400_000);
	sql($node, 'one', 'SET client_min_messages = error; SELECT chat_v11.start_guard()');
	usleep(450_000);
	$lost++ unless sql($node, 'one', $lock) == 1 && status($node, 'one', 'running') eq 't';
	sql($node, 'one', 'SET client_min_messages = error; SELECT chat_v11.start_guard()') if $lost;
}
is($lost, 0, "stopped and started at once, $races times: then one runs");
# In one transaction, too.
sql($node, 'one', 'SET client_min_messages = error; BEGIN; SELECT chat_v11.stop_guard(); SELECT chat_v11.start_guard(); COMMIT');
usleep(600_000);
is(sql($node, 'one', $lock) . ' ' . status($node, 'one', 'running'), '1 t', '... in one transaction as well');

# Many sessions at once: one guards.
fresh($node, 'many', no_guard => 1);
my @starts = map { start_psql($node, "start_$_", "\\c many\nSELECT chat_v11.start_guard();\n") } 1 .. 6;
$_->{run}->finish foreach @starts;
wait_guarding($node, 'many');
is(sql($node, 'many', $lock), 1, 'started by six at once: one has the lock');
killed_in($node, 'many', 'duplicate', 2, 'started by six at once');
is(sql($node, 'many', "SELECT count(*) FROM chat_v11.rollout_history WHERE transition = 'kill'"), 1, '... by one of them');
note('processes: ' . join(' ', guard_pids($node, 'many')));
# Whoever waits takes over from who is gone.
my @pids = guard_pids($node, 'many');
sql($node, 'many', 'SET client_min_messages = error; SELECT chat_v11.stop_guard()');
my $left = sub { return scalar guard_pids($node, 'many'); };
for (my $i = 0; $i < 60 && $left->(); $i++) { usleep(100_000); }
is($left->(), 0, '... and all are gone once it is stopped');

# ---- guard_tick()

fresh($node, 'tick', no_guard => 1);
is(sql($node, 'tick', "SELECT decision || ' ' || coalesce(action, 'no action') || ' ' || (folded > 100) || ' ' || "
		  . "coalesce(remark, 'no remark') FROM chat_v11.guard_tick()"), 'PROCEED no action true no remark',
	'guard_tick(): a round of one\'s own');
like(guarding($node, 'tick'), qr/^ticking true 0$/, '... which counts as a guard');
is(sql($node, 'tick', 'SELECT expected FROM chat_v11.guard_state'), 't', '... which is expected from now on');
sql($node, 'tick', breach('duplicate'));
like(sql($node, 'tick', 'SET client_min_messages = error; SELECT decision, action FROM chat_v11.guard_tick()'),
	qr/^ROLLBACK\|kill$/, '... and kills');
is(newest($node, 'tick'), 'kill by chat_v11 guard, state by chat_v11 guard', '... as the guard');
sql($node, 'tick', 'BEGIN; SELECT chat_v11.guard_tick(); ROLLBACK');
fresh($node, 'two');
my $worker = (guard_pids($node, 'two'))[0];
like(sql($node, 'two', "SELECT coalesce(decision, '-') || ' ' || folded || ' ' || remark FROM chat_v11.guard_tick()"),
	qr/^- 0 another guard is at work: process $worker, chat_v11 guard, (?:idle|active)$/,
	'beside a worker it leaves the work to that one');
# A tick within an open transaction is a guard as long as that lasts; the worker takes over afterwards.
fresh($node, 'ajar', no_guard => 1);
my $ticker = $node->background_psql('ajar');
$ticker->query_safe('BEGIN; SELECT chat_v11.guard_tick()');
my $ticks = $ticker->query_safe('SELECT pg_backend_pid()');
sql($node, 'ajar', 'SELECT chat_v11.start_guard()');
wait_guarding($node, 'ajar', 'waiting');
is(status($node, 'ajar', 'remark'), "another guard is at work: process $ticks, client backend, idle in transaction",
	'... and says who has the lock');
$ticker->query_safe('COMMIT');
wait_guarding($node, 'ajar');
killed_in($node, 'ajar', 'rollback', 2, 'after a tick made way');
$ticker->quit;
# In a SERIALIZABLE transaction what it reads could undo its kill at the commit, in favour of somebody who reports an event.
($rc, $out, $err) = $node->psql('two', 'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT chat_v11.guard_tick()');
like($err, qr/ERROR:  ERR_INVALID_ARGUMENT: guard_tick\(\) cannot run in a SERIALIZABLE transaction\nHINT:  begin isolation level read committed/,
	'not in a SERIALIZABLE one');
($rc, $out, $err) = $node->psql('two', 'SET default_transaction_isolation = serializable; SELECT chat_v11.guard_tick()');
like($err, qr/cannot run in a SERIALIZABLE transaction\nHINT:  .*default_transaction_isolation = 'read committed'/,
	'... nor where that is the default');
# In any other.
foreach my $level ('READ COMMITTED', 'REPEATABLE READ')
{
	my $db = 'level_' . substr(lc $level, 0, 4);
	fresh($node, $db, no_guard => 1);
	my $session = $node->background_psql($db);
	$session->query_safe("SET client_min_messages = error");
	$session->query_safe("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM chat_v11.rollout_state");
	sql($node, $db, breach('duplicate'));
	is($session->query_safe('SELECT action FROM chat_v11.guard_tick()'), 'kill', "guard_tick() in $level: a kill");
	$session->query_safe('COMMIT');
	is(state($node, $db), 'canary_1 killed v2', '... that is there');
	$session->quit;
}
($rc, $out, $err) = $node->psql('two', 'BEGIN READ ONLY; SELECT chat_v11.guard_tick()');
like($err, qr/ERROR:  cannot execute chat_v11\.guard_tick\(\) in a read-only transaction/, 'not in a READ ONLY one');
# Beside objects of the caller's that are named as ours, before all others.
fresh($node, 'temp', no_guard => 1);
sql($node, 'temp', 'CREATE TEMP TABLE rollout_state (stage text); CREATE TEMP TABLE guard_state (expected boolean); '
	  . 'CREATE TEMP TABLE metric_bucket (minute int); SET search_path = pg_temp, public; '
	  . q{CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'; }
	  . breach('duplicate') . '; SELECT chat_v11.guard_tick()');
is(state($node, 'temp'), 'canary_1 killed v2', 'with the caller\'s temporary tables in the way it kills');
# Prepared it would keep every guard out, for as long as nobody commits it.
fresh($node, 'prepared', no_guard => 1);
sql($node, 'prepared', breach('duplicate'));
($rc, $out, $err) = $node->psql('prepared', "BEGIN; SELECT chat_v11.guard_tick(); PREPARE TRANSACTION 'tick'");
like($err, qr/ERROR:  ERR_INVALID_ARGUMENT: a transaction that called guard_tick\(\) cannot be prepared/,
	'a tick cannot be prepared');
is(sql($node, 'prepared', 'SELECT count(*) FROM pg_prepared_xacts') . ' ' . state($node, 'prepared'), '0 canary_1 live v1',
	'... nothing of it is left');
# What was refused once does not refuse others of the same session.
($rc, $out, $err) = $node->psql('prepared', "BEGIN; SELECT chat_v11.guard_tick(); ROLLBACK; BEGIN; SELECT 1; "
	  . "PREPARE TRANSACTION 'other'; COMMIT PREPARED 'other'; SELECT chat_v11.guard_tick()");
is("$rc " . state($node, 'prepared'), '0 canary_1 killed v2', '... and the next tick kills');

# ---- Rights

fresh($node, 'rights', no_guard => 1);
sql($node, 'rights', 'CREATE ROLE plain; ' . join('; ',
	map { "CREATE ROLE a_$_; SELECT chat_v11.grant_access('a_$_', '$_')" } qw(reader reporter operator admin)));
my %may = (
	'SELECT state FROM chat_v11.guard_status()' => 'reader operator admin',
	'SELECT expected FROM chat_v11.guard_state' => 'reader operator admin',
	'SELECT decision FROM chat_v11.guard_tick()' => 'operator admin',
	'SELECT chat_v11.start_guard() > 0' => 'admin',
	'SELECT chat_v11.stop_guard()' => 'admin',
	'UPDATE chat_v11.guard_state SET expected = true' => '');
foreach my $what (sort keys %may)
{
	my @can = grep { ($node->psql('rights', "SET client_min_messages = error; SET ROLE "
				. ($_ eq 'plain' ? $_ : "a_$_") . "; $what"))[0] == 0 } qw(plain reader reporter operator admin);
	is("@can", $may{$what}, "$what: by " . ($may{$what} || 'nobody'));
}

# ---- Signals

fresh($node, 'signals');
my ($first) = guard_pids($node, 'signals');
my $changes = sql($node, 'signals', 'SELECT count(*) FROM chat_v11.rollout_history');
foreach my $round (1 .. 6)
{
	sql($node, 'signals', "SELECT pg_cancel_backend($first)");
	usleep(130_000);
}
{
	is(join(' ', guard_pids($node, 'signals')), $first, 'pg_cancel_backend(): the guard lives');
}
wait_guarding($node, 'signals', undef, 5);
killed_in($node, 'signals', 'duplicate', 2, 'after it was cancelled', sql => "SELECT pg_cancel_backend($first); "
	. breach('duplicate'));
fresh($node, 'ended');
my ($ended) = guard_pids($node, 'ended');
my $killing = start_watch($node, 'ended', '', limit => 8, sql => "SELECT pg_terminate_backend($ended); " . breach('rollback'));
is(wait_until($node, 'ended', "SELECT count(*) FROM pg_stat_activity WHERE pid = $ended", 0), 0,
	'pg_terminate_backend(): the guard is gone');
# Others that are born meanwhile take its place among the server's processes, but not its lock.
fresh($node, 'heir');
my $took = seconds_to($killing);
{
	ok($took ne 'never' && $took <= 6, '... it comes back, and kills') or diag("after $took s");
}
is(sql($node, 'ended', $lock), 1, '... and has the lock');
{
	is(sql($node, 'postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 3079 AND objid = 0 "
			  . "AND objsubid = 3 AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard' AND "
			  . 'datid = database)'), 0, 'nobody else has the lock of a guard');
}

# A round that fails keeps the lock: without it, another guard would go to work beside this one.
fresh($node, 'failing');
my $holder = $node->background_psql('failing');
sql($node, 'failing', 'ALTER TABLE chat_v11.guard_state RENAME COLUMN expected TO unexpected');
is(wait_until($node, 'failing', "SELECT state_change > now() - interval '1 s' AND query LIKE '%failing%' FROM "
		. "pg_stat_activity WHERE backend_type = 'chat_v11 guard' AND datname = current_database()", 't'), 't',
	'a round fails');
{
	is(sql($node, 'failing', $lock), 1, '... the guard still has the lock');
}
sql($node, 'failing', 'ALTER TABLE chat_v11.guard_state RENAME COLUMN unexpected TO expected');
wait_guarding($node, 'failing');
{
	like(sql($node, 'failing', 'SELECT remark FROM chat_v11.guard_tick()'), qr/^another guard is at work: process \d+, chat_v11 guard,/,
		'... and afterwards nobody else is a guard');
}
like(status($node, 'failing', 'last_error'), qr/column g\.expected does not exist/, '... guard_status() tells what it was');
$holder->quit;

# ---- Another interval

fresh($node, 'interval');
$node->append_conf('postgresql.conf', "chat_v11.guard_interval = '60s'");
$node->reload;
usleep(500_000);
my $rounds = status($node, 'interval', 'rounds');
usleep(2_000_000);
# Whatever wakes it, as the server's invalidation messages may, makes a round; ten were due at the interval before.
cmp_ok(status($node, 'interval', 'rounds') - $rounds, '<', 4, 'guard_interval 60 s: hardly a round in between');
$node->append_conf('postgresql.conf', "chat_v11.guard_interval = '100ms'");
$node->reload;
is(wait_until($node, 'interval', "SELECT rounds > $rounds + 5 FROM chat_v11.guard_status()", 't', 3), 't',
	'guard_interval 100 ms, told while it slept: it does not sleep on');

# ---- No process left

my $full = guard_node('full', conf => "max_worker_processes = 2\nmax_logical_replication_workers = 0\n");
calm($full);
fresh($full, $_) foreach qw(a b);
fresh($full, 'c', no_guard => 1);
($rc, $out, $err) = $full->psql('c', 'SELECT chat_v11.start_guard()');
like($err, qr/ERROR:  no guard could be started: all background worker slots are taken\nHINT:  Raise max_worker_processes/,
	'without a free process: refused, with what to do');
is(guarding($full, 'c'), 'none false 0', '... and none runs');
sql($full, 'a', 'SET client_min_messages = error; SELECT chat_v11.stop_guard()');
is(wait_until($full, 'c', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'chat_v11 guard'", 1), 1,
	'once one is stopped');
usleep(200_000);
sql($full, 'c', 'SELECT chat_v11.start_guard()');
wait_guarding($full, 'c');
$full->stop;

{
	is(alarming($node, $began, qr/administrator command|canceling statement due to user request/,
		qr/permission denied|read-only transaction|SERIALIZABLE transaction|cannot be prepared|nobody watches the rollout/, qr/chat_v11 guard: a round failed.*(?:canceling statement|g\.expected)/), '',
		'the log has no other line above LOG');
}
$node->stop;
done_testing();
