"""Outcomes of real runs against the lab, saved as JSON; the snapshot tests make reports of them.

    python -m tests.saved_runs out/lab/upload_stuck/report.json incident

saves what the checks of that run ended with as tests/saved/incident.json, without the probes' raw
data, and with a neutral path in place of the lab's folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from core.language import language
from core.outcome import Outcome, base_id
from core.target_summary import TargetSummary
from reports.model.build import EndedRun, build_report
from reports.model.report import Report
from reports.model.report_json import load_report
from tests import made

FOLDER = Path(__file__).parent / "saved"


def load(
    name: str,
    change: Callable[[Outcome], Outcome | None] = lambda outcome: outcome,
    *problems: str,
    partial: bool = False,
) -> Report:
    """Return the report of a saved run; `change` may replace an outcome or drop it.

    It is made once in each language: to diagnose takes a tenth of a second.
    """
    return _make(language(), name, change, problems, partial)


@cache
def _make(
    _language: str,
    name: str,
    change: Callable[[Outcome], Outcome | None],
    problems: tuple[str, ...],
    partial: bool,
) -> Report:
    saved = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    outcomes = TypeAdapter(list[Outcome]).validate_python(saved["outcomes"])
    changed = [outcome for one in outcomes if (outcome := change(one)) is not None]
    # The runbook as it was: a new check must not change what is made of an old run.
    checks = {base_id(outcome.check) for outcome in outcomes}
    evidence = made.bundle().evidence
    rows = tuple(row for row in evidence.checks if row.id in checks)
    bundle = replace(made.bundle(), evidence=replace(evidence, checks=rows))
    target = TargetSummary(**saved["target"])
    run = EndedRun(changed, problems, target, saved["started"], 2.4, partial)
    return build_report(run, bundle)


def save(path: Path, name: str) -> None:
    """Save the outcomes of a report.json."""
    report = load_report(path)
    outcomes = [
        replace(
            result.outcome,
            observations=tuple(
                replace(one, data={}, seconds=0.001) for one in result.outcome.observations
            ),
            seconds=0.01,
        )
        for result in report.results
    ]
    saved = {
        "target": asdict(report.target),
        "started": report.started,
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    lab = report.target.placeholders["upload_dir"].removesuffix("/storage/uploads")
    text = _json(saved).replace(lab, "/srv/veza")
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    save(Path(sys.argv[1]), sys.argv[2])
