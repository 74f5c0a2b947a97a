"""Faults: break the lab on purpose as it would really break, and heal it.

Each module has the faults of one hypothesis: worker, queue, storage, silent, timeout. `outside` has
those of no hypothesis, `at_risk` those that nobody suffers from, `controls` those that break
nothing. `login` has all of the runbook "Login fails".
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from lab.errors import LabError, find
from lab.faults import at_risk, controls, login, outside, queue, silent, storage, timeout, worker
from lab.faults.combinations import COMBINATIONS, PAIRS, TRIPLES
from lab.faults.heal import heal as _heal
from lab.faults.heal import heal_logins
from lab.faults.model import LOGIN_FAILS, UPLOAD_STUCK, Fault, Kind, Need
from lab.faults.tools import FaultTools
from lab.variants import VARIANTS

__all__ = [
    "COMBINATIONS",
    "FAULTS",
    "LOGIN_FAILS",
    "PAIRS",
    "TRIPLES",
    "UPLOAD_STUCK",
    "Fault",
    "Kind",
    "Need",
    "active",
    "get_fault",
    "heal",
    "inject",
    "missing_needs",
    "of_runbook",
]

# In the order of injection: a fault that needs a working pipeline comes before one that stops it.
_FAMILIES = (controls, at_risk, silent, storage, timeout, queue, worker, outside)
FAULTS: dict[str, Fault] = {
    fault.name: fault
    for family in (*(module.FAMILY for module in _FAMILIES), *login.FAMILIES)
    for fault in family.faults
}


def of_runbook(name: str) -> list[str]:
    """Return the names of the faults that the runbook `name` is expected to tell."""
    return [fault.name for fault in FAULTS.values() if name in fault.runbooks]


def inject(directory: Path, names: Sequence[str]) -> None:
    """Inject the faults and return when each has taken effect; raises LabError."""
    for name in names:
        get_fault(name)
    if active(directory):
        raise LabError(
            f"{', '.join(active(directory))} already injected; heal it first: python -m lab heal"
        )
    with FaultTools(directory) as tools:
        for name in names:
            missing = _missing_needs(FAULTS[name], tools)
            if missing:
                raise LabError(
                    f"{name} needs {', '.join(missing)}, which this lab does not have"
                    + _variant_with(missing)
                )
        _save_active(directory, names)
        for name in FAULTS:
            if name in names:
                with _lab_errors(f"{name} did not take effect"):
                    FAULTS[name].inject(tools)


@contextmanager
def _lab_errors(operation: str) -> Iterator[None]:
    """Turn the errors of the lab's services into LabError."""
    try:
        yield
    except (psycopg.Error, httpx.HTTPError) as exc:
        reason = str(exc).partition("\n")[0]
        raise LabError(f"{operation}: {type(exc).__name__}: {reason}") from exc


def get_fault(name: str) -> Fault:
    """Return a fault by name; raises LabError that suggests the closest name."""
    return find("fault", name, FAULTS)


def missing_needs(directory: Path, names: Sequence[str]) -> str:
    """Return the faults' needs that the lab cannot meet, as "a, b"; "" when it meets all."""
    with FaultTools(directory) as tools:
        missing = {need for name in names for need in _missing_needs(get_fault(name), tools)}
    return ", ".join(sorted(missing))


def heal(directory: Path, *, logins_only: bool = False) -> None:
    """Make a running lab healthy again, also after an injection that failed half-way.

    With `logins_only` only the faults of the login are undone, which takes less time.
    """
    with FaultTools(directory) as tools, _lab_errors("the lab could not be healed"):
        (heal_logins if logins_only else _heal)(tools)
    _save_active(directory, ())


def _missing_needs(fault: Fault, tools: FaultTools) -> list[str]:
    is_met = {
        Need.FILE_SYSTEM: tools.lab.storage_kind == "tmpfs" and os.geteuid() == 0,
        Need.BROKER: tools.lab.broker,
        Need.NO_BROKER: not tools.lab.broker,
        Need.MANAGEMENT: bool(tools.lab.broker and tools.lab.rabbitmq.management),
        Need.TWO_WORKERS: len(tools.lab.workers) > 1,
    }
    return sorted(need.value for need in fault.needs if not is_met[need])


def _variant_with(missing: Sequence[str]) -> str:
    """Return how to start a lab that meets the need, where a variant does."""
    names = [variant.name for variant in VARIANTS.values() if variant.workers > 1]
    if missing != [Need.TWO_WORKERS]:
        return ""
    return f": python -m lab down, then python -m lab up --variant {names[0]}"


def active(directory: Path) -> list[str]:
    """Return the names of the faults that are injected and not healed yet."""
    path = directory / "faults.json"
    return list(json.loads(path.read_text())) if path.exists() else []


def _save_active(directory: Path, names: Sequence[str]) -> None:
    (directory / "faults.json").write_text(json.dumps(list(names)))
