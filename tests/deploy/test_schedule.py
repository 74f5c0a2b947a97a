"""What a scheduler starts, as it would: a bare environment, a closed file system."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.tools import DEPLOY, ROOT, call

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from lab.state import Lab

SERVICE = (DEPLOY / "systemd/veza-checks@.service").read_text()


@pytest.fixture
def place(lab: Lab, tmp_path: Path) -> Path:
    """A machine's folders, `etc` and `var`, with the lab as the target `live`."""
    for name in ("etc", "var"):
        (tmp_path / name).mkdir()
    text = (lab.directory / "targets.toml").read_text().replace("[targets.lab", "[targets.live")
    # The secret comes from the environment's file, as on live.
    text = text.replace(f'token = "{lab.passwords.token}"', 'token = "env:VEZA_LIVE_TOKEN"')
    (tmp_path / "etc/targets.toml").write_text(text)
    environment = f"VEZA_LIVE_TOKEN='{lab.passwords.token}'\nVEZA_PYTHON='{sys.executable}'\n"
    (tmp_path / "etc/environment").write_text(environment)
    return tmp_path


def moved(text: str, place: Path) -> str:
    """Return a scheduler's line with the folders of this test for those of a machine."""
    for given, ours in (
        ("/opt/veza-checks", ROOT),
        ("/etc/veza-checks", place / "etc"),
        ("/var/lib/veza-checks", place / "var"),
    ):
        text = text.replace(given, str(ours))
    return text


def cron_job(place: Path) -> tuple[dict[str, str], str]:
    """The environment that cron gives its command, and the command."""
    lines = moved((DEPLOY / "cron/veza-checks").read_text(), place).splitlines()
    pairs = (re.fullmatch(r"([A-Z_]+)=(.*)", line) for line in lines)
    environ = {pair[1]: pair[2] for pair in pairs if pair}
    (command,) = [line for line in lines if line.startswith("*/5")]
    # What VEZA_OUT has by default is a folder of the machine.
    return environ | {"VEZA_OUT": str(place / "var")}, command.split(None, 6)[6]


def report(place: Path) -> dict[str, Any]:
    """The report of the run, which must be there."""
    found: dict[str, Any] = json.loads((place / "var/live/report.json").read_text())
    return found


def test_cron_s_line_looks_at_the_target(place: Path) -> None:
    """With cron's environment and shell it reads its secrets, writes its report, prints nothing."""
    environ, command = cron_job(place)
    done = call([environ["SHELL"], "-c", command], environ)
    said = (place / "var/live.txt").read_text()
    assert done.stdout == ""
    assert (done.returncode == 0) == (report(place)["state"] == "healthy"), said
    assert "database/database_is_reachable" in json.dumps(report(place))
    assert report(place)["target"]["name"] == "live"


def test_a_lost_configuration_is_no_success(place: Path) -> None:
    """Without its targets file the line fails with one sentence, and writes no report."""
    (place / "etc/targets.toml").unlink()
    environ, command = cron_job(place)
    done = call([environ["SHELL"], "-c", command], environ)
    assert done.returncode == 4
    assert "copy targets.example.toml there" in (place / "var/live.txt").read_text()
    assert not (place / "var/live/report.json").exists()


def test_a_run_needs_a_target() -> None:
    """`run` by itself says how it is called."""
    done = call([DEPLOY / "run"])
    assert done.returncode != 0
    assert "usage: deploy/run TARGET" in done.stdout


def closed(place: Path, writable: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with every file system read-only but one folder, gaining no rights."""
    unshare, setpriv = shutil.which("unshare"), shutil.which("setpriv")
    if os.geteuid() != 0 or unshare is None or setpriv is None:
        pytest.skip("closing the file system needs root, unshare and setpriv")
    inner = (
        f"mount --bind {shlex.quote(writable)} {shlex.quote(writable)} && "
        # As PrivateTmp=yes does; /tmp itself holds this test's folders.
        "mount -t tmpfs none /var/tmp && mount -o remount,bind,ro / && "
        f"exec {setpriv} --no-new-privs --bounding-set=-all --inh-caps=-all sh -c "
        + shlex.quote(command)
    )
    done = call([unshare, "--mount", "sh", "-c", inner])
    if "mount:" in done.stdout:
        pytest.skip(f"this machine mounts nothing: {done.stdout.strip()[:100]}")
    return done


def test_the_service_s_command_needs_no_more_than_its_own_directory(place: Path) -> None:
    """What systemd starts writes its report with all the rest of the file system closed."""
    found = re.search(r"^ExecStart=(.*)$", SERVICE, re.MULTILINE)
    assert found
    start = moved(found[1].replace("%i", "live"), place)
    # The lab's own storage is a file system by itself, and stays as it is mounted.
    command = (
        f"set -a; . {place}/etc/environment; VEZA_TARGETS_FILE={place}/etc/targets.toml "
        f"VEZA_OUT={place}/var; touch {ROOT}/never 2>/dev/null && exit 99; exec {start}"
    )
    done = closed(place, str(place / "var"), command)
    assert done.returncode != 99, "the file system was not closed"
    assert (done.returncode == 0) == (report(place)["state"] == "healthy"), done.stdout
