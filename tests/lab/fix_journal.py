"""A systemd journal of the tests' own, and a journalctl that reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

REMOTE = Path("/lib/systemd/systemd-journal-remote")
UNIT = "veza-backend-api"


class MadeJournal:
    """Writes real journal files into a folder; `journalctl` on the PATH reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written = 0

    def write(self, entries: Sequence[tuple[float, str]], unit: str = UNIT) -> None:
        """Add entries of a unit, each with its age in seconds; the oldest first."""
        export = b""
        for age, message in entries:
            self._written += 1
            fields = {
                "__REALTIME_TIMESTAMP": int((time.time() - age) * 1e6),
                "__MONOTONIC_TIMESTAMP": self._written,
                "_BOOT_ID": "0123456789abcdef0123456789abcdef",
                "_SYSTEMD_UNIT": f"{unit}.service",
                "_HOSTNAME": "web1",
                "SYSLOG_IDENTIFIER": unit,
                "_PID": 77,
            }
            export += "".join(f"{key}={value}\n" for key, value in fields.items()).encode()
            text = message.encode()
            export += b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n\n"
        subprocess.run(
            [REMOTE, "-o", self.folder / f"made-{self._written}.journal", "-"],
            input=export,
            check=True,
            capture_output=True,
        )


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeJournal:
    """An empty journal, which journalctl reads instead of this machine's."""
    journalctl = shutil.which("journalctl")
    if journalctl is None or not REMOTE.exists():
        if os.environ.get("VEZA_REQUIRE_JOURNAL"):
            pytest.fail("systemd-journal-remote is not installed")
        pytest.skip("no journal can be made here: apt-get install systemd-journal-remote")
    folder = tmp_path / "journal"
    folder.mkdir()
    programs = tmp_path / "programs"
    programs.mkdir()
    shim = programs / "journalctl"
    shim.write_text(f'#!/bin/sh\nexec {journalctl} -D {folder} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return MadeJournal(folder)
