"""The command line: a mistake gets one sentence on stderr and exit status 4, no traceback."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.suite import ROOT, environment, run_command, run_suite
from tests.targets import ENVIRON, FULL, MINIMAL, api_target
from tests.waiting import PATIENCE
from veza_checks_guard import EXAMPLES, FLAGS

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

NOWHERE = "http://127.0.0.1:9"
DATABASE = """
[targets.staging.database]
dsn = "postgresql://monitor:hunter22@127.0.0.1:9/veza"
"""


LIKE_ANOTHER = [
    (("--target", "STAGING"), "did you mean 'staging'"),
    (("--target", "staging", "--budget=20min"), "--budget: a budget is at most 15 min"),
    (("--target", "staging", "--out", "/tmp"), "write --out=VALUE"),
    (("--target", "stagign", "--check-config"), "did you mean 'staging'"),
    (("--target", "staging", "--check-config", "--runbook-doc=nowhere.md"), "nowhere.md"),
    (("--budget", "--target", "staging"), "--budget needs a value"),
    (("--target", ""), "--target needs a value, for example: --target staging"),
    (("--target=",), "--target needs a value, for example: --target staging"),
]
"""Mistakes that the quick loop leaves out, each with its sentence."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A targets file whose services do not exist."""
    path = tmp_path / "targets.toml"
    staging = api_target("staging", NOWHERE) + DATABASE
    path.write_text(staging + api_target("live", NOWHERE, token="env:NOWHERE_SET"))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "--target lab"),
        (("--target", "stagign"), "did you mean 'staging'"),
        (("--target", "staging", "--target=live"), "for both, write --target staging,live"),
        (("--target", "live"), "NOWHERE_SET is not set"),
        (("--target", "staging", "--budget", "soon"), '--budget: write it like "10 min"'),
        (("--target", "staging", "--upload-id", "/etc/passwd"), "write --upload-id=VALUE"),
        (("--target", "staging", "--upload-id", "two\nlines"), "is not an upload ID"),
        (("--target", "staging", "--runbook-doc=nowhere.md"), "nowhere.md"),
        (("--target", "staging", "--runbook-doc", "README.md"), "README.md"),
        (("--target", "staging", "--fault", "worker-killed"), "add --target lab"),
        (("--target", "staging", "--check-config", "--runbook=nowhere"), "there is no 'nowhere'"),
        (("--target",), "--target needs a value, for example: --target staging"),
        (("--target", "staging", "-n", "-1"), "-n: write how many targets are checked at once"),
        (("--target", "staging", "--if-busy", "maybe"), "--if-busy: write wait, skip or fail"),
        (("--target", "lab", "--targets-file=nowhere"), "nowhere does not exist: omit the targets"),
        (("--tagret=staging",), "there is no option --tagret: did you mean --target?"),
        (("--target", "staging", "tests/unit"), "and name paths below checks/ only"),
        *(pytest.param(*mistake, marks=pytest.mark.patient) for mistake in LIKE_ANOTHER),
    ],
)
def test_a_mistake_gets_one_sentence(
    file: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """A usage error says what is wrong, where, and how to fix it; no check runs."""
    run = run_suite(f"--targets-file={file}", *arguments, out=tmp_path / "out")
    assert run.status == 4
    assert sentence in run.errors
    assert len(run.errors.strip().splitlines()) == 1, run.errors
    assert len(run.errors) < 600
    assert run.report is None


@pytest.mark.patient
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-m", "symtom"), "Unknown marker(s) in '-m' expression: symtom"),
        (("-k", "not("), "Wrong expression passed to '-k': not("),
        (("checks/upload_stuk",), "file or directory not found: checks/upload_stuk"),
    ],
)
def test_a_mistake_in_the_selection_leaves_no_report(
    file: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """A selection that pytest refuses gets pytest's sentence alone: no report and no verdict."""
    where = (f"--targets-file={file}", "--target", "staging", "-n0")
    run = run_suite(*where, *arguments, out=tmp_path / "out")
    assert run.status == 4
    assert sentence in run.errors
    assert "Unknown:" not in run.text + run.errors
    assert run.report is None


@pytest.mark.parametrize("listing", ["--collect-only", "--fixtures", "--fixtures-per-test"])
@pytest.mark.parametrize(
    "target", [(), pytest.param(("--target", "staging"), marks=pytest.mark.patient)]
)
def test_a_listing_needs_no_target(
    file: Path, tmp_path: Path, listing: str, target: tuple[str, ...]
) -> None:
    """What pytest lists of the checks it lists here too, with and without a target."""
    out = tmp_path / "out"
    run = run_suite(
        f"--targets-file={file}", *target, listing, f"--alluredir={tmp_path / 'allure'}", out=out
    )
    assert run.status == 0, run.text + run.errors
    assert {
        "--collect-only": "::test_database_is_reachable",
        "--fixtures": "recorder [session scope]",
        "--fixtures-per-test": "fixtures used by test_database_is_reachable",
    }[listing] in run.text
    assert run.errors == ""
    assert not out.exists()
    assert list(tmp_path.glob("allure/*")) == []


def test_this_machine_comes_first_and_logs_come_last(file: Path, tmp_path: Path) -> None:
    """Hung components keep no local check from its turn, and nothing waits behind a scan."""
    local = '\n[targets.staging.{}]\nhosts = ["local://"]\n'
    logs = local.format("logs") + 'files = ["/var/log/veza/*.log"]\n'
    file.write_text(file.read_text() + logs + local.format("worker") + 'pattern = "veza"\n')
    where = (f"--targets-file={file}", "--target", "staging", "--setup-plan", "-v")
    run = run_suite(*where, out=tmp_path / "out")
    names = re.findall(r"(test_\w+[.]py)::(\w+)", run.text)
    order = list(dict.fromkeys(file for file, _ in names))
    assert order[:2] == ["test_hosts.py", "test_worker.py"], run.text
    assert order[-1] == "test_logs.py"
    # It asks the logs too.
    last = [name for file, name in names if file != "test_logs.py"][-1]
    assert last == "test_worker_is_logging"
    assert "test_upload_status.py" in order


def test_check_config_lists_every_mistake_of_a_target(tmp_path: Path) -> None:
    """One call of --check-config is enough to find them all; the first twenty are shown."""
    path = tmp_path / "targets.toml"
    path.write_text(
        '[targets.x]\n[targets.x.api]\nurl = "veza.example"\ntokn = "t"\n[targets.x.logs]\n'
        f"hosts = {['nowhere'] * 30}\n"
    )
    where = (f"--targets-file={path}", "--target", "x", "--check-config")
    run = run_suite(*where, out=tmp_path / "out")
    assert run.status == 4
    lines = [line for line in run.errors.splitlines() if line]
    assert len(lines) == 21
    assert all(line.startswith("ERROR: ") for line in lines)
    assert lines[0].endswith("[targets.x.api] has an unknown key 'tokn'; did you mean 'token'?")
    assert "url: write a valid URL" in run.errors
    assert "is missing the key 'environment'" in run.errors
    assert lines[-1].endswith(" more errors")


def test_no_file_names_the_example(tmp_path: Path) -> None:
    """Without a targets file, the sentence names the example; no lab is started."""
    run = run_suite(f"--targets-file={tmp_path / 'none.toml'}", out=tmp_path / "out")
    assert run.status == 4
    assert "targets.example.toml" in run.errors


@pytest.mark.parametrize("name", ["full", "minimal"])
def test_check_config_describes_a_run(
    tmp_path: Path, snapshot_txt: SnapshotAssertion, name: str
) -> None:
    """--check-config prints places, access and thresholds of a valid target, without its secrets.

    Its hosts do not exist: a connection would fail.
    """
    path = tmp_path / "targets.toml"
    path.write_text(FULL + MINIMAL)
    out = tmp_path / "out"
    run = run_suite(
        f"--targets-file={path}", "--target", name, "--check-config", out=out, environ=ENVIRON
    )
    assert run.status == 0
    assert run.errors == ""
    assert run.text == snapshot_txt
    assert not any(secret in run.text for secret in ("t0ken", "hunter22", "s3cr"))
    assert not out.exists()


@pytest.mark.parametrize(
    "processes",
    [
        (),
        pytest.param(("-n2",), marks=pytest.mark.patient),
        pytest.param(("-n2", "--dist=loadfile"), marks=pytest.mark.patient),
        pytest.param(("--tx=popen",), marks=pytest.mark.patient),
    ],
)
def test_a_dead_target_is_an_incident(
    file: Path, tmp_path: Path, processes: tuple[str, ...]
) -> None:
    """If nothing answers, only the two checks of reachability fail; the state is an incident.

    One target is checked in one process, whatever xdist is told.
    """
    run = run_suite(
        f"--targets-file={file}", "--target", "staging", *processes, out=tmp_path / "out"
    )
    assert "bringing up nodes" not in run.text
    failed = sorted(check for check, status in run.statuses.items() if status == "failed")
    assert failed == ["database/database_is_reachable", "upload_status/api_is_reachable"]
    passed = [check for check, status in run.statuses.items() if status == "passed"]
    assert passed == ["hosts/a_server_answers"], "a refusal is an answer"
    assert set(run.statuses.values()) == {"passed", "failed", "unreachable", "skipped"}
    assert run.state == "incident"
    assert run.status == 1
    everything = run.text + run.errors + str(run.report)
    assert "Traceback" not in everything
    assert "hunter22" not in everything
    assert "swordfish" not in everything


def test_a_mistyped_fault_starts_no_lab(tmp_path: Path) -> None:
    """It is refused before a lab starts, with the name that is meant."""
    where = {"VEZA_LAB_DIR": str(tmp_path / "lab")}
    fault = ("--target", "lab", "--fault", "worker-kiled")
    run = run_suite(*fault, out=tmp_path / "out", environ=where)
    assert run.status == 4
    (line,) = run.errors.strip().splitlines()
    assert line == "ERROR: there is no fault 'worker-kiled'; did you mean worker-killed?"


def test_what_is_above_the_verdict_is_ascii_where_the_terminal_is(
    file: Path, tmp_path: Path
) -> None:
    """It has the letters of the verdict: no escapes in place of those that the terminal lacks."""
    page = tmp_path / "out/staging/upload_stuck/partial/report.html"
    page.mkdir(parents=True)
    where = (f"--targets-file={file}", "--target", "staging", "--lang", "fr", "-k", "reachable")
    run = run_suite(*where, out=tmp_path / "out", environ={"PYTHONIOENCODING": "ascii"})
    assert f"{page} ne peut pas etre ecrit" in run.text
    assert "\\x" not in run.text


@pytest.mark.parametrize(
    "option",
    [
        "--check-config",
        pytest.param("--runbook=upload_stuck,login_fails", marks=pytest.mark.patient),
    ],
)
def test_a_letter_that_the_output_lacks_costs_nothing(
    file: Path, tmp_path: Path, option: str
) -> None:
    """A description and a line for each run are printed where the output is not UTF-8, too."""
    where = (f"--targets-file={file}", "--target", "staging", "--lang", "fr", option)
    environ = {"PYTHONIOENCODING": "ascii"}
    run = run_suite(*where, "-k", "reachable", out=tmp_path / "out", environ=environ)
    assert "Traceback" not in run.errors
    assert len(run.text.splitlines()) > 1


def test_help_lists_every_option(tmp_path: Path) -> None:
    """--help works without a target and begins with our options, a line or two for each.

    The guard knows every option of ours that takes a value.
    """
    run = run_suite("--help", out=tmp_path / "out")
    assert run.status == 0
    ours = run.text.partition("\nveza-checks:\n")[2].partition("\n\n")[0]
    assert run.text.index("\nveza-checks:\n") < run.text.index("\ngeneral:\n")
    options = dict(re.findall(r"^  (--[a-z-]+)(=?)", ours, re.MULTILINE))
    assert len(ours.splitlines()) <= 2 * len(options)
    assert {option for option, value in options.items() if value} == set(EXAMPLES)
    assert set(FLAGS) == set(options) - set(EXAMPLES)


def test_a_run_does_not_load_what_it_has_no_use_for(file: Path, tmp_path: Path) -> None:
    """It takes time, and what only the tests need may be missing: a target's name is no path."""
    options = (f"--targets-file={file}", "--target", "staging", "--check-config")
    imports = {"PYTHONPROFILEIMPORTTIME": "1"}
    run = run_suite(*options, out=tmp_path / "out", environ=imports)
    assert run.status == 0
    loaded = re.findall(r"\| +(\S+)$", run.errors, re.MULTILINE)
    assert "fixtures.target.load" in loaded
    # What tests/conftest.py brings along; the name of a module that pytest loads is not printed.
    assert not {"lab", "syrupy"} & set(loaded)
    # Plugins for the options of others.
    assert not {"allure_commons", "testinfra"} & set(loaded)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nope.py", "file or directory not found: nope.py"),
        pytest.param(
            "checks/nope.py",
            "file or directory not found: checks/nope.py",
            marks=pytest.mark.patient,
        ),
        ("é" * 200, "file or directory not found: ééé"),
        (str(ROOT), "a run has one runbook"),
    ],
)
def test_a_path_that_leads_to_no_test_loads_no_plugin_of_the_tests(
    file: Path, tmp_path: Path, path: str, sentence: str
) -> None:
    """A wrong path and the whole project get a sentence, without what only the tests need."""
    where = (f"--targets-file={file}", "--target", "staging")
    imports = {"PYTHONPROFILEIMPORTTIME": "1"}
    run = run_suite(*where, path, out=tmp_path / "out", environ=imports)
    assert run.status == 4
    assert sentence in run.errors
    assert "syrupy" not in re.findall(r"\| +(\S+)$", run.errors, re.MULTILINE)


def test_a_run_of_the_folder_above_says_where_to_run_it(tmp_path: Path) -> None:
    """pytest finds the project's checks from outside, without its configuration: one sentence."""
    (tmp_path / "clone").mkdir()
    shutil.copy(ROOT / "conftest.py", tmp_path / "clone")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--rootdir={tmp_path}", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0
    assert f"run pytest in {tmp_path / 'clone'}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr


def test_an_interrupt_while_it_starts_is_no_traceback() -> None:
    """Ctrl-C in the first second ends as an interrupted run does."""
    code = """
import sys, pytest

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "pydantic":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
sys.exit(pytest.main(["--target", "lab"]))
"""
    done = run_command(sys.executable, "-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_a_run_without_asserts_is_refused(file: Path, tmp_path: Path) -> None:
    """A Python that leaves out assertions would have every check pass that has an answer."""
    where = (f"--targets-file={file}", "--target", "staging")
    run = run_suite(*where, out=tmp_path / "out", environ={"PYTHONOPTIMIZE": "1"})
    assert run.status == 4, run.text
    assert "PYTHONOPTIMIZE" in run.errors
    assert len(run.errors.strip().splitlines()) == 1, run.errors
    assert run.report is None


@pytest.mark.parametrize(
    ("option", "shown"),
    [("--help", "--runbook"), ("--version", "pytest "), ("--markers", "pytest.mark.gate")],
)
def test_what_asks_for_no_run_starts_none(tmp_path: Path, option: str, shown: str) -> None:
    """The environment may name several targets and runbooks: nobody asked to check them."""
    environ = {"VEZA_TARGET": "here,there", "VEZA_RUNBOOK": "all", "VEZA_TARGETS_FILE": "nowhere"}
    run = run_suite(option, out=tmp_path / "out", environ=environ)
    assert run.status == 0, run.errors
    assert shown in run.text


def test_a_forgotten_environment_is_one_sentence() -> None:
    """Where the packages are missing, it says where they may be, and shows no traceback."""
    code = (
        "import sys, pytest; sys.modules['pydantic'] = None; "
        "sys.exit(pytest.main(['--target', 'lab']))"
    )
    done = run_command(sys.executable, "-c", code)
    assert done.returncode == 4
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert line.startswith(f"ERROR: pydantic is not installed for {sys.executable}: activate the")


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        ((), set()),
        (("-n", "2", "--maxfail=3"), {"xdist"}),
        (("--alluredir=allure",), {"allure_pytest"}),
    ],
)
def test_what_a_run_does_not_need_is_not_imported(
    arguments: tuple[str, ...], loaded: set[str]
) -> None:
    """The plugins that are installed in any case are loaded for their own options."""
    code = (
        "import sys, pytest; pytest.main(sys.argv[1:]); "
        "print(*{'xdist', 'allure_pytest', 'testinfra'} & sys.modules.keys())"
    )
    done = run_command(sys.executable, "-c", code, "--markers", *arguments)
    assert set(done.stdout.splitlines()[-1].split()) == loaded, done.stdout + done.stderr
