"""The runbook document: loading it, and filling its placeholders."""
