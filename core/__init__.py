"""What fixtures and reports both need, once; the standard library alone."""
