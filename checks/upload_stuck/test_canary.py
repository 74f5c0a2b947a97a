"""The canary: a small upload that this suite sends, follows and removes.

It writes, so its checks run with --canary only. It belongs to verification 1, the upload's status.
"""


def test_upload_is_accepted(canary):
    """The API accepts a small valid audio file."""
    acceptance = canary.acceptance()
    assert acceptance.accepted, acceptance


def test_no_proxy_refuses_the_upload(canary):
    """Neither a proxy before the API nor a limit of size refuses the canary."""
    acceptance = canary.acceptance()
    assert not acceptance.refused_by_proxy, acceptance


def test_upload_leaves_uploading(canary):
    """The canary leaves `uploading` within `canary.deadline`."""
    timeline = canary.departure()
    assert timeline.left_uploading, timeline


def test_upload_completes(canary):
    """The canary reaches `completed` within `canary.deadline`."""
    timeline = canary.completion()
    assert timeline.completed, timeline


def test_track_is_served(canary):
    """The API serves the canary's track, and it matches the file that was sent."""
    track = canary.track()
    assert track.matches, track


def test_canary_is_removed(canary):
    """The canary is removed, and so are canaries that killed runs left."""
    removal = canary.removal()
    assert removal.clean, removal
