-- Create the role with which the checks read PostgreSQL. Run it again to change the password.
--
--   VEZA_CHECKS_PASSWORD=$(openssl rand -hex 16) psql -d veza -f postgresql.sql
--
-- Run it as a superuser, or as the owner of the tables who can also create roles and grant
-- pg_read_all_stats. Other names are written as in the target, also with capital letters, and may be views:
--
--   psql -d veza -v role=monitor -v uploads_table=media.files -v jobs_table=media.Jobs -f postgresql.sql
--
-- The role can read only the columns that the checks read: no file name, no e-mail, no token. It has
-- no access to sequences and to other schemas. A server that logs DDL statements (log_statement) also
-- logs the password: in that case, set a new one with \password afterwards.
\set ON_ERROR_STOP on
\if :{?role}
\else
\set role veza_checks
\endif
\if :{?uploads_table}
\else
\set uploads_table uploads
\endif
\if :{?jobs_table}
\else
\set jobs_table job_queue
\endif
-- A name as the target has it, in which letters are what they are; else as SQL has it, with quotes of its own.
SELECT coalesce(to_regclass(array_to_string(ARRAY(
           SELECT quote_ident(part) FROM unnest(string_to_array(name, '.')) AS part), '.'))::text, name) AS found
FROM (SELECT :'uploads_table' AS name) AS given \gset uploads_
\set uploads_table :uploads_found
SELECT coalesce(to_regclass(array_to_string(ARRAY(
           SELECT quote_ident(part) FROM unnest(string_to_array(name, '.')) AS part), '.'))::text, name) AS found
FROM (SELECT :'jobs_table' AS name) AS given \gset jobs_
\set jobs_table :jobs_found
-- From the environment, because other users can see arguments in the list of processes.
\set password `printf %s "$VEZA_CHECKS_PASSWORD"`
SELECT :'password' = '' AS without_password \gset
\if :without_password
\warn 'postgresql.sql: set VEZA_CHECKS_PASSWORD in the environment'
DO 'BEGIN RAISE EXCEPTION $$no password$$; END';
\endif

BEGIN;

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- A run has one connection, and for a moment a second one. Ten are enough for some targets at a time.
ALTER ROLE :"role" LOGIN INHERIT CONNECTION LIMIT 10 PASSWORD :'password';

-- The checks set these limits themselves. Here they apply to everyone who uses the password.
ALTER ROLE :"role" SET default_transaction_read_only = on;
ALTER ROLE :"role" SET statement_timeout = '15s';
ALTER ROLE :"role" SET lock_timeout = '2s';
ALTER ROLE :"role" SET idle_in_transaction_session_timeout = '15s';

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

SELECT DISTINCT format('GRANT USAGE ON SCHEMA %s TO %I', relnamespace::regnamespace, :'role')
FROM pg_class WHERE oid IN (:'uploads_table'::regclass, :'jobs_table'::regclass) \gexec

-- Remove what an earlier version of this script granted.
SELECT format('REVOKE ALL ON %s, %s FROM %I',
              :'uploads_table'::regclass, :'jobs_table'::regclass, :'role') \gexec

-- Grant column by column, if the column exists: user_id, size, track_id and deleted_at are optional, and so
-- is the time at which a job is due.
SELECT format('GRANT SELECT (%s) ON %s TO %I',
              string_agg(quote_ident(attname), ', ' ORDER BY attnum), attrelid::regclass, :'role')
FROM pg_attribute
WHERE attnum > 0 AND NOT attisdropped
  AND (attrelid = :'uploads_table'::regclass AND attname IN
           ('id', 'status', 'progress', 'created_at', 'updated_at', 'error_message',
            'user_id', 'size', 'track_id', 'deleted_at')
       OR attrelid = :'jobs_table'::regclass AND attname IN
           ('id', 'type', 'payload', 'status', 'created_at', 'started_at', 'completed_at',
            'run_after', 'run_at', 'next_attempt_at', 'next_retry_at', 'scheduled_at', 'deleted_at'))
GROUP BY attrelid \gexec

-- Shows how long a session has waited for a lock and who holds the lock. It also shows the statements
-- of other sessions. If that is a problem, leave it out: the checks then see waits without their ages.
GRANT pg_read_all_stats TO :"role";

COMMIT;

-- Before version 15, PostgreSQL lets every role create tables in the schema public.
SELECT has_schema_privilege(:'role', relnamespace, 'CREATE') AS may_create
FROM pg_class WHERE oid = :'uploads_table'::regclass \gset
\if :may_create
\warn 'postgresql.sql: every role can create tables in this schema; to forbid it: REVOKE CREATE ON SCHEMA public FROM PUBLIC'
\endif
