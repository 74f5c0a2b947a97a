"""Run one corrective action of a report, with rights of its own, and verify it.

Nothing of the checks and the reports imports this package: they only read.
"""
