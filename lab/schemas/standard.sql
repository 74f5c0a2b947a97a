ALTER TABLE uploads
    ADD CHECK (
        status IN ('uploading', 'pending', 'processing', 'completed', 'failed', 'quarantined')
    ),
    ADD CHECK (progress BETWEEN 0 AND 100);
ALTER TABLE job_queue ADD CHECK (status IN ('pending', 'processing', 'completed', 'failed'));
CREATE INDEX job_queue_upload_id ON job_queue ((payload ->> 'upload_id'));

GRANT SELECT ON uploads, job_queue TO veza_checks;
