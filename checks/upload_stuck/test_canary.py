"""The canary: a small upload of our own, from end to end. It writes, so it runs with --canary only.

It belongs to verification 1: what the API tells its user.
"""


def test_upload_is_accepted(canary):
    """The API accepts a small valid audio file."""
    answer = canary.acceptance()
    assert answer.accepted, answer


def test_upload_leaves_uploading(canary):
    """The canary leaves uploading within its deadline."""
    journey = canary.departure()
    assert journey.left, journey


def test_upload_completes(canary):
    """The canary completes within its deadline."""
    journey = canary.completion()
    assert journey.completed, journey


def test_track_is_served(canary):
    """The completed canary's track is served, and is the one that was sent."""
    track = canary.track()
    assert track.right, track


def test_canary_is_removed(canary):
    """The canary is removed, and so is what killed runs left behind."""
    removal = canary.removal()
    assert removal.clean, removal
