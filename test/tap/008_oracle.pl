# Random traffic, and after every round the figures beside their plain definition, test/oracle.sql: every count and rate
# equal, every quantile within 1 %.  Also while the traffic goes on, since each comparison is one statement and so sees
# one snapshot, in which nothing may be counted twice or left out.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Traffic;

use constant { SECOND => 1_000_000, MINUTE => 60_000_000 };

my ($rounds, $sessions) = ($ENV{CHAT_V11_ROUNDS} || 12, 5);

my $seed = $ENV{CHAT_V11_SEED} || time ^ $$;
srand($seed);
diag("CHAT_V11_SEED=$seed repeats the traffic of this run, though not the order in which sessions come");

# The oracle's plans are long and its tables short: compiling them would take most of the time.
my $node = new_node('main', conf => "max_prepared_transactions = 50\njit = off\n");
ask($node, slurp_file(dirname(__FILE__) . '/oracle.sql'));
my $engine = ask($node, "SELECT to_regprocedure('chat_v11.fold(bigint)') IS NOT NULL") eq 't';

# ---- The judge is judged first: cases small enough for a person.

# Whole spans of one minute each, so that the cases do not meet.
sub judged
{
	my ($minute, $columns, $events, %option) = @_;
	my $from = sprintf("'2026-03-01 10:%02d:00+00'", $minute);
	my $clock = $option{clock} || sprintf("'2026-03-01 10:%02d:00+00'", $minute + 1);
	my $rows = join ', ', map {
		my ($second, $kind, $cohort, $key, $value) = @$_;
		sprintf("($from\::timestamptz + '%.6f s', '%s', '%s', NULL, %s, %s)", $second, $kind, $cohort,
			defined $key ? "md5('$minute $key')::uuid" : 'NULL', $value // 'NULL')
	} @$events;
	return ask($node, <<~"SQL");
		SET chat_v11.mock_now = '2026-03-01 11:00:00+00';
		INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value) VALUES $rows;
		SET chat_v11.mock_now = $clock;
		SELECT $columns FROM oracle.metrics($from, $clock)
		WHERE metric = '$option{metric}' AND cohort = '@{[ $option{cohort} || 'v11' ]}';
		SQL
}

my @missing = (metric => 'ack_without_receipt_10s_rate');
is(judged(0, 'numerator, denominator', [
	[ 1, 'write_ack', 'v11', 'a' ], [ 11, 'write_receipt', 'v11', 'a' ],
	[ 2, 'write_ack', 'v11', 'b' ], [ 12.000001, 'write_receipt', 'v11', 'b' ],
	[ 3, 'write_ack', 'v11', 'c' ], [ 2.9, 'write_receipt', 'v10', 'c' ],
	[ 4, 'write_ack', 'v11', 'd' ] ], @missing), '2|4',
	 '10 s is in time, a microsecond more is not; before the ACK is');
is(judged(2, 'numerator, denominator', [
	[ 47.999999, 'write_ack', 'v11', 'old enough' ], [ 48, 'write_ack', 'v11', 'not yet' ],
	[ -12.000001, 'write_ack', 'v11', 'too old' ], [ -12, 'write_ack', 'v11', 'just in' ] ], @missing), '2|2',
	'a write counts where it becomes mature: 12 s and a microsecond after its ACK');
is(judged(4, 'numerator, denominator', [
	[ 20, 'write_ack', 'v10', 'a' ], [ 5, 'write_ack', 'v11', 'a' ], [ 5, 'write_ack', 'v11', 'a' ],
	[ 14, 'write_receipt', 'v10', 'a' ], [ 25, 'write_receipt', 'v11', 'a' ] ], @missing), '0|1',
	'many ACKs and receipts of a key are one write, and its first ones decide');
is(judged(6, 'value, numerator, denominator', [
	[ 5, 'write_ack', 'v11', 'a' ], [ 6, 'write_receipt', 'v11', 'a' ], [ 6, 'write_receipt', 'v11', 'a', 700 ],
	[ 6, 'write_receipt', 'v11', 'a', 800 ] ], metric => 'write_receipt_p95_ms'), '700|0|1',
	'the smallest value of the first receipts wins over the time between');
is(judged(8, 'value', [ [ 30, 'write_ack', 'v11', 'a' ] ], metric => 'write_receipt_p95_ms'), '30000',
	'no receipt: it took as long as it has waited');
is(judged(10, 'value', [ map { [ 1, 'recovery_done', 'v11', undef, $_ ] } 1 .. 39, 'NULL' ],
	metric => 'recovery_p95_ms'), '38', 'the 95th percentile of 39 is the 38th');
is(judged(12, 'value, numerator, denominator', [
	[ 7, 'write_receipt', 'v11', 'a' ], [ 8, 'write_receipt', 'v10', 'a' ], [ 9, 'write_receipt', 'v11', 'a' ],
	[ 9, 'write_receipt', 'v11', 'b' ], [ 10, 'write_ack', 'v10', 'b' ] ], metric => 'receipt_without_ack_count'),
	'1|1|3', 'a key without an ACK counts once, in the cohort of its first receipt');
is(judged(14, 'numerator, denominator', [
	map({ [ $_, 'timeline_duplicate', 'v11' ] } 0.000001, 31, 30.3),
	map({ [ $_, 'timeline_delivered', 'v11' ] } 0, 31.000001) ],
	metric => 'timeline_duplicate_detected_rate', clock => "'2026-03-01 10:14:30.2+00'"), '3|3',
	'events count to the end of the second in which the clock stands');
is(judged(16, 'numerator, denominator', [
	map({ [ $_, 'write_ack', 'v11', $_ ] } 18.2, 18.199999, 18.1) ], @missing,
	clock => "'2026-03-01 10:16:30.2+00'"), '2|2', 'writes become mature by the clock itself');
is(judged(18, 'value, numerator, denominator', [ [ 1, 'send_stall', 'v11' ], [ 1, 'send_stall', 'v11' ],
	[ 1, 'write_started', 'v11' ] ], metric => 'send_stall_rate'), '1|2|2', 'no more stalls than sends');
is(judged(20, "value IS NULL, numerator, denominator", [ [ 1, 'full_state', 'v11' ] ], metric => 'full_state_rate'),
	't|1|0', 'a rate of nothing is null');

# ---- Traffic

my $where = not_compared($engine);
my $clock = 1_772_406_900 * SECOND;    # 2026-03-01 23:15:00, so that midnight comes by
my $end = $clock + 120 * MINUTE;    # raw rows are kept for a day, and the oldest reports are 21 h old
my @keys;
my @queue;    # events that somebody still has to report

sub advance
{
	my $sort = int rand($clock < $end ? 10 : 4);
	$clock +=
		$sort < 2 ? between(1, SECOND)
	  : $sort < 4 ? between(1, 30) * SECOND
	  : $sort < 5 ? 12 * SECOND + 1
	  : $sort < 7 ? between(20 * SECOND, 3 * MINUTE)
	  : between(5 * MINUTE, 25 * MINUTE);
	# A clock on the border of a second, or of a minute, now and then.
	$clock = int($clock / MINUTE + 1) * MINUTE if chance(0.15);
	$clock = int($clock / SECOND + 1) * SECOND if chance(0.2) || !$engine;
	return;
}

# New writes with their ACKs, receipts and retries, and further reports about old ones.
sub plan_round
{
	my ($round) = @_;
	foreach my $i (1 .. 160)
	{
		my $key = { uuid => uuid_of($round, $i), at => moment($clock), cohort => chance(0.6) ? 'v11' : 'v10' };
		push @keys, $key;
		push @queue, piece($key, 1) if chance(0.92);
		# Most of v10 is answered, though much of it is rolled back: there the percentile is a duration, and with v11,
		# where many go without a receipt, a waiting time.
		push @queue, piece($key, 0) foreach 1 .. ($key->{cohort} eq 'v10' ? 3 : between(0, 1));
		push @queue, piece($key) while chance(0.3);
		push @queue, twin($queue[-1]) if chance(0.2);
	}
	push @queue, piece(any(@keys)) foreach 1 .. 40;
	push @queue, other_event($clock) foreach 1 .. 350;
	foreach my $i (reverse 1 .. $#queue)
	{
		my $j = int rand($i + 1);
		@queue[ $i, $j ] = @queue[ $j, $i ];
	}
	return;
}

# Some stay in the queue, and are reported in a later round.
sub next_event
{
	my $event = pop @queue || other_event($clock);
	$event->{at} = $clock + 4 * SECOND if $event->{at} > $clock + 4 * SECOND;
	return $event;
}

sub sql_moment { return "'" . stamp($_[0]) . "'::timestamptz"; }

# Spans to look at.  Ends beyond the clock are the clock's.
sub random_spans
{
	my ($few) = @_;
	my $second = int($clock / SECOND) * SECOND;
	my $minute = int($clock / MINUTE) * MINUTE;
	my $by_minute = $minute - MINUTE * int rand 40;
	my @spans = (
		map({ [ "last $_ min", $clock - $_ * MINUTE, $clock ] } 5, 15, 30),
		[ 'whole', $second - 24 * 3600 * SECOND, $clock + 3600 * SECOND ],
		[ 'minutes', $by_minute - MINUTE * between(1, 30), $by_minute ]);
	unless ($few)
	{
		push @spans, [ 'all but now', $second - 24 * 3600 * SECOND, $second ];
		push @spans, [ 'one minute', $by_minute - MINUTE, $by_minute ];
		# Seconds in which something is likely to be, also the one in which the clock stands.
		push @spans, map({ [ 'second', $second - ($_ + 1) * SECOND, $second - $_ * SECOND ] }
			-1, 0, 1, 12, between(2, 90));
		foreach my $key (map { any(@keys) } 1 .. 4)
		{
			my $from = int(($key->{at} + any(0, 10 * SECOND, 12 * SECOND)) / SECOND) * SECOND;
			push @spans, [ 'second', $from, $from + SECOND ];
		}
		push @spans, [ 'since', $second - between(1, 20 * 3600) * SECOND, $clock ] foreach 1 .. 2;
		foreach (1 .. 4)
		{
			my $to = $second - int(10**rand(4.8)) * SECOND;
			push @spans, [ 'between', $to - int(10**rand(4)) * SECOND, $to ];
		}
		# Ends that are not whole seconds.
		if ($engine)
		{
			push @spans, [ 'fractions', $clock - between(1, 40 * MINUTE), $clock - between(0, SECOND) ] foreach 1 .. 4;
			push @spans, [ 'within a second', $second - 700_000, $second - 200_000 ];
		}
	}
	return [ map { [ $_->[0], sql_moment($_->[1]), sql_moment($_->[2]) ] } grep { $_->[1] < $_->[2] } @spans ];
}

my ($compared, @different) = (0);

# Takes what comparisons have answered; says how many answered.
sub take_answers
{
	my ($text) = @_;
	my $answers = 0;
	while ($text =~ /^compared (\d+)$/mg) { $compared += $1; $answers++; }
	my @found = $text =~ /^(different: .*)$/mg;
	diag("CHAT_V11_SEED=$seed $_") foreach @different < 30 ? splice(@{ [@found] }, 0, 30) : ();
	push @different, @found;
	return $answers;
}

my $preamble = sub {
	return "SET client_min_messages = error;\nSET chat_v11.mock_now = '" . stamp($clock) . "';\n";
};

# Transactions that stay open over the rounds.
my @open = map { { run => $node->background_psql('postgres', on_error_stop => 0), in => 0 } } 1 .. 2;

sub stir
{
	my ($session) = @_;
	my $run = $session->{run};
	$run->query('BEGIN') unless $session->{in}++;
	$run->query("SET chat_v11.mock_now = '" . stamp($clock) . "'");
	$run->query(Traffic::by_insert(map { next_event() } 1 .. between(1, 20)));
	$run->query('SAVEPOINT open') if chance(0.3);
	return unless chance(0.4);
	$run->query(any('COMMIT', 'COMMIT', 'ROLLBACK'));
	$session->{in} = 0;
	return;
}

my %outcome;
foreach my $round (1 .. $rounds)
{
	advance();
	plan_round($round);
	my @running;
	foreach my $session (1 .. $sessions)
	{
		my $traffic = new_traffic(event => \&next_event, name => "r${round}s$session", fold => $engine,
			pause => 0.04);
		my $sql = $preamble->();
		$sql .= transaction($traffic) foreach 1 .. 14;
		$sql .= Traffic::finish_prepared() . "\n" if chance(0.5);
		push @running, start_psql($node, "round_${round}_$session", $sql);
	}
	foreach my $folder (1 .. ($engine ? 2 : 0))
	{
		my $sql = $preamble->() . join('', map { Traffic::pause(0.1) . "\n" . Traffic::fold_sql() . "\n" } 1 .. 12);
		push @running, start_psql($node, "fold_${round}_$folder", $sql);
	}
	my $looks = between(2, 4);
	my $look = start_psql($node, "look_$round", $preamble->() . join('', map {
		Traffic::pause(0.15) . "\n" . comparison_sql("round $round.$_", random_spans(1), $where)
	} 1 .. $looks));
	stir($_) foreach grep { chance(0.7) } @open;
	foreach my $session (@running, $look)
	{
		$session->{run}->finish;
		my $errors = slurp_file($session->{err});
		$outcome{$1}++ while $errors =~ /ERROR:  ([0-9A-Z]{5}):/g;
		$outcome{lost}++ if $errors =~ /server closed the connection|connection to server was lost/;
	}
	my $before = @different;
	is(take_answers(slurp_file($look->{out})), $looks, "round $round: figures were read while the traffic went on");
	if ($engine && chance(0.5))
	{
		ask($node, $preamble->() . Traffic::fold_sql());
	}
	take_answers(ask($node, $preamble->() . comparison_sql("round $round", random_spans(), $where)));
	is(@different - $before, 0, "round $round: engine and oracle agree at " . stamp($clock));
}

# ---- To the end

foreach my $session (@open)
{
	$session->{run}->query(any('COMMIT', 'ROLLBACK')) if $session->{in};
	$session->{run}->quit;
}
foreach my $gid (split /\n/, ask($node, 'SELECT gid FROM pg_prepared_xacts ORDER BY gid'))
{
	ask($node, any('COMMIT', 'ROLLBACK') . " PREPARED '$gid'");
}

sub agree
{
	my ($what) = @_;
	my $before = @different;
	take_answers(ask($node, $preamble->() . comparison_sql($what, random_spans(), $where)));
	is(@different - $before, 0, "engine and oracle agree: $what");
	return;
}

agree('all transactions ended');
if ($engine)
{
	my $left = 1000;
	1 while $left-- > 0 && ask($node, $preamble->() . 'SELECT chat_v11.fold()') > 0;
	cmp_ok($left, '>', 0, 'folding comes to an end');
	agree('all is folded');
}
$node->restart;
agree('after a restart');
# On the border of a second: writes that the old grace has settled are in the bucket of their second, which the new one
# cannot cut in two.
$clock = int($clock / SECOND + 1) * SECOND;
ask($node, $preamble->() . "SELECT FROM chat_v11.set_setting('report_grace', '7.5 s', 'oracle')");
agree('with another grace');

# Otherwise all that would have tested little.
my ($events, $writes, $keys) = split /\|/, ask($node, 'SELECT (SELECT count(*) FROM chat_v11.event), '
	  . '(SELECT count(*) FROM oracle.writes()), (SELECT count(DISTINCT subject) FROM chat_v11.event)');
note("$events events, $writes writes, $compared fields compared; refused: "
	  . join(', ', map { "$_ $outcome{$_}" } sort keys %outcome));
cmp_ok($compared, '>', 1000 * $rounds, 'thousands of fields were compared');
cmp_ok($writes, '>', 50 * $rounds, 'many writes');
my %seen = map { split /\|/ } split /\n/, ask($node, <<~'SQL');
	WITH w AS (SELECT *, receipt_at - acked_at AS took FROM oracle.writes()),
	a AS (SELECT subject, count(*) AS acks, count(DISTINCT cohort) AS cohorts FROM chat_v11.event
		WHERE kind = 'write_ack' GROUP BY subject)
	SELECT 'in time to the microsecond', count(*) FROM w WHERE took = interval '10 s'
	UNION ALL SELECT 'late by a microsecond', count(*) FROM w WHERE took = interval '10.000001 s'
	UNION ALL SELECT 'before the ACK', count(*) FROM w WHERE took < '0'
	UNION ALL SELECT 'never answered', count(*) FROM w WHERE receipt_at IS NULL
	UNION ALL SELECT 'with a value of its own', count(*) FROM w
		WHERE own_ms <> extract(epoch FROM greatest(took, '0')) * 1000
	UNION ALL SELECT 'retried', count(*) FROM a WHERE acks > 1
	UNION ALL SELECT 'retried in the other cohort', count(*) FROM a WHERE cohorts > 1
	UNION ALL SELECT 'receipts only', count(*) FROM oracle.first_receipts() r
		WHERE NOT EXISTS (SELECT FROM w WHERE w.key = r.key)
	UNION ALL SELECT 'hours late', count(*) FROM w WHERE acked_at < '2026-03-01 20:00:00+00'
	SQL
cmp_ok($seen{$_}, '>', 3, "among them: $_") foreach sort keys %seen;
cmp_ok($outcome{22023} // 0, '>', 0, 'some statements were refused');
# 42704, 55000: somebody else ended the prepared transaction first, or is about to.  25001: no folding in the midst of
# a transaction that has written.
my %known = map { $_ => 1 } qw(22023 25001 25P02 42704 55000);
is(join(' ', grep { !$known{$_} } sort keys %outcome), '', 'and none for a reason that is none of theirs');
unlike(server_log($node), qr/PANIC|TRAP|FATAL(?!.*administrator command)|signal \d+|segfault|terminated by|ERROR:  XX/,
	'nothing alarming in the server log');

$node->stop;
done_testing();
