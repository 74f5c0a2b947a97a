"""Breaking the lab on purpose, by the real mechanism, and mending it again.

Faults of one truth live in one file: worker, queue, storage, silent, timeout, outside, controls.
"""

from __future__ import annotations

import json
import os
from difflib import get_close_matches
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.faults import controls, outside, queue, silent, storage, timeout, worker
from lab.faults.heal import heal as _heal
from lab.faults.model import Fault, Kind, Need
from lab.faults.pairs import PAIRS
from lab.faults.tools import FaultTools

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "FAULTS",
    "PAIRS",
    "Fault",
    "Kind",
    "Need",
    "active",
    "heal",
    "inject",
    "known",
    "lacking",
]

# In the order in which several are injected: what needs a pipeline that works comes first.
_FAMILIES = (controls, silent, storage, timeout, queue, worker, outside)
FAULTS: dict[str, Fault] = {
    fault.name: fault for module in _FAMILIES for fault in module.FAMILY.faults
}


def inject(directory: Path, names: Sequence[str]) -> None:
    """Inject the faults and return when each has taken hold. Raises LabError."""
    for name in names:
        known(name)
    if active(directory):
        raise LabError(
            f"{', '.join(active(directory))} already broken; heal it first: python -m lab heal"
        )
    with FaultTools(directory) as tools:
        for name in names:
            needed = missing(FAULTS[name], tools)
            if needed:
                raise LabError(f"{name} needs {', '.join(needed)}, which this lab does not have")
        _note(directory, names)
        for name in FAULTS:
            if name in names:
                FAULTS[name].inject(tools)


def known(name: str) -> Fault:
    """The fault of that name. Raises LabError with the nearest name when there is none."""
    if name in FAULTS:
        return FAULTS[name]
    near = get_close_matches(name, FAULTS, 1)
    hint = f"did you mean {near[0]}?" if near else "list them with: python -m lab faults"
    raise LabError(f"there is no fault {name!r}; {hint}")


def lacking(directory: Path, names: Sequence[str]) -> str:
    """What the faults need and the lab of `directory` does not have, empty when it has all."""
    with FaultTools(directory) as tools:
        needed = {need for name in names for need in missing(known(name), tools)}
    return ", ".join(sorted(needed))


def heal(directory: Path) -> None:
    """Bring a running lab back to health, also after a fault that did not take hold."""
    with FaultTools(directory) as tools:
        _heal(tools)
    _note(directory, ())


def missing(fault: Fault, tools: FaultTools) -> list[str]:
    """What the fault needs and this lab does not have."""
    has = {
        Need.ROOT: os.geteuid() == 0,
        Need.FILE_SYSTEM: tools.lab.storage_kind == "tmpfs" and os.geteuid() == 0,
        Need.BROKER: tools.lab.broker,
    }
    return sorted(need.value for need in fault.needs if not has[need])


def active(directory: Path) -> list[str]:
    """The faults that were injected and not healed since."""
    path = directory / "faults.json"
    return list(json.loads(path.read_text())) if path.exists() else []


def _note(directory: Path, names: Sequence[str]) -> None:
    (directory / "faults.json").write_text(json.dumps(list(names)))
