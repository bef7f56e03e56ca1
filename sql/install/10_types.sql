-- Types of the telemetry: one byte each, entered and shown by name.  They are types of their own, not enums, so that a
-- name that is none is refused with the house's token, and so that a row stays small.

CREATE SCHEMA chat_v11;

CREATE TYPE chat_v11.event_kind;
CREATE FUNCTION chat_v11.event_kind_in(pg_catalog.cstring) RETURNS chat_v11.event_kind
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_out(chat_v11.event_kind) RETURNS pg_catalog.cstring
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_recv(pg_catalog.internal) RETURNS chat_v11.event_kind
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_send(chat_v11.event_kind) RETURNS pg_catalog.bytea
	AS 'MODULE_PATHNAME', 'chat_v11_event_kind_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE chat_v11.event_kind (
	INPUT = chat_v11.event_kind_in,
	OUTPUT = chat_v11.event_kind_out,
	RECEIVE = chat_v11.event_kind_recv,
	SEND = chat_v11.event_kind_send,
	INTERNALLENGTH = 1,
	PASSEDBYVALUE,
	ALIGNMENT = "char",
	STORAGE = plain
);
COMMENT ON TYPE chat_v11.event_kind IS 'what happened; ordered as documented';

-- One byte is one byte: PostgreSQL's own comparisons of "char" serve.
CREATE FUNCTION chat_v11.event_kind_eq(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'chareq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_ne(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_lt(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charlt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_le(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charle' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_gt(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'chargt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_ge(chat_v11.event_kind, chat_v11.event_kind) RETURNS boolean
	AS 'charge' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_cmp(chat_v11.event_kind, chat_v11.event_kind) RETURNS integer
	AS 'btcharcmp' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.event_kind_hash(chat_v11.event_kind) RETURNS integer
	AS 'hashchar' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE OPERATOR chat_v11.= (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_eq,
	COMMUTATOR = OPERATOR(chat_v11.=), NEGATOR = OPERATOR(chat_v11.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR chat_v11.<> (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_ne,
	COMMUTATOR = OPERATOR(chat_v11.<>), NEGATOR = OPERATOR(chat_v11.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR chat_v11.< (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_lt,
	COMMUTATOR = OPERATOR(chat_v11.>), NEGATOR = OPERATOR(chat_v11.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR chat_v11.<= (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_le,
	COMMUTATOR = OPERATOR(chat_v11.>=), NEGATOR = OPERATOR(chat_v11.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR chat_v11.> (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_gt,
	COMMUTATOR = OPERATOR(chat_v11.<), NEGATOR = OPERATOR(chat_v11.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR chat_v11.>= (
	LEFTARG = chat_v11.event_kind, RIGHTARG = chat_v11.event_kind, FUNCTION = chat_v11.event_kind_ge,
	COMMUTATOR = OPERATOR(chat_v11.<=), NEGATOR = OPERATOR(chat_v11.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR CLASS chat_v11.event_kind_ops DEFAULT FOR TYPE chat_v11.event_kind USING btree AS
	OPERATOR 1 chat_v11.<, OPERATOR 2 chat_v11.<=, OPERATOR 3 chat_v11.=, OPERATOR 4 chat_v11.>=, OPERATOR 5 chat_v11.>,
	FUNCTION 1 chat_v11.event_kind_cmp(chat_v11.event_kind, chat_v11.event_kind);
CREATE OPERATOR CLASS chat_v11.event_kind_hash_ops DEFAULT FOR TYPE chat_v11.event_kind USING hash AS
	OPERATOR 1 chat_v11.=,
	FUNCTION 1 chat_v11.event_kind_hash(chat_v11.event_kind);

CREATE TYPE chat_v11.cohort;
CREATE FUNCTION chat_v11.cohort_in(pg_catalog.cstring) RETURNS chat_v11.cohort
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_out(chat_v11.cohort) RETURNS pg_catalog.cstring
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_recv(pg_catalog.internal) RETURNS chat_v11.cohort
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_send(chat_v11.cohort) RETURNS pg_catalog.bytea
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE chat_v11.cohort (
	INPUT = chat_v11.cohort_in,
	OUTPUT = chat_v11.cohort_out,
	RECEIVE = chat_v11.cohort_recv,
	SEND = chat_v11.cohort_send,
	INTERNALLENGTH = 1,
	PASSEDBYVALUE,
	ALIGNMENT = "char",
	STORAGE = plain
);
COMMENT ON TYPE chat_v11.cohort IS 'v11 is the canary, v10 its control; ordered as documented';

-- One byte is one byte: PostgreSQL's own comparisons of "char" serve.
CREATE FUNCTION chat_v11.cohort_eq(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'chareq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_ne(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_lt(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charlt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_le(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charle' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_gt(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'chargt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_ge(chat_v11.cohort, chat_v11.cohort) RETURNS boolean
	AS 'charge' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_cmp(chat_v11.cohort, chat_v11.cohort) RETURNS integer
	AS 'btcharcmp' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION chat_v11.cohort_hash(chat_v11.cohort) RETURNS integer
	AS 'hashchar' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE OPERATOR chat_v11.= (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_eq,
	COMMUTATOR = OPERATOR(chat_v11.=), NEGATOR = OPERATOR(chat_v11.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR chat_v11.<> (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_ne,
	COMMUTATOR = OPERATOR(chat_v11.<>), NEGATOR = OPERATOR(chat_v11.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR chat_v11.< (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_lt,
	COMMUTATOR = OPERATOR(chat_v11.>), NEGATOR = OPERATOR(chat_v11.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR chat_v11.<= (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_le,
	COMMUTATOR = OPERATOR(chat_v11.>=), NEGATOR = OPERATOR(chat_v11.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR chat_v11.> (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_gt,
	COMMUTATOR = OPERATOR(chat_v11.<), NEGATOR = OPERATOR(chat_v11.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR chat_v11.>= (
	LEFTARG = chat_v11.cohort, RIGHTARG = chat_v11.cohort, FUNCTION = chat_v11.cohort_ge,
	COMMUTATOR = OPERATOR(chat_v11.<=), NEGATOR = OPERATOR(chat_v11.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR CLASS chat_v11.cohort_ops DEFAULT FOR TYPE chat_v11.cohort USING btree AS
	OPERATOR 1 chat_v11.<, OPERATOR 2 chat_v11.<=, OPERATOR 3 chat_v11.=, OPERATOR 4 chat_v11.>=, OPERATOR 5 chat_v11.>,
	FUNCTION 1 chat_v11.cohort_cmp(chat_v11.cohort, chat_v11.cohort);
CREATE OPERATOR CLASS chat_v11.cohort_hash_ops DEFAULT FOR TYPE chat_v11.cohort USING hash AS
	OPERATOR 1 chat_v11.=,
	FUNCTION 1 chat_v11.cohort_hash(chat_v11.cohort);

-- The operators are found only with chat_v11 in the search_path.  As texts the names compare from anywhere, so that
-- `where kind = 'write_ack'` works as it is typed.
CREATE CAST (chat_v11.event_kind AS text) WITH INOUT AS IMPLICIT;
CREATE CAST (chat_v11.cohort AS text) WITH INOUT AS IMPLICIT;
