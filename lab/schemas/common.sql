-- Tables of the lab's own, the same on each platform. The monitor may not read them.
CREATE TABLE worker_heartbeats (
    worker text PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    consuming boolean NOT NULL
);

CREATE TABLE api_tokens (
    token_sha256 text PRIMARY KEY,
    user_id text,
    revoked_at timestamptz
);
COMMENT ON COLUMN api_tokens.user_id IS 'null: operations, may read every upload';

CREATE TABLE sessions (
    id text PRIMARY KEY,
    user_id text NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
