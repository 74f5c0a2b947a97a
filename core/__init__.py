"""Code that fixtures and reports share; the standard library alone."""
