"""A worker is told from those who look for one."""

from __future__ import annotations

import pytest

from fixtures.probes.host.processes import Process, Running, Uptime, is_looker, read_etime


@pytest.mark.parametrize(
    "args",
    [
        "grep job.*worker",
        "/usr/bin/rg worker",
        "tail -f /var/log/veza-worker/upload.log",
        "vi job_worker.py",
        "less /var/log/job-worker.log",
        "sh -c ps aux | grep job.*worker",
        "/bin/bash -lc job-worker --upload",
        "-bash -c job-worker",
        "ssh host systemctl restart job-worker",
        "sshd: job-worker@pts/0",
        "/venv/bin/python3 -m pytest -k worker or upload",
        "python /venv/bin/pytest worker_upload",
        "timeout -k 1 5 sh -c job worker",
        "sudo systemctl restart job-worker",
        "ffmpeg -i /srv/veza-worker/uploads/7f.wav",
        "/usr/bin/ffprobe /srv/veza-worker/uploads/7f.wav",
        "sox /srv/veza-worker/uploads/7f.wav -n stat",
        "",
    ],
)
def test_lookers_are_no_worker(args: str) -> None:
    """Who searches, shows, edits or wraps a worker is none, whatever its command line holds."""
    assert is_looker(args)


@pytest.mark.parametrize(
    "args",
    [
        "/opt/veza/job-worker --upload",
        "python -m lab.job_worker --dir /tmp/lab",
        "sh /opt/veza/job-worker.sh -c",
        "[job-worker-uplo] <defunct>",
        "node worker.js upload",
    ],
)
def test_workers_are_workers(args: str) -> None:
    """A program, a module, a script and a zombie are what they are."""
    assert not is_looker(args)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:07", 7), ("01:02:03", 3723), ("2-00:00:01", 172_801), ("90:00", 5400), ("42", 42)],
)
def test_elapsed_time_is_read(text: str, seconds: int) -> None:
    """ps's elapsed time, in each of its forms, becomes seconds."""
    assert read_etime(text) == seconds


def test_settled_means_every_one() -> None:
    """One young process is enough to be unsettled, and the sentence names it."""
    uptime = Uptime((Process("h", 2, 1, "S", 3.0, "x"), Process("h", 3, 1, "S", 900.0, "x")))
    assert not uptime.all_longer_than(30)
    assert "process 2 on h" in str(uptime)


def test_none_running_is_said() -> None:
    """Where nothing matches, the sentence has pattern and hosts."""
    assert str(Running("job.*worker", ("a", "b"), ())) == (
        "no running process matches /job.*worker/ on a, b"
    )
