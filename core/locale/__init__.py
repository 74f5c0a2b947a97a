"""The catalogues, one folder a language, and what is extracted for them."""
