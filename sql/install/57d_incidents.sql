-- Incidents: declared by people, escalated also by the guard.  An open P0 or P1 turns check `incident`, so whoever
-- opens one keeps promotions out until it is committed; kills never wait for it.  Notes take no lock: a scribe never
-- waits.

CREATE TABLE chat_v11.incident (
	id bigint NOT NULL PRIMARY KEY CHECK (id > 0),
	severity text NOT NULL CHECK (severity IN ('P0', 'P1', 'P2')),
	opened_as text NOT NULL CHECK (opened_as IN ('P0', 'P1', 'P2')),
	title text NOT NULL,
	ic text NOT NULL,
	opened_at timestamptz NOT NULL,
	opened_by text NOT NULL,
	escalated_at timestamptz,
	closed_at timestamptz,
	closed_by text,
	mock_clock boolean NOT NULL
);

-- The timeline, append-only.  Without a key of its own: two scribes at once need not wait for each other, and `n` orders
-- what one moment brought.
CREATE TABLE chat_v11.incident_note (
	incident bigint NOT NULL,
	at timestamptz NOT NULL,
	n integer NOT NULL,
	kind text NOT NULL CHECK (kind IN ('note', 'fact', 'decision', 'action', 'check', 'opened', 'escalated', 'closed')),
	author text NOT NULL,
	text text NOT NULL,
	data jsonb
);
CREATE INDEX incident_note_incident ON chat_v11.incident_note (incident, at, n);
ALTER TABLE chat_v11.incident_note REPLICA IDENTITY FULL;

CREATE TABLE chat_v11.action_item (
	id bigint NOT NULL PRIMARY KEY CHECK (id > 0),
	incident bigint,
	text text NOT NULL,
	owner text,
	due date,
	created_at timestamptz NOT NULL,
	created_by text NOT NULL,
	closed_at timestamptz,
	closed_by text,
	resolution text CHECK (resolution IN ('closed', 'accepted')),
	closing_text text,
	CHECK ((closed_at IS NULL) = (resolution IS NULL))
);

SELECT pg_catalog.pg_extension_config_dump('chat_v11.incident', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.incident_note', '');
SELECT pg_catalog.pg_extension_config_dump('chat_v11.action_item', '');

-- Written by the functions below and by a restore.
CREATE FUNCTION chat_v11.incident_guard() RETURNS trigger
	AS 'MODULE_PATHNAME', 'chat_v11_incident_guard' LANGUAGE C;
CREATE TRIGGER "05_incident_guard" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.incident
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.incident_guard();
CREATE TRIGGER "05_incident_guard" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.incident_note
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.incident_guard();
CREATE TRIGGER "05_incident_guard" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_v11.action_item
	FOR EACH STATEMENT EXECUTE FUNCTION chat_v11.incident_guard();
ALTER TABLE chat_v11.incident ENABLE ALWAYS TRIGGER "05_incident_guard";
ALTER TABLE chat_v11.incident_note ENABLE ALWAYS TRIGGER "05_incident_guard";
ALTER TABLE chat_v11.action_item ENABLE ALWAYS TRIGGER "05_incident_guard";
-- What a subscription brings is passed over: two servers have an incident 1 each.  Refusing the other's would stop the
-- subscription, and the next kill with it; changing this one's by it would be worse.
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.incident
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.incident_note
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
CREATE TRIGGER "10_keep_own" BEFORE INSERT OR UPDATE OR DELETE ON chat_v11.action_item
	FOR EACH ROW EXECUTE FUNCTION chat_v11.keep_own();
ALTER TABLE chat_v11.incident ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.incident_note ENABLE ALWAYS TRIGGER "10_keep_own";
ALTER TABLE chat_v11.action_item ENABLE ALWAYS TRIGGER "10_keep_own";

CREATE FUNCTION chat_v11.open_incident(p_severity text, p_title text, p_ic text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_open_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.escalate_incident(p_incident bigint, p_severity text, p_text text DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_escalate_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.note_incident(p_incident bigint, p_text text, p_kind text DEFAULT 'note') RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'chat_v11_note_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.close_incident(p_incident bigint, p_text text) RETURNS interval
	AS 'MODULE_PATHNAME', 'chat_v11_close_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.hand_over_incident(p_incident bigint, p_ic text) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_hand_over_incident' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.incidents()
	RETURNS TABLE (incident bigint, severity text, title text, ic text, opened_at timestamptz, opened_by text,
		lasts interval, last_decision_at timestamptz, decision_due_at timestamptz, decision_overdue interval)
	AS 'MODULE_PATHNAME', 'chat_v11_incidents' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.checklist(p_incident bigint)
	RETURNS TABLE (n integer, point text, done boolean, remark text, decision_overdue interval)
	AS 'MODULE_PATHNAME', 'chat_v11_checklist' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.postmortem(p_incident bigint) RETURNS text
	AS 'MODULE_PATHNAME', 'chat_v11_postmortem' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.add_action_item(p_text text, p_owner text DEFAULT NULL, p_due date DEFAULT NULL,
	p_incident bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'chat_v11_add_action_item' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.assign_action_item(p_item bigint, p_owner text, p_due date) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_assign_action_item' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.close_action_item(p_item bigint, p_resolution text DEFAULT 'closed', p_text text DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_close_action_item' LANGUAGE C VOLATILE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

CREATE FUNCTION chat_v11.completion() RETURNS TABLE (criterion text, met boolean, why text)
	AS 'MODULE_PATHNAME', 'chat_v11_completion' LANGUAGE C STABLE
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp;

-- The playbook forbids risky DDL while a P0 is open.  It reads without rights of its own, and fails open.
CREATE FUNCTION chat_v11.judge_ddl(p_tag text) RETURNS void
	AS 'MODULE_PATHNAME', 'chat_v11_judge_ddl' LANGUAGE C VOLATILE;
-- In a language that is there when the library is not, or is an older one: nobody's DDL may fail for that.
CREATE FUNCTION chat_v11.ddl_freeze() RETURNS event_trigger LANGUAGE plpgsql
	SECURITY DEFINER SET search_path = pg_catalog, chat_v11, pg_temp AS $$
BEGIN
	PERFORM chat_v11.judge_ddl(tg_tag);
EXCEPTION
	WHEN insufficient_privilege THEN
		IF sqlerrm LIKE 'ERR_FORBIDDEN:%' THEN
			RAISE;
		END IF;
	WHEN OTHERS THEN
		NULL;
END
$$;
CREATE EVENT TRIGGER chat_v11_ddl_freeze ON ddl_command_start EXECUTE FUNCTION chat_v11.ddl_freeze();
