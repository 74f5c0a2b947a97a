"""The commands of cron and systemd, run with their environment and their sandbox."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.receiver import ReceivedRequest, Receiver
from tests.deploy.tools import DEPLOY, ROOT, call

if TYPE_CHECKING:
    from lab.state import Lab

SERVICE = (DEPLOY / "systemd/veza-checks@.service").read_text()


@pytest.fixture
def machine(lab: Lab, tmp_path: Path) -> Path:
    """A machine's folders `etc` and `var`, with the lab as the target `live`."""
    for name in ("etc", "var"):
        (tmp_path / name).mkdir()
    text = (lab.directory / "targets.toml").read_text().replace("[targets.lab", "[targets.live")
    # The secret comes from the environment file, as on live.
    text = text.replace(f'token = "{lab.passwords.token}"', 'token = "env:VEZA_LIVE_TOKEN"')
    (tmp_path / "etc/targets.toml").write_text(text)
    environment = (
        f"VEZA_LIVE_TOKEN='{lab.passwords.token}'\nVEZA_PYTHON='{sys.executable}'\n"
        # One look: a lab that another test has healed may be at risk for some minutes.
        "VEZA_LOOK_AGAIN=0\n"
    )
    (tmp_path / "etc/environment").write_text(environment)
    return tmp_path


def with_test_folders(text: str, machine: Path) -> str:
    """Return a scheduler's line with this test's folders instead of the machine's."""
    for folder, replacement in (
        ("/opt/veza-checks", ROOT),
        ("/etc/veza-checks", machine / "etc"),
        ("/var/lib/veza-checks", machine / "var"),
    ):
        text = text.replace(folder, str(replacement))
    return text


def cron_job(machine: Path) -> tuple[dict[str, str], str]:
    """Return the environment and the command of the cron job."""
    lines = with_test_folders((DEPLOY / "cron/veza-checks").read_text(), machine).splitlines()
    pairs = (re.fullmatch(r"([A-Z_]+)=(.*)", line) for line in lines)
    environ = {pair[1]: pair[2] for pair in pairs if pair}
    (command,) = [line for line in lines if line.startswith("*/5")]
    # The default of VEZA_OUT is a folder of the machine.
    return environ | {"VEZA_OUT": str(machine / "var")}, command.split(None, 6)[6]


def read_report(machine: Path) -> dict[str, Any]:
    """Return the report of the run."""
    report: dict[str, Any] = json.loads((machine / "var/live/upload_stuck/report.json").read_text())
    return report


def test_the_cron_job_checks_the_target(machine: Path) -> None:
    """With cron's environment and shell it reads its secrets, writes its report, prints nothing."""
    environ, command = cron_job(machine)
    done = call([environ["SHELL"], "-c", command], environ)
    output = (machine / "var/live.txt").read_text()
    report = read_report(machine)
    assert done.stdout == ""
    assert (done.returncode == 0) == (report["state"] == "healthy"), output
    assert "database/database_is_reachable" in json.dumps(report)
    assert report["target"]["name"] == "live"


def test_a_missing_targets_file_is_an_error(machine: Path) -> None:
    """Without its targets file the cron job fails with one sentence and writes no report."""
    (machine / "etc/targets.toml").unlink()
    environ, command = cron_job(machine)
    done = call([environ["SHELL"], "-c", command], environ)
    assert done.returncode == 4
    assert "copy targets.example.toml there" in (machine / "var/live.txt").read_text()
    assert not (machine / "var/live/upload_stuck/report.json").exists()


@pytest.mark.parametrize("words", [(), ("--help",), ("-v", "live")])
def test_a_run_needs_a_target(words: tuple[str, ...]) -> None:
    """`run` without a target prints its usage; an option first is none."""
    done = call([DEPLOY / "run", *words])
    assert done.returncode == 4
    assert done.stdout == "usage: deploy/run TARGET [OPTION...]\n"


def test_a_run_without_its_python_is_a_sentence() -> None:
    """Where the checks are not installed, the schedule's log says what to do."""
    done = call([DEPLOY / "run", "staging"], os.environ | {"VEZA_PYTHON": "/nowhere/python"})
    assert done.returncode == 4
    assert "install the checks in " in done.stdout


@pytest.mark.parametrize("several", ["all", "staging,live"])
def test_a_schedule_has_one_target(several: str) -> None:
    """Alerts, metrics and the look again are of one target: several would have none of them."""
    done = call([DEPLOY / "run", several])
    assert done.returncode == 4
    assert "give each a schedule of its own" in done.stdout


def call_read_only(writable: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command without privileges that can write to one folder only."""
    unshare, setpriv = shutil.which("unshare"), shutil.which("setpriv")
    if os.geteuid() != 0 or unshare is None or setpriv is None:
        pytest.skip("a read-only file system needs root, unshare and setpriv")
    inner = (
        f"mount --bind {shlex.quote(writable)} {shlex.quote(writable)} && "
        # As PrivateTmp=yes does, but not for /tmp: it holds this test's folders.
        "mount -t tmpfs none /var/tmp && mount -o remount,bind,ro / && "
        f"exec {setpriv} --no-new-privs --bounding-set=-all --inh-caps=-all sh -c "
        + shlex.quote(command)
    )
    done = call([unshare, "--mount", "sh", "-c", inner])
    if "mount:" in done.stdout:
        pytest.skip(f"this machine allows no mount: {done.stdout.strip()[:100]}")
    return done


def test_the_service_writes_to_its_own_directory_only(machine: Path) -> None:
    """The command of the systemd service writes its report with all else read-only."""
    exec_start = re.search(r"^ExecStart=(.*)$", SERVICE, re.MULTILINE)
    assert exec_start
    start = with_test_folders(exec_start[1].replace("%i", "live"), machine)
    # The lab's storage is a file system of its own and stays writable.
    command = (
        f"set -a; . {machine}/etc/environment; VEZA_TARGETS_FILE={machine}/etc/targets.toml "
        f"VEZA_OUT={machine}/var; touch {ROOT}/never 2>/dev/null && exit 99; exec {start}"
    )
    done = call_read_only(str(machine / "var"), command)
    assert done.returncode != 99, "the file system was not read-only"
    assert (done.returncode == 0) == (read_report(machine)["state"] == "healthy"), done.stdout


@pytest.mark.parametrize("named", ["all", "upload_stuck, login_fails"])
def test_each_of_several_runbooks_is_told(machine: Path, named: str) -> None:
    """One call runs them one after the other, and the metrics of each are pushed."""
    environ, command = cron_job(machine)
    with Receiver() as receiver:
        environ |= {"VEZA_RUNBOOK": named, "PUSHGATEWAY_URL": f"http://{receiver.address}"}
        call([environ["SHELL"], "-c", command], environ)
        paths = sorted(request.path for request in receiver.requests)
    output = (machine / "var/live.txt").read_text()
    group = "/metrics/job/veza_checks/target/live/runbook"
    assert paths == [f"{group}/login_fails", f"{group}/upload_stuck"], output
    assert "live, login_fails: " in output
    assert "live, upload_stuck: " in output


def test_a_run_by_hand_names_itself_in_the_report(machine: Path) -> None:
    """It has the schedule's environment, and the report's command to look again starts it again."""
    if os.geteuid() != 0:
        pytest.skip("su asks everybody but root for a password")
    with (machine / "etc/environment").open("a") as file:
        file.write(f"VEZA_CHECKS_COMMAND=veza-checks\nVEZA_OUT='{machine}/var'\n")
    script = with_test_folders((DEPLOY / "veza-checks").read_text(), machine)
    as_root = script.replace("' veza-checks -- ", "' root -- ")
    assert as_root != script
    done = call(["sh", "-c", as_root, "veza-checks", "live", "-v"])
    report = read_report(machine)
    assert report["target"]["command"] == "veza-checks live"
    assert "details: veza-checks live -v" in done.stdout
    assert (done.returncode == 0) == (report["state"] == "healthy"), done.stdout


@pytest.fixture
def refused(machine: Path) -> Path:
    """The token file of a target whose API refuses the token, until somebody writes another."""
    token = machine / "etc/token"
    token.write_text("wrong")
    token.chmod(0o600)
    targets = machine / "etc/targets.toml"
    text = targets.read_text().replace('"env:VEZA_LIVE_TOKEN"', '"file:token"')
    assert 'token = "file:token"' in text
    targets.write_text(text)
    return token


def call_run(machine: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `deploy/run live` with the environment of a schedule."""
    environ = {
        "PATH": os.environ["PATH"],
        "VEZA_PYTHON": sys.executable,
        "VEZA_TARGETS_FILE": str(machine / "etc/targets.toml"),
        "VEZA_OUT": str(machine / "var"),
    }
    return call([DEPLOY / "run", "live"], environ | more)


def test_an_unhealthy_target_is_looked_at_again(machine: Path, refused: Path, lab: Lab) -> None:
    """Until the fault is repaired, here by what receives the first look's heartbeat."""
    with Receiver() as receiver:

        def repair(_request: ReceivedRequest) -> tuple[int, str]:
            refused.write_text(lab.passwords.token)
            return 200, ""

        receiver.answer = repair
        done = call_run(
            machine,
            VEZA_LOOK_AGAIN="1",
            VEZA_LOOK_UNTIL="150",
            HEARTBEAT_URL=f"http://{receiver.address}/ping",
        )
    assert "API access refused" in done.stdout
    assert len(receiver.requests) > 1, done.stdout
    report = read_report(machine)
    assert "refuses the token" not in json.dumps(report)
    assert (done.returncode == 0) == (report["state"] == "healthy"), done.stdout


def test_it_stops_in_time_for_the_next_start(machine: Path, refused: Path) -> None:
    """No look begins that would end too late, and the status is that of the last one."""
    done = call_run(machine, VEZA_LOOK_AGAIN="1", VEZA_LOOK_UNTIL="1", VEZA_INDEX="1")
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("report.html") == 1, done.stdout
    (row,) = json.loads((machine / "var/index.json").read_text())["rows"]
    assert row["headline"] == read_report(machine)["headline"]


def test_a_wrong_time_is_refused() -> None:
    """With one sentence, before anything runs."""
    environ = os.environ | {"VEZA_PYTHON": sys.executable, "VEZA_LOOK_AGAIN": "1min"}
    done = call([DEPLOY / "run", "live"], environ)
    assert done.returncode == 4
    assert "whole seconds, not '1min'" in done.stdout
