"""How much later than it is decoded each sample of an MP4 or MOV track is shown. libav's index tells only when samples are
decoded, and the rest with their data; the file's own tables say it at once (ISO/IEC 14496-12, 8.6.1.3 and 8.7.3.2)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

MOST_INDEX_BYTES = 128 << 20
"""A `moov` that is larger is not read here. Twenty minutes at 480 pictures a second need a tenth of it."""

_TRACK = (b"trak", b"mdia", b"minf", b"stbl")


def offsets(media: BinaryIO, track_id: int, sizes: Sequence[int]) -> list[int] | None:
    """For each of a run of samples, known by its sizes in bytes, composition minus decoding time in ticks of the track.

    None where the file does not say, or where another run of samples could be meant. `media` is left where it was."""
    position = media.tell()
    try:
        tables = _tables(_movie(media), track_id)
        return _run(tables, sizes) if tables else None
    except (struct.error, ValueError):
        return None
    finally:
        media.seek(position)


def _run(tables: dict[bytes, memoryview], sizes: Sequence[int]) -> list[int] | None:
    table = tables.get(b"stsz")
    if table is None:
        return None
    uniform, count = struct.unpack_from(">II", table, 4)
    if uniform:
        first = 0 if count == len(sizes) else -1
    else:
        wanted, there = struct.pack(f">{len(sizes)}I", *sizes), bytes(table[12 : 12 + 4 * count])
        first = there.find(wanted)
        if first % 4 or there.find(wanted, first + 1) >= 0:
            return None
        first = first // 4 if first >= 0 else -1
    return _composed(tables.get(b"ctts"), first, len(sizes)) if first >= 0 else None


def _composed(table: memoryview | None, first: int, count: int) -> list[int]:
    """libav, too, takes the offsets of both versions of the box for signed, and samples without one for undelayed."""
    found: list[int] = []
    if table is not None:
        passed = 0
        [entries] = struct.unpack_from(">I", table, 4)
        for run, offset in struct.iter_unpack(">Ii", table[8 : 8 + 8 * entries]):
            passed += run
            found += [offset] * (min(passed - first, count) - len(found))
    return found + [0] * (count - len(found))


def _movie(media: BinaryIO) -> memoryview:
    """The payload of `moov`; empty where there is none of a sane size."""
    size = media.seek(0, io.SEEK_END)
    position = 0
    while position + 8 <= size:
        media.seek(position)
        header = media.read(16)
        length, kind = struct.unpack_from(">I4s", header)
        behind = 8
        if length == 1:
            [length], behind = struct.unpack_from(">Q", header, 8), 16
        length = length or size - position
        if length < behind:
            break
        if kind == b"moov" and length <= MOST_INDEX_BYTES:
            media.seek(position + behind)
            return memoryview(media.read(length - behind))
        position += length
    return memoryview(b"")


def _tables(movie: memoryview, track_id: int) -> dict[bytes, memoryview] | None:
    """The boxes of one track's sample table."""
    for kind, track in _boxes(movie):
        if kind == b"trak" and _id(track) == track_id:
            inside = track
            for name in _TRACK[1:]:
                inside = next((body for kind, body in _boxes(inside) if kind == name), memoryview(b""))
            return dict(_boxes(inside))
    return None


def _id(track: memoryview) -> int:
    header = next((body for kind, body in _boxes(track) if kind == b"tkhd"), memoryview(b""))
    [found] = struct.unpack_from(">I", header, 20 if bytes(header[:1]) == b"\x01" else 12)
    return int(found)


def _boxes(body: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """(type, payload) of the boxes directly inside."""
    place = 0
    while place + 8 <= len(body):
        length, kind = struct.unpack_from(">I4s", body, place)
        if length < 8:
            return
        yield kind, body[place + 8 : place + length]
        place += length
