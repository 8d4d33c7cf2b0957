"""The DASH manifest (ISO/IEC 23009-1, isoff-live profile) over the segments that HLS names, too. No files, no keys of a store.

Every track's clock begins where the clip does, so presentation times are decode times and no offset is left to say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree

from clipstream.transcode.made import Segment, Track
from clipstream.transcode.manifests.bandwidth import sustained
from clipstream.transcode.manifests.captions import FILE, Captions
from clipstream.transcode.manifests.hls import frame_rate
from clipstream.transcode.manifests.labels import default_sound, label, language, sound_names
from clipstream.transcode.manifests.placed import Placed

_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_ROLE = "urn:mpeg:dash:role:2011"
_PART_OF_FIRST = Fraction(95, 100)
"""What an encoder's priming takes from sound, and a picture's rounding from a segment, is far less than the rest."""

_CAPTIONS_BIT_RATE = 1000
"""Speech as text is far below this; the attribute is obligatory."""


def manifest(videos: Sequence[Placed], sounds: Sequence[Placed], captions: Captions | None) -> str:
    """A static MPD of one period: one adaptation set of all `videos`, one for each of `sounds`, one for captions."""
    tracks = [placed.track for placed in (*videos, *sounds)]
    buffer_s = _buffer_s(tracks)
    mpd = ElementTree.Element(
        "MPD",
        {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "profiles": "urn:mpeg:dash:profile:isoff-live:2011",
            "type": "static",
            "mediaPresentationDuration": _duration(max((_end_s(track) for track in tracks), default=Fraction(0))),
            "minBufferTime": _duration(buffer_s),
        },
    )
    period = ElementTree.SubElement(mpd, "Period", {"id": "0", "start": "PT0S"})
    if videos:
        _add_pictures(period, videos, buffer_s)
    names = sound_names([placed.track for placed in sounds])
    default = default_sound([placed.track for placed in sounds])
    for number, placed in enumerate(sounds):
        _add_sound(period, placed, names[number], buffer_s, main=number == default)
    if captions:
        _add_captions(period, captions)
    for number, adaptation in enumerate(period):
        adaptation.set("id", str(number))
    ElementTree.indent(mpd)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(mpd, encoding="unicode")}\n'


def _add_pictures(period: ElementTree.Element, videos: Sequence[Placed], buffer_s: Fraction) -> None:
    """One set, so that players may switch. It names no `par`: 854x480 is not exactly what 1920x1080 is, and a set may only
    name what is true of all."""
    tracks = [placed.track for placed in videos]
    adaptation = _adaptation(period, "video", "video/mp4", aligned=_aligned(tracks))
    adaptation.set("maxWidth", str(max(track.width for track in tracks)))
    adaptation.set("maxHeight", str(max(track.height for track in tracks)))
    adaptation.set("maxFrameRate", str(max(frame_rate(track) for track in tracks)))
    _role(adaptation, "main")
    for placed in videos:
        track = placed.track
        representation = _representation(adaptation, placed, buffer_s)
        representation.set("width", str(track.width))
        representation.set("height", str(track.height))
        representation.set("frameRate", str(frame_rate(track)))
        representation.set("sar", "1:1")
        _add_segments(representation, placed)


def _add_sound(period: ElementTree.Element, placed: Placed, name: str, buffer_s: Fraction, *, main: bool) -> None:
    track = placed.track
    adaptation = _adaptation(period, "audio", "audio/mp4", aligned=True, spoken=language(track.language))
    ElementTree.SubElement(adaptation, "Label").text = name
    _role(adaptation, "main" if main else "alternate")
    representation = _representation(adaptation, placed, buffer_s)
    if track.sample_rate:
        representation.set("audioSamplingRate", str(track.sample_rate))
    if track.channels:
        values = {"schemeIdUri": _CHANNELS, "value": str(track.channels)}
        ElementTree.SubElement(representation, "AudioChannelConfiguration", values)
    _add_segments(representation, placed)


def _add_captions(period: ElementTree.Element, captions: Captions) -> None:
    adaptation = ElementTree.SubElement(period, "AdaptationSet", {"contentType": "text", "mimeType": "text/vtt"})
    spoken = language(captions.language)
    if spoken:
        adaptation.set("lang", spoken)
    ElementTree.SubElement(adaptation, "Label").text = label(captions.name)
    _role(adaptation, "subtitle")
    values = {"id": "captions", "bandwidth": str(_CAPTIONS_BIT_RATE)}
    ElementTree.SubElement(ElementTree.SubElement(adaptation, "Representation", values), "BaseURL").text = FILE


def _adaptation(
    period: ElementTree.Element, content: str, mime: str, *, aligned: bool, spoken: str | None = None
) -> ElementTree.Element:
    """Every segment begins with a key picture of a closed GOP, which is access point type 1."""
    values = {"contentType": content, "mimeType": mime, "startWithSAP": "1", "segmentAlignment": str(aligned).lower()}
    return ElementTree.SubElement(period, "AdaptationSet", values | ({"lang": spoken} if spoken else {}))


def _representation(adaptation: ElementTree.Element, placed: Placed, buffer_s: Fraction) -> ElementTree.Element:
    track = placed.track
    values = {"id": track.name, "codecs": track.codec, "bandwidth": str(sustained(track, buffer_s))}
    return ElementTree.SubElement(adaptation, "Representation", values)


def _add_segments(representation: ElementTree.Element, placed: Placed) -> None:
    track = placed.track
    values = {
        "timescale": str(track.timescale),
        "initialization": placed.prefix + track.init_file.name,
        "media": f"{placed.prefix}{_stem(track.segments[0])}-$Number%05d$.m4s",
        "startNumber": str(_number(track.segments[0])),
        "presentationTimeOffset": "0",
    }
    template = ElementTree.SubElement(representation, "SegmentTemplate", values)
    timeline = ElementTree.SubElement(template, "SegmentTimeline")
    due: int | None = None
    entry = timeline
    for segment in track.segments:
        if segment.start == due and entry.get("d") == str(segment.duration):
            entry.set("r", str(int(entry.get("r", "0")) + 1))
        else:
            start = {} if segment.start == due else {"t": str(segment.start)}
            entry = ElementTree.SubElement(timeline, "S", {**start, "d": str(segment.duration)})
        due = segment.start + segment.duration


def _aligned(tracks: Sequence[Track]) -> bool:
    """Whether all have their segments at the same seconds."""
    return len({tuple(Fraction(segment.start, track.timescale) for segment in track.segments) for track in tracks}) == 1


def _buffer_s(tracks: Sequence[Track]) -> Fraction:
    """minBufferTime. Players may wait for so much, and load whole segments: a little less than the first segment of
    any track holds, so that one is enough to begin. Less than half of the longest would make `bandwidth` twice of what is
    needed, and players shy of good pictures."""
    if not tracks:
        return Fraction(1)
    first = min(Fraction(track.segments[0].duration, track.timescale) for track in tracks)
    longest = max(Fraction(segment.duration, track.timescale) for track in tracks for segment in track.segments)
    return Fraction(max(1, math.floor(1000 * max(_PART_OF_FIRST * first, longest / 2))), 1000)


def _end_s(track: Track) -> Fraction:
    return Fraction(track.segments[-1].start + track.segments[-1].duration, track.timescale)


def _stem(segment: Segment) -> str:
    """What a track's files are called, which for a copied source is not the rendition that it became."""
    return segment.file.stem.rpartition("-")[0]


def _number(segment: Segment) -> int:
    return int(segment.file.stem.rpartition("-")[2])


def _role(adaptation: ElementTree.Element, value: str) -> None:
    ElementTree.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": value})


def _duration(seconds: Fraction) -> str:
    """As xs:duration."""
    return f"PT{float(seconds):.6f}".rstrip("0").rstrip(".") + "S"
