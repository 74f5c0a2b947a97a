"""Placeholders in commands: no value changes the structure of a command."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.runbook.document import Command, Step
from reports.runbook.placeholders import fill_command, fill_step, is_valid, with_routes

HOSTILE = ("a/../../../..", "..", "a b", "a'b", 'a"b', "$(id)", "`id`", "a;b", "a\x1b")


@pytest.mark.parametrize("value", HOSTILE)
def test_an_id_that_is_none_is_never_filled(value: str) -> None:
    """A path, a quote or a blank in an id leaves the command out, with the reason."""
    step = Step(1, "", "", (Command("bash", "ls <upload_dir>/<upload_id>/", 1),), 1)
    filled = fill_step(step, {"upload_dir": "/srv", "upload_id": value})
    assert filled.commands == ()
    assert filled.left_out == ("ls <upload_dir>/<upload_id>/: <upload_id> is not known",)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("ls <upload_dir>/<upload_id>/", "ls /srv/-rf/"),
        ('grep -hF -- "<upload_id>" x', 'grep -hF -- "-rf" x'),
        ("for id in <upload_ids>; do", "for id in -rf; do"),
        ("x --upload-id=<upload_id>", "x --upload-id=-rf"),
        ("rm <upload_id>", None),
        ('rm x "<upload_id>"', None),
        ("<upload_id> x", None),
    ],
)
def test_an_id_that_begins_with_a_hyphen_is_never_an_option(
    template: str, filled: str | None
) -> None:
    """It is filled where a program does not look for options, as nanoid makes such ids."""
    values = {"upload_dir": "/srv", "upload_id": "-rf", "upload_ids": "-rf"}
    text, missing = fill_command(template, "bash", values)
    assert (None if missing else text) == filled
    lists, _ = fill_command(template, "bash", values | {"upload_ids": "a\n-rf"})
    assert (lists == template) == bool(missing)
    assert fill_command("id IN (<upload_ids>)", "sql", values)[0] == "id IN ('-rf')"


@pytest.mark.parametrize(
    "template",
    [
        "sudo x <queue_name> y",
        'sudo x "a <queue_name> b" y',
        "sudo x 'a <queue_name> b' y",
        "sudo x --name=<queue_name>/z y # <queue_name>",
        "# it's <queue_name>\nsudo x <queue_name> y",
        'sudo x "$(y <queue_name>)"',
    ],
)
@given(value=st.text(min_size=1, max_size=40))
def test_a_value_is_one_part_of_one_word_of_a_shell(template: str, value: str) -> None:
    """Whatever it holds, the words are those of a harmless value with this one in its place."""
    text, missing = fill_command(template, "bash", {"queue_name": value})
    if missing:
        assert text == template
        return
    plain, _ = fill_command(template, "bash", {"queue_name": "PLAIN"})
    words = [word.replace("PLAIN", value) for word in shlex.split(plain, comments=True)]
    assert shlex.split(text, comments=True) == words


@given(path=st.text(alphabet=st.characters(codec="ascii", min_codepoint=32), max_size=30))
def test_a_path_with_blanks_and_quotes_is_one_word(path: str) -> None:
    """A configured path is quoted, and one that climbs is refused."""
    text, missing = fill_command("ls -ld <upload_dir>/x", "bash", {"upload_dir": f"/{path}"})
    climbs = ".." in path.split("/") or "\x7f" in path
    assert bool(missing) == climbs
    if not missing:
        assert shlex.split(text) == ["ls", "-ld", f"/{path}/x"]


def test_a_units_journal_is_read_like_a_file() -> None:
    """It becomes a word that bash gives to the program as a file; where bash would not, nothing."""
    values = {"log_files": "/var/log/api.log\njournald:veza-api@1"}
    text, _ = fill_command("tail -n 5 <log_files>", "bash", values)
    assert text == ("tail -n 5 /var/log/api.log <(journalctl -q --no-pager -o cat -u veza-api@1)")
    assert fill_command("sh -c 'tail <log_files>'", "bash", values)[1] == ("log_files",)
    for hostile in ("journald:a b", "journald:$(x)", "journald:-x", "journald:"):
        assert fill_command("tail <log_files>", "bash", {"log_files": hostile})[1], hostile


def test_wildcards_of_log_files_stay_and_the_rest_is_quoted() -> None:
    """The shell expands `*`; a blank in a directory does not split the word."""
    text, _ = fill_command("tail <log_files>", "bash", {"log_files": "/var/log/my app/*.log\n/b/c"})
    assert text == "tail '/var/log/my app/'*.log /b/c"


def test_sql_names_and_values_are_quoted_as_such() -> None:
    """A table is an identifier with its schema, an id a literal, and a list several of them."""
    text, _ = fill_command(
        "SELECT * FROM <jobs_table> WHERE type = '<job_type>' AND id IN (<upload_ids>)",
        "sql",
        {"jobs_table": 'media.Jo"bs', "job_type": "o'clock", "upload_ids": "12\nab-c"},
    )
    assert text == (
        """SELECT * FROM "media"."Jo""bs" WHERE type = 'o''clock' AND id IN ('12', 'ab-c')"""
    )


def test_a_list_does_not_stand_within_quotes() -> None:
    """Two values within one pair of quotes would be one value: the command is left out."""
    values = {"upload_ids": "a\nb", "frozen_pids": "1\n2"}
    assert fill_command("x '<upload_ids>'", "sql", values)[1] == ("upload_ids",)
    assert fill_command('kill "<frozen_pids>"', "bash", values)[1] == ("frozen_pids",)
    assert fill_command("kill <frozen_pids>", "bash", values)[0] == "kill 1 2"


@given(value=st.text(max_size=60))
def test_a_valid_id_has_no_slash_and_no_dots(value: str) -> None:
    """The grammar of ids holds for any text."""
    if is_valid("upload_id", value):
        assert "/" not in value
        assert ".." not in value.split("/")
        assert value.isprintable()
        assert shlex.split(value) == [value]


def test_a_command_that_reads_a_file_which_is_not_written_is_left_out() -> None:
    """It would read what an earlier step wrote, such as messages that were published already."""
    writes = Command("sql", "SELECT 1 FROM x WHERE id IN (<upload_ids>)\n  \\g messages.jsonl", 1)
    shell = Command("bash", "psql -c 'SELECT <upload_ids>' > ids.txt", 2)
    reads = Command("bash", "while read -r one; do\n  curl x\ndone < messages.jsonl", 3)
    other = Command("bash", "while read -r one; do\n  curl x\ndone < ids.txt", 4)
    step = Step(1, "", "", (writes, reads, shell, other), 1)
    filled = fill_step(step, {})
    assert filled.commands == ()
    assert filled.left_out[1] == "while read -r one; do: messages.jsonl is not written"
    assert len(fill_step(step, {"upload_ids": "u1"}).commands) == 4
    alone = fill_step(Step(1, "", "", (reads,), 1), {})
    assert alone.commands == (reads,), "another step may write it"


def test_a_change_of_a_view_that_takes_none_is_warned_of() -> None:
    """Beside the command that writes, not beside one that reads, nor for a table."""
    texts = ("UPDATE <jobs_table> SET x = 1", "SELECT 1 FROM <jobs_table>", "DELETE FROM <t_table>")
    step = Step(1, "", "", tuple(Command("sql", text, 1) for text in texts), 1)
    values = {"jobs_table": "ops.job_now", "jobs_table_is_read_only": "yes", "t_table": "t"}
    writes, reads, table = fill_step(step, values).commands
    assert len(writes.warnings) == 1
    assert "the view ops.job_now" in writes.warnings[0]
    assert "its words for a status" in writes.warnings[0], "a view may have other ones"
    assert reads.warnings == table.warnings == ()


def test_the_token_of_a_command_comes_from_the_environment() -> None:
    """The header is one quoted word; nothing in it but the token is for the shell to fill."""
    template = "curl -sS -H <token_header> x"
    text, missing = fill_command(template, "bash", {"token_header": "X-Api-Key: {token}"})
    assert (text, missing) == ('curl -sS -H "X-Api-Key: ${API_TOKEN:?api.token}" x', ())
    for header in ("X-Api-Key: s3cret", "X: {token}$(id)", 'X: "{token}', "X: {token}\nY: z"):
        assert fill_command(template, "bash", {"token_header": header}) == (
            template,
            ("token_header",),
        )
    within = 'curl -H "<token_header>" x'
    assert fill_command(within, "bash", {"token_header": "X: {token}"})[1] == ("token_header",)


def test_a_route_has_the_ids_that_are_known() -> None:
    """One whose field has no value is left out, and so is the command that has it."""
    values = {
        "upload_id": "u1",
        "status_path": "/uploads/{upload_id}/status",
        "track_path": "/tracks/{track_id}",
        "ready_path": "/readyz",
    }
    assert with_routes(values) == {
        "upload_id": "u1",
        "status_path": "/uploads/u1/status",
        "ready_path": "/readyz",
    }
    for hostile in ("{upload_id}", "../admin", "1/2", "1?x"):
        assert "track_path" not in with_routes({**values, "track_id": hostile})


def test_times_without_a_zone_are_compared_in_the_one_that_the_checks_use() -> None:
    """Whoever runs the statement may have another time zone: the statement names the right one."""
    values = {"uploads_table": "uploads", "naive_time_zone": "Europe/Paris"}
    text = "UPDATE <uploads_table> SET updated_at = now(), error = 'now()' -- now()"
    filled, _ = fill_command(text, "sql", values)
    zoned = "(now() AT TIME ZONE 'Europe/Paris')"
    assert filled == f"""UPDATE "uploads" SET updated_at = {zoned}, error = 'now()' -- now()"""
    activity = "SELECT now() - query_start FROM pg_stat_activity"
    assert fill_command(activity, "sql", values)[0] == activity
    for zone in ("", "x'y"):
        plain, _ = fill_command(text, "sql", values | {"naive_time_zone": zone})
        assert plain == text.replace("<uploads_table>", '"uploads"')


def test_each_statement_has_the_times_of_its_own_table() -> None:
    """A view of jobs may have times with a zone beside uploads whose times have none."""
    values = {"uploads_table": "u", "jobs_table": "j", "naive_time_zone": "UTC"}
    text = (
        "UPDATE <uploads_table> SET updated_at = now() WHERE EXISTS (SELECT 1 FROM <jobs_table>);"
        " INSERT INTO <jobs_table> (created_at) SELECT now() FROM <uploads_table>; SELECT now()"
    )
    filled, _ = fill_command(text, "sql", values | {"zoned_tables": "jobs_table"})
    zoned = "(now() AT TIME ZONE 'UTC')"
    assert filled == (
        f'UPDATE "u" SET updated_at = {zoned} WHERE EXISTS (SELECT 1 FROM "j");'
        ' INSERT INTO "j" (created_at) SELECT now() FROM "u"; SELECT now()'
    )
    filled, _ = fill_command(text, "sql", values)
    assert filled.count(zoned) == 2


def test_a_deleted_row_that_its_table_keeps_is_none() -> None:
    """A condition that a row is there says so for the tables that keep deleted ones."""
    text = "SELECT 1 FROM <j_table> WHERE EXISTS (SELECT 1 FROM <u_table> u WHERE u.id = j.id)"
    values = {"j_table": "j", "u_table": "u", "j_table_keeps_deleted": "yes"}
    plain, _ = fill_command(text, "sql", values)
    assert plain == 'SELECT 1 FROM "j" WHERE EXISTS (SELECT 1 FROM "u" u WHERE u.id = j.id)'
    kept, _ = fill_command(text, "sql", values | {"u_table_keeps_deleted": "yes"})
    assert kept == plain.replace("u.id = ", "u.deleted_at IS NULL AND u.id = ")


def test_a_new_job_has_a_value_in_each_column_that_needs_one() -> None:
    """A platform may give its jobs ids and times by itself: their columns have no default."""
    text = "INSERT INTO <jobs_table> (type, created_at)\n SELECT '<job_type>', now() FROM uploads u"
    columns = (
        "uuid id",
        "key upload_id",
        "same user_id",
        'time at "x"',
        "least tries",
        "time created_at",
    )
    values = {"jobs_table": "q.jobs", "job_type": "make", "needed_columns": "\n".join(columns)}
    filled, missing = fill_command(text, "sql", values)
    assert not missing
    assert filled == (
        'INSERT INTO "q"."jobs"'
        ' ("id", "upload_id", "user_id", "at ""x""", "tries", type, created_at)'
        '\n SELECT gen_random_uuid(), u."id", u."user_id", now(), '
        """(SELECT min("tries") FROM "q"."jobs" WHERE type = 'make'),"""
        " 'make', now() FROM uploads u"
    )
    for hostile in ("DROP id", "uuid", "uuid a\nuuid"):
        filled, _ = fill_command(text, "sql", values | {"needed_columns": hostile})
        assert filled.startswith('INSERT INTO "q"."jobs" (type, created_at)')
