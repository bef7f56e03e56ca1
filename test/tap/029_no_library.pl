# DDL goes on where the extension's library cannot be loaded, as on a host that was set up anew, also while a P0 is open.

use strict;
use warnings FATAL => 'all';

use ChatV11;
use Guard;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = guard_node('main');
plan skip_all => 'nothing hides a library that is installed'
  if $node->pg_version >= 18 || -e "$ENV{CHAT_V11_PKGLIBDIR}/chat_v11.so";
calm($node);
fresh($node, 'no_library', no_guard => 1);
sql($node, 'no_library', "SET client_min_messages = error; SELECT chat_v11.open_incident('P0', 'sends hang', 'ic')");
sql($node, 'no_library', 'CREATE ROLE app LOGIN; GRANT CREATE ON SCHEMA public TO app');

# With the library it is warned of.
my @as_app = (extra_params => [ '-U', 'app' ]);
my (undef, undef, $said) = $node->psql('no_library', 'CREATE TABLE with_library (i int)', @as_app);
like($said, qr/WARNING:  CREATE TABLE while P0 incident 1 is open/, 'a P0 is open: DDL is warned of');

sql($node, 'no_library', "ALTER DATABASE no_library SET dynamic_library_path = '/nowhere'");
sql($node, 'no_library', "ALTER DATABASE no_library SET extension_destdir = ''");
(undef, undef, $said) = $node->psql('no_library', 'SELECT chat_v11.clock()');
like($said, qr/could not access file/, 'the library is gone');
foreach my $ddl ('CREATE TEMP TABLE t (i int)', 'CREATE TABLE without_library (i int)', 'ALTER TABLE with_library ADD j int',
	'DROP TABLE with_library')
{
	(undef, undef, $said) = $node->psql('no_library', $ddl, @as_app);
	is($said, '', "... and yet: $ddl");
}

$node->stop;
done_testing();
