# A breach in the worst moment: beside a promotion, under locks of others, while the fold fails, in a transaction that
# waits.  The kill comes as soon as it can, the server's log tells the story, and so does guard_status().
#
# CHAT_V11_LONG=1 also holds locks for longer than the guard waits for one, and looks for memory that grows over minutes.
# CHAT_V11_SMALL_DISK names an empty folder on a file system of some 10 MB that the server's user may write to: it is filled.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $long = $ENV{CHAT_V11_LONG};
my $node = guard_node('main', init => { allows_streaming => 1 }, conf => "max_prepared_transactions = 10\n");
calm($node);
my $began = log_size($node);

sub holder
{
	my ($db, @statements) = @_;
	my $session = $node->background_psql($db, on_error_stop => 0);
	$session->query_safe('SET client_min_messages = error');
	$session->query_safe($_) foreach 'BEGIN', @statements;
	return $session;
}

# What is held from before the breach, and for how long; all of them at the same time, each in its own database.
my $seconds = 4;
my %holds = (
	row => [ 'SELECT FROM chat_v11.rollout_state FOR UPDATE' ],
	rollout => [ set_sql('canary_1', 'false', 'held') ],
	buckets => [ 'LOCK TABLE chat_v11.metric_bucket IN ACCESS EXCLUSIVE MODE' ],
	events => [ 'LOCK TABLE chat_v11.gate_check IN ACCESS EXCLUSIVE MODE' ],
	state => [ 'LOCK TABLE chat_v11.rollout_state IN ACCESS EXCLUSIVE MODE' ],
	history => [ 'LOCK TABLE chat_v11.rollout_history IN ACCESS EXCLUSIVE MODE' ],
	gate_log => [ 'LOCK TABLE chat_v11.gate_log IN ACCESS EXCLUSIVE MODE' ]);
# These two do not concern a kill: it does not wait for them.
my %harmless = (
	guard_row => [ 'SELECT FROM chat_v11.guard_state FOR UPDATE' ],
	snapshot => [ 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM chat_v11.event',
		"SELECT chat_v11.record('session_active', 'v11')" ]);
fresh($node, $_) foreach sort keys %holds, keys %harmless;
my (%session, %watch);
foreach my $db (sort keys %holds, keys %harmless)
{
	$session{$db} = holder($db, @{ $holds{$db} || $harmless{$db} });
	# Looking at a table that is locked away would wait for it, too; the history tells when it was.
	$watch{$db} = start_watch($node, $db, 'duplicate') unless $db eq 'state';
	sql($node, $db, breach('duplicate')) if $db eq 'state';
}
my $held_since = time;
foreach my $db (sort keys %harmless)
{
	my $took = seconds_to($watch{$db});
	ok($took ne 'never' && $took <= 2, "beside $db: killed within 2 s") or diag("after $took s");
}
usleep(1_000_000 * ($held_since + $seconds - time)) if time < $held_since + $seconds;
is(state($node, $_), 'canary_1 live v1', "while somebody holds the $_: not yet") foreach qw(row rollout history);
my $released = time;
$_->query('COMMIT') foreach values %session;
foreach my $db (sort keys %holds)
{
	my $done = wait_until($node, $db, 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 5);
	is($done, 't', "held: $db: killed once it is released");
	my $after = sql($node, $db, "SELECT extract(epoch FROM updated_at) - $released FROM chat_v11.rollout_state");
	note("$db: " . $after);
	cmp_ok($after, '<=', 2, '... within 2 s');
	is(newest($node, $db), 'kill by chat_v11 guard, state by chat_v11 guard', '... by the guard');
	is(verdict($node, $db), 'sound', '... log');
	is(guarding($node, $db), 'guarding true 0', '... and it goes on');
	seconds_to($watch{$db}) if $watch{$db};
}
$_->quit foreach values %session;
sql($node, 'postgres', join '', map { "DROP DATABASE $_ WITH (FORCE);\n" } sort keys %holds, keys %harmless);
# The gate log is no reason for a kill to wait; a round that has nothing else to do says what it could not write.
is(alarming($node, $began, qr/administrator command/, qr/WARNING:  .*gate log .*took longer than|gate_log/), '',
	'no round failed for that');

# ---- People beside the guard

# Somebody promotes and goes back without a pause.
my $from = log_size($node);
fresh($node, 'race');
my $people = start_psql($node, 'people', "\\c race\nSET client_min_messages = error;\n"
	  . (set_sql('canary_10', 'false', 'up') . ";\n" . set_sql('canary_1', 'false', 'down') . ";\n") x 400);
usleep(500_000);
killed_in($node, 'race', 'duplicate', 2, 'beside somebody who promotes and goes back');
$people->{run}->finish;
my ($refused) = slurp_file($people->{err}) =~ /ERROR:  PT412: (.*)/;
like($refused // '', qr/^ERR_GATE_CLOSED/, '... whose promotions are refused from then on');
is(sql($node, 'race', 'SELECT kill_switch FROM chat_v11.rollout_state'), 't', '... it stays killed');
is(verdict($node, 'race'), 'sound', '... log');
# Two kill at once: both are in the log, or the guard's is not needed.
fresh($node, 'twice');
sql($node, 'twice', breach('duplicate') . '; ' . set_sql('canary_1', 'true', 'by hand'));
usleep(1_500_000);
is(newest($node, 'twice'), 'kill by ' . sql($node, 'twice', 'SELECT current_user') . ', state by '
	  . sql($node, 'twice', 'SELECT current_user'), 'killed by hand in the same moment: the guard adds nothing');
# One who locks the row first and then asks for a change makes a deadlock, of which the kill is not the victim.
fresh($node, 'deadlock');
my $victim = holder('deadlock', 'SELECT FROM chat_v11.rollout_state FOR UPDATE');
my $watch = start_watch($node, 'deadlock', 'duplicate');
usleep(1_500_000);
my (undef, $failed) = $victim->query(set_sql('canary_1', 'false', 'dead'));
$victim->query('ROLLBACK');
my $took = seconds_to($watch);
ok($took ne 'never' && $took <= 6, 'a deadlock: killed') or diag("after $took s");
is(newest($node, 'deadlock'), 'kill by chat_v11 guard, state by chat_v11 guard', '... by the guard');
$victim->quit;
# Prepared for COMMIT PREPARED, it holds the lock without a session.
fresh($node, 'prepared');
sql($node, 'prepared', 'BEGIN; ' . set_sql('canary_10', 'false', 'prepared') . "; PREPARE TRANSACTION 'up'");
$watch = start_watch($node, 'prepared', 'duplicate');
usleep(1_500_000);
is(state($node, 'prepared'), 'canary_1 live v1', 'a prepared promotion holds up the kill');
sql($node, 'prepared', "COMMIT PREPARED 'up'");
$took = seconds_to($watch);
ok($took ne 'never' && $took <= 4, '... until it is committed') or diag("after $took s");
is(state($node, 'prepared'), 'canary_1 killed v3', '... of what it promoted to');

# ---- The fold fails

fresh($node, 'folding');
sql($node, 'folding', <<~'SQL');
	CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
	CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON chat_v11.metric_bucket FOR EACH ROW EXECUTE FUNCTION public.refuse();
	SELECT chat_v11.record('session_active', 'v11');
	SQL
is(wait_until($node, 'folding', "SELECT last_error FROM chat_v11.guard_status()", 'the fold failed: no room'),
	'the fold failed: no room', 'the fold fails: guard_status() says why');
{
	like(status($node, 'folding', "state || ' ' || remark"), qr/^guarding .*, the fold fails$/, '... that the guard is at work');
}
like(status($node, 'folding', 'lag_events > 0 AND failures = 0'), qr/^t$/, '... and that the fold lags');
killed_in($node, 'folding', 'duplicate', 2, '... killed all the same');
sql($node, 'folding', 'DROP TRIGGER refuse ON chat_v11.metric_bucket');
is(wait_until($node, 'folding', 'SELECT lag_events FROM chat_v11.guard_status()', 0, 10), 0, 'it folds again');
log_has($node, $from, qr/WARNING:  chat_v11 guard: the fold failed: no room; 1 in a row, next try in 1 s\n/,
	'... the log tells of the failure');
log_has($node, $from, qr/LOG:  chat_v11 guard: folds again after \d failures/, '... and of its end');
sql($node, 'folding', set_sql('canary_1', 'true', 'x'));

# ---- The fold fails on a disk that is really full: no page of the buckets fits any more

SKIP:
{
	my $disk = $ENV{CHAT_V11_SMALL_DISK};
	skip('CHAT_V11_SMALL_DISK is not set', 4) unless $disk;
	fresh($node, 'full_disk');
	$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk'");
	sql($node, 'full_disk', 'SET client_min_messages = error; ALTER TABLE chat_v11.metric_bucket SET TABLESPACE small');
	system('dd', 'if=/dev/zero', "of=$disk/filler", 'bs=4k', 'status=none');
	sql($node, 'full_disk', "SELECT count(chat_v11.record(k, c, p_at => now() - i * interval "
		  . "'10 s')) FROM generate_series(1, 500) i, (VALUES ('write_started'), ('session_active'), ('timeline_delivered'), "
		  . "('read_cursor')) k(k), (VALUES ('v10'), ('v11')) c(c)");
	my $said = "SELECT coalesce(last_error, '') LIKE 'the fold failed: could not extend file %: No space left on device%' "
	  . 'FROM chat_v11.guard_status()';
	is(wait_until($node, 'full_disk', $said, 't'), 't', 'a full disk: guard_status() says that the fold fails, and of what');
	killed_in($node, 'full_disk', 'duplicate', 2, '... killed all the same');
	unlink("$disk/filler");
	is(wait_until($node, 'full_disk', 'SELECT lag_events FROM chat_v11.guard_status()', 0, 30), 0, '... folds once there is room');
	drop_db($node, 'full_disk');
	$node->safe_psql('postgres', 'DROP TABLESPACE small');
}
# The tables of the gates are gone: nothing can be judged, which is told, and mended it goes on.
fresh($node, 'broken');
sql($node, 'broken', 'ALTER TABLE chat_v11.gate_check RENAME TO gone');
is(wait_until($node, 'broken', "SELECT failures >= 2 FROM chat_v11.guard_status()", 't'), 't', 'a round fails, and the next');
like(status($node, 'broken', "state || ': ' || last_error"), qr/^failing: .*gate_check.* does not exist/, '... with its reason');
sql($node, 'broken', breach('rollback'));
sql($node, 'broken', 'ALTER TABLE chat_v11.gone RENAME TO gate_check');
is(wait_until($node, 'broken', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 9), 't', 'mended: killed');
wait_guarding($node, 'broken');
log_has($node, $from, qr/LOG:  chat_v11 guard: rounds succeed again after \d failures/, '... the log says so');

# ---- A synchronous standby that is gone

fresh($node, 'standby');
sql($node, 'postgres', "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;
usleep(300_000);
$ENV{PGOPTIONS} = '-c synchronous_commit=local';
killed_in($node, 'standby', 'duplicate', 2, 'a synchronous standby is gone');
delete $ENV{PGOPTIONS};
sql($node, 'postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
$node->reload;

# ---- Memory, and longer waits

my $rounds = $long ? 3000 : 80;
fresh($node, 'memory');
$node->append_conf('postgresql.conf', "chat_v11.guard_interval = '100ms'\n");
$node->reload;
my ($pid) = guard_pids($node, 'memory');
my $memory = sub
{
	my ($rss) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
	my $at = log_size($node);
	sql($node, 'postgres', "SELECT pg_log_backend_memory_contexts($pid)");
	for (my $i = 0; $i < 50 && log_since($node, $at) !~ /Grand total: /; $i++) { usleep(100_000); }
	# But for the plans and the catalog that it keeps, which come with what happens first, and the statistics that wait to
	# be sent.
	my $used = 0;
	my $text = log_since($node, $at);
	while ($text =~ /level: \d+; (.+?): \d+ total in .*; (\d+) used/g)
	{
		my ($context, $bytes) = ($1, $2);
		$used += $bytes unless $context =~ /^(?:Cached|SPI Plan|CacheMemoryContext|index info|PgStat Pending)/;
	}
	die 'no memory was logged' unless $used;
	return ($rss, $used);
};
my $wait_rounds = sub
{
	my $until = status($node, 'memory', 'rounds') + $_[0];
	return is(wait_until($node, 'memory', "SELECT rounds >= $until FROM chat_v11.guard_status()", 't', 10 + $_[0]), 't',
		"$_[0] rounds");
};
sql($node, 'memory', "SELECT count(chat_v11.record('session_active', 'v11')) FROM generate_series(1, 1000)");
$wait_rounds->(30);
my ($rss, $used) = $memory->();
foreach my $i (1 .. 5)
{
	sql($node, 'memory', "SELECT count(chat_v11.record('session_active', 'v11')) FROM generate_series(1, 1000)");
	$wait_rounds->($rounds / 5);
}
my ($rss_after, $used_after) = $memory->();
note("RssAnon $rss -> $rss_after kB, contexts $used -> $used_after bytes");
cmp_ok($rss_after - $rss, '<', 1024, "over $rounds rounds the worker grows by less than 1 MB");
cmp_ok($used_after - $used, '<', $rounds, '... nor do its contexts, by less than a byte a round');
if ($long)
{
	fresh($node, 'lasting');
	my $lasting = holder('lasting', set_sql('canary_1', 'false', 'held'));
	my $mark = log_size($node);
	sql($node, 'lasting', breach('duplicate'));
	usleep(14_000_000);
	log_has($node, $mark, qr/WARNING:  chat_v11 guard: the kill failed, 1 in a row, next try in 0 s: .*lock timeout/,
		'held for longer than the guard waits: the log says that the kill waits');
	like(status($node, 'lasting', 'state'), qr/^(?:failing|hanging)$/, '... and guard_status() that something is wrong');
	$lasting->query_safe('COMMIT');
	is(wait_until($node, 'lasting', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 2), 't', '... then it is killed');
	$lasting->quit;
}

is(alarming($node, $from, qr/administrator command/, qr/the fold failed: (no room|could not extend file)/, qr/ERROR:  ERR_|deadlock detected/,
	qr/a round failed, \d in a row, .*gate_check|the fold failed: relation "chat_v11.gate_check"/, qr/lock timeout/), '', 'the log has no other line above LOG');
$node->stop;
done_testing();
