"""What was made of a clip, in facts: tracks, their segments, and where in them key pictures lie. Children answer with them,
parts are recorded by them, playlists are written from them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Span(_Facts):
    """One fragment that begins with a key picture. `offset` and `size_bytes` are those of its moof, mdat header and first
    sample in the segment's file: what an I-frame playlist asks for. `start` and `duration` are ticks of the track; the
    duration is that of the whole fragment."""

    offset: int
    size_bytes: int
    start: int
    duration: int


class Segment(_Facts):
    """One media segment: `start` (its first tfdt) and `duration` in ticks of its track. Sound has no `keys`."""

    file: Path
    start: int
    duration: int
    size_bytes: int
    keys: tuple[Span, ...] = ()


class Track(_Facts):
    """One packaged track, or one chunk's piece of it. `codec` is its RFC 6381 name, `timescale` ticks a second.

    Pictures have `width`, `height` (pixels) and `frame_rate` (pictures a second); sound has `channels`, `sample_rate`,
    and where the source named it `title` and `language`. One sound track of a clip is the `default`.
    """

    name: str
    kind: Literal["video", "audio"]
    codec: str
    timescale: int
    init_file: Path
    segments: tuple[Segment, ...]
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    channels: int = 0
    sample_rate: int = 0
    title: str | None = None
    language: str | None = None
    default: bool = True

    @property
    def duration_s(self) -> float:
        return float(Fraction(sum(segment.duration for segment in self.segments), self.timescale))

    def seconds(self, ticks: int) -> float:
        return ticks / self.timescale


class PartMade(_Facts):
    """What one part of a plan made. `pictures` were decoded or lost, `damaged` of them lost or concealed.

    `tiles_file` and `preview_file` hold raw RGB pictures for the storyboard and the hover preview, row by row, picture by
    picture, in the sizes that the plan names; None where this part has none.
    """

    tracks: tuple[Track, ...]
    pictures: int = 0
    damaged: int = 0
    tiles_file: Path | None = None
    preview_file: Path | None = None


class SourceCopy(_Facts):
    """The source repackaged without being encoded again, or why that cannot be: `verdict` is a sentence either way.

    `video` has the source's own timing. `ladder` says whether it can also be the top rendition of a ladder beside encodes at
    a constant rate. `audio` is None where the source has none; a ladder has sound of its own, which was decoded once, so that
    no damage in it reaches a browser.
    """

    verdict: str
    video: Track | None = None
    audio: Track | None = None
    ladder: bool = False

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(track for track in (self.video, self.audio) if track is not None)


class Poster(_Facts):
    """The thumbnail and its marked copies, JPEG."""

    plain_file: Path
    processing_file: Path
    duplicate_file: Path
