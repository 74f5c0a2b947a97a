"""The file field of a multipart/form-data body, read while the body arrives."""

from __future__ import annotations

from collections.abc import Iterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header


class NoFileError(Exception):
    """The body has no such file field, or is not multipart/form-data."""


class FormFile:
    """The file in the form field `field`; the fields before and after it are skipped.

    Raises NoFileError. An exception of `body` ends the reading and is passed on.
    """

    def __init__(self, content_type: str, body: Iterator[bytes], field: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise NoFileError("the request is not multipart/form-data")
        self.filename = ""
        self._field = field
        self._body = body
        self._header: list[bytes] = [b"", b""]
        self._is_file = False
        self._was_found = False
        self._chunks: list[bytes] = []
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._on_part_begin,
                "on_header_begin": self._on_header_begin,
                "on_header_field": self._on_header_name,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_part_data": self._on_data,
            },
        )
        while not self._was_found:
            if not self._read():
                raise NoFileError(f"the form has no file in the field {field}")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the file's content as it arrives."""
        while True:
            yield from self._chunks
            self._chunks.clear()
            if not self._read():
                return

    def _read(self) -> bool:
        """Read the next piece of the body; return whether there was one."""
        data = next(self._body, b"")
        try:
            self._parser.write(data)
        except MultipartParseError as exc:
            raise NoFileError(f"the form cannot be read: {exc}") from exc
        return bool(data)

    def _on_part_begin(self) -> None:
        self._is_file = False

    def _on_header_begin(self) -> None:
        self._header = [b"", b""]

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _on_header_end(self) -> None:
        name, value = self._header
        if name.lower() != b"content-disposition":
            return
        _, options = parse_options_header(value)
        if options.get(b"name") == self._field.encode() and b"filename" in options:
            self.filename = options[b"filename"].decode(errors="replace")
            self._is_file = self._was_found = True

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._chunks.append(data[start:end])
