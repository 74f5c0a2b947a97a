"""The language of what a person reads: the catalogues, and what is said with them."""

from __future__ import annotations

import ast
import functools
import io
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from core import language
from core.errors import TranslatedError
from core.language import choose_language, numeral, set_language, suggest_language, tr, trn
from core.text import listed
from core.units import format_bytes, format_duration
from tests.made import ROOT

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

KEYWORDS = ("-k", "tr", "-k", "trn:1,2", "-k", "trc:1c,2", "-k", "mark")
FIELD = re.compile(r"\{[^{}]*\}")

TRANSLATED = [code for code in language.languages() if code != language.ENGLISH]


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    set_language(language.ENGLISH)


def catalogue(code: str) -> Catalog:
    """Return a language's catalogue."""
    with (language.LOCALES / code / "LC_MESSAGES" / "veza.po").open("rb") as file:
        return read_po(file, locale=code)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Everything that a person reads, as Babel finds it in the sources."""
    path: Path = tmp_path_factory.mktemp("language") / "veza.pot"
    subprocess.run(
        [
            *(sys.executable, "-m", "babel.messages.frontend", "-q", "extract"),
            *("-F", "pyproject.toml", *KEYWORDS, "-o", str(path), "."),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    with path.open("rb") as file:
        return read_po(file)


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_sentence_is_translated(code: str, template: Catalog) -> None:
    """A sentence without a translation would stay English; `tox -e language` adds what is new."""
    entries = catalogue(code)
    missing = [
        message.id
        for message in template
        if message.id
        and (
            (entry := entries.get(message.id, message.context)) is None
            or entry.fuzzy
            or not all([entry.string] if isinstance(entry.string, str) else entry.string or [""])
        )
    ]
    assert not missing
    known = {(message.id, message.context) for message in template}
    assert not [m.id for m in entries if m.id and (m.id, m.context) not in known], (
        "nobody says them"
    )


@functools.cache
def trees() -> tuple[tuple[Path, ast.Module], ...]:
    """Return each module that says something to a person."""
    folders = ("core", "fixtures", "reports", "actions", "runbooks")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple((path, ast.parse(path.read_text())) for path in paths)


def translating_errors() -> set[str]:
    """Return the names of the errors that translate the sentence that they are given."""
    known = {"TranslatedError"}
    parents = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    while new := {name for name, bases in parents.items() if bases & known} - known:
        known |= new
    return known


def calls() -> Iterator[tuple[str, ast.Call, str, bool]]:
    """Yield the place, the call and the name of each tr, trn, trc and mark; and if at import.

    So is an error with the fields of a sentence, which translates it.
    """
    errors = translating_errors()
    for path, tree in trees():
        functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
        later = {id(node) for one in functions for part in one.body for node in ast.walk(part)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                name = node.func.id
                if name in ("tr", "trn", "trc", "mark") or (name in errors and node.keywords):
                    yield place, node, name, id(node) not in later


def test_babel_finds_each_sentence_in_the_code(template: Catalog) -> None:
    """It reads words, not Python: a call within a call, or an f-string, could escape it."""
    escaped = []
    for place, call, name, _ in calls():
        arguments = call.args[:2]
        constants = [one.value for one in arguments if isinstance(one, ast.Constant)]
        texts = [text for text in constants if isinstance(text, str) and text]
        context = texts.pop(0) if name == "trc" and texts else None
        message = template.get(texts[0], context) if texts else None
        if any(isinstance(one, ast.JoinedStr) for one in arguments):
            escaped.append(f"{place}: an f-string")
        elif texts and (message is None or (name == "trn" and message.id != tuple(texts))):
            escaped.append(f"{place}: {texts[0]}")
    assert not escaped


def attributes() -> dict[str, set[str]]:
    """Return the annotated attributes of each class, with those of the classes it follows."""
    classes = {
        node.name: node
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }

    def of(name: str) -> set[str]:
        if name not in classes:
            return set()
        annotated = [one for one in classes[name].body if isinstance(one, ast.AnnAssign)]
        own = {one.target.id for one in annotated if isinstance(one.target, ast.Name)}
        return own.union(*(of(ast.unparse(base)) for base in classes[name].bases))

    return {name: of(name) for name in classes}


def test_each_field_of_a_sentence_is_filled() -> None:
    """By an argument of its name, or by an attribute of the object that says it."""
    known = attributes()
    own: dict[int, str] = {}
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                own |= {id(part): node.name for part in ast.walk(node)}
    wrong = []
    for place, call, name, _ in calls():
        if name == "mark" or any(one.arg is None for one in call.keywords):
            continue
        texts = [one.value for one in call.args if isinstance(one, ast.Constant)]
        wanted = set(re.findall(r"\{(\w+)", " ".join(map(str, texts[name == "trc" :]))))
        filled = {str(one.arg) for one in call.keywords} | ({"n"} if name == "trn" else set())
        if any(isinstance(one, ast.Name) and one.id == "self" for one in call.args):
            filled |= known[own[id(call)]]
        if wanted - filled and (call.keywords or len(call.args) > 1):
            wrong.append(f"{place}: {wanted - filled}")
    assert not wrong


def test_an_error_translates_a_sentence_with_fields_only() -> None:
    """What is ready stays as it is: others wrote it, with braces, or in words of the catalogue."""
    set_language("fr")
    error = TranslatedError("{path} cannot be read: {reason}", path="/x", reason="{path}")
    assert str(error) == "/x ne peut pas être lu\N{NO-BREAK SPACE}: {path}"
    assert [str(TranslatedError(text)) for text in ("{path}", "at least")] == ["{path}", "at least"]
    assert tr("at least") == "au moins"


def test_a_sentence_without_fields_is_translated_where_its_error_is_raised() -> None:
    """`Unreachable("...")` would stay English: write `Unreachable(tr("..."))`."""
    errors = translating_errors()
    assert not [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in errors
        and not node.keywords
        and any(isinstance(one, ast.Constant) for one in node.args)
    ]


def test_no_sentence_is_said_at_import() -> None:
    """The language is chosen later: what a module keeps is marked, and translated when said."""
    assert not [place for place, _, name, at_import in calls() if name != "mark" and at_import]


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_the_fields_of_its_sentence(code: str) -> None:
    """A field that is missing would lose what was seen, another one would be an error."""
    wrong = []
    for message in catalogue(code):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = (
            [message.string] if isinstance(message.string, str) else list(message.string or ())
        )
        # The singular may leave the number out, as it may in English.
        wanted = [set(FIELD.findall(text)) for text in (ids[0], ids[-1])]
        for place, string in enumerate(strings):
            if set(FIELD.findall(str(string))) not in wanted[place == 1 :]:
                wrong.append((ids[0], string))
    assert not wrong


@pytest.mark.parametrize("code", TRANSLATED)
def test_the_compiled_catalogue_is_that_of_the_text(code: str) -> None:
    """A run reads veza.mo, a person edits veza.po: `tox -e language` compiles it."""
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(code))
    path = language.LOCALES / code / "LC_MESSAGES" / "veza.mo"
    assert path.read_bytes() == compiled.getvalue()


def test_numbers_and_units_are_written_as_the_language_does() -> None:
    """French has a comma, a narrow space, days that begin with j, and octets."""
    english = [numeral(12345), numeral(0.874, 2), format_duration(200_000), format_bytes(5e6)]
    assert english == ["12,345", "0.87", "2 d 7 h", "4.8 MiB"]
    set_language("fr")
    french = [numeral(12345), numeral(0.874, 2), format_duration(200_000), format_bytes(5e6)]
    assert french == ["12\u202f345", "0,87", "2 j 7 h", "4,8 Mio"]


@pytest.mark.parametrize("value", [10**40, 1e300, -1e300, math.inf, math.nan])
def test_a_number_of_any_size_can_be_written(value: float) -> None:
    """A hostile metric is a number of uploads too, and must not end the report."""
    english = numeral(value, 0)
    set_language("fr")
    assert numeral(value, 0) == english.replace(",", "\u202f")


def test_nothing_is_singular_in_french() -> None:
    """0 and 1 are singular in French, only 1 is in English."""
    numbers = (0, 1, 2)
    assert [language.is_one(number) for number in numbers] == [False, True, False]
    set_language("fr")
    assert [language.is_one(number) for number in numbers] == [True, True, False]


def test_a_sentence_without_a_translation_stays_english() -> None:
    """Its fields are filled all the same."""
    set_language("fr")
    assert tr("nobody says {what} here", what="this") == "nobody says this here"
    assert trn("{n} such thing", "{n} such things", 1200) == "1\u202f200 such things"


def test_a_list_is_joined_by_the_words_of_the_language() -> None:
    """As many items as there are."""
    set_language("fr")
    assert [listed([]), listed(["a"]), listed(["a", "b", "c"], "or")] == ["", "a", "a, b ou c"]


def test_a_person_decides_before_what_suggests_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """--lang comes before VEZA_LANG, and both before a target, a report or a document."""
    monkeypatch.delenv("VEZA_LANG", raising=False)
    choose_language(None)
    suggest_language("fr")
    assert language.language() == "fr"
    choose_language(None)
    assert language.language() == "en"
    monkeypatch.setenv("VEZA_LANG", "fr_FR.UTF-8")
    choose_language(None)
    suggest_language("en")
    assert language.language() == "fr"
    choose_language("en")
    suggest_language("fr")
    assert language.language() == "en"


def test_an_unknown_language_is_refused_with_those_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sentence says where it was named."""
    with pytest.raises(ValueError, match=r"^--lang: there is no language 'xx'; use en or fr$"):
        choose_language("xx")
    monkeypatch.setenv("VEZA_LANG", "xx")
    with pytest.raises(ValueError, match=r"^VEZA_LANG: there is no"):
        choose_language(None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--lang", "fr"], "fr"),
        (["render", "--lang=fr", "out"], "fr"),
        (["--lang=en", "render", "--lang", "fr"], "fr"),
        (["--lang"], None),
        (["--lang="], None),
        (["--language", "fr"], None),
        ([], None),
    ],
)
def test_the_help_knows_the_language_before_the_options_are_read(
    arguments: list[str], code: str | None
) -> None:
    """--lang is found in a command line that is not parsed yet."""
    assert language.named_in(arguments) == code
