# Who gets v1.1 on a streaming standby and on a logical subscriber: a kill reaches sessions there that are idle, and
# sessions within a transaction that is older than it.  97 is a user who is in from canary_1 on.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $conf = "max_prepared_transactions = 5\nautovacuum = off\n";
my $primary = new_node('primary', init => { allows_streaming => 'logical' }, conf => $conf);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = on\n");
$standby->start;
my $subscriber = new_node('subscriber', conf => $conf);

my $ask = "SELECT chat_is_v11_enabled('97')";
my $is_row = 'SELECT count(*) FROM chat_v11.rollout_state';

sub turn { my ($kill) = @_; return ask($primary, set_sql('canary_1', $kill ? 'true' : 'false')); }

# An idle session, one that asked in an open transaction, and one whose snapshot is old and that has not asked.
sub sessions
{
	my ($node) = @_;
	my %session = map { $_ => $node->background_psql('postgres', on_error_stop => 0) } qw(idle open old);
	$session{idle}->query_safe($ask);
	foreach my $name (qw(open old))
	{
		$session{$name}->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
		$session{$name}->query_safe($is_row);
	}
	$session{open}->query_safe($ask);
	return \%session;
}

sub all_are
{
	my ($sessions, $answer, $what) = @_;
	is(join(' ', map { "$_ " . $sessions->{$_}->query_safe($ask) } sort keys %$sessions),
		join(' ', map { "$_ $answer" } sort keys %$sessions), $what);
	return;
}

sub leave { my ($sessions) = @_; $_->quit foreach values %$sessions; return; }

# ---- Streaming ----
sub replay { return $primary->wait_for_catchup($standby); }

is(ask($standby, $ask), 'f', 'standby: nobody is in before the start');
my $sessions = sessions($standby);
easy_rollout($primary);
replay();
all_are($sessions, 't', '... in after it');
leave($sessions);

$sessions = sessions($standby);
turn(1);
replay();
all_are($sessions, 'f', '... a kill');
leave($sessions);
$sessions = sessions($standby);
turn(0);
replay();
all_are($sessions, 't', '... and in again');
ask($primary, 'BEGIN; ' . set_sql('canary_1', 'true', 'taken back') . '; ROLLBACK');
ask($primary, 'BEGIN; SAVEPOINT a; ' . set_sql('canary_1', 'true', 'taken back') . '; ROLLBACK TO a; COMMIT');
replay();
all_are($sessions, 't', '... a kill that was taken back is none');
ask($primary, 'BEGIN; ' . set_sql('canary_1', 'true', 'prepared') . "; PREPARE TRANSACTION 'kill'");
replay();
all_are($sessions, 't', '... nor is one that is only prepared');
ask($primary, "COMMIT PREPARED 'kill'");
replay();
all_are($sessions, 'f', '... once it is committed it is');
leave($sessions);
turn(0);
replay();

# As soon as it is replayed, and not before.
$sessions = sessions($standby);
ask($standby, 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die;
turn(1);
$primary->wait_for_catchup($standby, 'write');
all_are($sessions, 't', '... while replay is paused the old answer stands');
ask($standby, 'SELECT pg_wal_replay_resume()');
replay();
all_are($sessions, 'f', '... and then goes');
leave($sessions);
turn(0);
replay();

# A lock that excludes readers is replayed, too.
my $idle = $standby->background_psql('postgres');
is($idle->query_safe($ask), 't', 'standby, a lock: in');
my $locker = $primary->background_psql('postgres');
$locker->query_safe('SET client_min_messages = error');
$locker->query_safe('BEGIN');
$locker->query_safe('LOCK TABLE chat_v11.rollout_state IN ACCESS EXCLUSIVE MODE');
$locker->query_safe('SELECT pg_switch_wal()');
replay();
is($idle->query_safe($ask) . ask($standby, $ask), 'tf', '... who has a copy answers from it, who has none says no');
$locker->query_safe(set_sql('canary_1', 'true'));
$locker->query_safe('COMMIT');
replay();
is($idle->query_safe($ask) . ask($standby, $ask), 'ff', '... killed under the lock');
turn(0);
replay();
is($idle->query_safe($ask), 't', '... in again');
# The extension goes and comes, and another row is read.
ask($primary, 'SET client_min_messages = error; DROP EXTENSION chat_v11 CASCADE; CREATE EXTENSION chat_v11');
replay();
is($idle->query_safe($ask), 'f', 'standby: a new extension is nobody\'s');
easy_rollout($primary);
replay();
is($idle->query_safe($ask), 't', '... until its start');
$idle->quit;

# How long it takes.
$idle = $standby->background_psql('postgres');
my @times;
foreach my $round (1 .. 25)
{
	my $before = $idle->query_safe($ask);
	$locker->query_safe(set_sql('canary_1', 'true'));
	my $committed = time;
	while ($idle->query_safe($ask) eq 't') { last if time - $committed > 10; }
	push @times, time - $committed;
	$locker->query_safe(set_sql('canary_1', 'false'));
	replay();
	fail("round $round") if $before ne 't';
}
@times = sort { $a <=> $b } @times;
note(sprintf 'standby: a kill is seen after %.1f ms (median of %d), %.1f ms at most', 1000 * $times[12], scalar @times,
	1000 * $times[-1]);
cmp_ok($times[12], '<', 1, 'standby: a kill is seen within a second');
$_->quit foreach $idle, $locker;

# A restart, in both states.
$standby->restart;
is(ask($standby, $ask), 't', 'standby: in after a restart');
turn(1);
replay();
$standby->restart;
is(ask($standby, $ask), 'f', '... and out after another');
turn(0);
replay();

# ---- A logical subscriber ----
my $from = $primary->connstr('postgres') =~ s/'//gr;
sub applied { return $primary->wait_for_catchup('release'); }

sub subscribe
{
	ask($subscriber, 'SET client_min_messages = error; '
		. "CREATE SUBSCRIPTION release CONNECTION '$from application_name=release' PUBLICATION release");
	return $subscriber->wait_for_subscription_sync($primary, 'release');
}

is(ask($subscriber, $ask), 'f', 'subscriber: nobody is in before it subscribes');
$sessions = sessions($subscriber);
ask($primary, 'CREATE PUBLICATION release FOR TABLE chat_v11.rollout_state');
subscribe();
all_are($sessions, 't', '... the first copy brings the row');
leave($sessions);
is(state($subscriber), state($primary), '... as it is there');

$sessions = sessions($subscriber);
turn(1);
applied();
all_are($sessions, 'f', '... a kill');
leave($sessions);
$sessions = sessions($subscriber);
turn(0);
applied();
all_are($sessions, 't', '... and in again');
ask($primary, 'BEGIN; ' . set_sql('canary_1', 'true', 'taken back') . '; ROLLBACK');
ask($primary, 'BEGIN; ' . set_sql('canary_1', 'true', 'prepared') . "; PREPARE TRANSACTION 'kill'");
applied();
all_are($sessions, 't', '... neither a kill that was taken back nor one that is only prepared');
ask($primary, "COMMIT PREPARED 'kill'");
applied();
all_are($sessions, 'f', '... and once it is committed it is');
leave($sessions);
turn(0);
applied();

my $later = ask($primary,
	'SELECT i FROM generate_series(1, 1000) i WHERE chat_v11.bucket(i::text) BETWEEN 100 AND 999 ORDER BY 1 LIMIT 1');
is(ask($subscriber, "SELECT chat_is_v11_enabled('$later')"), 'f', 'subscriber: who is in from canary_10 on is out');
ask($primary, set_sql('canary_10', 'false', 'up'));
applied();
is(ask($subscriber, "SELECT chat_is_v11_enabled('$later')"), 't', '... in after a promotion');
like(server_log($subscriber), qr/LOG:  chat_v11: version \d+ came by subscription: canary_10, live/,
	'... which the log tells');
ask($primary, set_sql('canary_1', 'false', 'down'));
applied();
is(ask($subscriber, "SELECT chat_is_v11_enabled('$later')"), 'f', '... out after a rollback');

# Switched off, a subscriber is as old as what it has; switched on, it catches up.
$sessions = sessions($subscriber);
ask($subscriber, 'ALTER SUBSCRIPTION release DISABLE');
$primary->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'release'") or die;
turn(1);
all_are($sessions, 't', 'subscriber: a kill does not reach a subscription that is switched off');
ask($subscriber, 'ALTER SUBSCRIPTION release ENABLE');
applied();
all_are($sessions, 'f', '... and does once it is on');
leave($sessions);
$subscriber->restart;
is(ask($subscriber, $ask), 'f', '... out after a restart');
turn(0);
applied();
is(ask($subscriber, $ask), 't', '... in again');
$subscriber->restart;
is(ask($subscriber, $ask), 't', '... after a restart, too');

# Whatever else is done on either side, a kill on the primary must arrive afterwards.
sub still_kills
{
	my ($after) = @_;
	ask($primary, set_sql('canary_1', 'false'));
	ok($subscriber->poll_query_until('postgres', $ask), "subscriber: $after: in");
	my $on = sessions($subscriber);
	ask($primary, set_sql('canary_1', 'true'));
	my $applied = $subscriber->poll_query_until('postgres', 'SELECT kill_switch FROM chat_v11.rollout_state');
	ok($applied, '... a kill comes through');
	all_are($on, 'f', '... and is seen');
	leave($on);
	return;
}
ask($primary, 'UPDATE chat_v11.rollout_state SET kill_switch = true');
still_kills('after a kill by hand');
ask($primary, "SELECT chat_v11.attest('telemetry:full_state', 'here')");
ask($subscriber, "SELECT chat_v11.attest('telemetry:full_state', 'there')");
still_kills('after entries in both logs');
ask($subscriber, set_sql('canary_1', 'true', 'here'));
still_kills('after a kill on both sides');
ask($primary, set_sql('canary_1', 'false'));
applied();
$sessions = sessions($subscriber);
ask($subscriber, set_sql('canary_1', 'true', 'here'));
all_are($sessions, 'f', 'subscriber: a kill of its own holds here');
is(ask($primary, $ask), 't', '... and not there');
leave($sessions);
still_kills('after a kill on one side');
# A superuser who knows no rule: the row is gone from the primary, and comes back.
my $rules_off = 'SET client_min_messages = error; ALTER TABLE chat_v11.rollout_state DISABLE TRIGGER "20_decide", '
  . 'DISABLE TRIGGER "30_log", DISABLE TRIGGER "10_refuse_truncate"';
my $rules_on = join '; ', map { qq{ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "$_"} } '20_decide', '30_log',
  '10_refuse_truncate';
ask($primary, set_sql('canary_1', 'false'));
ask($primary, 'CREATE TABLE kept AS TABLE chat_v11.rollout_state');
foreach my $removal ('DELETE FROM', 'TRUNCATE')
{
	ok($subscriber->poll_query_until('postgres', $ask), "subscriber: before $removal: in");
	$sessions = sessions($subscriber);
	# It waits for whoever has read the table.
	$_->query_safe('COMMIT') foreach @{$sessions}{qw(open old)};
	ask($primary, "$rules_off; $removal chat_v11.rollout_state; $rules_on");
	my $applied = $subscriber->poll_query_until('postgres', 'SELECT count(*) = 0 FROM chat_v11.rollout_state');
	ok($applied, "... $removal comes through");
	all_are($sessions, 'f', '... and nobody is in');
	leave($sessions);
	ask($primary, "$rules_off; INSERT INTO chat_v11.rollout_state TABLE kept; $rules_on");
}
still_kills('after the row went and came');
# A session that replays by hand is no subscription.
like(($subscriber->psql('postgres', 'SET session_replication_role = replica; '
			. 'UPDATE chat_v11.rollout_state SET kill_switch = false'))[2], qr/ERR_/,
	'subscriber: no way around the rules for a session of its own');
is(ask($subscriber, $ask), 'f', '... and still out');

# Code that an apply worker runs is not what it applies: a trigger of somebody's own meets the rules, and may kill.
foreach my $node ($primary, $subscriber)
{
	ask($node, 'CREATE TABLE signal (id int PRIMARY KEY, stage text, kill boolean)');
}
ask($subscriber, q{CREATE TABLE answer (id int, said text);
CREATE FUNCTION react() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.chat_set_v11_rollout_state(NEW.stage, NEW.kill, 'signal');
	INSERT INTO public.answer VALUES (NEW.id, 'done');
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	INSERT INTO public.answer VALUES (NEW.id, split_part(SQLERRM, ':', 1));
	RETURN NULL;
END $$;
CREATE TRIGGER react AFTER INSERT ON signal FOR EACH ROW EXECUTE FUNCTION react();
ALTER TABLE signal ENABLE ALWAYS TRIGGER react});
ask($primary, set_sql('canary_1', 'false'));
ask($primary, 'ALTER PUBLICATION release ADD TABLE signal');
ask($subscriber, 'ALTER SUBSCRIPTION release REFRESH PUBLICATION');
$subscriber->wait_for_subscription_sync($primary, 'release');
my $entries = ask($subscriber, 'SELECT count(*) FROM chat_v11.rollout_history');
ask($primary, "INSERT INTO signal VALUES (1, 'full', false), (2, 'canary_10', false)");
ask($primary, "INSERT INTO signal VALUES (3, 'canary_1', true)");
applied();
is(ask($subscriber, 'SELECT string_agg(said, q ORDER BY id) FROM answer, (VALUES (chr(32))) v(q)'),
	'ERR_INVALID_TRANSITION ERR_GATE_CLOSED done', 'subscriber: a trigger that the worker runs meets the rules');
is(ask($subscriber, 'SELECT count(*) FROM chat_v11.rollout_history') - $entries, 1, '... and its kill is in the log here');
is(ask($subscriber, $ask), 'f', '... and holds');
is(ask($primary, $ask), 't', '... here');
still_kills('after a kill by a trigger');
ask($subscriber, 'DROP SUBSCRIPTION release');

# The log in the publication, too, though this server has a state and a log of its own.
ask($primary, set_sql('canary_1', 'false'));
is(ask($subscriber, $ask), 'f', 'subscriber: out, without a subscription');
ask($primary, 'DROP PUBLICATION release');
ask($primary, 'CREATE PUBLICATION release FOR TABLE chat_v11.rollout_state, chat_v11.rollout_history');
subscribe();
is(ask($subscriber, $ask), 't', '... in, once the first copy has replaced its own state');
is(state($subscriber), state($primary), '... by what the primary has');
ask($subscriber, "SELECT chat_v11.attest('telemetry:full_state', 'there')");
still_kills('with both logs in one');
like(server_log($subscriber), qr/LOG:  chat_v11: row \d+ of the log came by subscription, and this server has one of its own/,
	'... of which the log tells');
ask($subscriber, 'DROP SUBSCRIPTION release');

# Everything published, as many do: neither the fold there nor the subscription here stops for the extension's tables.
ask($primary, 'DROP PUBLICATION release');
ask($primary, 'DROP TABLE kept; CREATE PUBLICATION release FOR ALL TABLES');
ask($subscriber, "CREATE SUBSCRIPTION release CONNECTION '$from application_name=release' PUBLICATION release WITH (copy_data = false)");
ask($primary, 'SELECT chat_v11.fold()');
foreach my $kind ('write_ack', 'write_receipt')
{
	ask($primary, "INSERT INTO chat_v11.event (at, kind, cohort, subject) SELECT now() - interval '30 s', '$kind', 'v11', md5(i::text)::uuid "
		. 'FROM generate_series(1, 100) i');
	is(ask($primary, 'SELECT chat_v11.fold()'), 100, "primary: folds though all tables are published: $kind");
}
# Incident 1, its notes and item 1 on both servers; what becomes of the one there leaves the one here alone.
foreach my $server ($subscriber, $primary)
{
	ask($server, "SET client_min_messages = error; SELECT chat_v11.open_incident('P2', 'a typo on ' || current_setting('cluster_name'), 'oncall')");
	ask($server, "SELECT chat_v11.add_action_item('a test')");
}
ask($primary, "SELECT chat_v11.assign_action_item(1, 'owner', '2030-01-01')");
ask($primary, "SET client_min_messages = error; SELECT chat_v11.close_incident(1, 'over')");
still_kills('with all tables in the publication');
is(ask($subscriber, "SELECT count(*) || ' ' || count(closed_at) FROM chat_v11.incident"), '1 0', '... its own incident is as it was');
is(ask($subscriber, 'SELECT count(*) FROM chat_v11.incident_note'), 1, '... with its own notes');
is(ask($subscriber, 'SELECT count(*) || coalesce(max(owner), \' nobody\') FROM chat_v11.action_item'), '1 nobody', '... and its own item');
like(server_log($subscriber), qr/LOG:  chat_v11: rows of chat_v11\.incident that come by subscription are passed over/, '... of which the log tells');
is(ask($subscriber, 'SELECT count(*) FROM chat_v11.event'), 0, "... where the other server's events are not stored");
like(server_log($subscriber), qr/LOG:  chat_v11: events that come by subscription are not stored/, '... of which the log tells');
# Both fold and have a guard: neither goes on from what the other has, whatever becomes of its tables.
my $mine = join ' UNION ALL ', map { "SELECT '$_', count(*), md5(string_agg(t::text, ';' ORDER BY t::text)) FROM chat_v11.$_ t" }
  qw(metric_bucket write_bucket write_0 write_1 write_2 pending_write fold_state gate_log guard_state consumer);
sub fold_and_guard
{
	my ($server) = @_;
	# Some are settled at once, some too young for that; of the same minute and the same writes on both.
	my $n = ask($server, "INSERT INTO chat_v11.event (at, kind, cohort, subject) SELECT at, k::chat_v11.event_kind, 'v11', md5(i || old)::uuid "
		. "FROM generate_series(1, 5) i, unnest('{write_ack,write_receipt}'::text[]) k, "
		. "(VALUES ('old', date_trunc('minute', now()) - interval '5 min'), ('young', now())) v(old, at); SELECT chat_v11.fold()");
	ask($server, "SET client_min_messages = error; SELECT chat_v11.guard_tick(); SELECT chat_v11.ack_version('backend', (SELECT version FROM chat_v11.rollout_state))");
	return $n;
}
applied();
# At the end of a minute the other server's would be of another.
sleep 1 while (time % 60) > 50;
is(fold_and_guard($subscriber), 20, 'both fold: the subscriber');
is(ask($subscriber, 'SELECT count(*) FROM chat_v11.pending_write'), 1, '... with writes that wait to be judged');
my $before = ask($subscriber, $mine);
is(fold_and_guard($primary), 20, '... and the primary');
# A turn of its tables of writes, so that each of them is emptied.
foreach my $turn (1 .. 3)
{
	ask($primary, "SET session_replication_role = replica; UPDATE chat_v11.fold_state SET generation_since = generation_since - interval '1 year'");
	ask($primary, 'SELECT chat_v11.fold()');
}
is(ask($primary, 'SELECT generation FROM chat_v11.fold_state'), 0, '... whose tables of writes have been emptied in turn');
ok(eval { applied(); 1 }, '... the subscription goes on');
is(ask($subscriber, $mine), $before, '... and what the subscriber has is its own');
is(fold_and_guard($subscriber), 20, '... it folds on from where it was');
still_kills('after folds and rounds of a guard on both servers');
# What both servers have of their own: rows that are each other's stop nothing, and change nothing here.
my ($dialog, $old) = map { "00000000-0000-4000-8000-00000000000$_" } 1, 2;
my $admit = "SELECT chat_v11.admit_full_state('$dialog', '$dialog')";
my %own = (
	'an admission of one dialog' => $admit,
	'an assignment' => "SELECT chat_v11.assign_oncall('IC', 'name of the IC')",
	'a setting' => "SELECT chat_v11.set_setting('full_state_interval', '2 min')",
	'a check' => "SELECT chat_v11.set_check('write_reject_rate', 0.03)",
	'a policy' => "SELECT chat_v11.set_policy('full', p_min_samples => 7)",
	'an attestation' => "SELECT chat_v11.attest('a test', 'there')");
foreach my $what (sort keys %own)
{
	ask($_, "SET client_min_messages = error; $own{$what}") foreach $subscriber, $primary;
	still_kills("after $what on both servers");
}
is(ask($subscriber, "SELECT count(*) FROM chat_v11.rollout_history WHERE change->>'key' = 'full_state_interval' AND changed_by <> session_user"), 0,
	'... a change there is none here');
ask($primary, "SET client_min_messages = error; SELECT chat_v11.set_setting('full_state_interval', '3 min'); SELECT chat_v11.assign_oncall('IC', 'somebody else')");
ask($subscriber, "INSERT INTO chat_v11.full_state_$_ SELECT '$old', now() - interval '1 day'") foreach 0, 1;
ask($primary, "INSERT INTO chat_v11.full_state_$_ SELECT '$old', now() - interval '1 day'") foreach 0, 1;
# On the primary a table is emptied, by the extension; by hand it is refused, since that would come here.
ask($primary, "SET chat_v11.mock_now = '2030-01-01 12:$_'; SELECT chat_v11.fold()") foreach '01', 13;
is(ask($primary, 'SELECT (SELECT count(*) FROM chat_v11.full_state_0) * (SELECT count(*) FROM chat_v11.full_state_1)'), 0,
	'primary: a table of admissions is emptied');
like(($primary->psql('postgres', "TRUNCATE chat_v11.full_state_$_"))[2], qr/ERR_APPEND_ONLY/, '... not by hand') foreach 0, 1;
still_kills('after that');
is(ask($subscriber, "SELECT count(*) FROM (TABLE chat_v11.full_state_0 UNION ALL TABLE chat_v11.full_state_1) a WHERE dialog = '$old'"), 2,
	'... where both tables have what they had');
like(($subscriber->psql('postgres', $admit))[2], qr/ERR_RESYNC_THROTTLED/, '... a dialog that was admitted here still is');
is(ask($subscriber, "SELECT (SELECT value FROM chat_v11.setting WHERE name = 'full_state_interval') || ', ' || (SELECT person FROM chat_v11.oncall)"),
	'2 min, name of the IC', '... and settings and roster are its own');
like(server_log($subscriber), qr/LOG:  chat_v11: rows of chat_v11\.full_state_\d that come by subscription are passed over/, '... of which the log tells');
ask($subscriber, 'DROP SUBSCRIPTION release');
# A first copy of all of it stops at no table, and leaves what each server has of its own.
ask($subscriber, 'DROP TABLE signal');
ask($subscriber, 'CREATE TABLE signal (id int PRIMARY KEY, stage text, kill boolean)');
$before = ask($subscriber, $mine);
subscribe();
is(ask($subscriber, $mine), $before, 'subscriber: a first copy of all tables leaves its own as they are');
still_kills('after a first copy');
ask($subscriber, 'DROP SUBSCRIPTION release');

# ---- The standby takes over, under sessions that asked it before ----
turn(0);
replay();
$sessions = sessions($standby);
$primary->stop;
$standby->promote;
all_are($sessions, 't', 'promotion: in, for sessions that were there before');
ask($standby, set_sql('canary_1', 'true', 'after the failover'));
all_are($sessions, 'f', '... and out by a kill on the new primary');
leave($sessions);
is(verdict($standby), 'sound', '... whose log is whole');

unlike(server_log($_), qr/PANIC|TRAP|signal \d+|segfault/, 'nothing alarming in the log of ' . $_->name)
  foreach $primary, $standby, $subscriber;
$_->stop foreach $subscriber, $standby;
done_testing();
