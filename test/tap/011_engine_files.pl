# What becomes of a write whose ACK and receipt come in different transactions, folds and files, before and after a
# restart, and with one of them in a file that was given up; and whether anybody notices that files are given up.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Engine;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Traffic;

use constant SECOND => 1_000_000;

my $node = engine_node('main');
my ($folder, $open, $writer);

sub start_sessions
{
	($folder, $open, $writer) = map { session($node) } 1 .. 3;
	return;
}

sub restart
{
	$node->restart;
	drop_session($_) foreach $folder, $open, $writer;
	start_sessions();
	return;
}

start_sessions();

# A field of fold_status().
sub status { return ask($node, "SELECT $_[0] FROM chat_v11.fold_status()"); }

ask($node, told(300));
fold_all($node);

# ---- Pairing, with one half of each write here and the other there

my ($one, $other) = (1, 2);
# After the ACK, in microseconds; none at all is told of as well.
my @offsets = (0, 500_000, 10 * SECOND, 10 * SECOND + 1, 60 * SECOND, -SECOND, undef);
my @separations =
  ('transaction', 'fold', 'file', 'maturity', 'restart', 'file given up', 'generation', 'life of all generations');
my %second;
my $n = 0;
foreach my $separation (@separations)
{
	my @first;
	foreach my $offset (@offsets)
	{
		foreach my $receipt_first (0, 1)
		{
			my $acked = clock() - ($separation eq 'maturity' ? 9 * SECOND : 20 * SECOND + 200_000 * $n);
			my %event = (subject => uuid_of(0x9a, ++$n), cohort => $n % 5 ? 'v11' : 'v10');
			my $ack = { %event, kind => 'write_ack', at => $acked, actor => uuid_of(0xac, $n) };
			my $receipt = { %event, kind => 'write_receipt', at => $acked + ($offset // 0) };
			$receipt->{at} = clock() if $receipt->{at} > clock();
			my @told = $receipt_first ? ($receipt, $ack) : ($ack, $receipt);
			@told = grep { $_->{kind} eq 'write_ack' } @told unless defined $offset;
			push @first, shift @told;
			push @{ $second{$separation} }, @told;
		}
	}
	ask($node, write_to($one) . tell_both(@first));
}
sub tell_second
{
	my ($separation, $file) = @_;
	ask($node, write_to($file) . tell_both(@{ delete $second{$separation} }));
	return agree($node, "pairing across a $separation");
}
tell_second('transaction', $one);
fold_all($node);
agree($node, 'first halves folded');
tell_second('fold', $one);
tell_second('file', $other);
fold_all($node);
agree($node, 'halves of three folds');
wait_for(30);
agree($node, 'writes have become mature');
tell_second('maturity', $other);
fold_all($node);
agree($node, 'and are settled');
restart();
tell_second('restart', $other);
fold_all($node);
agree($node, 'halves from before and after a restart');

# ---- A file is given up

$writer->query_safe(write_to($one) . told(10));
fold_all($node);
cmp_ok(leaf_bytes($node, $one), '>', 0, 'a file has events');
my $missing_sql = "SELECT count(*) FROM chat_v11.missing_receipts(500) WHERE key::text LIKE '0000009a%'";
my $missing = ask($node, $missing_sql);
cmp_ok($missing, '>', 10, 'of writes that miss their receipts');
my $current = write_to(4);
ask($node, "$current SELECT chat_v11.fold()");
cmp_ok(leaf_bytes($node, $one), '>', 0, 'which are too young to be given up');
age_leaves($node, $one);
ask($node, write_to($one) . 'SELECT chat_v11.fold()');
cmp_ok(leaf_bytes($node, $one), '>', 0, 'the file that is written to stays');
$open->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chat_v11.event LIMIT 1");
ask($node, "$current SELECT chat_v11.fold()");
cmp_ok(leaf_bytes($node, $one), '>', 0, 'and so does one that somebody reads');
$open->query_safe('COMMIT');
$open->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
my $old = $open->query_safe(figures());
# A transaction may last: what it gave up would be locked all the while.
$folder->query_safe("$current BEGIN; SELECT chat_v11.fold()");
cmp_ok(leaf_bytes($node, $one), '>', 0, 'within a transaction nothing is given up');
ask($node, "SET statement_timeout = '10s'; $current" . told(5));
unlike(ask($node, "SET lock_timeout = '1s'; " . disagreement_sql('beside a fold')), qr/^different/m,
	'and nobody has to wait');
$folder->query_safe('COMMIT');
cmp_ok(leaf_bytes($node, $one), '>', 0, '... nor when it ends');
ask($node, "$current SELECT chat_v11.fold()");
is(leaf_bytes($node, $one), '0', 'the file is given up whole');
is(ask($node, "SELECT count(*) FROM chat_v11.event WHERE tableoid = 'chat_v11.event_$one'::regclass"), '0',
	'with its events');
is($open->query_safe(figures()), $old, 'an older snapshot has the same answers');
agree($node, 'events given up');
is(ask($node, $missing_sql), $missing, 'writes that miss their receipts are still listed');
$writer->query_safe(write_to($one) . told(10));
agree($node, 'events in the new file');
tell_second('file given up', $other);
cmp_ok(ask($node, $missing_sql), '<', $missing, 'reports that come late undo them');
fold_all($node);
agree($node, 'halves of which one was given up');
is($open->query_safe(figures()), $old, 'the older snapshot still has the same answers');
$open->query_safe('COMMIT');
isnt($open->query_safe(figures()), $old, 'which are others by now');

# Another generation of writes begins.
sub next_generation
{
	ask($node, q{SET session_replication_role = replica;
		UPDATE chat_v11.fold_state SET generation_since = generation_since - interval '40 days'});
	fold_all($node);
	return;
}
foreach my $turn (1 .. 2)
{
	next_generation();
	agree($node, "generation $turn");
	ask($node, told(20));
}
is(ask($node, 'SELECT generation FROM chat_v11.fold_state'), '2', 'two generations have begun');
tell_second('generation', $other);
fold_all($node);
agree($node, 'halves of which one is two generations old');

# Giving up again and again, with writers and readers who do not stop.
my @writers = map {
	my $traffic = new_traffic(event => \&next_event, name => "d$_", truth => 1, pause => 0.02);
	start_script($node, "files_busy_$_", join '', map { write_to(3 + int rand 3) . transaction($traffic) } 1 .. 250)
} 1 .. 2;
my @readers = map {
	start_script($node, "files_looking_$_", join '', map { disagreement_sql("look $_") . figures() . ";\n" } 1 .. 40)
} 1 .. 2;
my $given_up = 0;
for (my $turn = 0; grep { is_running($_) } @writers, @readers; $turn++)
{
	my $leaf = (0, 1, 2, 6, 7)[ $turn % 5 ];
	ask($node, write_to($leaf) . "BEGIN;\n" . told(5) . 'COMMIT');
	fold_all($node);
	# A file is given up an hour at least after its last events were counted: no reader is still at it that saw them
	# uncounted.
	my $now = ask($node, 'SELECT clock_timestamp()');
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' "
		  . "AND pid <> pg_backend_pid() AND xact_start <= '$now')");
	age_leaves($node, $leaf);
	ask($node, write_to(3) . 'SELECT chat_v11.fold()');
	$given_up++ if leaf_bytes($node, $leaf) eq '0';
}
$_->{run}->finish foreach @writers, @readers;
cmp_ok($given_up, '>', 3, "files were given up on the way: $given_up");
is(join('', map { slurp_file($_->{err}) } @readers), '', 'no reader failed');
is(join("\n", map { slurp_file($_->{out}) =~ /^(different: .*)$/mg } @readers), '', 'nor saw anything wrong');
is(join("\n", map { slurp_file($_->{err}) =~ /(ERROR:  (?!22023|25P02|42704|55000).*)/g } @writers), '',
	'no writer failed');
agree($node, 'files given up while others wrote');
fold_all($node);
agree($node, 'and all folded');

# Nothing is left to be settled.
wait_for(60);
fold_all($node);
agree($node, 'and settled');
# When all generations have begun anew, an answered write is forgotten; one that is not was taken along each time.
next_generation() foreach 1 .. 4;
agree($node, 'all generations have begun anew');
is(join(' ', map { ask($node, "SELECT count(*) FROM chat_v11.write_$_ WHERE NOT missing") } 0 .. 2), '0 0 0',
	'answered writes are forgotten');
my @reports = grep { $_->{kind} eq 'write_receipt' && $_->{cohort} eq 'v11' } @{ $second{'life of all generations'} };
$second{'life of all generations'} = \@reports;
tell_second('life of all generations', $other);
fold_all($node);
agree($node, 'late receipts of the oldest writes');

unlike(server_log($node), qr/PANIC|TRAP|segfault|ERROR:  XX|signal (?:6|7|8|11)\b/,
	'nothing alarming in the server log');
$node->stop;
done_testing();
