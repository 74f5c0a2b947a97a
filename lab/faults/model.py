"""The type of a fault, and the registration of fault functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools


UPLOAD_STUCK, LOGIN_FAILS = "upload_stuck", "login_fails"
EVERY_RUNBOOK = (UPLOAD_STUCK, LOGIN_FAILS)


class Kind(StrEnum):
    """The answer that a diagnosis should give."""

    SINGLE = "single"
    """One hypothesis of the runbook is true."""
    OUTSIDE = "outside"
    """A cause outside the runbook is true: no hypothesis covers it."""
    AT_RISK = "at risk"
    """A part is broken, and no user suffers from it yet."""
    CONTROL = "control"
    """Nothing is broken."""


class Need(StrEnum):
    """A requirement of a fault on the machine."""

    FILE_SYSTEM = "a file system of its own (root)"
    BROKER = "RabbitMQ"
    NO_BROKER = "a variant without RabbitMQ"
    MANAGEMENT = "RabbitMQ's management API"
    TWO_WORKERS = "two workers"


@dataclass(frozen=True)
class Fault:
    """One way to break the lab, or a control that only looks unusual."""

    name: str
    description: str
    truth: frozenset[str]
    """The hypotheses that are true under this fault; empty for the other kinds."""
    kind: Kind
    inject: Callable[[FaultTools], None]
    """Injects the fault and returns when it has taken effect; raises LabError when it does not."""
    needs: frozenset[Need]
    cause: str = ""
    """The id of the cause outside the runbook that is true; empty for the other kinds."""
    runbooks: tuple[str, ...] = (UPLOAD_STUCK,)
    """The runbooks that are expected to give this answer."""


class Family:
    """The faults that make the same hypotheses true, in the order of their module."""

    def __init__(self, kind: Kind, *truth: str, runbook: str = UPLOAD_STUCK) -> None:
        self.faults: list[Fault] = []
        self._kind = kind
        self._truth = frozenset(truth)
        self._runbook = runbook

    def fault(
        self,
        name: str,
        description: str,
        *needs: Need,
        cause: str = "",
        runbooks: tuple[str, ...] = (),
    ) -> Callable[[Callable[[FaultTools], None]], Callable[[FaultTools], None]]:
        """Register the decorated function as the injection of the fault `name`."""

        def register(inject: Callable[[FaultTools], None]) -> Callable[[FaultTools], None]:
            self.faults.append(
                Fault(
                    name,
                    description,
                    self._truth,
                    self._kind,
                    inject,
                    frozenset(needs),
                    cause,
                    runbooks or (self._runbook,),
                )
            )
            return inject

        return register
