"""Makes the playable output of one clip: decodes it once and encodes every rendition and the sound beside each other.

Pure: reads one file object, writes files into one directory, answers with plain facts. Runs in a caged child process.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

from clipstream.common.errors import Permanent
from clipstream.common.media.decode import Decoder
from clipstream.common.media.open import open_media, tracks
from clipstream.transcode.plan import GOP_S, SEGMENT_GOPS, Recipe, gop_frames
from clipstream.transcode.playlists import Track
from clipstream.transcode.thumbnail import waveform
from clipstream.transcode.tracks import PictureTrack, SoundTrack, start_of

DAMAGED_SHARE = 0.5
"""A clip of which more than this cannot be decoded cleanly is not worth playing."""

THUMBNAIL = Path("thumbnail.jpg")


@dataclass(frozen=True, slots=True)
class Package:
    """What was made: tracks (largest first) and the thumbnail, as files in the directory that was given.

    `pictures` were decoded or lost, `damaged` of them lost or concealed.
    """

    videos: tuple[Track, ...]
    audio: Track | None
    thumbnail_file: Path
    duration_s: float
    pictures: int
    damaged: int


def transcode(source: BinaryIO, *, scratch: Path, recipe: Recipe, progress: Callable[[float], None]) -> Package:
    """Encode the clip in `source` by `recipe`. Raises `Permanent` where there is nothing that can be played."""
    with open_media(source) as container:
        with ExitStack() as lanes:
            job = _Job(container, recipe, scratch, lanes, progress)
            job.run()
        progress(1.0)  # what was told on the way is thinned out; the end is always heard
        return job.package(scratch)


class _Job:
    """One pass over the file. This thread decodes, prepares and scales; the lanes encode."""

    def __init__(
        self, container: InputContainer, recipe: Recipe, into: Path, lanes: ExitStack, progress: Callable[[float], None]
    ) -> None:
        chosen = tracks(container)
        video, audio = chosen.video, next(iter(chosen.audio), None)
        self._duration_s = _duration_s(container)
        self._progress, self._told = progress, 0.0
        self._decoder = Decoder(container, [stream for stream in (video, audio) if stream is not None])
        starts_s = float((audio.start_time or 0) * (audio.time_base or 0)) if audio else None
        self._picture = (
            PictureTrack(video, recipe, into, lanes, duration_s=self._duration_s, sound_from_s=starts_s)
            if video
            else None
        )
        rate = self._picture.rate if self._picture else None
        gop_s = gop_frames(rate) / rate if rate else Fraction(GOP_S)
        self._sound = SoundTrack(SEGMENT_GOPS * gop_s, recipe, into, lanes)

    def run(self) -> None:
        for frame in self._decoder:
            if isinstance(frame, av.AudioFrame):
                self._sound.add(frame, self._origin(frame))
            elif self._picture:
                self._picture.add(frame)
            self._tell()
        if self._picture:
            self._picture.finish()
        self._sound.finish(self._picture.origin_s if self._picture else None)

    def package(self, into: Path) -> Package:
        """The facts, once every lane is closed."""
        pictures, damaged = self._decoder.pictures, self._decoder.damaged
        videos, audio = self._picture.tracks if self._picture else (), self._sound.track
        if self._picture and not videos:
            raise Permanent("Not one picture of this clip could be decoded.")
        if damaged > DAMAGED_SHARE * pictures:
            raise Permanent(f"This clip is damaged: {damaged} of its {pictures} pictures cannot be decoded cleanly.")
        if not videos and not audio:
            raise Permanent("Not one second of this recording could be decoded.")
        poster = self._picture.poster() if self._picture else None
        (into / THUMBNAIL).write_bytes(poster or waveform(self._sound.peaks.curve()))
        duration_s = next(track.duration_s for track in (*videos, audio) if track)
        return Package(videos, audio, THUMBNAIL, duration_s, pictures, damaged)

    def _origin(self, frame: av.AudioFrame) -> float | None:
        if self._picture:
            return self._picture.origin_s
        return start_of(frame)

    def _tell(self) -> None:
        done_s = self._picture.shown_s if self._picture else self._sound.length_s
        fraction = min(1.0, done_s / self._duration_s) if self._duration_s else 0.0
        if fraction >= self._told + 0.01:
            self._told = fraction
            self._progress(fraction)


def _duration_s(container: InputContainer) -> float:
    """What the file says; Matroska counts from its clock's zero, others from the first picture."""
    before = container.start_time or 0 if "matroska" in container.format.name else 0
    return max(0, (container.duration or 0) - before) / av.time_base
