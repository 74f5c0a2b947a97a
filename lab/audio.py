"""Make and decode small WAV files."""

from __future__ import annotations

import array
import hashlib
import io
import math
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FRAMES_PER_CHUNK = 2048


class NotAudioError(Exception):
    """The file cannot be decoded: the user sent a file that is not audio."""


@dataclass(frozen=True)
class Analysis:
    """The properties of a track that was read to its end."""

    seconds: float
    peak: float
    """Largest amplitude, 0 to 1."""
    sha256: str


def tone(seconds: float = 0.6, pitch: float = 440.0, rate: int = 8000) -> bytes:
    """Return a mono 16-bit WAV file with a sine tone, about 16 kB a second."""
    step = 2 * math.pi * pitch / rate
    samples = array.array(
        "h", (int(12000 * math.sin(step * i)) for i in range(int(seconds * rate)))
    )
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


class Track:
    """An open 16-bit WAV file; a context manager.

    Raises NotAudioError when the file is not one, OSError when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._raw = path.open("rb")
        try:
            self._wave = wave.open(self._raw, "rb")  # noqa: SIM115 - closed with the track
            self.rate, width = self._wave.getframerate(), self._wave.getsampwidth()
        except (wave.Error, EOFError) as exc:
            self._raw.close()
            raise NotAudioError(
                f"not a RIFF/WAVE file: {exc or 'the file ends too early'}"
            ) from exc
        if width != 2 or self.rate == 0:
            self._raw.close()
            raise NotAudioError(f"{8 * width}-bit samples at {self.rate} Hz are not supported")

    def __enter__(self) -> Track:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def analyse(self, on_progress: Callable[[float], None]) -> Analysis:
        """Read every frame and return the track's properties.

        Calls `on_progress` after each chunk with the share that is read, 0 to 1. An exception that
        it raises stops the reading.
        """
        digest = hashlib.sha256()
        total, done, peak = self._wave.getnframes(), 0, 0
        while frames := self._wave.readframes(FRAMES_PER_CHUNK):
            digest.update(frames)
            samples = array.array("h", frames[: len(frames) // 2 * 2])
            peak = max(peak, max(map(abs, samples), default=0))
            done += FRAMES_PER_CHUNK
            on_progress(min(1.0, done / max(total, 1)))
        return Analysis(total / self.rate, peak / 32768, digest.hexdigest())
