"""Copies of small sources, and what a player would make of either."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from clipstream.common.contracts.media import MediaInfo
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.copying.source import copy_source
from clipstream.transcode.made import SourceCopy, Track
from corpus.gameplay import render_clip

BIT_RATE = 24_000_000
X264 = {"preset": "ultrafast"}
small_clip = partial(render_clip, width=160, height=90)


@dataclass(frozen=True)
class Copied:
    """What became of one source, and everything it handed over, in order."""

    made: SourceCopy
    media: MediaInfo
    directory: Path
    emitted: tuple[str, ...]

    @property
    def video(self) -> Track:
        assert self.made.video is not None, self.made.verdict
        return self.made.video

    @property
    def audio(self) -> Track:
        assert self.made.audio is not None, self.made.verdict
        return self.made.audio

    def joined(self, track: Track) -> io.BytesIO:
        files = [track.init_file, *(segment.file for segment in track.segments)]
        return io.BytesIO(b"".join((self.directory / file).read_bytes() for file in files))


def copied(source: Path, *, most_bit_rate: int = BIT_RATE) -> Copied:
    """The copy of a file, in a directory beside it."""
    directory = source.with_name(f"{source.name}-copy")
    directory.mkdir()
    emitted: list[str] = []
    with source.open("rb") as file:
        media = probe(file, bounds=Bounds()).media
    with source.open("rb") as file:
        made = copy_source(
            file,
            scratch=directory,
            media=media,
            most_bit_rate=most_bit_rate,
            emit=lambda name: emitted.append(name.name),
            progress=lambda _: None,
        )
    return Copied(made, media, directory, tuple(emitted))


def pictures(file: Path | io.BytesIO) -> list[tuple[Fraction, bytes]]:
    """(time, pixels) of every picture."""
    with av.open(str(file) if isinstance(file, Path) else file, "r") as container:
        frames = [(frame.pts, frame.time_base, frame) for frame in container.decode(video=0)]
    return [
        (pts * time_base, frame.to_ndarray().tobytes())
        for pts, time_base, frame in frames
        if pts is not None and time_base is not None
    ]


def sound(file: Path | io.BytesIO, track: int = 0) -> tuple[float, npt.NDArray[np.float32]]:
    """(time of the first sample, samples of the first channel). Where time stands still or leaps, so do they."""
    with av.open(str(file) if isinstance(file, Path) else file, "r") as container:
        frames = list(container.decode(audio=track))
    start = frames[0].time or 0.0
    heard: list[npt.NDArray[np.float32]] = []
    length = 0
    for frame in frames:
        missing = round(((frame.time or 0.0) - start) * frame.sample_rate) - length
        silence = np.zeros(missing if missing > frame.sample_rate / 200 else 0, np.float32)
        heard += [silence, np.asarray(frame.to_ndarray()[0], np.float32)]
        length += len(heard[-1]) + len(silence)
    return start, np.concatenate(heard)


def offset_s(
    one: tuple[float, npt.NDArray[np.float32]], other: tuple[float, npt.NDArray[np.float32]], rate: int = 48_000
) -> float:
    """How much later the same sound is heard in `other`, within 100 ms, by where they are most alike."""
    reach = rate // 10
    begin = max(one[0], other[0]) + 0.3
    first = one[1][round((begin - one[0]) * rate) :][: rate // 2]
    around = other[1][round((begin - other[0]) * rate) - reach :][: len(first) + 2 * reach]
    alike = np.correlate(around.astype(np.float64), first.astype(np.float64), "valid")
    return float((int(np.argmax(alike)) - reach) / rate)


def times(track: Track) -> list[tuple[Fraction, Fraction]]:
    """(start, end) of each segment, in seconds."""
    return [
        (Fraction(each.start, track.timescale), Fraction(each.start + each.duration, track.timescale))
        for each in track.segments
    ]


def in_seconds(*spans: tuple[float, float]) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(start), Fraction(end)) for start, end in spans]


def assert_same(source: Path, copy: Copied, *, within_s: float = 0.001) -> None:
    """Pixels, their distances in time, samples, and how far those are from the pictures."""
    theirs, ours = pictures(source), pictures(copy.joined(copy.video))
    assert [pixels for _, pixels in ours] == [pixels for _, pixels in theirs]
    begins = times(copy.video)[0][0]
    for (one, _), (other, _) in zip(theirs, ours, strict=True):
        assert abs((one - theirs[0][0]) - (other - ours[0][0])) <= Fraction(1, copy.video.timescale)
    start, heard = sound(source)
    mine = sound(copy.joined(copy.audio))
    assert abs(offset_s((start - float(theirs[0][0]) + float(begins), heard), mine)) <= within_s


def trim_head(path: Path, seconds: float) -> Path:
    """Begin later by edit lists alone, as phones trim."""
    body = bytearray(path.read_bytes())
    movie = struct.unpack_from(">I", body, body.index(b"mvhd") + 16)[0]
    place = 0
    while (place := body.find(b"elst", place + 1)) >= 0:
        mdhd = body.index(b"mdhd", place)
        scale = struct.unpack_from(">I", body, mdhd + 16)[0]
        shown, first = struct.unpack_from(">Ii", body, place + 12)
        struct.pack_into(">Ii", body, place + 12, shown - round(seconds * movie), first + round(seconds * scale))
    path.write_bytes(body)
    return path
