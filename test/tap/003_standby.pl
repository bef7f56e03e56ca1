# Readers never write: they answer on a hot standby and in READ ONLY transactions, and the same as on the primary.  What
# writes is refused there.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 });
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\n");
$standby->start;

easy_rollout($primary);
ask($primary, set_sql('canary_10', 'false', 'standby'));
# a write without a receipt, so that missing_receipts has something to tell
ask($primary, "SELECT chat_v11.record('write_ack', 'v11', NULL, gen_random_uuid(), NULL, now() - interval '30 s')");
my $now = ask($primary, 'SELECT now()');
$primary->wait_for_catchup($standby);

my @readers = (
	'SELECT * FROM chat_get_v11_rollout_state()',
	'SELECT * FROM chat_get_v11_release_gates()',
	'SELECT * FROM chat_get_v11_rollout_history(10)',
	'SELECT * FROM chat_v11.explain_gates()',
	"SELECT * FROM chat_v11.explain_gates('$now'::timestamptz - interval '10 s')",
	q{SELECT * FROM chat_v11.what_if('{"ack_without_receipt_10s_rate": {"limit": 0.5}}')},
	'SELECT count(*) FROM chat_v11.verify_history()',
	"SELECT * FROM chat_v11.metrics('$now'::timestamptz - interval '15 min', '$now')",
	'SELECT * FROM chat_v11.missing_receipts()',
	'SELECT * FROM chat_v11.history_export',
	"SELECT kind, cohort, count(*) FROM chat_v11.event WHERE kind = 'write_ack' GROUP BY 1, 2",
	'SELECT chat_v11.clock()',
	"SELECT chat_v11.write_key('6e0f2c1e-96f8-4d4c-9d3c-6a7b8c9d0e1f', 'phone', 7)",
	'SELECT * FROM chat_v11.default_gate_check()');
foreach my $sql (@readers)
{
	my ($name) = $sql =~ /(?:FROM|SELECT) (?:chat_v11\.)?(chat_\w+|\w+)/;
	# One clock for both, or ages would differ.
	my $at = "SET client_min_messages = error; SET chat_v11.mock_now = '$now';";
	my ($rc, $expected, $err) = $primary->psql('postgres', "$at $sql");
	is("$rc $err", '0 ', "$name answers on the primary");
	isnt($expected, '', '... something') unless $sql =~ /verify/;
	is(ask($standby, "$at $sql"), $expected, '... the same on the standby');
	foreach my $level ('READ ONLY', 'ISOLATION LEVEL REPEATABLE READ, READ ONLY',
		'ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE')
	{
		is(ask($primary, "$at BEGIN TRANSACTION $level; $sql; COMMIT"), $expected, "... and $level");
	}
	my $parallel = $primary->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
	is(ask($primary, "$at SET $parallel = on; $sql"), $expected, '... and where the server would make it parallel');
}
like(ask($standby, 'SELECT key FROM chat_v11.missing_receipts()'), qr/^[0-9a-f-]{36}$/,
	'the write without a receipt is told of');

my @writers = (
	set_sql('canary_50', 'false'), set_sql('canary_1', 'true'),
	"UPDATE chat_v11.rollout_state SET kill_switch = true",
	"SELECT chat_v11.force_rollout_state('canary_50', false, 'it is only a drill, really', 'somebody')",
	"SELECT chat_v11.set_check('write_reject_rate', p_limit => 0.5)",
	"SELECT chat_v11.set_policy('full', '1 h')",
	"SELECT chat_v11.set_setting('metric_window', '20 min')",
	"SELECT chat_v11.attest('telemetry:recovery_done', 'x')",
	"SELECT chat_v11.record('read_cursor', 'v11')",
	"SELECT chat_v11.grant_access('pg_monitor', 'reader')");
my $before = state($primary);
foreach my $sql (@writers)
{
	my ($name) = $sql =~ /(chat_\w+\.?\w*)/;
	my ($rc, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$sql;");
	like($err, qr/ERROR:  (25006|55000): .*(read-only transaction|during recovery|while recovery is in progress)/,
		"$name is refused on the standby");
	($rc, $out, $err) = $primary->psql('postgres', "\\set VERBOSITY verbose\nBEGIN READ ONLY;\n$sql;");
	like($err, qr/ERROR:  25006: .*read-only transaction/, '... and in a READ ONLY transaction');
}
is(state($primary), $before, 'nothing came of it');
is(state($standby), $before, 'here and there');

# A standby that takes over goes on where the primary was.
$primary->stop;
$standby->promote;
like(ask($standby, set_sql('canary_1', 'true', 'after the failover')), qr/^canary_1\|t/,
	'after a failover a kill works');
is(verdict($standby), 'sound', 'log after the failover');
unlike(server_log($_), qr/PANIC|TRAP|signal \d+|segfault/, 'nothing alarming in the log of '
	. $_->name) foreach $primary, $standby;

$standby->stop;
done_testing();
