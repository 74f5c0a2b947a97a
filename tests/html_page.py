"""An HTML page as a test reads it, and what it must not contain."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "hr", "input", "wbr"}
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)> \" ' & </style> {{ 7*7 }} \u202e"
"""A text that would do harm in a page that does not escape it."""

TAGS = """
    a b body button circle code dd defs details div dl dt ellipse figcaption figure footer h1 h2 h3
    h4 head header html input li line main mark meta nav noscript ol p path polyline pre rect script
    section small span strong style summary svg symbol table tbody td text th thead time title tr ul
    use wbr
"""


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.codes: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "code":
            self.codes.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)
        if "code" in self.open:
            self.codes[-1] += data

    @property
    def text(self) -> str:
        """The words of the page, one space between them."""
        return " ".join("".join(self.words).split())

    def values(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [value for key, value in self.attributes if key == name]


def harmless(page: Page, links: str = "#.*") -> None:
    """Fail unless every element, attribute and link is one that the template writes.

    `links` is a regular expression for those that lead out of the page.
    """
    assert not page.open
    assert set(page.tags) <= set(TAGS.split())
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all(re.fullmatch(f"#.*|{links}", link) for link in page.values("href"))
