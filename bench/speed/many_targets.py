"""The case `targets`: many targets in one call."""

from __future__ import annotations

from bench.speed.timed import CELLS, head, lab, row, suite, take_turns, targets_of_lab

NUMBERS = (1, 10, 100)


def measure(_runs: int) -> None:
    """Print a row for each number of targets; each is measured once."""
    head("targets", "of one", *CELLS, "of one target's time")
    with lab() as (folder, _):
        text = targets_of_lab(folder)
        base = None
        for number in NUMBERS:
            names = [f"lab{place:03}" for place in range(1, number + 1)]
            copies = (text.replace("[targets.lab", f"[targets.{name}") for name in names)
            (folder / "targets.toml").write_text("\n".join(copies), encoding="utf-8")
            timed = suite(f"{number} targets", folder, target=",".join(names))
            take_turns([timed], 1, warm=False)
            base = base or timed
            row(str(number), timed.state, *timed.cells(base))
