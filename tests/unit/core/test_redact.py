"""Secrets that no target names are taken out of the words of others."""

from __future__ import annotations

import pytest

from core.secrets import Redactor


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("GET https://s3/x?X-Amz-Signature=SIG789&part=1", "SIG789"),
        ('{"dsn":"postgres://veza:HunterTwo@db/veza"}', "HunterTwo"),
        ('{"authorization":"Bearer eyJ0OKEN123"}', "eyJ0OKEN123"),
        ("job-worker --amqp=amqp://veza:WorkerPw1@mq:5672/ --db-password DbPw456", "WorkerPw1"),
        ("job-worker --amqp=amqp://veza:WorkerPw1@mq:5672/ --db-password DbPw456", "DbPw456"),
        ("host=db user=veza password='pass word' dbname=veza", "pass"),
        ('panic: {\\"api_key\\": \\"k3y\\"}', "k3y"),
        ("VEZA_LIVE_TOKEN=t0ken-1", "t0ken-1"),
        ('parse "amqp://veza:pa/ss@mq-1:5672/": invalid port ":pa" after host', "ss@"),
        ("connecting to amqp://veza:Hunter@Two@mq-1:5672/%2F", "Two"),
        ("redis://:pa/ss@cache:6379/0 refused", "ss@"),
        ("{'password': 'HunterTwo', 'user': 'veza'}", "HunterTwo"),
        ("JWT_SECRET_KEY=HunterTwo AWS_SECRET_ACCESS_KEY=x", "HunterTwo"),
        ("AWS_SECRET_ACCESS_KEY=HunterTwo", "HunterTwo"),
        ("RABBITMQ_DEFAULT_PASS=HunterTwo", "HunterTwo"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("AUTHORIZATION: BASIC dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("the route refused eyJhbGciOi.eyJzdWIiOi.c2ln-bmF0 in the middleware", "eyJzdWIiOi"),
    ],
)
def test_a_secret_in_a_line_of_a_log_is_starred(line: str, secret: str) -> None:
    """Whatever is written where a password, a token or a signature stands is not shown."""
    redacted = Redactor().text(line)
    assert secret not in redacted.replace("password", "")
    assert "***" in redacted
    assert len(redacted) > len(line) / 2


@pytest.mark.parametrize(
    "line",
    [
        'curl -H "Authorization: Bearer <token>" https://veza.example/api/v1/uploads/<upload_id>',
        "psql password=$PGPASSWORD",
        "the API refuses the token: ask for a new one, with basic authentication",
        "a bearer token is needed",
        "user_id=7 upload=ab12 size=400 path=/var/veza/uploads/ab12",
        "http://127.0.0.1:9 could not be asked; see ops@veza.example",
        "GET http://api:8080/v1/users?mail=ops@veza.example answered 404",
        "GET http://api:8080?mail=ops@veza.example answered 404",
        "http://api:8080/a and ops@veza.example",
        "12 pass=11 bypass=on compass=north",
        "basic information, and Basic Authentication",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    """Placeholders, plain sentences, ids and addresses are left as they are."""
    assert Redactor().text(line) == line


@pytest.mark.parametrize("letter", ["a", "-"])
def test_a_long_word_does_not_hold_up_a_run(letter: str) -> None:
    """A word of 200,000 letters, such as an encoded file, is redacted before the test times out."""
    assert Redactor().text(letter * 200_000).startswith(letter * 1_000)
