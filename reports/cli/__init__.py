"""`python -m reports`."""
