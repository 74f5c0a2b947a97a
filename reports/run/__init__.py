"""The pytest hooks of a run's reports."""
