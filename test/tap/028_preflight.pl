# Preflight where servers matter: its self-test beside live traffic and a guard, bounded in time, on a standby; a start
# that is refused; a gate for CI; installations that wait for their update; a dump.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use File::Basename qw(dirname);
use Guard;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $script = dirname(__FILE__) . '/release-gate.sh';
my $node = guard_node('main', init => { allows_streaming => 1 },
	conf => "chat_v11.guard_interval = '100ms'\nlog_min_messages = log\n");
calm($node);
fresh($node, 'chat');

sub row
{
	my ($server, $db, $name) = @_;
	return $server->safe_psql($db, "SELECT ok || ' ' || detail FROM chat_v11.preflight() WHERE name = '$name'");
}

# ---- Beside traffic and a guard that looks ten times a second

my $facts = "SELECT concat_ws('/', version, kill_switch, (SELECT count(*) FROM chat_v11.rollout_history), "
  . "(SELECT count(*) FROM chat_v11.gate_log WHERE NOT p0_ok)) FROM chat_v11.rollout_state";
my $before = sql($node, 'chat', $facts);
my $counted = 'SELECT coalesce(sum(count), 0) FROM chat_v11.metric_bucket';
my $stored = sql($node, 'chat', 'SELECT count(*) FROM chat_v11.event');
my $from = log_size($node);
my $rounds = status($node, 'chat', 'rounds');
my $traffic = start_psql($node, 'traffic', <<~'SQL');
	\c chat
	DO $$
	BEGIN
		FOR i IN 1 .. 400 LOOP
			PERFORM chat_v11.record(k, 'v11', gen_random_uuid(), gen_random_uuid())
				FROM unnest('{write_started,timeline_delivered,read_cursor,session_active}'::text[]) k;
			COMMIT;
			PERFORM pg_sleep(0.01);
		END LOOP;
	END $$;
	SQL
my $tests = sql($node, 'chat', <<~'SQL');
	SET client_min_messages = error;
	CREATE TEMP TABLE run (ok boolean, detail text);
	DO $$
	BEGIN
		FOR i IN 1 .. 300 LOOP
			INSERT INTO run SELECT ok, detail FROM chat_v11.preflight() WHERE name = 'self_test';
			COMMIT;
			PERFORM pg_sleep(0.005);
		END LOOP;
	END $$;
	SELECT count(*) || ' ' || bool_and(ok) || coalesce(' ' || string_agg(detail, '; ') FILTER (WHERE NOT ok), '') FROM run;
	SQL
is($tests, '300 true', 'three hundred self-tests beside traffic, each turns every P0 check red');
# One whose transaction stays open, as somebody's does who looks at the answer for a while.
my $asked = sql($node, 'chat', <<~'SQL');
	BEGIN;
	SELECT ok FROM chat_v11.preflight() WHERE name = 'self_test';
	SELECT pg_sleep(1.5);
	COMMIT;
	SQL
like($asked, qr/^t\b/, '... and one in a transaction that goes on');
$traffic->{run}->finish;
is(slurp_file($traffic->{err}), '', 'the traffic went on');
cmp_ok(status($node, 'chat', 'rounds'), '>', $rounds + 15, 'the guard looked at the gates meanwhile');
is(sql($node, 'chat', $facts), $before, '... and saw nothing: no kill, no row of the log, no red gate');
unlike(log_since($node, $from), qr/guard: kill|version \d+: kill|-> ROLLBACK/, '... nor does the server log tell of anything');
is(wait_until($node, 'chat', 'SELECT lag_events FROM chat_v11.fold_status()', '0'), '0', 'all is folded');
is(sql($node, 'chat', 'SELECT count(*) FROM chat_v11.event'), $stored + 1600, 'the events are those of the traffic');
is(sql($node, 'chat', $counted), $stored + 1600, '... each counted once, and no other');
is(verdict($node, 'chat'), 'sound', 'log');
is(guarding($node, 'chat'), 'guarding true 0', 'the guard never failed');
killed_in($node, 'chat', 'duplicate', 3, 'a breach that is none of a test', limit => 6);

# ---- Bounded in time, and cancelled by whoever wants to

fresh($node, 'held', no_guard => 1);
my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('held') ], '<', \my $in, '>', \my $held, '2>', \my $err,
	IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$in = "BEGIN; LOCK TABLE chat_v11.event IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n";
$holder->pump until $held =~ /held/;
my $start = time;
like(row($node, 'held', 'self_test'), qr/^false ack_without_receipt_10s_rate: it took longer than \d+ ms; .*no time was left/,
	'events that cannot come in: the row says so');
cmp_ok(time - $start, '<', 12, '... and does not wait for ever');
my ($rc, $out, $error) = $node->psql('held', "SET statement_timeout = '400ms'; SELECT * FROM chat_v11.preflight()");
like($error, qr/statement timeout|^$/, 'the time-out of the caller is the caller\'s');
my $canceled = start_psql($node, 'canceled', "\\c held\nSET application_name = 'canceled'; SELECT * FROM chat_v11.preflight();\n");
is(wait_until($node, 'held', "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE application_name = 'canceled' "
	. "AND wait_event_type = 'Lock'", 1, 20), 1, 'a waiting one is cancelled');
$canceled->{run}->finish;
like(slurp_file($canceled->{err}), qr/57014/, '... and tells its caller');
$in .= "ROLLBACK;\n\\q\n";
$holder->finish;
like(row($node, 'held', 'self_test'), qr/^true /, 'let go: the test works again');

# ---- A start that is refused until everything is in order

sub shell_gate
{
	my ($db, $stage, %env) = @_;
	local @ENV{ qw(PGHOST PGPORT PGDATABASE PGUSER CHAT_V11_TARGET_STAGE CHAT_V11_RUN), keys %env } =
	  ($node->host, $node->port, $db, $env{PGUSER} // $ENV{USER} // 'postgres', $stage, '', values %env);
	delete $ENV{PGUSER} unless $env{PGUSER};
	IPC::Run::run([ 'bash', $script ], '<', \undef, '>', \my $said, '2>', \my $why);
	return ($? >> 8, $said, $why);
}

sub psql_gate
{
	my ($db, $stage) = @_;
	IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-c', "select chat_v11.assert_gate('$stage')" ],
		'<', \undef, '>', \my $said, '2>', \my $why);
	return ($? >> 8) . ' ' . $why;
}

ask($node, 'CREATE DATABASE new');
sql($node, 'new', <<~'SQL');
	SET client_min_messages = error;
	CREATE EXTENSION chat_v11;
	SELECT chat_v11.set_setting('preflight', 'enforce');
	CREATE ROLE ci LOGIN;
	SELECT chat_v11.grant_access('ci', 'reader');
	SQL
like(psql_gate('new', 'canary_1'), qr/^[1-9]\d* ERROR:  ERR_GATE_CLOSED: start is refused.*\nDETAIL:  migrations: .*\n(?:.*\n)*HINT:  select chat_v11\.attest/,
	'nothing is prepared: the gate is closed, and says what to do first');
my ($code, $said, $why) = shell_gate('new', 'canary_1', PGUSER => 'ci', CHAT_V11_RUN => 'https://ci.example/1');
is($code, 1, 'release-gate.sh says no');
like($why, qr/NO-GO: the database would refuse canary_1 now\n.*permission denied.*\nand that is not on record/s,
	'... and that it may not put this on record');
sql($node, 'new', 'GRANT EXECUTE ON FUNCTION chat_v11.attest(text, text, boolean) TO ci');
is((shell_gate('new', 'canary_1', PGUSER => 'ci', CHAT_V11_RUN => "https://ci.example/'; drop table x; --"))[0], 1, 'with the right to');
is(sql($node, 'new', "SELECT ok, ref, attested_by FROM chat_v11.attestation WHERE what = 'ci:canary_1'"),
	"f|https://ci.example/'; drop table x; --|ci", '... it does, whatever the link is made of');
sql($node, 'new', <<~'SQL');
	SET client_min_messages = error;
	SELECT chat_v11.assign_oncall(r, 'somebody') FROM unnest('{IC,Backend,SRE,Frontend}'::text[]) r;
	SELECT chat_v11.attest(w, 'TAP') FROM unnest('{migrations,runbook,telemetry:write_ack,telemetry:write_started,telemetry:timeline_delivered,telemetry:read_cursor,telemetry:session_active,telemetry:resync_request,telemetry:recovery_done,telemetry:pending_forever}'::text[]) w;
	SELECT chat_v11.start_guard();
	SQL
is(wait_until($node, 'new', "SELECT ok FROM chat_v11.preflight() WHERE name = 'guard'", 't'), 't', 'a guard is at work');
is(sql($node, 'new', 'SELECT string_agg(name, \' \') FROM chat_v11.preflight() WHERE NOT ok'), 'ci_gate', 'only the CI gate is missing');
my ($refused) = ($node->psql('new', set_sql('canary_1', 'false')))[2];
like($refused, qr/ERR_GATE_CLOSED: start is refused.*\nDETAIL:  ci_gate: the last run was red/, '... and the start is refused for it');
my $summary = $PostgreSQL::Test::Utils::tmp_check . '/summary.md';
($code, $said, $why) = shell_gate('new', 'canary_1', PGUSER => 'ci', CHAT_V11_RUN => 'https://ci.example/2', GITHUB_STEP_SUMMARY => $summary);
is("$code " . ($said =~ /^GO: canary_1$/m ? 'GO' : $said . $why), '0 GO', 'a run that is green');
like(slurp_file($summary), qr/^# Go\/no-go: chat v1\.1, not started -> canary_1\n/, '... with the record for its summary');
like(slurp_file($summary), qr/\*\*GO\*\*/, '... where it is a GO, with this run on record');
is(psql_gate('new', 'canary_1'), '0 ', 'psql -c as a gate: open');
is(sql($node, 'new', set_sql('canary_1', 'false')), 'canary_1|f|1', 'the start is taken');
foreach my $stage ('canary_1', 'canary_50', 'v11', '')
{
	is((shell_gate('new', $stage, PGUSER => 'ci'))[0], 1, "no way up to \"$stage\"");
}
like(psql_gate('new', 'canary_10'), qr/^[1-9]\d* ERROR:  ERR_GATE_CLOSED: promotion from canary_1 to canary_10/, 'too early for more');
like((shell_gate('nowhere', 'canary_10'))[2], qr/NO-GO: the state cannot be read/, 'no database is a no');
is(psql_gate('held', 'canary_10'), '0 ', 'and where everything is green, it is a go');

# ---- A dump has the roster, and the restored log verifies

$node->run_log([ 'pg_dump', '-Fc', '-f', "$summary.dump", '-d', $node->connstr('new') ]);
ask($node, 'CREATE DATABASE restored');
$node->run_log([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$summary.dump" ]);
is(sql($node, 'restored', 'SELECT count(*), count(person), count(history_id) FROM chat_v11.oncall'), '4|4|4', 'the roster is restored');
is(verdict($node, 'restored'), 'sound', 'log');
sql($node, 'new', 'SELECT chat_v11.stop_guard()');

# ---- This library over the SQL of older versions, and after their update

foreach my $version ('0.1', '0.3', '0.4', '0.5')
{
	(my $db = "old_$version") =~ tr/./_/;
	ask($node, "CREATE DATABASE $db");
	sql($node, $db, "CREATE EXTENSION chat_v11 VERSION '$version'");
	is(sql($node, $db, 'SET client_min_messages = error; ' . set_sql('canary_1', 'false')), 'canary_1|f|1', "$version: the start is taken");
	like(sql($node, $db, "SELECT gates->>'unmet_preconditions' FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1"),
		qr/extension: \Q$version\E is installed, 0\.6 is the default version/, '... and warned of what it lacks');
	is(sql($node, $db, 'SELECT count(*) FROM chat_v11.verify_history()'), 0, '... the log verifies');
	sql($node, $db, 'SET client_min_messages = error; ALTER EXTENSION chat_v11 UPDATE');
	like(row($node, $db, 'extension'), qr/^true /, 'updated');
	like(row($node, $db, 'self_test'), qr/^true /, '... and the self-test works');
}

# ---- A standby answers, and says what it cannot do

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(row($standby, 'held', 'self_test'), 'false not on a standby, which takes no events: ask its primary', 'no self-test on a standby');
is(row($standby, 'held', 'smoke'), 'true gates, state and history answer', '... the other rows answer');
is($standby->safe_psql('held', "SELECT chat_v11.assert_gate('canary_10')"), '', '... and so does the gate');
is($standby->safe_psql('held', "SELECT chat_v11.go_no_go('canary_10') LIKE '%**GO**%', count(*) > 3 FROM chat_v11.decision_log()"), 't|t',
	'... and the records');
unlike(server_log($node), qr/PANIC|TRAP|signal \d+|segfault/, 'nothing alarming in the server log');
$standby->stop;
$node->stop;
done_testing();
