# Random telemetry for the TAP tests: events of every sort at every awkward moment, told to the server in every way,
# inside transactions of every shape.
#
# Moments are whole microseconds since 1970.  A write's key has a moment of its own, around which its ACKs and receipts
# gather, so that whoever reports one of them needs to know of no other.
package Traffic;

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Exporter 'import';
use POSIX qw(strftime);

our @EXPORT = qw(any chance between stamp uuid_of moment piece twin other_event new_traffic transaction not_compared
	comparison_sql raw_differs buckets_differ);

use constant { SECOND => 1_000_000, MINUTE => 60_000_000, HOUR => 3_600_000_000 };

# From the first ACK until a write is judged, with report_grace as installed.
use constant MATURE => 12 * SECOND + 1;

sub any { return $_[ int rand @_ ]; }
sub chance { return rand() < $_[0]; }

# A whole number from one to the other, both included.
sub between { return $_[0] + int rand($_[1] - $_[0] + 1); }

sub stamp
{
	my ($us) = @_;
	return strftime('%Y-%m-%d %H:%M:%S', gmtime(int($us / SECOND))) . sprintf('.%06d+00', $us % SECOND);
}

# The n-th uuid of a group: any process can name the same one.
sub uuid_of
{
	my ($group, $n) = @_;
	return sprintf('%08x-0000-4000-8000-%012x', $group, $n);
}

# A moment at which something may have happened, seen from the clock: mostly just now, often on a border, now and then
# hours ago or a little ahead.
sub moment
{
	my ($clock) = @_;
	my $sort = int rand 100;
	return $clock - between(0, MINUTE) if $sort < 40;
	return $clock - MATURE + between(-2, 2) if $sort < 50;
	return int(($clock - between(0, 2 * MINUTE)) / SECOND) * SECOND + between(-1, 1) if $sort < 60;
	return int(($clock - between(0, 30 * MINUTE)) / MINUTE) * MINUTE + between(-1, 1) if $sort < 67;
	return $clock - between(0, 30 * MINUTE) if $sort < 82;
	return $clock - between(0, 20 * HOUR) if $sort < 92;
	return $clock + between(1, SECOND) if $sort < 96;
	return $clock + between(1, 4 * SECOND);
}

# What is told of durations: the histogram's own edges, both ends of what is taken, and anything between.
my @durations = (0, 1e-3, 0.01, 0.1, 1, 2.5, 10, 99, 100, 101, 350, 1500, 2000, 2000.0000001, 9999.5, 10000, 3.6e6,
	1e9);

sub duration { return chance(0.5) ? any(@durations) : sprintf('%.6g', 10**(rand(7) - 1)); }

# Receipts gather where the rules turn: before the ACK, with it, at 10 s to the microsecond, when the write matures,
# and hours away.
my @receipt_after = (-HOUR, -30 * SECOND, -1, 0, 1, 10 * SECOND - 1, (10 * SECOND) x 3, (10 * SECOND + 1) x 3,
	11 * SECOND, MATURE - 1, MATURE, MATURE + 1, MINUTE, 10 * MINUTE, HOUR, 5 * HOUR);

# One report about the write with this key: an ACK, first or repeated, or a receipt.
sub piece
{
	my ($key, $ack) = @_;
	my %event = (
		subject => $key->{uuid},
		cohort => chance(0.92) ? $key->{cohort} : any('v10', 'v11'),
		actor => chance(0.3) ? undef : uuid_of(0xac, int rand 4),
		value => undef);
	if ($ack // chance(0.4))
	{
		# A retry has its own moment; some are reported of a moment before the first.
		my $off = chance(0.75) ? 0 : any(1, -1, SECOND, -SECOND, 10 * SECOND, between(-20 * SECOND, 20 * SECOND));
		return { %event, kind => 'write_ack', at => $key->{at} + $off };
	}
	my $off = chance(0.6) ? between(0, 2 * SECOND) : any(@receipt_after);
	return { %event, kind => 'write_receipt', at => $key->{at} + $off, value => chance(0.3) ? duration() : undef };
}

# Another report of the same moment, which says something else: which one counts must not depend on who came first.
sub twin
{
	my ($event) = @_;
	return {
		%$event,
		cohort => any('v10', 'v11'),
		actor => chance(0.3) ? undef : uuid_of(0xac, int rand 4),
		value => chance(0.3) ? undef : duration() };
}

# Often enough each that every rate is neither 0 nor empty in most spans.
my @others = (
	('write_started', 'timeline_delivered', 'read_cursor', 'session_active', 'resync_request', 'recovery_done') x 3,
	qw(write_rejected write_ledgered write_stored pending_forever send_stall timeline_duplicate read_rollback
	forced_resync resync_range_unavailable resync_throttled full_state));

sub other_event
{
	my ($clock) = @_;
	my $kind = any(@others);
	my $durable = $kind eq 'recovery_done';
	return {
		kind => $kind,
		at => moment($clock),
		cohort => chance(0.6) ? 'v11' : 'v10',
		actor => chance(0.5) ? undef : uuid_of(0xac, int rand 4),
		subject => $kind =~ /^write_(ledgered|stored)/ || chance(0.2) ? uuid_of(0x0b, int rand 1000) : undef,
		value => chance($durable ? 0.85 : 0.1) ? duration() : undef };
}

# ---- Ways in

sub quoted { return defined $_[0] ? "'$_[0]'" : 'NULL'; }

sub values_of
{
	my ($e) = @_;
	return '(' . join(', ', quoted(stamp($e->{at})), map({ quoted($e->{$_}) } qw(kind cohort actor subject)),
		$e->{value} // 'NULL') . ')';
}

sub by_record
{
	return join "\n", map {
		my $e = $_;
		'SELECT chat_v11.record(' . join(', ', map({ quoted($e->{$_}) } qw(kind cohort actor subject)),
			$e->{value} // 'NULL', quoted(stamp($e->{at}))) . ');'
	} @_;
}

sub by_batch
{
	my $json = join ', ', map {
		my $e = $_;
		'{' . join(', ', '"at": "' . stamp($e->{at}) . '"',
			map({ "\"$_\": \"$e->{$_}\"" } grep { defined $e->{$_} } qw(kind cohort actor subject)),
			defined $e->{value} ? "\"value\": $e->{value}" : ()) . '}'
	} @_;
	return "SELECT chat_v11.record_batch('[$json]');";
}

sub by_copy
{
	return "COPY chat_v11.event (at, kind, cohort, actor, subject, value) FROM STDIN;\n" . join('', map {
		my $e = $_;
		join("\t", stamp($e->{at}), map { $_ // '\N' } @$e{qw(kind cohort actor subject value)}) . "\n"
	} @_) . '\.';
}

sub by_insert
{
	return 'INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value) VALUES '
	  . join(', ', map { values_of($_) } @_) . ';';
}

# ---- Transactions

# A source of transactions:
#   event     a sub that gives the next event to be told
#   name      prefix of the names of prepared transactions: unique to the session
#   fold      whether chat_v11.fold() is there to be called
#   pause     for how many seconds at most a transaction sleeps
#   truth     whether every event is also written, in the same (sub)transaction, to public.truth
sub new_traffic
{
	return { n => 0, pause => 0.2, @_ };
}

# Some events, told in some way.  Not by COPY where the transaction may have failed by then: psql would take its lines
# for commands.
sub unit
{
	my ($traffic, $count, $no_copy) = @_;
	my @events = map { $traffic->{event}->() } 1 .. $count // any(1, 1, 2, 5, between(1, 30));
	# The same report twice is two events.
	push @events, $events[0] if chance(0.05);
	my $told = any(\&by_record, \&by_batch, \&by_insert, $no_copy ? () : \&by_copy)->(@events);
	return $told unless $traffic->{truth};
	my $truth = 'INSERT INTO public.truth VALUES ' . join(', ', map { values_of($_) } @events) . ';';
	return chance(0.5) ? "$told\n$truth" : "$truth\n$told";
}

sub fold_sql
{
	return chance(0.5) ? 'SELECT chat_v11.fold();' : 'SELECT chat_v11.fold(' . any(1, 2, 7, 50, 1000) . ');';
}

# A bad row behind good ones: its statement is refused whole.
sub refused
{
	my ($traffic) = @_;
	my $good = values_of($traffic->{event}->());
	return "INSERT INTO chat_v11.event (at, kind, cohort, actor, subject, value) VALUES $good, $good, "
	  . "(chat_v11.clock() + interval '1 min', 'read_cursor', 'v11', NULL, NULL, NULL);";
}

sub pause { return sprintf('SELECT pg_sleep(%.3f);', rand($_[0])); }

# More savepoints than a backend shows to others (64), one event behind each; then back to one of them.
sub many_savepoints
{
	my ($traffic) = @_;
	my $count = between(66, 90);
	my $sql = "BEGIN;\n" . unit($traffic) . "\n";
	$sql .= "SAVEPOINT s$_;\n" . unit($traffic, 1) . "\n" foreach 1 .. $count;
	$sql .= 'ROLLBACK TO s' . between(1, $count) . ";\n" if chance(0.7);
	$sql .= pause($traffic->{pause}) . "\n" if chance(0.5);
	return $sql . unit($traffic) . "\n" . any('COMMIT;', 'COMMIT;', 'COMMIT;', 'ROLLBACK;');
}

# One transaction, from BEGIN to its end, or a statement on its own.
sub transaction
{
	my ($traffic) = @_;
	my $one = sub { unit($traffic) };
	my $after_fold = sub { unit($traffic, undef, 1) };
	my $end = any('COMMIT;', 'COMMIT;', 'COMMIT;', 'ROLLBACK;');
	my $begin = any('BEGIN;', 'BEGIN;', 'BEGIN;', 'BEGIN ISOLATION LEVEL REPEATABLE READ;');
	my $lone = $traffic->{truth} ? sub { "BEGIN;\n" . $one->() . "\nCOMMIT;" } : $one;
	my $sort = int rand($traffic->{fold} ? 100 : 88);
	my @sql =
		$sort < 25 ? $lone->()
	  : $sort < 40 ? ($begin, $one->(), $one->(), $end)
	  # Savepoints: kept, taken back, one within the other, one in place of another.
	  : $sort < 48 ? ($begin, $one->(), 'SAVEPOINT a;', $one->(), 'ROLLBACK TO a;', $one->(), $end)
	  : $sort < 52 ? ($begin, 'SAVEPOINT a;', $one->(), 'SAVEPOINT b;', $one->(), 'RELEASE b;', $one->(),
		any('RELEASE a;', 'ROLLBACK TO a;'), $one->(), $end)
	  : $sort < 55 ? ($begin, 'SAVEPOINT a;', $one->(), 'SAVEPOINT b;', $one->(), 'ROLLBACK TO b;', $one->(),
		'ROLLBACK TO a;', $one->(), 'RELEASE a;', $end)
	  : $sort < 58 ? many_savepoints($traffic)
	  # Open while later ones commit.
	  : $sort < 68 ? ($begin, $one->(), pause($traffic->{pause}), $one->(), $end)
	  : $sort < 80 ? prepared($traffic, $begin)
	  : $sort < 84 ? ($begin, $one->(), refused($traffic), 'COMMIT;')
	  : $sort < 86 ? refused($traffic)
	  : $sort < 88 ? ($begin, $one->(), 'SAVEPOINT a;', refused($traffic), 'ROLLBACK TO a;', $one->(), $end)
	  # Folding in the midst of the transaction's own events, and folding that is itself taken back.
	  : $sort < 92 ? fold_sql()
	  : $sort < 94 ? ('BEGIN;', fold_sql(), pause($traffic->{pause}), fold_sql(), $end)
	  : $sort < 97 ? ('BEGIN;', $one->(), fold_sql(), $after_fold->(), any(fold_sql(), ''), $end)
	  : ('BEGIN;', $one->(), 'SAVEPOINT a;', $one->(), fold_sql(), any('ROLLBACK TO a;', 'RELEASE a;'), $after_fold->(),
		$end);
	return join("\n", @sql) . "\n";
}

# Ended at once, or left to whoever ends it later: finish_prepared().
sub prepared
{
	my ($traffic, $begin) = @_;
	my $name = $traffic->{name} . '_' . ++$traffic->{n};
	my @sql = ($begin, unit($traffic));
	push @sql, 'SAVEPOINT a;', unit($traffic), any('ROLLBACK TO a;', 'RELEASE a;') if chance(0.3);
	push @sql, "PREPARE TRANSACTION '$name';";
	push @sql, pause($traffic->{pause}) if chance(0.3);
	push @sql, any("COMMIT PREPARED '$name';", "ROLLBACK PREPARED '$name';", finish_prepared()) if chance(0.8);
	return @sql;
}

# Ends one that somebody prepared, whoever did.
sub finish_prepared
{
	return "SELECT format('%s PREPARED %L', CASE WHEN random() < 0.6 THEN 'COMMIT' ELSE 'ROLLBACK' END, gid)\n"
	  . "FROM pg_catalog.pg_prepared_xacts ORDER BY random() LIMIT 1 \\gexec";
}

# ---- Judgement

# Where events are read one by one, without the engine, they count to the microsecond, and not all receipts are known to
# a span that is past.  What follows from that alone is not compared.
sub not_compared
{
	my ($engine) = @_;
	return {} if $engine;
	return {
		metrics => <<~'SQL',
			NOT (c.metric = 'receipt_without_ack_count' AND c.field IN ('numerator', 'value'))
				AND NOT (c.metric = 'write_receipt_p95_ms' AND c.field = 'value' AND EXISTS (
					SELECT FROM oracle.writes() w WHERE w.receipt_at > least(s.t, chat_v11.clock())
						AND w.settled_at > s.f AND w.settled_at <= s.t))
			SQL
		missing => <<~'SQL' };
			m.field <> 'actor' AND m.key NOT IN (
				SELECT w.key FROM oracle.writes() w WHERE w.receipt_at > chat_v11.clock())
			SQL
}

# Engine beside oracle over all these spans, in one statement: how many fields were compared, then one line for each
# that differs.  A span is [name, SQL of its begin, SQL of its end]; `where` leaves out what is not to be compared.
sub comparison_sql
{
	my ($label, $spans, $where) = @_;
	my $list = join ', ', map { "('$label $_->[0]', $_->[1], $_->[2])" } @$spans;
	return <<~"SQL";
		WITH c AS MATERIALIZED (
			SELECT s.name || ' (' || s.f || ', ' || s.t || ']' AS what, c.metric || ' ' || c.cohort || ' ' || c.field
				AS field, c.engine, c.oracle, c.equal
			FROM (VALUES $list) s(name, f, t) CROSS JOIN LATERAL oracle.comparison(s.f, s.t) c
			WHERE @{[ $where->{metrics} || 'true' ]}
			UNION ALL SELECT '$label missing_receipts', m.key || ' ' || m.field, m.engine, m.oracle, m.equal
			FROM oracle.missing_comparison() m WHERE @{[ $where->{missing} || 'true' ]}
		)
		SELECT 'compared ' || count(*) FROM c
		UNION ALL SELECT * FROM (SELECT 'different: ' || concat_ws(' ', what, field)
			|| ': engine ' || coalesce(engine, 'null') || ', oracle ' || coalesce(oracle, 'null')
			FROM c WHERE NOT equal LIMIT 30) d;
		SQL
}

# Raw rows that are too many or lost beside the table of truth, into which each writer told the same, in the same
# transaction; in one snapshot, hence at any moment.
sub raw_differs
{
	my ($node) = @_;
	return ask($node, <<~'SQL');
		WITH raw AS MATERIALIZED (
			SELECT at, kind::text, cohort::text, actor, subject, value FROM chat_v11.event),
		told AS MATERIALIZED (SELECT * FROM truth)
		SELECT (SELECT count(*) FROM (TABLE raw EXCEPT ALL TABLE told) x) || ' too many, '
			|| (SELECT count(*) FROM (TABLE told EXCEPT ALL TABLE raw) x) || ' lost'
		SQL
}

# Counts of the buckets beside the truth's, by kind and cohort.
sub buckets_differ
{
	my ($node) = @_;
	return ask($node, <<~'SQL');
		SELECT coalesce(string_agg(format('%s %s: %s in buckets, %s committed', kind, cohort, coalesce(b.n, 0),
			coalesce(t.n, 0)), '; ' ORDER BY kind, cohort), '')
		FROM (SELECT kind::text AS kind, cohort::text AS cohort, sum(count) AS n
			FROM chat_v11.metric_bucket GROUP BY 1, 2) b
		FULL JOIN (SELECT kind, cohort, count(*) AS n FROM truth GROUP BY 1, 2) t USING (kind, cohort)
		WHERE coalesce(b.n, 0) <> coalesce(t.n, 0)
		SQL
}

1;
