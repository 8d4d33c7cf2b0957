"""Cuts what libav's mp4 muxer writes into an initialisation segment and media segments, and reads their exact times.

ISO/IEC 14496-12 boxes and nothing else: no codec library, no storage. CMAF: one track, one traf in a moof, one trun.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment: its file in the given directory, exact length and size."""

    file: Path
    duration_s: float
    size_bytes: int


class SegmentWriter:
    """A write-only sink for one track. Files appear in `directory` as they become complete.

    A new segment starts with the first fragment that begins at, or at most `tolerance_s` before, the next multiple of
    `segment_s`; so tracks with fragments of other lengths stay side by side and do not drift.
    """

    def __init__(
        self, directory: Path, name: str, segment_s: Fraction, tolerance_s: Fraction = Fraction(1, 1000)
    ) -> None:
        self._directory, self._name = directory, name
        self._segment_s, self._tolerance_s = segment_s, tolerance_s
        self._unread = bytearray()
        self._header = bytearray()
        self._timescale, self._default_duration = 1, 0
        self._body = bytearray()
        self._body_duration, self._body_index = Fraction(0), 0
        self.codec = ""
        self.init_file = Path(f"{name}-init.mp4")
        self.segments: list[Segment] = []

    @property
    def duration_s(self) -> float:
        return sum(segment.duration_s for segment in self.segments)

    def write(self, data: bytes) -> int:
        """What libav calls; consumes whole boxes as they complete."""
        self._unread += data
        while len(self._unread) >= 8:
            size = int.from_bytes(self._unread[:4], "big")
            if size == 1:
                raise ValueError("a box of more than 4 GiB in a segment")
            if len(self._unread) < size:
                break
            self._box(bytes(self._unread[4:8]), bytes(self._unread[:size]))
            del self._unread[:size]
        return len(data)

    def finish(self) -> None:
        """The muxer is closed: write the last segment."""
        if self._body:
            self._write_segment()

    def _box(self, kind: bytes, box: bytes) -> None:
        if kind in (b"ftyp", b"moov"):
            self._header += box
            if kind == b"moov":
                self._read_header(box)
        elif kind == b"moof":
            self._begin_fragment(box)
        elif kind == b"mdat":
            self._body += box

    def _read_header(self, moov: bytes) -> None:
        (self._directory / self.init_file).write_bytes(self._header)
        for kind, payload in walk(moov):
            if kind == b"mdhd":
                self._timescale = _u32(payload, 20 if payload[0] == 1 else 12)
            elif kind == b"trex":
                self._default_duration = _u32(payload, 12)
            elif kind == b"stsd":
                self.codec = codec_of(payload)

    def _begin_fragment(self, moof: bytes) -> None:
        start, duration = fragment_times(moof, self._default_duration)
        index = int((Fraction(start, self._timescale) + self._tolerance_s) / self._segment_s)
        if self._body and index > self._body_index:
            self._write_segment()
        self._body_index = max(index, self._body_index)
        self._body += moof
        self._body_duration += Fraction(duration, self._timescale)

    def _write_segment(self) -> None:
        file = Path(f"{self._name}-{len(self.segments):05d}.m4s")
        (self._directory / file).write_bytes(self._body)
        self.segments.append(Segment(file, float(self._body_duration), len(self._body)))
        self._body.clear()
        self._body_duration = Fraction(0)


def walk(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every box in `data`, outermost first, as (type, payload)."""
    place = 0
    while place + 8 <= len(data):
        size = _u32(data, place)
        if size < 8:
            return
        kind, payload = data[place + 4 : place + 8], data[place + 8 : place + size]
        yield kind, payload
        if kind in _CONTAINERS:
            yield from walk(payload)
        place += size


def fragment_times(moof: bytes, default_duration: int = 0) -> tuple[int, int]:
    """Where a fragment begins on its track's decode timeline (tfdt) and how long its samples last, in timescale units."""
    start = duration = 0
    for kind, payload in walk(moof):
        flags = int.from_bytes(payload[1:4], "big")
        if kind == b"tfdt":
            start = struct.unpack_from(">Q" if payload[0] == 1 else ">I", payload, 4)[0]
        elif kind == b"tfhd" and flags & 0x08:
            place = 8 + (8 if flags & 0x01 else 0) + (4 if flags & 0x02 else 0)
            default_duration = _u32(payload, place)
        elif kind == b"trun":
            duration += _run_duration(payload, flags, default_duration)
    return start, duration


def _run_duration(trun: bytes, flags: int, default_duration: int) -> int:
    count = _u32(trun, 4)
    if not flags & 0x100:
        return count * default_duration
    place = 8 + (4 if flags & 0x01 else 0) + (4 if flags & 0x04 else 0)
    stride = 4 * (flags >> 8 & 0x0F).bit_count()
    return sum(_u32(trun, place + sample * stride) for sample in range(count))


def codec_of(stsd: bytes) -> str:
    """The RFC 6381 name of the track's codec, from its sample description."""
    place = stsd.find(b"avcC")
    if place >= 0:
        profile, compatibility, level = stsd[place + 5 : place + 8]
        return f"avc1.{profile:02x}{compatibility:02x}{level:02x}"
    if stsd.find(b"mp4a") >= 0:
        return "mp4a.40.2"
    raise ValueError("a track that is neither H.264 nor AAC")


def _u32(data: bytes, place: int) -> int:
    value: int = struct.unpack_from(">I", data, place)[0]
    return value
