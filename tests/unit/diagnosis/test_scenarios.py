"""Each fault of the lab, with the outcomes that its mechanism should cause.

These are expectations on paper: which checks fail and which are unreachable, while all others pass.
They guard the weights when someone edits them. They prove nothing about a real system; the fault
bench on the lab does that.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from pathlib import Path

import pytest

from core.outcome import Outcome, Status
from reports.diagnosis.diagnose import diagnose
from reports.diagnosis.evidence import CheckRow, Evidence
from reports.diagnosis.evidence_file import load_evidence
from reports.diagnosis.result import Diagnosis

ROOT = Path(__file__).resolve().parents[3]
NONE: Set[str] = frozenset()
W, Q, S = "job_worker_down", "queue_blocked", "storage_problem"
F, T = "processing_failed_silently", "processing_timeout"


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """The shipped model."""
    return load_evidence(ROOT / "runbooks/upload_stuck/evidence.toml")


def check_ids(text: str) -> frozenset[str]:
    """Return the check ids in a text; a bare word continues the module of the id before it."""
    checks: list[str] = []
    for word in text.split():
        checks.append(word if "/" in word else f"{checks[-1].partition('/')[0]}/{word}")
    return frozenset(checks)


# An upload stays `uploading`, and every check that observes it fails.
STUCK = """
    signal/no_upload_is_stuck
    upload_status/uploads_have_left_uploading progress_agrees_with_status
    logs/upload_transitions_are_logged
"""
# The database cannot be read, and the API cannot answer without it.
NO_API = """
    upload_status/api_answers_without_server_error api_answers_promptly token_is_accepted
    api_is_ready
    worker_health_is_ok uploads_have_left_uploading progress_agrees_with_status
    api_agrees_with_database metrics_are_served
    broker_accepts_the_application completed_track_is_served signal/uploading_gauge_is_low
"""
NO_DATABASE = """
    signal/no_upload_is_stuck no_upload_overstays_processing uploads_are_completing
    upload_status/uploads_have_left_uploading progress_agrees_with_status api_agrees_with_database
    logs/upload_transitions_are_logged worker_activity_is_logged
    storage/stuck_files_exist stuck_files_are_readable stuck_files_are_whole
    database/database_accepts_writes schema_is_as_expected no_stuck_upload_is_partial
    no_stuck_upload_ran_out_of_time stuck_uploads_have_a_job
    jobs_start_promptly jobs_finish_in_time finished_jobs_updated_their_upload
    failed_jobs_recorded_an_error pending_jobs_are_in_the_queue
    no_lock_blocks_uploads
"""
REACH = "upload_status/api_is_reachable queue/broker_is_reachable database/database_is_reachable"
NO_ANSWER = "hosts/a_server_answers"
NO_HOST = """
    logs/application_is_logging no_recent_processing_errors upload_transitions_are_logged
    worker_activity_is_logged worker_starts_once no_timeouts_are_logged
    no_job_ran_out_of_time no_storage_errors_are_logged no_database_write_is_refused
    no_broker_access_is_refused
    worker/process_is_running expected_count_is_running process_is_responsive
    no_process_waits_on_disk process_is_settled worker_is_logging
    storage/directory_exists
    directory_is_writable_by_service disk_space_is_free inodes_are_free stuck_files_exist
    stuck_files_are_readable stuck_files_are_whole
"""
NO_BROKER = """
    queue/broker_has_no_alarm clients_are_connected queue_exists queue_has_a_consumer
    backlog_is_bounded deliveries_are_acknowledged queue_is_draining dead_letters_are_empty
    deliveries_reach_the_worker worker_starts_what_it_holds no_consumer_keeps_messages
    messages_are_not_returned no_message_is_retried_forever
    messages_do_not_expire
    overdue_jobs_have_a_message taken_messages_start_jobs
    database/pending_jobs_are_in_the_queue
"""
NO_QUEUE = """
    queue/queue_has_a_consumer backlog_is_bounded deliveries_are_acknowledged queue_is_draining
    deliveries_reach_the_worker worker_starts_what_it_holds no_consumer_keeps_messages
    messages_are_not_returned no_message_is_retried_forever
    messages_do_not_expire
    overdue_jobs_have_a_message taken_messages_start_jobs
    database/pending_jobs_are_in_the_queue
"""
NO_CANARY = """
    canary/upload_is_accepted no_proxy_refuses_the_upload upload_leaves_uploading
    upload_completes track_is_served canary_is_removed
"""
NOT_STARTING = "signal/uploads_are_completing database/jobs_start_promptly"
ERRORS = "logs/no_recent_processing_errors"
FILE_ERRORS = f"{ERRORS} no_storage_errors_are_logged"

# name: (the true cause, the checks that fail, the checks that are unreachable)
SINGLES: dict[str, tuple[str, str, str]] = {
    "worker-killed": (
        W,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok"
            " logs/worker_activity_is_logged"
            " worker/process_is_running worker_is_logging queue/queue_has_a_consumer"
            " queue_is_draining"
        ),
        (
            "worker/expected_count_is_running process_is_responsive no_process_waits_on_disk"
            " process_is_settled"
        ),
    ),
    "worker-killed, moments ago": (
        W,
        "worker/process_is_running queue/queue_has_a_consumer upload_status/worker_health_is_ok",
        "",
    ),
    "worker-killed, moments ago, beside one lost message": (
        W,
        (
            f"{STUCK} worker/process_is_running queue/queue_has_a_consumer"
            " database/jobs_start_promptly no_job_was_passed_over pending_jobs_are_in_the_queue"
        ),
        (
            "worker/expected_count_is_running process_is_responsive no_process_waits_on_disk"
            " process_is_settled"
        ),
    ),
    "worker-frozen": (
        W,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok"
            " logs/worker_activity_is_logged"
            " worker/process_is_responsive worker_is_logging queue/queue_is_draining"
        ),
        "",
    ),
    "worker-frozen, with a job in progress": (
        W,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok"
            " logs/worker_activity_is_logged"
            " worker/process_is_responsive worker_is_logging queue/queue_is_draining"
            " signal/no_upload_overstays_processing database/jobs_finish_in_time"
            " queue/deliveries_are_acknowledged"
        ),
        "",
    ),
    "worker-frozen, with a message that it has not started": (
        W,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok"
            " worker/process_is_responsive worker_is_logging queue/queue_is_draining"
            " deliveries_are_acknowledged worker_starts_what_it_holds"
        ),
        "",
    ),
    "worker-deadlocked: it is there, and does nothing with its messages": (
        W,
        f"{STUCK} {NOT_STARTING} queue/worker_starts_what_it_holds",
        "",
    ),
    "worker-rejecting: it puts every message back": (
        W,
        f"{STUCK} {NOT_STARTING} queue/messages_are_not_returned deliveries_are_acknowledged",
        "queue/queue_is_draining",
    ),
    "worker-rejecting: it gives every message up, as one of a pattern that it does not know": (
        W,
        (
            f"{STUCK} {NOT_STARTING} queue/messages_are_not_returned dead_letters_are_empty"
            " database/pending_jobs_are_in_the_queue"
        ),
        "queue/messages_do_not_expire",
    ),
    "message-retried: a worker puts two back without end, and does the others": (
        F,
        f"{STUCK} database/jobs_start_promptly queue/no_message_is_retried_forever",
        "",
    ),
    "job-rejected: its message is a dead letter, and it stays in processing": (
        F,
        (
            "signal/no_upload_overstays_processing uploads_are_completing"
            " queue/deliveries_are_acknowledged dead_letters_are_empty overdue_jobs_have_a_message"
        ),
        "database/jobs_finish_in_time",
    ),
    "file-missing: a worker puts whatever fails back": (
        S,
        (
            f"{STUCK} {NOT_STARTING} queue/messages_are_not_returned deliveries_are_acknowledged"
            " storage/stuck_files_exist logs/no_storage_errors_are_logged"
        ),
        "storage/stuck_files_are_readable stuck_files_are_whole",
    ),
    "file-unreadable: a worker tries each job several times, and does not keep up": (
        S,
        (
            "signal/no_upload_overstays_processing uploads_are_completing"
            " logs/no_storage_errors_are_logged storage/stuck_files_are_readable"
            " queue/deliveries_are_acknowledged dead_letters_are_empty"
            " database/jobs_start_promptly workers_keep_up"
        ),
        "",
    ),
    "worker-crash-loop, seen between two lives": (
        W,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok logs/worker_starts_once"
            " worker/process_is_running queue/queue_has_a_consumer queue_is_draining"
        ),
        "",
    ),
    "worker-crash-loop, seen alive": (
        W,
        (
            f"{STUCK} {NOT_STARTING} logs/worker_starts_once worker/process_is_settled"
            " queue/queue_is_draining"
        ),
        "",
    ),
    "worker-not-consuming": (
        W,
        (
            f"{STUCK} {NOT_STARTING} logs/worker_activity_is_logged worker/worker_is_logging"
            " queue/queue_has_a_consumer queue_is_draining"
        ),
        "",
    ),
    "worker-killed, one of two, and the other frozen": (
        W,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok queue/queue_is_draining"
            " worker/expected_count_is_running process_is_responsive worker_is_logging"
        ),
        "",
    ),
    "broker-down": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} {ERRORS} upload_status/api_is_ready worker_health_is_ok"
            " logs/worker_activity_is_logged queue/broker_is_reachable"
        ),
        NO_BROKER,
    ),
    "broker-down, and the worker exits and starts again": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} {ERRORS} upload_status/api_is_ready worker_health_is_ok"
            " logs/worker_starts_once worker/process_is_settled expected_count_is_running"
            " queue/broker_is_reachable"
        ),
        NO_BROKER,
    ),
    "broker-memory-alarm": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} logs/worker_activity_is_logged worker/worker_is_logging"
            " queue/broker_has_no_alarm database/pending_jobs_are_in_the_queue"
        ),
        "",
    ),
    "broker-disk-alarm": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} {ERRORS} queue/broker_has_no_alarm"
            " database/pending_jobs_are_in_the_queue"
        ),
        "",
    ),
    "queue-deleted": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok"
            " logs/worker_activity_is_logged"
            " queue/queue_exists"
        ),
        NO_QUEUE,
    ),
    "queue-deleted, and its workers end and start again": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} queue/queue_exists logs/worker_starts_once"
            " no_recent_processing_errors worker/process_is_settled expected_count_is_running"
        ),
        NO_QUEUE,
    ),
    "deadline-exceeded, without a line in the logs": (
        T,
        f"{STUCK} database/no_stuck_upload_ran_out_of_time",
        f"queue/broker_is_reachable deliveries_reach_the_worker {NO_BROKER}",
    ),
    "messages-purged": (
        Q,
        (
            f"{STUCK} database/jobs_start_promptly no_job_was_passed_over"
            " pending_jobs_are_in_the_queue"
        ),
        "",
    ),
    "messages-purged, without the broker": (
        Q,
        f"{STUCK} database/jobs_start_promptly no_job_was_passed_over",
        f"queue/broker_is_reachable deliveries_reach_the_worker {NO_BROKER}",
    ),
    "queue-saturated": (
        Q,
        f"{STUCK} {NOT_STARTING} queue/backlog_is_bounded",
        "",
    ),
    "queue-saturated, and not draining": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} queue/backlog_is_bounded queue_is_draining"
            " signal/processing_time_is_normal"
        ),
        "",
    ),
    "deliveries-stuck": (
        Q,
        (
            f"{STUCK} {NOT_STARTING} logs/worker_activity_is_logged worker/worker_is_logging"
            " queue/deliveries_are_acknowledged queue_is_draining"
            " upload_status/worker_health_is_ok queue/deliveries_reach_the_worker"
            " no_consumer_keeps_messages"
        ),
        "",
    ),
    "partial-consumer": (
        Q,
        f"{STUCK} database/jobs_start_promptly queue/no_consumer_keeps_messages",
        "",
    ),
    "dead-letters-ttl": (
        Q,
        (
            f"{STUCK} database/jobs_start_promptly pending_jobs_are_in_the_queue"
            " queue/dead_letters_are_empty messages_do_not_expire"
        ),
        "",
    ),
    "disk-full": (S, f"storage/disk_space_is_free {FILE_ERRORS}", ""),
    "disk-full, rows left behind": (
        S,
        (
            f"{STUCK} {FILE_ERRORS} storage/disk_space_is_free stuck_files_are_whole"
            " database/stuck_uploads_have_a_job"
        ),
        "",
    ),
    "disk-full, and nothing of the stuck uploads arrives": (
        S,
        (
            f"{FILE_ERRORS} storage/disk_space_is_free signal/no_upload_is_stuck"
            " upload_status/uploads_have_left_uploading database/no_stuck_upload_is_partial"
        ),
        "",
    ),
    "inodes-exhausted": (S, f"storage/inodes_are_free {FILE_ERRORS}", ""),
    "directory-missing": (
        S,
        f"{STUCK} {FILE_ERRORS} storage/directory_exists stuck_files_exist",
        (
            "storage/directory_is_writable_by_service disk_space_is_free inodes_are_free"
            " stuck_files_are_readable stuck_files_are_whole"
        ),
    ),
    "files gone, only logged": (S, f"{STUCK} {FILE_ERRORS}", ""),
    "directory-not-writable": (S, f"storage/directory_is_writable_by_service {FILE_ERRORS}", ""),
    "read-only-mount": (S, f"storage/directory_is_writable_by_service {FILE_ERRORS}", ""),
    "file-missing": (S, f"{STUCK} {FILE_ERRORS} storage/stuck_files_exist", ""),
    "file-missing, nothing logged": (S, f"{STUCK} storage/stuck_files_exist", ""),
    "file-empty": (S, f"{STUCK} {ERRORS} storage/stuck_files_are_whole", ""),
    "file-unreadable": (S, f"{STUCK} {FILE_ERRORS} storage/stuck_files_are_readable", ""),
    "files that the worker may not open, and it tries each again": (
        S,
        (
            f"{FILE_ERRORS} signal/uploads_are_completing no_upload_overstays_processing"
            " queue/deliveries_are_acknowledged dead_letters_are_empty"
        ),
        "",
    ),
    "disk hangs": (
        S,
        f"{STUCK} worker/no_process_waits_on_disk worker_is_logging",
        "storage/directory_is_writable_by_service disk_space_is_free inodes_are_free",
    ),
    "error-swallowed": (F, f"{STUCK} database/finished_jobs_updated_their_upload", ""),
    "error-not-recorded": (F, f"{STUCK} database/failed_jobs_recorded_an_error", ""),
    "job-left": (
        F,
        f"{STUCK} signal/no_upload_overstays_processing database/late_jobs_have_a_worker",
        f"{NO_BROKER} {NO_QUEUE} queue/broker_is_reachable database/jobs_finish_in_time",
    ),
    "job-abandoned": (
        F,
        (
            f"{STUCK} signal/no_upload_overstays_processing database/jobs_finish_in_time"
            " queue/overdue_jobs_have_a_message"
        ),
        "",
    ),
    "message-ignored, and the worker logs nothing": (
        F,
        (
            f"{STUCK} {NOT_STARTING} upload_status/worker_health_is_ok"
            " logs/worker_activity_is_logged worker/worker_is_logging"
            " database/pending_jobs_are_in_the_queue queue/taken_messages_start_jobs"
        ),
        "",
    ),
    "message-ignored, of some uploads": (
        F,
        (
            f"{STUCK} database/jobs_start_promptly no_job_was_passed_over"
            " pending_jobs_are_in_the_queue queue/taken_messages_start_jobs"
        ),
        "",
    ),
    "job-never-created": (
        F,
        f"{STUCK} database/stuck_uploads_have_a_job no_upload_was_passed_over",
        "",
    ),
    "status-update-lost": (
        F,
        (
            "signal/no_upload_is_stuck upload_status/uploads_have_left_uploading"
            " progress_agrees_with_status database/finished_jobs_updated_their_upload"
        ),
        "",
    ),
    "slow-processing": (
        T,
        (
            "signal/no_upload_overstays_processing processing_time_is_normal"
            " database/jobs_finish_in_time"
        ),
        "",
    ),
    "slow-processing, others waiting": (
        T,
        (
            f"{STUCK} signal/no_upload_overstays_processing processing_time_is_normal"
            " database/jobs_finish_in_time jobs_start_promptly queue/backlog_is_bounded"
        ),
        "",
    ),
    "worker-starved": (
        T,
        (
            f"{STUCK} {NOT_STARTING} signal/no_upload_overstays_processing"
            " database/jobs_finish_in_time queue/queue_is_draining"
        ),
        "",
    ),
    "job-hung": (
        T,
        (
            f"{STUCK} {NOT_STARTING} signal/no_upload_overstays_processing"
            " database/jobs_finish_in_time queue/queue_is_draining"
            " worker/worker_is_logging queue/deliveries_are_acknowledged"
        ),
        "",
    ),
    "deadline-exceeded, and the upload left as it was": (
        T,
        (
            f"{STUCK} {ERRORS} logs/no_timeouts_are_logged no_job_ran_out_of_time"
            " queue/dead_letters_are_empty"
        ),
        "",
    ),
    "deadline-exceeded": (
        T,
        (
            f"{ERRORS} logs/no_timeouts_are_logged no_job_ran_out_of_time"
            " queue/dead_letters_are_empty"
            " signal/no_upload_overstays_processing database/jobs_finish_in_time"
        ),
        "",
    ),
}

STUCK_CANARY = "canary/upload_leaves_uploading"
AFTER_STUCK = " canary/upload_completes track_is_served"
AFTER_REFUSED = f" canary/upload_leaves_uploading {AFTER_STUCK}"
SINGLES |= {
    f"{name}, with a canary": (
        SINGLES[name][0],
        f"{SINGLES[name][1]} {failing}",
        f"{SINGLES[name][2]} {blind}",
    )
    for name, failing, blind in (
        ("worker-killed", STUCK_CANARY, AFTER_STUCK),
        ("worker-killed, moments ago", STUCK_CANARY, AFTER_STUCK),
        ("worker-frozen", STUCK_CANARY, AFTER_STUCK),
        ("worker-not-consuming", STUCK_CANARY, AFTER_STUCK),
        ("broker-down", STUCK_CANARY, AFTER_STUCK),
        ("broker-memory-alarm", STUCK_CANARY, AFTER_STUCK),
        ("queue-saturated", STUCK_CANARY, AFTER_STUCK),
        ("disk-full", "canary/upload_is_accepted", AFTER_REFUSED),
        ("directory-not-writable", "canary/upload_is_accepted", AFTER_REFUSED),
        ("slow-processing", "canary/upload_completes", " canary/track_is_served"),
        ("slow-processing, others waiting", STUCK_CANARY, AFTER_STUCK),
        ("job-hung", STUCK_CANARY, AFTER_STUCK),
    )
}

OUTSIDE: dict[str, tuple[str, str, str]] = {
    "api-down": ("api", "upload_status/api_is_reachable logs/application_is_logging", NO_API),
    "api-5xx": (
        "api",
        (
            "upload_status/api_answers_without_server_error api_is_ready worker_health_is_ok"
            f" metrics_are_served completed_track_is_served {ERRORS}"
        ),
        (
            "upload_status/uploads_have_left_uploading progress_agrees_with_status"
            " api_agrees_with_database token_is_accepted"
        ),
    ),
    "api-slow": ("api", "upload_status/api_answers_promptly", ""),
    "api-5xx, without health routes, metrics and completed uploads": (
        "api",
        "upload_status/api_answers_without_server_error",
        NO_API.replace("api_answers_without_server_error ", ""),
    ),
    "api-down, a log that is written on": (
        "api",
        "upload_status/api_is_reachable",
        NO_API,
    ),
    "api-down, without logs": (
        "api",
        "upload_status/api_is_reachable",
        f"{NO_API} {NO_HOST} {NO_BROKER}",
    ),
    "database-down, an API without health routes": (
        "database",
        "database/database_is_reachable upload_status/api_answers_without_server_error",
        (
            f"{NO_DATABASE} {NO_HOST} {NO_BROKER} queue/broker_is_reachable"
            " upload_status/token_is_accepted api_is_ready worker_health_is_ok metrics_are_served"
            " broker_accepts_the_application completed_track_is_served"
        ),
    ),
    "token-expired": (
        "api",
        "upload_status/token_is_accepted",
        (
            "upload_status/uploads_have_left_uploading progress_agrees_with_status"
            " api_agrees_with_database completed_track_is_served"
        ),
    ),
    "broker-permission-revoked": (
        "queue",
        (
            f"{STUCK} {NOT_STARTING} upload_status/api_is_ready worker_health_is_ok"
            " upload_status/broker_accepts_the_application queue/clients_are_connected"
            " queue/queue_has_a_consumer database/pending_jobs_are_in_the_queue"
        ),
        "",
    ),
    "broker-permission-revoked, while a job ran": (
        "queue",
        (
            f"{STUCK} {NOT_STARTING} queue/clients_are_connected queue_has_a_consumer"
            " queue_is_draining logs/no_broker_access_is_refused database/jobs_finish_in_time"
            " signal/no_upload_overstays_processing"
        ),
        "upload_status/worker_health_is_ok broker_accepts_the_application",
    ),
    "broker-permission-revoked, and the worker exits and starts again": (
        "queue",
        (
            f"{STUCK} {NOT_STARTING} queue/clients_are_connected queue_has_a_consumer"
            " logs/no_broker_access_is_refused worker_starts_once worker/process_is_settled"
        ),
        "upload_status/worker_health_is_ok broker_accepts_the_application",
    ),
    "broker-permission-revoked, and no health report": (
        "queue",
        (
            f"{STUCK} {NOT_STARTING} queue/clients_are_connected queue_has_a_consumer"
            f" database/pending_jobs_are_in_the_queue {ERRORS} logs/no_broker_access_is_refused"
        ),
        "upload_status/api_is_ready worker_health_is_ok broker_accepts_the_application",
    ),
    "database-access-refused, to the worker alone": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} {ERRORS} logs/no_database_access_is_refused"
            " queue/deliveries_are_acknowledged worker_starts_what_it_holds queue_is_draining"
        ),
        "upload_status/worker_health_is_ok",
    ),
    "database-access-refused, to a worker that then leaves the broker": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} {ERRORS} logs/no_database_access_is_refused"
            " queue/clients_are_connected queue_has_a_consumer queue_is_draining"
            " upload_status/worker_health_is_ok"
        ),
        NO_CANARY,
    ),
    "database-access-refused, to API and worker": (
        "database",
        (
            f"{NOT_STARTING} {ERRORS} logs/no_database_access_is_refused"
            " upload_status/api_answers_without_server_error api_is_ready worker_health_is_ok"
            " completed_track_is_served queue/queue_is_draining"
        ),
        "upload_status/token_is_accepted",
    ),
    "database-access-refused, one right on the uploads": (
        "database",
        (
            f"{STUCK} {ERRORS} logs/no_database_access_is_refused"
            " database/finished_jobs_updated_their_upload"
        ),
        NO_CANARY,
    ),
    "database-access-refused, one right on the jobs": (
        "database",
        (
            f"{STUCK} {ERRORS} logs/no_database_access_is_refused"
            " database/stuck_uploads_have_a_job no_upload_was_passed_over"
            " upload_status/api_answers_without_server_error"
        ),
        NO_CANARY,
    ),
    "database-access-refused, statements that do not fit": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} {ERRORS} logs/no_database_access_is_refused"
            " queue/deliveries_reach_the_worker queue_is_draining"
        ),
        NO_CANARY,
    ),
    "database-access-refused, statements that take too long": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} logs/no_timeouts_are_logged no_database_access_is_refused"
            " queue/worker_starts_what_it_holds"
        ),
        NO_CANARY,
    ),
    "row locks that an idle session holds": (
        "database",
        (f"{STUCK} database/jobs_start_promptly jobs_finish_in_time no_lock_blocks_uploads"),
        "upload_status/worker_health_is_ok",
    ),
    "database-down": (
        "database",
        f"database/database_is_reachable upload_status/api_is_ready worker_health_is_ok {ERRORS}",
        NO_DATABASE,
    ),
    "database-down, worker dead of it": (
        "database",
        (
            "database/database_is_reachable upload_status/api_is_ready worker_health_is_ok"
            f" {ERRORS} worker/process_is_settled logs/worker_starts_once"
        ),
        NO_DATABASE,
    ),
    "database refuses writes, seen in the log alone": (
        "database",
        f"{STUCK} {NOT_STARTING} {ERRORS} logs/no_database_write_is_refused",
        "database/database_accepts_writes",
    ),
    "database refuses some writes, full now and then": (
        "database",
        (
            f"{STUCK} {ERRORS} logs/no_database_write_is_refused"
            " database/stuck_uploads_have_a_job no_upload_was_passed_over"
        ),
        NO_CANARY,
    ),
    "database refuses writes": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} {ERRORS} logs/no_database_write_is_refused"
            " database/database_accepts_writes upload_status/api_is_ready worker_health_is_ok"
        ),
        "",
    ),
    "users gave up half-way": (
        "client",
        (
            "signal/no_upload_is_stuck upload_status/uploads_have_left_uploading"
            " database/no_stuck_upload_is_partial"
        ),
        "",
    ),
    "cut off": (
        "network",
        f"{REACH} {NO_ANSWER} hosts/host_is_reachable",
        f"{NO_API} {NO_DATABASE} {NO_HOST} {NO_BROKER}",
    ),
    "cut off, with files of this machine": (
        "network",
        f"{REACH} {NO_ANSWER}",
        f"{NO_API} {NO_DATABASE} {NO_BROKER}",
    ),
    "database-locked": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} database/no_lock_blocks_uploads logs/no_timeouts_are_logged"
            " queue/queue_is_draining worker/worker_is_logging"
        ),
        "",
    ),
    "database-locked, with a message that the worker has not started": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} database/no_lock_blocks_uploads queue/queue_is_draining"
            " deliveries_are_acknowledged worker_starts_what_it_holds worker/worker_is_logging"
        ),
        "",
    ),
    "database-locked, of jobs that the worker skips": (
        "database",
        (
            f"{STUCK} {NOT_STARTING} database/no_lock_blocks_uploads no_job_was_passed_over"
            " pending_jobs_are_in_the_queue queue/taken_messages_start_jobs"
        ),
        "",
    ),
    "database-locked, nothing readable": (
        "database",
        "database/no_lock_blocks_uploads logs/no_timeouts_are_logged queue/queue_is_draining",
        NO_DATABASE.replace("no_lock_blocks_uploads", ""),
    ),
}

CONTROLS = {
    "healthy": "",
    "errors of users in the log": ERRORS,
    "a time-out in the log": "logs/no_timeouts_are_logged",
    "a deploy a moment ago": "worker/process_is_settled",
    "one of two workers gone": "worker/expected_count_is_running",
    "a canary late in a busy system": STUCK_CANARY,
    "an old dead letter": "queue/dead_letters_are_empty",
}

PAIRS = (
    ("worker-killed", "disk-full"),
    ("worker-killed", "file-missing"),
    ("worker-killed", "error-swallowed"),
    ("worker-frozen", "inodes-exhausted"),
    ("broker-down", "file-missing"),
    ("broker-down", "error-swallowed"),
    ("broker-down", "worker-killed"),
    ("queue-saturated", "disk-full"),
    ("queue-deleted", "directory-not-writable"),
    ("slow-processing", "error-swallowed"),
    ("slow-processing, others waiting", "disk-full"),
    ("slow-processing, others waiting", "file-unreadable"),
    ("disk-full", "error-not-recorded"),
    ("file-empty", "error-swallowed"),
    ("deadline-exceeded", "error-not-recorded"),
    ("job-never-created", "worker-killed"),
    ("job-abandoned", "deliveries-stuck"),
    ("message-ignored, of some uploads", "file-unreadable"),
)


NAMED = frozenset().union(
    *(check_ids(f"{one[1]} {one[2]}") for one in (*SINGLES.values(), *OUTSIDE.values())),
    *map(check_ids, CONTROLS.values()),
)
"""The checks that some scenario names: what they do in each of them was thought about."""

LIKELY = 0.5
"""Weight from which a cause makes a check that no scenario names fail here."""


def status_of(row: CheckRow, failed: Set[str], unreachable: Set[str], causes: Set[str]) -> Status:
    """Return what a check ends with: as the scenario says, or for a new one as its row says."""
    if row.id in unreachable:
        return "unreachable"
    likely = any(cause in causes and weight >= LIKELY for cause, weight in row.explained_by)
    return "failed" if row.id in failed or (row.id not in NAMED and likely) else "passed"


def run(evidence: Evidence, failing: str, blind: str = "", causes: Set[str] = NONE) -> Diagnosis:
    """Diagnose a run in which `failing` failed and `blind` was unreachable.

    All else passed, except a check that is in no scenario: there the table says what it does under
    these causes, so that a new check needs no line here.
    """
    failed, unreachable = check_ids(failing), check_ids(blind)
    known = {row.id for row in evidence.checks}
    assert failed | unreachable <= known, sorted((failed | unreachable) - known)
    # The canary runs on request: a run has all of its checks, or none.
    sent = any(name.startswith("canary/") for name in failed | unreachable)
    return diagnose(
        evidence,
        [
            Outcome(row.id, status_of(row, failed, unreachable, causes))
            for row in evidence.checks
            if sent or not row.id.startswith("canary/")
        ],
        explain=False,
    )


@pytest.mark.parametrize("name", SINGLES)
def test_a_single_fault_is_ranked_first_and_alone(evidence: Evidence, name: str) -> None:
    """The true cause has 0.8 or more, and is alone in the likeliest set."""
    truth, failing, blind = SINGLES[name]
    diagnosis = run(evidence, failing, blind, {truth})
    ranking = {finding.id: round(finding.probability, 3) for finding in diagnosis.hypotheses}
    assert diagnosis.most_likely_set == (truth,), ranking
    assert diagnosis.hypotheses[0].id == truth, ranking
    assert diagnosis.hypotheses[0].probability >= 0.8, ranking
    assert diagnosis.hypotheses[1].probability < 0.5, ranking
    assert diagnosis.certainty in ("certain", "likely"), ranking
    assert not diagnosis.most_likely_outside, diagnosis.most_likely_outside


@pytest.mark.patient
def test_the_true_cause_has_nine_tenths_on_average(evidence: Evidence) -> None:
    """Over all single faults, its mean probability is at least 0.9."""
    probabilities = []
    for truth, failing, blind in SINGLES.values():
        diagnosis = run(evidence, failing, blind, {truth})
        probabilities += [
            finding.probability for finding in diagnosis.hypotheses if finding.id == truth
        ]
    assert sum(probabilities) / len(probabilities) >= 0.9


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_faults_are_both_accepted(evidence: Evidence, pair: tuple[str, str]) -> None:
    """The likeliest set is exactly the two true causes, each at 0.5 or more."""
    (first, *sides_a), (second, *sides_b) = SINGLES[pair[0]], SINGLES[pair[1]]
    failing, blind = (f"{a} {b}" for a, b in zip(sides_a, sides_b, strict=True))
    diagnosis = run(evidence, failing, blind, {first, second})
    ranking = {finding.id: round(finding.probability, 3) for finding in diagnosis.hypotheses}
    assert set(diagnosis.most_likely_set) == {first, second}, ranking
    assert {finding.id for finding in diagnosis.hypotheses[:2]} == {first, second}, ranking
    assert diagnosis.hypotheses[1].probability >= 0.5, ranking
    assert diagnosis.hypotheses[2].probability < 0.5, ranking


@pytest.mark.parametrize(
    ("probability", "order"), [(0.99, [W, "access_refused"]), (0.7, ["access_refused", W])]
)
def test_the_surest_cause_comes_first(
    evidence: Evidence, probability: float, order: list[str]
) -> None:
    """Also where it is outside the runbook; of two that are as sure, the runbook's."""
    worker = "worker/process_is_running queue/queue_has_a_consumer"
    diagnosis = run(evidence, f"{STUCK} {worker} upload_status/token_is_accepted", "")
    first, *others = diagnosis.hypotheses
    hypotheses = (replace(first, probability=probability), *others)
    accepted = replace(diagnosis, hypotheses=hypotheses).accepted
    assert [cause.id for cause in accepted] == order


def test_nothing_is_certain_beside_a_failure_that_it_hardly_brings_about(
    evidence: Evidence,
) -> None:
    """A dead worker leaves the messages in the queue: where they are gone, something else is."""
    worker = (
        f"{STUCK} worker/process_is_running worker_is_logging queue/queue_has_a_consumer"
        " upload_status/worker_health_is_ok database/jobs_start_promptly queue/backlog_is_bounded"
    )
    assert run(evidence, worker, "").certainty == "certain"
    diagnosis = run(evidence, f"{worker} database/pending_jobs_are_in_the_queue", "")
    assert [cause.id for cause in diagnosis.accepted] == [W]
    assert diagnosis.certainty == "likely"


def test_a_slow_database_leaves_no_timeout_certain(evidence: Evidence) -> None:
    """Where each write is slow each job is: neither the worker nor its jobs are at fault."""
    timeouts = f"{SINGLES['slow-processing'][1]} logs/no_job_ran_out_of_time"
    assert run(evidence, timeouts, "").certainty == "certain"
    assert run(evidence, f"{timeouts} database/no_write_is_slow", "").certainty == "likely"
    held = f"{STUCK} {NOT_STARTING} queue/worker_starts_what_it_holds database/no_write_is_slow"
    assert run(evidence, held, "").certainty == "unclear"


@pytest.mark.parametrize(
    ("check", "others"),
    [("api_is_reachable", "api_answers_promptly metrics_are_served"), ("api_answers_promptly", "")],
)
def test_an_api_that_waits_for_slow_writes_is_not_at_fault(
    evidence: Evidence, check: str, others: str
) -> None:
    """All its connections to the database are in use, so that it answers nobody."""
    silent = "upload_status/api_answers_without_server_error token_is_accepted api_is_ready"
    silent = f"{silent} {others}"
    hung = f"{SINGLES['slow-processing'][1]} logs/no_job_ran_out_of_time upload_status/{check}"
    assert run(evidence, hung, silent).most_likely_outside == ("api_failing",)
    slow = run(evidence, f"{hung} database/no_write_is_slow", silent)
    assert (slow.certainty, slow.most_likely_set) == ("likely", ("processing_timeout",))
    assert not slow.most_likely_outside


def test_jobs_that_an_earlier_worker_left_have_failed_silently(evidence: Evidence) -> None:
    """Their uploads are in `processing`, so none is stuck, and the worker that runs is well."""
    diagnosis = run(
        evidence,
        "signal/no_upload_overstays_processing queue/overdue_jobs_have_a_message",
        "database/jobs_finish_in_time",
    )
    assert [finding.id for finding in diagnosis.accepted] == [F]
    assert diagnosis.certainty == "likely"


def test_a_stored_upload_without_a_job_has_failed_silently(evidence: Evidence) -> None:
    """The API answered between its file and its job, and nothing else is wrong."""
    failing = (
        "signal/no_upload_is_stuck upload_status/uploads_have_left_uploading"
        " logs/upload_transitions_are_logged database/stuck_uploads_have_a_job"
    )
    diagnosis = run(evidence, failing, "upload_status/worker_health_is_ok metrics_are_served")
    assert [finding.id for finding in diagnosis.accepted] == [F]


QUEUE = "queue/overdue_jobs_have_a_message database/pending_jobs_are_in_the_queue"
LEFT = "database/late_jobs_have_a_worker"


@pytest.mark.parametrize(
    ("unseen", "named"),
    [("", ["processing_timeout"]), (f"{QUEUE} {LEFT}", []), (QUEUE, ["processing_timeout"])],
    ids=["each job has its message", "its message was not looked for", "nor its worker"],
)
def test_a_late_job_is_a_timeout_where_somebody_runs_it(
    evidence: Evidence, unseen: str, named: list[str]
) -> None:
    """Else it may be one that its worker dropped: its upload never began to be processed."""
    late = run(evidence, f"{STUCK} database/jobs_finish_in_time", unseen)
    assert [finding.id for finding in late.accepted] == named
    # Where another job was dropped for sure, this one hangs rather than that it was dropped too.
    failing = f"{STUCK} database/jobs_finish_in_time finished_jobs_updated_their_upload"
    both = run(evidence, f"{failing} signal/no_upload_overstays_processing", unseen)
    assert {finding.id for finding in both.accepted} == {F, "processing_timeout"}


def test_an_api_without_an_answer_may_wait_for_a_database_that_nobody_saw(
    evidence: Evidence,
) -> None:
    """It has failed by itself where the database is well."""
    unseen = " ".join(row.id for row in evidence.checks if row.component == "database")
    failing = "upload_status/api_is_reachable"
    assert [one.id for one in run(evidence, failing, NO_API).accepted] == ["api_failing"]
    for signal in ("", NO_DATABASE):
        assert not run(evidence, failing, f"{NO_API} {unseen} {signal}").accepted


def test_a_converter_that_fails_is_hardly_a_storage_problem(evidence: Evidence) -> None:
    """All uploads fail with a reason, after some attempts, and nothing of the storage failed."""
    failing = f"signal/uploads_do_not_all_fail {ERRORS} queue/dead_letters_are_empty"
    diagnosis = run(evidence, failing, NO_CANARY)
    assert diagnosis.certainty == "unclear"
    assert diagnosis.hypotheses[0].probability < 0.5


def test_jobs_whose_statement_the_database_refuses_may_all_fail(evidence: Evidence) -> None:
    """As after a release without its migration: the worker marks each upload as failed."""
    failing = f"signal/uploads_do_not_all_fail {ERRORS} queue/dead_letters_are_empty"
    diagnosis = run(evidence, f"{failing} logs/no_database_access_is_refused", NO_CANARY)
    [cause] = [cause for cause in diagnosis.outside if cause.probability > 0.5]
    assert cause.id == "database_access_refused"
    assert diagnosis.certainty == "outside"


def test_an_upload_that_the_database_stopped_is_no_user_who_gave_up(evidence: Evidence) -> None:
    """Its row was written, and the next statement was refused."""
    failing = OUTSIDE["users gave up half-way"][1]
    refused = f"{ERRORS} logs/no_timeouts_are_logged no_database_access_is_refused"
    diagnosis = run(evidence, f"{failing} {refused}")
    named = [cause.component for cause in diagnosis.outside if cause.probability > 0.5]
    assert named == ["database"]


def test_an_upload_that_storage_stopped_is_no_user_who_gave_up(evidence: Evidence) -> None:
    """The log says that the disk is full, also where nobody looks at the storage."""
    failing = SINGLES["disk-full, and nothing of the stuck uploads arrives"][1]
    storage = " ".join(row.id for row in evidence.checks if row.id.startswith("storage/"))
    diagnosis = run(evidence, failing.replace("storage/disk_space_is_free", ""), storage)
    assert [cause.id for cause in diagnosis.accepted] == [S]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_fault_outside_the_runbook_accuses_no_hypothesis(evidence: Evidence, name: str) -> None:
    """No hypothesis reaches one half, and the component that failed is named."""
    component, failing, blind = OUTSIDE[name]
    diagnosis = run(evidence, failing, blind)
    ranking = {f.id: round(f.probability, 3) for f in (*diagnosis.outside, *diagnosis.hypotheses)}
    assert diagnosis.hypotheses[0].probability < 0.5, ranking
    assert diagnosis.most_likely_set == (), ranking
    assert diagnosis.certainty == "outside", ranking
    assert diagnosis.outside[0].component == component, ranking
    assert diagnosis.unexplained, ranking


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("api-5xx", "api_failing"),
        ("api-slow", "api_failing"),
        ("api-5xx, without health routes, metrics and completed uploads", "api_failing"),
        ("api-down", "api_failing"),
        ("api-down, a log that is written on", "api_failing"),
        ("api-down, without logs", "api_failing"),
        ("database-down", "database_down"),
        ("database-down, an API without health routes", "database_down"),
        ("cut off", "cut_off"),
        ("cut off, with files of this machine", "cut_off"),
    ],
)
def test_an_api_that_fails_is_told_from_what_makes_it_fail(
    evidence: Evidence, name: str, cause: str
) -> None:
    """The API, its database and the network are named apart, each with 0.75 or more."""
    _, failing, blind = OUTSIDE[name]
    outside = run(evidence, failing, blind).outside
    ranking = {finding.id: round(finding.probability, 3) for finding in outside}
    assert outside[0].id == cause, ranking
    assert outside[0].probability >= 0.75, ranking
    assert outside[1].probability < 0.5, ranking


@pytest.mark.parametrize("name", CONTROLS)
def test_a_system_without_a_fault_accuses_no_hypothesis(evidence: Evidence, name: str) -> None:
    """Failures that also occur in a healthy system raise no hypothesis to one half."""
    diagnosis = run(evidence, CONTROLS[name])
    ranking = {finding.id: round(finding.probability, 3) for finding in diagnosis.hypotheses}
    assert diagnosis.hypotheses[0].probability < 0.5, ranking
    assert diagnosis.most_likely_set == (), ranking
    assert diagnosis.certainty in ("none", "unclear"), ranking


def test_servers_that_are_all_down_are_no_gone_network(evidence: Evidence) -> None:
    """After a reboot each refuses its connection, and so its machine is there."""
    diagnosis = run(evidence, REACH, f"{NO_API} {NO_DATABASE} {NO_BROKER}")
    probabilities = {finding.id: finding.probability for finding in diagnosis.causes}
    assert probabilities["database_down"] > 0.9, probabilities
    assert probabilities["queue_blocked"] > 0.5, probabilities
    assert probabilities["cut_off"] < 0.05, probabilities


def without_a_broker(failing: str, evidence: Evidence) -> list[Outcome]:
    """The outcomes of a worker that takes its jobs from the table, with a log in another's."""
    failed = check_ids(failing)
    unseen = check_ids(
        "worker/worker_is_logging logs/worker_starts_once signal/uploading_gauge_is_low"
        " upload_status/worker_health_is_ok metrics_are_served stuck_uploads_have_an_alert"
        " database/pending_jobs_are_in_the_queue"
    )

    def status(check: str) -> Status:
        if check in unseen or check.startswith("queue/"):
            return "skipped"
        return "failed" if check in failed else "passed"

    checks = [row.id for row in evidence.checks if not row.id.startswith("canary/")]
    return [Outcome(check, status(check)) for check in checks]


def test_a_queue_that_is_not_there_blocks_nothing(evidence: Evidence) -> None:
    """A worker that takes its jobs from the table and takes none is down, where that is known."""
    failing = f"{STUCK} signal/uploads_are_completing database/jobs_start_promptly"
    outcomes = without_a_broker(failing, evidence)
    assert diagnose(evidence, outcomes).certainty == "unclear"
    diagnosis = diagnose(evidence.without(["queue"], outcomes), outcomes)
    assert (diagnosis.certainty, diagnosis.most_likely_set) == ("certain", (W,))
    assert {finding.id: finding.probability < 0.001 for finding in diagnosis.hypotheses}[Q]


def test_workers_that_do_not_keep_up_are_not_down(evidence: Evidence) -> None:
    """Each job takes its usual time, and there are too many: a restart would change nothing."""
    failing = f"{STUCK} database/jobs_start_promptly workers_keep_up"
    outcomes = without_a_broker(failing, evidence)
    diagnosis = diagnose(evidence.without(["queue"], outcomes), outcomes)
    assert [finding.id for finding in diagnosis.accepted] == ["processing_timeout"]
    assert diagnosis.certainty == "likely"


def test_a_frozen_worker_leaves_its_own_transaction_open(evidence: Evidence) -> None:
    """What it has locked is locked by it: no other program holds the tables."""
    diagnosis = run(evidence, f"{SINGLES['worker-frozen'][1]} database/no_lock_blocks_uploads")
    assert diagnosis.most_likely_set == (W,)
    assert not diagnosis.most_likely_outside


def test_a_worker_whose_jobs_all_hang_is_not_down(evidence: Evidence) -> None:
    """The other jobs wait for those that run too long: that they wait is no second sign."""
    failing = (
        f"{STUCK} signal/no_upload_overstays_processing processing_time_is_normal"
        " uploads_are_completing database/jobs_start_promptly no_job_was_passed_over"
        " jobs_finish_in_time"
    )
    outcomes = without_a_broker(failing, evidence)
    for model in (evidence, evidence.without(["queue"], outcomes)):
        assert diagnose(model, outcomes).most_likely_set == (T,)


def test_an_unreachable_host_accuses_no_hypothesis(evidence: Evidence) -> None:
    """The host is named as a component, and no hypothesis moves."""
    diagnosis = run(evidence, "hosts/host_is_reachable")
    assert diagnosis.certainty == "outside"
    assert [item.component for item in diagnosis.unexplained] == ["host"]
    assert diagnosis.hypotheses[0].probability < 0.05


def test_a_canary_that_is_not_removed_accuses_no_hypothesis(evidence: Evidence) -> None:
    """The component is the API."""
    diagnosis = run(evidence, "canary/canary_is_removed")
    assert diagnosis.certainty == "outside"
    assert [item.component for item in diagnosis.unexplained] == ["api"]
    assert diagnosis.hypotheses[0].probability < 0.05


def test_a_canary_that_a_proxy_refuses_accuses_no_hypothesis(evidence: Evidence) -> None:
    """It says nothing of the storage; an API that is down behind the proxy stays certain."""
    refused = "canary/upload_is_accepted no_proxy_refuses_the_upload"
    diagnosis = run(evidence, refused, AFTER_REFUSED)
    assert diagnosis.hypotheses[0].probability < 0.05
    assert "canary/no_proxy_refuses_the_upload" in {item.check for item in diagnosis.unexplained}
    _, failing, blind = OUTSIDE["api-5xx"]
    diagnosis = run(evidence, f"{failing} {refused}", f"{blind} {AFTER_REFUSED}")
    assert [one.component for one in diagnosis.outside if one.probability > 0.9] == ["api"]


@pytest.mark.parametrize("name", ["worker-killed", "disk-full", "healthy"])
def test_a_new_check_needs_no_line_here(evidence: Evidence, name: str) -> None:
    """It fails where its row says so, and so speaks for the true cause there and nowhere else."""
    row = CheckRow("queue/a_new_one", 4, "cause", "queue", ((W, 0.9),), 0.01)
    more = replace(evidence, checks=(*evidence.checks, row))
    truth, failing, blind = SINGLES.get(name, ("", "", ""))
    before, after = (run(table, failing, blind, {truth}) for table in (evidence, more))
    assert after.most_likely_set == before.most_likely_set
    probability = next(one.probability for one in after.hypotheses if one.id == W)
    old = next(one.probability for one in before.hypotheses if one.id == W)
    assert (probability > old) is (truth == W)


def test_without_a_queue_a_dead_worker_is_still_found(evidence: Evidence) -> None:
    """A Veza that works from its job table alone skips the queue's checks."""
    failing = check_ids(SINGLES["worker-killed"][1])
    results = [
        Outcome(
            row.id,
            "skipped"
            if row.id.startswith("queue/") or row.id == "database/pending_jobs_are_in_the_queue"
            else "failed"
            if row.id in failing
            else "passed",
        )
        for row in evidence.checks
    ]
    diagnosis = diagnose(evidence, results)
    assert diagnosis.most_likely_set == (W,)
    assert diagnosis.hypotheses[0].probability >= 0.9


QUEUE_CHECKS = """
    queue/broker_is_reachable broker_has_no_alarm clients_are_connected queue_exists
    queue_has_a_consumer backlog_is_bounded deliveries_are_acknowledged deliveries_reach_the_worker
    worker_starts_what_it_holds no_consumer_keeps_messages overdue_jobs_have_a_message
    taken_messages_start_jobs queue_is_draining dead_letters_are_empty messages_do_not_expire
    database/pending_jobs_are_in_the_queue
"""


@pytest.mark.parametrize(
    ("failing", "blind", "cause"),
    [
        (
            "worker/process_is_running queue/queue_has_a_consumer",
            "worker/process_is_responsive process_is_settled expected_count_is_running",
            W,
        ),
        (
            "worker/process_is_responsive",
            "worker/worker_is_logging logs/worker_activity_is_logged",
            W,
        ),
        ("queue/broker_is_reachable", QUEUE_CHECKS, Q),
        ("queue/queue_exists", QUEUE_CHECKS, Q),
        ("storage/directory_exists", "", S),
        ("storage/inodes_are_free", "", S),
    ],
)
def test_a_cause_is_named_while_nobody_uploads(
    evidence: Evidence, failing: str, blind: str, cause: str
) -> None:
    """At night nothing is stuck and nothing waits: that says nothing against a dead worker."""
    health = "upload_status/worker_health_is_ok broker_accepts_the_application"
    failed, unreachable = check_ids(failing), check_ids(f"{blind} {health}")
    results = [
        Outcome(row.id, status_of(row, failed, unreachable - failed, NONE))
        for row in evidence.checks
        if not row.id.startswith("canary/")
    ]
    at_night = diagnose(evidence, results, zero={"uploads_completed"})
    assert [finding.id for finding in at_night.accepted] == [cause]
    by_day = {finding.id: finding.probability for finding in diagnose(evidence, results).causes}
    assert by_day[cause] < next(f.probability for f in at_night.causes if f.id == cause)
