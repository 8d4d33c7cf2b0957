"""What a player sees of one packaged track: init and segments, one after another, demuxed and decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from clipstream.transcode.cmaf.boxes import Header, fragment, header, walk
from clipstream.transcode.made import Track


@dataclass(frozen=True)
class Fragment:
    """One moof: where it begins and how long it lasts, in timescale units, and whether its first sample is a key."""

    start: int
    duration: int
    runs: int
    size: int


def joined(track: Track, directory: Path) -> bytes:
    files = [track.init_file, *(segment.file for segment in track.segments)]
    return b"".join((directory / file).read_bytes() for file in files)


def packets(track: Track, directory: Path) -> list[tuple[int, int, bool]]:
    """(dts, pts, key) of every sample."""
    with av.open(io.BytesIO(joined(track, directory)), "r") as container:
        return [
            (packet.dts, packet.pts, packet.is_keyframe)
            for packet in container.demux(container.streams[0])
            if packet.dts is not None and packet.pts is not None
        ]


def pictures(track: Track, directory: Path) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(joined(track, directory)), "r") as container:
        return list(container.decode(video=0))


def samples(track: Track, directory: Path) -> npt.NDArray[np.float32]:
    """Decoded sound [2, n], priming left out as a player does."""
    with av.open(io.BytesIO(joined(track, directory)), "r") as container:
        return np.concatenate(
            [np.asarray(frame.to_ndarray(), np.float32) for frame in container.decode(audio=0)], axis=1
        )


def first_keys(track: Track, directory: Path) -> list[bool]:
    """Whether each segment, played on its own behind the init, begins with a key."""
    init = (directory / track.init_file).read_bytes()
    keys = []
    for segment in track.segments:
        with av.open(io.BytesIO(init + (directory / segment.file).read_bytes()), "r") as container:
            keys.append(next(container.demux(container.streams[0])).is_keyframe)
    return keys


def fragments(track: Track, directory: Path) -> list[list[Fragment]]:
    """The fragments of each segment."""
    defaults = opening(track, directory)
    return [
        [_fragment(body, defaults) for kind, body in walk((directory / segment.file).read_bytes()) if kind == b"moof"]
        for segment in track.segments
    ]


def _fragment(moof: bytes, defaults: Header) -> Fragment:
    times = fragment(moof, defaults)
    return Fragment(times.start, times.duration, runs=sum(kind == b"trun" for kind, _ in walk(moof)), size=len(moof))


def opening(track: Track, directory: Path) -> Header:
    """What the track's initialisation segment says."""
    return header((directory / track.init_file).read_bytes())


def lengths_s(track: Track) -> list[float]:
    return [track.seconds(segment.duration) for segment in track.segments]


def length(track: Track, directory: Path) -> Fraction:
    parts = [part for segment in fragments(track, directory) for part in segment]
    return Fraction(sum(part.duration for part in parts), track.timescale)
