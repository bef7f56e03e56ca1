# What a review of 0.5 found: DDL must go on where the library cannot be loaded.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = guard_node('main');
my $err;

# ---- DDL goes on where the library cannot be loaded, or is an older one

fresh($node, 'no_library', no_guard => 1);
$node->safe_psql('no_library', 'CREATE ROLE app LOGIN');
SKIP: {
	skip 'nothing hides a library that is installed', 3 if $node->pg_version >= 18 || -e "$ENV{CHAT_V11_PKGLIBDIR}/chat_v11.so";
	sql($node, 'no_library', "ALTER DATABASE no_library SET extension_destdir = ''");
	foreach my $user ('app', undef)
	{
		(undef, undef, $err) = $node->psql('no_library', 'CREATE TEMP TABLE t (i int)', $user ? (extra_params => [ '-U', $user ]) : ());
		is($err, '', 'no library: a temporary table by ' . ($user // 'a superuser'));
	}
	(undef, undef, $err) = $node->psql('no_library', 'SET client_min_messages = error; DROP EXTENSION chat_v11 CASCADE');
	is($err, '', 'no library: the extension can be dropped');
}

$node->stop;
done_testing();
