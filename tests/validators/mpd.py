"""Reads an MPD (ISO/IEC 23009-1) as far as this project's outputs use it: templates with a timeline, and plain files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from validators.finding import Report, resolve

NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


@dataclass(frozen=True, slots=True)
class Slot:
    """One S of a timeline, in the template's timescale, and the file it names."""

    number: int
    start: int
    duration: int
    file: str


def elements(parent: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return parent.findall(NAMESPACE + name)


def duration(text: str | None) -> Fraction | None:
    """xs:duration without years and months."""
    match = _DURATION.fullmatch(text or "")
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, rest = (Fraction(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def base(*parents: ElementTree.Element) -> str:
    """The address that the outermost to the innermost BaseURL lead to (5.6)."""
    place = ""
    for parent in parents:
        for found in elements(parent, "BaseURL")[:1]:
            place = resolve(place, (found.text or "").strip()) + (
                "/" if (found.text or "").strip().endswith("/") else ""
            )
    return place


def template(*parents: ElementTree.Element) -> ElementTree.Element | None:
    """The innermost SegmentTemplate."""
    found = [one for parent in parents for one in elements(parent, "SegmentTemplate")]
    return found[-1] if found else None


def fill(report: Report, pattern: str, values: dict[str, int | str]) -> str:
    """The substitutions of 5.3.9.4.4."""

    def one(match: re.Match[str]) -> str:
        name, width = match[1], match[2]
        if not name:
            return "$"
        if name not in values:
            report.check(False, "ISO/IEC 23009-1 5.3.9.4.4", f"${name}$ means nothing")
            return ""
        return f"{int(values[name]):0{width}d}" if width else str(values[name])

    return re.sub(r"\$(?:(\w+)(?:%0(\d+)d)?)?\$", one, pattern)


def slots(
    report: Report, segments: ElementTree.Element, representation: ElementTree.Element, place: str
) -> Iterator[Slot]:
    """The timeline, expanded (5.3.9.6). Holes and overlaps are reported."""
    number, time = int(segments.get("startNumber", "1")), 0
    known: dict[str, int | str] = {
        "RepresentationID": representation.get("id", ""),
        "Bandwidth": representation.get("bandwidth", ""),
    }
    first = True
    for timeline in elements(segments, "SegmentTimeline"):
        for one in elements(timeline, "S"):
            start, length, again = int(one.get("t", time)), int(one.get("d", "0")), int(one.get("r", "0"))
            report.check(length > 0 and again >= 0, "ISO/IEC 23009-1 5.3.9.6.2", f"S with d={length} r={again}")
            what = f"the timeline has a hole or overlap at {time}, going on at {start}"
            report.check(first or start == time, "ISO/IEC 23009-1 5.3.9.6", what)
            time, first = start, False
            for _ in range(again + 1):
                file = fill(report, segments.get("media", ""), known | {"Number": number, "Time": time})
                yield Slot(number, time, length, resolve(place, file))
                time, number = time + length, number + 1
