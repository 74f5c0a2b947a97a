"""The case `hosts`: storage, logs and worker on many ssh hosts, all names of one sshd.

The sshd runs on the same cores. What it takes, and how long these were idle, tells whether they
are saturated, and by what.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from bench.speed.ssh_hosts import ssh_hosts
from bench.speed.timed import CELLS, head, lab, row, suite, take_turns, targets_of_lab

NUMBERS = (1, 5, 20, 100)
LOCAL = re.compile(r'(\[targets\.lab\.(?:storage|logs|worker)\]\nhosts = )\["local://"\]')


def measure(runs: int) -> None:
    """Print a row for each number of hosts."""
    head("hosts", "state", *CELLS, "of one host's time", "sshd's processor", "idle cores")
    with lab() as (folder, _):
        text = targets_of_lab(folder)
        base = None
        for number in NUMBERS:
            with ssh_hosts(folder / "ssh", number) as (specs, table, sshd):
                hosts = LOCAL.sub(rf"\g<1>{json.dumps(specs)}", text)
                (folder / "targets.toml").write_text(f"{hosts}\n[targets.lab.ssh]\n{table}")
                timed = suite(f"{number} hosts", folder, "--budget=240s")
                before = processor_of(sshd), *idle_and_all()
                take_turns([timed], runs)
                after = processor_of(sshd), *idle_and_all()
            base = base or timed
            served, idle, every = (b - a for a, b in zip(before, after, strict=True))
            share = f"{100 * idle / every:.0f} %"
            # With the first run, whose time does not count.
            sshd_cell = f"{served / (runs + 1):.2f} s"
            row(str(number), timed.state, *timed.cells(base), sshd_cell, share)


def processor_of(pid: int) -> float:
    """Return the processor seconds of a process and its children that have ended (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def idle_and_all() -> tuple[int, int]:
    """Return the ticks in which the machine's cores were idle, and all (proc(5))."""
    line = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    ticks = [int(field) for field in line.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
