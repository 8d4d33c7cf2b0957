"""What a file that is no media is, by its first bytes: only to tell its uploader. Nothing here lets anything in."""

from __future__ import annotations

import struct
from typing import BinaryIO

HEAD_BYTES = 4096
MOST_BOXES = 64
_TEXTS = {
    b"#EXTM3U": "an HLS playlist",
    b"ffconcat": "a list of files for ffmpeg",
    b"v=0": "a description of a network stream (SDP)",
    b"[playlist]": "a playlist",
}
_BINARIES = {
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"MZ": "a program",
    b"\x7fELF": "a program",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
}


def foreign(file: BinaryIO) -> str | None:
    """What this file is instead of media, in words; None where its head says nothing."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    for start, what in _BINARIES.items():
        if head.startswith(start):
            return what
    text = _text(head)
    if text is None:
        return None
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, what in _TEXTS.items():
        if text.startswith(start):
            return what
    return "a DASH manifest" if b"<MPD" in text else "text"


def moov_missing(file: BinaryIO, size: int) -> bool:
    """Whether this is an MP4 or MOV whose index (`moov`) has not arrived: recording or upload was cut off."""
    position, boxes = 0, 0
    while position + 8 <= size and boxes < MOST_BOXES:
        file.seek(position)
        header = file.read(16)
        length, kind = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:  # a 64-bit length follows
            length = struct.unpack(">Q", header[8:])[0]
        if boxes == 0 and kind != b"ftyp":
            return False
        if kind == b"moov":
            return bool(position + length > size)
        if length < 8:
            break
        position += length
        boxes += 1
    return boxes > 0


def _text(head: bytes) -> bytes | None:
    """The head if it reads as text in UTF-8 (a character cut at the end is fine) or UTF-16."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = head.decode(encoding)
    except UnicodeDecodeError as error:
        if len(head) < HEAD_BYTES or error.start < HEAD_BYTES - 4:
            return None
        text = head[: error.start].decode(encoding)
    control = any(character < " " and character not in "\t\r\n\f" for character in text)
    return None if control or not text else text.encode()
