-- A decision log of :rows rows, put in as a restore puts in one.  Needs an extension as it was installed.
BEGIN;
SELECT chat_v11.set_check('write_reject_rate', 0.02);
SELECT chat_v11.set_check('write_reject_rate', 0.01);
SELECT chat_v11.set_check('write_reject_rate', 0.02);
-- Two changes that can follow one another for ever.
CREATE TEMP TABLE step ON COMMIT PRESERVE ROWS AS SELECT * FROM chat_v11.rollout_history h WHERE h.id > 1;
DROP EXTENSION chat_v11;
COMMIT;
CREATE EXTENSION chat_v11;

CREATE PROCEDURE pg_temp.fill(p_rows bigint) LANGUAGE plpgsql AS $$
DECLARE
	h chat_v11.rollout_history;
	last bytea := decode(repeat('00', 32), 'hex');
	began timestamptz := '2026-01-01 00:00:00+00';
BEGIN
	FOR i IN 1 .. p_rows LOOP
		SELECT * INTO h FROM step s WHERE s.id = 2 + (i + 1) % 2;
		h.id := i;
		h.changed_at := began + i * interval '1 s';
		h.gates := NULL;
		h.prev_hash := last;
		-- The canonical form of docs/history.md.
		h.hash := (SELECT sha256(convert_to(string_agg(coalesce(octet_length(v) || ':' || v, '-') || E'\n', '' ORDER BY n), 'UTF8'))
			FROM unnest(ARRAY[h.id::text, to_char(h.changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
				h.transition, h.from_stage, h.to_stage, h.from_kill_switch::text, h.to_kill_switch::text, h.decision,
				h.approved_by, h.changed_by, h.note, h.version::text, h.overridden::text, h.mock_clock::text, h.gates::text,
				h.change::text, encode(h.prev_hash, 'hex')]) WITH ORDINALITY f(v, n));
		INSERT INTO chat_v11.rollout_history VALUES (h.*);
		last := h.hash;
		IF i = 1000 THEN
			ANALYZE chat_v11.rollout_history; -- so that the guard looks for neighbours by the index
		END IF;
		IF i % 10000 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;
CALL pg_temp.fill(:rows);
VACUUM ANALYZE chat_v11.rollout_history;
