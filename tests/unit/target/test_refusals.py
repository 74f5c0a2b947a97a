"""Every sentence that refuses a configuration, in one snapshot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.target.load import ConfigurationError, load
from fixtures.target.model import Target, TargetTable
from tests.targets import ENVIRON, FULL

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


def small(environment: str, line: str) -> str:
    """Return a targets file of one target that has this line."""
    return f'default_target = "small"\n[targets.small]\nenvironment = "{environment}"\n{line}'


EDITS = {
    "a syntax error": ("[targets.full.api]", "[targets.full.api"),
    "an unknown key of the file": ("default_target =", "default_traget ="),
    "a default target of another kind": ('default_target = "full"', "default_target = 3"),
    "no default target": ('default_target = "full"', ""),
    "a default target that does not exist": ('default_target = "full"', 'default_target = "ful"'),
    "a target that is not a table": (FULL, 'default_target = "full"\n[targets]\nfull = 3'),
    "targets that are not a table": (FULL, "targets = 3"),
    "no targets": (FULL, ""),
    "a target's name that leads out of its folder": (
        FULL,
        'default_target = "../up"\n[targets."../up"]',
    ),
    "a target's name with a space": (
        FULL,
        'default_target = "a b"\n[targets."a b"]',
    ),
    "an unknown table": ("[targets.full.api]", "[targets.full.apy]"),
    "an unknown key": ("stuck_after", "stuck_atfer"),
    "an unknown key in place of a required one": ('path = "/var', 'pat = "/var'),
    "an unknown key that resembles none": ("stuck_after", "colour"),
    "an unknown key of 10,000 letters": ("stuck_after", "x" * 10_000),
    "a missing key": ('url = "https://veza.example"', ""),
    "two missing keys": ('url = "https://veza.example"\ntoken = "env:TOKEN"', ""),
    "a missing environment": ('environment = "staging"', ""),
    "an unknown environment": ('environment = "staging"', 'environment = "prod"'),
    "a flag that is a word": ("allow_writes = true", 'allow_writes = "maybe"'),
    "a flag that is another word for true": ("allow_writes = true", 'allow_writes = "yes"'),
    "a flag that is a number": ("allow_writes = true", "allow_writes = 1"),
    "a queue that is true": (FULL, small("lab", "queue = true")),
    "a list of what is absent": (FULL, small("lab", 'absent = ["queue"]')),
    "a table that is text": (FULL, small("lab", 'api = "https://veza.example"')),
    "a duration without a known unit": ('"12 min"', '"12 mins"'),
    "a duration that is a number": ('"12 min"', "12"),
    "a budget that is too long": ('"90 s"', '"16 min"'),
    "a duration of 0": ('"90 s"', '"0 s"'),
    "a size without a known unit": ('"32 MiB"', '"32 megs"'),
    "a minimum without a known unit": ('"5 GiB"', '"5 gigs"'),
    "a minimum above the whole": ('"5 GiB"', '"101%"'),
    "a limit of lines above what is read": (
        FULL,
        small("lab", "[targets.small.login]\nlimited_lines_max = 2000"),
    ),
    "a count that is a word": ("backlog_max = 200", 'backlog_max = "many"'),
    "a count with a fraction": ("backlog_max = 200", "backlog_max = 0.5"),
    "a negative count": ("backlog_max = 200", "backlog_max = -1"),
    "a count that is too large": ("backlog_max = 200", "backlog_max = 10_000_000_000"),
    "a count of 0 where 1 is the least": ("subjects_max = 10", "subjects_max = 0"),
    "a URL without a scheme": ('"https://veza.example"', '"veza.example"'),
    "a URL with a login": ('"https://veza.example"', '"https://u:hunter22@veza.example"'),
    "a URL that no parser reads": ('"https://veza.example"', '"https://u:hunter22@\u2100"'),
    "a secret that is a number": ('"env:TOKEN"', "3"),
    "a header without the place of the token": (
        'token = "env:TOKEN"',
        'token = "env:TOKEN"\ntoken_header = "X-Api-Key: s3cret"',
    ),
    "a header that a shell would not take as it is": (
        'token = "env:TOKEN"',
        'token = "env:TOKEN"\ntoken_header = "X-Api-Key: {token}$(id)"',
    ),
    "a header without a name": (
        'token = "env:TOKEN"',
        'token = "env:TOKEN"\ntoken_header = "{token}"',
    ),
    "a route without a slash": ('"/api/v1/uploads/', '"api/v1/uploads/'),
    "a route without a slash, where false is allowed": ('"/api/v1/tracks/', '"api/v1/tracks/'),
    "a route that is true, where false is allowed": ('"/api/v1/tracks/{track_id}"', "true"),
    "a status route without its field": ("/uploads/{upload_id}/status", "/uploads/status"),
    "a status route with an unknown field": ("{upload_id}", "{id}"),
    "a status route with a second field": ("{upload_id}", "{upload_id}/{}"),
    "a status route with a stray brace": ("{upload_id}", "{upload_id"),
    "a track route with the upload's field": (
        "[targets.full.database]",
        'track_path = "/api/v1/uploads/{upload_id}"\n[targets.full.database]',
    ),
    "a delete route without its field": ("/tracks/{track_id}", "/tracks"),
    "a form field with a space": ('file_field = "file"', 'file_field = "the file"'),
    "a table of the database with a space": ('"uploads"', '"the uploads"'),
    "a text that is too long": ('job_type = "process_upload"', f'job_type = "{"x" * 201}"'),
    "a message without an id": (
        'name = "process_upload"',
        'name = "process_upload"\nmessage = \'{"job": 7}\'',
    ),
    "an empty text": ('name = "process_upload"', 'name = ""'),
    "a path that is not absolute": ('"/var/veza/uploads"', '"var/veza/uploads"'),
    "a service user with a space": ('service_user = "veza"', 'service_user = "the veza"'),
    "a host without a transport": ('"ssh://monitor@web-2"', '"web-2"'),
    "hosts that are one text": ('["ssh://monitor@web-1"]', '"ssh://monitor@web-1"'),
    "a deployment as a host": ('["ssh://monitor@web-1"]', '["kubectl://deploy/api?namespace=x"]'),
    "an empty list of hosts": ('["ssh://monitor@web-1"]', "[]"),
    "too many hosts": ('["ssh://monitor@web-1"]', str(["local://"] * 501)),
    "an invalid regular expression": ('"job.*worker"', '"job.*(worker"'),
    "a pattern of every process": ('"job.*worker"', '"job.*worker|"'),
    "a pattern of log lines that is empty": (FULL, small("lab", 'login.crash_lines = ""')),
    "a URL with a query": ('"https://veza.example"', '"https://veza.example/?key=hunter22"'),
    "the name of a target as a key": ('budget = "90 s"', 'name = "other"'),
    "a secret from a file that does not exist": ('"env:TOKEN"', '"file:nowhere"'),
    "a secret from an empty file": ('"env:TOKEN"', '"file:empty"'),
    "a secret from a variable that is not set": ('"env:TOKEN"', '"env:NOWHERE"'),
    "a literal secret of a live target": (FULL, small("live", 'canary.token = "hunter22"')),
    "a literal password of a live target's login": (
        FULL,
        small("live", 'login.password = "hunter22"'),
    ),
    "a pattern of log lines with a brace": (FULL, small("lab", 'login.crash_lines = "a{2}"')),
    "a pattern of log lines with a capital": (FULL, small("lab", 'login.crash_lines = "Panic"')),
    "a JSON pointer without a slash": (FULL, small("lab", 'login.token_pointer = "data.token"')),
    "a column with a space": (FULL, small("lab", 'login.time_column = "the time"')),
    "a literal secret of a live target's actions": (
        FULL,
        small("live", 'actions.dsn = "postgresql://u:hunter22@db/veza"'),
    ),
}
"""Broken targets files: what is replaced in FULL, and by what."""

SECRETS = {
    "a token with a letter beyond ASCII": ("TOKEN", "S3cr3t…"),
    "a token of two lines": ("TOKEN", "S3\ncr3t"),
    "a token with a control character": ("TOKEN", "S3cr3t\x07"),
    "a connection string of one word": ("DSN", "S3cr3t"),
    "a connection string of another database": ("DSN", "mysql://S3cr3t/y"),
    "a connection string with a stray word": ("DSN", "host=h S3cr3t"),
    "a connection string whose @ is missing": ("DSN", "postgresql://u:S3cr3t"),
    "a connection string with a stray %": ("DSN", "postgresql://u:S3cr3t%@h/veza"),
    "a / in the password of the database": ("DSN", "postgresql://u:S3cr3t/pw0rd@db-1/veza"),
    "a # in the password of the broker": ("AMQP", "amqp://u:S3cr3t#pw0rd@mq:5672/%2F"),
    "an @ in the password of the broker": ("AMQP", "amqp://u:S3cr3t@pw0rd@mq:5672/%2F"),
    "a broker's URL of another scheme": ("AMQP", "http://u:S3cr3t@h"),
    "a broker's URL whose @ is missing": ("AMQP", "amqp://u:S3cr3t"),
    "a broker's URL of one word": ("AMQP", "S3cr3t"),
    "a ? in the password of the management API": ("MANAGEMENT", "http://u:S3cr3t?pw0rd@mq:15672"),
    "a management URL of another scheme": ("MANAGEMENT", "ftp://S3cr3t"),
    "a management URL without a host": ("MANAGEMENT", "http://"),
    "a management URL without a scheme": ("MANAGEMENT", "h:15672/S3cr3t"),
}
"""Secrets that no client can use: the variable that holds one, and its value."""


def sentence_of(path: Path, name: str | None = None, **environ: str) -> str:
    """Return the sentence that refuses this configuration, with /etc/veza as its folder."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, name, ENVIRON | environ)
    return str(caught.value).replace(str(path.parent), "/etc/veza")


@pytest.mark.parametrize("value", ["true", "7", "0.5", '""', "[]", "{}"])
def test_every_value_of_a_wrong_kind_has_one_sentence(tmp_path: Path, value: str) -> None:
    """A key of two kinds, such as a path or false, does not name pydantic's validators."""
    path = tmp_path / "targets.toml"
    tables = {
        name: kind
        for name, field in Target.model_fields.items()
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ()))
        if isinstance(kind, type) and issubclass(kind, TargetTable)
    }
    assert "api" in tables
    for name, table in tables.items():
        lines = "".join(f"{name}.{key} = {value}\n" for key in table.model_fields)
        path.write_text(small("lab", lines), encoding="utf-8")
        with pytest.raises(ConfigurationError) as caught:
            load(path, None, ENVIRON)
        keys = [one.partition(f"[targets.small.{name}] ")[2] for one in caught.value.sentences]
        names = [re.split("[:,]", key)[0] for key in keys]
        assert set(names) <= set(table.model_fields), caught.value.sentences
        assert len(set(names)) == len(names)


def test_every_refusal_is_one_sentence(tmp_path: Path, snapshot_txt: SnapshotAssertion) -> None:
    """A refusal names file, table, key and remedy, on one line, and never quotes a secret."""
    path = tmp_path / "targets.toml"
    sentences = {"no file": sentence_of(path)}
    path.mkdir()
    sentences["a directory in place of the file"] = sentence_of(path)
    path.rmdir()
    for title, content in {
        "a file that is not UTF-8": b"# a comment\n# \xff\n",
        "a file of more than 1 MiB": b"#" * 2**21,
    }.items():
        path.write_bytes(content)
        sentences[title] = sentence_of(path)
    (tmp_path / "empty").touch()
    for title, (old, new) in EDITS.items():
        text = FULL.replace(old, new, 1)
        assert text != FULL, title
        path.write_text(text, encoding="utf-8")
        sentences[title] = sentence_of(path)
    path.write_text(FULL, encoding="utf-8")
    sentences["a mistyped name"] = sentence_of(path, "fulll")
    sentences["a name that resembles none"] = sentence_of(path, "nowhere")
    sentences["a name in quotation marks"] = sentence_of(path, '"full"')
    sentences["a name of 10,000 letters"] = sentence_of(path, "x" * 10_000)
    for title, (variable, secret) in SECRETS.items():
        sentences[title] = sentence_of(path, **{variable: secret})
    for sentence in sentences.values():
        assert "\n" not in sentence
        assert "/etc/veza/targets.toml" in sentence
        assert len(sentence) < 500
        assert not any(part in sentence for part in ("hunter22", "S3", "cr3t", "pw0rd", "mysql"))
    assert "".join(f"{k}:\n  {v}\n\n" for k, v in sentences.items()) == snapshot_txt
