"""When each frame is shown: times for frames whose file gives none, and the slots of a constant rate they fill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

from clipstream.common.errors import Permanent
from clipstream.transcode.chunking import slot_of


class FrameTimes:
    """Gives every frame a time in seconds. Frames before the first timed one count back from it; Matroska with negative
    timestamps has such, and old AVI files have no others."""

    MAX_UNTIMED = 64

    def __init__(self, rate: Fraction) -> None:
        self._step_s = float(1 / rate)
        self._untimed: list[av.VideoFrame] = []
        self._last_s: float | None = None

    def add(self, frame: av.VideoFrame) -> Iterator[tuple[float, av.VideoFrame]]:
        if frame.pts is not None and frame.time_base:
            time_s = float(frame.pts * frame.time_base)
            yield from self._release(time_s - len(self._untimed) * self._step_s)
        elif self._last_s is not None:
            time_s = self._last_s + self._step_s
        else:
            self._untimed.append(frame)
            if len(self._untimed) == self.MAX_UNTIMED:
                yield from self._release(0.0)
            return
        self._last_s = time_s
        yield time_s, frame

    def finish(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """A clip that never gave a time begins at 0."""
        yield from self._release(0.0)

    def _release(self, first_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
        for index, frame in enumerate(self._untimed):
            self._last_s = first_s + index * self._step_s
            yield self._last_s, frame
        self._untimed.clear()


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame and the slots of the constant rate that it fills."""

    frame: av.VideoFrame
    first_slot: int
    slots: int


class Cadence:
    """Lays frames with any timestamps onto the slots `first` up to `end` of a constant rate: gaps repeat the frame before,
    crowds keep the last one. Every slot is shown once, in order; without an `end`, as far as there are frames.

    Frames that do not move time forward are dropped, and those that belong to somebody else's slots.
    """

    def __init__(
        self, rate: Fraction, origin_s: float, max_duration_s: float, *, first: int = 0, end: int | None = None
    ) -> None:
        self._rate, self._origin_s, self._end = rate, origin_s, end
        self._max_slots = int(max_duration_s * rate) + 1
        self._held: av.VideoFrame | None = None
        self._next = self._held_slot = self._first = first

    def slot(self, time_s: float) -> int:
        """Where a frame belongs, which may be outside. Raises `Permanent` past the longest clip."""
        slot = slot_of(time_s - self._origin_s, self._rate)
        if slot > self._max_slots and self._end is None:
            raise Permanent("The clip's timestamps run on past the longest clip that is accepted.")
        return slot

    def add(self, slot: int, frame: av.VideoFrame) -> Iterator[Shown]:
        """What can be shown now that the frame of `slot` has come."""
        if slot < self._first or (self._end is not None and slot >= self._end):
            return
        if self._held is not None:
            if slot < self._held_slot:
                return
            if slot > self._held_slot:
                yield self._show(self._held, until=slot)
        self._held, self._held_slot = frame, max(slot, self._next)

    def finish(self) -> Iterator[Shown]:
        """The last frame, up to the end, or for one slot where there is none."""
        if self._held is not None:
            yield self._show(self._held, until=self._held_slot + 1 if self._end is None else self._end)

    def _show(self, frame: av.VideoFrame, until: int) -> Shown:
        shown = Shown(frame, self._next, until - self._next)
        self._next = until
        return shown
