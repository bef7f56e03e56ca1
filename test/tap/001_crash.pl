# kill -9 of the server.  A kill switch that was confirmed to somebody is on after recovery; a promotion that was not
# committed did not happen; the log verifies after every crash.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# The defaults of a real server: what is confirmed is on disk.
my $node = new_node('main',
	conf => "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nrestart_after_crash = off\n");
easy_rollout($node);
is(state($node), 'canary_1 live v1', 'the rollout is live');

foreach my $round (1 .. 3)
{
	my @how = $round % 2 ? () : (all => 1);

	# Confirmed, and then the server dies at once.
	my $session = $node->background_psql('postgres');
	# For a change of the state it is not the caller's to do without the disk.
	$session->query_safe('SET synchronous_commit = off') if $round > 1;
	my $answer = $session->query_safe(set_sql('canary_1', 'true', "round $round"));
	crash($node, @how);
	drop_session($session);
	like($answer, qr/^canary_1\|t\|\d+$/, "round $round: the kill was confirmed");
	poll_start($node);
	like(state($node), qr/^canary_1 killed/, "round $round: killed after recovery");
	is(ask($node, 'SELECT transition, note FROM chat_get_v11_rollout_history(1)'),
		"kill|round $round", "round $round: the log's newest row is that kill");
	is(verdict($node), 'sound', "round $round: log after the kill");

	# Done, but not committed, when the server dies.
	ask($node, set_sql('canary_1', 'false', 'resume'));
	my $before = state($node);
	my $rows = ask($node, 'SELECT count(*) FROM chat_v11.rollout_history');
	$session = $node->background_psql('postgres');
	$session->query_safe('BEGIN');
	like($session->query_safe(set_sql('canary_10', 'false', 'never')), qr/^canary_10\|f/,
		"round $round: promoted, not committed");
	# so that what it wrote has reached the disk when the crash comes
	ask($node, 'CHECKPOINT');
	crash($node, @how);
	drop_session($session);
	poll_start($node);
	is(state($node), $before, "round $round: not promoted after recovery");
	is(ask($node, 'SELECT count(*) FROM chat_v11.rollout_history'), $rows,
		"round $round: nor is there a trace in the log");
	is(verdict($node), 'sound', "round $round: log after the lost promotion");
	like(ask($node, set_sql('canary_10', 'false', 'again')), qr/^canary_10\|f/, "round $round: promotion works again");
}

# In the middle of a stream of changes: whatever a client was told is there, in the order in which it was told.
foreach my $round (1 .. 2)
{
	my $hold = set_sql((split ' ', state($node))[0], 'false', 'stream') . ";\n";
	my @sessions = map { start_psql($node, "stream_${round}_$_", $hold x 3000) } 1 .. 3;
	usleep(700_000);
	crash($node, all => 1);
	drop_session($_) foreach @sessions;
	my @seen = sort { $a <=> $b } map { slurp_file($_->{out}) =~ /\|f\|(\d+)$/mg } @sessions;
	poll_start($node);
	cmp_ok(scalar @seen, '>', 10, "stream $round: changes were confirmed");
	cmp_ok(ask($node, 'SELECT version FROM chat_v11.rollout_state'), '>=', $seen[-1],
		"stream $round: none of them is lost");
	is(verdict($node), 'sound', "stream $round: log");
}

$node->stop;
done_testing();
