# Who listens on channel chat_v11 hears of each accepted change when it commits, and of nothing that did not; and no
# trouble with notifications refuses a kill.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = guard_node('main', init => { allows_streaming => 1 }, conf => "max_prepared_transactions = 5\n");
calm($node);
fresh($node, 'db', no_guard => 1);
my $began = log_size($node);
my $ear = $node->background_psql('db');
$ear->query_safe('LISTEN chat_v11');

# What was heard since, each as what it says.
sub heard
{
	my $out = $ear->query_safe('SELECT 1');
	my @payloads = $out =~ /^Asynchronous notification "chat_v11" with payload "(.*)" received from/mg;
	return map { JSON::PP->new->utf8->decode($_) } @payloads;
}

sub short
{
	return join ', ', map {
		my $n = $_;
		my $side = sub { ref $_[0] ? $_[0]{stage} . ($_[0]{kill_switch} ? ' killed' : '') : $_[0] // 'null' };
		"$n->{event} v$n->{version} " . $side->($n->{from}) . ' -> ' . $side->($n->{to})
	} @_;
}

sub tells
{
	my ($text, $expected, $what) = @_;
	my ($rc, undef, $err) = $node->psql('db', "SET client_min_messages = error; $text");
	my @heard = heard();
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(short(@heard), $expected, $what) or diag("rc $rc: $err");
	return @heard;
}

# ---- Each accepted change, however it is made

my ($first) = tells(set_sql('canary_10', 'false', 'up'), 'state v2 canary_1 -> canary_10', 'a promotion');
is(join(' ', sort keys %$first), 'at by decision event from reason to transition version', '... has all its fields');
is("$first->{transition} $first->{decision} " . ($first->{reason} // 'null'), 'promote PROCEED null', '... rightly filled');
like($first->{at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, '... at is a moment in UTC');
is(sql($node, 'db', "SELECT updated_at = '$first->{at}' FROM chat_v11.rollout_state"), 't', '... that of the change');
is(JSON::PP::is_bool($first->{to}{kill_switch}), 1, '... the kill switch is a boolean');
tells("UPDATE chat_v11.rollout_state SET stage = 'canary_50'", 'state v3 canary_10 -> canary_50', 'an UPDATE by hand');
tells(set_sql('canary_1', 'false'), 'state v4 canary_50 -> canary_1', 'a rollback');
tells('UPDATE chat_v11.rollout_state SET kill_switch = true', 'state v5 canary_1 -> canary_1 killed', 'a kill by hand');
tells(set_sql('canary_1', 'false'), 'state v6 canary_1 killed -> canary_1', 'a resume');
tells('BEGIN; ' . set_sql('canary_10', 'false') . '; ' . set_sql('canary_1', 'true') . '; COMMIT',
	'state v7 canary_1 -> canary_10, state v8 canary_10 -> canary_1 killed', 'two in one transaction, in their order');
my ($odd) = tells(set_sql('canary_1', 'false', qq{"quotes" \\ \t \x{c3}\x{bc} ''{"event": "state"}''}),
	'state v9 canary_1 killed -> canary_1', 'a note with quotes');
tells(set_sql('canary_1', 'true', 'x' x 1900), 'state v10 canary_1 -> canary_1 killed', 'a note as long as they may be');
tells(set_sql('canary_1', 'false'), 'state v11 canary_1 killed -> canary_1', '... and back');

# ---- Nothing that did not happen

tells('BEGIN; ' . set_sql('canary_10', 'false') . '; ROLLBACK', '', 'ROLLBACK: nothing');
tells('BEGIN; SAVEPOINT a; ' . set_sql('canary_10', 'false') . '; ROLLBACK TO a; COMMIT', '',
	'ROLLBACK TO SAVEPOINT: nothing');
tells('BEGIN; SAVEPOINT a; ' . set_sql('canary_10', 'false') . '; ROLLBACK TO a; SAVEPOINT b; '
	  . set_sql('canary_1', 'true') . '; RELEASE b; COMMIT', 'state v12 canary_1 -> canary_1 killed',
	'of two savepoints the one that stayed');
tells('BEGIN; SAVEPOINT a; SAVEPOINT b; ' . set_sql('canary_1', 'false') . '; RELEASE b; ROLLBACK TO a; COMMIT', '',
	'one within another that is taken back: nothing');
tells(set_sql('full', 'false'), '', 'refused: nothing');
tells(q{DO $$ BEGIN PERFORM chat_set_v11_rollout_state('canary_1', false, 'x'); RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL; }
	  . 'END $$', '', 'undone by an exception block: nothing');
tells('BEGIN; ' . set_sql('canary_1', 'false') . '; DO $$ BEGIN ASSERT false; END $$; COMMIT', '',
	'a transaction that failed later: nothing');
tells('SELECT chat_v11.attest(\'telemetry:full_state\', \'x\')', '', 'an attestation is no change of the state');
tells(set_sql('canary_1', 'false'), 'state v13 canary_1 killed -> canary_1', 'and the next change is heard again');

# ---- The guard's own

sql($node, 'db', 'SELECT chat_v11.start_guard()');
wait_guarding($node, 'db');
heard();
killed_in($node, 'db', 'duplicate', 2, 'by the guard');
my @guards = heard();
like(short(@guards), qr/state v14 canary_1 -> canary_1 killed/, 'a kill by the guard is heard');
my ($kill) = grep { $_->{event} eq 'state' } @guards;
is("$kill->{by} $kill->{decision}", 'chat_v11 guard ROLLBACK', '... who did it, and what the gates said');
like($kill->{reason}, qr/^P0 timeline_duplicate_detected_rate/, '... and why');
# Green again, red again: without a kill to follow, the guard tells that its decision changed.
sql($node, 'db', "SET client_min_messages = error; SELECT chat_v11.set_check('timeline_duplicate_detected_rate', "
	  . "p_enabled => false); SELECT chat_v11.set_check('read_rollback_detected_rate', p_on_fail => 'hold'); "
	  . set_sql('canary_1', 'false'));
usleep(1_500_000);
my @before = heard();
sql($node, 'db', breach('rollback'));
usleep(1_500_000);
my @decisions = grep { $_->{event} eq 'decision' } heard();
is(scalar @decisions, 1, 'a decision that changed is heard once');
is(join(' ', map { "$_->{from} $_->{to} $_->{decision}" } @decisions), 'PROCEED ROLLBACK ROLLBACK', '... from what to what');
is(join(' ', map { sort keys %$_ } @decisions), 'at decision event from reason to version', '... with all its fields');
like($decisions[0]{reason} // '', qr/^P0 read_rollback/, '... and why');
sql($node, 'db', 'SET client_min_messages = error; SELECT chat_v11.stop_guard()');
for (my $i = 0; $i < 60 && guard_pids($node, 'db'); $i++) { usleep(100_000); }
heard();

# ---- Nothing about notifications refuses a kill

# One that is prepared: PostgreSQL has none for those.
tells('BEGIN; ' . set_sql('canary_1', 'true', 'prepared') . "; PREPARE TRANSACTION 'kill'", '', 'a kill that is prepared');
sql($node, 'db', "COMMIT PREPARED 'kill'");
like(state($node, 'db'), qr/^canary_1 killed/, '... is there once it is committed');
log_has($node, $began, qr/prepared, not yet committed: chat_v11: not notified: PostgreSQL has none for a prepared/,
	'... and the log says that nobody was notified');
sql($node, 'db', "SET client_min_messages = error; SELECT chat_v11.set_check('read_rollback_detected_rate', "
	  . 'p_enabled => false); ' . set_sql('canary_1', 'false'));
# The caller's own NOTIFY in the same transaction, before and after.
heard();
tells("BEGIN; NOTIFY chat_v11, '{\"event\": \"state\", \"version\": 0, \"from\": \"x\", \"to\": \"y\"}'; "
	  . set_sql('canary_1', 'true') . '; COMMIT', 'state v0 x -> y, state v18 canary_1 -> canary_1 killed',
	'beside a notification of the caller\'s');
sql($node, 'db', set_sql('canary_1', 'false'));
# Another session commits one, and waits for a standby that is not there.
sql($node, 'db', "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;
usleep(300_000);
my $stuck = start_psql($node, 'stuck', "CREATE TABLE stuck AS SELECT pg_notify('other', 'x') IS NULL AS done;\n");
is(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", 1), 1,
	'a session holds the lock of notifications, waiting for a standby that is gone');
heard();
my $from = log_size($node);
my $start = time;
sql($node, 'db', 'SET synchronous_commit = local; ' . set_sql('canary_1', 'true', 'beside it'));
cmp_ok(time - $start, '<', 3, 'a kill is done within 3 s all the same');
like(state($node, 'db'), qr/^canary_1 killed/, '... it is there');
log_has($node, $from, qr/LOG:  chat_v11: not notified: other sessions have been committing notifications/,
	'... and the log says that nobody was notified');
# The guard's kill beside the same.
sql($node, 'db', 'SET synchronous_commit = local; ' . set_sql('canary_1', 'false', 'again'));
sql($node, 'db', 'SET synchronous_commit = local; SELECT chat_v11.start_guard()');
wait_guarding($node, 'db');
sql($node, 'db', "SET client_min_messages = error; SET synchronous_commit = local; "
	  . "SELECT chat_v11.set_check('read_rollback_detected_rate', p_enabled => true, p_on_fail => 'kill')");
is(wait_until($node, 'db', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 3), 't', 'so does the guard, within 3 s');
is(newest($node, 'db'), 'kill by chat_v11 guard, state by chat_v11 guard', '... as itself');
sql($node, 'db', 'ALTER SYSTEM RESET synchronous_standby_names');
$node->reload;
$stuck->{run}->finish;

is(alarming($node, $began, qr/ERROR:  (?:ERR_|no$|assertion failed)/, qr/canceling wait for synchronous|nobody watches the rollout/), '',
	'the log has no other line above LOG');
is(verdict($node, 'db'), 'sound', 'log');
$ear->quit;
$node->stop;
done_testing();
