#!/usr/bin/env bash
# The commands of the runbook's verifications, as a person types them, without a pause between them.
# suite_vs_runbook.sh compares them with a run of the suite. runbook_variables.py sets the variables.
set -u

# 1. The upload's status
curl -sS -m 5 -H "Authorization: Bearer $token" "$api_url/api/v1/uploads/$upload_id/status"

# 2. The application's log (the variables hold globs, so they are not quoted)
grep "$upload_id" $log_files
grep -iE "upload.*error|processing.*failed|job.*failed" $log_files | tail -50
grep -iE "job worker|process.*upload" $log_files | tail -50

# 3. The job worker
ps aux | grep -E "job.*worker|worker.*upload"
tail -n 100 $worker_log_files

# 4. The queue
/usr/lib/rabbitmq/bin/rabbitmqctl list_queues name messages messages_ready messages_unacknowledged
curl -sS -m 5 "$management_url/api/queues"

# 5. Storage
ls -lh "$upload_dir/$upload_id/"
ls -la "$upload_dir/$upload_id/"
df -h "$upload_dir"
df -i "$upload_dir"

# 6. The database
psql -X "$dsn" -c "SELECT id, status, progress, created_at, updated_at, error_message
    FROM uploads WHERE id = '$upload_id'"
psql -X "$dsn" -c "SELECT id, status, created_at, updated_at FROM uploads
    WHERE status = 'uploading' AND created_at < now() - interval '10 minutes' ORDER BY created_at"
psql -X "$dsn" -c "SELECT id, type, status, created_at, started_at, completed_at FROM job_queue
    WHERE type = 'process_upload' AND status IN ('pending', 'processing') ORDER BY created_at"
