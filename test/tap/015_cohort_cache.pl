# The copy of the state that each session keeps, where it takes several sessions, a crash, a broken file or a counter to
# find it wrong.  97 is a user who is in from canary_1 on.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_node('main', conf => "max_prepared_transactions = 5\nautovacuum = off\n");
easy_rollout($node);

my $ask = "SELECT chat_is_v11_enabled('97')";
sub turn { my ($kill) = @_; return ask($node, set_sql('canary_1', $kill ? 'true' : 'false')); }

# Psql's own answers, a line each.
sub answers { my ($session, @sql) = @_; return join(' ', map { $session->query_safe($_) } @sql); }

# Starts a query in a session, for nobody to wait for, and gives its answer later.
sub start_query { my ($session, $sql) = @_; $session->{stdin} .= "$sql;\n\\echo END\n"; $session->{run}->pump_nb; return; }

sub finish_query
{
	my ($session) = @_;
	$session->{run}->pump until $session->{stdout} =~ /^END$/m || $session->{timeout}->is_expired;
	my ($answer) = $session->{stdout} =~ /\A(.*?)\n?^END$/ms;
	$session->{stdout} = '';
	return $answer;
}

my ($idle, $open, $other) = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 3;
my $open_pid = $open->query_safe('SELECT pg_backend_pid()');

# ---- A kill that is prepared in one session and committed in another ----
answers($open, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM chat_v11.rollout_state');
foreach my $end ('ROLLBACK', 'COMMIT')
{
	my $after = $end eq 'COMMIT' ? 'f' : 't';
	is(answers($_, $ask), 't', "$end PREPARED: in") foreach $idle, $open, $other;
	$other->query_safe('BEGIN');
	$other->query_safe(set_sql('canary_1', 'true', 'prepared'));
	is(answers($other, $ask), 'f', '... who kills sees it');
	$other->query_safe("PREPARE TRANSACTION 'kill'");
	is(answers($_, $ask), 't', '... nobody does while it is prepared, nor who did it') foreach $other, $idle, $open;
	ask($node, "$end PREPARED 'kill'");
	is(answers($_, $ask), $after, "... after $end PREPARED in a third session") foreach $other, $idle, $open;
}
$open->query_safe('COMMIT');
turn(0);

# ---- A session that slept while the queue of messages was filled several times over ----
answers($open, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM chat_v11.rollout_state');
is(answers($open, $ask), 't', 'full queue: in');
# Stopped, because an idle session is woken up to read what there is before it is too late.
kill 'STOP', $open_pid;
turn(1);
ask($node, q{DO $$BEGIN FOR i IN 1 .. 4000 LOOP EXECUTE 'CREATE TEMP TABLE t (a int)'; DROP TABLE t; END LOOP; END$$});
kill 'CONT', $open_pid;
is(answers($open, $ask), 'f', '... the kill is seen though its message was lost');
$open->query_safe('COMMIT');
turn(0);

# ---- Long statements that call it row by row ----
my $rows = 100_000;
my $gate = 50_000;
answers($idle, 'SELECT pg_advisory_lock(1)');
foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	$open->query_safe("BEGIN ISOLATION LEVEL $level");
	start_query($open, <<~"SQL");
		SELECT bool_and(enabled) FILTER (WHERE i < $gate), min(i) FILTER (WHERE NOT enabled) - $gate,
			bool_or(enabled) FILTER (WHERE i > $gate + 1024), count(*)
		FROM (SELECT i, CASE WHEN i = $gate THEN pg_advisory_xact_lock(1) END, chat_is_v11_enabled('97') AS enabled
			FROM generate_series(1, $rows) i OFFSET 0) calls
		SQL
	$node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $open_pid")
	  or die 'no wait';
	turn(1);
	answers($idle, 'SELECT pg_advisory_unlock(1)');
	my ($before, $late, $after, $count) = split /\|/, finish_query($open);
	is("$before $after $count", "t f $rows", "$level: a statement that is running sees the kill");
	cmp_ok($late, '<=', 1024, '... within 1,024 calls');
	note("$level: seen $late calls after the kill");
	$open->query_safe('COMMIT');
	answers($idle, 'SELECT pg_advisory_lock(1)');
	turn(0);
}
answers($idle, 'SELECT pg_advisory_unlock(1)');

# ---- Parallel workers, killed while they work ----
ask($node, 'CREATE TABLE people (id text) WITH (parallel_workers = 2)');
ask($node, "INSERT INTO people SELECT '97' FROM generate_series(1, 6000)");
answers($open, 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0', 'SET min_parallel_table_scan_size = 0',
	'SET parallel_leader_participation = off');
my $scan = 'SELECT chat_is_v11_enabled(id) AS before, pg_sleep(0.0005) IS NULL AS slept, clock_timestamp() AS at, '
  . 'chat_is_v11_enabled(id) AS enabled FROM people';
my $plan = $open->query_safe("EXPLAIN (VERBOSE, COSTS OFF) CREATE TABLE plan AS $scan");
like($plan, qr/Gather.*Workers Planned: 2.*Parallel Seq Scan.*Output: chat_is_v11_enabled/s,
	'the function is what the workers work at');
start_query($open, "CREATE TABLE calls AS $scan");
$node->poll_query_until('postgres',
	"SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND leader_pid = $open_pid")
  or die 'no workers';
usleep(300_000);
turn(1);
my $killed_at = ask($node, 'SELECT clock_timestamp()');
finish_query($open);
my ($late, $yes, $no) = split /\|/, ask($node, <<~"SQL");
	SELECT count(*) FILTER (WHERE enabled AND at > '$killed_at'), count(*) FILTER (WHERE enabled),
		count(*) FILTER (WHERE NOT enabled AND at > '$killed_at') FROM calls
	SQL
is($late, 0, 'a kill amid a parallel query: none of the workers says yes after it');
cmp_ok($_, '>', 100, '... and there was something to see on both sides') foreach $yes, $no;
turn(0);

# ---- Twenty sessions that ask, and one that turns the switch two hundred times ----
ask($node, <<~'SQL');
	CREATE UNLOGGED TABLE yes (began timestamptz, ended timestamptz);
	CREATE UNLOGGED TABLE killed (since timestamptz, until timestamptz);
	CREATE UNLOGGED TABLE asked (sure bigint);
	CREATE FUNCTION ask_many(p_count int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		began timestamptz;
		times timestamptz[] := '{}';
	BEGIN
		FOR i IN 1 .. p_count LOOP
			began := clock_timestamp();
			IF chat_is_v11_enabled('97') THEN
				INSERT INTO yes VALUES (began, clock_timestamp());
			END IF;
			PERFORM pg_sleep(0.001);
		END LOOP;
		INSERT INTO asked VALUES (p_count);
	END $$;
	SQL
my $dir = $PostgreSQL::Test::Utils::tmp_check;
PostgreSQL::Test::Utils::append_to_file("$dir/single.sql", "SELECT ask_many(1);\n");
foreach my $level ('READ COMMITTED', 'REPEATABLE READ')
{
	my $name = $level =~ s/ .*//r;
	PostgreSQL::Test::Utils::append_to_file("$dir/$name.sql",
		"BEGIN ISOLATION LEVEL $level;\nSELECT count(*) FROM people;\nSELECT ask_many(40);\nSELECT ask_many(40);\nCOMMIT;\n");
}
my $turns = join '', map {
	my $kill = $_ % 2;
	($kill ? '' : "UPDATE killed SET until = clock_timestamp() WHERE until IS NULL;\n")
	  . set_sql('canary_1', $kill ? 'true' : 'false', "turn $_") . ";\n"
	  . ($kill ? "INSERT INTO killed VALUES (clock_timestamp());\nSELECT pg_sleep(0.01);\n" : "SELECT pg_sleep(0.01);\n")
} 1 .. 200;
my ($asked_out, $asked_err) = ('', '');
my $askers = IPC::Run::start(
	[ 'pgbench', '-n', '-T', 60, '-c', 20, '-M', 'prepared', '-f', "$dir/single.sql\@10", '-f', "$dir/READ.sql\@1", '-f',
		"$dir/REPEATABLE.sql\@1", $node->connstr('postgres') ],
	'<', \undef, '>', \$asked_out, '2>', \$asked_err,
	IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$node->poll_query_until('postgres', 'SELECT count(*) > 50 FROM asked') or die 'nobody asks';
my $turner = start_psql($node, 'turner', "SET client_min_messages = error;\n$turns");
$turner->{run}->finish;
$askers->signal('INT');
eval { $askers->finish };
is(slurp_file($turner->{err}), '', 'two hundred turns of the switch');
unlike($asked_err, qr/ERROR|FATAL/, '... beside twenty sessions that ask');
is(ask($node, 'SELECT count(*) FROM killed WHERE until IS NOT NULL'), 100, '... a hundred kills');
is(ask($node, 'SELECT count(*) FROM yes, killed WHERE began > since AND ended < until'), 0,
	'... no yes that began after a kill was committed and ended before it was taken back');
is(ask($node, 'SELECT count(*) > 500 FROM yes'), 't', '... though many were in');
is(ask($node, 'SELECT count(*) FROM killed k WHERE NOT EXISTS (SELECT FROM yes WHERE began BETWEEN k.since - interval '
	. "'1 s' AND k.since)"), 0, '... not long before each kill');
is(ask($node, $ask), 't', 'in again at the end');

# ---- A reload that has to wait, and a caller who does not ----
$open->query_safe("PREPARE ask AS $ask");
is(answers($open, 'EXECUTE ask'), 't', 'cancel within a reload: in');
$other->query_safe('BEGIN');
$other->query_safe(set_sql('canary_1', 'true'));
answers($idle, 'BEGIN', 'LOCK TABLE pg_catalog.pg_trigger IN ACCESS EXCLUSIVE MODE');
$other->query_safe('COMMIT');
$open->query_safe("SET statement_timeout = '200ms'");
foreach (1 .. 2)
{
	$open->query('EXECUTE ask');
	is($open->query('\echo :SQLSTATE'), '57014', '... the cancel is the caller\'s, and no answer');
	$open->{stderr} = '';
}
$idle->query_safe('COMMIT');
is(answers($open, 'EXECUTE ask'), 'f', '... and then the kill is seen');
$open->query_safe('RESET statement_timeout');
turn(0);

# ---- What a call costs that has a copy: no page, no catalog, no lock ----
is(answers($open, $ask), 't', 'counters: in');
$open->query_safe('SET work_mem = \'256MB\'; SET jit = off; SET max_parallel_workers_per_gather = 0');
my $catalogs = 'SELECT sum(seq_scan + idx_scan) FROM pg_stat_xact_all_tables';
my $million = 'SELECT count(*) FROM generate_series(1, 1000000) i WHERE chat_is_v11_enabled(i::text)';
$open->query_safe('BEGIN');
$open->query_safe($_) foreach $million, $catalogs, $catalogs;
my $scans = $open->query_safe($catalogs);
my $step = $open->query_safe($catalogs) - $scans;
is($open->query_safe($million), ask($node,
	'SELECT count(*) FROM generate_series(1, 1000000) i WHERE chat_v11.bucket(i::text) < 100'), 'a million calls');
is($open->query_safe($catalogs) - $scans, 2 * $step, '... read no table, and no catalog');
my $explained = $open->query_safe("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF) $million");
like($explained, qr/Rows Removed by Filter: 9\d{5}/, '... when they are explained');
unlike($explained =~ s/^Planning.*//msr, qr/Buffers/, '... touch no page');
is($open->query_safe("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = "
	. "'chat_v11.rollout_state'::regclass"), 0, '... hold no lock');
$open->query_safe('COMMIT');
answers($idle, 'BEGIN', 'LOCK TABLE chat_v11.rollout_state, chat_v11.rollout_history, chat_v11.setting IN ACCESS EXCLUSIVE MODE');
$open->query_safe('SET lock_timeout = \'1s\'');
cmp_ok($open->query_safe($million), '>', 9000, '... and wait for none');
$idle->query_safe('COMMIT');

# ---- Memory ----
sub peak { return slurp_file("/proc/$open_pid/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 : die 'no VmHWM'; }
my $contexts = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my %ways = (
	'with a copy' => [ $ENV{CHAT_V11_LONG} ? 100_000 : 10_000, 't', '', '' ],
	'reading each time' => [ 100, 't', 'ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "40_refresh"',
		'ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh"' ],
	'without a table' => [ 100, 'f', 'ALTER TABLE chat_v11.rollout_state RENAME TO elsewhere',
		'ALTER TABLE chat_v11.elsewhere RENAME TO rollout_state' ]);
foreach my $way (sort keys %ways)
{
	my ($thousands, $answer, $make, $unmake) = @{ $ways{$way} };
	my $calls = "SELECT bool_and(chat_is_v11_enabled('97')) FROM generate_series(1, 1000) a, generate_series(1, \%d) b";
	ask($node, $make) if $make;
	is($open->query_safe(sprintf $calls, 10), $answer, "memory, $way");
	$open->query_safe($contexts);
	my ($in_contexts, $peak) = ($open->query_safe($contexts), peak());
	is($open->query_safe(sprintf $calls, $thousands), $answer, "... ${thousands} thousand calls");
	is($open->query_safe($contexts), $in_contexts, '... leave nothing in PostgreSQL\'s contexts');
	cmp_ok(peak() - $peak, '<', 1024, '... nor anywhere else');
	ask($node, $unmake) if $unmake;
}
# The same within one call of a function, whose memory is its own until the end.
$open->query_safe($_) foreach 'ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "40_refresh"',
  q{CREATE TABLE checked (id text CHECK (chat_is_v11_enabled(id)))};
$open->query_safe("INSERT INTO checked SELECT '97' FROM generate_series(1, 1000)");
my $peak = peak();
$open->query_safe("INSERT INTO checked SELECT '97' FROM generate_series(1, 50000)");
cmp_ok(peak() - $peak, '<', 4096, 'memory, read anew for each row of one INSERT');
ask($node, 'ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh"');

# ---- A crash ----
is(answers($open, $ask), 't', 'crash: in');
$idle->query_safe('BEGIN');
$idle->query_safe(set_sql('canary_1', 'true', 'never committed'));
crash($node, all => 1);
drop_session($_) foreach $idle, $open, $other;
poll_start($node);
is(ask($node, $ask), 't', 'in after a crash that came before the commit of a kill');
turn(1);
crash($node, all => 1);
poll_start($node);
is(ask($node, $ask), 'f', 'out after one that came behind it');
turn(0);

# ---- A file of the state that cannot be read ----
my $file = $node->data_dir . '/' . ask($node, "SELECT pg_relation_filepath('chat_v11.rollout_state')");
$node->safe_psql('postgres', 'CHECKPOINT');
my $sound;
my %damages = (
	'garbage' => sub { 'garbage!' x (length($_[0]) / 8) },
	'a header that makes no sense' => sub { substr($_[0], 0, 12) . "\xff" x 12 . substr($_[0], 24) },
	'zeros' => sub { "\0" x length $_[0] },
	'half a page' => sub { substr($_[0], 0, 4096) },
	'nothing' => sub { '' },
	'no file' => undef);
foreach my $what (sort keys %damages)
{
	$node->stop;
	$sound //= slurp_file($file);
	unlink $file;
	if ($damages{$what})
	{
		open(my $fh, '>:raw', $file) or die $!;
		print $fh $damages{$what}->($sound);
		close $fh;
	}
	$node->start;
	my $from = -s $node->logfile;
	is(ask($node, "$ask; SELECT count(*) FROM people WHERE chat_is_v11_enabled(id); $ask"), "f\n0\nf",
		"$what in place of the state: out");
	my $log = server_log($node, $from);
	my @told = $log =~ /(LOG:  chat_v11: nobody is in the cohort.*)/g;
	cmp_ok(scalar(@told), '==', $what =~ /zeros|nothing|half/ ? 0 : 1, '... told of once, where it is an error');
	my ($rc, $out, $err) = $node->psql('postgres', 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; '
		. 'SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; '
		. 'SELECT count(*) FROM people WHERE chat_is_v11_enabled(id)');
	# A worker cannot undo what it began, so there an error stays one; it is no yes either.
	like("$out$err", $what =~ /zeros|nothing|half/ ? qr/^0$/ : qr/^\S+ ERROR:  (invalid page|could not open file).*\n.*parallel worker$/,
		'... parallel workers, too');
	unlike(server_log($node, $from), qr/PANIC|TRAP|signal \d+|segfault/, '... no crash');
}
$node->stop;
unlink $file;
open(my $fh, '>:raw', $file) or die $!;
print $fh $sound;
close $fh;
$node->start;
is(ask($node, $ask), 't', 'in again with the file as it was');
is(verdict($node), 'sound', 'log');

$node->stop;
done_testing();
