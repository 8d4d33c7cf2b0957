"""What makes two files the same clip: the hash of their bytes, and the hash of what is inside whatever the container.

Pure: a file object in, hashes out. Nothing is decoded. Runs in a caged child process.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import BinaryIO, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from clipstream.common.errors import Permanent
from clipstream.common.media.open import open_media, tracks
from clipstream.dedupe.payload import canonical_form

PACKET_FORMAT = 1
"""Part of every packet hash: raised when the canonical form changes, for then old and new hashes do not compare."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`sha256:<hex>` of the file, and `packets-<format>:<hex>` of its tracks' coded pictures and sound."""

    content_hash: str
    packet_hash: str


def fingerprint(media: BinaryIO, *, content_hash: str | None) -> Fingerprint:
    """Both hashes of one file, read once where its layout allows; a `content_hash` that is known is taken as it is.

    The packet hash covers the coded bytes of the shown picture track and of every sound track, in a form that does not
    depend on the container; timestamps, metadata and other tracks stay out. `Permanent` where there is nothing to hash.
    """
    hashed = None if content_hash else _HashingReader(media)
    with open_media(cast(BinaryIO, hashed) if hashed else media) as container:
        packet_hash = _packet_hash(container)
    return Fingerprint(content_hash or (hashed.finish() if hashed else ""), packet_hash)


def _packet_hash(container: InputContainer) -> str:
    found = tracks(container)
    chosen: list[VideoStream | AudioStream] = [*([found.video] if found.video else []), *found.audio]
    forms = {track.index: canonical_form(track) for track in chosen}
    digests = {track.index: hashlib.sha256(_name(track)) for track in chosen}
    packets = 0
    try:
        for packet in container.demux(*chosen):
            if packet.size and not (packet.is_discard and packet.stream.type == "video"):
                packets += 1
                for part in forms[packet.stream_index](bytes(packet)):
                    digests[packet.stream_index].update(part)
    except av.InvalidDataError:
        pass  # a file that breaks off is hashed as far as it goes, as it is played
    if not packets:
        raise Permanent("There is nothing in this clip that could be compared with others.")
    whole = hashlib.sha256(b"".join(digests[track.index].digest() for track in chosen))
    return f"packets-{PACKET_FORMAT}:{whole.hexdigest()}"


def _name(track: VideoStream | AudioStream) -> bytes:
    return f"{track.type} {track.codec_context.codec.canonical_name}\n".encode()


class _HashingReader:
    """A file that hashes what is read from it in order; `finish` reads and hashes the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = self._hashed = 0
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        fresh = self._hashed - self._place
        if 0 <= fresh < len(data):
            self._digest.update(memoryview(data)[fresh:])
            self._hashed = self._place + len(data)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = self._file.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        return self._place

    def finish(self) -> str:
        self.seek(self._hashed)
        while self.read(_CHUNK):
            pass
        return f"sha256:{self._digest.hexdigest()}"
