# Recovery limits where it takes many sessions, a crash, a cancel, a lost client or a standby to find them wrong.
# CHAT_V11_LONG=1: a million dialogs a turn instead of twenty thousand.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_node('main', init => { allows_streaming => 1 },
	conf => "max_connections = 250\nmax_prepared_transactions = 5\njit = off\n");
my $actor = '00000000-0000-4000-8000-000000000007';

sub dialog { my ($n) = @_; return sprintf('00000000-0000-4000-8000-%012d', $n); }
sub full_state { my ($n) = @_; return "SELECT chat_v11.admit_full_state('" . dialog($n) . "', '$actor')"; }

# How often it was told of, by the events themselves.
sub told
{
	my ($server, $where) = @_;
	return ask($server, 'SELECT count(*) FILTER (WHERE kind = \'full_state\') || \' \' '
		  . "|| count(*) FILTER (WHERE kind = 'resync_throttled') FROM chat_v11.event WHERE $where");
}
sub told_of { my ($n) = @_; return told($node, "subject = '" . dialog($n) . "'"); }

# By the gates, which see each event once: before a fold, or after it.
sub counted { return ask($node, 'SELECT coalesce(sum(numerator), 0) FROM chat_v11.metrics(now() - interval \'1 hour\', '
	  . "now() + interval '1 s') WHERE metric = 'err_resync_throttled_rate'"); }

sub answer
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql);
	return $rc == 0 ? 'admitted' : $err =~ /ERR_RESYNC_THROTTLED/ ? 'throttled' : $err;
}

# So many sessions at once, held back until all of them are there.
sub at_once
{
	my ($sessions, $sql) = @_;
	my $script = PostgreSQL::Test::Utils::tempdir() . '/at_once.sql';
	append_to_file($script, 'SELECT pg_advisory_lock_shared(1);' . "\n"
		  . "DO 'BEGIN PERFORM set_config(''application_name'', ''let go'', false); $sql; "
		  . "EXCEPTION WHEN SQLSTATE ''PT429'' THEN NULL; END';\n");
	my $gate = $node->background_psql('postgres');
	$gate->query_safe('SELECT pg_advisory_lock(1)');
	my $run = IPC::Run::start([ 'pgbench', '-n', '-c', $sessions, '-j', 4, '-t', 1, '-f', $script, $node->connstr('postgres') ],
		'<', \undef, '>', \my $out, '2>', \my $err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$node->poll_query_until('postgres', "SELECT count(*) = $sessions FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
	  or die 'they do not come';
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	ok($run->finish, "... all $sessions got an answer") || diag($err);
	$gate->quit;
	return;
}

# ---- Two hundred at once
ask($node, "SET client_min_messages = error; SELECT chat_v11.set_setting('full_state_interval', '8 s')");
my $perform = full_state(1) =~ s/^SELECT/PERFORM/r =~ s/'/''/gr;
at_once(200, $perform);
is(told_of(1), '1 199', '200 at once for one dialog: one admitted, 199 refused, and each of them told');
is(counted(), 199, '... and counted');
at_once(200, $perform);
is(told_of(1), '1 399', '... within the interval none');
usleep(8_100_000);
at_once(200, $perform);
is(told_of(1), '2 598', '... after it one more');
is(ask($node, 'SELECT sum(chat_v11.fold()) > 0'), 't', '... folded');
is(counted(), 598, '... and still counted once');

# ---- Many sessions and few dialogs, a third of the transactions taken back: never two within an interval
ask($node, "SET client_min_messages = error; SELECT chat_v11.set_setting('full_state_interval', '1 s')");
my $script = PostgreSQL::Test::Utils::tempdir() . '/storm.sql';
append_to_file($script, <<~"SQL");
	DO 'BEGIN
		PERFORM chat_v11.admit_full_state((''00000000-0000-4000-8000-'' || lpad((100 + floor(5 * random()))::text, 12, ''0''))::uuid, ''$actor'');
		PERFORM pg_sleep(0.02 * random());
		IF random() < 0.3 THEN RAISE SQLSTATE ''PT429''; END IF;
		EXCEPTION WHEN SQLSTATE ''PT429'' THEN NULL; END';
	SQL
$node->command_ok([ 'pgbench', '-n', '-c', 20, '-j', 2, '-T', 5, '-f', $script, $node->connstr('postgres') ], 'a storm');
is(ask($node, <<~'SQL'), 'many, 0', '... no two admissions of a dialog lie closer than the interval');
	SELECT CASE WHEN count(*) > 15 THEN 'many, ' ELSE 'few, ' END || count(*) FILTER (WHERE at - before < interval '1 s')
	FROM (SELECT at, lag(at) OVER (PARTITION BY subject ORDER BY at) AS before FROM chat_v11.event
		WHERE kind = 'full_state' AND subject::text ~ '10[0-4]$') e
	SQL

# ---- One resync a stream, whatever becomes of who has it
my $resync = "SELECT chat_v11.admit_resync('stream')";
my %end = (
	cancel => sub { return "SELECT pg_cancel_backend($_[0])"; },
	terminate => sub { return "SELECT pg_terminate_backend($_[0])"; });
foreach my $how (sort keys %end)
{
	my $flight = start_psql($node, $how, "SELECT pg_backend_pid();\nBEGIN;\n$resync;\nSELECT pg_sleep(100);\nSELECT pg_sleep(0.1);\n");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100);'")
	  or die 'no flight';
	is(answer($resync), 'throttled', "$how: a stream that is taken");
	ask($node, $end{$how}->((split /\n/, slurp_file($flight->{out}))[0]));
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100);'");
	is(answer($resync), 'admitted', '... is free afterwards');
	$flight->{run}->finish;
}
# A client that is gone, without a word to the server.
my $lost = $node->background_psql('postgres');
my $lost_pid = $lost->query_safe('SELECT pg_backend_pid()');
$lost->query_safe('BEGIN');
$lost->query_safe($resync);
$lost->query_safe(full_state(2));
is(answer($resync) . ' ' . answer(full_state(2)), 'throttled throttled', 'a client that holds a stream and a dialog');
$lost->{run}->kill_kill;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $lost_pid");
is(answer($resync) . ' ' . answer(full_state(2)), 'admitted admitted', '... and is gone');

# Whatever goes wrong within a call.
my $failures = 0;
my $left = 0;
my $faulty = $node->background_psql('postgres', on_error_stop => 0);
foreach my $fault (qw(error bad_alloc exception cancel))
{
	foreach my $n (1 .. 12)
	{
		foreach my $call ($resync, full_state(1000))
		{
			$faulty->{stderr} = '';
			$faulty->query("LOAD 'chat_v11'; SET chat_v11.fault = '$fault:$n'; BEGIN; $call; ROLLBACK; RESET chat_v11.fault");
			++$failures if $faulty->{stderr} =~ /ERROR/;
			$faulty->query("ROLLBACK; RESET chat_v11.fault");
			++$left if ask($node, "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid IN "
				  . "('chat_v11.full_state_0'::regclass, 'chat_v11.full_state_1'::regclass)") ne '0';
		}
	}
}
$faulty->{stderr} = '';
$faulty->quit;
cmp_ok($failures, '>', 30, 'calls in which something goes wrong');
is($left, 0, '... leave nothing locked');
is(answer($resync) . ' ' . answer(full_state(1000)), 'admitted admitted', '... nor admitted');

# ---- Prepared, also over a crash
ask($node, 'BEGIN; ' . full_state(3) . "; PREPARE TRANSACTION 'admission'");
is(answer(full_state(3)), 'throttled', 'a prepared admission keeps its dialog');
my ($rc, $out, $err) = $node->psql('postgres', "BEGIN; $resync; PREPARE TRANSACTION 'resync'");
like($err, qr/ERR_INVALID_ARGUMENT: a transaction that called admit_resync\(\) cannot be prepared/, 'a resync is not prepared');
is(answer($resync), 'admitted', '... and its stream is free');
ask($node, 'SET client_min_messages = error; SELECT chat_v11.set_setting(\'full_state_interval\', \'1 h\')');
my $before = told($node, 'true');
my $gates = counted();
my $open = $node->background_psql('postgres', on_error_stop => 0);
$open->query_safe('BEGIN');
$open->query_safe($resync);
$open->query_safe(full_state(4));
is(answer(full_state(4)), 'throttled', 'before a crash: refused, told');
usleep(1_500_000);    # the log of writes is flushed within some tenths of a second
crash($node);
drop_session($open);
poll_start($node);
my ($states, $refused) = split / /, $before;
is(told($node, 'true'), "$states " . ($refused + 1), 'after a crash: each refusal is there once, and no admission that was open');
is(counted(), $gates + 1, '... counted once');
ask($node, 'SELECT chat_v11.fold()');
is(counted(), $gates + 1, '... after the fold too');
is(answer($resync) . ' ' . answer(full_state(4)), 'admitted admitted', '... what was held is free');
is(answer(full_state(4)) . ' ' . answer(full_state(3)), 'throttled throttled', '... what was admitted or prepared is not');
ask($node, "ROLLBACK PREPARED 'admission'");
is(answer(full_state(3)), 'admitted', '... until it is rolled back');

# A crash in the middle of refusals: none counts twice, and none that was flushed is lost.  Each of them ends its own
# transaction, so that no commit flushes it.  The client's errors tell how many there were.
my $sum = told_of(4) =~ s/.* //r;
my $refused_call = full_state(4) . ";\n";
my $loop = start_psql($node, 'refusals', $refused_call x 100_000);
usleep(2_000_000);
my $refusals = sub { return scalar(() = slurp_file($loop->{err}) =~ /ERROR:  PT429: ERR_RESYNC_THROTTLED/g); };
my $surely = $refusals->();
usleep(1_000_000);
crash($node, all => 1);
drop_session($loop);
my $at_most = $sum + 1 + $refusals->();
poll_start($node);
my $after = told_of(4) =~ s/.* //r;
cmp_ok($surely, '>', 500, 'a crash amid refusals');
cmp_ok($after, '>=', $sum + $surely, "... those of a second ago are there ($surely)");
cmp_ok($after, '<=', $at_most, "... and none twice ($after of $at_most)");
ask($node, 'SELECT chat_v11.fold()');
is(ask($node, 'SELECT sum(b.count) FROM chat_v11.metric_bucket b WHERE kind = \'resync_throttled\''),
	told($node, 'true') =~ s/.* //r, '... the buckets have the same');

# ---- A standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
answer(full_state(4));
$node->wait_for_catchup($standby);
foreach my $call ($resync, full_state(5))
{
	($rc, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$call");
	like($err, qr/ERROR:  25006: cannot execute chat_v11\.admit_\w+\(\) in a read-only transaction/, "on a standby: $call");
}
is(told($standby, 'true'), told($node, 'true'), '... what was refused on the primary is there too');
is($standby->safe_psql('postgres', "SELECT chat_v11.resync_backoff_ms(3, 'a') || ' ' || (chat_v11.recovery_policy() ->> 'version')"),
	ask($node, "SELECT chat_v11.resync_backoff_ms(3, 'a') || ' ' || (chat_v11.recovery_policy() ->> 'version')"),
	'... and the policy can be read there');
$standby->stop;

# ---- Who folds, and whoever holds the tables, keeps nobody waiting

ask($node, "SET client_min_messages = error; SELECT chat_v11.set_setting('full_state_interval', '60 s')");
ask($node, 'DELETE FROM chat_v11.full_state_0; DELETE FROM chat_v11.full_state_1');
ask($node, "INSERT INTO chat_v11.full_state_$_ SELECT gen_random_uuid(), now() - interval '1 day' FROM generate_series(1, 10)") foreach 0, 1;
my $empty = 'SELECT (SELECT count(*) FROM chat_v11.full_state_0) * (SELECT count(*) FROM chat_v11.full_state_1) = 0';
my $clock = "SET client_min_messages = error; SET chat_v11.mock_now = '2035-01-01 12:02+00'";
my $nightly = start_psql($node, 'nightly', "$clock;\nDO 'BEGIN PERFORM chat_v11.fold(); PERFORM pg_sleep(6); END';\n");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ~ 'fold'") or die;
foreach my $time ('12:02', '12:06')
{
	(undef, undef, $err) = $node->psql('postgres', "SET client_min_messages = error; SET chat_v11.mock_now = '2035-01-01 $time+00'; "
		  . "SET statement_timeout = '2s'; " . full_state(2000));
	is($err, '', "a job that folds and goes on: an admission at $time does not wait for it");
}
is(ask($node, $empty), 'f', '... nothing is emptied yet');
$nightly->{run}->finish;
is(slurp_file($nightly->{err}), '', '... it ends');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.full_state_0, chat_v11.full_state_1 IN ACCESS EXCLUSIVE MODE');
foreach my $call ('guard_tick', 'fold')
{
	(undef, undef, $err) = $node->psql('postgres', "SET client_min_messages = error; SET statement_timeout = '4s'; SELECT chat_v11.$call()");
	is($err, '', "$call() beside locked tables of admissions");
}
$holder->query_safe('ROLLBACK');
$holder->quit;
# A commit that waits for a standby keeps its locks: who is asked meanwhile passes over the table that is being emptied.
ask($node, $_) foreach "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", 'SELECT pg_reload_conf()';
$node->poll_query_until('postgres', "SELECT current_setting('synchronous_standby_names') = 'nobody'") or die;
ask($node, "SET synchronous_commit = local; INSERT INTO chat_v11.full_state_$_ SELECT gen_random_uuid(), now() - interval '1 day'") foreach 0, 1;
my $emptying = start_psql($node, 'emptying', "$clock;\nSET synchronous_commit = on; SELECT chat_v11.fold();\n");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation::regclass::text ~ '^chat_v11.full_state_\\d\$'")
  or die 'nothing is emptied';
(undef, undef, $err) = $node->psql('postgres', "$clock; SET synchronous_commit = local; SET statement_timeout = '2s'; " . full_state(2001));
is($err, '', 'an admission does not wait for a commit that empties the other table');
ask($node, $_) foreach 'ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()';
$emptying->{run}->finish;
is(ask($node, $empty), 't', '... which is empty then');

# ---- As many streams as can be held: a kill finds its locks

my $greed = PostgreSQL::Test::Utils::tempdir() . '/greed.sql';
append_to_file($greed, "BEGIN;\nSELECT count(chat_v11.admit_resync(:client_id || ' ' || i)) FROM generate_series(1, "
	  . "least(100, current_setting('max_locks_per_transaction')::int)) i;\nSELECT pg_sleep(10);\nCOMMIT;\n");
my $greedy = IPC::Run::start([ 'pgbench', '-n', '-c', 230, '-j', 2, '-t', 1, '-f', $greed, $node->connstr('postgres') ],
	'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$node->poll_query_until('postgres', "SELECT count(*) = 230 FROM pg_stat_activity WHERE wait_event = 'PgSleep'") or die 'they do not come';
is(ask($node, "SELECT count(*) = 230 * least(100, current_setting('max_locks_per_transaction')::int) FROM pg_locks "
	. "WHERE classid = 'chat_v11.full_state_1'::regclass"), 't', '230 transactions have all the streams that they may have');
is(ask($node, 'SET client_min_messages = error; ' . set_sql('canary_1', 'true', 'kill')) =~ /^canary_1\|t/, 1, '... a kill is not refused');
ok($greedy->finish, '... nor were they') || diag($err);
(undef, undef, $err) = $node->psql('postgres', "SELECT count(chat_v11.admit_resync('s' || i)) FROM generate_series(1, 101) i");
like($err, qr/ERR_INVALID_ARGUMENT: a transaction resyncs at most \d+ streams/, 'more than that is refused');

# ---- Many dialogs: bounded disk and memory
my $dialogs = $ENV{CHAT_V11_LONG} ? 1_000_000 : 20_000;
ask($node, "SET client_min_messages = error; SELECT chat_v11.set_setting('full_state_interval', '60 s')");
sub clear { ask($node, "$_ chat_v11.full_state_0; $_ chat_v11.full_state_1") foreach 'DELETE FROM', 'VACUUM (FULL)'; return; }
clear();
my $session = $node->background_psql('postgres');
$session->query_safe('SET client_min_messages = error');
my $memory = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $size = "SELECT pg_total_relation_size('chat_v11.full_state_0') + pg_total_relation_size('chat_v11.full_state_1')";
my @sizes;
my @memories;
foreach my $turn (0 .. 5)
{
	$session->query_safe(sprintf("SET chat_v11.mock_now = '2030-01-01 00:%02d+00'", 4 * $turn));
	# More in one transaction than the server has room for locks.
	is($session->query_safe("SELECT count(chat_v11.admit_full_state(md5($turn || ' ' || i)::uuid, '$actor')) FROM generate_series(1, $dialogs) i"),
		$dialogs, "turn $turn: $dialogs dialogs in one transaction");
	push @sizes, $session->query_safe($size);
	push @memories, $session->query_safe($memory);
	$session->query_safe(sprintf("SET chat_v11.mock_now = '2030-01-01 00:%02d+00'", 4 * $turn + 2));
	$session->query_safe('SELECT chat_v11.fold()');
}
note("sizes @sizes, memory @memories");
cmp_ok($sizes[5], '<=', 1.1 * $sizes[1], '... the tables do not grow after the second turn');
cmp_ok($sizes[1], '<=', 2.2 * $sizes[0], '... and have at most two turns');
cmp_ok($sizes[0] / $dialogs, '<', 160, '... some 100 bytes a dialog, its index included');
cmp_ok($memories[5] - $memories[1], '<', 2_000_000, '... nor does the memory of the session');
# The same dialogs again and again, without a fold, in place.
$session->query_safe("SET chat_v11.mock_now = '2030-01-01 01:00+00'");
clear();
my @again;
foreach my $minute (0 .. 39)
{
	$session->query_safe(sprintf("SET chat_v11.mock_now = '2030-01-01 01:%02d+00'", $minute));
	$session->query_safe("DO 'BEGIN FOR i IN 1 .. 1000 LOOP PERFORM chat_v11.admit_full_state(md5(i::text)::uuid, ''$actor''); "
		  . "COMMIT; END LOOP; END'");
	push @again, $session->query_safe($size);
}
cmp_ok($again[39], '<=', 3 * $again[0], "forty times the same thousand: rows are replaced in place ($again[0], $again[39])");
$session->quit;

done_testing();
