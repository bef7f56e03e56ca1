-- The release for clients of flag systems.

CREATE FUNCTION chat_v11.flagd_config() RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_flagd_config' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.unleash_features() RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_unleash_features' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Its parameter has no name, so that an RPC gateway passes on the whole body.  It queries nothing, and so needs no
-- rights but its caller's.  It sets response.status, which a parallel worker may not.
CREATE FUNCTION chat_v11.ofrep_evaluate(jsonb) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'chat_v11_ofrep_evaluate' LANGUAGE C STABLE PARALLEL UNSAFE;
