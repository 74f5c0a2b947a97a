"""One renderer a format: a pure function of a Report."""
