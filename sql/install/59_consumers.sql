-- Who runs which version.

-- Not in a dump: who reads the restored database says so anew.
CREATE TABLE chat_v11.consumer (
	name text NOT NULL PRIMARY KEY,
	version bigint NOT NULL,
	since timestamptz NOT NULL,
	seen_at timestamptz NOT NULL,
	role text NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION chat_v11.ack_version(p_consumer text, p_version bigint) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_ack_version' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.consumers() RETURNS TABLE (consumer text, version bigint, since timestamptz,
		seen_at timestamptz, role text, current boolean)
	AS 'MODULE_PATHNAME', 'chat_v11_consumers' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
