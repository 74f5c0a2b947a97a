"""The worker's processes: which command lines are workers, and the sentences about them."""

from __future__ import annotations

import pytest

from fixtures.probes.host.processes import (
    Process,
    Running,
    Uptime,
    WorkerCount,
    is_tool,
    parse_etime,
)


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
        "su veza -c job_worker --upload",
        "runuser -u veza -- job-worker",
        "flock -n /run/job-worker.lock job-worker",
        "/sbin/tini -- python -m job_worker",
        "/usr/bin/dumb-init job-worker",
        "/sbin/docker-init -- python -m job_worker",
        "/usr/bin/catatonit -- job-worker",
        "/usr/bin/conmon --api-version 1 -n job-worker",
        "node /usr/lib/node_modules/.bin/nodemon worker.js upload",
        "air -c job-worker.toml",
        "reflex -r [.]go$ -- job-worker",
        "runsv job-worker",
        "s6-supervise job-worker",
        "supervise job-worker",
        "supervise-daemon job-worker --start /opt/veza/job-worker",
        "svlogd -tt /var/log/job-worker",
        "logger -t job-worker",
        "",
    ],
)
def test_a_tool_is_not_a_worker(args: str) -> None:
    """A program that searches, shows, edits or wraps a worker is a tool."""
    assert is_tool(args)


@pytest.mark.parametrize(
    "args",
    [
        "/opt/veza/job-worker --upload",
        "python -m lab.job_worker --dir /tmp/lab",
        "sh /opt/veza/job-worker.sh -c",
        "[job-worker-uplo] <defunct>",
        "node worker.js upload",
        "/opt/veza/job-worker-supervisor --in-process",
    ],
)
def test_a_worker_is_not_a_tool(args: str) -> None:
    """A program, a module, a script and a zombie may be workers."""
    assert not is_tool(args)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:07", 7), ("01:02:03", 3723), ("2-00:00:01", 172_801), ("90:00", 5400), ("42", 42)],
)
def test_elapsed_time_is_parsed(text: str, seconds: int) -> None:
    """Each form of ps's elapsed time becomes seconds."""
    assert parse_etime(text) == seconds


def test_one_young_process_is_enough_to_fail() -> None:
    """The sentence names the youngest process."""
    uptime = Uptime((Process("h", 2, 1, "S", 3.0, "x"), Process("h", 3, 1, "S", 900.0, "x")))
    assert not uptime.all_longer_than(30)
    assert str(uptime) == (
        "process 2 on h, the youngest of 2 worker processes, has been up for 3.0 s"
    )


def test_the_sentence_has_pattern_and_hosts() -> None:
    """Without a match, and with some."""
    assert str(Running("job.*worker", ("a", "b"), ())) == (
        "no running process matches /job.*worker/ on a, b; "
        "if the worker runs under another name, correct [worker] pattern"
    )
    running = Running("w", ("h",), tuple(Process("h", n, 1, "S", 9.0, "x") for n in range(1, 6)))
    assert str(running) == (
        "5 processes match /w/ on h: x (pid 1), x (pid 2), x (pid 3) and 2 more"
    )


@pytest.mark.parametrize(
    "text",
    ["", "-", "-5", "--1", "1--2", ":", "1:2:3:4", "9" * 5000, "40000-00:00:00", "0x1f", "nan"],
)
def test_an_impossible_elapsed_time_is_none(text: str) -> None:
    """A text that is no time, a negative time and more than a century have no seconds."""
    assert parse_etime(text) is None


def test_missing_workers_are_counted() -> None:
    """The sentence has both numbers, and the processes that run."""
    one = (Process("h", 2, 1, "S", 3.0, "job-worker"),)
    assert WorkerCount(1, one).is_reached
    assert not WorkerCount(2, one).is_reached
    assert str(WorkerCount(2, one)) == (
        "1 worker process runs of 2 expected: job-worker (pid 2);"
        " start what is missing, or correct [worker] count"
    )
    assert str(WorkerCount(1, one)) == "1 worker process runs of 1 expected: job-worker (pid 2)"
