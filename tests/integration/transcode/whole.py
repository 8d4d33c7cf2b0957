"""A whole clip through the pure pipeline, without stores and queues: probe, plan, every chunk, the sound, stitched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clipstream.common.contracts.ids import RunId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.assemble import joined
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.encoding.chunk import encode_chunk
from clipstream.transcode.made import PartMade, SourceCopy, Track
from clipstream.transcode.plan import Recipe, plan_clip
from clipstream.transcode.planned import Plan
from clipstream.transcode.publishing.assembled import Assembled
from clipstream.transcode.sound.part import encode_sound

NO_COPY = SourceCopy(verdict="It was not tried.")


@dataclass(frozen=True)
class Whole:
    """What was made of a clip, the sound first. `directory` holds the files that the tracks name."""

    plan: Plan
    parts: tuple[PartMade, ...]
    directory: Path

    @property
    def joined(self) -> Assembled:
        """The parts as one output. Raises `Permanent` where they are too damaged."""
        return joined(self.plan, dict(enumerate(self.parts)), RunId("run"), finisher=0)

    @property
    def videos(self) -> tuple[Track, ...]:
        """The renditions, largest first."""
        return tuple(placed.track for placed in self.joined.videos)

    @property
    def audios(self) -> tuple[Track, ...]:
        return tuple(placed.track for placed in self.joined.audios)

    @property
    def audio(self) -> Track | None:
        """The sound that is played unless somebody chooses another."""
        return next((track for track in self.audios if track.default), None)

    @property
    def duration_s(self) -> float:
        return self.joined.duration_s

    @property
    def pictures(self) -> int:
        return self.joined.pictures

    @property
    def damaged(self) -> int:
        return self.joined.damaged


def whole(
    source: Path,
    directory: Path,
    *,
    ladder: tuple[int, ...] = (144, 240),
    chunk_s: float = 100.0,
    max_duration_s: float = 60.0,
    copy: SourceCopy = NO_COPY,
    emit: Emit = lambda _: None,
) -> Whole:
    """Make everything of `source` in `directory`. Without chunks unless `chunk_s` says how long they are."""
    plan = planned(source, ladder=ladder, chunk_s=chunk_s, max_duration_s=max_duration_s, copy=copy)
    return made_by(plan, source, directory, emit)


def made_by(plan: Plan, source: Path, directory: Path, emit: Emit = lambda _: None) -> Whole:
    """Make every part of `plan` in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as media:
        parts = [encode_sound(media, scratch=directory, plan=plan, emit=emit, progress=lambda _: None)]
    for chunk in plan.chunks:
        with source.open("rb") as media:
            parts.append(one_chunk(media, plan, chunk.number, directory, emit))
    return Whole(plan, tuple(parts), directory)


def planned(
    source: Path,
    *,
    ladder: tuple[int, ...] = (144, 240),
    chunk_s: float = 100.0,
    max_duration_s: float = 60.0,
    copy: SourceCopy = NO_COPY,
) -> Plan:
    recipe = Recipe(ladder, "superfast", max_duration_s, chunk_s=chunk_s)
    with source.open("rb") as media:
        probed = probe(media, bounds=Bounds(min_duration_s=0.01))
    return plan_clip(probed, copy, recipe, key=ObjectKey("raw-uploads/source"), etag="etag")


def one_chunk(media: BinaryIO, plan: Plan, number: int, directory: Path, emit: Emit = lambda _: None) -> PartMade:
    return encode_chunk(media, scratch=directory, plan=plan, number=number, emit=emit, progress=lambda _: None)
