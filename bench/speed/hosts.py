"""The case `hosts`: storage, logs and worker on many ssh hosts, all names of one sshd."""

from __future__ import annotations

import json
import re

from bench.speed.ssh_hosts import ssh_hosts
from bench.speed.timed import CELLS, head, lab, row, suite, take_turns, targets_of_lab

NUMBERS = (1, 5, 20, 100)
LOCAL = re.compile(r'(\[targets\.lab\.(?:storage|logs|worker)\]\nhosts = )\["local://"\]')


def measure(runs: int) -> None:
    """Print a row for each number of hosts."""
    head("hosts", "state", *CELLS, "of one host's time")
    with lab() as (folder, _):
        text = targets_of_lab(folder)
        base = None
        for number in NUMBERS:
            with ssh_hosts(folder / "ssh", number) as (specs, table):
                hosts = LOCAL.sub(rf"\g<1>{json.dumps(specs)}", text)
                (folder / "targets.toml").write_text(f"{hosts}\n[targets.lab.ssh]\n{table}")
                timed = suite(f"{number} hosts", folder, "--budget=240s")
                take_turns([timed], runs)
            base = base or timed
            row(str(number), timed.state, *timed.cells(base))
