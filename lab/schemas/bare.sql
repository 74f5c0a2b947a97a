CREATE TABLE uploads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    track_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    filename text NOT NULL,
    status varchar(20) NOT NULL,
    progress smallint NOT NULL DEFAULT 0,
    size bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    error_message text
);
CREATE INDEX uploads_status_created_at ON uploads (status, created_at);

CREATE TABLE job_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    type text NOT NULL,
    payload jsonb NOT NULL,
    status varchar(20) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    error text
);
CREATE INDEX job_queue_status_created_at ON job_queue (status, created_at);

-- The monitor sees the columns that it must have, and no user's name of a file.
CREATE SCHEMA monitoring;
CREATE VIEW monitoring.uploads AS
SELECT id, status, progress, created_at, updated_at, error_message FROM uploads;
CREATE VIEW monitoring.job_queue AS
SELECT id, type, payload, status, created_at, started_at, completed_at FROM job_queue;

GRANT USAGE ON SCHEMA monitoring TO veza_checks;
GRANT SELECT ON monitoring.uploads, monitoring.job_queue TO veza_checks;
