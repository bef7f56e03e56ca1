-- The same characters have the same bucket in databases of other encodings, and a database without one takes bytes as
-- they come.
\set ECHO none
\encoding UTF8
SET client_min_messages = error;
CREATE DATABASE chat_v11_latin1 ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C';
CREATE DATABASE chat_v11_koi8r ENCODING 'KOI8R' TEMPLATE template0 LOCALE 'C';
CREATE DATABASE chat_v11_euc_jp ENCODING 'EUC_JP' TEMPLATE template0 LOCALE 'C';
CREATE DATABASE chat_v11_sql_ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C';
\getenv abs_srcdir PG_ABS_SRCDIR
\set vectors `cat "$PG_ABS_SRCDIR/test/vectors/bucketing.json"`
\set home :DBNAME
\pset format unaligned
\pset tuples_only on
\set begin 'SET client_min_messages = error; CREATE EXTENSION chat_v11; SELECT public.chat_set_v11_rollout_state(''canary_1'', false, ''start''), chat_v11.force_rollout_state(''canary_10'', false, ''long enough to be a reason'', ''lead''), chat_v11.force_rollout_state(''canary_50'', false, ''long enough to be a reason'', ''lead'') \\g /dev/null'
SELECT jsonb_agg(r) AS ascii_rows FROM jsonb_array_elements(:'vectors'::jsonb -> 'rows') r WHERE r ->> 'id' ~ '^[ -~]+$' \gset
\set ascii 'SELECT count(*), count(*) FILTER (WHERE chat_v11.bucket(id) <> flagd_v2_bucket OR public.chat_is_v11_enabled(id) <> (flagd_v2_bucket < 5000)) FROM jsonb_to_recordset(:''ascii_rows'') AS r(id text, flagd_v2_bucket integer);'
\set ECHO all
-- In UTF8: vectors, and by another implementation.
CREATE EXTENSION chat_v11;
SELECT i, chat_v11.bucket(i), chat_v11.targeting_key(i) FROM unnest(ARRAY['é', U&'e\0301', '日本語', 'ж']) WITH ORDINALITY t(i, o) ORDER BY o;
DROP EXTENSION chat_v11;

\c chat_v11_latin1
\encoding UTF8
:begin
:ascii
SELECT i, octet_length(i), chat_v11.bucket(i), public.chat_is_v11_enabled(i), chat_v11.targeting_key(i) FROM unnest(ARRAY['é', 'Zoé']) WITH ORDINALITY t(i, o) ORDER BY o;
SELECT ids, in_cohort FROM chat_v11.cohort_share('{é,é,x}'::text[]) WHERE stage = 'canary_50';
-- By its byte.
SELECT chat_v11.bucket(E'\xe9'), chat_v11.targeting_key(E'\x80');

\c chat_v11_koi8r
\encoding UTF8
:begin
:ascii
SELECT i, octet_length(i), chat_v11.bucket(i), public.chat_is_v11_enabled(i), chat_v11.targeting_key(i) FROM unnest(ARRAY['ж', 'Женя']) WITH ORDINALITY t(i, o) ORDER BY o;

\c chat_v11_euc_jp
\encoding UTF8
:begin
:ascii
SELECT i, octet_length(i), chat_v11.bucket(i), public.chat_is_v11_enabled(i), chat_v11.targeting_key(i) FROM unnest(ARRAY['ж', '日本語']) WITH ORDINALITY t(i, o) ORDER BY o;
-- Well formed there, and no character at all: no answer would be the same elsewhere.
\set VERBOSITY sqlstate
SELECT chat_v11.bucket(E'\xa9\xa1');
SELECT public.chat_is_v11_enabled(E'\xa9\xa1');
\set VERBOSITY default

\c chat_v11_sql_ascii
\encoding UTF8
:begin
:ascii
SELECT i, octet_length(i), chat_v11.bucket(i), public.chat_is_v11_enabled(i), chat_v11.targeting_key(i) FROM unnest(ARRAY['é', '日本語', 'ж']) WITH ORDINALITY t(i, o) ORDER BY o;
-- Bytes that are no UTF-8 at all.
SELECT chat_v11.bucket(E'\xff'), chat_v11.bucket(E'\xe9'), chat_v11.targeting_key(E'\xff'), public.chat_is_v11_enabled(E'\xe9');

\c :home
\set ECHO none
DROP DATABASE chat_v11_latin1;
DROP DATABASE chat_v11_koi8r;
DROP DATABASE chat_v11_euc_jp;
DROP DATABASE chat_v11_sql_ascii;
