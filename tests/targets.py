"""Targets files for the tests: with every table, with as little as possible, and small ones."""

from __future__ import annotations

from pathlib import Path

FULL = """
default_target = "full"

[targets.full]
environment = "staging"
allow_writes = true
budget = "90 s"

[targets.full.api]
url = "https://veza.example"
token = "env:TOKEN"
status_path = "/api/v1/uploads/{upload_id}/status"
timeout = "5 s"

[targets.full.database]
dsn = "env:DSN"
uploads_table = "uploads"
job_type = "process_upload"

[targets.full.queue]
url = "env:AMQP"
management_url = "env:MANAGEMENT"
name = "process_upload"
dead_letter = "process_upload.dead"

[targets.full.storage]
path = "/var/veza/uploads"
service_user = "veza"
hosts = ["ssh://monitor@web-1", "ssh://monitor@web-2"]

[targets.full.logs]
files = ["/var/log/veza/*.log"]
hosts = ["ssh://monitor@web-1"]

[targets.full.worker]
pattern = "job.*worker"
log_files = ["/var/log/veza-worker/*.log"]
hosts = ["kubectl://veza-worker?namespace=veza"]

[targets.full.prometheus]
url = "https://prometheus.example"
token = "env:PROMETHEUS"

[targets.full.canary]
delete_path = "/api/v1/tracks/{track_id}"
file_field = "file"
deadline = "20 s"

[targets.full.actions]
hosts = ["ssh://fixer@web-1"]
dsn = "env:FIXER_DSN"
rows_max = 50

[targets.full.ssh]
config_file = "/etc/veza-checks/ssh_config"

[targets.full.runbook]
service = "veza-backend-api"

[targets.full.thresholds]
stuck_after = "12 min"
backlog_max = 200
log_scan_max = "32 MiB"
disk_free_min = "5 GiB"
subjects_max = 10
"""

ENVIRON = {
    "TOKEN": "t0ken-of-full",
    "DSN": "postgresql://monitor:hunter22@db.example/veza",
    "AMQP": "amqp://monitor:s3cr%40t@mq.example/veza",
    "PROMETHEUS": "t0ken-of-prometheus",
    "MANAGEMENT": "https://monitor:s3cr%40t@mq.example:15671",
}
"""What FULL takes from the environment."""

MINIMAL = """
[targets.minimal]
environment = "live"

[targets.minimal.storage]
path = "/var/veza/uploads"
"""


def api_target(name: str, url: str, token: str = "swordfish", **more: str) -> str:
    """Return a target that has an API alone; `more` are further keys of its table."""
    keys = "".join(f'{key} = "{value}"\n' for key, value in {"token": token, **more}.items())
    return f'''
[targets.{name}]
environment = "staging"

[targets.{name}.api]
url = "{url}"
{keys}'''


def storage_target(name: str, path: Path) -> str:
    """Return a target that has a folder of uploads alone."""
    return f'''
[targets.{name}]
environment = "staging"

[targets.{name}.storage]
path = "{path}"
service_user = "root"
'''
