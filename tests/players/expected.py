"""What players have to find in an output, read by a public parser from the output itself."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import m3u8

_CUE = re.compile(r"(\d+):(\d+):(\d+\.\d+) --> .*\n(.+)")


@dataclass(frozen=True)
class Expected:
    """Heights are in rising order, sounds (the files of each) in the manifest's; a caption is (start in seconds, text)."""

    duration_s: float
    frame_rate: float
    heights: tuple[int, ...]
    sounds: Mapping[str, frozenset[str]]
    captions: tuple[tuple[float, str], ...]


def expected(output: Path) -> Expected:
    master = m3u8.load(str(output / "master.m3u8"))
    first = m3u8.load(str(output / master.playlists[0].uri))
    texts = [media for media in master.media if media.type == "SUBTITLES"]
    return Expected(
        sum(segment.duration for segment in first.segments),
        max(variant.stream_info.frame_rate for variant in master.playlists),
        tuple(sorted(variant.stream_info.resolution[1] for variant in master.playlists)),
        {media.name: _files(output, media.uri) for media in master.media if media.type == "AUDIO"},
        tuple(cue for text in texts for cue in _cues(output, text.uri)),
    )


def _files(output: Path, playlist: str) -> frozenset[str]:
    place = Path(playlist).parent
    return frozenset(str(place / segment.uri) for segment in m3u8.load(str(output / playlist)).segments)


def _cues(output: Path, playlist: str) -> list[tuple[float, str]]:
    segments = m3u8.load(str(output / playlist)).segments
    place = (output / playlist).parent
    return [
        (3600 * int(hours) + 60 * int(minutes) + float(rest), html.unescape(text))
        for segment in segments
        for hours, minutes, rest, text in _CUE.findall((place / segment.uri).read_text())
    ]
