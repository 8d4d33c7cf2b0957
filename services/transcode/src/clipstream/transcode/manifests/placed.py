"""Where a track's files lie, seen from the playlists that name them."""

from __future__ import annotations

from dataclasses import dataclass

from clipstream.transcode.made import Track


@dataclass(frozen=True, slots=True)
class Placed:
    """A track and what stands before each of its files' names: `segments/{plan}/`, relative to the playlists. A source copy
    lies below another prefix than what was encoded beside it."""

    track: Track
    prefix: str
