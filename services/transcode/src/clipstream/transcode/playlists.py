"""HLS playlists (RFC 8216bis) as text, from what was measured on the segments. No files, no keys of a store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipstream.transcode.segments import Segment

AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class Track:
    """One packaged track. `width`, `height` and `frame_rate` are 0 for sound."""

    name: str
    codec: str
    init_file: Path
    segments: tuple[Segment, ...]
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0

    @property
    def duration_s(self) -> float:
        return sum(segment.duration_s for segment in self.segments)


def media_playlist(track: Track, prefix: str) -> str:
    """One track's playlist; `prefix` is what stands before each file's name, relative to the playlist."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_duration(track)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{prefix}{track.init_file.name}"',
    ]
    for segment in track.segments:
        lines += [f"#EXTINF:{segment.duration_s:.6f},", prefix + segment.file.name]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def master_playlist(videos: Sequence[Track], audio: Track | None) -> str:
    """The multivariant playlist. Sound without pictures is one variant of its own; pictures without sound name no group."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if videos and audio:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO}",NAME="Main",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="{AUDIO}.m3u8"'
        )
    for track in videos:
        lines += [_variant(track, audio), f"{track.name}.m3u8"]
    if audio and not videos:
        lines += [_variant(audio, None), f"{AUDIO}.m3u8"]
    return "\n".join([*lines, ""])


def bandwidth(track: Track, audio: Track | None = None) -> tuple[int, int]:
    """Measured (peak, average) bits a second of a variant: the track, and the sound that is played with it."""
    peak, average = _peak(track), _average(track.segments)
    if audio:
        peak, average = peak + _peak(audio), average + _average(audio.segments)
    return math.ceil(max(peak, average)), math.ceil(average)


def target_duration(track: Track) -> int:
    """No segment, rounded to the nearest second, lasts longer."""
    return max(1, *(math.floor(segment.duration_s + 0.5) for segment in track.segments))


def _variant(track: Track, audio: Track | None) -> str:
    peak, average = bandwidth(track, audio)
    codecs = f"{track.codec},{audio.codec}" if audio else track.codec
    line = f'#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS="{codecs}"'
    if track.width:
        line += f",RESOLUTION={track.width}x{track.height},FRAME-RATE={track.frame_rate:.3f}"
        line += f',AUDIO="{AUDIO}"' if audio else ""
        line += ",CLOSED-CAPTIONS=NONE"
    return line


def _average(segments: Sequence[Segment]) -> float:
    return 8 * sum(segment.size_bytes for segment in segments) / max(1e-3, sum(s.duration_s for s in segments))


def _peak(track: Track) -> float:
    """The largest bit rate of any contiguous segments that last 0.5 to 1.5 target durations (RFC 8216bis, 4.1)."""
    target = target_duration(track)
    peak = 0.0
    for first in range(len(track.segments)):
        for last in range(first + 1, len(track.segments) + 1):
            run = track.segments[first:last]
            length = sum(segment.duration_s for segment in run)
            if length > 1.5 * target:
                break
            if length >= 0.5 * target:
                peak = max(peak, _average(run))
    return peak or _average(track.segments)
