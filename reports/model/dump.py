"""The report as JSON: what machines read, and what every other format can be made from again."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.model.report import Report


def render(report: Report) -> str:
    """Return the report as indented JSON with a newline at its end; equal reports, equal bytes."""
    return json.dumps(asdict(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
