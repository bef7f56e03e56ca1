-- Who gets v1.1.  The state is read by the library itself, which bypasses rights and row security, so none of these
-- needs its owner's rights for it.

CREATE FUNCTION public.chat_is_v11_enabled(p_user_id text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'chat_v11_is_enabled' LANGUAGE C STABLE PARALLEL SAFE;

CREATE FUNCTION chat_v11.bucket(p_user_id text) RETURNS integer
	AS 'MODULE_PATHNAME', 'chat_v11_bucket' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.targeting_key(p_user_id text) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_targeting_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION chat_v11.cohort_share(p_ids text[])
	RETURNS TABLE (stage text, ids bigint, in_cohort bigint, share float8, target float8, standard_errors float8)
	AS 'MODULE_PATHNAME', 'chat_v11_cohort_share' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- Tells every backend of a change.  By row and ALWAYS, so that a subscription that applies the row fires it too.
CREATE FUNCTION chat_v11.rollout_refresh() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_rollout_refresh' LANGUAGE C;
CREATE TRIGGER "40_refresh" AFTER INSERT OR UPDATE OR DELETE ON chat_v11.rollout_state
	FOR EACH ROW EXECUTE FUNCTION chat_v11.rollout_refresh();
ALTER TABLE chat_v11.rollout_state ENABLE ALWAYS TRIGGER "40_refresh";
