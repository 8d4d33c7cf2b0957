"""Where each frame of one sound track goes, judged by its timestamp and by how much sound came before it. Pure numbers.

Positions are samples at the output's rate since the clip's origin. Sound is only cut or padded where the timestamps insist:
jitter is no reason, a damaged timestamp neither, lost frames and a drifting clock are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

DRIFT_S = 0.1
"""Further off than this and the timestamp counts at once."""

STEADY_S = 0.015
"""So much off, always to the same side for a second, and it counts, too: less than a picture at 60 a second."""

JUMP_S = 1.0
"""Timestamps that leap further need a second frame that says the same; one alone is damage."""

MAX_UNTIMED = 64
"""Frames that wait for the first timestamp. Matroska with negative timestamps has such, and they count back from it."""

_NONE = (float("inf"), float("-inf"), 0.0)


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """`at` is where the frame goes: None straight behind the one before."""

    frame: T
    at: float | None


@dataclass(frozen=True, slots=True)
class _Come(Generic[T]):
    frame: T
    due: float | None
    length: float


class Alignment(Generic[T]):
    """Frames come with the position they are due at, None where the file gives no time, and leave in the same order."""

    def __init__(self, sample_rate: int) -> None:
        self._drift, self._steady, self._jump = (round(s * sample_rate) for s in (DRIFT_S, STEADY_S, JUMP_S))
        self._window = sample_rate
        self._end: float | None = None
        self._untimed: list[_Come[T]] = []
        self._suspect: _Come[T] | None = None
        self._least, self._most, self._seen = _NONE

    def add(self, frame: T, due: float | None, length: float) -> Iterator[Placed[T]]:
        come = _Come(frame, due, length)
        if self._end is None and self._suspect is None and due is None:
            self._untimed.append(come)
            if len(self._untimed) == MAX_UNTIMED:
                yield from self._release(0.0)
            return
        if self._untimed and due is not None:
            yield from self._release(due - sum(each.length for each in self._untimed))
        if self._suspect is not None:
            yield from self._judge(self._suspect, come)
        off = self._off(come)
        if off is not None and abs(off) > self._jump:
            self._suspect = come
        else:
            yield self._place(come, off)

    def finish(self) -> Iterator[Placed[T]]:
        yield from self._release(0.0)
        if self._suspect is not None:
            suspect, self._suspect = self._suspect, None
            yield self._place(suspect, self._off(suspect) if self._end is None else 0.0)

    def _release(self, first: float) -> Iterator[Placed[T]]:
        for index, come in enumerate(self._untimed):
            yield self._place(come, None if index else first)
        self._untimed.clear()

    def _judge(self, suspect: _Come[T], after: _Come[T]) -> Iterator[Placed[T]]:
        """Believe the timestamp that leapt where the next frame follows it, else put the frame behind the one before."""
        self._suspect = None
        follows = after.due is None or abs(after.due - (suspect.due or 0.0) - suspect.length) <= self._drift
        yield self._place(suspect, self._off(suspect) if follows else None)

    def _off(self, come: _Come[T]) -> float | None:
        return None if come.due is None else come.due - (self._end or 0.0)

    def _place(self, come: _Come[T], off: float | None) -> Placed[T]:
        at = None
        if off is not None and (self._end is None or abs(off) > self._drift):
            at = (self._end or 0.0) + off
        elif off is not None and (shift := self._persistent(off, come.length)):
            at = (self._end or 0.0) + shift
        if at is not None:
            self._end = at
            self._least, self._most, self._seen = _NONE
        self._end = (self._end or 0.0) + come.length
        return Placed(come.frame, at)

    def _persistent(self, off: float, length: float) -> float:
        """What the last second's timestamps agree to be off at least; 0 most of the time."""
        self._least, self._most = min(self._least, off), max(self._most, off)
        self._seen += length
        if self._seen < self._window:
            return 0.0
        least, most = self._least, self._most
        self._least, self._most, self._seen = _NONE
        if least > self._steady:
            return least
        return most if most < -self._steady else 0.0
