"""Judges media playlists and I-frame playlists (RFC 8216bis, 4.4) against the boxes that they name."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from validators.boxes import TrackFacts, check_track
from validators.finding import Finding, Read, Report, resolve
from validators.isobmff import Fragment
from validators.playlist import Playlist, attributes, byte_range, read_playlist, seconds
from validators.rates import Weighed, rounded
from validators.webvtt import check_webvtt

_PRECISION = Fraction(1, 1_000_000)
"""What is left of a duration that is written with six decimals."""


@dataclass(frozen=True, slots=True)
class Media:
    """A media playlist and the track behind it."""

    name: str
    facts: TrackFacts

    @property
    def weighed(self) -> Weighed:
        scale = self.facts.header.timescale
        return [(Fraction(file.duration, scale), file.size) for file in self.facts.files]


def load(read: Read, name: str) -> tuple[Playlist | None, Report]:
    report = Report(name)
    try:
        return read_playlist(report, read(name)), report
    except FileNotFoundError:
        report.check(False, "RFC 8216bis 4.4.6", "the playlist is missing")
        return None, report


def check_media(read: Read, name: str) -> tuple[Media | None, list[Finding]]:
    """A playlist of video or sound. No media where its track cannot be read."""
    playlist, report = load(read, name)
    if playlist is None:
        return None, report.findings
    _check_common(report, playlist, version=6)
    report.check(playlist.value("EXT-X-I-FRAMES-ONLY") is None, "RFC 8216bis 4.4.3.6", "I-frames in a media playlist")
    init = _map(report, playlist, name)
    if init is None:
        return None, report.findings
    names = [resolve(name, entry.uri) for entry in playlist.entries]
    report.check(len(set(names)) == len(names), "RFC 8216bis 4.4.4", "a segment is named twice")
    facts, findings = check_track(read, init, names)
    if facts is None:
        return None, report.findings + findings
    tick = max(Fraction(1, facts.header.timescale), _PRECISION)
    for entry, file in zip(playlist.entries, facts.files, strict=True):
        told, true = seconds(entry.tags.get("EXTINF", "")), Fraction(file.duration, facts.header.timescale)
        what = f"{entry.uri}: EXTINF says {float(told)}, its samples last {float(true)} s"
        report.check(abs(told - true) <= tick, "RFC 8216bis 4.4.4.1", what)
    return Media(name, facts), report.findings + findings


def _check_common(report: Report, playlist: Playlist, *, version: int) -> None:
    """What every finished or growing playlist has. `version` is the least its tags need (RFC 8216bis 8)."""
    report.check(
        playlist.number("EXT-X-VERSION") >= version, "RFC 8216bis 8", f"EXT-X-VERSION is not {version} or more"
    )
    report.check(playlist.entries, "RFC 8216bis 4.4.4", "no segments")
    target = playlist.number("EXT-X-TARGETDURATION")
    report.check(target > 0, "RFC 8216bis 4.4.3.1", "no EXT-X-TARGETDURATION")
    for entry in playlist.entries:
        duration = seconds(entry.tags.get("EXTINF", ""))
        report.check(duration > 0, "RFC 8216bis 4.4.4.1", f"{entry.uri} has no EXTINF")
        long = rounded(duration) > target
        report.check(not long, "RFC 8216bis 4.4.3.1", f"{entry.uri} lasts {float(duration)} s, the target is {target}")
        report.check("EXT-X-DISCONTINUITY" not in entry.tags, "Apple HLS authoring", f"a discontinuity at {entry.uri}")
    kind, ended = playlist.value("EXT-X-PLAYLIST-TYPE"), playlist.value("EXT-X-ENDLIST") is not None
    report.check(kind in ("VOD", "EVENT"), "RFC 8216bis 4.4.3.5", f"the playlist's type is {kind}")
    report.check(ended or kind == "EVENT", "RFC 8216bis 4.4.3.4", "a VOD playlist without EXT-X-ENDLIST")


def _map(report: Report, playlist: Playlist, name: str) -> str | None:
    """The one initialisation segment, in front of all others (4.4.4.5)."""
    maps = playlist.values("EXT-X-MAP")
    what = f"{len(maps)} EXT-X-MAP, not one before the first segment"
    first = bool(playlist.entries) and "EXT-X-MAP" in playlist.entries[0].tags
    if not report.check(len(maps) == 1 and first, "RFC 8216bis 4.4.4.5", what):
        return None
    uri = attributes(report, "EXT-X-MAP", maps[0]).get("URI")
    report.check(uri, "RFC 8216bis 4.4.4.5", "EXT-X-MAP has no URI")
    return resolve(name, uri) if uri else None


@dataclass(frozen=True, slots=True)
class Pictures:
    """An I-frame playlist: the initialisation segment it is played with, and what its pictures weigh."""

    init: str
    weighed: Weighed


def check_pictures(read: Read, name: str, videos: list[Media]) -> tuple[Pictures | None, list[Finding]]:
    """An I-frame playlist (4.4.3.6): its ranges are the beginnings of the fragments of one of `videos`."""
    playlist, report = load(read, name)
    if playlist is None:
        return None, report.findings
    _check_common(report, playlist, version=5)
    only = playlist.value("EXT-X-I-FRAMES-ONLY") is not None
    report.check(only, "RFC 8216bis 4.4.3.6", "an I-frame playlist without EXT-X-I-FRAMES-ONLY")
    init = _map(report, playlist, name)
    video = next((video for video in videos if video.facts.init == init), None)
    if init is None or not report.check(video, "RFC 8216bis 4.4.6.3", f"its header {init} is of no video here"):
        return None, report.findings
    assert video is not None
    expected = _beginnings(video.facts)
    found = []
    for entry in playlist.entries:
        place = byte_range(entry.tags.get("EXT-X-BYTERANGE", ""))
        if report.check(place, "RFC 8216bis 4.4.4.2", f"{entry.uri} has no EXT-X-BYTERANGE of length@offset"):
            assert place is not None
            found.append((resolve(name, entry.uri), *place, seconds(entry.tags.get("EXTINF", ""))))
    _check_ranges(report, found, expected)
    return Pictures(init, [(duration, length) for _, length, _, duration in found]), report.findings


_Range = tuple[str, int, int, Fraction]
"""(file, length, offset, seconds)."""


def _beginnings(facts: TrackFacts) -> list[_Range]:
    """The range of every fragment's moof and first sample, shown until the next one."""
    parts = [(file, part) for file in facts.files for part in file.fragments]
    starts = [part.samples[0].shown for _, part in parts]
    last = parts[-1][1]
    ends = [*starts[1:], last.start + last.duration]
    return [
        (file.name, _length(part), part.moof.offset, Fraction(end - start, facts.header.timescale))
        for (file, part), start, end in zip(parts, starts, ends, strict=True)
    ]


def _length(part: Fragment) -> int:
    first = part.samples[0]
    return first.offset + first.size - part.moof.offset


def _check_ranges(report: Report, found: list[_Range], expected: list[_Range]) -> None:
    rule = "RFC 8216bis 4.4.3.6"
    by_place = {(name, offset): (length, duration) for name, length, offset, duration in expected}
    for name, length, offset, duration in found:
        true = by_place.pop((name, offset), None)
        if not report.check(true, rule, f"no fragment begins at byte {offset} of {name}"):
            continue
        assert true is not None
        what = f"{length} bytes at {offset} of {name}, its moof and first sample take {true[0]}"
        report.check(length == true[0], rule, what)
        what = f"the picture at {offset} of {name} lasts {float(duration)} s, the next one comes after {float(true[1])}"
        report.check(abs(duration - true[1]) <= Fraction(1, 1000), rule, what)
    for name, offset in by_place:
        report.check(False, rule, f"the picture at byte {offset} of {name} is left out")


def check_captions(read: Read, name: str, length_s: Fraction) -> list[Finding]:
    """A subtitles playlist: WebVTT segments as long as the pictures."""
    playlist, report = load(read, name)
    if playlist is None:
        return report.findings
    _check_common(report, playlist, version=3)
    findings = report.findings
    for entry in playlist.entries:
        file = resolve(name, entry.uri)
        try:
            findings += check_webvtt(file, read(file), segment=True)
        except FileNotFoundError:
            report.check(False, "RFC 8216bis 4.4.4.1", f"{file} is missing")
    told = sum(seconds(entry.tags.get("EXTINF", "")) for entry in playlist.entries)
    what = f"captions of {float(told)} s for pictures of {float(length_s)} s"
    report.check(abs(told - length_s) <= 1, "RFC 8216bis 6.2.4", what)
    return findings
