# The guard at work: what it kills, what it rolls back, and what it leaves alone, each in a database of its own; and that
# neither settings nor objects of others turn what it does.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = guard_node('main');
calm($node);
my $began = log_size($node);

# An ACK without a receipt is a breach once it has matured: 10 s and the grace of 2 s.  The others go on meanwhile.
fresh($node, 'late');
my $late = start_watch($node, 'late', 'ack');

# ---- What it kills

my %reason = (
	duplicate => 'timeline_duplicate_detected_rate is [^;]+, limit 0',
	rollback => 'read_rollback_detected_rate is [^;]+, limit 0',
	stall => 'send_stall_rate is [^;]+, limit 0.05',
	ack => 'ack_without_receipt_10s_rate is [^;]+, limit 0');

sub judge_kill
{
	my ($db, $sort) = @_;
	is(newest($node, $db), 'kill by chat_v11 guard, state by chat_v11 guard', "$db: log and state name the guard");
	like(sql($node, $db, 'SELECT note FROM chat_v11.rollout_state'), qr/^guard: $reason{$sort}$/,
		'... the note names the check and its figures');
	is(sql($node, $db, 'SELECT note = (SELECT note FROM chat_v11.rollout_state) FROM chat_get_v11_rollout_history(1)'),
		't', '... as does the log');
	is(verdict($node, $db), 'sound', '... the log verifies');
	return;
}

foreach my $sort (qw(duplicate rollback stall))
{
	fresh($node, "by_$sort", server => $sort eq 'rollback' ? "ALTER DATABASE by_rollback SET jit = on" : '');
	killed_in($node, "by_$sort", $sort, 2, "by $sort");
	judge_kill("by_$sort", $sort);
}
# At the highest stage, with two causes at once, in one transaction with much else.
fresh($node, 'top', sql => join('; ', map { set_sql($_, 'false') } qw(canary_10 canary_50 full)));
killed_in($node, 'top', '', 2, 'at full', sql => 'BEGIN; ' . breach('duplicate') . '; ' . breach('rollback')
	. "; SELECT count(chat_v11.record('session_active', 'v11')) FROM generate_series(1, 20000); COMMIT");
like(sql($node, 'top', 'SELECT note FROM chat_v11.rollout_state'),
	qr/^guard: timeline_duplicate[^;]+limit 0; read_rollback[^;]+limit 0$/, '... for both reasons');
is(state($node, 'top'), 'canary_1 killed v5', '... down to canary_1');

# ---- What it leaves alone

fresh($node, 'lone');
fresh($node, 'hold', sql => "SELECT chat_v11.set_check('timeline_duplicate_detected_rate', p_on_fail => 'hold')");
fresh($node, 'disabled', sql => "SELECT chat_v11.set_check('timeline_duplicate_detected_rate', p_enabled => false)");
fresh($node, 'advised', sql => "SELECT chat_v11.set_check('timeline_duplicate_detected_rate', p_on_fail => 'advise')");
fresh($node, 'down', sql => "SELECT chat_v11.set_check('write_reject_rate', p_on_fail => 'rollback'); "
	  . set_sql('canary_10', 'false'));
fresh($node, 'lowest', sql => "SELECT chat_v11.set_check('write_reject_rate', p_on_fail => 'rollback')");
fresh($node, 'killed', sql => set_sql('canary_1', 'true', 'by hand'));
fresh($node, 'control');
sql($node, 'postgres', 'CREATE DATABASE unstarted');
sql($node, 'unstarted', 'CREATE EXTENSION chat_v11; SELECT chat_v11.start_guard()');
wait_guarding($node, 'unstarted', 'idle');

my %before = map { $_ => state($node, $_) } qw(lone hold disabled advised lowest killed control);
my $rolled_back = start_watch($node, 'down', 'rejected', until => "stage = 'canary_1'");
sql($node, 'lone', breach('lone_stall'));
sql($node, $_, breach('duplicate')) foreach qw(hold disabled advised killed);
# On the other side, in v10, nothing is ours to kill; and what is taken back did not happen.
sql($node, 'control', "SELECT chat_v11.record('timeline_duplicate', 'v10'); BEGIN; " . breach('duplicate')
	  . '; ROLLBACK; BEGIN; SAVEPOINT a; ' . breach('rollback') . '; ROLLBACK TO a; COMMIT');
sql($node, 'lowest', breach('rejected'));
sql($node, 'unstarted', "SELECT chat_v11.record('timeline_duplicate', 'v11')");

my $took = seconds_to($rolled_back);
ok($took ne 'never' && $took <= 2, 'on_fail rollback: rolled back within 2 s') or diag("after $took s");
is(newest($node, 'down'), 'rollback by chat_v11 guard, state by chat_v11 guard', '... by the guard');
like(sql($node, 'down', 'SELECT note FROM chat_v11.rollout_state'), qr/^guard: write_reject_rate is .+, limit 0\.01$/,
	'... with its reason');
my $rounds = sql($node, 'lone', 'SELECT rounds FROM chat_v11.guard_status()');
is(wait_until($node, 'lone', "SELECT rounds > $rounds + 1 FROM chat_v11.guard_status()", 't'), 't', 'two rounds later');
is(state($node, 'down'), 'canary_1 live v3', '... canary_1 is live, and stays so');
my %why = (lone => 'one actor with fifty stalls', hold => 'on_fail hold', disabled => 'a disabled check',
	advised => 'on_fail advise', lowest => 'on_fail rollback at canary_1', killed => 'killed by hand before',
	control => 'a breach in v10, and two that were taken back');
is(state($node, $_), $before{$_}, "$why{$_}: nothing is done") foreach sort keys %why;
is(state($node, 'unstarted'), 'none', 'not started: nothing is done');
is(guarding($node, 'unstarted'), 'idle true 0', '... and the guard says so');
is(sql($node, 'hold', 'SELECT gate_p0_ok FROM chat_get_v11_release_gates()'), 'f', 'the gates were red all the same');

# Nobody is killed twice: the row stays as it was.
is(sql($node, 'by_duplicate', "SELECT count(*) FROM chat_v11.rollout_history WHERE transition = 'kill'"), 1,
	'killed once, however many rounds come after');
# Live again without a breach in the window it stays live; with one, it is killed again.
sql($node, 'by_stall', "SET client_min_messages = error; SELECT chat_v11.set_check('send_stall_rate', p_enabled => false); "
	  . set_sql('canary_1', 'false', 'resumed'));
killed_in($node, 'by_stall', 'duplicate', 2, 'after a resume');

# ---- Settings and objects of others

fresh($node, 'hostile', no_guard => 1, server => <<~'SQL');
	ALTER DATABASE hostile SET default_transaction_isolation = 'serializable';
	ALTER DATABASE hostile SET default_transaction_read_only = on;
	ALTER DATABASE hostile SET default_transaction_deferrable = on;
	ALTER DATABASE hostile SET search_path = 'evil, public';
	ALTER DATABASE hostile SET session_replication_role = replica;
	ALTER DATABASE hostile SET statement_timeout = '1ms';
	ALTER DATABASE hostile SET lock_timeout = '1ms';
	ALTER DATABASE hostile SET idle_in_transaction_session_timeout = '1ms';
	ALTER DATABASE hostile SET row_security = on;
	ALTER DATABASE hostile SET synchronous_commit = off;
	ALTER DATABASE hostile SET transform_null_equals = on;
	ALTER DATABASE hostile SET standard_conforming_strings = off;
	ALTER DATABASE hostile SET timezone = 'Pacific/Apia';
	ALTER DATABASE hostile SET datestyle = 'SQL, DMY';
	ALTER DATABASE hostile SET intervalstyle = 'sql_standard';
	ALTER DATABASE hostile SET extra_float_digits = -15;
	ALTER DATABASE hostile SET bytea_output = 'escape';
	ALTER DATABASE hostile SET client_encoding = 'LATIN1';
	ALTER DATABASE hostile SET track_activities = off;
	ALTER DATABASE hostile SET enable_indexscan = off;
	ALTER DATABASE hostile SET work_mem = '64kB';
	ALTER DATABASE hostile SET temp_file_limit = '1kB';
	ALTER DATABASE hostile SET force_parallel_mode = on;
	SQL
# Our own sessions go without.
$ENV{PGOPTIONS} = join ' ', map { "-c $_" } qw(statement_timeout=0 lock_timeout=0 default_transaction_read_only=off
	session_replication_role=origin search_path=public role=none
	standard_conforming_strings=on force_parallel_mode=off chat_v11.mock_now= client_encoding=UTF8
	idle_in_transaction_session_timeout=0 transform_null_equals=off), 'default_transaction_isolation=read\ committed';
sql($node, 'hostile', <<~'SQL');
	CREATE SCHEMA evil;
	CREATE FUNCTION evil.lie(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
	CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.lie);
	CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
	CREATE TABLE evil.rollout_state (stage text, kill_switch boolean);
	CREATE TABLE public.guard_state (expected boolean);
	CREATE TABLE public.pg_extension (extname text);
	CREATE TABLE public.metric_bucket (minute int);
	CREATE FUNCTION public.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
	SQL
sql($node, 'hostile', 'SELECT chat_v11.start_guard()');
wait_guarding($node, 'hostile');
is(sql($node, 'hostile', "SELECT state || ' ' || failures FROM chat_v11.guard_status()"), 'guarding 0',
	'hostile settings and objects: the guard is at work');
killed_in($node, 'hostile', 'duplicate', 2, 'hostile settings and objects');
is(sql($node, 'hostile', 'SELECT changed_by FROM chat_get_v11_rollout_history(1)'), 'chat_v11 guard', '... by the guard');
is(sql($node, 'hostile', "SELECT coalesce(last_error, 'none') FROM chat_v11.guard_status()"), 'none', '... without an error');

# A clock that stands still, where a superuser set one for a database's sessions, would blind the guard.
fresh($node, 'mocked', server => "ALTER DATABASE mocked SET chat_v11.mock_now = '2026-01-01 00:00:00+00'");
killed_in($node, 'mocked', 'duplicate', 2, 'a mocked clock for all sessions', limit => 4);
# A role's settings, for the one that background processes run as; the same settings as others, but a role of its own.
fresh($node, 'roled', no_guard => 1);
sql($node, 'roled', 'CREATE ROLE nobody');
my $superuser = sql($node, 'roled', 'SELECT rolname FROM pg_authid WHERE oid = 10');
sql($node, 'roled', qq{ALTER ROLE $superuser IN DATABASE roled SET role = 'nobody';
	ALTER ROLE $superuser IN DATABASE roled SET default_transaction_isolation = 'repeatable read'});
sql($node, 'roled', 'SELECT chat_v11.start_guard()');
wait_guarding($node, 'roled');
killed_in($node, 'roled', 'duplicate', 2, 'a role set for the one that it runs as');

# ---- The ACK has matured

$took = seconds_to($late);
note("ACK without receipt: $took s");
ok($took ne 'never' && $took >= 11.9 && $took <= 14.1, 'an ACK without receipt: killed within 2 s of its maturity')
	or diag("after $took s");
judge_kill('late', 'ack');

# ---- The server's log tells what was done, and nothing that alarms

my $log = log_since($node, $began);
foreach my $db (qw(by_duplicate by_rollback by_stall))
{
	my $reason = $reason{ $db =~ s/by_//r };
	like($log, qr/LOG:  chat_v11 guard: kill: guard: $reason/, "$db: the server's log tells of the kill");
}
like($log, qr/LOG:  chat_v11 guard: rollback: guard: write_reject_rate/, 'and of the rollback');
is(alarming($node, $began, qr/terminating background worker "chat_v11 guard" due to administrator command/), '',
	'the log has no other line above LOG');
$node->stop;
done_testing();
