"""Parsers and results of the storage probe."""

from __future__ import annotations

import pytest

from core.units import Amount
from fixtures.probes.errors import Unreachable
from fixtures.probes.host.permissions import Permissions, User
from fixtures.probes.host.shell import CommandResult, Shell
from fixtures.probes.host.storage import StorageProbe
from fixtures.probes.host.storage_results import Access, FileSystem, Free
from fixtures.probes.host.storage_survey import mount_of, parse_survey
from fixtures.probes.host.stored_files import Files, StoredFile, best_of, parse_list
from fixtures.probes.subjects import Subject

HUGE = "9" * 5000
"""A number that Python refuses to parse."""
VEZA = User("veza", 1000, (1000,))
TEN_PERCENT = Amount.parse("10%")


def test_survey_is_parsed() -> None:
    """User, permissions and mount options are parsed, also for a path with spaces."""
    survey = parse_survey(
        "uid 1000\ngids 1000 27\nreal /my data/up\nkind directory\nbits 0 27 775 /my data/up\n"
        "mount tmpfs /my\\040data tmpfs ro,relatime 0 0\nmount / / ext4 rw 0 0\n",
        "local",
        "veza",
        "/my data/up",
    )
    assert survey.user == User("veza", 1000, (1000, 27))
    assert survey.permissions == (("/my data/up", Permissions(0, 27, 0o775)),)
    assert survey.mount_options == "ro,relatime"


def test_invalid_survey_is_empty() -> None:
    """Invalid lines are skipped."""
    survey = parse_survey("uid\nbits x\nbits 1 2 9 /x\nmount\n\n\0", "local", "veza", "/x")
    assert (survey.user, survey.permissions, survey.mount_options) == (None, (), "")


def test_a_number_without_end_is_no_number() -> None:
    """Lines with such a number are skipped, and so are ids of groups that are none."""
    survey = parse_survey(
        f"uid 7\ngids 7 x {HUGE} 27\nbits {HUGE} 0 755 /x\nbits 0 0 755 /y\n", "local", "veza", "/x"
    )
    assert survey.user == User("veza", 7, (7, 27))
    assert survey.permissions == (("/y", Permissions(0, 0, 0o755)),)
    assert parse_survey(f"uid {HUGE}\n", "local", "veza", "/x").user is None
    (file,) = parse_list(
        f"file {HUGE} 0 0 644 a\nfile 5 0 0 644 a.wav\n", (Subject("a"),), "h", VEZA
    )
    assert file.sizes == (5,)


class Lying(Shell):
    """A host whose df prints such a number."""

    def run(self, *_: object, **__: object) -> CommandResult:
        """Return a survey with it."""
        text = f"uid 7\nkind directory\nspace /dev/x {HUGE} {HUGE} {HUGE} 1% /\n"
        return CommandResult(0, text, "")


def test_a_disk_of_endless_size_is_unreachable() -> None:
    """A host whose df prints a number of 5000 digits says nothing of its disk."""
    storage = StorageProbe([Lying("local://")], "/x", "veza")
    with pytest.raises(Unreachable, match="df failed on "):
        storage.space()


def test_nearest_mount_wins() -> None:
    """Of several mounts above a path the longest counts, and of two on one point the later."""
    mounts = ["a / x rw", "b /data x rw", "c /data x ro", "d /database x rw"]
    assert mount_of(mounts, "/data/up") == ("/data", "ro")
    assert mount_of(mounts, "/dat") == ("/", "rw")


@pytest.mark.parametrize(
    ("free", "total", "enough"), [(10, 100, True), (9, 100, False), (0, 0, True)]
)
def test_every_host_needs_enough(free: int, total: int, enough: bool) -> None:
    """Each host needs the minimum; a file system without an inode count has enough."""
    file_systems = (FileSystem("a", "/", 99, 100), FileSystem("b", "/", free, total))
    assert Free("/x", "inodes", file_systems).is_at_least(TEN_PERCENT) is enough


def test_files_are_parsed() -> None:
    """Files, their sizes, and those that the service may not read are parsed."""
    subjects = (Subject("a", size=7), Subject("b"), Subject("c"))
    files = parse_list(
        "file 0 1000 1000 000 c.wav\ndir 9 1000 1000 755 a\ndir 9 0 0 644 b\ntree\n"
        "file 3 1000 1000 644 a/x\nfile 4 1000 1000 600 a/y/z\nrubbish\nfile 9 0 0 644 b/evil\n"
        "file 8 0 0 644 c\n",
        subjects,
        "local",
        VEZA,
    )
    assert [(f.sizes, f.refused, f.is_whole) for f in files] == [
        ((4, 3), False, True),
        ((9,), True, True),
        ((0,), True, False),
    ]


def test_the_name_of_a_file_that_is_still_written_to_says_so() -> None:
    """It does where no size is recorded, and no other file of the upload has another name."""
    names = ("a.part", "b.wav.TMP", "c.part", "c.wav", "d.partita.wav", "e/x.part", "f.tmp")
    text = "".join(f"file 5 0 0 644 {name}\n" for name in names if "/" not in name)
    text += "dir 9 0 0 755 e\ntree\nfile 5 0 0 644 e/x.part\n"
    subjects = (*map(Subject, "abcde"), Subject("f", size=5))
    files = parse_list(text, subjects, "local", None)
    assert [f.upload for f in files if f.unfinished] == ["a", "b", "e", "f"]
    assert [f.upload for f in files if not f.is_whole] == ["a", "b", "e"]


def test_a_recorded_size_of_zero_says_nothing() -> None:
    """A column may begin with 0 and get the size at the end; a file without bytes is empty."""
    assert StoredFile("a", "here", 1, (5,), 0).is_whole
    empty = StoredFile("a", "here", 1, (0,), 0)
    assert (empty.is_whole, str(empty)) == (False, "0 bytes")


def test_a_file_counts_on_any_host() -> None:
    """Of several hosts the one that has an upload's file is used."""
    here, there = StoredFile("a", "here"), StoredFile("a", "there", 1, (5,), 5)
    assert best_of(((here,), (there,))) == (there,)


def test_sentence_names_the_first_uploads() -> None:
    """The sentence counts the uploads, names the first and counts the rest."""
    files = Files(
        "/up", ("local",), "existence", tuple(StoredFile(f"u{n}", "local") for n in range(7))
    )
    assert str(files) == ("7 of 7 uploads have no file: u0, u1, u2 and 4 more (in /up on local)")


def test_no_stuck_upload_passes() -> None:
    """Without a stuck upload nothing is wrong, and the sentence says so."""
    files = Files("/up", ("local",), "size", ())
    assert files.all_good
    assert str(files) == "no stuck upload to check"


def test_of_many_hosts_the_fullest_are_named() -> None:
    """Each host that may be too full is named; hosts with more free space are counted."""
    shares = [50, 3, 60, *range(61, 68), 2]
    systems = tuple(FileSystem(f"w{n}", "/", free, 100) for n, free in enumerate(shares, start=1))
    assert str(Free("/x", "inodes", systems)) == (
        "2 of 100 inodes (2.0 %) are free under /x on w11 (file system /); 3.0 % on w2; "
        "50.0 % on w1; 60.0 % on w3; 61.0 % on w4; 62.0 % on w5; 63.0 % on w6; 64.0 % on w7; "
        "at least 65.0 % on 3 other hosts"
    )
    alike = tuple(FileSystem(f"w{n}", "/", 70_001 + n, 100_000) for n in range(48))
    assert str(Free("/x", "inodes", alike)).endswith("; 70.0 % on w1, w2, w3 and 44 more")
    shared = tuple(FileSystem(f"w{n}", "/srv", 9, 100) for n in range(48))
    assert str(Free("/x", "inodes", shared)).endswith("under /x on 48 hosts (file system /srv)")


class Answering(Shell):
    """A host whose survey is this text."""

    text = ""

    def run(self, *_: object, **__: object) -> CommandResult:
        """Return the text."""
        return CommandResult(0, self.text, "")


@pytest.mark.parametrize(
    ("spec", "capabilities", "granted"),
    [
        ("docker://api", "00000000a80425fb", True),
        ("docker://api", "0000000000000000", False),
        ("docker://api", "", False),
        ("ssh://web-1", "000001ffffffffff", False),
    ],
)
def test_root_in_a_container_may_pass_without_bits(
    spec: str, capabilities: str, granted: bool
) -> None:
    """A volume often has the owner of the machine outside; root writes to it all the same."""
    shell = Answering(spec)
    shell.text = (
        f"uid 0\ngids 0\ncapabilities {capabilities}\nreal /up\nkind directory\n"
        "bits 1000 1000 755 /up\nbits 0 0 755 /\nmount vol /up ext4 rw\n"
    )
    assert StorageProbe([shell], "/up", "root").access().is_granted is granted


def test_only_what_is_mounted_read_only_is_mounted_again() -> None:
    """A directory that is closed by its mode has no such mount."""
    assert Access("/srv/u", "veza", ("a",), ("it may not write",)).placeholders() == {}
    closed = Access("/srv/u", "veza", ("a",), ("/srv/u is mounted read-only",), "/srv")
    assert closed.placeholders() == {"read_only_mount_point": "/srv"}


def test_a_read_only_mount_is_one_also_where_df_fails() -> None:
    """Its place is that of the mount whose options say it."""
    shell = Answering("ssh://web-1")
    shell.text = (
        "uid 0\ngids 0\ncapabilities\nreal /srv/up\nkind directory\nspace df: no\n"
        "bits 0 0 755 /srv/up\nbits 0 0 755 /srv\nmount vol /srv ext4 ro\n"
    )
    access = StorageProbe([shell], "/srv/up", "root").access()
    assert "is mounted read-only" in str(access)
    assert access.placeholders() == {"read_only_mount_point": "/srv"}
