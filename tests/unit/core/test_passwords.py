"""Finding and masking the passwords in URLs and connection strings."""

from __future__ import annotations

import pytest

from core.secrets import Redactor, masked, passwords, without_password
from core.urls import origin


def test_passwords_are_found_in_every_notation() -> None:
    """A password is found in a URL, percent-encoded, and in a libpq string; a token is masked."""
    assert passwords("amqp://u:p%40ss@h/v") == ["p%40ss", "p@ss"]
    assert passwords("host=h password='two words' user=u") == ["two words"]
    assert masked("host=h password=pw1234") == "host=h password=***"
    assert masked("tokentoken") == "***"


UNESCAPED = (
    "postgresql://veza_checks:S3cret/pw0rd@db-1/veza",
    "amqp://u:S3cret#pw0rd@mq:5672/%2F",
    "http://u:S3cret?pw0rd@mq:15672",
    "amqp://u:S3cret@pw0rd@mq:5672/%2F",
)


@pytest.mark.parametrize("url", UNESCAPED)
def test_an_unescaped_password_is_masked(url: str) -> None:
    """Everything before the last @ is the login, even where a URL parser reads it as the host."""
    error = f'could not resolve host "S3cret", "pw0rd" of {url}'
    secrets = sorted(passwords(url), key=len, reverse=True)
    for text in (
        masked(url),
        origin(url),
        without_password(f"not reached: {url}"),
        Redactor(secrets).text(error),
    ):
        assert "S3cret" not in text
        assert "pw0rd" not in text


def test_a_password_among_other_settings_is_found() -> None:
    """A password in a URL's query and one that contains an escaped quote are found whole."""
    assert passwords("postgresql://h/db?password=S3%2Fc&user=u") == ["S3%2Fc", "S3/c"]
    assert masked(r"host=h password='a\'bcdef'") == "host=h password='***'"
    assert masked("password=a//b:c@d host=h") == "password=*** host=h"
