"""The runbook loader: the parts of a document in English and French, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.files import READ_MAX
from reports.runbook.document import Command, Runbook, RunbookError, is_dangerous
from reports.runbook.markdown import PARTS, load_runbook, parse_runbook
from reports.runbook.placeholders import fill, fill_step, placeholders

SHIPPED = Path(__file__).resolve().parents[3] / "runbooks/upload_stuck/runbook.md"

FRENCH = """\
# Panne : impressions en attente

## Signal

Des pages restent dans la file.

## Hypothèses

1. **Imprimante éteinte** - Plus de courant
2. **Papier épuisé** : Le bac est vide

## Vérifications

### 1. Regarder l'imprimante

```bash
# Par le réseau
ping -c 1 <imprimante>

# Réponse :
# 1 reçu
```

### 2. Regarder la file

```bash
lpstat -o

lpstat -p <imprimante>
```

## Actions Correctives

### Si l'imprimante est éteinte

1. **Rallumer**:
```bash
sudo systemctl restart cups
# ou
docker restart cups
```

2. **Regarder le voyant** (s'il y en a un):
- À gauche
- Ou derrière

### Si le papier manque

1. **Remplir le bac**

## Actions Préventives

### Suivi

1. **Compter les pages**:
- Chaque soir

## Post-Mortem Notes

### À écrire

- **Imprimante** : `<imprimante>`

### Chiffres à suivre

- Pages en attente - doit baisser

## Références

- Manuel : `imprimante.pdf`
"""


@pytest.fixture(scope="module")
def shipped() -> Runbook:
    """The runbook as shipped."""
    return load_runbook(SHIPPED)


def test_the_shipped_runbook_is_complete(shipped: Runbook) -> None:
    """Hypotheses with actions each, verifications with commands, and all other parts."""
    assert shipped.title == "Upload stuck"
    assert len(shipped.actions) == len(shipped.hypotheses) > 0
    assert all(item.commands for item in shipped.verifications)
    assert all(
        section.steps and step.title for section in shipped.actions for step in section.steps
    )
    assert len(shipped.preventive) == 2
    assert len(shipped.watch) == 4
    assert "<upload_id>" in shipped.postmortem


def test_every_command_of_the_shipped_runbook_has_its_line_number(shipped: Runbook) -> None:
    """A command is found in the document at its line."""
    lines = SHIPPED.read_text(encoding="utf-8").split("\n")
    commands = [c for v in shipped.verifications for c in v.commands]
    commands += [c for a in shipped.actions for s in a.steps for c in s.commands]
    for command in commands:
        assert lines[command.line - 1].strip() == command.text.split("\n")[0].strip()


def test_the_shipped_runbook_reads_before_it_changes_anything(shipped: Runbook) -> None:
    """No first step of an action is dangerous, and a verification removes its canary only."""
    commands = [c for verification in shipped.verifications for c in verification.commands]
    (removal,) = [command.text for command in commands if command.dangerous]
    assert removal.endswith("/<canary_id>")
    for section in shipped.actions:
        assert not section.steps[0].dangerous, section.title
    assert any(step.dangerous for section in shipped.actions for step in section.steps)


def test_the_shipped_runbook_avoids_known_mistakes(shipped: Runbook) -> None:
    """No recursive 644, no ps piped into grep, and valid PromQL."""
    verifications = [c.text for v in shipped.verifications for c in v.commands]
    actions = [c.text for a in shipped.actions for s in a.steps for c in s.commands]
    alerts = [c.text for a in shipped.preventive for s in a.steps for c in s.commands]
    assert not [text for text in verifications + actions if re.search(r"ps aux|-R 644", text)]
    assert any("u=rwX,go=rX" in text for text in actions)
    assert len(alerts) == 2
    assert not [text for text in alerts if "created_at" in text]


def test_a_french_document_is_read_unchanged() -> None:
    """Accents, French headings, and lists that code blocks interrupt."""
    runbook = parse_runbook(FRENCH, hypotheses=2, verifications=2)
    assert runbook.hypotheses == ("Imprimante éteinte", "Papier épuisé")
    assert [v.title for v in runbook.verifications] == ["Regarder l'imprimante", "Regarder la file"]
    assert [c.text for c in runbook.verifications[0].commands] == [
        "# Par le réseau\nping -c 1 <imprimante>"
    ]
    assert [c.text for c in runbook.verifications[1].commands] == [
        "lpstat -o",
        "lpstat -p <imprimante>",
    ]
    assert [section.title for section in runbook.actions] == [
        "Si l'imprimante est éteinte",
        "Si le papier manque",
    ]
    restart, look = runbook.actions[0].steps
    assert (restart.number, restart.title, restart.dangerous) == (1, "Rallumer", True)
    assert (look.title, look.dangerous) == ("Regarder le voyant", False)
    assert look.text == "(s'il y en a un):\nÀ gauche\nOu derrière"
    assert runbook.watch == ("Pages en attente - doit baisser",)
    assert runbook.preventive[0].steps[0].title == "Compter les pages"
    assert runbook.postmortem.startswith("### À écrire")


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    """A file saved by another system reads the same."""
    file = tmp_path / "panne.md"
    file.write_bytes(b"\xef\xbb\xbf" + FRENCH.replace("\n", "\r\n").encode())
    assert load_runbook(file).actions == parse_runbook(FRENCH).actions


def test_a_command_names_its_checks() -> None:
    """The comment after a code block has the ids of the checks that automate it."""
    text = FRENCH.replace("lpstat -o\n\n", "").replace(
        "lpstat -p <imprimante>\n```", "lpstat\n```\n<!-- checks: queue/a, queue/b -->"
    )
    assert parse_runbook(text).verifications[1].commands[0].checks == ("queue/a", "queue/b")


@pytest.mark.parametrize("place", range(len(PARTS)))
def test_a_missing_part_is_named_with_its_line(place: int) -> None:
    """Without a heading, the message says which was expected, and where."""
    headings = list(re.finditer(r"^## .*$", FRENCH, re.MULTILINE))
    text = FRENCH[: headings[place].start()] + FRENCH[headings[place].end() :]
    expected = f'expected the heading "## {PARTS[place][0]}"'
    with pytest.raises(RunbookError, match=re.escape(expected)) as caught:
        parse_runbook(text, "panne.md")
    if place + 1 == len(headings):
        assert "found the end of the document" in str(caught.value)
        return
    following = headings[place + 1]
    line = FRENCH[: following.start()].count("\n") + 1
    assert str(caught.value).startswith(f"panne.md:{line}: ")
    assert f'found "{following.group()[3:]}"' in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# Panne : ", "", r"panne\.md:1: expected the heading \"# <title"),
        ("2. **Papier", "3. **Papier", r"expected the hypothesis \"2\."),
        ("2. **Papier épuisé** : Le bac est vide\n", "", r"expected the end|belongs to no hypoth"),
        ("1. **Imprimante éteinte** - Plus de courant\n", "1.\n", r"expected the hypothesis \"1\."),
        ("### 2. Regarder la file", "### Regarder la file", r"expected the heading \"### 2\."),
        ("### 2. Regarder la file", "### 3. Regarder la file", r"expected the heading \"### 2\."),
        (
            "```bash\nlpstat -o\n\nlpstat -p <imprimante>\n```\n",
            "",
            r"panne\.md:24: expected a code block under \"2\. Regarder la file\"",
        ),
        ("### Si le papier manque\n\n1. **Remplir le bac**\n", "", r"\"### If Papier épuisé\""),
        ("1. **Remplir le bac**\n", "", r"expected numbered steps under \"Si le papier manque\""),
        (
            "- Manuel : `imprimante.pdf`\n",
            "\n## Encore\n",
            r"expected the end of the document, found \"Encore\"",
        ),
        ("## Actions Correctives", "## Quoi faire", r"\"## Corrective actions\" \(or \"## Actions"),
    ],
)
def test_a_malformed_document_is_refused(old: str, new: str, message: str) -> None:
    """The message has the line and what was expected there."""
    assert old in FRENCH
    text = FRENCH.replace(old, new, 1)
    with pytest.raises(RunbookError, match=message) as caught:
        parse_runbook(text, "panne.md")
    assert re.match(r"panne\.md:\d+: ", str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_document_for_other_evidence_is_refused() -> None:
    """A runbook with another number of hypotheses or verifications would be matched wrongly."""
    with pytest.raises(RunbookError, match=r":7: expected 5 numbered hypotheses .*, found 2"):
        parse_runbook(FRENCH, hypotheses=5)
    with pytest.raises(RunbookError, match=r'"### 3\. .*: 6 verifications, found 2'):
        parse_runbook(FRENCH, verifications=6)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# x\n" + ">" * 900_000,
        "# x\n" + "- " * 500_000,
        "# x\n## Signal\n" + "[" * 900_000,
        "# x\n" + "## Signal\n" * 90_000,
        "# x\n" + "1. a\n" * 19_000,
        "```\n" * 19_000,
        "# x\n" + "<!--" * 200_000,
    ],
    ids=["empty", "quotes", "lists", "links", "headings", "items", "fences", "comments"],
)
def test_a_hostile_document_is_refused_in_time(content: str) -> None:
    """No document within the size limit makes the loader run on and on, or fail in another way."""
    with pytest.raises(RunbookError):
        parse_runbook(content)


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """A file that is missing, too large or not text: one sentence with its name."""
    file = tmp_path / "runbook.md"
    with pytest.raises(RunbookError, match=r"runbook\.md cannot be read"):
        load_runbook(file)
    file.write_bytes(b"#" * (READ_MAX + 1))
    with pytest.raises(RunbookError, match="larger than"):
        load_runbook(file)
    file.write_bytes(b"# x\n\n\xff\xfe")
    with pytest.raises(RunbookError, match=r"runbook\.md, line 3: not UTF-8 text"):
        load_runbook(file)


def test_placeholders_are_filled_and_unknown_ones_stay() -> None:
    """A placeholder without a value stays visible."""
    text = "curl <api_url>/uploads/<upload_id> # <queue_name>"
    assert placeholders(text) == ("api_url", "upload_id", "queue_name")
    filled = fill(text, {"upload_id": "42", "api_url": "http://api", "queue_name": ""})
    assert filled == "curl http://api/uploads/42 # <queue_name>"


def test_a_value_is_inserted_once_without_control_characters() -> None:
    """A hostile value cannot break the line, move the cursor, or name another placeholder."""
    filled = fill("<upload_id> <service>", {"upload_id": "a\nb\x1b[2J<service>", "service": "x"})
    assert filled == "a b[2J<service> x"
    assert len(fill("<upload_id>", {"upload_id": "x" * 10_000})) == 200
    assert fill("<upload_id>", {"upload_id": "a\u202eb"}) == "ab"


def test_a_secret_is_never_filled() -> None:
    """A token would end up in a report; its placeholder stays, even if there is a value."""
    assert fill("Bearer <token>", {"token": "s3cret"}) == "Bearer <token>"


def test_a_step_is_filled_as_a_whole(shipped: Runbook) -> None:
    """Title, text and commands get the values, and the step stays marked as dangerous."""
    step = next(s for s in shipped.actions[1].steps if "purge_queue" in str(s.commands))
    filled = fill_step(step, {"queue_name": "uploads", "vhost": "/"})
    assert filled.commands[-1].text == "rabbitmqctl -p / purge_queue uploads"
    assert filled.dangerous


@pytest.mark.parametrize(
    "command",
    [
        "rabbitmqctl purge_queue q",
        "sudo chown -R a:a /srv",
        "chmod -vR 755 /srv",
        "chmod 644 file",
        "curl -sSf -u x:y -X DELETE http://b/api/connections/c",
        "curl -s --data-raw '{}' http://b/publish",
        "sudo systemctl restart x",
        "docker restart x",
        "kill -9 12",
        "rm -rf /srv/x",
        "UPDATE uploads SET status = 'failed'",
        "insert  into job_queue VALUES (1)",
        "DELETE FROM uploads",
        "find /srv -name x -delete",
    ],
)
def test_a_dangerous_command_is_marked(command: str) -> None:
    """A command that loses data, interrupts a service or writes."""
    assert is_dangerous(command)


def test_rights_that_are_changed_lose_nothing() -> None:
    """They can be set back, so the page does not warn of lost data beside them."""
    for text, harmful in (
        ("sudo chmod u+rwx /srv/uploads", False),
        ("sudo chown veza: /srv/uploads", False),
        ("sudo chown veza: /srv/uploads\nsudo systemctl restart veza", True),
        ("UPDATE uploads SET status = 'failed'", True),
    ):
        command = Command("bash", text, 1)
        assert command.dangerous
        assert command.harmful is harmful


@pytest.mark.parametrize(
    "command",
    [
        "SELECT updated_at FROM uploads",
        "tail -n 50 restart.log",
        "# rm -rf is not what you want\nls",
        "systemctl status x",
        "grep -R x /srv",
        "-- delete from uploads\nSELECT 1",
    ],
)
def test_a_harmless_command_is_not_marked(command: str) -> None:
    """A command that only reads, or only mentions a dangerous one."""
    assert not is_dangerous(command)
