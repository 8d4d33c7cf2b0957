"""Judges an MPD and the segments it names: ISO/IEC 23009-1, and DASH-IF's guidelines for interoperable players."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from fractions import Fraction

from validators import mpd
from validators.boxes import TrackFacts, check_track
from validators.finding import Finding, Read, Report, resolve
from validators.rates import average
from validators.webvtt import check_webvtt

_ROLE = "urn:mpeg:dash:role:2011"
_CHANNELS = {
    "urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
    "urn:mpeg:mpegB:cicp:ChannelConfiguration",
}
_RULE = "ISO/IEC 23009-1 5.3.3"


@dataclass(frozen=True, slots=True)
class Described:
    """A Representation and the track behind it."""

    adaptation: ElementTree.Element
    element: ElementTree.Element
    facts: TrackFacts

    def get(self, name: str) -> str | None:
        """An attribute common to both (5.3.7): the inner one counts."""
        return self.element.get(name) or self.adaptation.get(name)


@dataclass(slots=True)
class Manifest:
    """What an MPD leads to."""

    tracks: list[Described]
    adaptations: int = 0
    captions: int = 0


def check_dash(read: Read, name: str) -> tuple[Manifest, list[Finding]]:
    found, report = Manifest([]), Report(name)
    try:
        root = ElementTree.fromstring(read(name))  # noqa: S314 - written by the code under judgement
    except FileNotFoundError:
        report.check(False, "ISO/IEC 23009-1 5.3.1", "the MPD is missing")
        return found, report.findings
    except ElementTree.ParseError as error:
        report.check(False, "ISO/IEC 23009-1 5.3.1", f"no XML: {error}")
        return found, report.findings
    report.check(root.tag == mpd.NAMESPACE + "MPD", "ISO/IEC 23009-1 5.3.1", f"the root is {root.tag}")
    _check_root(report, root)
    periods = mpd.elements(root, "Period")
    if not report.check(len(periods) == 1, "ISO/IEC 23009-1 5.3.2", f"{len(periods)} Periods, not one"):
        return found, report.findings
    findings = report.findings
    adaptations = mpd.elements(periods[0], "AdaptationSet")
    report.check(adaptations, "ISO/IEC 23009-1 5.3.3", "no AdaptationSet")
    for adaptation in adaptations:
        place = mpd.base(root, periods[0], adaptation)
        findings += _check_adaptation(read, report, adaptation, resolve(name, place) if place else name, found)
    found.adaptations = len(adaptations)
    _check_whole(report, root, adaptations, found)
    return found, findings


def _check_root(report: Report, root: ElementTree.Element) -> None:
    rule = "ISO/IEC 23009-1 5.3.1.2"
    report.check(root.get("type", "static") == "static", rule, f"type is {root.get('type')}")
    profiles = root.get("profiles", "").replace(" ", "").split(",")
    live = any(
        profile.startswith(("urn:mpeg:dash:profile:isoff-live:", "urn:mpeg:dash:profile:cmaf:")) for profile in profiles
    )
    report.check(live, rule, f"no profile of segment templates among {profiles}")
    report.check(mpd.duration(root.get("mediaPresentationDuration")), rule, "no mediaPresentationDuration")
    report.check(mpd.duration(root.get("minBufferTime")), rule, "no minBufferTime")


def _check_whole(
    report: Report, root: ElementTree.Element, adaptations: list[ElementTree.Element], found: Manifest
) -> None:
    ids = [track.element.get("id") for track in found.tracks]
    report.check(len(set(ids)) == len(ids), "ISO/IEC 23009-1 5.3.5.2", f"Representations share an id: {ids}")
    sets = [adaptation.get("id") for adaptation in adaptations if adaptation.get("id")]
    report.check(len(set(sets)) == len(sets), "ISO/IEC 23009-1 5.3.3.2", f"AdaptationSets share an id: {sets}")
    told = mpd.duration(root.get("mediaPresentationDuration"))
    ends = [track.facts.starts_s[0] + track.facts.duration_s for track in found.tracks]
    if told is not None and ends:
        off = abs(told - max(ends))
        what = f"mediaPresentationDuration is {float(told)}, the longest track ends at {float(max(ends))}"
        report.check(off <= Fraction(1, 10), "ISO/IEC 23009-1 5.3.1.2", what)
    sounds = [adaptation for adaptation in adaptations if _kind(adaptation) == "audio"]
    if len(sounds) > 1:
        main = [one for one in sounds if "main" in _roles(one)]
        report.check(len(main) == 1, "ISO/IEC 23009-1 5.8.5.5", f"{len(main)} sounds have the role main")
        for one in sounds:
            known = one.get("lang") or mpd.elements(one, "Label")
            report.check(known, _RULE, "one of several sounds has neither lang nor Label")


def _kind(adaptation: ElementTree.Element) -> str:
    inner = mpd.elements(adaptation, "Representation")
    mime = adaptation.get("mimeType") or (inner[0].get("mimeType") if inner else None) or ""
    return mime.partition("/")[0]


def _roles(adaptation: ElementTree.Element) -> list[str]:
    return [role.get("value", "") for role in mpd.elements(adaptation, "Role") if role.get("schemeIdUri") == _ROLE]


def _check_adaptation(
    read: Read, report: Report, adaptation: ElementTree.Element, place: str, found: Manifest
) -> list[Finding]:
    kind, inner = _kind(adaptation), mpd.elements(adaptation, "Representation")
    report.check(inner, _RULE, f"an AdaptationSet of {kind} without Representations")
    if kind == "text":
        found.captions += 1
        return _check_captions(read, report, adaptation, inner, place)
    report.check(kind in ("video", "audio"), _RULE, f"an AdaptationSet of {kind!r}")
    aligned = adaptation.get("segmentAlignment") == "true"
    report.check(aligned, "ISO/IEC 23009-1 5.3.3.2", f"{kind}: segmentAlignment is not true")
    sap = adaptation.get("startWithSAP") == "1"
    report.check(sap, "ISO/IEC 23009-1 5.3.7.2", f"{kind}: startWithSAP is not 1")
    findings: list[Finding] = []
    described = []
    for element in inner:
        track, more = _check_representation(read, adaptation, element, place)
        findings += more
        described += [track] if track else []
    _check_alignment(report, described)
    found.tracks += described
    return findings


def _check_alignment(report: Report, described: list[Described]) -> None:
    for other in described[1:]:
        ours, theirs = described[0].facts.starts_s, other.facts.starts_s
        half = min(described[0].facts.frame_s, other.facts.frame_s) / 2
        same = len(ours) == len(theirs) and all(abs(a - b) <= half for a, b in zip(ours, theirs, strict=True))
        what = f"segments of {other.element.get('id')} and {described[0].element.get('id')} are not aligned"
        report.check(same, "ISO/IEC 23009-1 5.3.3.2", what)


def _check_representation(
    read: Read, adaptation: ElementTree.Element, element: ElementTree.Element, place: str
) -> tuple[Described | None, list[Finding]]:
    report = Report(f"Representation {element.get('id')}")
    segments = mpd.template(adaptation, element)
    inner = mpd.base(element)
    place = resolve(place, inner) if inner else place
    if not report.check(segments is not None, "ISO/IEC 23009-1 5.3.9", "no SegmentTemplate") or segments is None:
        return None, report.findings
    timeline = list(mpd.slots(report, segments, element, place))
    if not report.check(timeline, "ISO/IEC 23009-1 5.3.9.6", "no SegmentTimeline"):
        return None, report.findings
    init = mpd.fill(report, segments.get("initialization", ""), {"RepresentationID": element.get("id", "")})
    facts, findings = check_track(read, resolve(place, init), [slot.file for slot in timeline])
    if facts is None:
        return None, report.findings + findings
    scale = int(segments.get("timescale", "1"))
    offset = int(segments.get("presentationTimeOffset", "0"))
    rule = "ISO/IEC 23009-1 5.3.9.6"
    for slot, file in zip(timeline, facts.files, strict=True):
        start, length = (Fraction(number, facts.header.timescale) for number in (file.start, file.duration))
        what = f"{file.name} begins at {float(start)} s, the timeline says {slot.start / scale}"
        report.check(start == Fraction(slot.start, scale), rule, what)
        what = f"{file.name} lasts {float(length)} s, the timeline says {slot.duration / scale}"
        report.check(length == Fraction(slot.duration, scale), rule, what)
    report.check(offset == 0, "ISO/IEC 23009-1 5.3.9.2.2", f"presentationTimeOffset is {offset}, tracks begin at 0")
    track = Described(adaptation, element, facts)
    _check_attributes(report, track)
    return track, report.findings + findings


def _check_attributes(report: Report, track: Described) -> None:
    head, facts = track.facts.header, track.facts
    report.check(track.element.get("id"), "ISO/IEC 23009-1 5.3.5.2", "no id")
    codecs = track.get("codecs")
    report.check(codecs == head.codec, "ISO/IEC 23009-1 5.3.7.2", f"codecs is {codecs}, the bytes say {head.codec}")
    kind = {"vide": "video/mp4", "soun": "audio/mp4"}.get(head.handler)
    report.check(track.get("mimeType") == kind, "ISO/IEC 23009-1 5.3.7.2", f"mimeType is {track.get('mimeType')}")
    told = int(track.element.get("bandwidth", "0"))
    true = average([(Fraction(file.duration, head.timescale), file.size) for file in facts.files])
    report.check(told >= 0.9 * true, "ISO/IEC 23009-1 5.3.5.2", f"bandwidth is {told}, measured on average {true:.0f}")
    if head.handler == "vide":
        _check_pictures(report, track)
    else:
        _check_sound(report, track)


def _check_pictures(report: Report, track: Described) -> None:
    head, rule = track.facts.header, "ISO/IEC 23009-1 5.3.7.2"
    size = (track.get("width"), track.get("height"))
    report.check(size == (str(head.width), str(head.height)), rule, f"the size is {size}")
    told = track.get("frameRate") or ""
    if not report.check(re.fullmatch(r"\d+(/[1-9]\d*)?", told), rule, f"frameRate is {told!r}"):
        return
    rate, true = Fraction(told), track.facts.rate
    near = rate == true if track.facts.even else rate >= true * Fraction(98, 100)
    report.check(near, rule, f"frameRate is {told}, measured {float(true):.3f}")


def _check_sound(report: Report, track: Described) -> None:
    head, rate = track.facts.header, track.get("audioSamplingRate")
    report.check(rate == str(head.sample_rate), "ISO/IEC 23009-1 5.3.7.2", f"audioSamplingRate is {rate}")
    told = [
        one.get("value")
        for parent in (track.adaptation, track.element)
        for one in mpd.elements(parent, "AudioChannelConfiguration")
        if one.get("schemeIdUri") in _CHANNELS
    ]
    what = f"AudioChannelConfiguration is {told}, the sound has {head.channels}"
    report.check(told == [str(head.channels)], "ISO/IEC 23009-1 5.8.5.4", what)


def _check_captions(
    read: Read, report: Report, adaptation: ElementTree.Element, inner: list[ElementTree.Element], place: str
) -> list[Finding]:
    findings: list[Finding] = []
    report.check(adaptation.get("lang"), "ISO/IEC 23009-1 5.3.3.2", "captions without lang")
    roles = {"subtitle", "caption"} & set(_roles(adaptation))
    report.check(roles, "ISO/IEC 23009-1 5.8.5.5", "captions without the role subtitle or caption")
    for element in inner:
        mime = element.get("mimeType") or adaptation.get("mimeType")
        report.check(mime == "text/vtt", "ISO/IEC 23009-1 5.3.7.2", f"captions of type {mime}")
        file = mpd.base(element)
        if not report.check(file, "ISO/IEC 23009-1 5.3.9.1", "captions without BaseURL"):
            continue
        try:
            findings += check_webvtt(file, read(resolve(place, file)), segment=False)
        except FileNotFoundError:
            report.check(False, "ISO/IEC 23009-1 5.6", f"the captions {file} are missing")
    return findings
