ALTER TABLE uploads
    ADD CHECK (
        status IN ('uploading', 'pending', 'processing', 'completed', 'failed', 'quarantined')
    ),
    ADD CHECK (progress BETWEEN 0 AND 100);
ALTER TABLE job_queue ADD CHECK (status IN ('pending', 'processing', 'completed', 'failed'));
CREATE INDEX job_queue_upload_id ON job_queue ((payload ->> 'upload_id'));

ALTER TABLE users ADD CHECK (status IN ('active', 'pending', 'locked', 'disabled'));

GRANT SELECT ON uploads, job_queue TO veza_checks;
-- No hash and no address of a person.
GRANT SELECT (id, status, updated_at) ON users TO veza_checks;
GRANT SELECT (user_id, succeeded, reason, created_at) ON login_attempts TO veza_checks;
