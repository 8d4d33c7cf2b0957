"""Cuts what libav's mp4 muxer writes into an initialisation segment and media segments, and notes their exact times.

ISO/IEC 14496-12 boxes and nothing else: no codec library, no storage. CMAF: one track, one traf in a moof, one trun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path

from clipstream.transcode.cmaf.boxes import Fragment, Header, fragment, header
from clipstream.transcode.made import Segment, Span
from clipstream.transcode.planned import init_file, segment_file

Emit = Callable[[Path], None]
"""Says that a file, relative to the scratch directory, is complete. From then on it belongs to whoever was told."""

WRITE_BUFFER = 1 << 17
"""What libav is to gather before it calls `write`, which takes the GIL back: its own 32 KiB would do so four times as often."""

_SEQUENCE = 20  # moof header, mfhd header, version and flags
_FRAGMENT_BITS = 12  # chunks know the numbers of their segments, not of their fragments; only the order counts
EXACT = Fraction(1, 1000)


def every(segment_s: Fraction) -> Iterator[Fraction]:
    """Boundaries at equal distances."""
    return (number * segment_s for number in count(1))


class SegmentWriter:
    """A write-only sink for one track. Files appear in `directory` as they become complete, and `emit` hears of each; the
    initialisation segment comes first.

    A new segment starts with the first fragment that begins at, or at most `tolerance_s` before, the next of `boundaries`
    (seconds, ascending, without the track's own beginning). Fragments are as libav makes them: one per GOP of a video.
    `first` is the number of the first segment in the whole clip.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        boundaries: Iterator[Fraction],
        emit: Emit,
        *,
        tolerance_s: Fraction = EXACT,
        first: int = 0,
        keys: bool = True,
    ) -> None:
        self._directory, self._name, self._emit, self._keys = directory, name, emit, keys
        self._boundaries, self._tolerance_s = boundaries, tolerance_s
        self._next: Fraction | None = next(boundaries, None)
        self._unread = bytearray()
        self._opening = bytearray()
        self._header = Header()
        self._sequence = 1 + (first << _FRAGMENT_BITS)
        self._first = first
        self._body = bytearray()
        self._spans: list[Span] = []
        self._begun: Fragment | None = None
        self._ended = 0
        self.init_file = init_file(name)
        self.segments: list[Segment] = []

    @property
    def codec(self) -> str:
        """Its RFC 6381 name; empty while nothing was written."""
        return self._header.codec

    @property
    def timescale(self) -> int:
        return self._header.timescale

    def write(self, data: bytes) -> int:
        """What libav calls; consumes whole boxes as they complete."""
        self._unread += data
        while len(self._unread) >= 8:
            size = int.from_bytes(self._unread[:4], "big")
            if size == 1:
                raise ValueError("a box of more than 4 GiB in a segment")
            if len(self._unread) < size:
                break
            self._box(bytes(self._unread[4:8]), self._unread[:size])
            del self._unread[:size]
        return len(data)

    def finish(self) -> None:
        """The muxer is closed: write the last segment."""
        if self._body:
            self._write_segment()

    def _box(self, kind: bytes, box: bytearray) -> None:
        if kind in (b"ftyp", b"moov"):
            self._opening += box
            if kind == b"moov":
                self._header = header(bytes(box))
                (self._directory / self.init_file).write_bytes(self._opening)
                self._emit(self.init_file)
        elif kind == b"moof":
            self._begin_fragment(box)
        elif kind == b"mdat":
            self._body += box

    def _begin_fragment(self, moof: bytearray) -> None:
        begun = fragment(bytes(moof), self._header)
        start_s = Fraction(begun.start, self._header.timescale) + self._tolerance_s
        if self._next is not None and start_s >= self._next:
            if self._body:
                self._write_segment()
            while self._next is not None and start_s >= self._next:
                self._next = next(self._boundaries, None)
        self._begun = self._begun or begun
        if self._keys and begun.begins_with_key:
            size = len(moof) + 8 + begun.first_sample_bytes
            self._spans.append(
                Span(offset=len(self._body), size_bytes=size, start=begun.start, duration=begun.duration)
            )
        moof[_SEQUENCE : _SEQUENCE + 4] = self._sequence.to_bytes(4, "big")
        self._sequence += 1
        self._ended = begun.start + begun.duration
        self._body += moof

    def _write_segment(self) -> None:
        if self._begun is None:
            return
        file = segment_file(self._name, self._first + len(self.segments))
        (self._directory / file).write_bytes(self._body)
        start = self._begun.start
        self.segments.append(
            Segment(
                file=file,
                start=start,
                duration=self._ended - start,
                size_bytes=len(self._body),
                keys=tuple(self._spans),
            )
        )
        self._body.clear()
        self._spans.clear()
        self._begun = None
        self._emit(file)
