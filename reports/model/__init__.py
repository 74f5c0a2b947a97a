"""The report: built from outcomes, written to report.json, read back."""
