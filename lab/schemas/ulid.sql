-- Times have no zone. The application's sessions are in UTC, the database's default is another.
ALTER DATABASE veza SET timezone TO 'Europe/Paris';
ALTER ROLE veza IN DATABASE veza SET timezone TO 'UTC';

-- 48 bits of milliseconds since 1970 and 80 random bits, in Crockford's base 32.
CREATE FUNCTION ulid() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + digit, 1), '' ORDER BY place)
    FROM (
        SELECT 9 - shift AS place,
               ((extract(epoch FROM clock_timestamp()) * 1000)::bigint >> (5 * shift))::bit(5)::integer
                   AS digit
        FROM generate_series(0, 9) AS shift
        UNION ALL
        SELECT place, floor(random() * 32)::integer FROM generate_series(10, 25) AS place
    ) AS digits
$$;

CREATE TABLE media_assets (
    asset_id text PRIMARY KEY DEFAULT ulid(),
    track_id text NOT NULL UNIQUE DEFAULT ulid(),
    owner text NOT NULL,
    original_name text NOT NULL,
    state text NOT NULL CHECK (
        state IN ('uploading', 'pending', 'processing', 'completed', 'failed', 'quarantined')
    ),
    percent smallint NOT NULL DEFAULT 0,
    bytes bigint,
    created timestamp NOT NULL DEFAULT now(),
    modified timestamp NOT NULL DEFAULT now(),
    failure text
);
CREATE INDEX media_assets_state ON media_assets (state, created);

CREATE TABLE work_items (
    item_id text PRIMARY KEY DEFAULT ulid(),
    kind text NOT NULL,
    arguments json NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'processing', 'completed', 'failed')),
    created timestamp NOT NULL DEFAULT now(),
    started timestamp,
    finished timestamp,
    failure text
);
CREATE INDEX work_items_state ON work_items (state, created);

-- The tables were renamed; the views keep the names that everybody knows.
CREATE VIEW uploads AS
SELECT asset_id AS id, track_id, owner AS user_id, original_name AS filename, state AS status,
       percent AS progress, bytes AS size, created AS created_at, modified AS updated_at,
       failure AS error_message
FROM media_assets;

CREATE VIEW job_queue AS
SELECT item_id AS id, kind AS type, arguments AS payload, state AS status, created AS created_at,
       started AS started_at, finished AS completed_at, failure AS error
FROM work_items;

CREATE TABLE people (
    person_id text PRIMARY KEY DEFAULT ulid(),
    address text NOT NULL UNIQUE,
    secret text NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (
        state IN ('active', 'pending', 'locked', 'disabled')
    ),
    last_seen timestamp,
    created timestamp NOT NULL DEFAULT now(),
    modified timestamp NOT NULL DEFAULT now()
);

CREATE TABLE access_log (
    entry_id text PRIMARY KEY DEFAULT ulid(),
    person_id text,
    granted boolean NOT NULL,
    reason text,
    origin text NOT NULL,
    created timestamp NOT NULL DEFAULT now()
);
CREATE INDEX access_log_created ON access_log (created);

CREATE VIEW users AS
SELECT person_id AS id, address AS email, secret AS password_hash, state AS status,
       last_seen AS last_login_at, created AS created_at, modified AS updated_at
FROM people;

CREATE VIEW login_attempts AS
SELECT entry_id AS id, person_id AS user_id, granted AS succeeded, reason, origin AS address,
       created AS created_at
FROM access_log;

GRANT SELECT ON uploads, job_queue TO veza_checks;
GRANT SELECT (id, status, updated_at) ON users TO veza_checks;
GRANT SELECT (user_id, succeeded, reason, created_at) ON login_attempts TO veza_checks;
