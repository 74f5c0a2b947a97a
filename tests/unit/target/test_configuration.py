"""Reading a target from targets.toml; test_refusals.py has what is refused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.rights import resolve_rights
from fixtures.target.check_config import describe
from fixtures.target.load import ConfigurationError, load, warnings_of
from fixtures.target.model import Thresholds
from fixtures.target.summary import summary_of
from tests.targets import ENVIRON, FULL, MINIMAL

EXAMPLE = Path(__file__).parents[3] / "targets.example.toml"

SECRETS = {
    "VEZA_STAGING_TOKEN": "t0ken-of-staging",
    "VEZA_STAGING_DSN": "postgresql://u:pw@h/veza",
    "VEZA_STAGING_AMQP": "amqp://u:pw@h/%2F",
    "VEZA_STAGING_MANAGEMENT": "http://u:pw@h:15672",
}
"""The environment variables that targets.example.toml names."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A valid targets file, with the file of a secret beside it."""
    (tmp_path / "amqp-url").write_text(f"{ENVIRON['AMQP']}\n")
    path = tmp_path / "targets.toml"
    path.write_text(FULL.replace("env:AMQP", "file:amqp-url") + MINIMAL)
    return path


def test_a_target_is_read(file: Path) -> None:
    """Secrets are resolved, units are read, and an omitted key has its default."""
    target = load(file, None, ENVIRON)
    assert target.name == "full"
    assert target.api is not None
    assert target.api.token.get_secret_value() == ENVIRON["TOKEN"]
    assert target.thresholds.stuck_after == 720
    assert target.thresholds.disk_free_min.count == 5 * 2**30
    assert target.thresholds.processing_max == 300
    assert load(file, "minimal", {}).queue is None


def test_a_secret_comes_from_a_file(file: Path) -> None:
    """The PATH of file:PATH is relative to the targets file; the final line break is not read."""
    target = load(file, "full", ENVIRON)
    assert target.queue is not None
    assert target.queue.url.get_secret_value() == ENVIRON["AMQP"]


def test_the_secrets_of_actions_are_resolved_by_them_alone(file: Path) -> None:
    """A run needs none of them; an action refuses one that is missing, or of another kind."""
    target = load(file, "full", ENVIRON)
    assert target.actions is not None
    assert target.actions.references() == ("env:FIXER_DSN",)
    dsn = "postgresql://fixer:s3same@db.example/veza"
    rights = resolve_rights(target, file, {"FIXER_DSN": dsn})
    assert rights.dsn is not None
    assert rights.dsn.get_secret_value() == dsn
    assert set(rights.secrets()) == {dsn, "s3same"}
    place = re.escape("[targets.full.actions] dsn")
    for environ in ({}, {"FIXER_DSN": "mysql://s3same"}):
        with pytest.raises(ConfigurationError, match=place) as refused:
            resolve_rights(target, file, environ)
        assert "s3same" not in str(refused.value)


def test_no_text_of_a_target_holds_a_secret(file: Path) -> None:
    """A target's repr, its summary and its description hold none of its passwords and tokens."""
    file.write_text(file.read_text().replace("env:FIXER_DSN", "postgresql://fixer:s3same@db/veza"))
    target = load(file, "full", ENVIRON)
    assert {
        ENVIRON["TOKEN"],
        ENVIRON["PROMETHEUS"],
        "hunter22",
        "s3cr%40t",
        "s3cr@t",
        "s3same",
    } <= set(target.secrets())
    texts = f"{target!r} {target} {summary_of(target)} {describe(target)}"
    assert not any(secret in texts for secret in target.secrets())


def test_the_token_is_sent_in_the_header_that_the_target_names(tmp_path: Path) -> None:
    """Without one it is a bearer token; what is told of the header holds no token."""
    file = tmp_path / "targets.toml"
    api = "url = 'https://veza.example', token = 't0ken-of-mine'"
    for more, header in (
        ("", "Authorization: Bearer {token}"),
        (", token_header = 'X-Api-Key: {token}'", "X-Api-Key: {token}"),
    ):
        file.write_text(
            f"[targets.small]\nenvironment = 'staging'\napi = {{ {api}{more} }}\n"
            "login = { path = '/login' }\n"
        )
        target = load(file, "small", {})
        assert target.api is not None
        assert target.api.token_header == header
        assert target.login.token_header == "Authorization: Bearer {token}"
        assert summary_of(target).placeholders["token_header"] == header
        assert f'with the token, in the header "{header}"' in describe(target)


def test_the_account_of_the_login_is_a_secret(tmp_path: Path) -> None:
    """Neither the account nor its password is in a text of a target; what is sent is told."""
    file = tmp_path / "targets.toml"
    file.write_text(
        "[targets.small]\nenvironment = 'staging'\n"
        "api = { url = 'https://veza.example', token = 'swordfish' }\n"
        "[targets.small.login]\npath = '/auth/login'\nlogout_path = '/auth/logout'\n"
        "account = 'synthetic@veza.example'\npassword = 'hunter22'\n"
    )
    target = load(file, "small", {})
    assert {"synthetic@veza.example", "hunter22"} <= set(target.secrets())
    texts = f"{target!r} {target} {summary_of(target)} {describe(target)}"
    assert not any(secret in texts for secret in target.secrets())
    assert "logs in once on /auth/login as the account, and logs out" in describe(target)
    file.chmod(0o644)
    assert "login.account" in warnings_of(file, "small")[0]


def test_a_secret_that_is_a_plain_word_is_told(tmp_path: Path) -> None:
    """Each such word of a report is masked: "the *** read"."""
    file = tmp_path / "targets.toml"
    file.write_text(
        "[targets.small]\nenvironment = 'staging'\n"
        "api = { url = 'https://veza.example', token = 'checks' }\n"
        "database = { dsn = 'postgresql://reader:veza@db/veza' }\n"
        "queue = { url = 'amqp://u:s3same@mq/v', name = 'q' }\n"
    )
    text = describe(load(file, "small", {}))
    assert "plain word (api.token, database.dsn) is ***" in text
    file.write_text(file.read_text().replace("checks", "ch3cks").replace("veza@", "v3za@"))
    assert "plain word" not in describe(load(file, "small", {}))


def test_a_secret_file_that_everybody_may_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named, with its keys; one in a container's read-only mount is left alone."""
    path, secret = tmp_path / "targets.toml", tmp_path / "tok"
    path.write_text(
        "[targets.small]\nenvironment = 'staging'\n"
        "api = { url = 'https://veza.example', token = 'file:tok' }\n"
        "canary = { token = 'file:tok' }\n"
    )
    secret.write_text("swordfish")
    secret.chmod(0o640)
    assert warnings_of(path, "small") == ()
    secret.chmod(0o644)
    (sentence,) = warnings_of(path, "small")
    assert sentence.startswith(f"{secret} holds a secret (api.token, canary.token) and every")
    monkeypatch.setattr("fixtures.target.load.is_read_only", lambda path: True)
    assert warnings_of(path, "small") == ()


def test_what_nobody_wrote_is_asked_for(tmp_path: Path) -> None:
    """--check-config names the keys that it guesses; one that is written is not asked for."""
    path = tmp_path / "targets.toml"
    path.write_text(
        '[targets.live]\nenvironment = "live"\n'
        '[targets.live.storage]\npath = "/uploads"\nhosts = ["local://"]\n'
        '[targets.live.worker]\nhosts = ["local://"]\n'
    )
    text = describe(load(path, "live", {}))
    assert "[targets.live.worker] pattern = 'job.*worker|worker.*upload': " in text
    assert "[targets.live.storage] service_user = 'veza': the user that" in text
    path.write_text(path.read_text() + 'pattern = "veza-worker"\n')
    text = describe(load(path, "live", {}))
    assert "] pattern = " not in text
    assert "] service_user = " in text


USABLE = {
    "VEZA_STAGING_TOKEN": ("t0ken", "abc.DEF-1_2~+/=="),
    "VEZA_STAGING_DSN": (
        "postgres://u:p%2Fw@a:5432,b:5433/veza?sslmode=require",
        "postgresql:///veza",
        "postgresql://u@[::1]:5432/veza",
        r"host=h  dbname = veza password='it\'s a/b@c'",
        "service=veza",
    ),
    "VEZA_STAGING_AMQP": ("amqps://u:p%23w:x@mq/%2F", "amqp://mq:5672"),
    "VEZA_STAGING_MANAGEMENT": ("https://u:pw@mq:15671/", "http://mq"),
}


def flat(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), flat(USABLE))
def test_a_usable_secret_is_accepted(name: str, value: str) -> None:
    """A token, DSN or URL that its client can use is accepted."""
    assert load(EXAMPLE, "staging", SECRETS | {name: value}).name == "staging"


def test_the_example_is_valid() -> None:
    """The example that users copy is a valid target with every component."""
    target = load(EXAMPLE, "staging", SECRETS)
    for part in ("api", "database", "queue", "storage", "logs", "worker"):
        assert getattr(target, part) is not None


def test_the_example_states_the_defaults() -> None:
    """The example has every threshold, with its default value."""
    table = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["targets"]["staging"]["thresholds"]
    assert set(table) == set(Thresholds.model_fields)
    assert load(EXAMPLE, "staging", SECRETS).thresholds == Thresholds()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Whatever bytes the file holds, reading it raises ConfigurationError and nothing else."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError):
        load(path, "staging", {})
