# A rollout is dumped in the middle and restored into an empty database, in every way that there is: the same state, the
# same log, and it goes on.  A dump that somebody changed is refused, or verify_history() finds it.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', bare => 1, conf => "autovacuum = off\n");
my $dir = $PostgreSQL::Test::Utils::tmp_check;
ask($node, 'CREATE DATABASE source');
$node->safe_psql('source', 'CREATE EXTENSION chat_v11');

# Rows of the log that were rolled back leave room in the first pages; after VACUUM later rows go there.
$node->safe_psql('source', <<~'SQL');
	DO $$ BEGIN
		FOR i IN 1 .. 60 LOOP
			BEGIN
				PERFORM chat_v11.set_check('write_reject_rate', p_limit => 0.001 * i);
				RAISE EXCEPTION 'x';
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		END LOOP;
	END $$
	SQL
easy_rollout($node, 'source');
# What has to be quoted somewhere on the way.
my $note = q{E'tab\t, back\\\\slash, \\\\N, ''quote'', "double", line\nbreak, %s, é, 漢, \\\\.'};
$node->safe_psql('source', <<~"SQL");
	SET client_min_messages = error;
	SELECT chat_v11.set_check('write_reject_rate', p_limit => 0.02, p_note => $note);
	SELECT chat_v11.set_check('write_reject_rate', p_limit => 0.1::float8 + 0.2::float8, p_on_fail => 'rollback');
	SELECT chat_v11.set_check('forced_resync_rate', p_limit => 1e-17, p_min_samples => 1);
	SELECT chat_v11.set_policy('canary_50', '3 h 4 min 5.678901 s', '1 mon 2 days', 7, '1 day');
	SELECT chat_v11.set_setting('metric_window', '17 min');
	SELECT chat_v11.set_setting('metric_window', '18 min');
	SELECT chat_v11.attest('telemetry:recovery_done', $note, false);
	SELECT version FROM chat_set_v11_rollout_state('canary_1', false, $note, 'Équipe');
	SQL
$node->safe_psql('source', 'VACUUM chat_v11.rollout_history');
$node->safe_psql('source', set_sql('canary_1', 'false', "hold $_")) foreach 1 .. 12;
$node->safe_psql('source', set_sql('canary_10', 'false', 'up'));
is($node->safe_psql('source',
	'SELECT bool_or(id < b) FROM (SELECT id, lag(id) OVER (ORDER BY ctid) AS b FROM chat_v11.rollout_history) h'),
	't', 'rows of the log do not lie in the order of their ids');
is(verdict($node, 'source'), 'sound', 'log of the source');

my $everything = join ' UNION ALL ',
  map { "SELECT '$_', count(*), md5(string_agg(t::text, ';' ORDER BY t::text COLLATE \"C\")) FROM chat_v11.$_ t" }
  qw(rollout_state rollout_history stage_policy gate_check setting attestation event gate_log history_export);
my $expected = $node->safe_psql('source', $everything);

my $databases = 0;
sub empty_database
{
	my $db = 'target_' . ++$databases;
	ask($node, "CREATE DATABASE $db TEMPLATE template0");
	return $db;
}

sub same_as_source
{
	my ($db, $name) = @_;
	is($node->safe_psql($db, $everything), $expected, "$name: all is as it was");
	is(verdict($node, $db), 'sound', "$name: log");
	my ($rc, $out, $err) = $node->psql($db, set_sql('canary_50', 'false', 'after the restore'));
	is($out, 'canary_50|f|16', "$name: the next promotion works") or diag($err);
	is($node->safe_psql($db, 'SELECT transition, from_stage, to_stage FROM chat_get_v11_rollout_history(1)'),
		'promote|canary_10|canary_50', "$name: and is logged");
	is(verdict($node, $db), 'sound', "$name: log after it");
	return;
}

my $host = [ '-h', $node->host, '-p', $node->port ];
command_ok([ 'pg_dump', @$host, '-f', "$dir/plain.sql", 'source' ], 'plain dump');
command_ok([ 'pg_dump', @$host, '-f', "$dir/inserts.sql", '--inserts', 'source' ], 'dump as INSERTs');
command_ok([ 'pg_dump', @$host, '-f', "$dir/columns.sql", '--column-inserts', '--rows-per-insert=7', 'source' ],
	'dump as INSERTs of seven rows with columns');
command_ok([ 'pg_dump', @$host, '-Fc', '-f', "$dir/custom", 'source' ], 'custom dump');
command_ok([ 'pg_dump', @$host, '-Fd', '-j2', '-f', "$dir/directory", 'source' ], 'directory dump');
command_ok([ 'pg_dump', @$host, '-Fc', '-a', '-f', "$dir/data", 'source' ], 'dump of the data alone');

my @psql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @$host);
# Not pg_restore -j: PostgreSQL loads the tables of an extension in parallel without regard to their foreign keys.
my %ways = (
	'psql' => [ @psql, '-f', "$dir/plain.sql" ],
	'psql --single-transaction' => [ @psql, '--single-transaction', '-f', "$dir/plain.sql" ],
	'psql of INSERTs' => [ @psql, '-f', "$dir/inserts.sql" ],
	'psql of INSERTs with columns' => [ @psql, '-1', '-f', "$dir/columns.sql" ],
	'pg_restore' => [ 'pg_restore', '-e', @$host, "$dir/custom" ],
	'pg_restore --single-transaction' => [ 'pg_restore', '-1', @$host, "$dir/custom" ],
	'pg_restore of a directory' => [ 'pg_restore', '-e', @$host, "$dir/directory" ],
	'pg_restore of the data alone' => [ 'pg_restore', '-e', @$host, "$dir/data" ]);
foreach my $way (sort keys %ways)
{
	my $db = empty_database();
	$node->safe_psql($db, 'CREATE EXTENSION chat_v11') if $way =~ /alone/;
	my ($program, @rest) = @{ $ways{$way} };
	command_ok([ $program, '-d', $db, @rest ], $way);
	same_as_source($db, $way);
}

# Over a rollout that is already there, nothing is restored.
my $db = empty_database();
$node->safe_psql($db, 'CREATE EXTENSION chat_v11');
$node->safe_psql($db, set_sql('canary_1', 'true', 'killed before'));
my ($rc, $out, $err) = $node->psql($db, slurp_file("$dir/plain.sql"), on_error_stop => 0);
like($err, qr/ERR_APPEND_ONLY/, 'a restore over a rollout is refused');
like(state($node, $db), qr/^canary_1 killed/, '... and the rollout stays what it was');

# A killed rollout that comes out of a dump is killed.
$node->safe_psql('source', set_sql('canary_1', 'true', 'killed before the dump'));
command_ok([ 'pg_dump', @$host, '-f', "$dir/killed.sql", 'source' ], 'dump of a killed rollout');
$db = empty_database();
command_ok([ @psql, '-d', $db, '-f', "$dir/killed.sql" ], 'restored');
is(state($node, $db), 'canary_1 killed v16', '... it is killed');
is(verdict($node, $db), 'sound', '... log');

# Changed dumps.
my $plain = slurp_file("$dir/plain.sql");
my $killed = slurp_file("$dir/killed.sql");
# Edits the rows of one table in the text; without rows nothing is left of them, not even an empty line.
my $table = sub {
	my ($text, $name, $edit) = @_;
	$text =~ s/(COPY chat_v11\.$name .*?\n)(.*?\n)(\\\.\n)/my ($a, $b, $c) = ($1, $2, $3); chomp $b; $b = $edit->($b);
		$a . ($b eq '' ? '' : "$b\n") . $c/se
	  or die "no rows of $name";
	return $text;
};
my $history = sub { return $table->($_[0], 'rollout_history', $_[1]); };
my $row = sub { my ($rows, $id) = @_; return (grep { /^$id\t/ } split /\n/, $rows)[0]; };
my $drop = sub { my ($rows, $id) = @_; return join "\n", grep { !/^$id\t/ } split /\n/, $rows; };
my $last = $node->safe_psql('source', 'SELECT max(id) - 1 FROM chat_v11.rollout_history');
my %tampered = (
	'a note of the log' => $history->($plain, sub { $_[0] =~ s/hold 7/hold 8/r }),
	'an approver of the log' => $history->($plain, sub { $_[0] =~ s/Équipe/Equipe/r }),
	'a decision of the log' => $history->($plain, sub { $_[0] =~ s/\tHOLD\t/\tPROCEED\t/r }),
	'the gates of the log' => $history->($plain, sub { $_[0] =~ s/"p1_ok": true/"p1_ok": false/r }),
	'a time of the log' => $history->($plain, sub { $_[0] =~ s/^(15\t\S+ \d\d:\d\d:\d\d)\.\d+/$1.000001/mr }),
	'a row of the log left out' => $history->($plain, sub { $drop->($_[0], 12) }),
	'the first row of the log left out' => $history->($plain, sub { $drop->($_[0], 1) }),
	'the last row of the log left out' => $history->($plain, sub { $drop->($_[0], $last) }),
	'the whole log left out' => $history->($plain, sub { '' }),
	'two rows of the log exchanged' => $history->($plain,
		sub { my $r = $_[0]; $r =~ s/^12\t/x\t/m; $r =~ s/^13\t/12\t/m; $r =~ s/^x\t/13\t/m; $r }),
	'a row of the log twice' => $history->($plain, sub { "$_[0]\n" . $row->($_[0], 12) }),
	'the stage of the state' => $table->($plain, 'rollout_state', sub { $_[0] =~ s/canary_10/full/r }),
	'the version of the state' => $table->($plain, 'rollout_state', sub { $_[0] =~ s/\tf\t15\t/\tf\t14\t/r }),
	'the time of the state' => $table->($plain, 'rollout_state', sub { $_[0] =~ s/\.\d+(\+\d+\t\S+ )/.000001$1/r }),
	'the note of the state' => $table->($plain, 'rollout_state', sub { $_[0] =~ s/\tup\t/\tdown\t/r }),
	'the overriding of the state' => $table->($plain, 'rollout_state', sub { $_[0] =~ s/\tf\t(\d+\tflagd-v2)$/\tt\t$1/r }),
	'the algorithm of the state' => $table->($plain, 'rollout_state', sub { $_[0] =~ s/\tflagd-v2$/\tunleash/r }),
	'the state left out' => $table->($plain, 'rollout_state', sub { '' }),
	'the kill of the state taken back' => $table->($killed, 'rollout_state', sub { $_[0] =~ s/\tt\t16\t/\tf\t16\t/r }),
	'the kill of the log left out' => $history->($killed, sub { $drop->($_[0], $last + 1) }),
	'a row of the log left out, under a kill' => $history->($killed, sub { $drop->($_[0], 12) }),
	'a threshold' => $table->($plain, 'gate_check', sub { $_[0] =~ s/0\.30000000000000004/0.9/r }),
	'a threshold switched off' => $table->($plain, 'gate_check',
		sub { $_[0] =~ s/^(forced_resync_rate.*)\tt\thold/$1\tf\thold/mr }),
	'a policy' => $table->($plain, 'stage_policy', sub { $_[0] =~ s/03:04:05.678901/00:00:01/r }),
	'a setting' => $table->($plain, 'setting', sub { $_[0] =~ s/18 min/1 min/r }),
	'an attestation' => $table->($plain, 'attestation', sub { $_[0] =~ s/TAP test/TAP best/r }),
	'a threshold left out' => $table->($plain, 'gate_check', sub { join "\n", grep { !/^forced/ } split /\n/, $_[0] }),
	'an attestation left out' => $table->($plain, 'attestation',
		sub { join "\n", grep { !/recovery/ } split /\n/, $_[0] }));
foreach my $what (sort keys %tampered)
{
	my $text = $tampered{$what};
	ok($text ne $plain && $text ne $killed, "$what: the dump is changed");
	PostgreSQL::Test::Utils::append_to_file("$dir/tampered_$databases.sql", $text);
	my $file = "$dir/tampered_$databases.sql";
	# As people do it, going on after an error ...
	$db = empty_database();
	($rc, $out, $err) = $node->psql($db, "\\i $file", on_error_stop => 0);
	my $found = $node->safe_psql($db, 'SELECT reason FROM chat_v11.verify_history()');
	my $refused = $err =~ /ERROR:  (?:ERR_APPEND_ONLY|duplicate key|insert or update on table .* violates foreign key)/;
	ok($found || $refused, "$what: refused, or found") or diag("state $db: " . state($node, $db));
	# The row itself is turned away, not only the state that does not follow from it.
	like($err, qr/The hash of row \d+ does not match its content/, "$what: the row is refused")
	  if $what =~ /(note|approver|decision|gates|time) of the log/;
	note("$what: " . ($refused ? 'refused' : 'accepted') . ", verify_history: $found; " . state($node, $db) . "\n$err");
	# ... after which nobody is live whose log does not say so.
	my $live = $node->safe_psql($db, 'SELECT rollout_percent FROM chat_get_v11_rollout_state()');
	ok($live eq '0' || $found || $what =~ /thresh|policy|setting|attest/,
		"$what: nobody gets v1.1 by it") or diag("$live %");
	($rc, $out, $err) = $node->psql($db, set_sql('canary_1', 'true', 'kill'));
	is($rc, 0, "$what: a kill works on what came of it") or diag($err);
	ask($node, "DROP DATABASE $db");
}

$node->stop;
done_testing();
