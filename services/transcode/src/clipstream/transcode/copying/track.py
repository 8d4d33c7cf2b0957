"""The files of one copied track: whole fragments, gathered into segments of about four seconds, handed over as each is
complete. What is held is one segment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipstream.transcode.cmaf.fragments import Sample, fragment
from clipstream.transcode.cmaf.segments import Emit
from clipstream.transcode.made import Segment, Span
from clipstream.transcode.planned import init_file, segment_file

SEGMENT_S = 4.05
"""A segment ends before the fragment that would make it longer. One alone may be longer: it is never cut."""


class CopiedTrack:
    """Writes below `directory`. The initialisation segment comes first."""

    def __init__(self, directory: Path, name: str, timescale: int, emit: Emit) -> None:
        self.name, self.timescale, self.init_file = name, timescale, init_file(name)
        self.segments: list[Segment] = []
        self._directory, self._emit = directory, emit
        self._most = round(SEGMENT_S * timescale)
        self._body: list[bytes] = []
        self._size = self._start = self._ended = self._fragments = 0
        self._keys: list[Span] = []

    def open(self, initialisation: bytes) -> None:
        (self._directory / self.init_file).write_bytes(initialisation)
        self._emit(self.init_file)

    def add(self, samples: Sequence[Sample], ended: int, *, key: bool, joins: bool = False) -> None:
        """One fragment, shown from its first sample's time until `ended`; `key` says whether to note where it begins. One
        that `joins` begins no segment."""
        if self._body and not joins and ended - self._start > self._most:
            self.finish()
        if not self._body:
            self._start = samples[0].pts
        self._fragments += 1
        pieces, span = fragment(samples, ended, self._fragments)
        if key:
            self._keys.append(span.model_copy(update={"offset": self._size}))
        self._body += pieces
        self._size += sum(map(len, pieces))
        self._ended = ended

    def finish(self) -> None:
        """Write what is left of a segment."""
        if not self._body:
            return
        file = segment_file(self.name, len(self.segments))
        with (self._directory / file).open("wb") as written:
            written.writelines(self._body)
        self.segments.append(
            Segment(
                file=file,
                start=self._start,
                duration=self._ended - self._start,
                size_bytes=self._size,
                keys=tuple(self._keys),
            )
        )
        self._body, self._keys, self._size = [], [], 0
        self._emit(file)
