"""Changes to finished files, byte by byte: what broken recorders, bad disks and liars do to an MP4 that was whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_HOLDING = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"}


def truncate(path: Path, share: float) -> Path:
    """Only the first `share` of the file is left."""
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    return path


def flip_bits(path: Path, per_kib: float, seed: int = 1) -> Path:
    """Turn bits over anywhere in the media data of an MP4, `per_kib` of them in every KiB; its index stays whole."""
    body, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for kind, start, end in _boxes(body):
        if kind == b"mdat":
            for place in random.integers(start, end, round(per_kib * (end - start) / 1024)):
                body[place] ^= 1 << int(random.integers(8))
    path.write_bytes(body)
    return path


def claim_length(path: Path, seconds: float) -> Path:
    """Every header that tells a length (mvhd, tkhd, mdhd, elst) tells this one; the samples stay as they are."""
    body = bytearray(path.read_bytes())
    movie_scale = next(_u32(body, start + 12) for kind, start, _ in _boxes(body) if kind == b"mvhd")
    for kind, start, _ in _boxes(body):
        if kind == b"mvhd":
            struct.pack_into(">I", body, start + 16, round(seconds * movie_scale))
        elif kind == b"tkhd":
            struct.pack_into(">I", body, start + 20, round(seconds * movie_scale))
        elif kind == b"mdhd":
            struct.pack_into(">I", body, start + 16, round(seconds * _u32(body, start + 12)))
        elif kind == b"elst":
            struct.pack_into(">I", body, start + 8, round(seconds * movie_scale))
    path.write_bytes(body)
    return path


def stretch_last_sample(path: Path, seconds: float) -> Path:
    """The index itself lies: the picture track's last time-to-sample entry lasts this long. Needs a VFR track, whose last
    entry is one sample."""
    body = bytearray(path.read_bytes())
    scale = 0
    for kind, start, _ in _boxes(body):
        if kind == b"mdhd":
            scale = _u32(body, start + 12)
        elif kind == b"stts":
            entries = _u32(body, start + 4)
            struct.pack_into(">I", body, start + 8 * entries + 4, round(seconds * scale))
            break  # the first track is the picture
    path.write_bytes(body)
    return path


def trim_head(path: Path, seconds: float) -> Path:
    """Begin `seconds` later by edit lists alone, as phones and editors trim: nothing is removed from the file."""
    body = bytearray(path.read_bytes())
    movie_scale, scale, edits = 1, 1, 0
    for kind, start, _ in _boxes(body):
        if kind == b"mvhd":
            movie_scale = _u32(body, start + 12)
        elif kind == b"elst":
            edits = start
        elif kind == b"mdhd":
            scale = _u32(body, start + 12)
            shown, first = struct.unpack_from(">Ii", body, edits + 8)
            assert first >= 0, "this track begins with an empty edit"
            struct.pack_into(
                ">Ii", body, edits + 8, shown - round(seconds * movie_scale), first + round(seconds * scale)
            )
    path.write_bytes(body)
    return path


def trim_tail(path: Path, seconds: float) -> Path:
    """End `seconds` earlier by edit lists alone."""
    body = bytearray(path.read_bytes())
    movie_scale = 1
    for kind, start, _ in _boxes(body):
        if kind == b"mvhd":
            movie_scale = _u32(body, start + 12)
        elif kind == b"elst":
            struct.pack_into(">I", body, start + 8, _u32(body, start + 8) - round(seconds * movie_scale))
    path.write_bytes(body)
    return path


def _boxes(body: bytearray, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, payload's first byte, byte behind it) of every box, outermost first."""
    end = len(body) if end is None else end
    while start + 8 <= end:
        size = _u32(body, start) or end - start
        kind = bytes(body[start + 4 : start + 8])
        yield kind, start + 8, start + size
        if kind in _HOLDING:
            yield from _boxes(body, start + 8, start + size)
        start += size


def _u32(body: bytearray, place: int) -> int:
    value: int = struct.unpack_from(">I", body, place)[0]
    return value
