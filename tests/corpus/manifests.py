"""The manifests of a small published output, as text. What a segment lasts is known from how it was made."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from validators.boxes import check_track
from validators.finding import read_directory
from validators.rates import average, peak

_HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n"


@dataclass(frozen=True)
class Piece:
    """One segment's file and length."""

    file: str
    duration_s: Fraction


@dataclass(frozen=True)
class Shown:
    """One track: pictures where it has a size, else sound."""

    name: str
    title: str
    pieces: tuple[Piece, ...]
    width: int = 0
    height: int = 0
    fps: int = 0


def write_manifests(into: Path, pictures: list[Shown], sounds: list[Shown], duration_s: Fraction) -> None:
    for track in (*pictures, *sounds):
        (into / f"{track.name}.m3u8").write_text(_media_playlist(track))
    for track in pictures:
        (into / f"{track.name}-iframes.m3u8").write_text(_pictures_playlist(into, track))
    (into / "captions.m3u8").write_text(
        f"{_HEAD}#EXT-X-TARGETDURATION:{round(duration_s)}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        f"#EXTINF:{float(duration_s):.6f},\ncaptions.vtt\n#EXT-X-ENDLIST\n"
    )
    (into / "master.m3u8").write_text(_master(into, pictures, sounds))
    (into / "manifest.mpd").write_text(_mpd(into, pictures, sounds, duration_s))


def _media_playlist(track: Shown) -> str:
    longest = max(round(piece.duration_s) for piece in track.pieces)
    lines = [f"#EXT-X-TARGETDURATION:{longest}", "#EXT-X-PLAYLIST-TYPE:VOD", f'#EXT-X-MAP:URI="{track.name}-init.mp4"']
    for piece in track.pieces:
        lines += [f"#EXTINF:{float(piece.duration_s):.6f},", piece.file]
    return _HEAD + "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _places(into: Path, track: Shown) -> list[tuple[str, int, int, Fraction]]:
    """(file, length, offset, start) of every first picture."""
    facts, _ = check_track(read_directory(into), f"{track.name}-init.mp4", [piece.file for piece in track.pieces])
    assert facts is not None
    return [
        (
            file.name,
            first.offset + first.size - part.moof.offset,
            part.moof.offset,
            Fraction(part.start, facts.header.timescale),
        )
        for file in facts.files
        for part in file.fragments
        for first in part.samples[:1]
    ]


def _pictures_playlist(into: Path, track: Shown) -> str:
    places = _places(into, track)
    ends = [start for _, _, _, start in places[1:]] + [sum((piece.duration_s for piece in track.pieces), Fraction(0))]
    lines = ["#EXT-X-TARGETDURATION:2", "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-I-FRAMES-ONLY"]
    lines.append(f'#EXT-X-MAP:URI="{track.name}-init.mp4"')
    for (file, length, offset, start), end in zip(places, ends, strict=True):
        lines += [f"#EXTINF:{float(end - start):.6f},", f"#EXT-X-BYTERANGE:{length}@{offset}", file]
    return _HEAD + "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _weighed(into: Path, track: Shown) -> list[tuple[Fraction, int]]:
    return [(piece.duration_s, (into / piece.file).stat().st_size) for piece in track.pieces]


def _codec(into: Path, track: Shown) -> str:
    data = (into / f"{track.name}-init.mp4").read_bytes()
    place = data.find(b"avcC")
    return f"avc1.{data[place + 5 : place + 8].hex()}" if track.width else "mp4a.40.2"


def _master(into: Path, pictures: list[Shown], sounds: list[Shown]) -> str:
    lines = ["#EXT-X-INDEPENDENT-SEGMENTS"]
    for sound in sounds:
        first = "YES" if sound is sounds[0] else "NO"
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="{sound.title}",DEFAULT={first},AUTOSELECT={first},'
            f'CHANNELS="2",URI="{sound.name}.m3u8"'
        )
    lines.append(
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,'
        'URI="captions.m3u8"'
    )
    heard_codec, group = (",mp4a.40.2", ',AUDIO="sound"') if sounds else ("", "")
    heard = [_weighed(into, sound) for sound in sounds]
    for track in pictures:
        weighed, codec, size = _weighed(into, track), _codec(into, track), f"{track.width}x{track.height}"
        most, mean = (
            peak(weighed) + max(map(peak, heard), default=0),
            average(weighed) + max(map(average, heard), default=0),
        )
        lines.append(
            f'#EXT-X-STREAM-INF:BANDWIDTH={most:.0f},AVERAGE-BANDWIDTH={mean:.0f},CODECS="{codec}{heard_codec}",'
            f'RESOLUTION={size},FRAME-RATE={track.fps:.3f}{group},SUBTITLES="captions",CLOSED-CAPTIONS=NONE'
        )
        lines.append(f"{track.name}.m3u8")
    for track in pictures:
        places = _places(into, track)
        starts = [start for _, _, _, start in places] + [sum((piece.duration_s for piece in track.pieces), Fraction(0))]
        weighed = [(b - a, place[1]) for (a, b), place in zip(pairwise(starts), places, strict=True)]
        lines.append(
            f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak(weighed):.0f},CODECS="{_codec(into, track)}",'
            f'RESOLUTION={track.width}x{track.height},URI="{track.name}-iframes.m3u8"'
        )
    return _HEAD + "\n".join([*lines, ""])


def _mpd(into: Path, pictures: list[Shown], sounds: list[Shown], duration_s: Fraction) -> str:
    shown = "".join(_representation(into, track) for track in pictures)
    heard = "".join(
        f'<AdaptationSet id="{number}" contentType="audio" mimeType="audio/mp4" lang="und" segmentAlignment="true" '
        f'startWithSAP="1"><Label>{sound.title}</Label><Role schemeIdUri="urn:mpeg:dash:role:2011" '
        f'value="{"main" if number == 2 else "alternate"}"/>{_representation(into, sound)}</AdaptationSet>\n'
        for number, sound in enumerate(sounds, 2)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        f'profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT{float(duration_s):.3f}S" '
        'minBufferTime="PT4S"><Period id="0" start="PT0S">\n'
        '<AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">'
        f"{shown}</AdaptationSet>\n{heard}"
        '<AdaptationSet id="9" contentType="text" mimeType="text/vtt" lang="en">'
        '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>'
        '<Representation id="captions" bandwidth="256"><BaseURL>captions.vtt</BaseURL></Representation></AdaptationSet>\n'
        "</Period></MPD>\n"
    )


def _representation(into: Path, track: Shown) -> str:
    scale, at, slots = (15_360 if track.width else 48_000), Fraction(0), ""
    for piece in track.pieces:
        slots += f'<S t="{int(at * scale)}" d="{int(piece.duration_s * scale)}"/>'
        at += piece.duration_s
    if track.width:
        kind, inside = f'width="{track.width}" height="{track.height}" frameRate="{track.fps}"', ""
    else:
        kind, inside = 'audioSamplingRate="48000"', _STEREO
    return (
        f'<Representation id="{track.name}" codecs="{_codec(into, track)}" bandwidth="{peak(_weighed(into, track)):.0f}" '
        f'{kind}>{inside}<SegmentTemplate timescale="{scale}" initialization="$RepresentationID$-init.mp4" '
        f'media="$RepresentationID$-$Number%05d$.m4s" startNumber="0"><SegmentTimeline>{slots}</SegmentTimeline>'
        "</SegmentTemplate></Representation>\n"
    )


_STEREO = '<AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>'
