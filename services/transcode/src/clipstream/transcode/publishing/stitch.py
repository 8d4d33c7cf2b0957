"""Joins what the chunks of a clip made into whole tracks. No media is touched: segments are only put in a row, and a row
with a hole, an overlap or a change of codec is refused."""

from __future__ import annotations

from collections.abc import Sequence

from clipstream.common.errors import Permanent
from clipstream.transcode.made import PartMade, Track
from clipstream.transcode.planned import segment_file

_ALIKE = ("kind", "codec", "timescale", "init_file", "width", "height", "frame_rate", "channels", "sample_rate")


def stitched(parts: Sequence[PartMade]) -> tuple[Track, ...]:
    """One track for each rendition, in the first part's order; `parts` are in the order of the clip. Last parts that turned
    out to be empty, because the source ended before its header said, are left out.

    Raises `Permanent` where the pieces do not fit: another attempt would find the same pieces.
    """
    pieces = [[track for track in part.tracks if track.segments] for part in parts]
    while pieces and not pieces[-1]:
        pieces.pop()
    if not pieces:
        return ()
    names = [track.name for track in pieces[0]]
    for number, made in enumerate(pieces):
        if sorted(track.name for track in made) != sorted(names):
            raise _misfit(f"piece {number + 1} of {len(pieces)} has not the renditions of the first")
    return tuple(_joined([track for made in pieces for track in made if track.name == name]) for name in names)


def _joined(pieces: Sequence[Track]) -> Track:
    first = pieces[0]
    for piece in pieces:
        changed = next((field for field in _ALIKE if getattr(piece, field) != getattr(first, field)), None)
        if changed:
            raise _misfit(f"the {changed} of {first.name} changes midway")
    segments = tuple(segment for piece in pieces for segment in piece.segments)
    due = segments[0].start
    for number, segment in enumerate(segments):
        if segment.file != segment_file(first.name, number):
            raise _misfit(f"{segment.file} stands where segment {number} of {first.name} belongs")
        if segment.start != due:
            raise _misfit(f"{segment.file} begins at tick {segment.start} instead of {due}")
        due += segment.duration
    return first.model_copy(update={"segments": segments})


def _misfit(why: str) -> Permanent:
    return Permanent(f"The parts of this clip do not fit together: {why}.")
