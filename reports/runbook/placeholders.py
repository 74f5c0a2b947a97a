"""Fill the placeholders of a runbook, such as `<job_id>`, with configured and observed values.

A target's texts are hostile, and a person pastes the commands. So each placeholder has a grammar,
by the end of its name, and in a command each value is quoted for the language and the place where
it stands.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise

from core.language import tr
from core.target_summary import JOURNALD
from core.text import CONTROL, flat
from reports.runbook.document import COMMENT, Command, Step, without_comments
from reports.runbook.run_rules import SQL

MAX_VALUE = 200
LIST_MAX = 20
"""Values of a list that a command names."""

_PLACEHOLDER = re.compile(r"<([a-z][a-z0-9_]{0,40})>")

# Secrets are never written into an action that a report shows.
_NEVER_FILLED = frozenset({"token", "password", "secret"})

_ID = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_.:@-]{0,198}[A-Za-z0-9_-])?")
_NUMBER = re.compile(r"[0-9]{1,18}")
_PATH = re.compile(r"/[^\n]*")
_LOG = re.compile(r"/[^\n]*|journald:[A-Za-z0-9][A-Za-z0-9_:.@-]*")
_TABLE = re.compile(r"[^.\n]{1,63}(?:\.[^.\n]{1,63})?")
_URL = re.compile(r"https?://[^\s'\"<>\\`$;|&()]+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_HEADER = re.compile(r"[\w-]+: [\w .,:;=/@+%-]*\{token\}[\w .,:;=/@+%-]*", re.ASCII)
_COLUMN = re.compile(r"(uuid|text|time|false|least|key|same) ([^\n]{1,63})")
_TEXT = re.compile(r"(?!-)[^\n]+")

_GRAMMARS = (
    (re.compile(r"(.*_)?ids?"), _ID),
    (re.compile(r".*_(pids?|seconds)"), _NUMBER),
    (re.compile(r".*_(dir|parent|point)"), _PATH),
    (re.compile(r".*_files"), _LOG),
    (re.compile(r".*_table"), _TABLE),
    (re.compile(r".*_columns"), _COLUMN),
    (re.compile(r".*(?<!_in)_url"), _URL),
    (re.compile(r"(.*_)?service_user"), _USER),
    (re.compile(r"(.*_)?token_header"), _HEADER),
)
"""The end of a placeholder's name, and the form of its values; any other one is `_TEXT`."""

_PATTERNS = re.compile(r".*_files")
"""Placeholders whose wildcards a shell must see."""

_LISTS = re.compile(r".*_(ids|pids|files|statuses|columns)")
"""Placeholders with several values, one a line."""

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
"""A value that no shell and no SQL acts on, wherever it stands."""


_FIELD = re.compile(r"\{([a-z_]{1,40})\}")
"""A field of a route."""

_WRITES = re.compile(r"\b(?:UPDATE|INSERT INTO|DELETE FROM) <([a-z0-9_]+)>")
"""A statement that changes rows of a table."""
_WRITES_FILE = re.compile(r"(?:^ *\\g| >>?) ([\w./-]+)$", re.MULTILINE)
_READS_FILE = re.compile(r" < ([\w./-]+)$", re.MULTILINE)
"""The files that a command of psql or of a shell writes and reads."""

_CREATES = re.compile(r"(INSERT INTO <jobs_table> \()([^()]*)(\)\s+SELECT )")
"""A statement that creates jobs for the rows of a table `u`."""
_EXISTS = re.compile(r"EXISTS \(SELECT 1 FROM <([a-z0-9_]+)> (\w+) WHERE ")
"""The begin of a condition that a row has one in another table."""

_VALUES = {
    "uuid": "gen_random_uuid()",
    "text": "gen_random_uuid()::text",
    "time": "now()",
    "false": "false",
    "least": "(SELECT min({column}) FROM <jobs_table> WHERE type = '<job_type>')",
    "key": 'u."id"',
    "same": "u.{column}",
}
"""The value of a new job in a column, by its word."""

_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,60}")
_NOW = re.compile(r"\bnow\(\)", re.IGNORECASE)

_WORD = re.compile(r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*")
"""A value that ends no comment and no string of any kind."""

_NO_OPTION = re.compile(r"""[^\s'"]['"]?|\s(?:--|in)\s+['"]?""")
"""What ends before a word that begins with a hyphen where no program takes it for an option: a part
of the same word, such as a folder, the end of the options, or the head of a loop.
"""

_NESTED = re.compile(r"`|\$[({\[']|<<")
"""Beginning of a substitution, a string with escapes or a here document in a shell."""

_SQL_STARTS = re.compile(
    r"--|/\*|(?<![\w$])\$(?:[^\W\d]\w*)?\$|(?<![\w$])(?:[EeBbXx]|[Uu]&)'|[Uu]&\"|['\"]"
)
_SQL_ENDS = {
    **dict.fromkeys(("E'", "e'"), r"(?:[^'\\]|\\.|'')*'"),
    **dict.fromkeys(("B'", "b'", "X'", "x'", "U&'", "u&'"), r"(?:[^']|'')*'"),
    **dict.fromkeys(('U&"', 'u&"'), r'(?:[^"]|"")*"'),
    "--": r"[^\n]*\n",
}
"""Pattern of the end by its beginning, where it is something else than the next start."""


def with_routes(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values with the fields of routes filled, such as `{upload_id}`.

    A route is left out where its field has no valid value.
    """
    ids = {name: text for name, text in values.items() if is_valid(name, text)}

    def filled(route: str) -> str:
        return _FIELD.sub(lambda field: ids.get(field[1], field[0]), route)

    routes = {name: filled(text) for name, text in values.items() if name.endswith("_path")}
    unknown = {name for name, route in routes.items() if _FIELD.search(route)}
    return {name: text for name, text in {**values, **routes}.items() if name not in unknown}


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names of the placeholders in a text, each once, in order of appearance."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def is_valid(name: str, value: str) -> bool:
    """Return whether a value, or each line of a list's, has the form of the placeholder `name`."""
    values = value.split("\n") if _LISTS.fullmatch(name) else [value]
    grammar = _grammar_of(name)
    return len(values) <= LIST_MAX and all(
        len(one) <= MAX_VALUE
        and grammar.fullmatch(one) is not None
        and CONTROL.search(one) is None
        and "\t" not in one
        and ".." not in one.split("/")
        for one in values
    )


def _grammar_of(name: str) -> re.Pattern[str]:
    return next((form for end, form in _GRAMMARS if end.fullmatch(name)), _TEXT)


def valid_part(name: str, value: str) -> str:
    """Return a value, or the valid lines of a list's; empty where nothing is valid."""
    if not _LISTS.fullmatch(name):
        return value if is_valid(name, value) else ""
    return "\n".join([one for one in value.split("\n") if is_valid(name, one)][:LIST_MAX])


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders of a text that is read, not run.

    One without a value, and one that names a secret, stays visible. Values lose control characters
    and line breaks and are cut at 200 characters.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in _NEVER_FILLED:
            return match.group(0)
        value = re.sub(r"[\n\t]", " ", CONTROL.sub("", values.get(name, ""))).strip()
        return value[:MAX_VALUE] or match.group(0)

    return _PLACEHOLDER.sub(value_of, text)


def fill_command(
    text: str, language: str, values: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Return the command with its placeholders filled, and the names that could not be.

    A value that does not have its placeholder's form is not filled, nor is one that must be quoted
    where quoting is not certain: within `$(...)`, backquotes, or a block comment.
    """
    is_sql = language.lower() in SQL
    if is_sql:
        text = _with_columns(text, values.get("needed_columns", ""))
        text = _EXISTS.sub(partial(_of_kept, values), text)
        zoned = values.get("zoned_tables", "").split("\n")
        text = _in_zone(text, values.get("naive_time_zone", ""), zoned)
    quote = _in_sql if is_sql else _in_shell
    contexts = _sql_contexts(text) if is_sql else _shell_contexts(text)
    missing: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        name, value = match.group(1), values.get(match.group(1), "")
        filled = None
        if name not in _NEVER_FILLED and value and is_valid(name, value):
            filled = quote(name, value, contexts[match.start()])
            if not is_sql and _may_be_option(value, text[: match.start()]):
                filled = None
        if filled is None:
            missing.append(name)
            return match.group(0)
        return filled

    return _PLACEHOLDER.sub(value_of, text), tuple(dict.fromkeys(missing))


def _of_kept(values: Mapping[str, str], begin: re.Match[str]) -> str:
    """Return the begin of a condition; a table that keeps deleted rows has none of these."""
    keeps_deleted = f"{begin[1]}_keeps_deleted" in values
    return f"{begin[0]}{begin[2]}.deleted_at IS NULL AND " if keeps_deleted else begin[0]


def _with_columns(text: str, columns: str) -> str:
    """Return a statement that creates jobs with the columns that the target's table needs, too."""
    needed = columns.split("\n") if columns and is_valid("needed_columns", columns) else []

    def completed(match: re.Match[str]) -> str:
        given = re.findall(r"\w+", match[2])
        names, made = [], []
        for word, _, name in (column.partition(" ") for column in needed):
            if name not in given:
                names.append(_identifier(name))
                made.append(_VALUES[word].format(column=names[-1]))
        before, values = (f"{', '.join(some)}, " if some else "" for some in (names, made))
        return f"{match[1]}{before}{match[2]}{match[3]}{values}"

    return _CREATES.sub(completed, text)


def _in_zone(text: str, zone: str, zoned: Collection[str]) -> str:
    """Return statements on the target's tables with `now()` in the zone that their times are in.

    They have none of their own, and whoever runs the statement may have a session in another one.
    A statement whose first table is in `zoned` keeps its `now()`: it is about the times of that.
    """
    if not _ZONE.fullmatch(zone):
        return text
    contexts = _sql_contexts(text)
    ends = [at for at, sign in enumerate(text) if sign == ";" and contexts[at] == ""]
    places = [0, *(at + 1 for at in ends), len(text)]

    def in_zone(statement: str, start: int) -> str:
        tables = [name for name in placeholders(statement) if name.endswith("_table")]
        if not tables or tables[0] in zoned:
            return statement
        naive = f"(now() AT TIME ZONE '{zone}')"
        return _NOW.sub(
            lambda now: naive if contexts[start + now.start()] == "" else now[0], statement
        )

    return "".join(in_zone(text[start:end], start) for start, end in pairwise(places))


def fill_step(step: Step, values: Mapping[str, str]) -> Step:
    """Return the step filled; a command with a placeholder that stays open is left out.

    The reason takes its place. A comment line may keep an open placeholder: nobody runs it. A
    command that reads what one that is left out writes would read an earlier step's file.
    """
    commands: list[Command] = []
    left_out = list(step.left_out)
    unwritten: set[str] = set()
    for command in step.commands:
        if lost := unwritten.intersection(_READS_FILE.findall(command.text)):
            first = flat(command.text.splitlines()[0])[:60]
            left_out.append(tr("{command}: {file} is not written", command=first, file=min(lost)))
            continue
        text, missing = fill_command(command.text, command.language, values)
        rows = without_comments(command.text)
        needed = [name for name in missing if any(f"<{name}>" in row for row in rows)]
        if needed:
            names = ", ".join(f"<{name}>" for name in needed)
            first = next(row for row in rows if placeholders(row))
            left_out.append(
                tr("{command}: {names} is not known", command=flat(first)[:60], names=names)
            )
            unwritten.update(_WRITES_FILE.findall(command.text))
        else:
            warnings = (*command.warnings, *_warnings(command.text, values))
            commands.append(replace(command, text=text, warnings=warnings))
    return replace(
        step,
        title=fill(step.title, values),
        text=fill(step.text, values),
        commands=tuple(commands),
        left_out=tuple(left_out),
    )


def _warnings(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each table that a command writes to and PostgreSQL cannot change."""
    for name in dict.fromkeys(_WRITES.findall(text)):
        if f"{name}_is_read_only" in values:
            yield tr(
                "PostgreSQL cannot change each column of the view {table}: make the change in the "
                "table behind it, with its columns and its words for a status.",
                table=values[name],
            )


def _may_be_option(value: str, before: str) -> bool:
    """Return whether a program may take a value, such as an id, for one of its options."""
    begins = value.startswith("-") or "\n-" in value
    return begins and not re.search(rf"(?:{_NO_OPTION.pattern})\Z", before)


def _in_shell(name: str, value: str, context: str) -> str | None:
    values = value.split("\n")
    if _grammar_of(name) is _LOG and any(one.startswith(JOURNALD) for one in values):
        return " ".join(map(_log_file, values)) if context == "" else None
    if _grammar_of(name) is _HEADER:
        # The shell that runs the command has the token, and no report does.
        header = value.replace("{token}", "${API_TOKEN:?api.token}")
        return f'"{header}"' if context == "" else None
    if all(map(_PLAIN.fullmatch, values)) and (len(values) == 1 or context == ""):
        return " ".join(values)
    if context == "":
        quoted = _with_wildcards if _PATTERNS.fullmatch(name) else shlex.quote
        return " ".join(map(quoted, values))
    if context == "#" and len(values) == 1:
        return value
    if context in ("'", '"') and len(values) == 1:
        # The quoted text ends, the quoted value follows, and the text goes on.
        return f"{context}{shlex.quote(value)}{context}"
    return None


def _log_file(log: str) -> str:
    """Return the word for a log file, or for a unit's journal as bash reads it like a file."""
    if not log.startswith(JOURNALD):
        return _with_wildcards(log)
    return f"<(journalctl -q --no-pager -o cat -u {log.removeprefix(JOURNALD)})"


def _with_wildcards(pattern: str) -> str:
    """Return a path quoted for a shell, except for its wildcards."""
    parts = re.split(r"([*?]|\[[A-Za-z0-9!^-]+\])", pattern)
    return "".join(
        part if index % 2 or not part else shlex.quote(part) for index, part in enumerate(parts)
    )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_sql(name: str, value: str, context: str) -> str | None:
    values = value.split("\n")
    if context == "--" and len(values) == 1:
        return value
    if context == "" and _grammar_of(name) is _TABLE:
        return ".".join(map(_identifier, value.split(".")))
    if context == "" and _grammar_of(name) is _NUMBER:
        return ", ".join(values)
    if context == "":
        return ", ".join("'" + one.replace("'", "''") + "'" for one in values)
    if context in ("'", '"') and len(values) == 1:
        return value.replace(context, context * 2)
    return value if len(values) == 1 and _WORD.fullmatch(value) else None


def _shell_contexts(text: str) -> dict[int, str]:
    """Return the context of each position of a shell command.

    "" is a bare word, a quote the text within it, "#" a comment, and "$" what follows the start of
    a substitution or a here document, which is not looked into.
    """
    contexts: dict[int, str] = {}
    context, index = "", 0
    while index < len(text):
        char = text[index]
        contexts[index] = context
        if context in ("#", "'"):
            context = "" if char == {"#": "\n", "'": "'"}[context] else context
        elif char == "\\":
            index += 1
            contexts[index] = context
        elif _NESTED.match(text, index):
            return contexts | dict.fromkeys(range(index, len(text)), "$")
        elif char == '"' or (char == "'" and context == ""):
            context = "" if context else char
        elif char == "#" and context == "" and (index == 0 or text[index - 1] in " \t\n;&|()<>"):
            context = "#"
        index += 1
    return contexts


def sql_statements(text: str) -> tuple[str, ...]:
    """Return the statements of a script, without the semicolons between them."""
    contexts = _sql_contexts(text)
    ends = [i for i, char in enumerate(text) if char == ";" and contexts[i] == ""]
    starts = [0, *(end + 1 for end in ends)]
    parts = (text[start:end].strip() for start, end in zip(starts, [*ends, len(text)], strict=True))
    return tuple(
        part
        for part in parts
        if any(row.strip() and not COMMENT.match(row) for row in part.split("\n"))
    )


def _sql_contexts(text: str) -> dict[int, str]:
    """Return the context of each position of a statement: "" bare, a quote, "--", or another start.

    Others are those of a block comment, a dollar quote, and a string with escapes such as E'...'.
    """
    contexts: dict[int, str] = {}
    index = 0
    while index < len(text):
        start = _SQL_STARTS.match(text, index)
        if start is None:
            contexts[index] = ""
            index += 1
            continue
        end = _end_in_sql(text, start)
        contexts |= dict.fromkeys(range(index, end), start.group())
        index = end
    return contexts


def _end_in_sql(text: str, start: re.Match[str]) -> int:
    """Return the position behind the quote or comment that begins there."""
    if start.group() == "/*":
        depth = 0
        for delimiter in re.compile(r"/\*|\*/").finditer(text, start.start()):
            depth += 1 if delimiter.group() == "/*" else -1
            if depth == 0:
                return delimiter.end()
        return len(text)
    mark = re.escape(start.group())
    end = re.compile(_SQL_ENDS.get(start.group(), f".*?{mark}"), re.DOTALL)
    ended = end.match(text, start.end())
    return ended.end() if ended else len(text)
