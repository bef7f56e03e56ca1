# The guard where no worker may run: guard_tick() by the real pg_cron, and by a loop of psql.  Pg_cron knows minutes, so
# its part takes up to one; the rest happens meanwhile, in databases beside it.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $library = `pg_config --pkglibdir` =~ s/\s+\z//r . '/pg_cron.so';
plan skip_all => "pg_cron is not installed ($library)" unless -e $library;

my $long = $ENV{CHAT_V11_LONG};
my $node = new_node('main', bare => 1, conf => <<~'CONF');
	shared_preload_libraries = 'pg_cron'
	cron.database_name = 'postgres'
	track_commit_timestamp = on
	CONF
# It connects as any client does, over the node's socket; in the long version its jobs run in workers of its own.
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\n"
	. 'cron.use_background_workers = ' . ($long ? "on\n" : "off\n"));
$node->restart;

# A database with a live rollout that is green, and nobody who guards it.
sub live_database
{
	my ($db) = @_;
	ask($node, "CREATE DATABASE $db") unless $db eq 'postgres';
	$node->safe_psql($db, 'CREATE EXTENSION chat_v11');
	easy_rollout($node, $db);
	return;
}

# One commit, at a moment of the server's own clock.
sub breach
{
	my ($db) = @_;
	return $node->safe_psql($db, q{SELECT chat_v11.record('timeline_duplicate', 'v11', gen_random_uuid(), gen_random_uuid());
		SELECT extract(epoch FROM clock_timestamp())} ) =~ s/.*\n//sr;
}

# What the log says of the last kill.
sub last_kill
{
	my ($db) = @_;
	return $node->safe_psql($db, "SELECT transition, changed_by, approved_by, note FROM chat_v11.rollout_history "
		. 'ORDER BY id DESC LIMIT 1');
}

live_database($_) foreach 'postgres', 'looped', 'worked';

# ---- Pg_cron ----
ask($node, $_) foreach 'CREATE EXTENSION pg_cron', 'CREATE ROLE scheduler LOGIN',
  q{SELECT chat_v11.grant_access('scheduler', 'operator')}, 'GRANT USAGE ON SCHEMA cron TO scheduler';
my $schedule = q{SELECT cron.schedule('* * * * *', 'select chat_v11.guard_tick()')};
my $job = ask($node, "SET ROLE scheduler; $schedule");
like($job, qr/^\d+$/, 'pg_cron: a role with level operator has a job');
ask($node, $_) foreach 'CREATE ROLE onlooker LOGIN', q{SELECT chat_v11.grant_access('onlooker', 'reader')},
  'GRANT USAGE ON SCHEMA cron TO onlooker';
my $refused = ask($node, "SET ROLE onlooker; $schedule");
is(state($node), 'canary_1 live v1', '... live');
my $breached = breach('postgres');

# ---- A loop of psql, meanwhile ----
sub tick
{
	my ($db) = @_;
	return $node->safe_psql($db, q{SELECT decision, coalesce(action, 'nothing'), coalesce(remark, '') FROM chat_v11.guard_tick()});
}

is($node->safe_psql('looped', 'SELECT expected FROM chat_v11.guard_state'), 'f', 'loop: nobody is expected to guard');
like(tick('looped'), qr/^(PROCEED|HOLD)\|nothing\|$/, '... a tick sees calm, and does nothing');
is($node->safe_psql('looped', 'SELECT expected FROM chat_v11.guard_state'), 't', '... from now on somebody is');
is($node->safe_psql('looped', 'SELECT state, running, pid IS NULL FROM chat_v11.guard_status()'), 'ticking|t|t',
	'... and status says that somebody ticks');
my $tail = 'SELECT lag_events FROM chat_v11.fold_status()';
is($node->safe_psql('looped', $tail), 0, '... the tick has folded');
my $ticks = PostgreSQL::Test::Utils::tempdir() . '/ticks';
my $loop = IPC::Run::start(
	[ 'sh', '-c', 'while :; do psql -XAtqc "select chat_v11.guard_tick()" "$0" >>"$1" 2>&1; sleep 1; done',
		$node->connstr('looped'), $ticks ],
	IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
foreach my $round (1 .. ($long ? 20 : 2))
{
	usleep(rand 1_000_000);
	my $at = breach('looped');
	$node->poll_query_until('looped', 'SELECT kill_switch FROM chat_v11.rollout_state') or die 'no kill';
	my $took = $node->safe_psql('looped', "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) - $at FROM "
		. 'chat_v11.rollout_state');
	cmp_ok($took, '<', 2, "... round $round: kills within 2 s");
	like(last_kill('looped'), qr/^kill\|chat_v11 guard\|\S+\|guard: timeline_duplicate_detected_rate is /, '... as the guard');
	my $version = state($node, 'looped');
	usleep(1_300_000);
	is(state($node, 'looped'), $version, '... once');
	# Live again, with the breach still in the window.
	$node->safe_psql('looped', q{SELECT chat_v11.set_check('timeline_duplicate_detected_rate', p_limit => (
			SELECT (numerator + 0.1) / denominator FROM chat_v11.explain_gates()
			WHERE check_name = 'timeline_duplicate_detected_rate'));
		SELECT chat_v11.force_rollout_state('canary_1', false, 'live for the next round of a test', 'another')});
}
$loop->signal('TERM');
eval { $loop->finish };
my $told = slurp_file($ticks);
like($told, qr/^\(ROLLBACK,kill,0,"the events are folded by the next round"\)$/m, '... a tick tells of its kill');
unlike($told, qr/ERROR|FATAL|WARNING/, '... none fails');
is($node->safe_psql('looped', $tail), 0, '... and all is folded');
is(verdict($node, 'looped'), 'sound', '... log');

# ---- Beside a worker ----
my $pid = $node->safe_psql('worked', 'SELECT chat_v11.start_guard()');
$node->poll_query_until('worked', q{SELECT state = 'guarding' FROM chat_v11.guard_status()}) or die 'no guard';
my $folds = q{SELECT count(*), max(xmin::text) FROM chat_v11.guard_state};
my $before = $node->safe_psql('worked', $folds);
like($node->safe_psql('worked', 'SELECT * FROM chat_v11.guard_tick()'),
	qr/^\|\|0\|another guard is at work: process $pid, chat_v11 guard, (?:idle|active)$/, 'worker: a tick beside it says so');
is($node->safe_psql('worked', $folds), $before, '... and does nothing');
is($node->safe_psql('worked', 'SELECT last_tick IS NULL FROM chat_v11.guard_state'), 't', '... and counts for nothing');
breach('worked');
$node->poll_query_until('worked', 'SELECT kill_switch FROM chat_v11.rollout_state') or die 'no kill';
like(last_kill('worked'), qr/^kill\|chat_v11 guard\|chat_v11 guard\|/, '... the worker kills');
is($node->safe_psql('worked', 'SELECT chat_v11.stop_guard()'), 't', '... is stopped');
$node->poll_query_until('worked', 'SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ' . $pid . ')')
  or die 'it stays';
like($node->safe_psql('worked', 'SELECT remark FROM chat_v11.guard_tick()'), qr/^stopped by \S+: select chat_v11.start_guard\(false\);$/,
	'... and a tick with it');
is($node->safe_psql('worked', 'SELECT chat_v11.start_guard(false) IS NULL'), 't', '... is let go on without a worker');
like(tick('worked'), qr/^ROLLBACK\|nothing\|$/, '... and then a tick looks itself');

# What only a transaction that ends at once may do, since it locks readers out: a tick is one.
$node->safe_psql('looped', q{ALTER TABLE chat_v11.fold_state DISABLE TRIGGER "10_fold_only";
	UPDATE chat_v11.fold_state SET generation_since = now() - interval '3 days';
	ALTER TABLE chat_v11.fold_state ENABLE TRIGGER "10_fold_only"});
my $turned = q{SELECT generation_since > now() - interval '1 hour' FROM chat_v11.fold_state};
$node->safe_psql('looped', 'BEGIN; SELECT chat_v11.guard_tick(); COMMIT');
is($node->safe_psql('looped', $turned), 'f', 'a tick in a block keeps the writes where they are');
$node->safe_psql('looped', 'SELECT chat_v11.guard_tick()');
is($node->safe_psql('looped', $turned), 't', '... and one by itself lets them take turns');

# Two ticks at once: one works.
my $first = $node->background_psql('looped', on_error_stop => 0);
$first->query_safe('BEGIN');
like($first->query_safe('SELECT remark IS NULL FROM chat_v11.guard_tick()'), qr/^t$/, 'two ticks: one is at work');
like($node->safe_psql('looped', 'SELECT * FROM chat_v11.guard_tick()'),
	qr/^\|\|0\|another guard is at work: process \d+, client backend, idle in transaction$/, '... the other one says so');
$first->query_safe('ROLLBACK');
$first->quit;

# ---- Once a minute, some tenths of a second sooner or later each time, as a scheduler calls on a busy machine ----
$node->safe_psql('worked', <<~'SQL');
	DROP EXTENSION chat_v11;
	CREATE EXTENSION chat_v11;
	SELECT chat_v11.set_policy('canary_1', p_quiet_period => '5 min');
	SET client_min_messages = error;
	SET chat_v11.mock_now = '2026-03-02 12:00:00+00';
	SELECT FROM chat_set_v11_rollout_state('canary_1', false, 'start');
	SQL
my $quiet = '';
foreach my $at ('00:00.6', '01:00.05', '02:00.7', '03:00.1')
{
	$quiet = $node->safe_psql('worked', "SET client_min_messages = error; SET chat_v11.mock_now = '2026-03-02 12:$at+00';"
		. q{SELECT FROM chat_v11.guard_tick();
			SELECT status, reason FROM chat_v11.explain_gates() WHERE check_name = 'quiet'});
}
{
	unlike($quiet, qr/no guard watched/, 'uneven ticks: no gap');
}

# ---- Pg_cron's minute is over ----
$node->poll_query_until('postgres', 'SELECT kill_switch FROM chat_v11.rollout_state') or die 'no kill';
my $kill = last_kill('postgres');
like($kill, qr/^kill\|chat_v11 guard\|scheduler\|guard: timeline_duplicate_detected_rate is /, 'pg_cron: the guard kills');
cmp_ok(ask($node, "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) - $breached FROM chat_v11.rollout_state"),
	'<', 65, '... at the next minute');
my $details = 'SELECT status, return_message FROM cron.job_run_details WHERE jobid';
$node->poll_query_until('postgres', "SELECT count(*) > 0 AND bool_and(status IN ('succeeded', 'failed')) FROM "
	. "cron.job_run_details WHERE jobid IN ($job, $refused)") or die 'no details';
like(ask($node, "$details = $job"), qr/\Asucceeded\|[^\n]*\n?(succeeded.*)?\z/s, '... job_run_details tell of its success');
like(ask($node, "$details = $refused"), qr/\Afailed\|ERROR: *permission denied for function guard_tick/,
	'... and that a role without the level is refused');
{
	is(ask($node, 'SELECT state, running FROM chat_v11.guard_status()'), 'ticking|t', '... status says that somebody ticks');
	is(ask($node, 'SELECT expected FROM chat_v11.guard_state'), 't', '... and it is expected to go on');
}
if ($long)
{
	my $version = state($node);
	ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM cron.job_run_details WHERE jobid = $job AND "
		. "status = 'succeeded'"), '... a minute later it ticks again');
	is(ask($node, $tail), 0, '... and folds');
	is(ask($node, 'SELECT state, running FROM chat_v11.guard_status()'), 'ticking|t', '... status knows');
	is(state($node), $version, '... and nobody is killed twice');
}
is(verdict($node), 'sound', '... log');
unlike(server_log($node), qr/PANIC|signal \d+|TRAP/, 'nothing crashed');

$node->stop;
done_testing();
