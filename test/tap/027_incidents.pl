# Incidents on a server: the guard escalates beside its kill and tells of it; they outlive a crash, a dump and a standby;
# and a library of this version with the schema of 0.4 does without them until the update.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = guard_node('main', init => { allows_streaming => 1 }, conf => "max_prepared_transactions = 5\n");
calm($node);
my $began = log_size($node);

# ---- The guard: kill and escalation are one transaction

fresh($node, 'db');
sql($node, 'db', "SET client_min_messages = error; SELECT chat_v11.open_incident('P1', 'recovery is slow', 'ic'); "
	  . "SELECT chat_v11.open_incident('P2', 'a typo', 'lead')");
my $ear = $node->background_psql('db');
$ear->query_safe('LISTEN chat_v11');
killed_in($node, 'db', 'duplicate', 2, 'with a P1 open');
is(sql($node, 'db', 'SELECT string_agg(severity, \' \' ORDER BY id) FROM chat_v11.incident'), 'P0 P2',
	'the P1 is a P0 as soon as the kill is seen, the P2 is left alone');
like(sql($node, 'db', q{SELECT author || ': ' || text FROM chat_v11.incident_note WHERE kind = 'escalated'}),
	qr/^chat_v11 guard: timeline_duplicate_detected_rate is .+, limit 0$/, '... the note names the check and its figures');
my $out = $ear->query_safe('SELECT 1');
my @heard = map { JSON::PP->new->utf8->decode($_) }
  $out =~ /^Asynchronous notification "chat_v11" with payload "(.*)" received from/mg;
is(join(', ', map { "$_->{event} v$_->{version}" } @heard), 'state v2, incident v2', 'both are told, in their order');
is(join(' ', map { $_ // 'null' } @{ $heard[1] }{qw(incident severity from to decision reason by)}),
	'1 P0 P1 P0 null recovery is slow chat_v11 guard', '... and what became of the incident');
$ear->quit;
my $rounds = sql($node, 'db', 'SELECT rounds FROM chat_v11.guard_status()');
is(wait_until($node, 'db', "SELECT rounds > $rounds + 2 FROM chat_v11.guard_status()", 't'), 't', 'rounds later');
is(sql($node, 'db', "SELECT count(*) FROM chat_v11.incident_note WHERE kind = 'escalated'"), 1, '... nothing is said twice');

# A failing incident table: the guard kills all the same, and says what it could not do.
fresh($node, 'broken');
sql($node, 'broken', "SET client_min_messages = error; SELECT chat_v11.open_incident('P1', 'slow', 'ic'); "
	  . "ALTER TABLE chat_v11.incident ADD CONSTRAINT nothing CHECK (severity <> 'P0') NOT VALID");
killed_in($node, 'broken', 'rollback', 2, 'with an incident table that takes nothing');
is(sql($node, 'broken', 'SELECT severity FROM chat_v11.incident'), 'P1', '... the incident stays as it was');
is(wait_until($node, 'broken', "SELECT last_error LIKE 'an open P1 incident was not escalated: %' FROM chat_v11.guard_state",
	't', 40), 't', '... and the guard says so');
sql($node, 'broken', 'ALTER TABLE chat_v11.incident DROP CONSTRAINT nothing');
is(wait_until($node, 'broken', 'SELECT severity FROM chat_v11.incident', 'P0', 40), 'P0', '... mended: a later round does it');
# A table that somebody keeps locked for long.
fresh($node, 'locked');
sql($node, 'locked', "SET client_min_messages = error; SELECT chat_v11.open_incident('P1', 'slow', 'ic')");
my $holder = $node->background_psql('locked');
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.incident IN ACCESS EXCLUSIVE MODE');
killed_in($node, 'locked', 'duplicate', 4, 'with an incident table that is locked');
$holder->query_safe('ROLLBACK');
$holder->quit;
is(wait_until($node, 'locked', 'SELECT severity FROM chat_v11.incident', 'P0', 40), 'P0', '... escalated once it is free');

# ---- A P0 beside a caller's own time-out

fresh($node, 'hurry', no_guard => 1);
$holder = $node->background_psql('hurry');
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.incident IN ACCESS EXCLUSIVE MODE');
my ($rc, $answer, $err) = $node->psql('hurry',
	"SET statement_timeout = '3s'; SELECT chat_v11.open_incident('P0', 'hurry', 'ic') IS NULL");
is("$rc $answer", '0 t', 'a P0 while the table is locked: it returns null within the caller\'s time');
like($err, qr/WARNING:  the incident was not opened: it took longer than \d+ ms/, '... with a warning');
is(state($node, 'hurry'), 'canary_1 killed v2', '... and kills');
$holder->query_safe('ROLLBACK');
$holder->quit;

# ---- A kill does not wait for an incident's paperwork

my %paper = (
	item => "SELECT chat_v11.add_action_item('a test')",
	opening => "SELECT chat_v11.open_incident('P1', 'recovery is slow', 'oncall')");
foreach my $what (sort keys %paper)
{
	fresh($node, "paper_$what");
	my $writer = $node->background_psql("paper_$what");
	$writer->query_safe("SET client_min_messages = error; BEGIN; $paper{$what}");
	killed_in($node, "paper_$what", 'duplicate', 3, "an open transaction with $what: the guard", limit => 6);
	my ($rc, undef, $err) =
	  $node->psql("paper_$what", "SET lock_timeout = '2s'; SET client_min_messages = error; " . set_sql('canary_1', 'true', 'kill'));
	is("$rc $err", '0 ', "an open transaction with $what: people");
	$writer->query_safe('ROLLBACK');
	$writer->quit;
}
fresh($node, 'paper_prepared', no_guard => 1);
foreach my $call ($paper{opening}, "SELECT chat_v11.escalate_incident(1, 'P1')", "SELECT chat_v11.close_incident(2, 'over')")
{
	sql($node, 'paper_prepared', "SET client_min_messages = error; SELECT chat_v11.open_incident('P2', 'a typo', 'oncall')");
	(undef, undef, my $err) = $node->psql('paper_prepared', "SET client_min_messages = error; BEGIN; $call; PREPARE TRANSACTION 'p1'");
	like($err, qr/a transaction that called \w+_incident\(\) cannot be prepared/, "not to be prepared: $call");
}
(undef, undef, $err) =
  $node->psql('paper_prepared', "SET lock_timeout = '2s'; SET client_min_messages = error; " . set_sql('canary_1', 'true', 'kill'));
is($err, '', '... and a kill goes through');

# ---- Nor does the guard's kill wait for the incident table, however long it may read gates

fresh($node, 'slow_paper', sql => "SELECT chat_v11.open_incident('P1', 'slow', 'oncall')",
	server => "ALTER DATABASE slow_paper SET chat_v11.kill_gate_timeout = '10s'");
$holder = $node->background_psql('slow_paper');
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.incident IN ACCESS EXCLUSIVE MODE');
killed_in($node, 'slow_paper', 'duplicate', 2.5, 'a locked incident table and a long kill_gate_timeout');
$holder->query_safe('ROLLBACK');
$holder->quit;

# ---- A P1 is escalated by any failing check of the gate P0

fresh($node, 'softly', no_guard => 1);
like(sql($node, 'softly', <<~'SQL'), qr/P0$/, 'a P0 check with on_fail rollback fails: the P1 is a P0');
	SET client_min_messages = error;
	SELECT chat_v11.open_incident('P1', 'slow', 'oncall');
	SELECT chat_v11.set_check('timeline_duplicate_detected_rate', p_on_fail => 'rollback');
	SELECT chat_v11.record('timeline_duplicate', 'v11');
	SELECT chat_v11.guard_tick();
	SELECT severity FROM chat_v11.incident;
	SQL

# ---- A P0 is not closed before p0_clear_window has passed since it was declared, however long the rollout was killed

fresh($node, 'hasty', no_guard => 1);
sql($node, 'hasty', 'SET client_min_messages = error; ' . set_sql('canary_1', 'true', 'for another reason')
	  . "; SELECT chat_v11.set_setting('p0_clear_window', '30 min'); SELECT chat_v11.open_incident('P0', 'messages are lost', 'oncall')");
like(($node->psql('hasty', "SELECT chat_v11.close_incident(1, 'never mind')"))[2], qr/ERR_GATE_CLOSED/,
	'a P0 that was opened a second ago, on a rollout that was killed before, is not closed');

# ---- An error without a text is an error

fresh($node, 'speechless', no_guard => 1);
sql($node, 'speechless', <<~'SQL');
	CREATE FUNCTION public.speechless() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING MESSAGE = ''''; END';
	CREATE TRIGGER speechless BEFORE INSERT ON chat_v11.incident FOR EACH ROW EXECUTE FUNCTION public.speechless();
	SQL
(undef, $answer, $err) = $node->psql('speechless', "SELECT coalesce(chat_v11.open_incident('P0', 'x', 'oncall')::text, 'null')");
is($answer, 'null', 'an incident table that fails without a word: null');
like($err, qr/WARNING:  the incident was not opened/, '... and a warning');

# ---- A check that is switched off does not end an incident; a deferred trigger fails where it can be told; a cancel comes too late

fresh($node, 'deferred', no_guard => 1);
sql($node, 'deferred', <<~'SQL');
	CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''too late''; END';
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON chat_v11.incident DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.late();
	SQL
(undef, $answer, $err) = $node->psql('deferred', "SELECT coalesce(chat_v11.open_incident('P0', 'x', 'oncall')::text, 'null')");
is($answer, 'null', 'a deferred trigger that fails: null');
like($err, qr/WARNING:  the incident was not opened: too late/, '... with a warning');
is(state($node, 'deferred'), 'canary_1 killed v2', '... and the kill stands');

fresh($node, 'cancelled', no_guard => 1, server => "ALTER DATABASE cancelled SET chat_v11.kill_gate_timeout = '10s'");
$holder = $node->background_psql('cancelled');
$holder->query_safe('BEGIN; LOCK TABLE chat_v11.incident IN ACCESS EXCLUSIVE MODE');
my $hasty = start_psql($node, 'hasty', "\\c cancelled\nSET application_name = 'hasty';\n"
	  . "SELECT coalesce(chat_v11.open_incident('P0', 'x', 'oncall')::text, 'null');\n");
is(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hasty' AND wait_event_type = 'Lock'", 1),
	1, 'a P0 waits for the incident table');
sql($node, 'postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'hasty'");
is(wait_until($node, 'cancelled', 'SELECT kill_switch FROM chat_v11.rollout_state', 't', 5), 't', '... cancelled: the kill stands');
$holder->query_safe('ROLLBACK');
$holder->quit;
$hasty->{run}->finish;

# ---- A database in another encoding

sql($node, 'postgres', "CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
sql($node, 'latin1', 'CREATE EXTENSION chat_v11');
easy_rollout($node, 'latin1');
sql($node, 'latin1', "SET client_min_messages = error; SET client_encoding = 'UTF8'; "
	  . "SELECT chat_v11.open_incident('P1', 'd\xc3\xa9j\xc3\xa0 vu', 'oncall')");
my $story = sql($node, 'latin1', "SET client_encoding = 'UTF8'; SELECT chat_v11.postmortem(1)");
like($story, qr/limit_value[^|]*1800 -> 0/, 'LATIN1: a postmortem');
like($story, qr/d\xc3\xa9j\xc3\xa0 vu/, '... in its letters');
sql($node, 'latin1', "SELECT chat_v11.note_incident(1, repeat('long ', 100), k) FROM unnest('{fact,decision,check:6}'::text[]) k");
# A question is at the end of its line.
foreach my $page ('postmortem(1)', "go_no_go('canary_10')", 'handover()', 'decision_log()', 'checklist(1)')
{
	unlike(sql($node, 'latin1', "SET client_encoding = 'UTF8'; SELECT p::text FROM chat_v11.$page p"), qr/\?(?!$)/m,
		"... and no character of $page is lost");
}

# ---- Every place where opening a P0 may fail: either nothing has happened, or the kill stands

fresh($node, 'faults', no_guard => 1);
sql($node, 'faults', <<~'SQL');
	SET client_min_messages = error;
	CREATE FUNCTION public.fail_at(kind text, at int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		opened bigint;
		said text := 'ok';
	BEGIN
		BEGIN
			BEGIN
				PERFORM set_config('chat_v11.fault', kind || ':' || at, true);
				opened := chat_v11.open_incident('P0', 'a fault', 'ic');
			EXCEPTION WHEN OTHERS OR query_canceled THEN
				said := 'refused';
			END;
			PERFORM set_config('chat_v11.fault', '', true);
			said := said || CASE WHEN (SELECT kill_switch FROM chat_v11.rollout_state) THEN ' killed' ELSE ' live' END
				|| CASE WHEN opened IS NULL THEN ' null ' ELSE ' opened ' END || (SELECT count(*) FROM chat_v11.incident);
			RAISE 'undo';
		EXCEPTION WHEN raise_exception THEN
			RETURN said;
		END;
	END
	$$;
	SQL
# The slice is read within bounds of its own, so a fault there costs nothing but a part of it.
my %fine = map { $_ => 1 } ('refused live null 0', 'ok killed null 0', 'ok killed opened 1');
foreach my $kind (qw(error bad_alloc exception))
{
	my %seen = map { split /\|/ } split /\n/, sql($node, 'faults', 'SET client_min_messages = error; '
		  . "SET chat_v11.fault = ''; SELECT t, count(*) FROM (SELECT public.fail_at('$kind', n) AS t "
		  . 'FROM generate_series(1, 1500) n) f GROUP BY t');
	note(join ', ', map { "$_: $seen{$_}" } sort keys %seen);
	is(join(', ', grep { !$fine{$_} } sort keys %seen), '', "$kind: no P0 is half done");
	ok($seen{$_}, "... there is: $_") foreach sort keys %fine;
}

# ---- A standby reads them

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(sql($standby, 'db', 'SELECT count(*) FROM chat_v11.incidents()'), 2, 'a standby lists what is open');
is(sql($standby, 'db', 'SELECT count(*) FROM chat_v11.checklist(1)'), 10, '... ticks the list');
like(sql($standby, 'db', 'SELECT chat_v11.postmortem(1)'), qr/^# Postmortem of incident 1: recovery is slow\n/, '... and tells of it');
($rc, undef, $err) = $standby->psql('db', "SELECT chat_v11.open_incident('P0', 'x', 'y')");
like($err, qr/read-only transaction|during recovery/, '... but opens none');
$standby->stop;

# ---- A crash and a dump

sql($node, 'db', "SET client_min_messages = error; SET synchronous_commit = off; "
	  . "SELECT chat_v11.note_incident(1, 'back to build 811', 'decision'); SELECT chat_v11.add_action_item('a test', 'backend', '2030-01-01', 1); "
	  . "SELECT chat_v11.open_incident('P0', E'quotes '' \" \\\\ | é', 'Équipe')");
my $everything = join ' UNION ALL ',
  map { "SELECT '$_', count(*), md5(string_agg(t::text, ';' ORDER BY t::text COLLATE \"C\")) FROM chat_v11.$_ t" }
  qw(incident incident_note action_item rollout_history rollout_state);
my $before = sql($node, 'db', $everything);
$node->stop('immediate');
$node->start;
is(sql($node, 'db', $everything), $before, 'they outlive a crash');
is(sql($node, 'db', "SELECT status FROM chat_v11.explain_gates() WHERE check_name = 'incident'"), 'fail', '... and still hold');

my $dump = $PostgreSQL::Test::Utils::tmp_check . '/incidents.sql';
sql($node, 'db', 'SELECT chat_v11.stop_guard()');
$before = sql($node, 'db', $everything);
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('db') ], 'pg_dump');
sql($node, 'postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ], 'restore');
is(sql($node, 'restored', $everything), $before, '... brings back every row');
is(sql($node, 'restored', "SET client_min_messages = error; SELECT chat_v11.open_incident('P2', 'next', 'x')"), 4,
	'... and the next one has the next number');
is(verdict($node, 'restored'), 'sound', '... beside a log that is sound');

# ---- DDL by others than superusers

$node->safe_psql('db', 'CREATE ROLE dba LOGIN; GRANT CREATE ON SCHEMA public TO dba; CREATE TABLE public.mine (id int); '
	  . 'ALTER TABLE public.mine OWNER TO dba');
($rc, undef, $err) = $node->psql('db', 'CREATE INDEX CONCURRENTLY ON public.mine (id)', extra_params => [ '-U', 'dba' ]);
is($rc, 0, 'CREATE INDEX CONCURRENTLY while a P0 is open') or diag($err);
like($err, qr/WARNING:  CREATE INDEX while P0 incident 1 is open/, '... warns');
($rc, undef, $err) = $node->psql('calm', 'CREATE TABLE pg_temp.x ()', extra_params => [ '-U', 'dba' ]);
is("$rc $err", '0 ', 'none is open: nothing is said');

# ---- The schema of 0.4 under this library

sql($node, 'postgres', 'CREATE DATABASE old');
sql($node, 'old', "CREATE EXTENSION chat_v11 VERSION '0.4'; CREATE ROLE old_operator; "
	  . "SELECT chat_v11.grant_access('old_operator', 'operator')");
easy_rollout($node, 'old');
like(sql($node, 'old', "SELECT status || ' ' || reason FROM chat_v11.explain_gates() WHERE check_name = 'incident'"),
	qr/^pass incident: incidents are not kept before the update/, 'before its update the check passes, and says why');
like(sql($node, 'old', 'SELECT chat_v11.handover()'), qr/Not kept before the update to 0\.5/, '... as does the hand-over');
is(sql($node, 'old', 'SET client_min_messages = error; ' . set_sql('canary_10', 'false', 'up') . '; CREATE TABLE t (); SELECT 1'),
	"canary_10|f|2\n1", '... promotions and DDL go on') or diag(state($node, 'old'));
sql($node, 'old', "SELECT chat_v11.record('timeline_duplicate', 'v11')");
is(sql($node, 'old', 'SET client_min_messages = error; SELECT action FROM chat_v11.guard_tick()'), 'kill', '... and kills');
sql($node, 'old', 'ALTER EXTENSION chat_v11 UPDATE');
is(sql($node, 'old', "SET client_min_messages = error; SET ROLE old_operator; SELECT chat_v11.open_incident('P0', 'now', 'ic')"), 1,
	'after it whoever was an operator opens one');
is(sql($node, 'old', "SELECT value FROM chat_v11.setting WHERE name = 'decision_interval'"), '00:10:00', '... the settings are there');

is(alarming($node, $began, 'not escalated', 'chat_v11 guard', 'the incident was not', 'rule clock', 'started although',
		'canceling statement', 'read-only', 'immediate shutdown', 'terminating', 'nobody watches', 'incident \d+ is open',
		'violates check', 'not opened', 'gate log was not written', 'cannot be prepared', 'ERR_GATE_CLOSED: incident 1'), '', 'nothing else in the log');
done_testing();
