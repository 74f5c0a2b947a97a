"""The hosts that the target names can be looked at."""


def test_host_is_reachable(hosts, host_spec):
    """The host runs a command in time."""
    reach = hosts.reach(host_spec)
    assert reach.ok, reach
