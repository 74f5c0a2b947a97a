"""No value changes the structure of a command: PostgreSQL's grammar and bash are the judges."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Sequence
from typing import Any

import pglast
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.runbook.markdown import load_runbook
from reports.runbook.placeholders import fill_command, placeholders
from tests.suite import ROOT
from tests.waiting import PATIENCE

SENTINEL = "PLAIN"
POSITIONS = (
    *("location", "stmt_location", "stmt_len", "rexpr_list_start", "rexpr_list_end", "version"),
)
TABLE = {"uploads_table": 'media.Up"loads'}


def values_with(value: str) -> dict[str, str]:
    """Return what each placeholder stands for, with this value wherever its form allows it."""
    names = ("queue_name", "job_type", "upload_id", "upload_ids", "upload_dir")
    # A list has a value on each line.
    ids = "" if "\n" in value else value
    return dict.fromkeys(names, value) | TABLE | {"upload_ids": ids}


VALUES = st.text(
    st.sampled_from("ab1 '\"\\-/*;$()`|&<>{}[]?!#~=,:@%.\n\té\N{NO-BREAK SPACE}"),
    min_size=1,
    max_size=20,
) | st.sampled_from(
    [
        *("'; DROP TABLE t; --", "x$tag$; DROP TABLE t; --", "$$ || x || $$", "*/ ; DROP TABLE t"),
        *("x' OR '1'='1", "\\'; DROP TABLE t; --", "END\nid\n", "$(id)", "`id`", "a\nb", "x:y"),
        *("EOF", "}", "))", "; id", "| id", "&& id", "\\", "'", '"', "~", "*", "-rf", "#", "=x"),
    ]
)

SQL = [
    "SELECT <queue_name>, '<queue_name>', \"<queue_name>\" FROM <uploads_table> AS t",
    "SELECT 1 -- <queue_name>\n, 2 /* <queue_name> */, 3",
    "SELECT 1 /* a /* b */ <queue_name> */, 2",
    "SELECT $$ <queue_name> $$, $tag$ it's <queue_name> $tag$, <queue_name>",
    "SELECT E'it\\'s <queue_name>', <queue_name>",
    "SELECT E'it''s <queue_name>', U&'it''s <queue_name>', U&\"a\"\"<queue_name>\"",
    "SELECT U&'<queue_name>', B'<queue_name>'",
    "SELECT 'it''s <queue_name>', \"a\"\"<queue_name>\", <queue_name>",
    "SELECT * FROM <uploads_table> WHERE id IN (<upload_ids>) AND x = '<upload_id>'",
    "SELECT * FROM t WHERE a = '<job_type>' AND b LIKE '%<job_type>%' -- it's\n AND c = <job_type>",
    "DO $body$ BEGIN PERFORM '<queue_name>'; END $body$; SELECT <queue_name>",
]
SHELL = [
    "x <queue_name> y",
    "x \"a <queue_name> b\" 'c <queue_name> d' e<queue_name>f",
    "x a # <queue_name>\nx b",
    "x a ;# <queue_name>\nx b",
    "x a#<queue_name> b",
    "(x a #<queue_name>\nx b)",
    'x "$(x <queue_name>)" b',
    "x `x <queue_name>` b",
    "x $'a<queue_name>' b",
    'x "${HOME:-<queue_name>}" b',
    "x ${NONE:-<queue_name>} b",
    "x <<'END' b\n<queue_name>\nEND\nx c",
    "x <<END b\n<queue_name>\nEND\nx c",
    "x <<< <queue_name> b",
    "case zz in <queue_name>) x a;; *) x b;; esac",
    "x a \\\n <queue_name> b",
    "x \\\" <queue_name> \\' b",
    "x --a=<queue_name> b=<queue_name>",
    "x <upload_dir>/<upload_id>/ b",
    'for i in <upload_ids>; do x "$i"; done',
    "x 'it'\\''s <queue_name>' b",
    'x "$(case a in a) x <queue_name>;; esac)" b',
    "x $'it\\'s <queue_name>' b",
    "x a |#<queue_name>\n x b",
    'x "a `x b` <queue_name> c"',
    "[[ <queue_name> == zz ]] && x a; x b",
]


def real_commands() -> list[tuple[str, str]]:
    """Return each command of the runbook that has placeholders, with its language."""
    groups = load_runbook(ROOT / "runbooks/upload_stuck/runbook.md").actions
    commands = [command for group in groups for step in group.steps for command in step.commands]
    return [(one.language, one.text) for one in commands if placeholders(one.text)]


def tree(text: str) -> Any:
    """Return PostgreSQL's parse tree of some statements, without positions."""
    # psql's own commands are not SQL.
    text = re.sub(r"(?m)^\\.*", "", text)

    def without_positions(node: Any) -> Any:
        if isinstance(node, list):
            return [without_positions(one) for one in node]
        if isinstance(node, dict):
            return {
                key: without_positions(value) for key, value in node.items() if key not in POSITIONS
            }
        return node

    return without_positions(json.loads(pglast.parser.parse_sql_json(text)))


def filled_in(node: Any, value: str) -> Any:
    """Return a tree with the value in place of the sentinel."""
    if isinstance(node, list):
        return [filled_in(one, value) for one in node]
    if isinstance(node, dict):
        return {key: filled_in(one, value) for key, one in node.items()}
    return node.replace(SENTINEL, value) if isinstance(node, str) else node


@pytest.mark.parametrize("template", SQL)
@given(value=VALUES)
@settings(deadline=None, max_examples=150)
def test_a_value_changes_no_structure_of_a_statement(template: str, value: str) -> None:
    """The tree is that of a harmless value with this one in its place."""
    text, missing = fill_command(template, "sql", values_with(value))
    if missing:
        return
    plain, _ = fill_command(template, "sql", values_with(SENTINEL))
    assert tree(text) == filled_in(tree(plain), value)


WORDS = """
x() { for word; do printf '%s\\0' "$word"; done; printf 'end\\0'; }
command_not_found_handle() { printf 'ran %s\\0' "$1"; }
PATH= ; unset PATH; set -f
"""


def words(commands: Sequence[str]) -> list[list[str]]:
    """Return the words that each command hands to `x`, and what else it runs, as bash reads it."""
    script = WORDS + "".join(f"\n( {text}\n) 2>&1\nprintf '\\1'" for text in commands)
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", script], capture_output=True, check=False, timeout=PATIENCE
    )
    assert not done.stderr, done.stderr
    return [one.split("\0") for one in done.stdout.decode("utf-8", "replace").split("\1")]


@pytest.mark.patient
@given(value=VALUES)
@settings(deadline=None, max_examples=150)
def test_a_value_changes_no_structure_of_a_shell_command(value: str) -> None:
    """Bash hands on the words of a harmless value with this one in its place, and runs no more."""
    filled = [(text, *fill_command(text, "bash", values_with(value))) for text in SHELL]
    whole = [(template, text) for template, text, missing in filled if not missing]
    plain = words([fill_command(one, "bash", values_with(SENTINEL))[0] for one, _ in whole])
    for (_, text), got, harmless in zip(whole, words([t for _, t in whole]), plain, strict=False):
        assert got == [word.replace(SENTINEL, value) for word in harmless], text


def test_the_commands_of_the_runbook_keep_their_structure() -> None:
    """Each value that could end something is quoted, or its command is left out."""
    kept = 0
    for language, template in real_commands():
        for value in ("o'c\"k $(id) `id` -- /* */ ;x", "x';y", "$$", "*/", "worker-1"):
            text, missing = fill_command(template, language, values_for(template, value))
            harmless, _ = fill_command(template, language, values_for(template, SENTINEL))
            if missing:
                continue
            kept += 1
            if language == "sql":
                assert tree(text) == filled_in(tree(harmless), value)
            else:
                plain = shlex.split(harmless, comments=True)
                expected = [word.replace(SENTINEL, value) for word in plain]
                assert shlex.split(text, comments=True) == expected
    assert kept > 20


def values_for(template: str, value: str) -> dict[str, str]:
    """Return this value for each placeholder that stands for a text, and others for the rest."""
    return {
        name: "7"
        if name.endswith(("pid", "pids", "seconds"))
        else "media.jobs"
        if name.endswith("table")
        else value
        for name in placeholders(template)
    }
