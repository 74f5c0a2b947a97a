"""The hosts that the target names."""


def test_host_is_reachable(hosts, host_spec):
    """The host runs a command within its time limit."""
    reach = hosts.reach(host_spec)
    assert reach.ok, reach


def test_a_server_answers(network):
    """A server of the target answers this machine, be it with a refused connection."""
    servers = network.look()
    assert servers.is_there, servers
