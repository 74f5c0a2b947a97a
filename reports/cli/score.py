"""`python -m reports score`."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib

from core.files import read_text
from core.language import tr, trn
from core.text import clean
from reports.cli.command import Commands, add_command, add_evidence
from reports.cli.history import add_target_dir, history_folder, runs_beside
from reports.cli.postmortem import NoIncidentError
from reports.diagnosis.evidence import EvidenceError
from reports.diagnosis.evidence_file import load_evidence, parse_evidence
from reports.history.confirmed import read_learned, report_of, settle
from reports.history.incidents import incidents
from reports.history.score import judge, suggest_priors, with_priors
from reports.model.bundle import folder_of
from reports.render.score import diff_of, render


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "score",
        run,
        tr("compare verdicts with confirmed causes, and suggest priors"),
        tr(
            "The reports of the incidents are diagnosed again. The priors are a diff to "
            "the evidence table, with the verdicts that they would have led to; it is "
            "never applied."
        ),
    )
    add_target_dir(parser)
    add_evidence(parser)


def run(options: argparse.Namespace) -> int:
    folder = history_folder(options.target_dir)
    learned = read_learned(folder)
    notes = list(learned.notes)
    episodes = incidents(runs_beside(folder / "report.json"))
    settled = [settle(one, episodes, learned.actions) for one in learned.confirmations]
    pairs = [(one, report) for one in settled if (report := report_of(folder, one))]
    if len(pairs) < len(settled):
        notes.append(
            trn(
                "{n} incident without a report left out",
                "{n} incidents without a report left out",
                len(settled) - len(pairs),
            )
        )
    for note in notes:
        print(clean(note), file=sys.stderr)
    if not pairs:
        raise NoIncidentError(
            "{folder} has no confirmed incident: {command}",
            folder=folder,
            command="python -m reports confirm --help",
        )
    evidence = load_evidence(options.evidence or folder_of(pairs[-1][1]) / "evidence.toml")
    cases = judge(evidence, pairs)
    priors = suggest_priors(evidence, cases)
    better = with_priors(evidence, priors)
    name = os.path.relpath(evidence.path)
    text, diff = diff_of(read_text(evidence.path), priors, name)
    if parse_evidence(tomllib.loads(text), evidence.path) != better:
        raise EvidenceError(
            "{path}: its priors are written in a way that a diff cannot "
            "change; write each cause as a table of its own, with a line "
            "for its prior",
            path=name,
        )
    print(render(cases, priors, judge(better, pairs), name, diff), end="")
    return 0
