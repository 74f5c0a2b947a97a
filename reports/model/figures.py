"""The figures of a run, and the values that a runbook's commands name.

Probes measure them (`core.outcome.ProbeResult`); the runbook's report.toml names the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from urllib.parse import quote

from core.frozen import frozen
from core.language import numeral, tr
from core.outcome import Observation, Outcome
from core.units import format_duration
from reports.model.layout import FigureKind, Layout
from reports.runbook.placeholders import valid_part


@frozen
class Figure:
    """A number of a run that a trend follows.

    `value` is None where it was not observed: absent is not zero. `unit` is "seconds", "ratio" (of
    the whole, 0 to 1) or "" for a count.
    """

    id: str
    value: float | None
    unit: str
    meaning: str


def number(value: float) -> str:
    """Return a count with thousands separators, or a short decimal."""
    if not isfinite(value):
        return "?"
    return numeral(value, 0 if value == int(value) else 1)


def percent(value: str) -> str:
    """Return a number with the sign for percent, as the language writes it."""
    return tr("{value} %", value=value)


def quantity(value: float | None, unit: str) -> str:
    """Return a figure's value in its unit, or "not observed": absent is not zero."""
    if value is None:
        return tr("not observed")
    if unit == "seconds":
        return format_duration(value)
    return percent(numeral(value * 100, 1)) if unit == "ratio" else number(value)


def limit(most: float | None, least: float | None, unit: str) -> str:
    """Return the limit of a figure as "max 10 min" or "min 10 %"; empty where it has none."""
    value = least if most is None else most
    if value is None or not isfinite(value):
        return ""
    text = _share(value) if unit == "ratio" else quantity(value, unit)
    return tr("min {limit}", limit=text) if most is None else tr("max {limit}", limit=text)


def _share(ratio: float) -> str:
    """Return a ratio in percent with three digits at most: "10 %", "0.25 %"."""
    digits = len(f"{ratio * 100:.3g}".partition(".")[2])
    return percent(numeral(ratio * 100, digits))


def figures_of(outcomes: Sequence[Outcome], kinds: Sequence[FigureKind]) -> tuple[Figure, ...]:
    """Return the runbook's figures with their values, always in the same order."""
    values: dict[str, float | None] = {}
    for observation in observations(outcomes):
        values |= observation.figures
    return tuple(Figure(one.id, values.get(one.id), one.unit, one.meaning) for one in kinds)


def at_zero(figures: Sequence[Figure]) -> frozenset[str]:
    """Return the ids of the figures that were observed to be 0."""
    return frozenset(figure.id for figure in figures if figure.value == 0)


def placeholders_of(outcomes: Sequence[Outcome], layout: Layout) -> dict[str, str]:
    """Return the observed values of placeholders, by the placeholder's name; the first one counts.

    A value that does not have its placeholder's form is left out: a target's texts are hostile, and
    a person pastes these commands. The ids of the items that suffer most have the placeholder of
    the runbook's noun for them, such as `upload_ids`; where none is known to suffer, those that a
    check gave it stay. The first of them is `upload_id` where no check gave that.
    """
    observed = observations(outcomes)
    values = {name: value for o in reversed(observed) for name, value in o.placeholders.items()}
    affected = next((o.affected for o in observed if o.affected), ())
    if layout.impact:
        noun = layout.impact.placeholder
        if affected:
            values[f"{noun}_ids"] = "\n".join(item.id for item in affected)
        if ids := values.get(f"{noun}_ids"):
            values.setdefault(f"{noun}_id", ids.splitlines()[0])
    if "broker_connection" in values:
        values["broker_connection_in_url"] = quote(values["broker_connection"], safe="")
    valid = {name: valid_part(name, value) for name, value in values.items()}
    return {name: value for name, value in valid.items() if value}


def observations(outcomes: Sequence[Outcome]) -> list[Observation]:
    """Return every observation of these outcomes, in their order."""
    return [observation for outcome in outcomes for observation in outcome.observations]
