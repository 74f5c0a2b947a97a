"""The report for a terminal: the verdict on one screen and, before it on request, every check."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from core.text import NO_BREAK
from reports.history.incidents import RunRecord
from reports.model.report import Report
from reports.render.terminal_checks import print_checks
from reports.render.terminal_explanation import print_explanation
from reports.render.terminal_verdict import Footer, verdict
from reports.render.words import as_ascii

WIDTH_MIN, WIDTH_MAX = 40, 120

STAND_INS = "\ue000\ue001"
"""Letters of no alphabet, which stand for these spaces while rich breaks the lines."""


class _Console(Console):
    """A console that keeps together what a no-break space joins, where rich breaks the line."""

    def print(self, *objects: Any, **options: Any) -> None:
        for item in objects:
            text = item.renderable if isinstance(item, Padding) else item
            if isinstance(text, Text):
                text.plain = text.plain.translate(str.maketrans(NO_BREAK, STAND_INS))
        super().print(*objects, **options)


def render(
    report: Report,
    width: int = 80,
    footer: Footer | None = None,
    runs: Sequence[RunRecord] = (),
    *,
    color: bool = False,
    unicode: bool = True,
    verbose: bool = False,
) -> str:
    """Return the report as text of at most `width` columns; only a command may be wider.

    `runs` are the last ones of the history, with this one. `verbose` puts every check, the evidence
    and all actions before the verdict.
    """
    out = io.StringIO()
    console = _Console(
        file=out,
        width=max(WIDTH_MIN, min(width, WIDTH_MAX)),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    if verbose:
        print_checks(console, report)
        print_explanation(console, report)
    for line in verdict(report, console.width, footer or Footer(), runs):
        console.print(line, no_wrap=True, soft_wrap=True)
    # rich pads some lines to the width.
    text = "\n".join(line.rstrip() for line in out.getvalue().split("\n"))
    text = text.translate(str.maketrans(STAND_INS, NO_BREAK))
    return text if unicode else as_ascii(text)
