-- Rights.  Nothing is open to everybody; a role gets a level.

CREATE FUNCTION chat_v11.grant_access(p_role regrole, p_level text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_grant_access' LANGUAGE C VOLATILE STRICT
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;
CREATE FUNCTION chat_v11.revoke_access(p_role regrole, p_level text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_revoke_access' LANGUAGE C VOLATILE STRICT
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

REVOKE ALL ON SCHEMA chat_v11 FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA chat_v11 FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chat_v11 FROM PUBLIC;
REVOKE ALL ON TYPE chat_v11.event_kind, chat_v11.cohort, chat_v11.histogram,
	chat_v11.rollout_state_answer, chat_v11.release_gates_answer, chat_v11.check_answer FROM PUBLIC;
REVOKE ALL ON FUNCTION public.chat_set_v11_rollout_state(text, boolean, text, text, bigint),
	public.chat_get_v11_rollout_state(), public.chat_get_v11_release_gates(),
	public.chat_get_v11_rollout_history(integer), public.chat_is_v11_enabled(text) FROM PUBLIC;

-- ALTER DEFAULT PRIVILEGES may have handed any of it to roles by name.
CREATE FUNCTION chat_v11.revoke_everything(p_but oid[] DEFAULT '{}') RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_revoke_everything' LANGUAGE C VOLATILE
	SET search_path = pg_catalog, chat_v11, pg_temp;
REVOKE ALL ON FUNCTION chat_v11.revoke_everything(oid[]) FROM PUBLIC;
SELECT chat_v11.revoke_everything();
-- Who may dump everything may ask what to leave out.
GRANT EXECUTE ON FUNCTION chat_v11.is_folded(oid, tid, xid) TO pg_read_all_data;
