# What somebody may do to keep a guard from its work, by mistake or not: databases of other encodings, DROP DATABASE in a
# loop, transactions that stay open, stops and starts, NOTIFY without a pause, an owner who wants more rights.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $lock = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() "
  . "AND l.locktype = 'object' AND l.classid = 3079 AND l.objid = 0 AND l.objsubid = 3 AND l.granted";
my $guard_waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
  . "backend_type = 'chat_v11 guard' AND wait_event_type = 'Lock'";
my $quiet = 'SET client_min_messages = error';

# Until the guard of a database has ended another round or two: whatever it had begun is over then.
sub rounds_pass
{
	my ($node, $db, $count) = @_;
	my $seen = status($node, $db, 'rounds');
	return is(wait_until($node, $db, "SELECT rounds >= $seen + $count FROM chat_v11.guard_status()", 't', 8), 't',
		'... rounds go by');
}

my $node = guard_node('main', databases => 'nobody_is_there');
calm($node);
my $began = log_size($node);

# ---- A database that an interrupted DROP DATABASE left: the launcher sends nobody there, and looks after the others.

sql($node, 'postgres', $_)
  foreach 'CREATE DATABASE half_dropped', "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_dropped'",
  'CREATE DATABASE whole TEMPLATE calm', "ALTER SYSTEM SET chat_v11.guard_databases = 'half_dropped, whole'";
$node->reload;

# ---- Beside the others, for as long as they take: a kill that an open transaction holds up, in a database that is not in
# UTF-8, by a role with a name that is not ASCII.

sql($node, 'postgres', "CREATE DATABASE $_->[0] TEMPLATE template0 ENCODING '$_->[1]' LC_COLLATE 'C' LC_CTYPE 'C'")
  foreach [ 'latin', 'LATIN1' ], [ 'kanji', 'EUC_JP' ];
foreach my $db (qw(latin kanji))
{
	sql($node, $db, 'CREATE EXTENSION chat_v11');
	easy_rollout($node, $db);
	sql($node, $db, 'SELECT chat_v11.start_guard()');
	wait_guarding($node, $db);
}
sql($node, 'latin', "CREATE ROLE U&\"\\00C9quipe\" LOGIN; SELECT chat_v11.grant_access(U&'\"\\00C9quipe\"', 'operator')");
my $ear = $node->background_psql('latin');
$ear->query_safe('LISTEN chat_v11');
my $holder = $node->background_psql('latin', extra_params => [ '-U', "\xc9quipe" ]);
$holder->query_safe("$quiet; BEGIN; " . set_sql('canary_1', 'false', 'for the night'));
my $holder_pid = $holder->query_safe('SELECT pg_backend_pid()');
sql($node, 'latin', breach('duplicate'));

# ---- Encodings

# What the log says of it, and who is said to have done it, in Japanese.
sql($node, 'kanji', "$quiet; SELECT chat_v11.set_check('cohort_share', p_note => U&'\\65E5\\672C'); "
	  . "SELECT chat_v11.ack_version(U&'\\65E5\\672C', 1)");
killed_in($node, 'kanji', 'rollback', 2.5, 'in EUC_JP');
is(sql($node, 'kanji', "SET client_encoding = 'UTF8'; SELECT consumer FROM chat_v11.consumers()"),
	"\xe6\x97\xa5\xe6\x9c\xac", '... a consumer has its name');
rounds_pass($node, 'kanji', 1);

# ---- DROP DATABASE by somebody who may not

sql($node, 'postgres', 'CREATE ROLE nobody');
fresh($node, 'wanted');
my $tries = $PostgreSQL::Test::Utils::tmp_check . '/drops.sql';
PostgreSQL::Test::Utils::append_to_file($tries,
	"SET log_min_messages = fatal; SET SESSION AUTHORIZATION nobody;\n" . "DROP DATABASE wanted;\n" x 100_000);
my ($first_pid) = guard_pids($node, 'wanted');
my $rounds = status($node, 'wanted', 'rounds');
my $since = time;
my @tries = map {
	IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-f', $tries ],
		'<', \undef, '>', '/dev/null', '2>', '/dev/null')
} 1 .. 3;
usleep(3_000_000);
killed_in($node, 'wanted', 'duplicate', 3, 'while three try to drop its database');
my $lasted = time - $since;
my $running = grep { $_->pumpable } @tries;
$_->kill_kill(grace => 1) foreach @tries;
is($running, 3, '... who still try');
is(join(' ', guard_pids($node, 'wanted')), $first_pid, '... the guard did not leave');
cmp_ok(status($node, 'wanted', 'rounds') - $rounds, '>=', int($lasted * 0.6), '... and had about a round a second');

# ---- A verdict that no longer holds when the guard gets to act: it looks again under the lock

foreach my $case (
	[ 'a check that was switched off', "SELECT chat_v11.set_check('timeline_duplicate_detected_rate', "
		  . "p_enabled => false, p_note => 'wired wrongly')", 'canary_1 live v1' ],
	[ 'a rollout that was killed', set_sql('canary_1', 'true', 'by hand'), 'canary_1 killed v2' ],
	[ 'a check that was switched off, and a kill and a resume', "SELECT chat_v11.set_check("
		  . "'timeline_duplicate_detected_rate', p_enabled => false, p_note => 'wired wrongly'); "
		  . set_sql('canary_1', 'true', 'by hand') . '; ' . set_sql('canary_1', 'false', 'wired rightly'),
		'canary_1 live v3' ])
{
	my ($what, $act, $stays) = @$case;
	my $db = 'stale_' . ++$rounds;
	fresh($node, $db);
	my $human = $node->background_psql($db);
	$human->query_safe("$quiet; BEGIN; $act");
	sql($node, $db, breach('duplicate'));
	is(wait_until($node, $db, $guard_waits, 1), 1, "$what: meanwhile the guard waits");
	$human->query_safe('COMMIT');
	$human->quit;
	rounds_pass($node, $db, 2);
	is(state($node, $db), $stays, '... and does nothing any more');
	is(sql($node, $db, "SELECT count(*) FROM chat_v11.rollout_history WHERE changed_by = 'chat_v11 guard'"), 0,
		'... by its log');
	drop_db($node, $db);
}

# ---- The kill that is held up, again

my $says = wait_until($node, 'latin', "SELECT state FROM chat_v11.guard_status()", 'failing', 8);
is($says, 'failing', 'a kill that an open transaction holds up: the guard tells');
my $why = qr/the kill failed: canceling statement due to lock timeout; held up by Process $holder_pid, role (.+), application/;
# Between its transactions the guard can convert nothing.
is(status($node, 'latin', 'remark') =~ $why ? $1 : 'no match', '??quipe', '... who holds it up');
is(sql($node, 'latin', "SET client_encoding = 'UTF8'; SELECT last_error FROM chat_v11.guard_state") =~ $why ? $1 : 'no match',
	"\xc3\x89quipe", '... with the name that the role has');
log_has($node, $began, qr/WARNING:  chat_v11 guard: the kill failed, 1 in a row.*held up by Process $holder_pid, role \?\?quipe/,
	'... in the log as well');
is(sql($node, 'latin', "SELECT p0_ok, decision FROM chat_v11.gate_log ORDER BY at DESC LIMIT 1"), 'f|ROLLBACK',
	'... the gate log has its red row');
like(my $heard = $ear->query_safe('SELECT 1'), qr/"event":"decision".*"decision":"ROLLBACK"/, '... and who listens hears of it');
unlike($heard, qr/"event":"state"/, '... before the kill');
is(state($node, 'latin'), 'canary_1 live v1', '... that is to come');
my $pid = sql($node, 'latin', "SELECT pid FROM chat_v11.guard_status()");
is(wait_until($node, 'latin', $guard_waits, 1), 1, '... and is tried again');
$holder->query_safe('COMMIT');
$since = time;
is(wait_until($node, 'latin', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 5), 't', 'once it has ended, the kill comes');
cmp_ok(time - $since, '<', 1, '... within 1 s');
like($ear->query_safe('SELECT 1'), qr/"event":"state".*"kill_switch":true.*"by":"chat_v11 guard"/, '... and is heard');
wait_guarding($node, 'latin');
is(status($node, 'latin', 'pid'), $pid, '... by the same process, which goes on');
$holder->quit;
$ear->quit;

# ---- Stopped and started

fresh($node, 'again');
sql($node, 'again', "$quiet; SELECT chat_v11.stop_guard(); SELECT chat_v11.start_guard()");
is(wait_until($node, 'again', $lock, 1), 1, 'stopped and started: one guards');
wait_guarding($node, 'again');
sql($node, 'again', "$quiet; BEGIN; SELECT chat_v11.stop_guard(); SELECT chat_v11.start_guard(); COMMIT");
wait_guarding($node, 'again');
is(sql($node, 'again', $lock), 1, '... in one transaction likewise');
is(wait_until($node, 'again', 'SELECT expected FROM chat_v11.guard_state', 't', 3), 't', '... and is expected');
# A start that is not committed takes back no stop yet, so that those before it leave; and it has the guard's row locked.
my @before = guard_pids($node, 'again');
sql($node, 'again', "$quiet; SELECT chat_v11.stop_guard()");
my $starter = $node->background_psql('again');
my $started = $starter->query_safe("$quiet; BEGIN; SELECT chat_v11.start_guard()");
is(wait_until($node, 'again', "SELECT count(*) FROM pg_stat_activity WHERE pid IN (" . join(', ', @before) . ')', 0), 0,
	'stopped, and started in a transaction that stays open: those before are gone');
is(wait_until($node, 'again', "SELECT pid FROM chat_v11.guard_status()", $started), $started, '... the new one is there');
is(wait_until($node, 'again', $lock, 1), 1, '... and guards');
killed_in($node, 'again', 'duplicate', 3, '... as ever');
$starter->query_safe('COMMIT');
$starter->quit;
is(wait_until($node, 'again', 'SELECT expected FROM chat_v11.guard_state', 't', 4), 't', '... and is expected afterwards');

# ---- What is noted of an error is noted as the tables' owner: a trigger of that owner's gains nothing by it

sql($node, 'postgres', 'CREATE ROLE boss SUPERUSER; CREATE DATABASE owned');
sql($node, 'owned', "SET ROLE boss; CREATE EXTENSION chat_v11");
sql($node, 'owned', <<~'SQL');
	ALTER ROLE boss NOSUPERUSER;
	CREATE TABLE public.seen (who text);
	ALTER TABLE public.seen OWNER TO boss;
	GRANT CREATE ON SCHEMA public TO boss;
	SET ROLE boss;
	CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NEW; END';
	CREATE TRIGGER look AFTER UPDATE ON chat_v11.guard_state FOR EACH ROW
		WHEN (NEW.last_error IS DISTINCT FROM OLD.last_error) EXECUTE FUNCTION public.look();
	SELECT chat_v11.start_guard();
	SQL
my $folder = $node->background_psql('owned');
$folder->query_safe('BEGIN; LOCK TABLE chat_v11.fold_state');
is(wait_until($node, 'owned', "SELECT last_error ~ '^the fold failed' FROM chat_v11.guard_state", 't', 5), 't',
	'an error is noted');
is(sql($node, 'owned', "SELECT DISTINCT who FROM public.seen"), 'boss', '... with the rights of the extension\'s owner');
$folder->quit;

# ---- NOTIFY without a pause, in another database

sql($node, 'postgres', 'CREATE DATABASE noisy');
fresh($node, 'told', no_guard => 1);
$ear = $node->background_psql('told');
$ear->query_safe('LISTEN chat_v11');
my $changer = $node->background_psql('told');
$changer->query_safe($quiet);
my @noise = map { start_psql($node, "noise_$_", <<~'SQL') } 1 .. 2;
	\c noisy
	DO $$
	DECLARE
		began timestamptz := clock_timestamp();
	BEGIN
		WHILE clock_timestamp() < began + interval '4 s' LOOP
			PERFORM pg_notify('noise', 'x');
			COMMIT;
		END LOOP;
	END
	$$;
	SQL
usleep(500_000);
my $longest = 0;
foreach my $change (1 .. 16)
{
	$since = time;
	$changer->query_safe(set_sql('canary_1', 'true', "kill $change"));
	my $took = time - $since;
	$longest = $took if $took > $longest;
	usleep(50_000);
}
$running = grep { $_->{run}->pumpable } @noise;
my @told = $ear->query_safe('SELECT 1') =~ /"event":"state"/g;
is($running, 2, 'beside two who notify without a pause');
is(state($node, 'told'), 'canary_1 killed v17', '... 16 changes');
cmp_ok(scalar @told, '>=', 14, '... are heard, but for two at most');
cmp_ok($longest, '<', 1, '... and none takes much more than half a second');
note("longest $longest s, heard " . scalar @told);
$_->{run}->finish foreach @noise;
$changer->quit;
$ear->quit;

# ---- The launcher, again

wait_guarding($node, 'whole');
is(server_log($node, $began) =~ /cannot connect to invalid database/ ? 'tried' : 'never tried', 'never tried',
	'... and nobody was sent into the half dropped one');
is(alarming($node, $began, qr/chat_v11 guard: the (?:kill|fold) failed.*lock timeout/,
		qr/nobody watches the rollout|administrator command|connection to client lost/), '', 'the log has no other line above LOG');
$node->stop;
done_testing();
