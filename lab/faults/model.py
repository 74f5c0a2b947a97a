"""What a fault is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.faults.tools import FaultTools


class Kind(StrEnum):
    """What a diagnosis should make of it."""

    SINGLE = "single"
    """One hypothesis of the runbook is true."""
    OUTSIDE = "outside"
    """Something is broken that the runbook has no hypothesis for."""
    CONTROL = "control"
    """Nothing is broken."""


class Need(StrEnum):
    """What the machine must offer for a fault."""

    ROOT = "root"
    FILE_SYSTEM = "a file system of its own (root)"
    BROKER = "RabbitMQ"


@dataclass(frozen=True)
class Fault:
    """One way in which the lab can be broken, or just be different."""

    name: str
    description: str
    truth: frozenset[str]
    """The hypotheses that are true while it lasts; empty for outside faults and controls."""
    kind: Kind
    inject: Callable[[FaultTools], None]
    """Make it so, and return when it has taken hold. Raises LabError when it does not."""
    needs: frozenset[Need]


class Family:
    """Collects the faults of one truth, in the order of the file."""

    def __init__(self, kind: Kind, *truth: str) -> None:
        self.faults: list[Fault] = []
        self._kind = kind
        self._truth = frozenset(truth)

    def fault(
        self, name: str, description: str, *needs: Need
    ) -> Callable[[Callable[[FaultTools], None]], Callable[[FaultTools], None]]:
        """Register the decorated function as the injection of the fault `name`."""

        def register(inject: Callable[[FaultTools], None]) -> Callable[[FaultTools], None]:
            self.faults.append(
                Fault(name, description, self._truth, self._kind, inject, frozenset(needs))
            )
            return inject

        return register
