"""The one exception whose message is meant for the person at the keyboard."""


class LabError(Exception):
    """Something the lab needs is not there, or did not come up: one sentence, with the remedy."""
