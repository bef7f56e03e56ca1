--
-- docs/reference.md must mention whatever a user can reach.  Each query lists what is missing: none may have a row.
-- The files are read by psql, because the server may not be allowed to.
--
SET client_min_messages = error;
CREATE EXTENSION chat_v11;
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
\set doc `cat "$PG_ABS_SRCDIR/docs/reference.md"`
\set tokens `grep -rhoE '"ERR_[A-Z_]+", "[0-9A-Z]{5}"' "$PG_ABS_SRCDIR/src" | sort -u`
\set gucs `grep -hoE 'Variable\("chat_v11\.[a-z0-9_]+"' "$PG_ABS_SRCDIR/src/pg/settings.cpp" | sort -u`
\set kinds `sed -n '/kind_names = {/,/};/p' "$PG_ABS_SRCDIR/src/core/event.hpp" | grep -oE '"[a-z_]+"'`
CREATE TEMP TABLE doc AS SELECT :'doc'::text AS body;
-- By heading: the text from "### NAME" to the next heading.
CREATE TEMP TABLE section AS
SELECT (regexp_match(part, '^([^ (\n]+)'))[1] AS name, string_agg(part, E'\n') AS body
FROM doc, regexp_split_to_table(body, '\n#{2,3} ') AS part GROUP BY 1;
CREATE TEMP TABLE member AS
SELECT classid, objid FROM pg_depend
WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'chat_v11');
CREATE ROLE regress_doc_reader;
CREATE ROLE regress_doc_reporter;
CREATE ROLE regress_doc_operator;
CREATE ROLE regress_doc_admin;
SELECT count(chat_v11.grant_access(('regress_doc_' || level)::regrole, level))
FROM unnest('{reader,reporter,operator,admin}'::text[]) level;
CREATE TEMP TABLE level AS
SELECT ord, level, ('regress_doc_' || level)::regrole::oid AS role
FROM unnest('{reader,reporter,operator,admin}'::text[]) WITH ORDINALITY l(level, ord);

-- The documents were read, and there is something to compare.
SELECT length(body) > 1000 AS doc, length(:'tokens') > 100 AS tokens, length(:'gucs') > 50 AS gucs,
	length(:'kinds') > 200 AS kinds, (SELECT count(*) > 50 FROM member) AS members FROM doc;

-- Functions that a level includes, or that the owner hands out, have a section that names each argument.
WITH callable AS (
	SELECT p.oid, p.pronamespace::regnamespace || '.' || p.proname AS name, p.proargnames
	FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	WHERE p.proname IN ('force_rollout_state', 'grant_access', 'revoke_access')
		OR p.proname !~ '^(check_event|(event_kind|cohort|histogram)_(eq|ne|in))$' AND EXISTS (SELECT FROM level l WHERE has_function_privilege(l.role, p.oid, 'EXECUTE'))
)
SELECT c.oid::regprocedure AS function_without_section, a AS argument
FROM callable c LEFT JOIN section s USING (name) CROSS JOIN LATERAL unnest(array_append(coalesce(c.proargnames, '{}'), '')) a
WHERE s.body IS NULL OR position(a IN s.body) = 0 ORDER BY 1, 2;

-- All others are at least named, but for what the types are made of.
SELECT p.oid::regprocedure AS function_not_named
FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid CROSS JOIN doc
WHERE p.proname !~ '^(event_kind|cohort|histogram)_(in|out|recv|send|eq|ne|lt|le|gt|ge|cmp|hash)$'
	AND position(p.pronamespace::regnamespace || '.' || p.proname || '(' IN doc.body) = 0 ORDER BY 1;

-- Tables, views and composite types: a section, and in it each column.  Internal ones need only be named.
SELECT c.relname AS relation, a.attname AS column_not_named
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN section s ON s.name = c.relnamespace::regnamespace || '.' || c.relname
WHERE c.relnamespace = 'chat_v11'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
	AND c.relname !~ '^(event_[0-7]|write_[0-2]|pending_write|fold_state|analysis_(bucket|unit|note)|consumer|full_state_[01])$' AND (s.body IS NULL OR position('`' || a.attname || '`' IN s.body) = 0) ORDER BY 1, 2;
SELECT name AS internal_not_named FROM doc, LATERAL (
	SELECT 'chat_v11.' || c.relname FROM pg_class c
	WHERE c.relnamespace = 'chat_v11'::regnamespace AND c.relname ~ '^(event_[0-7]|write_[0-2]|pending_write|fold_state|analysis_(bucket|unit|note)|consumer|full_state_[01])$'
	UNION ALL SELECT a.amname FROM member m JOIN pg_am a ON m.classid = 'pg_am'::regclass AND a.oid = m.objid) i(name)
WHERE position('`' || name || '`' IN doc.body) = 0 ORDER BY 1;

-- Types; sequences and the like, of which there are none.
SELECT t.oid::regtype AS type_without_section
FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
LEFT JOIN section s ON s.name = t.typnamespace::regnamespace || '.' || t.typname
WHERE t.typelem = 0 AND s.name IS NULL ORDER BY 1;
SELECT c.oid::regclass AS neither_table_nor_view FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass
	AND c.oid = m.objid WHERE c.relkind NOT IN ('r', 'v', 'c');

-- Values of the two types, metrics.
SELECT kind AS kind_not_named FROM unnest(string_to_array(translate(:'kinds', '"', ''), E'\n')) kind, doc
WHERE position('| `' || kind || '` |' IN doc.body) = 0;
SELECT DISTINCT metric AS metric_not_named FROM chat_v11.metrics(now() - interval '1 min', now()), doc
WHERE position('| `' || metric || '` |' IN doc.body) = 0;

-- Error tokens with their SQLSTATE.
SELECT token AS token_not_named
FROM regexp_split_to_table(:'tokens', '\n') line, doc,
	LATERAL (SELECT format('| `%s` | %s |', split_part(line, '"', 2), split_part(line, '"', 4)) AS token) t
WHERE position(token IN doc.body) = 0;

-- Settings of the server: named in the source, and with their ranges; those in the table, with their defaults.
SELECT split_part(line, '"', 2) AS setting_not_named FROM regexp_split_to_table(:'gucs', '\n') line, doc
WHERE position('| `' || split_part(line, '"', 2) || '` |' IN doc.body) = 0;
SELECT name AS setting_not_named FROM pg_settings, doc WHERE name LIKE 'chat\_v11.%' AND position(
	CASE vartype WHEN 'integer' THEN format('| `%s` | %s | %s | %s |', name, concat_ws(' ', boot_val, unit), concat_ws(' ', min_val, unit), concat_ws(' ', max_val, unit))
	ELSE '| `' || name || '` |' END IN doc.body) = 0;
SELECT name AS setting_not_named FROM chat_v11.default_setting(), doc
WHERE position(format('| `%s` | `%s` |', name, value) IN doc.body) = 0;

-- Checks and policies as installed.
SELECT line AS check_not_as_installed FROM chat_v11.default_gate_check() c, doc, LATERAL (
	SELECT format('| `%s` | %s | %s | %s | %s | %s | %s | %s | %s |', name, gate, coalesce(metric, '–'), judge,
		coalesce(limit_value::text, '–'), min_samples, CASE WHEN enabled THEN 'yes' ELSE 'no' END, on_fail,
		CASE WHEN zero_ok THEN 'yes' ELSE 'no' END) AS line) l
WHERE position(line IN doc.body) = 0;
SELECT line AS policy_not_as_installed FROM chat_v11.default_stage_policy() p, doc, LATERAL (
	SELECT format('| `%s` | %s | %s | %s | %s | %s |', stage, percent, min_duration, coalesce(max_duration::text, '–'),
		min_samples, quiet_period) AS line) l
WHERE position(line IN doc.body) = 0;

-- Levels: each object with exactly the levels that include it.
WITH grants AS (
	SELECT format('`%s`', p.oid::regprocedure) AS object, string_agg(l.level, ', ' ORDER BY l.ord) AS levels
	FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	JOIN level l ON has_function_privilege(l.role, p.oid, 'EXECUTE') GROUP BY 1
	UNION ALL
	SELECT format('%s on `%s`', priv, c.oid::regclass), string_agg(l.level, ', ' ORDER BY l.ord)
	FROM pg_class c CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) priv
	JOIN level l ON has_table_privilege(l.role, c.oid, priv)
	WHERE c.relnamespace = 'chat_v11'::regnamespace AND c.relkind IN ('r', 'v') GROUP BY 1
)
SELECT format('| %s | %s |', object, levels) AS right_not_as_granted FROM grants, doc
WHERE position(format('| %s | %s |', object, levels) IN doc.body) = 0 ORDER BY 1;

DROP EXTENSION chat_v11;
DROP ROLE regress_doc_reader, regress_doc_reporter, regress_doc_operator, regress_doc_admin;
