-- Comparisons with control need two cohorts and much traffic, so they are off in tests of other things; as if installed
-- so, that the decision log has no rows of it.
ALTER FUNCTION chat_v11.default_gate_check() RENAME TO default_gate_check_whole;
CREATE FUNCTION chat_v11.default_gate_check(OUT name text, OUT ordinal integer, OUT gate text, OUT metric text,
	OUT judge text, OUT limit_value float8, OUT min_samples bigint, OUT enabled boolean, OUT on_fail text,
	OUT zero_ok boolean) RETURNS SETOF record LANGUAGE sql IMMUTABLE AS $$
	SELECT name, ordinal, gate, metric, judge, limit_value, min_samples, enabled AND judge = 'limit', on_fail, zero_ok
	FROM chat_v11.default_gate_check_whole()
$$;
ALTER EXTENSION chat_v11 ADD FUNCTION chat_v11.default_gate_check();
REVOKE ALL ON FUNCTION chat_v11.default_gate_check() FROM PUBLIC;
ALTER TABLE chat_v11.gate_check DISABLE TRIGGER "20_guard";
UPDATE chat_v11.gate_check SET enabled = false WHERE judge <> 'limit';
ALTER TABLE chat_v11.gate_check ENABLE ALWAYS TRIGGER "20_guard";
