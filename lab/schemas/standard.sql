CREATE TABLE uploads (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    filename text NOT NULL,
    status text NOT NULL CHECK (
        status IN ('uploading', 'pending', 'processing', 'completed', 'failed', 'quarantined')
    ),
    progress integer NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    size bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    error_message text
);
CREATE INDEX uploads_status_created_at ON uploads (status, created_at);

CREATE TABLE job_queue (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    payload jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    error text
);
CREATE INDEX job_queue_status_created_at ON job_queue (status, created_at);
CREATE INDEX job_queue_upload_id ON job_queue ((payload ->> 'upload_id'));

CREATE TABLE worker_heartbeats (
    worker text PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    consuming boolean NOT NULL
);

CREATE TABLE api_tokens (
    token_sha256 text PRIMARY KEY,
    user_id uuid,
    revoked_at timestamptz
);
COMMENT ON COLUMN api_tokens.user_id IS 'null: operations, may read every upload';

GRANT SELECT ON uploads, job_queue TO veza_checks;
