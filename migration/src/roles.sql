-- Roles of a Marquee database on PostgreSQL, for people and programs.
--
-- An administrator (a superuser, or the administrator of a managed service) runs this in the database of Marquee, after
-- `marquee-migrate up`. Run it again after each upgrade and for each new login: it can be repeated.
--
--   marquee-migrate roles | psql --set ON_ERROR_STOP=1 'postgres://ADMINISTRATOR@HOST/marquee'
--
-- Only the owner of the tables changes the schema, with `marquee-migrate up`. All others use logins of their own, which are members of one
-- of these groups:
--
--   marquee_service   what marquee-api and marquee-worker need: read and write rows
--   marquee_operator  read everything except secrets of webhooks, retry and delete jobs, watch and cancel statements
--   marquee_reader    read the catalogue and prices, but neither URLs of feeds, which may contain passwords, nor stored documents
--
-- A login for a person. `\password` sends the password encrypted, so that no log contains it:
--
--   CREATE ROLE ana LOGIN CONNECTION LIMIT 5 IN ROLE marquee_reader;
--   \password ana
--
-- A login for the programs, for DATABASE_URL and DATABASE_READ_URL. The program marquee-migrate uses that of the owner:
--
--   CREATE ROLE marquee_app LOGIN IN ROLE marquee_service;
--   \password marquee_app
--
-- To revoke a login: `DROP ROLE ana;`. Who has which role: `\du` in psql.

BEGIN;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['marquee_reader', 'marquee_operator', 'marquee_service'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
    IF to_regclass('public.schema_compatibility') IS NULL THEN
        RAISE EXCEPTION 'the schema of the database is missing or outdated; run `marquee-migrate up` first';
    END IF;
END
$$;

-- Rights that an earlier release granted.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM marquee_reader, marquee_operator, marquee_service;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM marquee_reader, marquee_operator, marquee_service;

GRANT USAGE ON SCHEMA public TO marquee_reader, marquee_operator, marquee_service;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO marquee_service;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO marquee_service;
-- Only migrations write these.
REVOKE INSERT, UPDATE, DELETE ON seaql_migrations, schema_compatibility FROM marquee_service;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO marquee_operator;
-- Without `secret` and `previous_secret`, with which messages are signed.
REVOKE SELECT ON webhook FROM marquee_operator;
GRANT SELECT (
    id, owner, url, query, selection, previous_secret_until, state, disabled_reason, disabled_at, created_at, version, ordinal, at, batch_id,
    batch_version, batch_ordinal, batch_at, batch_changes, frozen_at, failures, failing_micros, attempted_at, next_attempt_at, delivered_at,
    attempts, revision, batch
) ON webhook TO marquee_operator;
GRANT UPDATE, DELETE ON job TO marquee_operator;
GRANT pg_monitor, pg_signal_backend TO marquee_operator;

GRANT SELECT ON
    alias, base_event, catalogue_version, change, change_retention, daily_total, event, event_performer, listing, name_word, performer,
    place, rate, rate_batch, rate_day, region, reject, release, schema_compatibility, seaql_migrations, show_text, tombstone, venue, word, zone
TO marquee_reader;
-- Without `url`, which may contain a password or a token.
GRANT SELECT (
    id, slug, format, schedule, time_zone, currency, currency_digits, last_success_at, event_count, reject_count, etag, last_modified,
    body_hash, reading_hash, retired_at, last_tick_at, failures, pause_until, pause_reason, paused_at, loading_since,
    last_release, last_release_at, reverted_body_hash, purged_at, name, home_page, licence, attribution, identity_slug,
    id_from, unidentified_count, affiliate, totals_release, totals_through
) ON provider TO marquee_reader;
-- Without `reason`, which may contain addresses of the internal network.
GRANT SELECT (
    id, provider_id, state, started_at, ended_at, http_status, bytes, fetched, inserted, updated, unchanged, "left", rejected,
    reason_code, job_id, tick_at, parse_ms, diff_ms, write_ms, release, changes, warned
) ON sync_run TO marquee_reader;

-- Tables of later migrations: programs can use them immediately. Readers can after this was run again, because a new table may contain
-- secrets. And only the owner may create tables, also temporary ones.
DO $$
DECLARE
    owner name := (SELECT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename = 'seaql_migrations');
    future text := format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA public ', owner);
BEGIN
    EXECUTE future || 'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO marquee_service';
    EXECUTE future || 'GRANT USAGE ON SEQUENCES TO marquee_service';
    EXECUTE future || 'GRANT SELECT ON TABLES TO marquee_operator';
    EXECUTE format('GRANT CREATE ON SCHEMA public TO %I', owner);
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO marquee_reader, marquee_operator, marquee_service', current_database());
END
$$;

-- Settings of a group do not apply to its members, so each login gets them. People can change the time limits for a session, but not
-- whether their statements are logged. Programs set their own limits, with and without PgBouncer.
DO $$
DECLARE
    login name;
    setting text;
BEGIN
    FOR login, setting IN
        SELECT DISTINCT member.rolname, settings.setting
        FROM pg_auth_members
        JOIN pg_roles member ON member.oid = pg_auth_members.member AND member.rolcanlogin
        JOIN pg_roles role ON role.oid = pg_auth_members.roleid
        JOIN (VALUES
            ('marquee_reader', 'default_transaction_read_only = on'),
            ('marquee_reader', 'statement_timeout = ''60s'''),
            ('marquee_reader', 'idle_in_transaction_session_timeout = ''60s'''),
            ('marquee_reader', 'log_statement = ''all'''),
            ('marquee_operator', 'statement_timeout = ''10min'''),
            ('marquee_operator', 'lock_timeout = ''5s'''),
            ('marquee_operator', 'idle_in_transaction_session_timeout = ''60s'''),
            ('marquee_operator', 'log_statement = ''all'''),
            ('marquee_service', 'idle_in_transaction_session_timeout = ''60s''')
        ) AS settings (role, setting) ON settings.role = role.rolname
    LOOP
        BEGIN
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET %s', login, current_database(), setting);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'not permitted for this administrator: % of %', setting, login;
        END;
    END LOOP;
END
$$;

COMMIT;
