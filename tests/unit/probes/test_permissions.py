"""Bits give and refuse as POSIX says."""

from __future__ import annotations

import pytest

from fixtures.probes.host.permissions import EXECUTE, READ, WRITE, Bits, User

VEZA = User("veza", 1000, (1000, 27))
ROOT = User("root", 0, (0,))


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "wanted", "given"),
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
def test_one_class_counts(uid: int, gid: int, mode: int, wanted: int, given: bool) -> None:
    """The owner's bits count for the owner alone, the group's for its members, else the others'."""
    assert Bits(uid, gid, mode).allow(VEZA, wanted) is given


def test_root_is_judged_by_the_bits() -> None:
    """Root gets no more than the bits give: what lets it pass them may be taken away."""
    assert not Bits(0, 0, 0o555).allow(ROOT, WRITE)
