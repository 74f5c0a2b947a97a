-- Create the role with which `python -m actions` changes PostgreSQL. Run it again to change the password.
--
--   VEZA_ACTIONS_PASSWORD=$(openssl rand -hex 16) psql -d veza -f postgresql-actions.sql
--
-- Run it as a superuser, or as the owner of the tables who can also create roles. Other names are written as in
-- the target:
--
--   psql -d veza -v role=fixer -v uploads_table=media.files -v jobs_table=media.Jobs -f postgresql-actions.sql
--
-- The role can do what our runbook permits, and no more: set the status of uploads and jobs, and create jobs. It
-- can delete nothing, and read no file name and no e-mail. A trigger of these tables runs with its rights.
\set ON_ERROR_STOP on
\if :{?role}
\else
\set role veza_actions
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
\set password `printf %s "$VEZA_ACTIONS_PASSWORD"`
SELECT :'password' = '' AS without_password \gset
\if :without_password
\warn 'postgresql-actions.sql: set VEZA_ACTIONS_PASSWORD in the environment'
DO 'BEGIN RAISE EXCEPTION $$no password$$; END';
\endif

BEGIN;

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

ALTER ROLE :"role" LOGIN INHERIT CONNECTION LIMIT 5 PASSWORD :'password';

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

SELECT DISTINCT format('GRANT USAGE ON SCHEMA %s TO %I', relnamespace::regnamespace, :'role')
FROM pg_class WHERE oid IN (:'uploads_table'::regclass, :'jobs_table'::regclass) \gexec

-- Remove what an earlier version of this script granted.
SELECT format('REVOKE ALL ON %s, %s FROM %I',
              :'uploads_table'::regclass, :'jobs_table'::regclass, :'role') \gexec

-- Grant column by column, if the column exists.
SELECT format('GRANT %s (%s) ON %s TO %I', privilege,
              string_agg(quote_ident(attname), ', ' ORDER BY attnum), attrelid::regclass, :'role')
FROM pg_attribute
JOIN (VALUES
    (:'uploads_table'::regclass, 'SELECT', ARRAY['id', 'status', 'created_at', 'updated_at', 'deleted_at']),
    (:'uploads_table'::regclass, 'UPDATE', ARRAY['status', 'error_message', 'updated_at']),
    (:'jobs_table'::regclass, 'SELECT', ARRAY['id', 'type', 'payload', 'status', 'created_at', 'started_at']),
    (:'jobs_table'::regclass, 'UPDATE', ARRAY['status', 'completed_at']),
    (:'jobs_table'::regclass, 'INSERT', ARRAY['id', 'type', 'payload', 'status', 'created_at'])
) AS needed (relation, privilege, names) ON attrelid = relation AND attname = ANY (names)
WHERE attnum > 0 AND NOT attisdropped
GROUP BY attrelid, privilege \gexec

-- A job's id may come from a sequence.
SELECT format('GRANT USAGE ON SEQUENCE %s TO %I', sequence, :'role')
FROM pg_get_serial_sequence(:'jobs_table', 'id') AS sequence
WHERE sequence IS NOT NULL \gexec

COMMIT;
