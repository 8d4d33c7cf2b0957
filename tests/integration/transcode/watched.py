"""An odd clip through the whole of the transcode, and what its viewers then see and hear: numbers, times, tones.

Times are read from the boxes (tfdt and composition offsets, as browsers do), never from libav, which moves pictures whose
first composition offset is negative.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from clipstream.common.contracts.ids import RunId
from clipstream.transcode.assemble import joined
from clipstream.transcode.cmaf.boxes import walk
from clipstream.transcode.copying.source import copy_source
from clipstream.transcode.encoding.chunk import encode_chunk
from clipstream.transcode.made import PartMade, SourceCopy, Track
from clipstream.transcode.planned import SOUND, Plan
from clipstream.transcode.sound.part import encode_sound
from corpus import chart
from integration.transcode.whole import planned

Sound = npt.NDArray[np.float32]
Times = Sequence[Fraction]

MOST_BIT_RATE = 24_000_000


@dataclass(frozen=True)
class How:
    """How long chunks may be, and whether the source may be handed on as the top rendition where it qualifies."""

    chunk_s: float = 100.0
    copied: bool = False


ONE_PIECE, CHUNKS, BESIDE_COPY = How(), How(chunk_s=1.0), How(copied=True)
EVERY_WAY = pytest.mark.parametrize("how", [ONE_PIECE, CHUNKS, BESIDE_COPY], ids=["one_piece", "chunks", "beside_copy"])


@dataclass(frozen=True)
class Stream:
    """One packaged track: its init file and media segments in order."""

    name: str
    init: bytes = field(repr=False)
    segments: tuple[bytes, ...] = field(repr=False)
    title: str | None = None
    language: str | None = None
    default: bool = True

    @property
    def timescale(self) -> int:
        """Ticks a second, from mdhd."""
        return next(int.from_bytes(body[12:16], "big") for kind, body in walk(self.init) if kind == b"mdhd")

    def shown_at(self) -> list[Fraction]:
        """When each picture is shown, in order, in seconds."""
        ticks = [tick for segment in self.segments for tick in _composed(segment)]
        return [Fraction(tick, self.timescale) for tick in sorted(ticks)]

    @property
    def pixel_aspect(self) -> Fraction:
        """Of the picture's pixels, as container or stream say; 1 where neither does."""
        with av.open(io.BytesIO(self.init + b"".join(self.segments)), "r") as container:
            return container.streams.video[0].sample_aspect_ratio or Fraction(1)

    def frames(self) -> list[av.VideoFrame]:
        with av.open(io.BytesIO(self.init + b"".join(self.segments)), "r") as container:
            return list(container.decode(video=0))

    def numbers(self) -> list[int | None]:
        """Which card each picture shows; None is a blend of two, or no upright card."""
        return [chart.read(frame) for frame in self.frames()]

    def rate(self) -> Fraction:
        """Exact; all steps are the same."""
        steps = {later - earlier for earlier, later in pairwise(self.shown_at())}
        assert len(steps) == 1, f"a constant rate has one step between pictures, not {steps}"
        return 1 / steps.pop()

    def sound(self) -> Sound:
        """What is heard, float32 [channels, n], priming left out as players do; the first sample is at the output's 0."""
        with av.open(io.BytesIO(self.init + b"".join(self.segments)), "r") as container:
            heard = [np.asarray(frame.to_ndarray(), np.float32) for frame in container.decode(audio=0)]
        return np.concatenate(heard, axis=1)


@dataclass(frozen=True)
class Watched:
    """What came out. `videos` are encoded at a constant rate, the largest first; `copies` have the source's own pictures and
    timing. `sounds`: the default first. `damaged` of `pictures` were lost or concealed."""

    videos: tuple[Stream, ...]
    copies: tuple[Stream, ...]
    sounds: tuple[Stream, ...]
    pictures: int
    damaged: int

    @property
    def video(self) -> Stream:
        return self.videos[0]

    @property
    def sound(self) -> Sound:
        """What is heard where nobody chooses."""
        return self.sounds[0].sound()


def watch(
    source: Path, *, how: How = BESIDE_COPY, ladder: tuple[int, ...] = (144,), max_duration_s: float = 60.0
) -> Watched:
    """Make everything of `source` as the stages do, and see what it is. The one place that knows what makes it."""
    encodes, copies = (source.with_name(f"{source.name}-{what}") for what in ("out", "copy"))
    plan = planned(source, ladder=ladder, chunk_s=how.chunk_s, max_duration_s=max_duration_s)
    if how.copied:
        copy = copied(source, plan, copies)
        plan = planned(source, ladder=ladder, chunk_s=how.chunk_s, max_duration_s=max_duration_s, copy=copy)
    encodes.mkdir()
    parts = {chunk.number: _part(encode_chunk, source, encodes, plan, number=chunk.number) for chunk in plan.chunks}
    parts[SOUND] = _part(encode_sound, source, encodes, plan) if plan.sound else PartMade(tracks=())
    made = joined(plan, parts, RunId("watched"), SOUND)
    videos = [_stream(each.track, copies if plan.top == each.track.name else encodes) for each in made.videos]
    sounds = [_stream(each.track, encodes) for each in made.audios]
    return Watched(
        videos=tuple(stream for stream in videos if stream.name != plan.top),
        copies=tuple(stream for stream in videos if stream.name == plan.top),
        sounds=tuple(sorted(sounds, key=lambda stream: not stream.default)),
        pictures=made.pictures,
        damaged=made.damaged,
    )


def copied(source: Path, plan: Plan, directory: Path) -> SourceCopy:
    directory.mkdir(parents=True)
    with source.open("rb") as media:
        return copy_source(
            media,
            scratch=directory,
            media=plan.media,
            most_bit_rate=MOST_BIT_RATE,
            emit=lambda _: None,
            progress=lambda _: None,
        )


def _part(make: Callable[..., PartMade], source: Path, directory: Path, plan: Plan, **which: int) -> PartMade:
    with source.open("rb") as media:
        return make(media, scratch=directory, plan=plan, emit=lambda _: None, progress=lambda _: None, **which)


def _stream(track: Track, directory: Path) -> Stream:
    return Stream(
        track.name,
        (directory / track.init_file).read_bytes(),
        tuple((directory / segment.file).read_bytes() for segment in track.segments),
        track.title,
        track.language,
        track.default,
    )


def _composed(segment: bytes) -> Iterator[int]:
    """When each sample of a segment is shown, in ticks and decoding order (ISO/IEC 14496-12, 8.8.7, 8.8.8 and 8.8.12)."""
    now = step = 0
    for kind, body in walk(segment):
        flags = int.from_bytes(body[1:4], "big") if len(body) >= 4 else 0
        if kind == b"tfhd" and flags & 0x08:
            place = 8 + (8 if flags & 0x01 else 0) + (4 if flags & 0x02 else 0)
            [step] = struct.unpack_from(">I", body, place)
        elif kind == b"tfdt":
            [now] = struct.unpack_from(">Q" if body[0] == 1 else ">I", body, 4)
        elif kind == b"trun":
            for duration, offset in _samples(body, flags, step):
                yield now + offset
                now += duration


def _samples(trun: bytes, flags: int, step: int) -> Iterator[tuple[int, int]]:
    [count] = struct.unpack_from(">I", trun, 4)
    place = 8 + (4 if flags & 0x01 else 0) + (4 if flags & 0x04 else 0)
    fields = [flag for flag in (0x100, 0x200, 0x400, 0x800) if flags & flag]
    for _ in range(count):
        values = dict(zip(fields, struct.unpack_from(f">{len(fields)}i", trun, place), strict=True))
        place += 4 * len(fields)
        yield values.get(0x100, step), values.get(0x800, 0)
