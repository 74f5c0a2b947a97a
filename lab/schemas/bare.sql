ALTER TABLE uploads
    ADD COLUMN track_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    ALTER COLUMN status TYPE varchar(20),
    ALTER COLUMN progress TYPE smallint;
ALTER TABLE job_queue ALTER COLUMN status TYPE varchar(20);

-- The monitor sees the columns that it must have, and no user's name of a file.
CREATE SCHEMA monitoring;
CREATE VIEW monitoring.uploads AS
SELECT id, status, progress, created_at, updated_at, error_message FROM uploads;
CREATE VIEW monitoring.job_queue AS
SELECT id, type, payload, status, created_at, started_at, completed_at FROM job_queue;
CREATE VIEW monitoring.users AS SELECT id, status, updated_at FROM users;
CREATE VIEW monitoring.login_attempts AS
SELECT user_id, CASE WHEN succeeded THEN 'success' ELSE coalesce(reason, 'failure') END AS result,
       created_at AS attempted_at
FROM login_attempts;

GRANT USAGE ON SCHEMA monitoring TO veza_checks;
GRANT SELECT ON monitoring.uploads, monitoring.job_queue TO veza_checks;
GRANT SELECT ON monitoring.users, monitoring.login_attempts TO veza_checks;
