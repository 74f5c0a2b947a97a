-- The role that the checks look at PostgreSQL with. Safe to run again: it changes the password then.
--
--   VEZA_CHECKS_PASSWORD=$(openssl rand -hex 16) psql -d veza -f postgresql.sql
--
-- as a superuser, or as a role that owns the tables, may create roles and may grant pg_read_all_stats.
-- With other names: -v role=... -v uploads_table=schema.name -v jobs_table=schema.name
--
-- The role reads the columns that the checks read and no others: no file name, no e-mail, no token.
-- It needs SELECT on no sequence and no schema but the tables'. A server that logs DDL statements
-- (log_statement) logs the password with them: then set one by hand afterwards, with \password.
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
-- From the environment: an argument could be read in the list of processes.
\set password `printf %s "$VEZA_CHECKS_PASSWORD"`
SELECT :'password' = '' AS without_password \gset
\if :without_password
\warn 'postgresql.sql: set VEZA_CHECKS_PASSWORD in the environment'
DO 'BEGIN RAISE EXCEPTION $$no password$$; END';
\endif

BEGIN;

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- One connection a process of the run: ten serve `-n 4` and a second target on this database.
ALTER ROLE :"role" LOGIN INHERIT CONNECTION LIMIT 10 PASSWORD :'password';

-- The checks ask for all of this themselves. Here it holds for whoever else uses the password.
ALTER ROLE :"role" SET default_transaction_read_only = on;
ALTER ROLE :"role" SET statement_timeout = '15s';
ALTER ROLE :"role" SET lock_timeout = '2s';
ALTER ROLE :"role" SET idle_in_transaction_session_timeout = '15s';

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

SELECT DISTINCT format('GRANT USAGE ON SCHEMA %s TO %I', relnamespace::regnamespace, :'role')
FROM pg_class WHERE oid IN (:'uploads_table'::regclass, :'jobs_table'::regclass) \gexec

-- Nothing that an earlier run of another version granted stays.
SELECT format('REVOKE ALL ON %s, %s FROM %I',
              :'uploads_table'::regclass, :'jobs_table'::regclass, :'role') \gexec

-- Column by column, those that are there: user_id, size and track_id are not everywhere.
SELECT format('GRANT SELECT (%s) ON %s TO %I',
              string_agg(quote_ident(attname), ', ' ORDER BY attnum), attrelid::regclass, :'role')
FROM pg_attribute
WHERE attnum > 0 AND NOT attisdropped
  AND (attrelid = :'uploads_table'::regclass AND attname IN
           ('id', 'status', 'progress', 'created_at', 'updated_at', 'error_message',
            'user_id', 'size', 'track_id')
       OR attrelid = :'jobs_table'::regclass AND attname IN
           ('id', 'type', 'payload', 'status', 'created_at', 'started_at', 'completed_at'))
GROUP BY attrelid \gexec

-- To see for how long a session has waited for a lock and who holds it; it also shows other sessions'
-- statements. Without it the waits are seen and their ages are unknown: leave it out if that matters.
GRANT pg_read_all_stats TO :"role";

COMMIT;

-- Until version 15 PostgreSQL lets everybody create tables in the schema public.
SELECT has_schema_privilege(:'role', relnamespace, 'CREATE') AS may_create
FROM pg_class WHERE oid = :'uploads_table'::regclass \gset
\if :may_create
\warn 'postgresql.sql: everybody may create tables in this schema; close it: REVOKE CREATE ON SCHEMA public FROM PUBLIC'
\endif
