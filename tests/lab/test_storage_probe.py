"""The storage probe on a real host, locally and through ssh."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from core.units import Amount
from fixtures.probes.errors import Unreachable
from fixtures.probes.host.shell import Shell, load_script
from fixtures.probes.host.storage import StorageProbe
from fixtures.probes.host.storage_survey import SURVEY, parse_survey
from fixtures.probes.subjects import Subject
from tests.waiting import PATIENCE

HOSTILE = 'it\'s $(touch pwned) `id` "q" \\ *'


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """An upload directory with shell characters in its name."""
    path = tmp_path / HOSTILE
    path.mkdir()
    return path


def test_directory_exists(shell: Shell, uploads: Path) -> None:
    """A directory is found, whatever its name, and its free space is read."""
    storage = StorageProbe([shell], str(uploads), "root")
    assert storage.directory().exists, storage.directory()
    assert storage.space().is_at_least(Amount.parse("1 B"))
    assert not storage.space().is_at_least(Amount.parse("1000 TiB"))
    assert storage.inodes().is_at_least(Amount.parse("0%"))


def test_missing_directory_is_one_message(shell: Shell, tmp_path: Path) -> None:
    """A missing directory fails its own check; the other checks are unreachable."""
    storage = StorageProbe([shell], str(tmp_path / "gone"), "root")
    assert not storage.directory().exists
    assert str(storage.directory()) == f"{tmp_path}/gone does not exist on {shell.name}"
    for probe in (storage.access, storage.space, storage.inodes):
        with pytest.raises(Unreachable, match=r"nothing to check: .*/gone does not exist on "):
            probe()
    with pytest.raises(Unreachable, match="nothing to check: "):
        storage.files((Subject("a"),))


def test_a_link_to_nothing_is_named(shell: Shell, tmp_path: Path) -> None:
    """A link is there, and what it leads to is missing: a new directory would not fit."""
    (tmp_path / "up").symlink_to("gone")
    directory = StorageProbe([shell], str(tmp_path / "up"), "root").directory()
    assert not directory.exists
    expected = f"{tmp_path}/up is a link to gone, which does not exist on {shell.name}"
    assert str(directory) == expected


def test_file_in_place_of_the_directory(shell: Shell, tmp_path: Path) -> None:
    """A file in the directory's place is named as such."""
    (tmp_path / "up").write_text("x")
    directory = StorageProbe([shell], str(tmp_path / "up"), "root").directory()
    assert str(directory) == f"{tmp_path}/up is a regular file, not a directory, on {shell.name}"


@pytest.mark.parametrize(("mode", "granted"), [(0o755, True), (0o555, False), (0o644, False)])
def test_access_needs_the_permission_bits(
    shell: Shell, uploads: Path, mode: int, granted: bool
) -> None:
    """Without w or x for its owner the service cannot use the directory, root or not."""
    uploads.chmod(mode)
    access = StorageProbe([shell], str(uploads), me()).access()
    uploads.chmod(0o755)
    assert access.is_granted is granted, access
    assert granted or f"may not write to {uploads} on {shell.name}: mode {mode:04o}" in str(access)


def test_an_access_control_list_may_let_the_user_in(shell: Shell, uploads: Path) -> None:
    """The bits refuse the user, and a list may not: that is unknown, and no fault."""
    (uploads / "u1").write_text("x")
    (uploads / "u1").chmod(0o600)
    try:
        # Version 2: owner rwx, user 1 rwx, group ---, mask rwx, others ---.
        entries = [(1, 7, 2**32 - 1), (2, 7, 1), (4, 0, 2**32 - 1), (16, 7, 2**32 - 1)]
        packed = [struct.pack("<HHI", *entry) for entry in (*entries, (32, 0, 2**32 - 1))]
        value = struct.pack("<I", 2) + b"".join(packed)
        os.setxattr(uploads, "system.posix_acl_access", value)
    except OSError:
        pytest.skip("this file system has no access control lists")
    storage = StorageProbe([shell], str(uploads), "nobody")
    unknown = re.escape(f"whether user nobody may use {uploads} on {shell.name} is unknown")
    if all(path.stat().st_mode & 1 for path in uploads.parents):
        with pytest.raises(Unreachable, match=unknown):
            storage.access()
    with pytest.raises(Unreachable, match=unknown):
        storage.readable_files((Subject("u1"),))
    # The owner's bits are final.
    assert StorageProbe([shell], str(uploads), me()).access().is_granted


STOPPING = """#!/bin/sh
echo called >> {0}/calls
[ "$(wc -l < {0}/calls)" -gt 1 ] || exec echo veza-ready
echo 'Error response from daemon: container x is not running' >&2
exit 1
"""


def test_a_container_that_stops_meanwhile_has_no_directory_to_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that broke off does not say that the directory is something else."""
    (tmp_path / "docker").write_text(STOPPING.format(tmp_path))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    storage = StorageProbe([Shell("docker://x", timeout=PATIENCE)], "/srv/up", "root")
    reason = r"inspecting /srv/up ended early on docker://x: Error .* container x is not running"
    with pytest.raises(Unreachable, match=reason):
        storage.directory()


def test_a_host_without_a_stat_that_fits_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BSD's stat knows no -c: that says nothing of the directory."""
    (tmp_path / "stat").write_text("#!/bin/sh\necho 'stat: illegal option -- c' >&2\nexit 1\n")
    (tmp_path / "stat").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    storage = StorageProbe([Shell("local://", timeout=PATIENCE)], str(tmp_path), "root")
    with pytest.raises(Unreachable, match="not possible on local: stat: illegal option -- c"):
        storage.directory()


def test_a_mount_behind_many_others_is_seen(tmp_path: Path) -> None:
    """The machines of a cluster have hundreds of mounts with long options."""
    layers = ":".join(f"/var/lib/layers/{n:026}" for n in range(60))
    others = "".join(
        f"overlay /run/{n}/merged overlay rw,lowerdir={layers} 0 0\n" for n in range(150)
    )
    (tmp_path / "mounts").write_text(f"{others}nfs {tmp_path} nfs4 ro,relatime,vers=4.2 0 0\n")
    script = load_script(SURVEY).replace("/proc/self/mounts", str(tmp_path / "mounts"))
    result = Shell("local://", timeout=PATIENCE).run(script, str(tmp_path), "root")
    survey = parse_survey(result.stdout, "local", "root", str(tmp_path))
    assert survey.mount_options == "ro"


def test_every_parent_must_be_open(shell: Shell, tmp_path: Path) -> None:
    """The service must be able to enter every directory above, also above a link's destination."""
    (tmp_path / "closed" / "up").mkdir(parents=True)
    (tmp_path / "link").symlink_to("closed/up")
    (tmp_path / "closed").chmod(0o600)
    access = StorageProbe([shell], str(tmp_path / "link"), me()).access()
    (tmp_path / "closed").chmod(0o700)
    assert f"may not enter {tmp_path}/closed on" in str(access)


def test_unknown_service_user_is_unreachable(shell: Shell, uploads: Path) -> None:
    """Access cannot be checked for a user who does not exist on the host."""
    storage = StorageProbe([shell], str(uploads), "no_such_user")
    with pytest.raises(Unreachable, match="user no_such_user does not exist on "):
        storage.access()
    assert storage.directory().exists


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_read_only_mount_and_full_disk(shell: Shell, tmp_path: Path) -> None:
    """A read-only mount, a full disk and a lack of inodes are found."""
    options = "size=1m,nr_inodes=10,mode=755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "veza-test", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this container may not mount")
    try:
        (tmp_path / "full").write_bytes(b"x" * 1000 * 1024)
        for number in range(8):
            (tmp_path / f"file-{number}").touch()
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        storage = StorageProbe([shell], str(tmp_path), "root")
        access = storage.access()
        assert "is mounted read-only" in str(access)
        assert access.placeholders() == {"read_only_mount_point": str(tmp_path)}
        assert not storage.space().is_at_least(Amount.parse("10%")), storage.space()
        assert not storage.inodes().is_at_least(Amount.parse("10%")), storage.inodes()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_files_of_uploads(shell: Shell, uploads: Path) -> None:
    """Files are found in a directory, by name and by suffix; bad ones are named."""
    for name in ("in-dir", "empty", "short", "locked", "closed", "no-file"):
        (uploads / name).mkdir()
    (uploads / "in-dir" / HOSTILE).write_bytes(b"12345")
    (uploads / "in-dir" / "x\nfile 9 0 0 644 gone").touch()
    (uploads / "plain").write_bytes(b"12345")
    (uploads / "-exec").mkdir()
    (uploads / "-exec" / "x").write_bytes(b"12345")
    (uploads / "-print.wav").write_bytes(b"12345")
    (uploads / "suffix.wav").write_bytes(b"12345")
    (uploads / "empty" / "x").touch()
    (uploads / "short" / "x").write_bytes(b"1")
    (uploads / "locked" / "x").write_bytes(b"12345")
    (uploads / "locked" / "x").chmod(0o000)
    (uploads / "closed" / "x").write_bytes(b"12345")
    (uploads / "closed").chmod(0o644)
    os.mkfifo(uploads / "no-file" / "fifo")
    names = ["in-dir", "plain", "-exec", "-print", "suffix", "empty", "short"]
    names += ["locked", "closed", "no-file", "gone", "suff"]
    subjects = tuple(Subject(name, size=5) for name in names)
    storage = StorageProbe([shell], str(uploads), me())
    assert storage.files(subjects).bad == ("no-file", "gone", "suff")
    assert storage.readable_files(subjects).bad == ("locked", "closed")
    assert storage.whole_files(subjects).bad == ("empty", "short")
    assert "empty (0 bytes of 5), short (1 byte of 5)" in str(storage.whole_files(subjects))
    with pytest.raises(Unreachable, match="no stuck upload has a file"):
        storage.whole_files((Subject("gone"),))
    (uploads / "closed").chmod(0o755)


@pytest.mark.parametrize("name", ["{id}.part", "{id}/x.wav.CRDOWNLOAD", "{id}/.x.wav.Ab12Cd"])
def test_a_file_that_is_still_written_to_is_neither_there_nor_lost(
    shell: Shell, uploads: Path, name: str
) -> None:
    """Its size tells whether it is whole, where one is recorded."""
    for upload in ("17", "18"):
        path = uploads / name.format(id=upload)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
    (uploads / "19.wav").write_bytes(b"12345")
    storage = StorageProbe([shell], str(uploads), me())
    unknown = (Subject("17"), Subject("18"))
    for ask in (storage.files, storage.whole_files):
        with pytest.raises(Unreachable, match="still written to: 17, 18"):
            ask(unknown)
    sized = (Subject("17", size=5), Subject("18", size=6))
    with pytest.raises(Unreachable, match="still written to: 17, 18"):
        storage.files(sized)
    assert storage.whole_files(sized).bad == ("18",)
    files = storage.files((*unknown, Subject("19"), Subject("20")))
    assert files.bad == ("20",), "the others are judged"
    assert "1 of 2 uploads has no file: 20" in str(files)
    assert len(storage.whole_files((*unknown, Subject("19"))).files) == 1


@pytest.mark.parametrize("upload", ["../x", "a b", "a\nb", "", "a" * 65, "$(id)"])
def test_an_invalid_upload_id_is_refused(upload: str, uploads: Path) -> None:
    """An invalid id never reaches a shell."""
    storage = StorageProbe([Shell("local://", timeout=PATIENCE)], str(uploads), "root")
    with pytest.raises(Unreachable, match="is not a valid upload id"):
        storage.files((Subject(upload),))


def me() -> str:
    """Return the name of the user who runs the tests."""
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("place", ["2026/11/{id}.orig.wav", "ab/cd/{id}/source.wav", "u1/{id}"])
@pytest.mark.parametrize(
    "upload", ["17", "7f9c2b1e-0d4a-4c58-9e6f-3a1b5d7c8e90", "-V1StGXR8_Z5jdHi6B-my"]
)
def test_files_in_folders_are_found(shell: Shell, uploads: Path, place: str, upload: str) -> None:
    """Files are found in folders of a date, of a part of the id, or of a user."""
    path = uploads / place.format(id=upload)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"12345")
    storage = StorageProbe([shell], str(uploads), me())
    files = storage.files((Subject(upload, size=5), Subject("gone-17")))
    assert files.bad == ("gone-17",), files
    assert storage.whole_files((Subject(upload, size=5),)).all_good


def test_unknown_names_of_files_are_no_loss(shell: Shell, uploads: Path) -> None:
    """Where not even a finished upload has a file with its id, how files are named is unknown."""
    (uploads / "b7").mkdir()
    (uploads / "b7" / "e3f0-content-hash").write_bytes(b"12345")
    stuck = (Subject("17"),)

    def probe() -> StorageProbe:
        return StorageProbe([shell], str(uploads), me(), lambda: (Subject("16", size=5),))

    with pytest.raises(Unreachable, match="not even that of an upload that finished"):
        probe().files(stuck)
    # A file that is still written to has the id, and gets another name.
    (uploads / "b7" / "18.part").write_bytes(b"12")
    with pytest.raises(Unreachable, match="not even that of an upload that finished"):
        probe().files((*stuck, Subject("18")))
    # What a worker has made of an upload has its id, and another size.
    (uploads / "b7" / "16.mp3").write_bytes(b"123")
    with pytest.raises(Unreachable, match="not even that of an upload that finished"):
        probe().files(stuck)
    (uploads / "b7" / "16.wav").write_bytes(b"12345")
    assert probe().files(stuck).bad == ("17",)


def test_empty_directory_has_lost_the_files(shell: Shell, uploads: Path) -> None:
    """In an empty directory, as of a file system that is not mounted, all files are missing."""
    storage = StorageProbe([shell], str(uploads), me(), lambda: (Subject("16", size=5),))
    assert storage.files((Subject("17"),)).bad == ("17",)
