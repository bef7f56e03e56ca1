# What outlives a restart, and the server's log: a line for every accepted change once it is committed, none for what
# was
# rolled back, exactly one for a refusal.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "max_prepared_transactions = 5\n");
easy_rollout($node);

# Lines that the extension wrote since the last look.
my $looked = 0;
sub new_lines
{
	my $text = server_log($node, $looked);
	$looked = -s $node->logfile;
	return map { /LOG:  ((?:prepared[^:]*: )?chat_v11: .*)/ ? $1 : () } split /\n/, $text;
}

sub newest_hash
{
	return ask($node, "SELECT encode(hash, 'hex') FROM chat_v11.rollout_history ORDER BY id DESC LIMIT 1");
}

# Accepted.
new_lines();
ask($node, set_sql('canary_1', 'false', 'hold'));
my @lines = new_lines();
is(scalar @lines, 1, 'one line for one accepted change');
my $hash = newest_hash();
like($lines[0], qr/^chat_v11: version 2: hold canary_1 -> canary_1, live, row \d+, by \w+, hash $hash$/,
	'with version and hash');
ask($node, "UPDATE chat_v11.rollout_state SET stage = 'canary_10'");
@lines = new_lines();
like("@lines", qr/^chat_v11: version 3: promote canary_1 -> canary_10, live, row \d+, by \w+, hash [0-9a-f]{64}$/,
	'the same for a hand-written one');
ask($node, "SELECT chat_v11.set_check('write_reject_rate', p_limit => 0.02)");
@lines = new_lines();
like("@lines", qr/^chat_v11: config: gate_check "write_reject_rate" changed, row \d+, by \w+, hash [0-9a-f]{64}$/,
	'and for a threshold');

# Rolled back.
ask($node, 'BEGIN; ' . set_sql('canary_50', 'false') . '; ' . set_sql('canary_1', 'true') . '; ROLLBACK');
is(join('|', new_lines()), '', 'no line for what was rolled back');
ask($node, 'BEGIN; ' . set_sql('canary_10', 'false', 'kept') . '; SAVEPOINT a; ' . set_sql('canary_50', 'false')
	  . '; SAVEPOINT b; ' . set_sql('canary_1', 'true') . '; RELEASE b; ROLLBACK TO a; COMMIT');
@lines = new_lines();
is(scalar @lines, 1, 'nor for what was rolled back to a savepoint, released ones within it included');
$hash = newest_hash();
like($lines[0], qr/version 4: hold .* hash $hash$/, 'the one that was kept has its line');
ask($node, 'BEGIN; SAVEPOINT a; ' . set_sql('canary_10', 'false') . '; SAVEPOINT b; ' . set_sql('canary_10', 'false')
	  . '; RELEASE a; COMMIT');
is(scalar(new_lines()), 2, 'released savepoints have their lines');
ask($node, <<~'SQL');
	DO $$ BEGIN
		PERFORM 1 FROM chat_set_v11_rollout_state('canary_10', false);
		RAISE EXCEPTION 'x';
	EXCEPTION WHEN raise_exception THEN NULL;
	END $$
	SQL
is(scalar(new_lines()), 0, 'no line for what an exception block took back');

# Not before the commit.
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('BEGIN');
$session->query_safe(set_sql('canary_10', 'false', 'late'));
is(scalar(new_lines()), 0, 'no line as long as it is not committed');
$session->query_safe('COMMIT');
is(scalar(new_lines()), 1, 'but then');

# Refused.
my %refusals = (
	'an illegal step' => [ set_sql('full', 'false'), qr/ERR_INVALID_TRANSITION/, qr/\('full', false\)/ ],
	'an unknown stage' => [ set_sql('canary_2', 'false'), qr/ERR_INVALID_ARGUMENT/, qr/\('canary_2', false\)/ ],
	'nulls' => [ 'SELECT * FROM chat_set_v11_rollout_state(NULL, NULL)', qr/ERR_INVALID_ARGUMENT/, qr/\(null, null\)/ ],
	'a stale version' => [ "SELECT * FROM chat_set_v11_rollout_state('canary_50', false, 'x', 'y', 1)",
		qr/ERR_VERSION_CONFLICT/, qr/version/ ],
	'a forced step without an approver' =>
	  [ "SELECT * FROM chat_v11.force_rollout_state('canary_50', false, 'a note that is long enough', NULL)",
	  	qr/ERR_INVALID_ARGUMENT/, qr/forced/ ],
	'a stage with a line break' =>
	  [ "SELECT * FROM chat_set_v11_rollout_state(E'x\\nchat_v11: version 99: promote', false)",
	  	qr/ERR_INVALID_ARGUMENT/, qr/'x chat_v11/ ]);
foreach my $what (sort keys %refusals)
{
	my ($sql, $token, $fact) = @{ $refusals{$what} };
	$node->psql('postgres', "BEGIN; SELECT 1; SAVEPOINT s; $sql; ROLLBACK", on_error_stop => 0);
	@lines = new_lines();
	is(scalar @lines, 1, "one line for $what, which was refused");
	like($lines[0], qr/^chat_v11: refused: \S+ (?:asked for|forced) .*$token/, '... with who and the token');
	like($lines[0], $fact, '... with what was asked for');
}
ask($node, "INSERT INTO chat_v11.event (kind, cohort) VALUES ('timeline_duplicate', 'v11')");
$node->psql('postgres', set_sql('canary_50', 'false'));
@lines = new_lines();
is(scalar @lines, 1, 'one line for a closed gate');
like($lines[0], qr/ERR_GATE_CLOSED.*timeline_duplicate_detected_rate/, '... with the failing check');

# Two-phase commit.
$session->query_safe('BEGIN');
$session->query_safe(set_sql('canary_1', 'true', 'prepared kill'));
$session->query_safe("PREPARE TRANSACTION 'kill'");
like(state($node), qr/^canary_10 live/, 'a prepared kill is not yet one');
@lines = new_lines();
like("@lines", qr/^prepared, not yet committed: chat_v11: version \d+: kill /, '... and its only line says so');
$session->quit;
$node->restart('immediate');
my ($rc, $out, $err) = $node->psql('postgres', "SET lock_timeout = '100ms'; " . set_sql('canary_1', 'false'));
like($err, qr/lock timeout/, 'its turn is its own, over a crash, too');
ask($node, "COMMIT PREPARED 'kill'");
like(state($node), qr/^canary_1 killed/, 'committed, it is one');
is(verdict($node), 'sound', 'log after two-phase commit');
# The server tells nobody of COMMIT PREPARED and ROLLBACK PREPARED.
new_lines();
ask($node, 'BEGIN; ' . set_sql('canary_1', 'true', 'again')
	  . "; PREPARE TRANSACTION 'again'; ROLLBACK PREPARED 'again'");
is(join('|', grep { !/^prepared/ } new_lines()), '', 'no line says that a prepared change was made');
is(verdict($node), 'sound', 'log after a prepared change that was rolled back');

# Restarts.
ask($node, 'ALTER DATABASE postgres SET chat_v11.kill_gate_timeout = 1234');
ask($node, "SELECT chat_v11.set_setting('metric_window', '10 min', 'kept')");
my $everything = join ' UNION ALL ',
  map { "SELECT '$_', md5(string_agg(t::text, ';' ORDER BY t::text)) FROM chat_v11.$_ t" }
  qw(rollout_state rollout_history stage_policy gate_check setting attestation event gate_log);
my $before = ask($node, $everything);
foreach my $mode (qw(fast immediate))
{
	$node->restart($mode);
	is(ask($node, $everything), $before, "all is there after a restart ($mode)");
	is(verdict($node), 'sound', '... log');
	is(ask($node, 'SELECT chat_v11.clock() > now() - interval \'1 min\'; SHOW chat_v11.kill_gate_timeout'), "t\n1234ms",
		'... settings');
}
is(ask($node, 'SELECT kill_switch, rollout_percent, next_stage FROM chat_get_v11_rollout_state()'), 't|0|canary_10',
	'and readers answer');

$node->stop;
done_testing();
