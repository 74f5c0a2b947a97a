"""Which runbook a run has, several in one call, and the folder of each."""

from __future__ import annotations

from typing import Protocol

import pytest

from tests.plugin.conftest import CONFTEST, PYPROJECT
from tests.suite import ROOT
from tests.waiting import PATIENCE

BODY = 'def test_answers():\n    """It answers."""\n'
DOCUMENT = """# {name}

## Signal

Nobody gets in.

## Hypotheses

1. **Down** - it does not answer.

## Verifications

### 1. It answers

```bash
curl -sS /healthz
```

## Corrective actions

### If it is down

1. **Start it**

   ```bash
   systemctl start it
   ```

## Preventive actions

### Watching

- Look at it.

## Post-mortem notes

### To write down

- When: <started_at>

## References
"""
EVIDENCE = """
[hypotheses.down]
title = "Down"
prior = 0.05

[checks."answer/answers"]
verification = 1
role = "symptom"
component = "api"
explained_by = { down = 0.95 }
leak = 0.001
"""


class Call(Protocol):
    """Run pytest with these arguments in the project, whose default runbook is `ini`."""

    def __call__(self, *args: str, ini: str = "") -> pytest.RunResult: ...


@pytest.fixture
def call(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Make a project with the runbooks `alpha` and `beta`."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("VEZA_RUNBOOK", raising=False)
    pytester.makeconftest(CONFTEST)
    for name in ("alpha", "beta"):
        folder = pytester.path / "runbooks" / name
        folder.mkdir(parents=True)
        (folder / "runbook.md").write_text(DOCUMENT.format(name=name.capitalize()))
        (folder / "evidence.toml").write_text(EVIDENCE)
        checks = pytester.path / "checks" / name
        checks.mkdir(parents=True)
        (checks / "test_answer.py").write_text(BODY)

    def run(*args: str, ini: str = "") -> pytest.RunResult:
        pytester.makepyprojecttoml(PYPROJECT + (f'runbook = "{ini}"\n' if ini else ""))
        return pytester.runpytest_subprocess(*args, timeout=PATIENCE)

    return run


def folders(pytester: pytest.Pytester) -> list[str]:
    """The folders with a whole report."""
    return sorted(path.parent.name for path in pytester.path.glob("out/made-up/*/report.json"))


@pytest.mark.patient
@pytest.mark.parametrize(
    ("args", "ini", "chosen"),
    [
        ((), "beta", "beta"),
        (("--runbook", "alpha"), "beta", "alpha"),
        (("checks",), "beta", "beta"),
        (("checks/alpha",), "beta", "alpha"),
        (("checks/alpha", "--runbook", "alpha"), "", "alpha"),
    ],
)
def test_a_run_has_one_runbook(
    call: Call, pytester: pytest.Pytester, args: tuple[str, ...], ini: str, chosen: str
) -> None:
    """The command line names it, or else the project; its files are in a folder of their own."""
    result = call(*args, ini=ini)
    assert result.ret == 0, result.stdout.str()
    assert folders(pytester) == [chosen]


@pytest.mark.patient
@pytest.mark.parametrize(
    ("args", "ini", "problem"),
    [
        ((), "", "name a runbook with --runbook: alpha or beta"),
        (("--runbook", "alpa"), "", "--runbook: there is no 'alpa', only alpha and beta; did you"),
        ((), "gamma", "the default runbook: there is no 'gamma', only alpha and beta"),
        (("checks/alpha", "checks/beta"), "", "a run has one runbook, not both alpha and beta"),
        (("checks/alpha", "--runbook", "beta"), "", "a run has one runbook, not both beta and al"),
    ],
)
def test_a_choice_that_cannot_be_is_one_sentence(
    call: Call, args: tuple[str, ...], ini: str, problem: str
) -> None:
    """A usage error names the runbooks that are there."""
    result = call(*args, ini=ini)
    assert result.ret == 4
    output = result.stdout.str() + result.stderr.str()
    assert output.count(problem) == 1, output
    assert "Traceback" not in output


@pytest.mark.patient
def test_a_runbook_may_have_many_verifications(call: Call, pytester: pytest.Pytester) -> None:
    """Each number in its evidence table is a marker, also where markers are strict."""
    folder = pytester.path / "runbooks/alpha"
    steps = [
        f"### {number}. It answers\n\n```bash\ncurl -sS /healthz\n```\n" for number in range(1, 10)
    ]
    document = DOCUMENT.format(name="Alpha").replace(steps[0], "\n".join(steps))
    (folder / "runbook.md").write_text(document)
    table = EVIDENCE.replace("verification = 1", "verification = 9")
    (folder / "evidence.toml").write_text(table)
    result = call("--runbook", "alpha", "-m", "verification_9")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*HEALTHY*"])


@pytest.mark.patient
def test_the_environment_names_the_runbook(
    call: Call, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VEZA_RUNBOOK is for a schedule; the command line comes first."""
    monkeypatch.setenv("VEZA_RUNBOOK", "alpha")
    assert call(ini="beta").ret == 0
    assert call("--runbook", "beta").ret == 0
    assert folders(pytester) == ["alpha", "beta"]
    monkeypatch.setenv("VEZA_RUNBOOK", "alpa")
    call().stderr.fnmatch_lines(["*VEZA_RUNBOOK: there is no 'alpa', only alpha and beta*"])
