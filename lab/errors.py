"""The lab's exception for errors that a person can act on."""


class LabError(Exception):
    """An error of the lab; `str()` is one sentence, with the remedy where there is one."""
