"""Reads HLS playlists (RFC 8216bis, 4) into tags and addresses; judges only what cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from validators.finding import Report

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s][^",]*)(?:,|$)')
_ONCE = {
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-ENDLIST",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-I-FRAMES-ONLY",
    "EXT-X-INDEPENDENT-SEGMENTS",
}

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """An address, and the tags that stand before it."""

    uri: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Playlist:
    """`tags` in order, with what stands behind each colon; `entries` are its lines that are addresses."""

    tags: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]

    def values(self, tag: str) -> list[str]:
        return [value for name, value in self.tags if name == tag]

    def value(self, tag: str) -> str | None:
        return next(iter(self.values(tag)), None)

    def number(self, tag: str) -> int:
        """-1 where it is missing or no decimal integer."""
        text = self.value(tag) or ""
        return int(text) if text.isdecimal() else -1


def read_playlist(report: Report, data: bytes) -> Playlist:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        report.check(False, "RFC 8216bis 4", "the playlist is not UTF-8")
    lines = text.split("\n")
    report.check(lines[0].rstrip("\r") == "#EXTM3U", "RFC 8216bis 4.4.1.1", "the first line is not #EXTM3U")
    tags, entries, before = [], [], {}
    for line in (line.rstrip("\r") for line in lines[1:]):
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            tags.append((name, value))
            before[name] = value
        elif line and not line.startswith("#"):
            entries.append(Entry(line, before))
            before = {}
    names = [name for name, _ in tags]
    for name in _ONCE:
        report.check(names.count(name) <= 1, "RFC 8216bis 4.4", f"{name} stands there more than once")
    return Playlist(tuple(tags), tuple(entries))


def attributes(report: Report, tag: str, text: str) -> Attributes:
    """An attribute list (4.2), quotes taken off."""
    found, place = {}, 0
    while place < len(text):
        match = _ATTRIBUTE.match(text, place)
        if not match:
            report.check(False, "RFC 8216bis 4.2", f"{tag} has no attribute list at {text[place : place + 40]!r}")
            break
        name, value = match.groups()
        report.check(name not in found, "RFC 8216bis 4.2", f"{tag} has {name} twice")
        found[name] = value.strip('"')
        quoted = name in _QUOTED
        report.check(value.startswith('"') == quoted, "RFC 8216bis 4.2", f"{tag}: {name} is wrongly quoted: {value}")
        place = match.end()
    return found


_QUOTED = {
    "URI",
    "BYTERANGE",
    "CODECS",
    "AUDIO",
    "VIDEO",
    "SUBTITLES",
    "GROUP-ID",
    "LANGUAGE",
    "ASSOC-LANGUAGE",
    "NAME",
    "CHANNELS",
    "CHARACTERISTICS",
    "SUPPLEMENTAL-CODECS",
    "STABLE-RENDITION-ID",
    "STABLE-VARIANT-ID",
}


def seconds(text: str) -> Fraction:
    """The duration of an EXTINF; -1 where it is no decimal number."""
    number = text.split(",", 1)[0]
    return Fraction(number) if re.fullmatch(r"\d+(\.\d+)?", number) else Fraction(-1)


def byte_range(text: str) -> tuple[int, int] | None:
    """(length, offset) of an EXT-X-BYTERANGE that names both."""
    match = re.fullmatch(r'"?(\d+)@(\d+)"?', text)
    return (int(match[1]), int(match[2])) if match else None
