"""All sound of one clip, made into a directory of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clipstream.transcode.made import Track
from clipstream.transcode.planned import Plan
from clipstream.transcode.sound.part import encode_sound
from integration.transcode import played
from integration.transcode.recorded import Sound
from integration.transcode.whole import planned


@dataclass(frozen=True)
class Made:
    tracks: tuple[Track, ...]
    directory: Path
    emitted: list[Path]
    told: list[float]

    def sound(self, number: int = 0) -> Sound:
        return played.samples(self.tracks[number], self.directory)


def made(source: Path, plan: Plan | None = None) -> Made:
    directory = source.parent / f"{source.name}-out"
    directory.mkdir()
    emitted: list[Path] = []
    told: list[float] = []

    def emit(file: Path) -> None:
        assert (directory / file).stat().st_size
        emitted.append(file)

    with source.open("rb") as media:
        part = encode_sound(media, scratch=directory, plan=plan or planned(source), emit=emit, progress=told.append)
    return Made(part.tracks, directory, emitted, told)
