"""The outcome of one check: the one value that travels from the process that ran it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Literal, get_args

from core.frozen import frozen
from core.language import mark, tr, trc, trn

Status = Literal["passed", "failed", "unreachable", "skipped", "error", "missing"]

STATUSES: tuple[Status, ...] = get_args(Status)
"""Every status a check can end with."""

STATUS_WORDS: dict[Status, str] = {
    "failed": mark("failed"),
    "unreachable": mark("unreachable"),
    "error": mark("error"),
    "missing": mark("not run"),
    "skipped": mark("skipped"),
    "passed": mark("passed"),
}
"""The word that a person reads for each status, the worst first; `status_word` translates it."""


def status_word(status: Status) -> str:
    """Return the word that a person reads for a status."""
    return tr(STATUS_WORDS[status])


def component_word(component: str) -> str:
    """Return the word that a person reads for a component of a check."""
    return "API" if component == "api" else trc("component", component)


def counted_status(number: int, status: Status) -> str:
    """Return "2 failed", "1 not run"."""
    words: dict[Status, str] = {
        "failed": trn("{n} failed", "{n} failed", number),
        "unreachable": trn("{n} unreachable", "{n} unreachable", number),
        "error": trn("{n} error", "{n} error", number),
        "missing": trn("{n} not run", "{n} not run", number),
        "skipped": trn("{n} skipped", "{n} skipped", number),
        "passed": trn("{n} passed", "{n} passed", number),
    }
    return words[status]


OBSERVED = ("passed", "failed")
"""The statuses of a check that has seen what it looked for."""


class ProbeResult:
    """Result of a probe: a frozen dataclass whose `str()` is a sentence.

    One that is worth following from run to run, or that a runbook's command needs, says so here.
    """

    def figures(self) -> dict[str, float | None]:
        """Return the figures that this result measures, by id; None where it could not tell."""
        return {}

    def placeholders(self) -> dict[str, str]:
        """Return the values of a runbook's placeholders, such as `job_id`."""
        return {}

    def affected(self) -> tuple[Affected, ...]:
        """Return the users' items that suffer, the worst first."""
        return ()

    def counted(self) -> frozenset[str] | None:
        """Return the ids of all items that it counts; None where it does not name them all."""
        return None


@frozen
class Affected:
    """One item of a user that suffers, such as a stuck upload; None where it is not recorded.

    Ages are in seconds, `progress` in percent, `size` in bytes.
    """

    id: str
    status: str | None = None
    progress: float | None = None
    age_seconds: float | None = None
    updated_seconds: float | None = None
    size: int | None = None
    user_id: str | None = None
    error_message: str | None = None


@frozen
class Observation:
    """Observation of one probe call.

    `name` is `<fixture>.<method>`, `seen` its sentence, `data` its JSON-able fields, `seconds` how
    long the call took (0.0 where an earlier check of the same process had already taken it).
    `figures`, `placeholders` and `affected` are the result's own (`ProbeResult`).
    """

    name: str
    seen: str
    data: Any
    seconds: float
    figures: dict[str, float | None] = field(default_factory=dict)
    placeholders: dict[str, str] = field(default_factory=dict)
    affected: tuple[Affected, ...] = ()


@frozen
class Outcome:
    """The result of one selected check.

    `check` is `<module>/<function>` without `test_`, with the parameter in brackets where there is
    one. `expected` is the check's sentence, `seen` what contradicts it (empty when it passed).
    `seconds` counts setup and call.
    """

    check: str
    status: Status
    expected: str = ""
    seen: str = ""
    observations: tuple[Observation, ...] = ()
    seconds: float = 0.0


def counted(outcomes: Iterable[Outcome]) -> dict[Status, int]:
    """Return how many outcomes have each status that occurs, the worst first."""
    counter = Counter(outcome.status for outcome in outcomes)
    return {status: counter[status] for status in STATUS_WORDS if counter[status]}


def counts_in_words(counts: Mapping[Status, int]) -> str:
    """Return "2 failed, 51 passed"."""
    return ", ".join(counted_status(number, status) for status, number in counts.items())


ATTRIBUTE = "check_outcome"
"""The attribute of a pytest report that carries an outcome.

Not a user property: those end up in JUnit's XML.
"""


def read_outcome(report: object) -> Outcome | None:
    """Return the outcome that a pytest report settles, or None if it settles none."""
    outcome: Outcome | None = getattr(report, ATTRIBUTE, None)
    return outcome


def check_id(nodeid: str) -> str:
    """Return the id of the check with this pytest node id.

    `checks/upload_stuck/test_queue.py::test_queue_exists` is `queue/queue_exists`. It takes the
    node id alone, so that a check that made no report still has its name.
    """
    path, _, function = nodeid.partition("::")
    module = path.rsplit("/", 1)[-1].removesuffix(".py").removeprefix("test_")
    return f"{module}/{function.split('::')[-1].removeprefix('test_')}"


def base_id(check: str) -> str:
    """Return the check's id without its parameter: `hosts/host_is_reachable[a]` has one row."""
    return check.partition("[")[0]


def is_canary(check: str) -> bool:
    """Return whether a check belongs to the canary, which writes and runs only on request."""
    return check.startswith("canary/")
