"""A runbook document as frozen values."""
