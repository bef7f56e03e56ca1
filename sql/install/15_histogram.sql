-- Histogram of durations in ms, which adds up.  STORAGE external: its bits leave nothing to compress.

CREATE TYPE chat_v11.histogram;
CREATE FUNCTION chat_v11.histogram_in(pg_catalog.cstring) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_out(chat_v11.histogram) RETURNS pg_catalog.cstring
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_recv(pg_catalog.internal) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_send(chat_v11.histogram) RETURNS pg_catalog.bytea
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE chat_v11.histogram (
	INPUT = chat_v11.histogram_in,
	OUTPUT = chat_v11.histogram_out,
	RECEIVE = chat_v11.histogram_recv,
	SEND = chat_v11.histogram_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = external
);

CREATE FUNCTION chat_v11.count(p_histogram chat_v11.histogram) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.quantile(p_histogram chat_v11.histogram, p_q double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_quantile' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.exceeding(p_histogram chat_v11.histogram, p_limit double precision) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_exceeding' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.merge(p_a chat_v11.histogram, p_b chat_v11.histogram) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_merge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.histogram_eq(chat_v11.histogram, chat_v11.histogram) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_ne(chat_v11.histogram, chat_v11.histogram) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE OPERATOR chat_v11.= (
	LEFTARG = chat_v11.histogram, RIGHTARG = chat_v11.histogram, FUNCTION = chat_v11.histogram_eq,
	COMMUTATOR = OPERATOR(chat_v11.=), NEGATOR = OPERATOR(chat_v11.<>), RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR chat_v11.<> (
	LEFTARG = chat_v11.histogram, RIGHTARG = chat_v11.histogram, FUNCTION = chat_v11.histogram_ne,
	COMMUTATOR = OPERATOR(chat_v11.<>), NEGATOR = OPERATOR(chat_v11.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR chat_v11.+ (
	LEFTARG = chat_v11.histogram, RIGHTARG = chat_v11.histogram, FUNCTION = chat_v11.merge,
	COMMUTATOR = OPERATOR(chat_v11.+)
);

-- The state is the type itself, so that a distributed planner can aggregate where the rows are and combine the results.
CREATE FUNCTION chat_v11.histogram_add(chat_v11.histogram, double precision) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION chat_v11.histogram_final(chat_v11.histogram) RETURNS chat_v11.histogram
	AS 'MODULE_PATHNAME', 'chat_v11_histogram_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE AGGREGATE chat_v11.histogram_agg(p_value double precision) (
	SFUNC = chat_v11.histogram_add,
	STYPE = chat_v11.histogram,
	SSPACE = 4096,
	FINALFUNC = chat_v11.histogram_final,
	COMBINEFUNC = chat_v11.merge,
	PARALLEL = safe
);
CREATE AGGREGATE chat_v11.histogram_agg(p_histogram chat_v11.histogram) (
	SFUNC = chat_v11.merge,
	STYPE = chat_v11.histogram,
	SSPACE = 4096,
	FINALFUNC = chat_v11.histogram_final,
	COMBINEFUNC = chat_v11.merge,
	PARALLEL = safe
);
