"""Values of the command line that are refused before anything runs."""

from __future__ import annotations

import pytest

from fixtures.subjects import upload_id


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "x' OR '1'='1", "two\nlines", "ids\n", "é", "-x", "x" * 10_000]
)
def test_what_cannot_be_an_upload_id_is_refused(text: str) -> None:
    """One short line repeats it in ASCII and says what an id is made of."""
    with pytest.raises(
        pytest.UsageError, match="is not an upload ID: write 1 to 64 letters"
    ) as refused:
        upload_id(text)
    sentence = str(refused.value)
    assert len(sentence) < 220
    assert sentence.isascii()
    assert sentence.isprintable()


@pytest.mark.parametrize("text", ["7f9c", "x" * 64, "2c1e-4_b"])
def test_an_upload_id_is_taken_as_it_is(text: str) -> None:
    """Letters, digits, dashes and underscores, 64 at most."""
    assert upload_id(text) == text
