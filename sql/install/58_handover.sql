-- For the next person on call.

CREATE FUNCTION chat_v11.handover() RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_handover' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
