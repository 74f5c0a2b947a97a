"""The WAV file that the canary sends."""

from __future__ import annotations

import io
import wave

import pytest

from fixtures.probes.canary.audio import SECONDS, wav


def test_the_file_is_a_valid_wav() -> None:
    """The standard library reads it: mono, 16 bits, one second, not silent."""
    with wave.open(io.BytesIO(wav("veza-canary-1", "a comment of odd length"))) as audio:
        assert (audio.getnchannels(), audio.getsampwidth()) == (1, 2)
        assert audio.getnframes() / audio.getframerate() == SECONDS
        assert any(audio.readframes(audio.getnframes()))


@pytest.mark.parametrize("title", ["veza-canary-1", "veza-canary-12"])
def test_the_file_has_a_title_and_a_comment(title: str) -> None:
    """Its RIFF metadata has both, and the length in its header is right."""
    data = wav(title, "synthetic")
    assert b"INAM" in data
    assert title.encode() in data
    assert b"synthetic" in data
    assert int.from_bytes(data[4:8], "little") + 8 == len(data)
