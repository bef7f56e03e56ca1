# What the TAP tests share: a server with the staged extension, a rollout that can be promoted, and a judge of its log.
package ChatV11;

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename);
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(ask new_node stage_conf easy_rollout verdict state set_sql crash poll_start start_psql drop_session
	server_log);

# Settings by which a server finds the extension that was staged, not installed.
sub stage_conf
{
	my ($node) = @_;
	my ($stage, $lib, $share) = @ENV{qw(CHAT_V11_STAGE CHAT_V11_PKGLIBDIR CHAT_V11_SHAREDIR)};
	BAIL_OUT('CHAT_V11_STAGE is not set: run test/tap/run.sh') unless $stage;
	my $conf = "dynamic_library_path = '$stage$lib:\$libdir'\n";
	# Debian's servers up to 17 have a setting of their own for this.
	$conf .=
	  $node->pg_version >= 18
	  ? "extension_control_path = '$stage$share:\$system'\n"
	  : "extension_destdir = '$stage'\n";
	return $conf;
}

# A running server with the extension in database postgres.
sub new_node
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%{ $option{init} || {} });
	$node->append_conf('postgresql.conf', stage_conf($node));
	# The tests look for the extension's own lines and for crashes, not for each statement.
	$node->append_conf('postgresql.conf',
		"log_statement = none\nlog_replication_commands = off\nlog_min_messages = warning\n");
	$node->append_conf('postgresql.conf', $option{conf}) if $option{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION chat_v11') unless $option{bare};
	return $node;
}

# canary_1, live, green, and whatever comes next needs neither time nor new traffic: only then can a test go up and down
# within a second.  What was turned for that is in the log, as it must be.
sub easy_rollout
{
	my ($node, $db) = @_;
	$node->safe_psql($db || 'postgres', <<~'SQL');
	SET client_min_messages = error;
	SELECT count(chat_v11.set_policy(s, '0', p_min_samples => 0, p_quiet_period => '0'))
		FROM unnest(ARRAY['canary_1', 'canary_10', 'canary_50', 'full']) s;
	SELECT chat_v11.set_check('cohort_share', p_enabled => false);
	SELECT chat_v11.set_check('killed', p_limit => 0);
	SELECT count(chat_v11.set_check(c.name, p_enabled => false)) FROM chat_v11.gate_check c WHERE c.judge <> 'limit';
	SELECT chat_v11.set_setting('max_data_age', '1 hour');
	SELECT chat_v11.attest('telemetry:resync_request', 'TAP test');
	SELECT chat_v11.attest('telemetry:pending_forever', 'TAP test');
	WITH writes AS (
		SELECT gen_random_uuid() AS subject, now() - interval '1 min' + i * interval '1 s' AS at
		FROM generate_series(1, 25) i)
	INSERT INTO chat_v11.event (at, kind, cohort, actor, subject)
		SELECT at, 'write_ack'::chat_v11.event_kind, 'v11'::chat_v11.cohort, gen_random_uuid(), subject FROM writes
		UNION ALL SELECT at + interval '200 ms', 'write_receipt', 'v11', NULL, subject FROM writes
		UNION ALL SELECT at, 'write_started', 'v11', gen_random_uuid(), NULL FROM writes
		UNION ALL SELECT at, 'session_active', 'v11', gen_random_uuid(), NULL FROM writes
		UNION ALL SELECT at, 'timeline_delivered', 'v11', NULL, NULL FROM writes
		UNION ALL SELECT at, 'read_cursor', 'v11', NULL, NULL FROM writes;
	SELECT stage FROM chat_set_v11_rollout_state('canary_1', false, 'start');
	SQL
	return;
}

# "sound", or what is wrong with the log.  verify_history() is not the only judge of itself.
sub verdict
{
	my ($node, $db) = @_;
	return $node->safe_psql($db || 'postgres', <<~'SQL');
	WITH h AS (
		SELECT *, lag(id, 1, 0::bigint) OVER w AS id_before, lag(to_stage, 1, 'canary_1') OVER w AS stage_before,
			lag(to_kill_switch, 1, true) OVER w AS kill_before
		FROM chat_v11.rollout_history WINDOW w AS (ORDER BY id)
	), newest AS (SELECT * FROM h ORDER BY id DESC LIMIT 1)
	SELECT coalesce(string_agg(problem, '; '), 'sound') FROM (
		SELECT 'gap before ' || id AS problem FROM h WHERE id <> id_before + 1
		UNION ALL SELECT 'break before ' || id FROM h
			WHERE (from_stage, from_kill_switch) <> (stage_before, kill_before)
		UNION ALL SELECT 'newest row is not the state' FROM newest FULL JOIN chat_v11.rollout_state s ON true
			WHERE (newest.to_stage, newest.to_kill_switch, newest.version) IS DISTINCT FROM
				(s.stage, s.kill_switch, s.version) AND NOT (s.stage IS NULL AND newest.version = 0)
		UNION ALL SELECT 'verify_history: ' || v.reason FROM chat_v11.verify_history() v
	) problems
	SQL
}

# What a statement answers; it must not fail.
sub ask
{
	my ($node, $sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# "canary_10 live v3", or "none".
sub state
{
	my ($node, $db) = @_;
	return $node->safe_psql($db || 'postgres',
			"SELECT coalesce((SELECT stage || CASE WHEN kill_switch THEN ' killed v' ELSE ' live v' END || version "
		  . "FROM chat_v11.rollout_state), 'none')");
}

sub set_sql
{
	my ($stage, $kill, $note) = @_;
	return "SELECT stage, kill_switch, version FROM chat_set_v11_rollout_state('$stage', $kill, '" . ($note // 'TAP')
		. "')";
}

# Pid, state and parent of every process.
sub processes
{
	my @found;
	foreach my $stat (glob '/proc/[0-9]*/stat')
	{
		open(my $fh, '<', $stat) or next;    # gone meanwhile
		my $line = <$fh> // next;
		push @found, [ $1, $2, $3 ] if $line =~ /^(\d+) \(.*\) (\S) (\d+) /s;
	}
	return @found;
}

# kill -9 of the postmaster, after which the others notice by themselves, or of all of the server at once.
sub crash
{
	my ($node, %option) = @_;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my @children = map { $_->[0] } grep { $_->[2] == $postmaster } processes();
	$node->kill9;
	kill 'KILL', @children if $option{all};
	my %dying = map { $_ => 1 } $postmaster, @children;
	foreach my $attempt (1 .. 500)
	{
		last unless grep { $dying{ $_->[0] } && $_->[1] ne 'Z' } processes();
		usleep(10_000);
	}
	# Where nobody collects the dead, the pid stays taken, and a new server would believe that the old one lives.
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	return;
}

# The shared memory of a killed server is free only once the last of its processes is gone.
sub poll_start
{
	my ($node) = @_;
	foreach my $attempt (1 .. 300)
	{
		return 1 if $node->start(fail_ok => 1);
		usleep(200_000);
		$node->stop('fast', fail_ok => 1);
	}
	BAIL_OUT('the server does not start after a crash');
	return;
}

# A psql that reads a script, with its answers in a file, and that nobody waits for.
sub start_psql
{
	my ($node, $name, $sql) = @_;
	# All tests of one run share the folder.
	my $dir = $PostgreSQL::Test::Utils::tmp_check;
	$name = basename($0, '.pl') . "_$name";
	PostgreSQL::Test::Utils::append_to_file("$dir/$name.sql", $sql);
	my $run = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-f', "$dir/$name.sql" ],
		'<', \undef, '>', "$dir/$name.out", '2>', "$dir/$name.err",
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return { run => $run, out => "$dir/$name.out", err => "$dir/$name.err" };
}

# What an open psql session is left with when its server is gone.
sub drop_session
{
	my ($session) = @_;
	eval { $session->{run}->kill_kill(grace => 1); 1 } or note "session: $@";
	return;
}

sub server_log
{
	my ($node, $from) = @_;
	return slurp_file($node->logfile, $from // 0);
}

1;
