"""The outcome of one check: the one value that travels from the process that ran it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Status = Literal["passed", "failed", "unreachable", "skipped", "error", "missing"]

STATUSES: tuple[Status, ...] = get_args(Status)
"""Every status a check can end with, from "the expectation holds" to "never reported"."""

SEEN_MAX = 4_000
"""Characters kept of a sentence: a hostile log line must not fill a report."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str, limit: int = SEEN_MAX) -> str:
    """Return `text` without control and direction characters, cut to `limit` characters.

    What a target says is hostile: an escape sequence in a log line must not reach a terminal, and
    half a surrogate pair, of a file name that is not UTF-8, cannot be written or sent at all.
    """
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


@dataclass(frozen=True)
class Observation:
    """What one probe call saw.

    `name` is `<fixture>.<method>`, `seen` its sentence, `data` its JSON-able fields, `seconds` how
    long the call took (0.0 where an earlier check of the same process had already taken it).
    """

    name: str
    seen: str
    data: Any
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What became of one selected check.

    `check` is `<module>/<function>` without `test_`, with the parameter in brackets where there is
    one. `expected` is the check's sentence, `seen` what stood against it (empty when it passed).
    `seconds` counts setup and call. `process` names the xdist worker, or is empty.
    """

    check: str
    status: Status
    expected: str = ""
    seen: str = ""
    observations: tuple[Observation, ...] = ()
    seconds: float = 0.0
    process: str = ""

    def to_json(self) -> str:
        """Return the outcome as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Read what `to_json` wrote; raises ValueError on anything else."""
        try:
            fields = json.loads(text)
            seen = tuple(Observation(**one) for one in fields.pop("observations"))
            outcome = cls(**fields, observations=seen)
        except (TypeError, KeyError, AttributeError) as exc:
            raise ValueError(f"not an outcome: {exc}") from exc
        if outcome.status not in STATUSES:
            raise ValueError(f"not an outcome: unknown status {outcome.status!r}")
        return outcome


def check_id(nodeid: str) -> str:
    """Return the id of the check with this pytest node id.

    `checks/upload_stuck/test_queue.py::test_queue_exists` is `queue/queue_exists`. It takes the
    node id alone, so that a check whose worker process crashed still has its name.
    """
    path, _, function = nodeid.partition("::")
    # xdist appends "@group" to the ids of grouped tests.
    module = path.rsplit("/", 1)[-1].removesuffix(".py").removeprefix("test_")
    return f"{module}/{function.split('::')[-1].removeprefix('test_')}"


def base_id(check: str) -> str:
    """Return the check's id without its parameter: `hosts/host_is_reachable[a]` has one row."""
    return check.partition("[")[0]
