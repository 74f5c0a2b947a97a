"""Files that a user names: read with limits, written atomically."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from core.files import (
    KEY_PARTS_MAX,
    TOML_MAX,
    FileError,
    is_open_to_others,
    lock_file,
    read_text,
    read_toml,
    write_file,
)
from tests.waiting import PATIENCE


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_written_file_has_the_permissions_asked_for(tmp_path: Path, mode: int) -> None:
    """A new file and a replaced one get the given mode, whatever the old file had."""
    path = tmp_path / "folder/secret.json"
    for text in ("first", "second"):
        write_file(path, text, mode)
        assert path.read_text() == text
        assert path.stat().st_mode & 0o777 == mode
        path.chmod(0o400)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a = " + b"[" * 60_000, "nested too deep; write each table under a"),
        (b"a = " + b"{b=" * 20_000, "nested too deep; write each table under a"),
        (b"a = " + b"1" * 5_000, "4300 digits"),
        (b"[" + b".".join([b"a"] * 60_000) + b"]", "line 1: not valid TOML: a key has more than"),
        (
            b"\na = {" + b".".join([b"a"] * 60_000) + b"=1}",
            "line 2: not valid TOML: a key has more",
        ),
        (b"a = 2024-02-31", "is not valid TOML"),
        (b"[targets", "at the end of a table declaration"),
        (b"a = 1\nb = '\xff'", "line 2: not UTF-8 text"),
        (b"#" * (TOML_MAX + 1), "larger than 256 KiB"),
    ],
)
def test_a_broken_toml_file_is_one_sentence(tmp_path: Path, content: bytes, problem: str) -> None:
    """Each error of the parser, also those that are none of its own, names the file and the fix."""
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(FileError, match=problem) as error:
        read_toml(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 250


def test_a_toml_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Editors on Windows write one; keys of many parts and values with many dots are fine."""
    path = tmp_path / "marked.toml"
    key = ".".join("k" * KEY_PARTS_MAX)
    path.write_bytes(b"\xef\xbb\xbf" + f"{key} = '{'.' * 99}'".encode())
    value: object = read_toml(path)
    for _ in range(KEY_PARTS_MAX):
        assert isinstance(value, dict)
        value = value["k"]
    assert value == "." * 99


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    """A FIFO that nobody writes to and an endless device are not read."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, "/dev/zero"):
        with pytest.raises(FileError, match="cannot be read"):
            read_text(path)


def test_a_link_is_followed_only_where_it_may_be(tmp_path: Path) -> None:
    """A name that another user can replace is opened without following a link."""
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(FileError, match="cannot be read"):
        read_text(tmp_path / "link", follow=False)
    (tmp_path / "file").write_text("text")
    (tmp_path / "other").symlink_to(tmp_path / "file")
    assert read_text(tmp_path / "other") == "text"
    assert read_text(tmp_path / "file", follow=False) == "text"


def test_a_file_is_open_to_others_by_its_mode(tmp_path: Path) -> None:
    """Only the bit for all other users counts; a file that is not there is open to nobody."""
    path = tmp_path / "targets.toml"
    assert not is_open_to_others(path)
    path.touch()
    for mode, is_open in ((0o600, False), (0o640, False), (0o644, True)):
        path.chmod(mode)
        assert is_open_to_others(path) is is_open


def test_dots_in_comments_and_strings_are_no_parts_of_a_key(tmp_path: Path) -> None:
    """A comment that draws a line of dots before an equals sign leaves the file valid."""
    dots = "." * (KEY_PARTS_MAX + 1)
    path = tmp_path / "commented.toml"
    path.write_text(
        f"""
        # stuck_after {dots} = 10 min
        [a] # {dots}
        b = "10 min" # {dots} = default
        c = "#{dots} = " # {dots} = c
        d = '''
        {dots} = '''
        """
    )
    assert read_toml(path)["a"]["c"] == f"#{dots} = "


@pytest.mark.parametrize(
    "before",
    [
        "'#' = 1, ",
        '"#" = 1, ',
        '"\\"#" = 1, ',
        "c = '''#''''', ",
        'c = """\n\'#""", ',
        'c = "\'#", ',
    ],
)
def test_a_string_with_a_number_sign_hides_no_long_key(tmp_path: Path, before: str) -> None:
    """A number sign in a string begins no comment: the key behind it has too many parts."""
    path = tmp_path / "long.toml"
    path.write_text(f"a = {{ {before}{'b.' * KEY_PARTS_MAX}b.b = 1 }}")
    with pytest.raises(FileError, match="a key has more than"):
        read_toml(path)


def test_an_unclosed_string_takes_no_time(tmp_path: Path) -> None:
    """Many quotes that nothing closes are looked at once, not once for each of them."""
    path = tmp_path / "quotes.toml"
    path.write_text('a = """' + ' \\"""\n' * (TOML_MAX // 6 - 2))
    with pytest.raises(FileError, match="is not valid TOML"):
        read_toml(path)


def test_a_lock_is_held_until_its_file_is_closed(tmp_path: Path) -> None:
    """Who does not wait is told at once; who waits has it as soon as it is free."""
    path, taken = tmp_path / ".lock", threading.Event()

    def wait() -> None:
        with lock_file(path, PATIENCE):
            taken.set()

    waiting = threading.Thread(target=wait)
    with lock_file(path, 0.0):
        waiting.start()
        with pytest.raises(BlockingIOError):
            lock_file(path, 0.2)
        assert not taken.is_set()
    waiting.join(PATIENCE)
    assert taken.is_set()


def test_a_link_in_the_place_of_a_lock_is_refused(tmp_path: Path) -> None:
    """Another user may have put it there."""
    (tmp_path / ".lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        lock_file(tmp_path / ".lock", 0.0)
    assert not (tmp_path / "other").exists()
