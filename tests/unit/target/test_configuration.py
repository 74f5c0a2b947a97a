"""targets.toml: what is right becomes a Target, what is wrong one sentence that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.secrets import masked, passwords
from fixtures.target.check_config import describe
from fixtures.target.load import ConfigurationError, load
from fixtures.target.summary import summary_of

EXAMPLE = Path(__file__).parents[3] / "targets.example.toml"

GOOD = """
default_target = "staging"

[targets.staging]
environment = "staging"

[targets.staging.api]
url = "https://staging.example"
token = "env:TOKEN"

[targets.staging.database]
dsn = "env:DSN"

[targets.staging.thresholds]
stuck_after = "12 min"
disk_free_min = "5 GiB"

[targets.live]
environment = "live"

[targets.live.queue]
url = "file:amqp-url"
name = "process_upload"
"""

ENVIRON = {"TOKEN": "open-sesame", "DSN": "postgresql://monitor:hunter22@db.example/veza"}


SECRETS = {
    "VEZA_STAGING_TOKEN": "t0ken-of-staging",
    "VEZA_STAGING_DSN": "postgresql://u:pw@h/veza",
    "VEZA_STAGING_AMQP": "amqp://u:pw@h/%2F",
    "VEZA_STAGING_MANAGEMENT": "http://u:pw@h:15672",
}
"""What targets.example.toml takes from the environment."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good targets file, its secrets beside it."""
    (tmp_path / "amqp-url").write_text("amqp://monitor:s3cr%40t@mq.example/veza\n")
    path = tmp_path / "targets.toml"
    path.write_text(GOOD)
    return path


def refusal(path: Path, name: str | None = None, environ: dict[str, str] | None = None) -> str:
    """The sentence that refuses this configuration."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, name, ENVIRON if environ is None else environ)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence


def test_a_target_is_read(file: Path) -> None:
    """Secrets are resolved, units read, and what is left out has the runbook's own numbers."""
    target = load(file, None, ENVIRON)
    assert target.name == "staging"
    assert target.api is not None
    assert target.api.token.get_secret_value() == "open-sesame"
    assert target.thresholds.stuck_after == 720
    assert target.thresholds.disk_free_min.count == 5 * 2**30
    assert target.thresholds.processing_max == 300
    assert target.queue is None


def test_a_secret_comes_from_a_file(file: Path) -> None:
    """file:PATH is read beside the targets file, without its line end."""
    target = load(file, "live", {})
    assert target.queue is not None
    assert target.queue.url.get_secret_value() == "amqp://monitor:s3cr%40t@mq.example/veza"


def test_no_secret_is_shown(file: Path) -> None:
    """Neither a target's text nor its facts nor --check-config hold a password or a token."""
    for name in ("staging", "live"):
        target = load(file, name, ENVIRON)
        shown = f"{target!r} {target} {summary_of(target)} {describe(target)}"
        for secret in ("open-sesame", "hunter22", "s3cr%40t", "s3cr@t"):
            assert secret not in shown
            assert name == "live" or secret in (*target.secrets(), "s3cr%40t", "s3cr@t")


def test_passwords_are_found_in_every_form() -> None:
    """URLs, percent escapes and libpq strings give up their passwords; a bare token is masked."""
    assert passwords("amqp://u:p%40ss@h/v") == ["p%40ss", "p@ss"]
    assert passwords("host=h password='two words' user=u") == ["two words"]
    assert masked("host=h password=pw1234") == "host=h password=***"
    assert masked("tokentoken") == "***"


ODD = (
    "postgresql://veza_checks:S3cret/pw0rd@db-1/veza",
    "amqp://u:S3cret#pw0rd@mq:5672/%2F",
    "http://u:S3cret?pw0rd@mq:15672",
    "amqp://u:S3cret@pw0rd@mq:5672/%2F",
)


@pytest.mark.parametrize("url", ODD)
def test_an_unescaped_password_is_masked_all_the_same(url: str) -> None:
    """What stands before the last @ is the login, whatever a parser makes of it."""
    from core.secrets import Redactor, without_password
    from core.urls import origin

    said = f'could not resolve host "S3cret", "pw0rd" of {url}'
    secrets = sorted(passwords(url), key=len, reverse=True)
    for shown in (
        masked(url),
        origin(url),
        without_password(f"not reached: {url}"),
        Redactor(secrets).text(said),
    ):
        assert "S3cret" not in shown
        assert "pw0rd" not in shown


def test_passwords_among_the_settings_of_a_string_are_found() -> None:
    """A password in a URL's query, and one with a quoted quote, are found to their end."""
    assert passwords("postgresql://h/db?password=S3%2Fc&user=u") == ["S3%2Fc", "S3/c"]
    assert masked(r"host=h password='a\'bcdef'") == "host=h password='***'"
    assert masked("password=a//b:c@d host=h") == "password=*** host=h"


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
WRONG = {
    "VEZA_STAGING_TOKEN": ("S3cret…", "S3\ncret", "S3cret\x07"),
    "VEZA_STAGING_DSN": (
        "S3cret",
        "mysql://S3cret/y",
        "host=h S3cret",
        "postgresql://u:S3cret",
        "postgresql://u:S3cret%@h/veza",
        ODD[0],
    ),
    "VEZA_STAGING_AMQP": ("http://u:S3cret@h", "amqp://u:S3cret", "S3cret", ODD[1], ODD[3]),
    "VEZA_STAGING_MANAGEMENT": ("ftp://S3cret", "http://", "h:15672/S3cret", ODD[2]),
}
KEYS = {
    "VEZA_STAGING_TOKEN": "[targets.staging.api] token (text): ",
    "VEZA_STAGING_DSN": "[targets.staging.database] dsn (text): ",
    "VEZA_STAGING_AMQP": "[targets.staging.queue] url (text): ",
    "VEZA_STAGING_MANAGEMENT": "[targets.staging.queue] management_url (text): ",
}


def flat(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), flat(USABLE))
def test_every_form_of_a_secret_is_taken(name: str, value: str) -> None:
    """What a client can use is not refused."""
    assert load(EXAMPLE, "staging", SECRETS | {name: value}).name == "staging"


@pytest.mark.parametrize(("name", "value"), flat(WRONG))
def test_a_secret_that_no_client_can_use_is_refused(name: str, value: str) -> None:
    """It is refused before a run takes it for an incident: by its key, with its form, unseen."""
    sentence = refusal(EXAMPLE, "staging", SECRETS | {name: value})
    assert KEYS[name] in sentence
    assert "write " in sentence or "percent-encoded" in sentence
    if value in ODD:
        assert "the user or the password in it holds a '/'" in sentence
    for piece in ("S3cret", "pw0rd", "mysql"):
        assert piece not in sentence


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "stuck_after",
            "stuck_atfer",
            ("[targets.staging.thresholds]", "did you mean 'stuck_after'"),
        ),
        ('"12 min"', '"12 mins"', ("thresholds] stuck_after (text)", '"10 min"')),
        ('"12 min"', "12", ("thresholds] stuck_after (a int)", '"10 min"')),
        (
            "[targets.staging.api]",
            "[targets.staging.apy]",
            ("[targets.staging]", "did you mean 'api'"),
        ),
        ('url = "https://staging.example"\n', "", ("[targets.staging.api]", "lacks the key 'url'")),
        ('"https://staging.example"', '"staging.example"', ("api] url (text)", "https://")),
        (
            '"https://staging.example"',
            '"https://u:hunter22@staging.example"',
            ("api] url (text)", "without user and password"),
        ),
        ('environment = "staging"', 'environment = "prod"', ("environment", "'live'")),
        ('environment = "staging"', 'enviroment = "staging"', ("(1 more error after this one)",)),
        ('default_target = "staging"', 'default_traget = "x"', ("did you mean 'default_target'",)),
        ("[targets.staging.api]", "[targets.staging.api", ("line 7",)),
        ('"file:amqp-url"', '"amqp://u:hunter22@h/v"', ("no literal secret", "env:NAME")),
        ('"file:amqp-url"', '"file:nowhere"', ("nowhere", "No such file")),
    ],
)
def test_a_mistake_is_placed(file: Path, old: str, new: str, told: tuple[str, ...]) -> None:
    """A wrong file is refused with file, table, key and remedy, and never with the value."""
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    file.write_text(text)
    name = "live" if "amqp-url" in old else "staging"
    sentence = refusal(file, name)
    for part in told:
        assert part in sentence
    assert "hunter22" not in sentence


def test_a_missing_variable_is_named(file: Path) -> None:
    """The variable that is not set is named, with what to do."""
    assert "TOKEN is not set or empty; export it" in refusal(file, "staging", {})


def test_no_target_lists_the_names(file: Path) -> None:
    """Without a target the names are listed and the lab is mentioned, and nothing is chosen."""
    file.write_text(GOOD.replace('default_target = "staging"', ""))
    sentence = refusal(file)
    assert "live, staging" in sentence
    assert "--target lab" in sentence


def test_an_unknown_target_gets_the_nearest(file: Path) -> None:
    """A mistyped name gets the nearest one."""
    assert "did you mean 'staging'?" in refusal(file, "stagign")


def test_no_file_says_how_to_get_one(tmp_path: Path) -> None:
    """Where there is no file, the example is named."""
    assert "targets.example.toml" in refusal(tmp_path / "targets.toml")


@pytest.mark.parametrize("name", ["../up", "a/b", "a b", "-x"])
def test_a_name_is_no_path(file: Path, name: str) -> None:
    """A target's name becomes a folder's name, so it cannot lead out of it."""
    file.write_text(GOOD + f'\n[targets."{name}"]\nenvironment = "lab"\n')
    assert refusal(file, name)


def test_the_example_is_valid() -> None:
    """The example file that users copy is a valid target, with every component."""
    target = load(EXAMPLE, "staging", SECRETS)
    for part in ("api", "database", "queue", "storage", "logs", "worker"):
        assert getattr(target, part) is not None


def test_the_example_states_the_defaults() -> None:
    """Every threshold stands in the example with its default value."""
    from fixtures.target.model import Thresholds

    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for name in Thresholds.model_fields:
        assert any(line.lstrip("# ").startswith(f"{name} = ") for line in lines), name


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """No content of the file makes reading it do anything but answer or refuse."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError):
        load(path, "staging", {})
