"""Judges a multivariant playlist and all below it: RFC 8216bis, and Apple's HLS Authoring Specification."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from validators.finding import Finding, Read, Report, resolve
from validators.hls_media import Media, Pictures, check_captions, check_media, check_pictures, load
from validators.playlist import Attributes, Playlist, attributes
from validators.rates import average, peak

_TOLERANCE = 0.1
"""Apple: what is measured lies within 10 % of what is declared."""
_MOST_FRAMES = 60
_APPLE = "Apple HLS authoring"


@dataclass(slots=True)
class Presentation:
    """What a multivariant playlist leads to."""

    variants: list[tuple[Attributes, Media]] = field(default_factory=list)
    groups: dict[tuple[str, str], list[Attributes]] = field(default_factory=dict)
    sounds: dict[str, list[Media]] = field(default_factory=dict)
    pictures: list[tuple[Attributes, Pictures]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)

    @property
    def videos(self) -> list[Media]:
        return [media for _, media in self.variants if media.facts.header.handler == "vide"]

    @property
    def media(self) -> list[Media]:
        return [media for _, media in self.variants] + [media for group in self.sounds.values() for media in group]


def check_hls(read: Read, master: str) -> tuple[Presentation, list[Finding]]:
    found = Presentation()
    playlist, report = load(read, master)
    if playlist is None:
        return found, report.findings
    version = playlist.number("EXT-X-VERSION")
    report.check(version >= 6, "RFC 8216bis 8", f"EXT-X-VERSION is {version}, EXT-X-MAP needs 6")
    independent = playlist.value("EXT-X-INDEPENDENT-SEGMENTS") is not None
    report.check(independent, "RFC 8216bis 4.4.2.1", "no EXT-X-INDEPENDENT-SEGMENTS")
    findings = report.findings
    findings += _load_variants(read, master, playlist, report, found)
    findings += _load_groups(read, master, playlist, report, found)
    findings += _load_pictures(read, master, playlist, report, found)
    for told, media in found.variants:
        _check_variant(report, told, media, found)
    for (kind, name), members in found.groups.items():
        _check_group(report, kind, name, members)
    _check_side_by_side(report, found)
    _check_pictures(report, found)
    return found, findings


def _load_variants(
    read: Read, master: str, playlist: Playlist, report: Report, found: Presentation
) -> Iterable[Finding]:
    findings: list[Finding] = []
    variants = [entry for entry in playlist.entries if "EXT-X-STREAM-INF" in entry.tags]
    report.check(variants, "RFC 8216bis 4.4.6.2", "no variants")
    report.check(len(variants) == len(playlist.entries), "RFC 8216bis 4.4.6.2", "an address without EXT-X-STREAM-INF")
    for entry in variants:
        media, more = check_media(read, resolve(master, entry.uri))
        findings += more
        told = attributes(report, "EXT-X-STREAM-INF", entry.tags["EXT-X-STREAM-INF"])
        if media:
            found.variants.append((told, media))
    names = [entry.uri for entry in variants]
    report.check(len(set(names)) == len(names), "RFC 8216bis 4.4.6.2", "two variants are one playlist")
    return findings


def _load_groups(read: Read, master: str, playlist: Playlist, report: Report, found: Presentation) -> list[Finding]:
    findings: list[Finding] = []
    length_s = max((media.facts.duration_s for _, media in found.variants), default=Fraction(0))
    for text in playlist.values("EXT-X-MEDIA"):
        told = attributes(report, "EXT-X-MEDIA", text)
        kind, group, uri = told.get("TYPE", ""), told.get("GROUP-ID", ""), told.get("URI")
        known = kind in ("AUDIO", "SUBTITLES")
        report.check(known and group, "RFC 8216bis 4.4.6.1", f"EXT-X-MEDIA of type {kind!r} in group {group!r}")
        report.check(told.get("NAME"), "RFC 8216bis 4.4.6.1", "EXT-X-MEDIA without a NAME")
        found.groups.setdefault((kind, group), []).append(told)
        if not report.check(uri, "RFC 8216bis 4.4.6.1", f"{kind} {told.get('NAME')} has no URI") or uri is None:
            continue
        name = resolve(master, uri)
        if kind == "SUBTITLES":
            report.check(told.get("LANGUAGE"), _APPLE, f"the captions {told.get('NAME')} have no LANGUAGE")
            findings += check_captions(read, name, length_s)
            found.captions.append(name)
        elif kind == "AUDIO":
            media, more = check_media(read, name)
            findings += more
            if media:
                found.sounds.setdefault(group, []).append(media)
                channels, true = told.get("CHANNELS", ""), media.facts.header.channels
                what = f"{name}: CHANNELS is {channels!r}, the sound has {true}"
                report.check(channels.split("/")[0] == str(true), "RFC 8216bis 4.4.6.1", what)
    return findings


def _load_pictures(read: Read, master: str, playlist: Playlist, report: Report, found: Presentation) -> list[Finding]:
    findings: list[Finding] = []
    for text in playlist.values("EXT-X-I-FRAME-STREAM-INF"):
        told = attributes(report, "EXT-X-I-FRAME-STREAM-INF", text)
        uri = told.get("URI")
        if report.check(uri, "RFC 8216bis 4.4.6.3", "EXT-X-I-FRAME-STREAM-INF without a URI") and uri:
            pictures, more = check_pictures(read, resolve(master, uri), found.videos)
            findings += more
            if pictures:
                found.pictures.append((told, pictures))
    return findings


def _check_variant(report: Report, told: Attributes, media: Media, found: Presentation) -> None:
    head, name = media.facts.header, media.name
    heard = found.sounds.get(told.get("AUDIO", ""), [])
    for kind in ("AUDIO", "SUBTITLES"):
        there = {group for each, group in found.groups if each == kind}
        group = told.get(kind)
        named = (group is None and not there) or group in there
        report.check(named, "RFC 8216bis 4.4.6.2", f"{name} names the {kind} group {group}, there are {sorted(there)}")
    codecs = set(told.get("CODECS", "").replace(" ", "").split(","))
    needed = {head.codec} | {sound.facts.header.codec for sound in heard}
    optional = {"wvtt"} if told.get("SUBTITLES") else set()
    what = f"{name}: CODECS is {sorted(codecs)}, the bytes say {sorted(needed)}"
    report.check(codecs - optional == needed, "RFC 8216bis 4.4.6.2", what)
    _check_rates(report, told, media, heard)
    if head.handler == "vide":
        _check_picture_attributes(report, told, media)


def _check_picture_attributes(report: Report, told: Attributes, media: Media) -> None:
    head, name = media.facts.header, media.name
    size = f"{head.width}x{head.height}"
    report.check(told.get("RESOLUTION") == size, "RFC 8216bis 4.4.6.2", f"{name}: RESOLUTION is not {size}")
    none = told.get("CLOSED-CAPTIONS") == "NONE"
    report.check(none, "RFC 8216bis 4.4.6.2", f"{name}: CLOSED-CAPTIONS is not NONE")
    rate_text = told.get("FRAME-RATE", "")
    if not report.check(re.fullmatch(r"\d+(\.\d+)?", rate_text), _APPLE, f"{name}: no FRAME-RATE"):
        return
    rate, true = float(rate_text), float(media.facts.rate)
    near = abs(rate - true) < 0.0015 if media.facts.even else rate >= 0.98 * true
    report.check(near, "RFC 8216bis 4.4.6.2", f"{name}: FRAME-RATE is {rate}, measured {true:.3f}")
    report.check(rate <= _MOST_FRAMES, _APPLE, f"{name}: FRAME-RATE is {rate}, above {_MOST_FRAMES}")


def _check_rates(report: Report, told: Attributes, media: Media, heard: list[Media]) -> None:
    """The largest of what any choice of sound adds counts (4.4.6.2)."""
    mean = average(media.weighed) + max((average(sound.weighed) for sound in heard), default=0)
    most = peak(media.weighed) + max((peak(sound.weighed) for sound in heard), default=0)
    for tag, true in (("AVERAGE-BANDWIDTH", mean), ("BANDWIDTH", most)):
        text = told.get(tag, "")
        if report.check(text.isdecimal() and int(text), "RFC 8216bis 4.4.6.2", f"{media.name}: no {tag}"):
            near = abs(int(text) - true) <= _TOLERANCE * int(text)
            report.check(near, _APPLE, f"{media.name}: {tag} is {text}, measured {true:.0f}")
    report.note(most <= 2 * mean, _APPLE, f"{media.name}: its peak is {most / max(1, mean):.1f} times its average")


def _check_group(report: Report, kind: str, group: str, members: list[Attributes]) -> None:
    rule, names = "RFC 8216bis 4.4.6.1.1", [told.get("NAME") for told in members]
    report.check(len(set(names)) == len(names), rule, f"two members of {group} share a NAME: {names}")
    defaults = [told for told in members if told.get("DEFAULT") == "YES"]
    enough = len(defaults) == 1 if kind == "AUDIO" else len(defaults) <= 1
    report.check(enough, rule, f"{len(defaults)} members of the group {group} are DEFAULT")
    for told in members:
        chosen = told.get("DEFAULT") != "YES" or told.get("AUTOSELECT") == "YES"
        report.check(chosen, rule, f"{told.get('NAME')} is DEFAULT without AUTOSELECT")
        forced = told.get("FORCED") is None or kind == "SUBTITLES"
        report.check(forced, rule, f"{told.get('NAME')} is FORCED and no subtitles")


def _check_side_by_side(report: Report, found: Presentation) -> None:
    """Segments begin at the same times in all renditions of the pictures (6.2.4), and everything at zero."""
    videos = found.videos
    for other in videos[1:]:
        first = videos[0].facts
        half = min(first.frame_s, other.facts.frame_s) / 2
        ours, theirs = first.starts_s, other.facts.starts_s
        what = f"{other.name} has {len(theirs)} segments, {videos[0].name} {len(ours)}"
        if report.check(len(ours) == len(theirs), "RFC 8216bis 6.2.4", what):
            off = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
            what = f"segments of {other.name} begin up to {float(off)} s off those of {videos[0].name}"
            report.check(off <= half, "RFC 8216bis 6.2.4", what)
    starts = [(media.facts.starts_s[0], media.facts.frame_s) for media in found.media]
    if starts:
        first_s, frame_s = min(starts)
        report.check(first_s <= frame_s, "RFC 8216bis 6.2.4", f"nothing begins before {float(first_s)} s")


def _check_pictures(report: Report, found: Presentation) -> None:
    uris = [told.get("URI") for told, _ in found.pictures]
    report.check(len(set(uris)) == len(uris), "RFC 8216bis 4.4.6.3", f"I-frame playlists share an address: {uris}")
    there = {pictures.init: (told, pictures) for told, pictures in found.pictures}
    for video in found.videos:
        pair = there.get(video.facts.init)
        if not report.check(pair, _APPLE, f"{video.name} has no I-frame playlist") or pair is None:
            continue
        told, pictures = pair
        head = video.facts.header
        right = (told.get("CODECS"), told.get("RESOLUTION")) == (head.codec, f"{head.width}x{head.height}")
        report.check(right, "RFC 8216bis 4.4.6.3", f"{told.get('URI')}: not the codec and size of {video.name}")
        text, true = told.get("BANDWIDTH", ""), peak(pictures.weighed)
        enough = text.isdecimal() and int(text) >= (1 - _TOLERANCE) * true
        report.check(enough, _APPLE, f"{told.get('URI')}: BANDWIDTH is {text}, measured {true:.0f}")
