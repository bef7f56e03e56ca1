-- What the tests of the runbooks share: an operator who is no superuser, a clock, and days on which nothing happens.
\set fixture :abs_srcdir /sql/include/fixture.sql
\i :fixture
CREATE ROLE regress_oncall;
SELECT chat_v11.grant_access('regress_oncall', 'operator');
GRANT USAGE ON SCHEMA fixture TO PUBLIC;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET extra_float_digits = 0;
-- However slow the machine: a kill on a table of this size shall have its gates in the log.
SET chat_v11.kill_gate_timeout = '60s';
SET chat_v11.gate_timeout = '60s';

-- Operators may not set the clock.
CREATE PROCEDURE fixture.at(p_at timestamptz) LANGUAGE sql SECURITY DEFINER AS $$
	SELECT set_config('chat_v11.mock_now', p_at::text, false)
$$;

-- Healthy traffic from where the clock stands until p_to, and there the clock stands then.  Of a longer time the guard's
-- rounds are the last p_watched only: no quiet period is longer.
CREATE PROCEDURE fixture.until(p_to timestamptz, p_v11 int, p_v10 int, p_watched interval DEFAULT '2 hours')
LANGUAGE plpgsql SECURITY DEFINER SET client_min_messages = error AS $$
DECLARE
	since timestamptz := chat_v11.clock();
BEGIN
	CALL fixture.at(p_to);
	PERFORM fixture.healthy(since, p_to, p_v11, p_v10);
	PERFORM fixture.guard(greatest(since + interval '1 min', p_to - p_watched), p_to);
END
$$;
