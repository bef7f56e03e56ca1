# What the TAP tests of the telemetry engine share.  Every event is told twice, in one transaction: to the extension and
# to a plain table, public.truth, over which the oracle says what each figure must be, also when the events themselves
# are gone.  The clock stands still, but for wait_for().
package Engine;

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();
use Traffic;

our @EXPORT = qw(engine_node session start_script is_running clock wait_for next_event tell_both told bulk_sql agree
	disagreement_sql figures count_folded fold_all write_to unused_leaves age_leaves
	leaf_bytes);

use constant { SECOND => 1_000_000, HOUR => 3_600_000_000 };

my $clock = int(Time::HiRes::time()) * SECOND + 250_000;

sub clock { return $clock; }

# Sessions that are started from now on see the clock there.
sub pg_options
{
	return '-c client_min_messages=error -c chat_v11.mock_now=' . stamp($clock) =~ s/ /T/r;
}

sub wait_for
{
	my ($seconds) = @_;
	$clock += $seconds * SECOND;
	$ENV{PGOPTIONS} = pg_options();
	return;
}

# A server with a rollout that is live, where all that has been told is in the truth as well.
sub engine_node
{
	my ($name, %option) = @_;
	my $seed = $ENV{CHAT_V11_SEED} || $clock ^ $$;
	srand($seed);
	diag("CHAT_V11_SEED=$seed repeats what is told");
	my $node = new_node($name, %option, conf => "max_prepared_transactions = 500\njit = off\nautovacuum = off\n");
	easy_rollout($node);
	ask($node, 'CREATE TABLE truth AS '
		  . 'SELECT at, kind::text, cohort::text, actor, subject, value FROM chat_v11.event');
	ask($node, slurp_file((__FILE__ =~ s/[^\/]*$//r) . 'oracle.sql') =~ s/chat_v11\.event\b/public.truth/gr);
	$ENV{PGOPTIONS} = pg_options();
	return $node;
}

# A psql that waits for what it is to do.  Its time limit is that of a single query.
sub session
{
	my ($node, $db) = @_;
	my $session = $node->background_psql($db // 'postgres', on_error_stop => 0);
	$session->set_query_timer_restart;
	return $session;
}

# A script that others go on beside.
sub start_script
{
	my ($node, $name, $sql) = @_;
	return start_psql($node, $name, "$sql\n\\echo that is all\n");
}

sub is_running
{
	my ($script) = @_;
	return slurp_file($script->{out}) !~ /^that is all$/m;
}

# ---- Telling

# Of 100,000 writes, one each 20 ms, whoever tells of the n-th knows when and whose it was.
sub next_event
{
	return other_event($clock) if chance(0.35);
	my $n = chance(0.5) ? between(0, 500) : between(0, 99_999);
	my $event = piece({ uuid => uuid_of(0x5e, $n), at => $clock - $n * 20_000, cohort => $n % 3 ? 'v11' : 'v10' });
	$event->{at} = $clock if $event->{at} > $clock;
	return $event;
}

# SQL by which these events are told, in several statements: within a transaction where somebody looks meanwhile.
sub tell_both
{
	my @list = @_;
	my $queue = [@list];
	my $traffic = new_traffic(event => sub { shift @$queue // $list[0] }, truth => 1);
	return Traffic::unit($traffic, scalar @list, 1) . "\n";
}

# So many, of any sort.
sub told
{
	my ($count) = @_;
	return tell_both(map { next_event() } 1 .. $count);
}

# Many events of three kinds: each third one an ACK, answered in half of the cases.
sub bulk_sql
{
	my ($group, $count) = @_;
	my $prefix = substr(uuid_of($group, 0), 0, 24);
	return join '', map { <<~"SQL" } [ 'truth', 'text', 'text' ], [ map { "chat_v11.$_" } qw(event event_kind cohort) ];
		INSERT INTO $_->[0] (at, kind, cohort, subject)
		SELECT '@{[ stamp($clock) ]}'::timestamptz - interval '20 min' - interval '1 ms' * (i % 600000),
			(ARRAY['write_ack', 'write_receipt', 'read_cursor', 'write_ack', 'read_cursor', 'read_cursor']::$_->[1]\[])
				[1 + i % 6], (ARRAY['v10', 'v11']::$_->[2]\[])[1 + i / 3 % 2],
			('$prefix' || lpad(to_hex(i / 3), 12, '0'))::uuid
		FROM generate_series(0, $count - 1) i;
		SQL
}

# ---- Judging

my @spans = (
	[ 'whole', "date_trunc('hour', chat_v11.clock()) - interval '24 hours'", "chat_v11.clock() + interval '1 min'" ],
	[ 'last 15 min', "chat_v11.clock() - interval '15 min'", 'chat_v11.clock()' ],
	[ 'a minute', "date_trunc('minute', chat_v11.clock()) - interval '3 min'",
		"date_trunc('minute', chat_v11.clock()) - interval '2 min'" ]);

# Engine beside oracle, and how many events there are in all, in one statement.
sub disagreement_sql
{
	my ($what) = @_;
	return comparison_sql($what, \@spans, {}) =~ s/;\s*$//r . <<~"SQL";

		UNION ALL SELECT 'different: $what: ' || s.folded_events || ' folded and ' || s.lag_events || ' not, '
			|| t.n || ' told' FROM chat_v11.fold_status() s, (SELECT count(*) AS n FROM truth) t
		WHERE s.folded_events + s.lag_events <> t.n;
		SQL
}

sub agree
{
	my ($node, $what, $db) = @_;
	my $answer = $node->safe_psql($db // 'postgres', disagreement_sql($what));
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($compared) = $answer =~ /^compared (\d+)$/m;
	is(join("\n", $answer =~ /^(different: .*)$/mg) . ($compared >= 300 ? '' : "only $compared fields"), '',
		"$what: figures are those of what was told");
	return;
}

# All that readers tell, as one text.
sub figures
{
	return <<~'SQL';
		SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
			SELECT 'metrics ' || m::text AS line
				FROM chat_v11.metrics(chat_v11.clock() - interval '26 hours', chat_v11.clock()) m
			UNION ALL SELECT 'gates ' || g::text FROM public.chat_get_v11_release_gates() g
			UNION ALL SELECT 'missing ' || r::text FROM chat_v11.missing_receipts(500) r
			UNION ALL SELECT 'series ' || s::text FROM chat_v11.metric_series('write_reject_rate',
				chat_v11.clock() - interval '10 min', chat_v11.clock(), interval '1 min') s) lines
		SQL
}

sub count_folded
{
	my ($node, $db) = @_;
	return $node->safe_psql($db // 'postgres', 'SELECT folded_events FROM chat_v11.fold_status()');
}

# Until nothing is left; how many events that were.
sub fold_all
{
	my ($node, $db) = @_;
	my $before = count_folded($node, $db // 'postgres');
	foreach my $attempt (1 .. 20)
	{
		$node->safe_psql($db // 'postgres', 'SELECT chat_v11.fold()');
		last if $node->safe_psql($db // 'postgres',
			'SELECT lag_events = 0 AND NOT unfinished_round FROM chat_v11.fold_status()') eq 't';
	}
	return count_folded($node, $db) - $before;
}

# ---- Files

# A setting under which the session writes to this one of the eight files for two minutes at least.
sub write_to
{
	my ($leaf) = @_;
	my $now = int((Time::HiRes::time() - 946_684_800) * SECOND);
	foreach my $retention (3600 .. 86400)
	{
		my $width = int($retention * SECOND / 6);
		return "SET chat_v11.raw_retention = '${retention}s';\n"
		  if int($now / $width) % 8 == $leaf && $width - $now % $width > 120 * SECOND;
	}
	die "no retention for file $leaf";
}

# Two files, by number, that nobody writes to before these statements do: neither is the one that it is the time of, nor
# the next one.
sub unused_leaves
{
	my $usual = int((Time::HiRes::time() - 946_684_800) / (86400 / 6)) % 8;
	return (($usual + 3) % 8, ($usual + 5) % 8);
}

sub leaf_bytes
{
	my ($node, @leaves) = @_;
	return join ' ', map { $node->safe_psql('postgres', "SELECT pg_relation_size('chat_v11.event_$_')") } @leaves;
}

# The fold's cursor as src/core/fold_cursor.cpp packs it: a list of numbers, of which those that say when a file's last
# rows came are handed to $edit.  Nobody lives long enough to wait for the retention of a file.
sub edit_cursor
{
	my ($hex, $edit) = @_;
	my @bytes = unpack('C*', pack('H*', $hex));
	my @out = (shift @bytes);
	die "cursor of version $out[0]" unless $out[0] == 1;
	my $put = sub {
		my ($n) = @_;
		for (; $n >= 0x80; $n >>= 7) { push @out, $n & 0x7f | 0x80; }
		push @out, $n;
		return $_[0];
	};
	my $get = sub {
		my ($n, $shift) = (0, 0);
		for (;; $shift += 7)
		{
			my $byte = shift @bytes // die 'cursor ends too early';
			$n |= ($byte & 0x7f) << $shift;
			return $n if $byte < 0x80;
		}
	};
	my $copy = sub { return $put->($get->()); };
	my $copy_list = sub { $copy->() foreach 1 .. $copy->(); return; };
	my $copy_snapshot = sub { $copy->(); $copy->(); $copy_list->(); return; };
	$copy_snapshot->();
	if ($copy->()) { $copy_snapshot->(); $copy->(); $copy->(); }
	foreach my $leaf (0 .. $copy->() - 1)
	{
		$copy->() foreach 1 .. 3;    # file, low, rows
		$put->($edit->($leaf, $get->()));
		foreach my $hold (1 .. $copy->()) { $copy->(); $copy->(); $copy_list->(); }
	}
	die 'cursor has bytes too many' if @bytes;
	return unpack('H*', pack('C*', @out));
}

# Makes the fold believe that the last rows of these files came two months earlier.
sub age_leaves
{
	my ($node, @leaves) = @_;
	my %is_meant = map { $_ => 1 } @leaves;
	my $cursor = ask($node, "SELECT encode(cursor, 'hex') FROM chat_v11.fold_state");
	# Twice, because a number with a sign is stored doubled.
	my $aged = edit_cursor($cursor,
		sub { my ($leaf, $at) = @_; return $is_meant{$leaf} && $at > 0 ? $at - 2 * 1440 * HOUR : $at; });
	ask($node, "SET session_replication_role = replica; UPDATE chat_v11.fold_state SET cursor = '\\x$aged'");
	return;
}

1;
