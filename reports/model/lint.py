"""Find what is missing in a runbook's folder, by its document, its tables and its checks.

The checks and the probes are read as text: nothing of them is imported or run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from pathlib import Path

from core.files import FileError, read_text
from core.frozen import frozen
from core.language import tr, trc
from reports.diagnosis.evidence import Evidence, EvidenceError
from reports.diagnosis.evidence_file import load_evidence
from reports.model.layout import Layout
from reports.model.layout_file import NAME as LAYOUT
from reports.model.layout_file import load_layout
from reports.runbook.conditions import checks_in
from reports.runbook.document import Command, Runbook, RunbookError, without_comments
from reports.runbook.markdown import load_runbook
from reports.runbook.placeholders import placeholders
from reports.runbook.run_rules import parse_rule

SEPARATION = 10
"""Factor by which a check must fail likelier under one cause than another to tell them apart.

Of two hypotheses, which have different actions, each needs such a check; of two other causes, one.
"""

DERIVED = ("target", "broker_connection_in_url")
"""Placeholders that the report fills by itself."""


@dataclass(frozen=True, order=True)
class Gap:
    """One thing that is missing, as a sentence; `line` counts from 1."""

    path: str
    line: int
    sentence: str


@frozen
class CheckSource:
    """A check as its source has it: where it is, and whether it has a docstring."""

    path: str
    line: int
    has_docstring: bool


def lint(folder: Path, checks: Path, sources: Iterable[Path]) -> list[Gap]:
    """Return what is missing in a runbook's folder, in the order of files and lines.

    `checks` is the folder of its checks. `sources` are the Python files that fill placeholders: the
    probes and the target's summary.
    """
    document, table = folder / "runbook.md", folder / "evidence.toml"
    gaps: list[Gap] = []
    try:
        known = read_checks(checks)
        evidence = load_evidence(table)
        runbook = load_runbook(document)
        layout = load_layout(folder)
        lint_one = _Lint(folder, evidence, runbook, known, filled_by(sources, layout))
    except (EvidenceError, RunbookError, FileError) as exc:
        return [_of_error(str(exc))]
    problems = layout.check_against(evidence)
    gaps += (Gap(str(folder / LAYOUT), 1, _ended(problem)) for problem in problems)
    gaps += lint_one.checks()
    gaps += lint_one.titles()
    gaps += lint_one.verifications()
    gaps += lint_one.rows()
    gaps += lint_one.causes()
    gaps += lint_one.actions()
    return sorted(set(gaps))


class _Lint:
    def __init__(
        self,
        folder: Path,
        evidence: Evidence,
        runbook: Runbook,
        checks: dict[str, CheckSource],
        filled: Sequence[re.Pattern[str]],
    ) -> None:
        self._evidence, self._runbook, self._checks = evidence, runbook, checks
        self._filled = filled
        self._table, self._document = evidence.path, str(folder / "runbook.md")
        self._table_lines = read_text(folder / "evidence.toml").splitlines()
        self._document_lines = read_text(folder / "runbook.md").splitlines()
        self._ids = {row.id for row in evidence.checks}

    def checks(self) -> Iterator[Gap]:
        """Yield checks without a row, rows without a check, and checks without a sentence."""
        for name, check in self._checks.items():
            if name not in self._ids:
                yield Gap(
                    check.path,
                    check.line,
                    tr("the check {check} has no row in evidence.toml.", check=name),
                )
            if not check.has_docstring:
                yield Gap(
                    check.path,
                    check.line,
                    tr("the check {check} has no docstring to say in a report.", check=name),
                )
        for name in self._ids - self._checks.keys():
            yield self._in_table(name, "no check has the id {check}.", check=name)

    def titles(self) -> Iterator[Gap]:
        """Yield hypotheses on which document and table differ."""
        titles = [cause.title for cause in self._evidence.hypotheses]
        # The table's titles are in the language of the process.
        written = map(tr, self._runbook.hypotheses)
        for number, (title, cause) in enumerate(zip_longest(written, titles), 1):
            if title != cause:
                yield self._in_document(
                    self._line_of(rf"\s*{number}[.)]\s"),
                    "hypothesis {number} is {here} here and {there} in evidence.toml: "
                    "both need the same titles in the same order.",
                    number=number,
                    here=_named(title),
                    there=_named(cause),
                )

    def verifications(self) -> Iterator[Gap]:
        """Yield verifications and commands that no check covers."""
        covered = {row.verification for row in self._evidence.checks}
        for verification in self._runbook.verifications:
            if verification.number not in covered:
                heading = rf"###\s+{verification.number}[.)]\s"
                yield self._in_document(
                    self._line_of(heading),
                    "verification {number} has no check.",
                    number=verification.number,
                )
            for command in verification.commands:
                if not command.checks:
                    yield self._in_document(
                        command.line,
                        "no check covers the command {command}.",
                        command=_short(command),
                    )
                for check in command.checks:
                    if check not in self._ids:
                        yield self._in_document(
                            command.line,
                            "the command names {check}, which has no row.",
                            check=check,
                        )

    def rows(self) -> Iterator[Gap]:
        """Yield rows that no command of their verification names, and a table without symptom."""
        named: dict[str, set[int]] = {}
        for verification in self._runbook.verifications:
            for check in {check for command in verification.commands for check in command.checks}:
                named.setdefault(check, set()).add(verification.number)
        numbers = {0, *(verification.number for verification in self._runbook.verifications)}
        for row in self._evidence.checks:
            number = row.verification
            if number not in numbers:
                yield self._in_table(
                    row.id, "the document has no verification {number}.", number=number
                )
            elif row.id not in named:
                yield self._in_table(
                    row.id, "no command of the document names {check}.", check=row.id
                )
            elif number and number not in named[row.id]:
                yield self._in_table(
                    row.id,
                    "no command of verification {number} names {check}.",
                    number=number,
                    check=row.id,
                )
        if not any(row.role == "symptom" for row in self._evidence.checks):
            yield Gap(
                self._table, 1, tr("no check has the role symptom, so no run can be an incident.")
            )

    def causes(self) -> Iterator[Gap]:
        """Yield causes that no check tells apart, and rows that accuse a cause of too little."""
        for one, two in combinations(self._evidence.causes, 2):
            apart = [
                separation(self._evidence, *pair) for pair in ((one.id, two.id), (two.id, one.id))
            ]
            weakest = min(apart) if not one.outside and not two.outside else max(apart)
            if weakest < SEPARATION:
                yield self._in_table(
                    two.id,
                    "no check tells {one} from {other}: none is {times} times likelier to "
                    "fail under the one than under the other.",
                    one=one.id,
                    other=two.id,
                    times=SEPARATION,
                )
        for row in self._evidence.checks:
            for cause, weight in row.explained_by:
                if weight < row.leak:
                    yield self._in_table(
                        row.id,
                        "{check} fails more often without a cause than by {cause}: leave it out.",
                        check=row.id,
                        cause=cause,
                    )

    def actions(self) -> Iterator[Gap]:
        """Yield actions that nothing verifies, and names in them that nothing knows."""
        for group in self._runbook.actions:
            last = group.steps[-1]
            if not last.commands or last.dangerous:
                yield self._in_document(
                    last.line,
                    '"{title}" does not end with a step that verifies: add one '
                    "with a command that looks, such as pytest --target <target>.",
                    title=group.title,
                )
            for step in group.steps:
                for name in checks_in(step.when):
                    if name not in self._ids:
                        yield self._in_document(
                            step.line, "the step waits for {check}, which has no row.", check=name
                        )
                for command in step.commands:
                    yield from self._action(command)
        for cause in self._evidence.outside:
            for text in cause.look:
                for name in self._open(text):
                    yield self._in_table(cause.id, "nothing fills <{name}> in look.", name=name)

    def _action(self, command: Command) -> Iterator[Gap]:
        rule = parse_rule(command.run, command.language) if command.run else None
        for name in (*checks_in(command.when), *(rule.verify if rule else ())):
            if name not in self._ids:
                yield self._in_document(
                    command.line,
                    "{command} names {check}, which has no row.",
                    command=_short(command),
                    check=name,
                )
        for name in self._open(command.text):
            yield self._in_document(
                command.line,
                "nothing fills <{name}> in {command}: a report leaves it out.",
                name=name,
                command=_short(command),
            )

    def _open(self, text: str) -> list[str]:
        """Return the placeholders of a command that nothing fills; its comments do not count."""
        return [
            name
            for name in placeholders("\n".join(without_comments(text)))
            if not any(one.fullmatch(name) for one in self._filled)
        ]

    def _in_table(self, key: str, sentence: str, /, **parts: object) -> Gap:
        header = re.compile(rf"\s*\[\w+\.\"?{re.escape(key)}\"?\]")
        return Gap(self._table, _line(self._table_lines, header), tr(sentence, **parts))

    def _in_document(self, line: int, sentence: str, /, **parts: object) -> Gap:
        return Gap(self._document, line, tr(sentence, **parts))

    def _line_of(self, start: str) -> int:
        return _line(self._document_lines, re.compile(start))


_ERROR = re.compile(r"(.+?\.(?:md|toml|py))(?::(\d+)|, \w+ (\d+))?(?:\xa0?:)? (.*)", re.DOTALL)
"""An error of a loader, in any language: the file, perhaps the line, and what is wrong."""


def separation(evidence: Evidence, one: str, two: str) -> float:
    """Return how many times likelier some check fails under the cause `one` than under `two`."""
    return max(
        (1 - (1 - row.leak) * (1 - row.weight(one))) / (1 - (1 - row.leak) * (1 - row.weight(two)))
        for row in evidence.checks
    )


def read_checks(folder: Path) -> dict[str, CheckSource]:
    """Return the checks of a runbook by id, read from their source; raises FileError."""
    checks = {}
    for file in sorted(folder.glob("test_*.py")):
        for node in ast.iter_child_nodes(_parse(file)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                name = f"{file.stem.removeprefix('test_')}/{node.name.removeprefix('test_')}"
                checks[name] = CheckSource(str(file), node.lineno, bool(ast.get_docstring(node)))
    return checks


def filled_by(sources: Iterable[Path], layout: Layout) -> list[re.Pattern[str]]:
    """Return a pattern for each placeholder that these files or the report fill; raises FileError.

    The files have the names as keys: of what a probe's `placeholders` returns, and of the target's
    summary.
    """
    names = [re.escape(name) for name in DERIVED]
    if layout.impact:
        names.append(f"{re.escape(layout.impact.placeholder)}_ids?")
    for file in sources:
        in_summary = file.name == "summary.py"
        if not in_summary and "def placeholders" not in read_text(file):
            continue
        for node in ast.walk(_parse(file)):
            is_summary = in_summary and isinstance(node, ast.Module)
            if is_summary or (isinstance(node, ast.FunctionDef) and node.name == "placeholders"):
                names += _keys_in(node)
    return [re.compile(name) for name in dict.fromkeys(names)]


def _keys_in(node: ast.AST) -> Iterator[str]:
    """Yield the keys of the dictionaries in a piece of code, as patterns."""
    for inner in ast.walk(node):
        keys: list[ast.expr | None] = []
        if isinstance(inner, ast.Dict):
            keys = inner.keys
        elif isinstance(inner, ast.Subscript) and isinstance(inner.ctx, ast.Store):
            keys = [inner.slice]
        for key in keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield re.escape(key.value)
            elif isinstance(key, ast.JoinedStr):
                yield "".join(
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z0-9_]+"
                    for part in key.values
                )


def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(read_text(file))
    except SyntaxError as exc:
        problem = tr("is not valid Python: {error}", error=exc.msg)
        raise FileError.at(f"{file}:{exc.lineno or 1}", problem) from exc


def _of_error(text: str) -> Gap:
    """Return a loader's error as a gap: it begins with the file, and has a line or a table."""
    match = _ERROR.fullmatch(text)
    path, *lines, sentence = match.groups() if match else (text, text)
    at_line = re.search(r"\(at line (\d+)", sentence)
    line = next((int(one) for one in (*lines, *(at_line.groups() if at_line else ())) if one), 1)
    table = re.match(r"\[.+?\](?=[: ])", sentence)
    if table:
        line = _line(read_text(path).splitlines(), re.compile(rf"\s*{re.escape(table[0])}"))
    return Gap(path, line, _ended(sentence))


def _ended(sentence: str) -> str:
    """Return a sentence with its full stop, where it is no question."""
    return sentence if sentence.endswith("?") else f"{sentence}."


def _line(lines: Sequence[str], start: re.Pattern[str]) -> int:
    """Return the number of the first line that begins so; the first line where none does."""
    return next((number for number, line in enumerate(lines, 1) if start.match(line)), 1)


def _named(title: str | None) -> str:
    return f'"{title}"' if title else trc("hypothesis", "missing")


def _short(command: Command) -> str:
    text = (without_comments(command.text) or [command.text])[0].strip()
    return f'"{text[:57]}..."' if len(text) > 60 else f'"{text}"'
