"""Text, times and sizes as they may come from outside: what passes here can be stored, logged and sent on as it stands."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from clipstream.common.store.names import key_fault

LONGEST_NAME = 100


def _is_control(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
    )


def _printable(text: str) -> str:
    """One line without control characters: no NUL for PostgreSQL, no line breaks for headers and logs, no bidi tricks."""
    if any(_is_control(character) for character in text):
        raise ValueError("must not contain control characters")
    return text


def as_name(text: str) -> str:
    """What of a text from elsewhere can be a `Name`; empty where nothing can."""
    seen = "".join(" " if _is_control(character) else character for character in text[: LONGEST_NAME * 10])
    name = " ".join(seen.split())[:LONGEST_NAME].strip()
    return name if _is_seen(name) else ""


def _is_seen(text: str) -> bool:
    """Letters, numbers, punctuation or symbols: combining marks and zero-width characters alone show nothing."""
    return any(unicodedata.category(character)[0] in "LNPS" for character in text)


def _visible(text: str) -> str:
    """One line with something to be seen in it."""
    if not _is_seen(_printable(text)):
        raise ValueError("must contain something visible")
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


def _prefix(text: str) -> str:
    if reason := key_fault(text.removesuffix("/")):
        raise ValueError(f"the prefix {reason}")
    return text


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_visible)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME), AfterValidator(_visible)
]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_readable)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_visible)]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_distinct)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_printable)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=256), AfterValidator(_printable)]
StorePrefix = Annotated[
    str, StringConstraints(min_length=1, max_length=512), AfterValidator(_printable), AfterValidator(_prefix)
]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=512)]
SignedToken = Annotated[str, StringConstraints(min_length=1, max_length=32_768)]  # its reader bounds it further
Subject = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,255}$")]  # OpenID Connect Core 2: ASCII, 255 at most
Email = Annotated[str, StringConstraints(pattern=r'^[^\s@<>"]{1,64}@[A-Za-z0-9.-]{1,253}$'), AfterValidator(_printable)]
PictureUrl = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9._~:/?#@!$&()*+,;=%-]*$"),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Without "+": what ends in "+xml" is a page to browsers, and stores send a file as what its uploader called it.
MediaType = Annotated[str, StringConstraints(pattern=r"^((video|audio)/[A-Za-z0-9.-]{1,60}|application/octet-stream)$")]
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
