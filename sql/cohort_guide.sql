-- docs/cohort.md, statement by statement, as the roles that it is for.
SET client_min_messages = error;
CREATE EXTENSION chat_v11;
CREATE ROLE chat_backend;
CREATE ROLE regress_guide_admin;
select chat_v11.grant_access('chat_backend', 'reader');
SELECT chat_v11.grant_access('chat_backend', 'reporter');
SELECT chat_v11.grant_access('regress_guide_admin', 'admin');
CREATE SCHEMA guide;
GRANT ALL ON SCHEMA guide TO chat_backend;
SET search_path = guide, public;

-- Before the start: nobody, and the algorithm may be chosen.
SET SESSION AUTHORIZATION regress_guide_admin;
select * from chat_v11.set_setting('bucketing', 'unleash', 'the mobile clients ask Unleash');
SELECT jsonb_pretty(chat_v11.flagd_config() -> 'metadata') AS metadata;
SELECT * FROM chat_v11.set_setting('bucketing', 'flagd-v2', 'they do not any more');
SELECT count(*) FILTER (WHERE public.chat_is_v11_enabled(i::text)) FROM generate_series(1, 1000) i;
SELECT stage, kill_switch FROM public.chat_set_v11_rollout_state('canary_1', false, 'start canary 1%');

-- The backend.
SET SESSION AUTHORIZATION chat_backend;
select public.chat_is_v11_enabled('00000000-0000-4000-8000-000000000040');
select u.id, public.chat_is_v11_enabled(u.id) from unnest(array['1', '42', 'Žofie']) u(id);
select u.id::text, public.chat_is_v11_enabled(u.id::text) from (values (uuid '00000000-0000-4000-8000-000000000040')) u(id);
create table chat_user (id text primary key, bucket integer generated always as (chat_v11.bucket(id)) stored);
create index on chat_user (bucket);
insert into chat_user select i::text from generate_series(1, 1000) i;
select count(*) as of_canary_10 from chat_user where bucket < 1000;
SELECT count(*) AS that_disagree FROM chat_user WHERE (bucket < 100) <> public.chat_is_v11_enabled(id);
select * from chat_v11.cohort_share((select array_agg(id) from chat_user));

-- Flag clients.
select chat_v11.flagd_config();
select chat_v11.unleash_features();
select chat_v11.ofrep_evaluate('{"context": {"targetingKey": "42"}}');
select chat_v11.targeting_key('Žofie');
select public.chat_is_v11_enabled(chat_v11.targeting_key('Žofie'));

-- Events without a cohort: of an actor who is out, and of the first few who are in.
select chat_v11.record('session_active', p_actor => '00000000-0000-4000-8000-000000000040');
insert into chat_v11.event (kind, actor, subject) values ('write_ack', '00000000-0000-4000-8000-000000000040', gen_random_uuid());
INSERT INTO chat_v11.event (kind, actor) SELECT 'session_active', a FROM (SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, 500) i) u(a)
	WHERE public.chat_is_v11_enabled(a::text);
RESET SESSION AUTHORIZATION;
SELECT kind, cohort, actor FROM chat_v11.event;
DROP SCHEMA guide CASCADE;
DROP EXTENSION chat_v11;
DROP ROLE chat_backend, regress_guide_admin;
