"""What an uploader is told of a file that is no media."""

from __future__ import annotations

import io
import random
import struct

import pytest

from clipstream.ingest.sniff import foreign, moov_missing


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"hello\n", "text"),
        ("ü".encode() * 5000, "text"),
        (b"x" + "ü".encode() * 5000, "text"),
        (b"\xef\xbb\xbf#EXTM3U\n", "an HLS playlist"),
        (b"  \n#EXTM3U\n", "an HLS playlist"),
        ("#EXTM3U\n".encode("utf-16"), "an HLS playlist"),
        (b"<?xml version='1.0'?><MPD/>", "a DASH manifest"),
        (b"PK\x03\x04\x00", "a ZIP archive"),
        (b"\x7fELF\x02", "a program"),
        (b"\0\0\0\x20ftypisom", None),
        (b"\x1aE\xdf\xa3\x01", None),
        (b"RIFF\x04\0\0\0AVI ", None),
        (b"ID3\x03\0\0", None),
        (random.Random(1).randbytes(8192), None),
        (b"", None),
    ],
)
def test_foreign_files_are_named(head: bytes, what: str | None) -> None:
    assert foreign(io.BytesIO(head)) == what


def _boxes(*boxes: tuple[bytes, int]) -> bytes:
    return b"".join(struct.pack(">I4s", size, kind) + bytes(size - 8) for kind, size in boxes)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (_boxes((b"ftyp", 16), (b"mdat", 100)), True),
        (_boxes((b"ftyp", 16), (b"mdat", 100))[:60], True),
        (_boxes((b"ftyp", 16), (b"moov", 50), (b"mdat", 100)), False),
        (_boxes((b"ftyp", 16), (b"mdat", 100), (b"moov", 50))[:-1], True),
        (_boxes((b"ftyp", 16)) + struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100) + _boxes((b"moov", 20)), False),
        (_boxes((b"ftyp", 16)) + struct.pack(">I4s", 0, b"mdat") + bytes(100), True),
        (b"\x1aE\xdf\xa3" * 10, False),
        (b"", False),
    ],
)
def test_a_missing_index_is_seen(body: bytes, missing: bool) -> None:
    assert moov_missing(io.BytesIO(body), len(body)) is missing
