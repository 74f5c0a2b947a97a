"""Outcomes in, one report out; and report.json read back."""
