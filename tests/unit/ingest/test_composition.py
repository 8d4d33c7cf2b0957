"""The tables of an MP4, as files and liars write them."""

from __future__ import annotations

import io
import struct

import pytest

from clipstream.ingest.composition import offsets


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def long_box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body


def stsz(*sizes: int, uniform: int = 0, count: int | None = None) -> bytes:
    head = struct.pack(">III", 0, uniform, len(sizes) if count is None else count)
    return box(b"stsz", head + struct.pack(f">{len(sizes)}I", *sizes))


def ctts(*runs: tuple[int, int], claimed: int | None = None) -> bytes:
    head = struct.pack(">II", 0, len(runs) if claimed is None else claimed)
    return box(b"ctts", head + b"".join(struct.pack(">Ii", *run) for run in runs))


def trak(number: int, *tables: bytes, version: int = 0) -> bytes:
    header = bytes([version]) + bytes(19 if version else 11) + struct.pack(">I", number) + bytes(60)
    stbl = box(b"stbl", b"".join(tables))
    return box(b"trak", box(b"tkhd", header) + box(b"mdia", box(b"mdhd", bytes(24)) + box(b"minf", stbl)))


def told(track: bytes, sizes: list[int], *, number: int = 7) -> list[int] | None:
    file = io.BytesIO(box(b"ftyp", b"isom") + long_box(b"mdat", bytes(100)) + box(b"moov", trak(3) + track))
    file.seek(5)
    found = offsets(file, number, sizes)
    assert file.tell() == 5, "libav goes on reading where it was"
    return found


@pytest.mark.parametrize("version", [0, 1])
def test_each_sample_has_its_own(version: int) -> None:
    track = trak(7, stsz(50, 10, 20), ctts((1, 1024), (2, -512)), version=version)
    assert told(track, [50, 10, 20]) == [1024, -512, -512]


def test_a_run_of_samples_is_found_by_its_sizes() -> None:
    assert told(trak(7, stsz(50, 10, 20, 30), ctts((1, 1), (1, 2), (1, 3), (1, 4))), [10, 20]) == [2, 3]


def test_without_a_table_none_is_delayed() -> None:
    assert told(trak(7, stsz(50, 10)), [50, 10]) == [0, 0]
    assert told(trak(7, stsz(50, 10), ctts((1, 9))), [50, 10]) == [9, 0]


def test_samples_of_one_size_are_told_only_where_all_are_meant() -> None:
    track = trak(7, stsz(uniform=40, count=3), ctts((3, 5)))
    assert told(track, [40, 40, 40]) == [5, 5, 5]
    assert told(track, [40, 40]) is None


@pytest.mark.parametrize(
    "track",
    [
        trak(7, stsz(10, 20, 10, 20), ctts((4, 1))),
        trak(7, stsz(99, 20), ctts((2, 1))),
        trak(7, ctts((2, 1))),
        trak(8, stsz(10, 20)),
        trak(7, box(b"stsz", b"\0\0")),
        trak(7, stsz(10, 20), ctts((1, 1), claimed=9)[:-3]),
        box(b"trak", b"\0\0\0\2junk"),
        b"",
    ],
    ids=["twice", "other_sizes", "no_sizes", "no_track", "short_sizes", "short_offsets", "junk", "nothing"],
)
def test_where_it_is_not_sure_nothing_is_told(track: bytes) -> None:
    assert told(track, [10, 20]) is None


def test_a_run_that_never_ends_takes_no_memory() -> None:
    assert told(trak(7, stsz(10, 20), ctts((0xFFFFFFFF, 3), (0xFFFFFFFF, 4))), [10, 20]) == [3, 3]


@pytest.mark.parametrize(
    "file", [b"", b"\0\0\0\1mdat", b"\0\0\0\3free", b"\0\0\0\0mdatxxxx", struct.pack(">I4sQ", 1, b"moov", 1 << 62)]
)
def test_a_file_without_an_index_tells_nothing(file: bytes) -> None:
    assert offsets(io.BytesIO(file), 7, [10]) is None
