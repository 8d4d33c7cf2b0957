"""Text, times and sizes as they may come from outside: what passes here can be stored, logged and sent on as it stands."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints


def _printable(text: str) -> str:
    """One line without control characters: no NUL for PostgreSQL, no line breaks for headers and logs, no bidi tricks."""
    if any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
        for character in text
    ):
        raise ValueError("must not contain control characters")
    return text


def _readable(text: str) -> str:
    """Several lines, but nothing that PostgreSQL or a terminal would choke on."""
    for line in text.split("\n"):
        _printable(line.rstrip("\r").replace("\t", " "))
    return text


def _distinct(tags: list[str]) -> list[str]:
    """Each tag once, however it is capitalised, as it was written first."""
    kept: dict[str, str] = {}
    for tag in (" ".join(tag.split()) for tag in tags):
        kept.setdefault(tag.casefold(), tag)
    return list(kept.values())


def _plausible(time: datetime) -> datetime:
    if not 1970 <= time.year <= 2200:
        raise ValueError("must be between 1970 and 2200")
    return time.astimezone(UTC)


Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)
]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_readable)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_printable)]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_distinct)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_printable)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=256), AfterValidator(_printable)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
MediaType = Annotated[
    str, StringConstraints(pattern=r"^((video|audio)/[A-Za-z0-9.+-]{1,60}|application/octet-stream)$")
]
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
