"""The score on confirmed incidents as text, with the suggested priors as a diff. Pure."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from core.language import numeral, tr, trc, trn
from core.text import clean
from core.units import format_duration
from reports.history.confirmed import FALSE_ALARM
from reports.history.score import INTERVAL, PRESENT_PRIORS, Case, Prior, calibration, confusion
from reports.model.figures import number

_TABLE = re.compile(r"""\s*\[\s*(?:hypotheses|outside)\s*\.\s*["']?(\w+)["']?\s*\]""")
_OTHER_TABLE = re.compile(r"\s*\[")
_PRIOR = re.compile(r"(\s*prior\s*=\s*)([^\s#]+)")


def render(
    cases: Sequence[Case], priors: Sequence[Prior], after: Sequence[Case], evidence: str, diff: str
) -> str:
    """Return the score.

    `after` are the cases as they are diagnosed with the suggested priors, `evidence` the name of
    the table, `diff` the change of it, empty where there is none.
    """
    real = [case for case in cases if FALSE_ALARM not in case.confirmation.causes]
    lines = [
        trn(
            "{n} confirmed incident, diagnosed again with {evidence}:",
            "{n} confirmed incidents, diagnosed again with {evidence}:",
            len(cases),
            evidence=evidence,
        ),
        f"{_verdicts(cases)}.",
        "",
        *_columns(
            (trc("column", "confirmed"), trc("column", "named"), trc("column", "incidents")),
            [(*pair, str(number)) for pair, number in sorted(confusion(cases).items())],
        ),
        *_calibration(cases),
        *_recovery(real),
        *_priors(priors, len(real)),
    ]
    text = "".join(f"{clean(line)}\n" for line in lines)
    if not diff:
        return text + "\n" + tr("The priors stay as they are.") + "\n"
    changes = [
        tr(
            "  {incident}: {before} before, {after} after",
            incident=before.confirmation.incident,
            before=_named(before),
            after=_named(now),
        )
        for before, now in zip(cases, after, strict=True)
        if before.named != now.named
    ]
    outlook = [
        tr("With these priors the same incidents would have been:"),
        f"{_verdicts(after)}.",
        *changes,
        tr("Nothing was changed. Apply the diff by hand if you agree, and look with `replay`."),
    ]
    return f"{text}\n{diff}\n" + "".join(f"{clean(line)}\n" for line in outlook)


def diff_of(text: str, priors: Sequence[Prior], name: str) -> tuple[str, str]:
    """Return an evidence table's text with the suggested priors, and the diff to it.

    `name` is that of the file in the diff.
    """
    values = {prior.cause.id: prior.suggested for prior in priors}
    present = {prior.cause.id: prior.cause.prior for prior in priors}
    cause = ""
    lines = text.splitlines(keepends=True)
    changed = []
    for line in lines:
        if _OTHER_TABLE.match(line):
            table = _TABLE.match(line)
            cause = table[1] if table else ""
        if values.get(cause) != present.get(cause) and _PRIOR.match(line):
            line = _PRIOR.sub(rf"\g<1>{_number(values[cause])}", line, count=1)  # noqa: PLW2901
        changed.append(line)
    diff = difflib.unified_diff(lines, changed, name, name, n=2)
    return "".join(changed), "".join(diff)


def _verdicts(cases: Sequence[Case]) -> str:
    counter = Counter(case.verdict for case in cases)
    return tr(
        "{right} right, {wrong} with a wrong cause, {missed} with a cause missing",
        right=counter["right"],
        wrong=counter["wrong"],
        missed=counter["missed"],
    )


def _named(case: Case) -> str:
    return " + ".join(sorted(case.named)) or tr("no cause")


def _calibration(cases: Sequence[Case]) -> Iterator[str]:
    bins, brier = calibration(cases)
    yield ""
    yield tr(
        "Calibration of all causes, Brier score {brier} (0 is perfect):", brier=numeral(brier, 3)
    )
    rows = [
        (
            tr("{low} to {high}", low=number(b.low), high=number(b.high)),
            str(b.causes),
            numeral(b.mean, 2),
            numeral(b.true / b.causes, 2),
        )
        for b in bins
    ]
    yield from _columns(
        (
            trc("column", "probability"),
            trc("column", "causes"),
            trc("column", "mean"),
            trc("column", "were true"),
        ),
        rows,
    )


def _recovery(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the times to recovery by cause, and by the action that ended the incident."""
    by_cause: dict[str, list[float]] = {}
    by_action: dict[str, list[float]] = {}
    for case in cases:
        confirmation = case.confirmation
        if confirmation.seconds is not None:
            by_cause.setdefault(" + ".join(confirmation.causes), []).append(confirmation.seconds)
        if confirmation.ended_by and confirmation.ended_by.seconds is not None:
            by_action.setdefault(confirmation.ended_by.step, []).append(
                confirmation.ended_by.seconds
            )
    yield ""
    yield tr("Time to recovery, from the first bad run to the first good one:")
    yield from _times(trc("column", "cause"), by_cause)
    if by_action:
        yield ""
        yield tr("Time from an action to the verified recovery:")
        yield from _times(trc("column", "action"), by_action)


def _times(name: str, seconds: Mapping[str, list[float]]) -> list[str]:
    rows = [
        (key, str(len(times)), format_duration(median(times)), format_duration(max(times)))
        for key, times in sorted(seconds.items())
    ]
    return _columns(
        (name, trc("column", "incidents"), trc("column", "median"), trc("column", "longest")), rows
    )


def _priors(priors: Sequence[Prior], incidents: int) -> Iterator[str]:
    yield ""
    yield trn(
        "Priors suggested by {n} incident, where the present ones count as {number}:",
        "Priors suggested by {n} incidents, where the present ones count as {number}:",
        incidents,
        number=PRESENT_PRIORS,
    )
    rows = [
        (
            one.cause.id,
            str(one.incidents),
            _number(one.cause.prior),
            _number(one.suggested),
            tr("{low} to {high}", low=_number(one.low), high=_number(one.high)),
        )
        for one in priors
    ]
    share = tr("{number}%", number=numeral(INTERVAL * 100, 0))
    interval = tr("{share} interval", share=share)
    yield from _columns(
        (
            trc("column", "cause"),
            trc("column", "seen"),
            trc("column", "now"),
            trc("column", "suggested"),
            interval,
        ),
        rows,
    )


def _number(value: float) -> str:
    """Return a prior as the table writes it, in every language."""
    return f"{value:g}"


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as aligned lines, below their head; one line that says so where there is none."""
    if not rows:
        return [tr("  not known")]
    table = [head, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
