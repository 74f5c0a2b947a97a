"""POSIX permissions of a user."""

from __future__ import annotations

import pytest

from fixtures.probes.host.permissions import EXECUTE, READ, WRITE, Permissions, User

VEZA = User("veza", 1000, (1000, 27))
ROOT = User("root", 0, (0,))


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "requested", "allowed"),
    [
        (1000, 1, 0o700, WRITE | EXECUTE, True),
        (1000, 1, 0o600, EXECUTE, False),
        (1, 27, 0o070, READ | WRITE, True),
        (1, 1, 0o005, READ | EXECUTE, True),
        (1, 1, 0o005, WRITE, False),
        (1000, 1, 0o077, READ, False),
        (1, 1000, 0o707, READ, False),
        (1000, 1, 0o4755, WRITE | EXECUTE, True),
    ],
)
def test_one_class_counts(uid: int, gid: int, mode: int, requested: int, allowed: bool) -> None:
    """The owner's bits apply to the owner, the group's to its members, the others' to the rest."""
    assert Permissions(uid, gid, mode).allow(VEZA, requested) is allowed


def test_root_needs_the_bits() -> None:
    """Root has no more than the bits allow: its capability may be dropped."""
    assert not Permissions(0, 0, 0o555).allow(ROOT, WRITE)
