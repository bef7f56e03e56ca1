# The canary analysis beside crashes, restarts, a standby, a dump, locks and a fold that stood still: evidence is what was
# closed, everywhere and for good.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use List::Util qw(pairs);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $usual = q('{"all": {"rejects": 0.004, "resyncs": 0.03, "full_states": 0.03, "gone": 0.03, "throttled": 0.04}}');
my @comparisons = qw(slow_receipts write_rejects forced_resync full_state range_unavailable throttled slow_recovery);

my $node = new_node('main', init => { allows_streaming => 1 }, conf => "jit = off\nautovacuum = off\n");

# Each session begins where the clock of the last one stood.
my $clock = "2026-03-01 10:00:00+00";

sub at_clock { return "SET client_min_messages = error; SET timezone = 'UTC'; SET chat_v11.mock_now = '$clock';\n"; }

sub run_sql
{
	my ($sql, $on, $db) = @_;
	my $out = ($on // $node)->safe_psql($db // 'postgres', at_clock() . $sql . "\n;SELECT 'clock ' || chat_v11.clock()");
	$out =~ s/\n?^clock (.*)$//m or die "no clock: $out";
	$clock = $1 unless $on;
	return $out;
}

sub go_on { my ($for, %option) = @_; return run_sql("CALL world.go_on('$for', $usual, " . ($option{fold} // 'true') . ')'); }

# All that the analysis says, to the last bit: the shortest text of a float8 is of no other.
sub evidence
{
	my ($on, $db) = @_;
	my $paths = join ' UNION ALL ', map { "SELECT '$_ ' || p::text AS line FROM chat_v11.analysis('$_') p" } @comparisons;
	return run_sql("SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM ($paths UNION ALL "
		  . 'SELECT check_name || status || reason FROM chat_v11.explain_gates() e WHERE e.check_name IN '
		  . "(SELECT name FROM chat_v11.gate_check WHERE judge <> 'limit')) x", $on // $node, $db);
}

# Users with a forced resync since the evidence began, each once, and how many of them the analysis has.
sub bad_users
{
	my ($db) = @_;
	return run_sql(<<~'SQL', $node, $db);
		WITH p AS (SELECT * FROM chat_v11.analysis('forced_resync'))
		SELECT (SELECT count(DISTINCT (cohort::text, actor)) FROM chat_v11.event WHERE kind = 'forced_resync'
			AND at >= (SELECT min(at) FROM p) AND at < (SELECT max(at) FROM p) + interval '10 s')
			|| ' of ' || (SELECT sum(canary_bad + control_bad) FROM p)
		SQL
}

sub is_whole
{
	my ($what, $db) = @_;
	my ($by_hand, $counted) = bad_users($db) =~ /(\d+) of (\d+)/;
	cmp_ok($by_hand, '>', 50, "$what: there are bad users");
	is($counted, $by_hand, "$what: each of them counts once");
	return;
}

$node->safe_psql('postgres', 'SET client_min_messages = error; CREATE SCHEMA fixture;'
	  . slurp_file((__FILE__ =~ s/[^\/]*$//r) . 'two_cohorts.sql'));
run_sql("SELECT world.enter_stage('canary_10')");
go_on('9 min');

# ---- Standby

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
go_on('1 min');
$node->wait_for_catchup($standby);
my $here = evidence();
like($here, qr/slow_receipts .*PASS/, 'there is evidence');
is(evidence($standby), $here, 'a standby says the same, to the last bit');
is($standby->safe_psql('postgres', at_clock() . 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; '
		. "SELECT count(*) FROM chat_v11.explain_gates() WHERE reason LIKE 'PASS%'") > 0, 1, '... and READ ONLY');
$standby->stop;

# ---- Crashes and restarts

$node->restart;
is(evidence(), $here, 'after a restart');
is_whole('after a restart');
crash($node, all => 1);
poll_start($node);
is(evidence(), $here, 'after a crash');
go_on('1 min');
is_whole('after a crash, going on');
# Between the rows of a closing and its commit.
my $before = run_sql('SELECT count(*) FROM chat_v11.analysis_bucket', $node);
run_sql("SELECT world.wait('30 s')");
run_sql("SELECT world.tell(chat_v11.clock() - interval '10 s', $usual)");
my $open = $node->background_psql('postgres');
my ($folded, $seen) = split /\n/, $open->query_safe(at_clock()
	  . 'BEGIN; SELECT chat_v11.fold() > 0; SELECT count(*) FROM chat_v11.analysis_bucket');
is($folded, 't', 'a fold that is not committed');
cmp_ok($seen, '>', $before, '... has closed buckets');
crash($node, all => 1);
drop_session($open);
poll_start($node);
is(run_sql('SELECT count(*) FROM chat_v11.analysis_bucket', $node), $before, 'the crash takes them along');
run_sql('SELECT chat_v11.fold()');
is(run_sql('SELECT count(*) FROM chat_v11.analysis_bucket', $node), $seen, 'they are closed again');
go_on('1 min');
is_whole('after a crash while closing');

# ---- What a session has seen of a closing that was taken back is not what others close

my $warm = $node->background_psql('postgres');
run_sql("SELECT world.wait('30 s')");
run_sql("SELECT world.tell(chat_v11.clock() - interval '10 s', $usual)");
my $look = "SELECT string_agg(reason, E'\\n' ORDER BY check_name) FROM chat_v11.explain_gates() WHERE reason ~ 'canary'";
$warm->query_safe(at_clock() . "BEGIN; SELECT chat_v11.fold(); $look; ROLLBACK");
run_sql("INSERT INTO chat_v11.event (at, kind, cohort, actor) SELECT max(b.at) + interval '10 s' + i * interval '30 ms', "
	  . "'forced_resync', 'v10', gen_random_uuid() FROM chat_v11.analysis_bucket b, generate_series(1, 300) i GROUP BY i");
run_sql('SELECT chat_v11.fold()');
my $others_see = run_sql($look, $node);
like($others_see, qr/forced_resync: canary \d+ of/, 'others see what they have closed');
is($warm->query_safe($look), $others_see, '... and so does who saw it otherwise');
$warm->quit;

# ---- Who closes is another session each time, and none knows what the others know

foreach my $round (1 .. 6)
{
	go_on('10 s');
	run_sql('SELECT count(*) FROM chat_v11.explain_gates()');
}
is_whole('with a new session for each bucket');

# ---- A dump

my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'it is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], '... and restored');
my $kept = evidence();
is(evidence($node, 'copy'), $kept, 'the copy says the same');
# Everybody of 3000 has trouble now: those who had it before the dump, 300 others among them, do not count again.
is(run_sql(q(CALL world.go_on('1 min 40 s', '{"all": {"resyncs": 1}}');
	SELECT sum(canary_bad + control_bad) FROM chat_v11.analysis('forced_resync')), $node, 'copy'), '3300',
	'... and goes on with who was seen');

# ---- A fold that stood still: all that was missed is read in one go

sub pages_read
{
	return ask($node, 'SELECT pg_stat_force_next_flush(); SELECT sum(heap_blks_hit + heap_blks_read) FROM '
		  . "pg_statio_all_tables WHERE schemaname = 'chat_v11' AND relname LIKE 'event\\__'") =~ s/^\s+//r;
}

go_on('8 min', fold => 'false');
my $pages = pages_read();
my $length = ask($node, "SELECT sum(pg_relation_size(c.oid)) / 8192 FROM pg_class c WHERE c.relname LIKE 'event\\__'");
run_sql('SELECT chat_v11.fold(); SELECT pg_stat_force_next_flush()');
my $read = pages_read() - $pages;
is(run_sql("SELECT count(*) FROM chat_v11.analysis_bucket WHERE closed_at = '$clock'", $node), 48,
	'48 buckets are closed in one go');
note("the files have $length pages; fold and closing read $read");
cmp_ok($read, '<=', 2 * $length + 200, '... from pages that were read once');
is_whole('after the fold stood still');

# ---- Locks: nobody waits

my $locker = $node->background_psql('postgres');
# An index alone, as a REINDEX has it: the table can be read, and no plan can.
$locker->query_safe('BEGIN; REINDEX INDEX chat_v11.analysis_bucket_run');
my $limits = "SET client_min_messages = error; SET chat_v11.mock_now = '$clock'; SET lock_timeout = '2s'; ";
my ($rc, $out, $err) = $node->psql('postgres', $limits . "SELECT reason FROM chat_v11.explain_gates() WHERE check_name = 'forced_resync_compare'");
like($out, qr/another session has locked chat_v11.analysis_bucket_run/, 'the gates are answered while an index is locked');
($rc, $out, $err) = $node->psql('postgres', $limits . 'SELECT decision FROM chat_v11.guard_tick()');
is($rc, 0, 'the guard has its round') or diag($err);
$locker->query_safe('ROLLBACK');
$locker->query_safe('BEGIN; LOCK TABLE chat_v11.analysis_bucket');
run_sql("SELECT world.wait('30 s')");
run_sql("SELECT world.tell(chat_v11.clock() - interval '10 s', $usual)");
($rc, $out, $err) = $node->psql('postgres', "SET chat_v11.mock_now = '$clock'; SET lock_timeout = '2s'; SELECT chat_v11.fold() > 0");
is($out, 't', 'a fold goes on while the table is locked');
like($err, qr/WARNING:.*closes no buckets: another session has locked chat_v11.analysis_bucket/, '... and says so');
like(run_sql("SELECT reason FROM chat_v11.explain_gates() WHERE check_name = 'forced_resync_compare'", $node),
	qr/another session has locked chat_v11.analysis_bucket/, 'the gates say so as well');
like($node->safe_psql('postgres', "SET client_min_messages = error; SET chat_v11.mock_now = '$clock'; SET lock_timeout = '2s'; "
		. set_sql('canary_1', 'true')), qr/^canary_1\|t/, 'a kill does not wait for it');
$locker->query_safe('ROLLBACK');
$locker->quit;

# ---- What is damaged costs the analysis, and nothing else

ask($node, "SET session_replication_role = replica; ALTER TABLE chat_v11.analysis_note DISABLE TRIGGER USER; "
	  . "UPDATE chat_v11.analysis_note SET notes = '\\xff'; ALTER TABLE chat_v11.analysis_note ENABLE ALWAYS TRIGGER \"10_fold_only\"; "
	  . 'ALTER TABLE chat_v11.analysis_note ENABLE ALWAYS TRIGGER "20_keep_own"');
run_sql("SELECT world.wait('30 s')");
run_sql("SELECT world.tell(chat_v11.clock() - interval '10 s', $usual)");
($rc, $out, $err) = $node->psql('postgres', "SET chat_v11.mock_now = '$clock'; SELECT chat_v11.fold() > 0");
is($out, 't', 'a fold goes on with notes that are damaged');
like($err, qr/WARNING:.*closes no buckets: notes of pages/, '... and says so');

# ---- The guard closes by the real clock

$node->safe_psql('postgres', 'CREATE DATABASE guarded');
$node->safe_psql('guarded', 'SET client_min_messages = error; CREATE EXTENSION chat_v11');
easy_rollout($node, 'guarded');
$node->safe_psql('guarded', 'SELECT chat_v11.start_guard()');
my $deadline = time + 60;
my $closed = 0;
while (!$closed && time < $deadline)
{
	$node->safe_psql('guarded', "SELECT chat_v11.record('session_active', 'v10', gen_random_uuid())");
	usleep(300_000);
	$closed = $node->safe_psql('guarded', 'SELECT count(*) FROM chat_v11.analysis_bucket');
}
cmp_ok($closed, '>', 0, 'the guard closes buckets');
is($node->safe_psql('guarded', "SELECT bool_and(closed_at - at BETWEEN '25 s' AND '20 min') FROM chat_v11.analysis_bucket"),
	't', '... when they are due');

# ---- A closing that fails at its commit: the fold goes on, and the next tries wait

my $from = -s $node->logfile;
$node->safe_psql('guarded', <<~'SQL');
	CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
	CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON chat_v11.analysis_bucket DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION public.refuse();
	SQL
my $failing = qr/WARNING:  chat_v11 guard: the canary analysis closes no buckets: no room; (\d) in a row, next try in (\d) s\n/;
$deadline = time + 60;
my @tries;
my $lags = 0;
my $first_at;
while (@tries < 4 && time < $deadline)
{
	$node->safe_psql('guarded', "SELECT chat_v11.record('session_active', 'v10', gen_random_uuid())");
	usleep(300_000);
	$lags = 1 if $node->safe_psql('guarded', "SELECT remark ~ 'fold fails' OR lag_events > 30 FROM chat_v11.guard_status()") eq 't';
	@tries = map { join ' ', @$_ } pairs(server_log($node, $from) =~ /$failing/g);
	$first_at //= time if @tries;
}
my $took = time - ($first_at // time);
is(join(', ', @tries), '1 1, 2 2, 3 4, 4 8', 'a closing that fails is tried again after 1, 2, 4 s');
cmp_ok($took, '>', 5, '... and not before');
is($lags, 0, '... and the fold goes on');
$node->safe_psql('guarded', 'DROP TRIGGER refuse ON chat_v11.analysis_bucket');
$deadline = time + 30;
while (server_log($node, $from) !~ /closes buckets again/ && time < $deadline)
{
	$node->safe_psql('guarded', "SELECT chat_v11.record('session_active', 'v10', gen_random_uuid())");
	usleep(300_000);
}
like(server_log($node, $from), qr/LOG:  chat_v11 guard: the canary analysis closes buckets again/, '... and the closing, once it can');
unlike(server_log($node, $from), qr/the fold failed/, '... which is no failure of the fold');
$node->safe_psql('guarded', 'SELECT chat_v11.stop_guard()');
unlike(server_log($node), qr/PANIC|TRAP|signal \d+: Seg|segfault/, 'nothing alarming in the log');

$node->stop;
done_testing();
