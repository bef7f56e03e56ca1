# Two ways in which a fold could count too little, each stretched until it must happen if it can:
# a transaction that writes and commits while a round is between its snapshot and its last file, and subtransactions
# beyond those that PostgreSQL lists, met by many rounds.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_node('main', conf => "jit = off\n");
my $counted = 'SELECT coalesce(sum(count), 0) FROM chat_v11.metric_bucket';
my $stored = 'SELECT count(*) FROM chat_v11.event';
my $rows = sub
{
	return "INSERT INTO chat_v11.event (kind, cohort) SELECT 'session_active', 'v11' FROM generate_series(1, $_[0])";
};

# Waits until a session waits for a lock.
sub wait_for_lock
{
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
		'the fold waits where it is wanted to');
}

# The fold looks at the files one after another.  Held up at any of them, it has looked at those before, and has not at
# those after; rows go to the one of this hour, wherever that is.
foreach my $file (0 .. 7)
{
	ask($node, $rows->(100));
	ask($node, 'SELECT chat_v11.fold()');
	my $holder = $node->background_psql('postgres');
	$holder->query("BEGIN; LOCK TABLE chat_v11.event_$file IN ACCESS EXCLUSIVE MODE");
	my $fold = start_psql($node, "fold_$file", 'SELECT chat_v11.fold();');
	wait_for_lock();
	# In other sessions, one after another: many pages, and a single row.  At the file that they go to they have to give up.
	$node->psql('postgres', "SET lock_timeout = '200ms'; " . $rows->(5000));
	$node->psql('postgres', "SET lock_timeout = '200ms'; SELECT chat_v11.record('session_active', 'v11')");
	$holder->query('COMMIT');
	$holder->quit;
	$fold->{run}->finish;
	ask($node, 'SELECT chat_v11.fold()');
	is(ask($node, $counted), ask($node, $stored), "held up at file $file: each event counted once");
}

# Sessions with more than 64 subtransactions, some rolled back, beside single rows, and two folders that never rest.
my $seconds = 8;
my $until = time + $seconds;
my $blocks = <<~'SQL';
	DO $$
	BEGIN
		FOR i IN 1 .. 20 + 100 * random() LOOP
			BEGIN
				PERFORM chat_v11.record('session_active', 'v11');
				IF i % 7 = 0 THEN RAISE 'not this one'; END IF;
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		END LOOP;
	END $$;
	SQL
my $dir = $PostgreSQL::Test::Utils::tmp_check;
PostgreSQL::Test::Utils::append_to_file("$dir/blocks.sql", $blocks =~ s/\n/ /gr . "\n");
PostgreSQL::Test::Utils::append_to_file("$dir/single.sql", "SELECT chat_v11.record('session_active', 'v10');\n");
PostgreSQL::Test::Utils::append_to_file("$dir/fold.sql", "SELECT chat_v11.fold();\n");
PostgreSQL::Test::Utils::append_to_file("$dir/some.sql", "\\set n random(1, 3000)\nSELECT chat_v11.fold(:n);\n");
my @runs = map {
	IPC::Run::start([ 'pgbench', '-n', '-T', $seconds, @$_, '-d', $node->connstr('postgres') ],
		'<', \undef, '>', \my $out, '2>', \my $err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default))
} ([ '-c', 3, '-f', "$dir/blocks.sql\@3", '-f', "$dir/single.sql\@5" ], [ '-c', 2, '-f', "$dir/fold.sql", '-f', "$dir/some.sql\@4" ]);
ok($_->finish, 'pgbench came to its end') foreach @runs;
ask($node, 'SELECT chat_v11.fold()') foreach 1 .. 2;
cmp_ok(ask($node, $stored), '>', 10_000, 'there was something to count');
is(ask($node, $counted), ask($node, $stored), 'more subtransactions than are listed: each event counted once');
is(ask($node, 'SELECT folded_events FROM chat_v11.fold_status()'), ask($node, $stored), '... and told of');

$node->stop;
done_testing();
