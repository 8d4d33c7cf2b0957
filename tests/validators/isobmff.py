"""Reads ISO base media files (ISO/IEC 14496-12) into plain facts; judges nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass


class Malformed(Exception):
    """The bytes are no boxes; the message says where."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its four-character type, its offset and size in the file, and what is inside."""

    kind: str
    offset: int
    size: int
    payload: bytes

    @property
    def head(self) -> int:
        return self.size - len(self.payload)

    @property
    def version(self) -> int:
        return self.payload[0]

    @property
    def flags(self) -> int:
        return int.from_bytes(self.payload[1:4], "big")

    def u16(self, place: int) -> int:
        return self._number(place, ">H")

    def u32(self, place: int) -> int:
        return self._number(place, ">I")

    def u64(self, place: int) -> int:
        return self._number(place, ">Q")

    def i32(self, place: int) -> int:
        return self._number(place, ">i")

    def _number(self, place: int, form: str) -> int:
        try:
            value: int = struct.unpack_from(form, self.payload, place)[0]
        except struct.error:
            raise Malformed(f"the {self.kind} box at byte {self.offset} is too short") from None
        return value

    def children(self, skip: int = 0) -> list[Box]:
        """The boxes inside, behind `skip` bytes of fields."""
        inner = boxes(self.payload[skip:])
        return [Box(box.kind, self.offset + self.head + skip + box.offset, box.size, box.payload) for box in inner]

    def all(self, *path: str) -> list[Box]:
        """Every box at that path of types below this one."""
        found = [self]
        for kind in path:
            found = [child for box in found for child in box.children() if child.kind == kind]
        return found

    def one(self, *path: str) -> Box:
        found = self.all(*path)
        if len(found) != 1:
            raise Malformed(f"{len(found)} {'/'.join(path)} in the {self.kind} box at byte {self.offset}, not one")
        return found[0]


def boxes(data: bytes) -> Iterator[Box]:
    """The boxes of a file, one after another, none left over (clause 4.2)."""
    place = 0
    while place < len(data):
        if place + 8 > len(data):
            raise Malformed(f"{len(data) - place} bytes at byte {place} are no box")
        size, kind, head = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        elif size == 0:
            size = len(data) - place
        if size < head or place + size > len(data):
            raise Malformed(f"the box {kind!r} at byte {place} claims {size} bytes of {len(data) - place}")
        yield Box(kind.decode("latin-1"), place, size, data[place + head : place + size])
        place += size


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a fragment. `offset` counts from the file's first byte; times are in the track's timescale."""

    offset: int
    size: int
    decode_time: int
    duration: int
    composition: int
    flags: int

    @property
    def shown(self) -> int:
        return self.decode_time + self.composition

    @property
    def sync(self) -> bool:
        """sample_is_non_sync_sample is not set (8.8.3.1)."""
        return not self.flags & 0x10000


@dataclass(frozen=True, slots=True)
class Fragment:
    """A moof and the mdat behind it."""

    moof: Box
    mdat: Box
    sequence: int
    track_id: int
    tfhd_flags: int
    run_version: int
    start: int
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> int:
        return sum(sample.duration for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What trex gives to samples that say nothing themselves (8.8.3)."""

    duration: int
    size: int
    flags: int


@dataclass(slots=True)
class _Cursor:
    """Reads optional fields one after another."""

    box: Box
    place: int

    def take(self, present: int, fallback: int) -> int:
        if not present:
            return fallback
        value = self.box.u32(self.place)
        self.place += 4
        return value


def fragment(moof: Box, mdat: Box, defaults: Defaults) -> Fragment:
    """Clauses 8.8.4 to 8.8.8, 8.8.12. One traf with one tfhd, tfdt and trun, else `Malformed`."""
    traf = moof.one("traf")
    tfhd, tfdt, trun = traf.one("tfhd"), traf.one("tfdt"), traf.one("trun")
    head = _Cursor(tfhd, 8 + (8 if tfhd.flags & 0x01 else 0))
    head.take(tfhd.flags & 0x02, 0)
    own = Defaults(
        head.take(tfhd.flags & 0x08, defaults.duration),
        head.take(tfhd.flags & 0x10, defaults.size),
        head.take(tfhd.flags & 0x20, defaults.flags),
    )
    start = tfdt.u64(4) if tfdt.version == 1 else tfdt.u32(4)
    return Fragment(
        moof,
        mdat,
        moof.one("mfhd").u32(4),
        tfhd.u32(4),
        tfhd.flags,
        trun.version,
        start,
        tuple(_samples(trun, moof, own, start)),
    )


def _samples(trun: Box, moof: Box, own: Defaults, start: int) -> Iterator[Sample]:
    cursor, flags = _Cursor(trun, 8), trun.flags
    offset = cursor.take(flags & 0x01, moof.size + 8)
    offset = moof.offset + (offset - (1 << 32) if offset >= 1 << 31 else offset)
    first_flags = cursor.take(flags & 0x04, own.flags)
    time = start
    for number in range(trun.u32(4)):
        duration = cursor.take(flags & 0x100, own.duration)
        size = cursor.take(flags & 0x200, own.size)
        sample_flags = cursor.take(flags & 0x400, own.flags if number or not flags & 0x04 else first_flags)
        composition = cursor.take(flags & 0x800, 0)
        if trun.version and composition >= 1 << 31:
            composition -= 1 << 32
        yield Sample(offset, size, time, duration, composition, sample_flags)
        offset, time = offset + size, time + duration
